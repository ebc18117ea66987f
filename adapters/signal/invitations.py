"""Invitations into groups: the bot joins, and serves, a group that somebody who may invite brought it into.

The act is trusted, never presence. signal-cli names no inviter, so the sender of the first event without text about an
unknown group is the actor, and `listGroups` must confirm that they belong to it. Only the bot's own joining is an act:
nothing that members change in a group opens it when the bot was in there before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from ...common.core.bounded import Bounded
from ...common.core.chats import LiveChat, Outcome
from ...common.core.errors import HardenedError
from ...common.core.events import Address, Inbound, Me, Origin
from ...common.core.people import Authorization
from ...common.state.allowlist import RuntimeAllowlist
from .client import SignalClient
from .failures import RpcError
from .wire import GroupRow, Person, read_rows

logger = logging.getLogger(__name__)

_STATE_RETRIES = (0.5, 2.0, 8.0)
_LISTING_SECONDS = 30.0
"""The longest wait of an event for the first listing of the groups."""
LOOK_UP_AGAIN_SECONDS = 10.0
"""The shortest time between two look-ups of groups that are not approved."""
_HANDED_ON_MILLISECONDS = 60_000
"""The longest time between the daemon's receiving an event that waited for the account, and the listing."""
KEEP_NAMES = 5_000


class Membership(StrEnum):
    """The account's own place in a group."""

    MEMBER = "member"
    PENDING = "pending"
    OUT = "out"
    UNKNOWN = "unknown"
    """The daemon could not fetch the group: neither name nor members, which is no sign of a removal."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row of `listGroups`."""

    id: str
    name: str | None
    membership: Membership
    people: tuple[Address, ...]

    def includes(self, person: Address) -> bool:
        """Return True if the person is a member; a number alone does not outweigh another ACI."""
        return any(
            (p.id and p.id == person.id) or (p.number and p.number == person.number and not (p.id and person.id))
            for p in self.people
        )


def read_groups(result: object, me: Me) -> Iterator[Group]:
    """Yield the groups of a `listGroups` result; rows that make no sense are skipped."""
    for row in read_rows(GroupRow, result):
        members, pending = _addresses(row.members), _addresses(row.pending_members)
        if row.is_member:
            membership = Membership.MEMBER
        elif any(me.recognises(person) for person in pending):
            membership = Membership.PENDING
        elif not members and not row.name:
            membership = Membership.UNKNOWN
        else:
            membership = Membership.OUT
        yield Group(row.id, row.name, membership, members)


async def live_groups(client: SignalClient, me: Me) -> list[LiveChat]:
    """Return the account's groups as the daemon has them; raises HardenedError."""
    groups = read_groups(await client.rpc("listGroups"), me)
    return [LiveChat(group.id, group.name or "", group.membership) for group in groups]


def _addresses(people: tuple[Person, ...] | None) -> tuple[Address, ...]:
    return tuple(person.address for person in people or () if person.address)


class Invitations:
    """Judges group events by `policy`, and keeps the runtime allowlist.

    `me` returns our current identity, `server_now` Signal's time in milliseconds. Groups that the settings list
    (`is_listed`) are never left. `sleep` waits between look-ups of a group that could not be fetched.
    """

    def __init__(
        self,
        client: SignalClient,
        allowlist: RuntimeAllowlist,
        policy: str,
        me: Callable[[], Me],
        *,
        server_now: Callable[[], int],
        is_listed: Callable[[str], bool] = lambda _: False,
        quit_unapproved: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._allowlist = allowlist
        self._policy = policy
        self._me = me
        self._quit_unapproved = quit_unapproved
        self._server_now = server_now
        self._is_listed = is_listed
        self._clock = clock
        self._sleep = sleep
        self._present: dict[str, Membership] = {}
        """The groups of the last listing."""
        self._listed_at = 0.0
        self._looked_up_at: float | None = None
        """Time of the last look-up of a group that is not approved."""
        self._listed = asyncio.Event()
        self.names: Bounded[str, str] = Bounded(KEEP_NAMES)

    @property
    def is_synced(self) -> bool:
        """True once the groups present at connect are known."""
        return self._listed.is_set()

    async def sync_groups(self) -> None:
        """At connect: read the groups and their names, forget those the account was removed from meanwhile."""
        groups = list(read_groups(await self._client.rpc("listGroups"), self._me()))
        self._present = {group.id: group.membership for group in groups}
        self._listed_at = self._clock()
        self._listed.set()
        for group in groups:
            self._name(group.id, group.name)
            if group.membership is Membership.OUT and self._allowlist.knows(group.id):
                self._allowlist.remove(group.id)
            if group.membership is Membership.PENDING and group.id in self._allowlist.approved:
                await self._try("updateGroup", group.id)

    async def mark_preexisting(self) -> None:
        """Record the groups present at connect that no act has explained since, so that they count as no invitation."""
        here = {Membership.MEMBER, Membership.PENDING}
        self._allowlist.mark_preexisting(
            [group_id for group_id, membership in self._present.items() if membership in here]
        )
        await self.sync_groups()

    async def consider(self, event: Inbound, actor: Authorization) -> Outcome | None:
        """Judge a group event and act on it; None where it is no invitation to judge."""
        group_id = event.chat.id
        self._name(group_id, event.chat.name)
        if not event.opens_group:
            if not event.contentless:
                self._allowlist.mark_known(group_id)
            return None
        if self._allowlist.knows(group_id):
            return await self._still_in(group_id)
        outcome = await self._judge(event, actor)
        if outcome is not Outcome.UNCONFIRMED:
            self._allowlist.mark_known(group_id)
        group, who = self._allowlist.pseudonym(group_id), self._allowlist.pseudonym(actor.user_id)
        logger.info("invitation into group %s by %s: %s", group, who, outcome)
        return outcome

    async def accept(self, group_id: str) -> None:
        """Join a group that the operator approved, where the account is only invited."""
        group = await self._look_up(group_id)
        if group is not None and group.membership is Membership.PENDING:
            await self._try("updateGroup", group_id)

    async def _still_in(self, group_id: str) -> Outcome | None:
        """Look up a known group after an event in it: the account may have been removed, or invited again."""
        is_approved = group_id in self._allowlist.approved
        if not is_approved and not self._may_look_up():
            return None
        # Without retries: a failure means nothing, and the group's messages wait for this.
        group = await self._look_up(group_id, retries=())
        match group and group.membership:
            case Membership.PENDING if is_approved:
                await self._try("updateGroup", group_id)
                return Outcome.APPROVED_BEFORE
            case Membership.OUT:
                self._allowlist.remove(group_id)
                self._present.pop(group_id, None)
                return Outcome.REMOVED
        return None

    def _may_look_up(self) -> bool:
        """Limit look-ups of groups that are not approved: strangers decide how many events those have."""
        now = self._clock()
        if self._looked_up_at is not None and now - self._looked_up_at < LOOK_UP_AGAIN_SECONDS:
            return False
        self._looked_up_at = now
        return True

    async def _judge(self, event: Inbound, actor: Authorization) -> Outcome:
        """Return APPROVED, or why not. Only an actor whom the list of members confirms opens a group."""
        group_id = event.chat.id
        is_owner = event.origin is Origin.OWN_DEVICE
        if self._policy == "ignore":
            return Outcome.IGNORED
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listed.wait(), _LISTING_SECONDS)
        if not self._listed.is_set():
            return Outcome.UNCONFIRMED
        if not self._may_have_brought_us_in(event):
            return Outcome.ALREADY_IN
        if self._policy == "approved-only" and not (is_owner or actor.rights.invites):
            if self._quit_unapproved and not self._is_listed(group_id):
                await self._try("quitGroup", group_id)
            return Outcome.NOT_APPROVED
        group = await self._look_up(group_id)
        if group is None or group.membership is Membership.UNKNOWN:
            return Outcome.UNCONFIRMED
        if not is_owner and not group.includes(event.sender):
            return Outcome.ACTOR_NOT_IN_GROUP
        if group.membership is Membership.PENDING:
            await self._try("updateGroup", group_id)
            group = await self._look_up(group_id)
            if group is None or group.membership is not Membership.MEMBER:
                return Outcome.UNCONFIRMED
        if group.membership is not Membership.MEMBER:
            return Outcome.NOT_INVITED
        self._allowlist.approve(group_id, by=actor.aci or actor.user_id)
        return Outcome.APPROVED

    def _may_have_brought_us_in(self, event: Inbound) -> bool:
        """Return True if the event can be what brought the account into the group: not if it was in there before."""
        if self._present.get(event.chat.id) not in {Membership.MEMBER, Membership.UNKNOWN}:
            return True
        if event.received_at is None:
            return False
        # At connect, the daemon may join the group for us while it hands on the events that had waited for the account.
        now, listed = self._server_now(), (self._clock() - self._listed_at) * 1000
        handed_on = now if event.delivered_at is None else event.delivered_at
        return now - event.received_at > listed and now - handed_on <= listed + _HANDED_ON_MILLISECONDS

    def _name(self, group_id: str, name: str | None) -> None:
        if name:
            self.names.put(group_id, name)

    async def _look_up(self, group_id: str, retries: Sequence[float] = _STATE_RETRIES) -> Group | None:
        """Return the group as the server has it; None where it could not be fetched, `retries` (seconds) used up."""
        for delay in (*retries, None):
            try:
                # With an id, the daemon fetches the group anew.
                result = await self._client.rpc("listGroups", {"groupId": [group_id]})
            except HardenedError as exc:
                logger.warning("group %s cannot be looked up: %s", self._allowlist.pseudonym(group_id), exc)
                result = None
            group = next((g for g in read_groups(result, self._me()) if g.id == group_id), None)
            if group is not None and group.membership is not Membership.UNKNOWN:
                self._name(group_id, group.name)
                return group
            if delay is not None:
                await self._sleep(delay)
        return None

    async def _try(self, method: str, group_id: str) -> None:
        try:
            await self._client.rpc(method, {"groupId": group_id}, timeout=60)
        except RpcError as exc:
            remedy = ""
            if "profile" in exc.message:
                remedy = ": the account has no profile yet, give it a name with signal-cli updateProfile"
            logger.warning("%s of group %s failed: %s%s", method, self._allowlist.pseudonym(group_id), exc, remedy)
        except HardenedError as exc:
            logger.warning("%s of group %s failed: %s", method, self._allowlist.pseudonym(group_id), exc)
