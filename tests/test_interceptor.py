"""The last step before the host: what stays here, what passes, and what passes along with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gateway.config import Platform
from gateway.session import SessionSource
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Address,
    Attachment,
    Chat,
    Dispatch,
    Inbound,
    Observe,
    Quote,
    Reason,
    Rule,
)
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.host.interceptor import Interceptor
from hermes_hardened_adapters.common.host.tenancy.guarding import kept
from hermes_hardened_adapters.common.inbound.delivery import Delivery
from hermes_hardened_adapters.common.inbound.observation import Observations
from hermes_hardened_adapters.common.state.store import Store

SAID = Inbound("k", "1", 1_795_000_000_000, Chat("g"), Address("ann"), text="lunch?")


class Adapter:
    """The parts of an adapter that the interceptor uses; `sent` is what it said."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(extra={"group_sessions_per_user": False})
        self.connection = None
        self.home, self.platform = Path("/nowhere"), Platform.SIGNAL
        self.sent: list[tuple[str, str]] = []

    async def send(self, chat_id: str, text: str) -> None:
        self.sent.append((chat_id, text))


@pytest.fixture
def adapter() -> Adapter:
    return Adapter()


@pytest.fixture
def interceptor(adapter: Adapter, tmp_path: Path) -> Interceptor:
    return Interceptor(adapter, Observations("signal", lambda: 1000.0), Store(tmp_path / "state.db"))


def delivery(text: str, authority: Authority, inbound: Inbound = SAID, *, observe: bool = False) -> Delivery:
    allowed = authority in {Authority.ALLOWED, Authority.ADMIN}
    decision = (
        Observe(text, Rule.UNADDRESSED, Reason.UNADDRESSED)
        if observe
        else Dispatch(text, Rule.ADDRESSED, Reason.MENTIONED)
    )
    authorization = Authorization("ann", None, allowed=allowed, listed=allowed, authority=authority)
    chat_type = "group" if inbound.chat.is_group else "dm"
    return Delivery(inbound, decision, authorization, "c", chat_type, Foreign(), Foreign("Ann"))


def source(chat_type: str = "group") -> SessionSource:
    return SessionSource(platform=Platform.SIGNAL, chat_id="c", chat_type=chat_type, user_id="ann")


async def no_file(attachment: Attachment, limit: int) -> Any:
    raise AssertionError("nothing is to be fetched")


async def dispatched(interceptor: Interceptor, what: Delivery) -> Any:
    return await interceptor.dispatched_event(what, source(what.chat_type), no_file)


async def test_a_fetched_file_is_for_its_chat_before_the_host_sees_the_message(
    interceptor: Interceptor, hermes_home: Path
) -> None:
    path = hermes_home / "cache" / "documents" / "doc_1_report.pdf"

    async def fetch(attachment: Attachment, limit: int) -> tuple[str, str]:
        return str(path), "application/pdf"

    sent = delivery("look", Authority.ALLOWED, replace(SAID, attachments=(Attachment("1", "application/pdf"),)))
    await interceptor.dispatched_event(sent, source(), fetch)
    assert kept.may_be_sent(str(path), hermes_home, "signal", "c")
    assert not kept.may_be_sent(str(path), hermes_home, "signal", "d")


async def test_what_is_observed_stays_and_goes_along_with_the_next_request(interceptor: Interceptor) -> None:
    observed = interceptor.observed_event(delivery("lunch?", Authority.ALLOWED, observe=True), source())
    assert observed.observe_only
    assert not await interceptor.admit(observed)
    request = await dispatched(interceptor, delivery("where?", Authority.ALLOWED))
    assert await interceptor.admit(request)
    assert "Ann: lunch?" in request.channel_context
    assert request.text == "where?"


async def test_a_command_carries_no_background(interceptor: Interceptor) -> None:
    observed = delivery("lunch?", Authority.ALLOWED, observe=True)
    await interceptor.admit(interceptor.observed_event(observed, source()))
    command = await dispatched(interceptor, delivery("/status", Authority.ADMIN))
    assert await interceptor.admit(command)
    assert command.channel_context is None


async def test_a_member_runs_no_command_beyond_the_hosts_floor(interceptor: Interceptor, adapter: Adapter) -> None:
    assert not await interceptor.admit(await dispatched(interceptor, delivery("/restart", Authority.MEMBER)))
    assert await interceptor.admit(await dispatched(interceptor, delivery("restart it", Authority.MEMBER)))


async def test_references_expand_for_those_who_may_refer_to_files(interceptor: Interceptor) -> None:
    text = "look at @file:notes.txt"
    assert (await dispatched(interceptor, delivery(text, Authority.ALLOWED))).text == text
    assert "@file:" not in (await dispatched(interceptor, delivery(text, Authority.MEMBER))).text


async def test_files_beyond_an_authors_rights_are_named_and_not_fetched(interceptor: Interceptor) -> None:
    inbound = replace(SAID, attachments=(Attachment("1", "image/png", Foreign("cat.png"), 5),))
    event = await dispatched(interceptor, delivery("look", Authority.PROGRAM, inbound))
    assert event.text.startswith("look\n(Attachment cat.png")
    assert event.media_urls == []
    seen = interceptor.observed_event(delivery("look", Authority.ALLOWED, inbound, observe=True), source())
    assert seen.text.startswith("look (")
    assert "cat.png" in seen.text
    assert seen.text.endswith("not fetched)")


@pytest.mark.parametrize(("trusted", "shown"), [(True, "said before"), (False, "[unverified] said before")])
async def test_a_quote_of_somebody_unknown_is_marked(interceptor: Interceptor, trusted: bool, shown: str) -> None:
    quote = Quote("9", Address("bob", "+15550003333"), Foreign("Bob"), Foreign("said before"))
    inbound = Inbound("k", "1", 1, Chat("g"), Address("ann"), text="yes", quote=quote)
    what = replace(delivery("yes", Authority.ALLOWED, inbound), quote_is_trusted=trusted)
    event = await dispatched(interceptor, what)
    assert (event.reply_to_text, event.reply_to_message_id) == (shown, "9")
    assert (event.reply_to_author_id, event.reply_to_author_name) == ("+15550003333", "Bob")


async def test_a_direct_chat_with_somebody_the_host_refuses_is_known(interceptor: Interceptor) -> None:
    direct = Inbound("k", "1", 1, Chat(), Address("ann"), text="hi")
    await interceptor.admit(await dispatched(interceptor, delivery("hi", Authority.STRANGER, direct)))
    assert interceptor.is_unauthorized_dm("c")
    await interceptor.admit(await dispatched(interceptor, delivery("hi", Authority.ALLOWED, direct)))
    assert not interceptor.is_unauthorized_dm("c")
    await interceptor.admit(await dispatched(interceptor, delivery("hi", Authority.STRANGER)))
    assert not interceptor.is_unauthorized_dm("c")


async def test_the_hosts_own_events_pass(interceptor: Interceptor) -> None:
    event = await dispatched(interceptor, delivery("/restart", Authority.STRANGER))
    event.internal = True
    assert await interceptor.admit(event)


async def test_a_time_that_makes_no_sense_is_now(interceptor: Interceptor) -> None:
    odd = Inbound("k", "1", 10**30, Chat("g"), Address("ann"), text="hi")
    event = await dispatched(interceptor, delivery("hi", Authority.ALLOWED, odd))
    assert event.timestamp.year < 9999


@pytest.mark.parametrize("authority", Authority)
async def test_who_controls_nothing_is_barred_by_the_host_too(interceptor: Interceptor, authority: Authority) -> None:
    """Hosts before 0.20.6 have no such switch."""
    event = await dispatched(interceptor, delivery("good morning", authority))
    barred = hasattr(event, "allow_gateway_control") and authority in {Authority.STRANGER, Authority.PROGRAM}
    assert await interceptor.admit(event)
    assert getattr(event, "allow_gateway_control", True) is not barred
