"""Invitations into groups: the bot joins and serves a group if an authorized person added or invited it.

Only such an act opens a group, never the mere presence of an authorized person. signal-cli names no inviter, so the
sender of the first event without text about an unknown group counts as the actor, and `listGroups` must confirm that
they belong to it. Changes that members make in a group that the bot was already in do not open it.
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
from .people.members import is_among
from .wire import GroupRow, Person, read_rows

logger = logging.getLogger(__name__)

_STATE_RETRIES = (0.5, 2.0, 8.0)
"""Pauses, in seconds, before further look-ups of a group whose state the daemon could not fetch."""
_LISTING_SECONDS = 30.0
"""Maximum wait of an event for the first listing of the groups."""
LOOK_UP_AGAIN_SECONDS = 10.0
"""Minimum time between two look-ups of groups that are not approved."""
_BACKLOG_MILLISECONDS = 60_000
"""Maximum time from the delivery of a queued event to the daemon until a listing that already shows its effect."""
KEEP_NAMES = 5_000


class Membership(StrEnum):
    """The account's own membership of a group."""

    MEMBER = "member"
    PENDING = "pending"
    OUT = "out"
    UNKNOWN = "unknown"
    """The daemon could not fetch the group and reports neither name nor members. This does not mean a removal."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row of `listGroups`."""

    id: str
    name: str | None
    membership: Membership
    people: tuple[Address, ...]

    def includes(self, person: Address) -> bool:
        """Return True if the person is a member."""
        return is_among(self.people, person)


def read_groups(result: object, me: Me) -> Iterator[Group]:
    """Yield the groups of a `listGroups` result. Invalid rows are skipped."""
    for row in read_rows(GroupRow, result):
        members, pending = _addresses(row.members), _addresses(row.pending_members)
        if row.is_member:
            membership = Membership.MEMBER
        elif any(me.recognises(person) for person in pending):
            membership = Membership.PENDING
        # `isMember` is false here as well, but only because a fetch failed: see `Membership.UNKNOWN`.
        elif not members and not row.name:
            membership = Membership.UNKNOWN
        else:
            membership = Membership.OUT
        yield Group(row.id, row.name, membership, members)


async def live_groups(client: SignalClient, me: Me) -> list[LiveChat]:
    """Fetch the account's groups from the daemon; raises HardenedError."""
    groups = read_groups(await client.rpc("listGroups"), me)
    return [LiveChat(group.id, group.name or "", group.membership) for group in groups]


def _addresses(people: tuple[Person, ...] | None) -> tuple[Address, ...]:
    return tuple(person.address for person in people or () if person.address)


class Invitations:
    """Decides by `policy` which group events are approved invitations, and updates the runtime allowlist.

    `me` returns our current identity, `server_now` Signal's time in milliseconds. Groups listed in the settings
    (`is_listed`) are never left. `clock` is monotonic seconds.
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
        """The memberships in the last listing, by group id."""
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
        """At connect: read the groups and their names, and forget groups that the account was removed from.

        Approved groups in which the account is only invited are joined.
        """
        # Without ids, the daemon answers from its local store; with ids, it asks Signal's servers for each group.
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
        """Record groups that were present at connect and that no invitation has explained since.

        Later events in them do not count as invitations. Raises HardenedError when the groups cannot be listed.
        """
        here = {Membership.MEMBER, Membership.PENDING}
        self._allowlist.mark_preexisting(
            [group_id for group_id, membership in self._present.items() if membership in here]
        )
        await self.sync_groups()

    async def consider(self, event: Inbound, actor: Authorization) -> Outcome | None:
        """Handle a group event as a possible invitation and return the outcome; None if it cannot be one."""
        group_id = event.chat.id
        self._name(group_id, event.chat.name)
        if not event.opens_group:
            # Ordinary talk before any act: the bot is in the group already, so no later event brought it in.
            if not event.contentless:
                self._allowlist.mark_known(group_id)
            return None
        if self._allowlist.knows(group_id):
            return await self._check_membership(group_id)
        outcome = await self._decide(event, actor)
        # An unconfirmed group stays unknown, so that its next event is examined again.
        if outcome is not Outcome.UNCONFIRMED:
            self._allowlist.mark_known(group_id)
        group, who = self._allowlist.pseudonym(group_id), self._allowlist.pseudonym(actor.user_id)
        logger.info("invitation into group %s by %s: %s", group, who, outcome)
        return outcome

    async def accept(self, group_id: str) -> None:
        """Join a group that the operator approved, if the account is only invited."""
        group = await self._look_up(group_id)
        if group is not None and group.membership is Membership.PENDING:
            # Any update by an invited account accepts the invitation first. `joinGroup` takes invite links only.
            await self._try("updateGroup", group_id)

    async def _check_membership(self, group_id: str) -> Outcome | None:
        """Look up a known group after an event: the account may have been removed from it, or invited again."""
        is_approved = group_id in self._allowlist.approved
        if not is_approved and not self._may_look_up():
            return None
        # Without retries, because the group's messages wait for this look-up and its failure changes nothing.
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
        """Limit look-ups of groups that are not approved: anybody can cause them by sending events."""
        now = self._clock()
        if self._looked_up_at is not None and now - self._looked_up_at < LOOK_UP_AGAIN_SECONDS:
            return False
        self._looked_up_at = now
        return True

    async def _decide(self, event: Inbound, actor: Authorization) -> Outcome:
        """Return APPROVED, or the reason why not. Only an actor confirmed by the list of members opens a group."""
        group_id = event.chat.id
        is_owner = event.origin is Origin.OWN_DEVICE
        if self._policy == "ignore":
            return Outcome.IGNORED
        # Old and new groups can be distinguished only by the first listing, and events can arrive before it.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listed.wait(), _LISTING_SECONDS)
        if not self._listed.is_set():
            return Outcome.UNCONFIRMED
        if not self._may_explain_membership(event):
            return Outcome.ALREADY_IN
        if self._policy == "approved-only" and not (is_owner or actor.rights.invites):
            if self._quit_unapproved and not self._is_listed(group_id):
                await self._try("quitGroup", group_id)
            return Outcome.NOT_APPROVED
        # If signal-cli cannot fetch a group's members, it passes on the group's first message whoever sent it. So the
        # list of members decides here.
        group = await self._look_up(group_id)
        if group is None or group.membership is Membership.UNKNOWN:
            return Outcome.UNCONFIRMED
        if not is_owner and not group.includes(event.sender):
            return Outcome.ACTOR_NOT_IN_GROUP
        if group.membership is Membership.PENDING:
            await self._try("updateGroup", group_id)
            # Versions before 0.14 cannot accept an invitation by phone number, so success is not taken for granted.
            group = await self._look_up(group_id)
            if group is None or group.membership is not Membership.MEMBER:
                return Outcome.UNCONFIRMED
        if group.membership is not Membership.MEMBER:
            return Outcome.NOT_INVITED
        self._allowlist.approve(group_id, by=actor.aci or actor.user_id)
        return Outcome.APPROVED

    def _may_explain_membership(self, event: Inbound) -> bool:
        """Return True if the event may have brought the account into the group, False if it was in it before."""
        if self._present.get(event.chat.id) not in {Membership.MEMBER, Membership.UNKNOWN}:
            return True
        if event.received_at is None:
            return False
        # Addition and listing may overlap at connect: while the daemon delivers events that it had queued, it already
        # lists the group. So the act must be older than the listing, but delivered to the daemon shortly before it or
        # later.
        now, listed = self._server_now(), (self._clock() - self._listed_at) * 1000
        delivered_at = now if event.delivered_at is None else event.delivered_at
        return now - event.received_at > listed and now - delivered_at <= listed + _BACKLOG_MILLISECONDS

    def _name(self, group_id: str, name: str | None) -> None:
        if name:
            self.names.put(group_id, name)

    async def _look_up(self, group_id: str, retries: Sequence[float] = _STATE_RETRIES) -> Group | None:
        """Fetch a group from Signal's servers; None if that fails. `retries` are pauses in seconds before retrying."""
        for delay in (*retries, None):
            try:
                # With an id, the daemon fetches the group again instead of answering from its store.
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
                remedy = ": the account has no profile; set a name with `signal-cli updateProfile --given-name NAME`"
            logger.warning("%s of group %s failed: %s%s", method, self._allowlist.pseudonym(group_id), exc, remedy)
        except HardenedError as exc:
            logger.warning("%s of group %s failed: %s", method, self._allowlist.pseudonym(group_id), exc)
