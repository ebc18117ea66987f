"""The table is whole: a name of Hermes that our code uses and the table lacks fails a test.

`tests/test_rooms.py` has the rest: no module imports Hermes, and no string but those of the table names a place in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hermes_hardened_adapters.adapters.mattermost import host_names as mattermost_names
from hermes_hardened_adapters.adapters.network import Network
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.adapters.plugin import register
from hermes_hardened_adapters.adapters.signal import host_names as signal_names
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.contract.names import HostName

from tests.own_classes import defined_by, own_classes

if TYPE_CHECKING:
    from tests.host_uses import Use, Uses

CONSTANTS: Mapping[str, HostName] = {
    constant: value
    for module in (table, signal_names, mattermost_names)
    for constant, value in vars(module).items()
    if isinstance(value, HostName)
}
NOT_OF_HERMES = {
    "observe_only": "a field that our subclass of MessageEvent adds",
    "line": "a line of a YAML file, which its reader may know",
    "__members__": "of any Enum",
}
OF_EVERY_CLASS = {"__module__", "__doc__", "__annotations__", "__abstractmethods__", "_abc_impl"} | {
    *("__new__", "__static_attributes__", "__firstlineno__"),
}


def names() -> set[HostName]:
    return {name for network in NETWORKS.values() for name in network.names()}


def attributes(names: Iterable[HostName]) -> set[str]:
    """Every part of the places behind the module."""
    return {part for name in names for place in name.places for part in place.partition(":")[2].split(".")}


def parameters(names: Iterable[HostName]) -> set[str]:
    return {parameter for name in names for parameter in name.takes}


def strangers(uses: Iterable[Use]) -> list[Use]:
    """The attributes that the table lacks."""
    known = attributes(names()) | parameters(names()) | NOT_OF_HERMES.keys()
    return [use for use in uses if use.name not in known]


def unknown_keywords(uses: Iterable[Use]) -> list[Use]:
    """The parameters that the function's entry lacks; all entries count for a function whose name says nothing."""
    everything = names()
    by_name: dict[str, set[HostName]] = {constant: {name} for constant, name in CONSTANTS.items()}
    for name in everything:
        by_name.setdefault(name.attribute, set()).add(name)
    return [use for use in uses if use.name not in parameters(by_name.get(use.function, everything))]


@pytest.fixture(scope="module")
def uses_in() -> Callable[..., Uses]:
    pytest.importorskip("mypy", reason="finds the objects of Hermes by their types")
    from tests.host_uses import Uses

    return Uses


@pytest.fixture(scope="module")
def seam(uses_in: Callable[..., Uses]) -> Uses:
    from tests.host_uses import seam

    return uses_in(seam())


def test_every_attribute_is_in_the_table(seam: Uses) -> None:
    found = list(seam.attributes())
    assert not strangers(found)
    used = {use.name for use in found}
    assert len(used) > 60
    # What is no longer used needs no reason.
    assert used >= NOT_OF_HERMES.keys()


def test_every_parameter_is_in_the_table(seam: Uses) -> None:
    found = list(seam.keywords())
    assert not unknown_keywords(found)
    assert len(found) > 40


PLANTED = """
from dataclasses import replace
from typing import Any

from hermes_hardened_adapters.adapters.signal.adapter import SignalAdapter
from hermes_hardened_adapters.common.core.events import Inbound
from hermes_hardened_adapters.common.host.contract import table


class Adapter(SignalAdapter):
    async def act(self, event: Any, inbound: Inbound) -> None:
        await self.no_such_method(inbound.text.strip())
        await super().no_such_parent(event)
        print(f"{event.source.no_such_field} {inbound.message_id}")
        source = replace(event.source, user_id="1")
        getattr(source, "no_such_name", None)
        self._interceptor.is_unauthorized_dm("1")
        table.SEND_RESULT(no_such_parameter=1, success=True)
        self.build_source(no_such_argument=1, chat_id="1", chat_type=event.source.chat_type)
"""


def test_a_use_that_is_planted_is_found(uses_in: Callable[..., Uses]) -> None:
    planted = uses_in(planted={"planted": PLANTED})
    assert {use.name for use in strangers(planted.attributes())} == {
        *("no_such_method", "no_such_parent", "no_such_field", "no_such_name")
    }
    assert {use.name for use in unknown_keywords(planted.keywords())} == {"no_such_parameter", "no_such_argument"}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_our_classes_replace_is_in_the_table(network: Network[Any]) -> None:
    adapter = network.adapter()
    own = own_classes(adapter)
    inherited = adapter.__mro__[len(own) :]
    replaced = defined_by(own) & (defined_by(inherited) | set(dir(inherited[0])))
    assert {"connect", "send", "handle_message", "_send_with_retry", "extract_images"} <= replaced
    assert not replaced - attributes(network.names()) - OF_EVERY_CLASS


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_the_registration_says_is_in_the_table(network: Network[Any]) -> None:
    class Context:
        given: dict[str, Any] = {}  # noqa: RUF012

        def register_platform(self, **given: Any) -> None:
            self.given |= given

    register(Context())
    assert len(Context.given) > 15
    assert not Context.given.keys() - set(table.PLATFORM_ENTRY.takes)
    assert set(table.REGISTER_PLATFORM.takes) <= Context.given.keys()
