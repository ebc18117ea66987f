"""The doctor's check that no two profiles have the same account. It reads the settings of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import HostContractError
from ...doctor.findings import Result, advice, ok
from .. import facts, profile
from ..contract import table
from ..documents import parse_yaml
from ..profile import place
from ..setup import Setup

Names = Callable[[Mapping[str, Any], Mapping[str, str], Path], Collection[str]]
"""Returns every known name of the account in a network's settings; given `PlatformConfig.extra`, environment, state."""
_REFERENCE = re.compile(r"\$\{(\w+)\}")


class _Account(NamedTuple):
    profile: str
    network: str
    names: frozenset[str]


def separate(setup: Setup, networks: Mapping[str, Names]) -> Iterator[Result]:
    """Yield each account that two profiles have, and each profile whose settings cannot be read."""
    root, own = place(setup.home)
    accounts = [
        _Account(own, network, frozenset(networks[network](extra, setup.environment, setup.state)))
        for network, extra in setup.extras.items()
    ]
    read = True
    for home in (root, *sorted(path for path in (root / "profiles").glob("*") if path.is_dir())):
        if place(home)[1] == own:
            continue
        try:
            accounts += _accounts(home, networks)
        except HostContractError:
            raise
        except Exception as exc:
            # The text of a foreign exception may contain a secret.
            read = False
            what = f"The settings of the profile {place(home)[1]} cannot be read ({type(exc).__name__})."
            yield advice(what, f"Run `hermes -p {place(home)[1]} adapters doctor`.")
    shared = [(network, owners) for network, owners in _owners(accounts) if len(owners) > 1]
    for network, owners in shared:
        what = f"The profiles {', '.join(owners[:-1])} and {owners[-1]} have the same {network} account."
        remedy = f"Give each an account of its own, or remove {network}: only the first to connect answers."
        yield advice(what, remedy)
    if read and not shared:
        yield ok("No two profiles have the same account.")


def _owners(accounts: Iterable[_Account]) -> Iterator[tuple[str, list[str]]]:
    """Yield the network and the profiles of each account; settings with a name in common have the same one."""
    merged: list[tuple[str, frozenset[str], list[str]]] = []
    for owner, network, names in accounts:
        same = [each for each in merged if each[0] == network and each[1] & names]
        merged = [each for each in merged if each not in same]
        every = names.union(*(each[1] for each in same))
        merged.append((network, every, [*(name for each in same for name in each[2]), owner]))
    for network, _, owners in merged:
        yield network, owners


def _accounts(home: Path, networks: Mapping[str, Names]) -> Iterator[_Account]:
    """Yield the accounts in the settings of another profile, which need not be complete. Raises what fails."""
    for file in (home / ".env", home / "config.yaml"):
        if file.exists():
            file.read_bytes()
    environment: Mapping[str, str] = table.PROFILE_VARIABLES(home)
    config = parse_yaml(path.read_text(encoding="utf-8")) if (path := home / "config.yaml").exists() else {}
    config = config if isinstance(config, dict) else {}
    for network, names in networks.items():
        if facts.switched_off(config, network):
            continue
        extra: dict[str, Any] = {}
        for block in reversed(list(facts.blocks(config, network))):
            inner = block.get("extra")
            extra |= {**(inner if isinstance(inner, dict) else {}), **block}
        found = names(_filled_in(extra, environment), environment, profile.state_file(home))
        yield _Account(place(home)[1], network, frozenset(found))


def _filled_in(extra: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Replace references such as `${NAME}`, and leave out texts with one to an unknown variable."""

    def filled(text: str) -> str | None:
        known = all(name in environment for name in _REFERENCE.findall(text))
        return _REFERENCE.sub(lambda found: environment[found[1]], text) if known else None

    return {name: filled(value) if isinstance(value, str) else value for name, value in extra.items()}
