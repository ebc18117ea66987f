"""Signal as the pipeline's source: which events are taken in, and what they become, without a host."""

from __future__ import annotations

from pathlib import Path

from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Dispatch, Observe, Reason

from tests.connections import on_signal
from tests.fakes.signal_daemon import ALICE, BOB_ACI, GROUP, FakeSignalDaemon, recorded_event
from tests.signal_recorded import variant


async def test_a_direct_message_of_an_accepted_person(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db") as seen:
        await daemon.emit_event(recorded_event("dm_text"))
        await seen.settled()
    (delivery,) = seen.delivered
    assert isinstance(delivery.decision, Dispatch)
    assert (delivery.chat_id, delivery.chat_type, delivery.author) == (ALICE, "dm", "Alice A")
    assert (delivery.authorization.user_id, delivery.authorization.authority) == (ALICE, Authority.ADMIN)


async def test_a_group_has_its_name_and_its_own_id_for_the_host(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db", group_allowed=[GROUP], require_mention=True) as seen:
        await daemon.emit_event(recorded_event("group_text"))
        await seen.settled()
        assert seen.connection.source.chat_name(f"group:{GROUP}") == "Test Group"
    (delivery,) = seen.delivered
    assert isinstance(delivery.decision, Observe)
    assert (delivery.decision.reason, delivery.chat_id) == (Reason.UNADDRESSED, f"group:{GROUP}")
    assert (delivery.chat_name, delivery.chat_type) == ("Test Group", "group")


async def test_the_same_event_is_taken_in_once(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    for expected in (["hello"], []):
        async with on_signal(daemon, state) as seen:
            await daemon.emit_event(recorded_event("dm_text"), recorded_event("dm_text"))
            await seen.settled()
        assert seen.texts == expected


async def test_what_is_not_read_is_counted_by_its_kind(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db") as seen:
        await daemon.emit_event(recorded_event("dm_text") | {"account": "+15550009999"})
        await daemon.emit_event(recorded_event("exc_decrypt_failed"))
        await seen.settled()
        assert seen.unhandled == {
            "other account": 1,
            "not decrypted: ProtocolInvalidMessageException": 1,
        }
    assert seen.delivered == []


async def test_of_a_group_that_is_not_served_nothing_is_delivered(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db") as seen:
        for number in range(3):
            event = variant("group_text", timestamp=1_795_329_305_400 + number)
            event["envelope"]["timestamp"] = 1_795_329_305_400 + number
            await daemon.emit_event(event)
        await seen.settled()
        counts = seen.connection.source.pipeline.trace.counts
        assert counts == {f"ignore {Reason.CHAT_NOT_ALLOWED}": 3}
    assert seen.delivered == []


async def test_a_number_that_moved_carries_nothing(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db") as seen:
        moved = recorded_event("dm_text")
        moved["envelope"] |= {"sourceUuid": BOB_ACI, "source": ALICE, "sourceNumber": ALICE}
        await daemon.emit_event(moved)
        await seen.settled()
        alone = recorded_event("dm_number_only")
        alone["envelope"] |= {"source": ALICE, "sourceNumber": ALICE}
        await daemon.emit_event(alone)
        await seen.settled()
        assert seen.unhandled == {"moved number": 1}
    assert [delivery.authorization.allowed for delivery in seen.delivered] == [False]
