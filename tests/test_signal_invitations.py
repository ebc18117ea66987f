"""Invitations to Signal groups: whose act puts a group on the runtime allowlist, and what takes it off again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.failures import RpcError
from hermes_hardened_adapters.adapters.signal.invitations import Invitations, Membership, read_groups
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.chats import Outcome
from hermes_hardened_adapters.common.core.errors import ConnectionLost
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound, Me, Origin
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, BOB, BOB_ACI, GROUP, OWN_ACI, group

ME = Me(OWN_ACI, ACCOUNT)
US = (ACCOUNT, OWN_ACI)
NOW = 1_795_000_000_000
ADDED = Inbound("k", "1", 1, Chat(GROUP), Address(ALICE_ACI, ALICE), contentless="group event", opens_group=True)
TALK = replace(ADDED, contentless=None, opens_group=False, text="hello")
LISTED = Authorization(ALICE, ALICE_ACI, allowed=True, listed=True, authority=Authority.ALLOWED)
UNLISTED = Authorization(ALICE, ALICE_ACI, allowed=True, listed=False, authority=Authority.MEMBER)
UNFETCHED = group(name=None, members=(), is_member=False)
PENDING = group(members=((ALICE, ALICE_ACI),), pending=(US,), is_member=False)
REMOVED = group(members=((ALICE, ALICE_ACI), (BOB, BOB_ACI)), is_member=False)


class Daemon:
    """Answers listGroups from a script; its last entry stands for ever. Accepting makes us a member."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.calls: list[tuple[str, Any]] = []
        self.fault: Exception | None = None

    async def rpc(self, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any:
        self.calls.append((method, params))
        if method == "listGroups":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            if isinstance(state, Exception):
                raise state
            return [state] if isinstance(state, dict) else state
        if self.fault:
            raise self.fault
        if method == "updateGroup":
            self.states = [group()]
        return {}

    def did(self, method: str) -> int:
        return sum(1 for called, _ in self.calls if called == method)


@pytest.fixture
async def allowlist(store: Store) -> RuntimeAllowlist:
    allowlist = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await allowlist.load()
    return allowlist


@pytest.fixture
def judged(allowlist: RuntimeAllowlist) -> Callable[..., Awaitable[Invitations]]:
    async def no_wait(_: float) -> None: ...

    async def make(daemon: Daemon, policy: str = "approved-only", **options: Any) -> Invitations:
        """Connected, with a daemon that knew no groups then."""
        invitations = Invitations(
            daemon, allowlist, policy, lambda: ME, server_now=lambda: NOW, sleep=no_wait, **options
        )
        daemon.states.insert(0, [])
        await invitations.sync_groups()
        daemon.calls.clear()
        return invitations

    return make


Make = Callable[..., Awaitable[Invitations]]


async def test_added_by_an_approved_person(judged: Make, allowlist: RuntimeAllowlist) -> None:
    assert await (await judged(Daemon(group()))).consider(ADDED, LISTED) is Outcome.APPROVED
    assert allowlist.approved == {GROUP}


async def test_created_with_us_in_it(judged: Make, allowlist: RuntimeAllowlist) -> None:
    created = replace(ADDED, chat=Chat(GROUP, "New"))
    assert await (await judged(Daemon(group()))).consider(created, LISTED) is Outcome.APPROVED


async def test_an_invitation_is_accepted(judged: Make, allowlist: RuntimeAllowlist) -> None:
    daemon = Daemon(PENDING)
    assert await (await judged(daemon)).consider(ADDED, LISTED) is Outcome.APPROVED
    assert ("updateGroup", {"groupId": GROUP}) in daemon.calls


@pytest.mark.parametrize("authorization", [UNLISTED, replace(UNLISTED, allowed=False)])
async def test_by_somebody_else_nothing_is_done(
    judged: Make, allowlist: RuntimeAllowlist, authorization: Authorization
) -> None:
    daemon = Daemon(PENDING)
    assert await (await judged(daemon)).consider(ADDED, authorization) is Outcome.NOT_APPROVED
    assert daemon.calls == []
    assert not allowlist.approved
    # What an approved person does there later is no invitation any more.
    assert await (await judged(daemon)).consider(ADDED, LISTED) is None
    assert not allowlist.approved


async def test_an_unapproved_group_can_be_left(judged: Make) -> None:
    daemon = Daemon(group())
    await (await judged(daemon, quit_unapproved=True)).consider(ADDED, UNLISTED)
    assert daemon.calls == [("quitGroup", {"groupId": GROUP})]


async def test_policies(judged: Make, allowlist: RuntimeAllowlist) -> None:
    assert await (await judged(Daemon(group()), "ignore")).consider(ADDED, LISTED) is Outcome.IGNORED
    allowlist.remove(GROUP)
    assert await (await judged(Daemon(group()), "allow-all")).consider(ADDED, UNLISTED) is Outcome.APPROVED


async def test_an_actor_who_is_no_member_opens_nothing(judged: Make, allowlist: RuntimeAllowlist) -> None:
    strangers = group(members=(US, (BOB, BOB_ACI)))
    assert await (await judged(Daemon(strangers))).consider(ADDED, LISTED) is Outcome.ACTOR_NOT_IN_GROUP
    assert not allowlist.approved


async def test_presence_is_no_act(judged: Make, allowlist: RuntimeAllowlist) -> None:
    invitations = await judged(Daemon(group()))
    assert await invitations.consider(TALK, LISTED) is None
    assert await invitations.consider(ADDED, LISTED) is None
    assert not allowlist.approved


async def test_an_unfetched_group_is_looked_at_again(judged: Make, allowlist: RuntimeAllowlist) -> None:
    daemon = Daemon(UNFETCHED, ConnectionLost("x"), UNFETCHED, group())
    assert await (await judged(daemon)).consider(ADDED, LISTED) is Outcome.APPROVED
    assert daemon.did("listGroups") == 4


async def test_a_group_that_stays_unfetched_is_neither_opened_nor_refused(
    judged: Make, allowlist: RuntimeAllowlist
) -> None:
    assert await (await judged(Daemon(UNFETCHED))).consider(ADDED, LISTED) is Outcome.UNCONFIRMED
    assert not allowlist.approved
    assert await (await judged(Daemon(group()))).consider(ADDED, LISTED) is Outcome.APPROVED


async def test_an_account_without_a_profile_is_told_the_remedy(
    judged: Make, allowlist: RuntimeAllowlist, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(PENDING)
    daemon.fault = RpcError(-32603, "Cannot join a V2 group as self does not have a versioned profile")
    assert await (await judged(daemon)).consider(ADDED, LISTED) is Outcome.UNCONFIRMED
    assert "updateProfile" in caplog.text
    assert not allowlist.approved


async def test_the_owners_other_device_is_the_owner(judged: Make, allowlist: RuntimeAllowlist) -> None:
    act = replace(ADDED, origin=Origin.OWN_DEVICE, sender=Address(OWN_ACI, ACCOUNT))
    assert await (await judged(Daemon(group()))).consider(act, replace(UNLISTED, listed=False)) is Outcome.APPROVED


async def test_removed_from_the_group(judged: Make, allowlist: RuntimeAllowlist) -> None:
    allowlist.approve(GROUP, by=ALICE_ACI)
    assert await (await judged(Daemon(UNFETCHED))).consider(ADDED, LISTED) is None
    assert allowlist.approved == {GROUP}
    assert await (await judged(Daemon(REMOVED))).consider(ADDED, LISTED) is Outcome.REMOVED
    assert not allowlist.approved
    assert not allowlist.knows(GROUP)
    assert await (await judged(Daemon(group()))).consider(ADDED, LISTED) is Outcome.APPROVED


async def test_a_restart_keeps_what_was_approved(judged: Make, allowlist: RuntimeAllowlist, store: Store) -> None:
    await (await judged(Daemon(group()))).consider(ADDED, LISTED)
    await store.flush()
    later = RuntimeAllowlist(store, "signal", lambda: 2000.0)
    await later.load()
    assert later.approved == {GROUP}
    assert await store.rows("SELECT by, at FROM chat_group") == [(ALICE_ACI, 1000.0)]


WAITED = replace(ADDED, received_at=NOW - 60_000)
LATER = replace(ADDED, received_at=NOW)


async def test_groups_that_were_there_before_us_are_approved_by_nobody(
    judged: Make, allowlist: RuntimeAllowlist
) -> None:
    invitations = await judged(Daemon(group()))
    await invitations.sync_groups()
    await invitations.mark_preexisting()
    assert await invitations.consider(WAITED, LISTED) is None
    assert not allowlist.approved
    assert not allowlist.is_new
    assert invitations.names == {GROUP: "Test Group"}


async def test_an_invitation_that_waited_for_us_counts(judged: Make, allowlist: RuntimeAllowlist) -> None:
    """At every connect, and also if the daemon has put us in the group before we could see."""
    for _ in range(2):
        invitations = await judged(Daemon(group()))
        await invitations.sync_groups()
        assert await invitations.consider(WAITED, LISTED) is Outcome.APPROVED
        await invitations.mark_preexisting()
        assert allowlist.approved == {GROUP}
        allowlist.remove(GROUP)


@pytest.mark.parametrize("event", [LATER, ADDED, replace(LATER, origin=Origin.OWN_DEVICE)])
async def test_what_is_changed_in_a_group_we_were_in_is_no_act(
    judged: Make, allowlist: RuntimeAllowlist, store: Store, event: Inbound
) -> None:
    """Neither in this run nor, as the group is known then, in a later one."""
    invitations = await judged(Daemon(group()))
    assert await invitations.consider(LATER, LISTED) is Outcome.APPROVED
    allowlist.remove(GROUP)
    await invitations.sync_groups()
    assert await invitations.consider(event, LISTED) is Outcome.ALREADY_IN
    assert await (await judged(Daemon(group()))).consider(LATER, LISTED) is None
    assert not allowlist.approved
    await store.flush()
    again = RuntimeAllowlist(store, "signal", lambda: 2000.0)
    await again.load()
    assert again.knows(GROUP)


async def test_a_group_whose_state_was_not_known_at_connect_is_opened_by_nobody(
    judged: Make, allowlist: RuntimeAllowlist
) -> None:
    invitations = await judged(Daemon(UNFETCHED, group()))
    await invitations.sync_groups()
    assert await invitations.consider(LATER, LISTED) is Outcome.ALREADY_IN


@pytest.mark.parametrize(
    ("there", "taken"), [(group(), True), (PENDING, True), (UNFETCHED, False), (REMOVED, False), ([], False)]
)
async def test_what_nobodys_act_explains_is_noted_after_every_connect(
    judged: Make, allowlist: RuntimeAllowlist, there: Any, taken: bool
) -> None:
    allowlist.mark_preexisting([])
    invitations = await judged(Daemon(there))
    await invitations.sync_groups()
    await invitations.mark_preexisting()
    assert allowlist.knows(GROUP) is taken
    assert not allowlist.approved


async def test_a_group_that_came_during_the_grace_is_not_taken_from_its_invitation(
    judged: Make, allowlist: RuntimeAllowlist
) -> None:
    invitations = await judged(Daemon([], group()))
    await invitations.sync_groups()
    await invitations.mark_preexisting()
    assert await invitations.consider(replace(ADDED, received_at=NOW - 1000), LISTED) is Outcome.APPROVED


async def test_we_were_removed_and_are_added_again(judged: Make, allowlist: RuntimeAllowlist) -> None:
    invitations = await judged(Daemon(REMOVED, group()))
    await invitations.sync_groups()
    assert await invitations.consider(LATER, LISTED) is Outcome.APPROVED


async def test_without_the_groups_there_were_at_connect_nothing_is_opened(
    allowlist: RuntimeAllowlist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes_hardened_adapters.adapters.signal.invitations._LISTING_SECONDS", 0.01)
    invitations = Invitations(Daemon(group()), allowlist, "approved-only", lambda: ME, server_now=lambda: NOW)
    assert await invitations.consider(LATER, LISTED) is Outcome.UNCONFIRMED
    assert not allowlist.knows(GROUP)


async def test_what_the_settings_list_is_never_left(judged: Make) -> None:
    for listed in (False, True):
        daemon = Daemon(group())
        invitations = await judged(daemon, quit_unapproved=True, is_listed=lambda _, listed=listed: listed)
        await invitations.consider(replace(LATER, chat=Chat(f"{listed}")), UNLISTED)
        assert daemon.did("quitGroup") == (not listed)


async def test_names_of_groups_are_bounded(judged: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes_hardened_adapters.adapters.signal.invitations.KEEP_NAMES", 2)
    invitations = await judged(Daemon([]))
    for number in (1, 2, 1, 3):
        await invitations.consider(replace(TALK, chat=Chat(f"g{number}", f"Group {number}")), UNLISTED)
    assert invitations.names == {"g1": "Group 1", "g3": "Group 3"}


async def test_at_connect_groups_we_were_removed_from_are_forgotten(judged: Make, allowlist: RuntimeAllowlist) -> None:
    allowlist.approve(GROUP, by=ALICE_ACI)
    await (await judged(Daemon(UNFETCHED))).sync_groups()
    assert allowlist.approved == {GROUP}
    await (await judged(Daemon(REMOVED))).sync_groups()
    assert not allowlist.approved


@pytest.mark.parametrize("result", [None, "x", [1, None, {}, {"id": 5}], {"id": "x"}])
def test_rows_that_make_no_sense(result: object) -> None:
    assert list(read_groups(result, ME)) == []


def test_half_a_row() -> None:
    (only,) = read_groups([{"id": GROUP, "members": [None, {"uuid": "?"}], "pendingMembers": "x"}], ME)
    assert (only.membership, only.people) == (Membership.UNKNOWN, ())
