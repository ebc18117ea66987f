"""Numbers that change hands, and an account that is not known yet."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.attacks.conftest import OpenStage
from tests.attacks.signal_stage import ADMIN, LISTED, SignalStage
from tests.attacks.table import Kind
from tests.fakes.signal_daemon import ALICE, OWN_ACI
from tests.recordings import operated
from tests.scene_signal import MALLORY, Person, variant

NEXT = Person("next owner", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", ALICE)
"""Whom the operator knows to be Alice with a new phone."""
THIEF = Person("last owner", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", ALICE)
"""Somebody who turned up with her number afterwards."""


async def dispatched(on: SignalStage, who: Person, text: str) -> bool:
    """Their direct message is answered."""
    await on.daemon.emit_event(variant("dm_text", who, text=text))
    await on.settled()
    return any(text in read for read in on.read)


async def test_a_number_alone_carries_no_permission_after_it_moved(stage: OpenStage) -> None:
    number_only = Person("somebody", "", ALICE)
    async with stage("signal", agent=False) as on:
        event = variant("dm_text", number_only, text="by number")
        event["envelope"]["sourceUuid"] = None
        await on.daemon.emit_event(event)
        await on.settled()
        assert any("by number" in read for read in on.read), "the control"
        assert await dispatched(on, ADMIN, "it is me"), "the control"
        assert not await dispatched(on, NEXT, "a new phone")
        again = variant("dm_text", number_only, text="by number again")
        again["envelope"]["sourceUuid"] = None
        await on.daemon.emit_event(again)
        await on.settled()
        assert not any("by number again" in read for read in on.read)
        assert await dispatched(on, LISTED, "not concerned")


async def test_a_move_is_confirmed_for_one_person_and_answers_follow(stage: OpenStage) -> None:
    async with stage("signal") as on:
        await on.say(Kind.ADMIN, "before", direct=True)
        assert on.daemon.called("send")[-1]["recipient"] == [ADMIN.aci]
        for who in (NEXT, THIEF):
            await on.daemon.emit_event(variant("dm_text", who, text=f"I am {who.name}"))
            await on.settled()
        assert len(on.sent()) == 1
        # The thief came last: the operator is told so, and neither of the two is let in.
        assert await operated("people", "confirm", ALICE, NEXT.aci) != 0
        await on.daemon.emit_event(variant("dm_text", NEXT, text="I wrote again"))
        await on.settled()
        assert len(on.sent()) == 1
        assert await operated("people", "confirm", ALICE, NEXT.aci, "--why", "she called") == 0
        await on.until(lambda: _resolves(on, NEXT.aci))
        await on.daemon.emit_event(variant("dm_text", THIEF, text="and now?"))
        await on.settled()
        assert len(on.sent()) == 1
        await on.daemon.emit_event(variant("dm_text", NEXT, text="it is me"))
        await on.settled()
        assert on.sent()[-1] == "echo: it is me"
        assert on.daemon.called("send")[-1]["recipient"] == [NEXT.aci]


def _resolves(on: SignalStage, aci: str) -> bool:
    return bool(on.host.adapter.connection.source.senders.directory.aci_of(ALICE) == aci)


async def test_a_confirmation_without_the_new_identity_is_none(stage: OpenStage) -> None:
    async with stage("signal", agent=False) as on:
        assert await dispatched(on, ADMIN, "before"), "the control"
        assert not await dispatched(on, NEXT, "a new phone")
        assert await operated("people", "confirm", ALICE) != 0
        assert await operated("people", "confirm", ALICE, MALLORY.aci) != 0
        assert not await dispatched(on, NEXT, "and now?")


async def test_what_comes_before_we_know_ourselves_is_held_not_lost(stage: OpenStage) -> None:
    """The account is configured by its ACI, and events name it by its number."""
    known, speaking = asyncio.Event(), set()

    def prepare(on: SignalStage) -> None:
        async def listed(_: dict[str, Any]) -> Any:
            await known.wait()
            return on.daemon.contacts

        async def speaks() -> None:
            await on.daemon.streams_open(1, timeout=None)
            await on.daemon.emit_event(variant("dm_text", ADMIN, text="early bird"))
            await asyncio.sleep(0.1)
            known.set()

        on.daemon.handlers["listContacts"] = listed
        speaking.add(asyncio.create_task(speaks()))

    async with stage("signal", agent=False, prepare=prepare, account=OWN_ACI) as on:
        # It may be handled before the stage has put its own handler in place.
        await on.until(lambda: any("early bird" in text for text in (*on.read, *on.host.texts)))
        # One after the other: the host may lose what comes in just as it ends a turn.
        await on.settled()
        await on.daemon.emit_event(variant("dm_text", ADMIN, text="and a late one"))
        await on.until(lambda: any("and a late one" in read for read in on.read))
    await asyncio.gather(*speaking)
