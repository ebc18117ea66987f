"""Groups: the runtime allowlist, and whose invitation puts a group on it.

The act is trusted, never presence: signal-cli names no inviter, so the sender of the first event without text about a
group not yet known is the actor, and `listGroups` must confirm that they belong to it. An act is our own joining: a
group in which we were already is not opened by what its members change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from ...common.core.bounded import Bounded
from ...common.core.chats import LiveChat
from ...common.core.errors import HardenedError
from ...common.core.events import Address, Inbound, Me, Origin
from ...common.core.people import Authorization, as_aci, as_number
from ...common.state.allowlist import RuntimeAllowlist
from .failures import RpcError

logger = logging.getLogger(__name__)

_STATE_RETRIES = (0.5, 2.0, 8.0)
_LISTING_SECONDS = 30.0
"""How long an event waits for the groups there were at connect."""
LOOK_AGAIN_SECONDS = 10.0
"""How long after a look at a group that is not approved there is none at another."""
_HANDED_ON_MILLISECONDS = 60_000
"""How long before the listing an event may have come to the daemon that was waiting for us."""
KEEP_NAMES = 5_000


class Rpc(Protocol):
    """The call interface of `SignalClient`."""

    async def rpc(self, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any: ...


class Membership(StrEnum):
    MEMBER = "member"
    PENDING = "pending"
    OUT = "out"
    UNKNOWN = "unknown"
    """The daemon could not fetch the group's state: no name, no members, and that is no sign of a removal."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row of `listGroups`, as far as it is used."""

    id: str
    name: str | None
    membership: Membership
    people: tuple[Address, ...]

    def includes(self, person: Address) -> bool:
        return any(
            (p.id and p.id == person.id) or (p.number and p.number == person.number and not (p.id and person.id))
            for p in self.people
        )


def read_groups(result: object, me: Me) -> Iterator[Group]:
    """The groups of a `listGroups` result; rows that make no sense are passed over."""
    for row in result if isinstance(result, list) else ():
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            continue
        name = row.get("name") if isinstance(row.get("name"), str) else None
        members, pending = _people(row.get("members")), _people(row.get("pendingMembers"))
        if row.get("isMember") is True:
            membership = Membership.MEMBER
        elif any(me.recognises(person) for person in pending):
            membership = Membership.PENDING
        elif not members and not name:
            membership = Membership.UNKNOWN
        else:
            membership = Membership.OUT
        yield Group(row["id"], name, membership, members)


async def live_groups(client: Rpc, me: Me) -> list[LiveChat]:
    """The account's groups as the daemon has them; raises HardenedError."""
    groups = read_groups(await client.rpc("listGroups"), me)
    return [LiveChat(group.id, group.name or "", group.membership) for group in groups]


def _people(rows: object) -> tuple[Address, ...]:
    people = (
        Address(as_aci(row.get("uuid")), as_number(row.get("number")))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    )
    return tuple(person for person in people if person)


class Invitations:
    """Judges group events. `me` tells who we are at the time, `server_now` Signal's time in milliseconds.

    What the settings list (`is_listed`) is never left. `sleep` waits between looks at an unfetched group.
    """

    def __init__(
        self,
        client: Rpc,
        book: RuntimeAllowlist,
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
        self._book = book
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
        self._looked_at: float | None = None
        """At a group that is not approved."""
        self._listed = asyncio.Event()
        self.names: Bounded[str, str] = Bounded(KEEP_NAMES)

    @property
    def is_synced(self) -> bool:
        """Whether the groups there were at connect are known."""
        return self._listed.is_set()

    async def sync_groups(self) -> None:
        """At connect: which groups there are, their names, and what we were removed from meanwhile."""
        groups = list(read_groups(await self._client.rpc("listGroups"), self._me()))
        self._present = {group.id: group.membership for group in groups}
        self._listed_at = self._clock()
        self._listed.set()
        for group in groups:
            self._name(group.id, group.name)
            if group.membership is Membership.OUT and self._book.knows(group.id):
                self._book.remove(group.id)
            if group.membership is Membership.PENDING and group.id in self._book.approved:
                await self._try("updateGroup", group.id)

    async def mark_preexisting(self) -> None:
        """Some time after connect: what there was then and nobody's act explains by now is nobody's invitation."""
        here = {Membership.MEMBER, Membership.PENDING}
        self._book.mark_preexisting([group_id for group_id, membership in self._present.items() if membership in here])
        await self.sync_groups()

    async def consider(self, event: Inbound, actor: Authorization) -> str | None:
        """What became of a group event: a verdict to trace, or None when it was none of ours to judge."""
        group_id = event.chat.id
        self._name(group_id, event.chat.name)
        if not event.opens_group:
            if not event.contentless:
                self._book.mark_known(group_id)
            return None
        if self._book.knows(group_id):
            return await self._still_in(group_id)
        verdict = await self._judge(event, actor)
        if verdict != "unconfirmed":
            self._book.mark_known(group_id)
        group, who = self._book.pseudonym(group_id), self._book.pseudonym(actor.user_id)
        logger.info("invitation into group %s by %s: %s", group, who, verdict)
        return verdict

    async def accept(self, group_id: str) -> None:
        """The operator approved a group: join it where we are only invited."""
        group = await self._look(group_id)
        if group is not None and group.membership is Membership.PENDING:
            await self._try("updateGroup", group_id)

    async def _still_in(self, group_id: str) -> str | None:
        is_approved = group_id in self._book.approved
        if not is_approved and not self._may_look():
            return None
        # Once: what cannot be fetched is no sign of anything, and what is said in the group waits.
        group = await self._look(group_id, retries=())
        match group and group.membership:
            case Membership.PENDING if is_approved:
                await self._try("updateGroup", group_id)
                return "approved before"
            case Membership.OUT:
                self._book.remove(group_id)
                self._present.pop(group_id, None)
                return "removed"
        return None

    def _may_look(self) -> bool:
        """Whether it is time for a look at a group that is not approved: in those, strangers say how often."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = now
        return True

    async def _judge(self, event: Inbound, actor: Authorization) -> str:
        """`approved`, or why not. Only a confirmed actor opens a group."""
        group_id = event.chat.id
        is_owner = event.origin is Origin.OWN_DEVICE
        if self._policy == "ignore":
            return "ignored by policy"
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listed.wait(), _LISTING_SECONDS)
        if not self._listed.is_set():
            return "unconfirmed"
        if not self._may_join_us(event):
            return "no joining"
        if self._policy == "approved-only" and not (is_owner or actor.rights.invites):
            if self._quit_unapproved and not self._is_listed(group_id):
                await self._try("quitGroup", group_id)
            return "not approved"
        group = await self._look(group_id)
        if group is None or group.membership is Membership.UNKNOWN:
            return "unconfirmed"
        if not is_owner and not group.includes(event.sender):
            return "actor is no member"
        if group.membership is Membership.PENDING:
            await self._try("updateGroup", group_id)
            group = await self._look(group_id)
            if group is None or group.membership is not Membership.MEMBER:
                return "unconfirmed"
        if group.membership is not Membership.MEMBER:
            return "not invited"
        self._book.approve(group_id, by=actor.aci or actor.user_id)
        return "approved"

    def _may_join_us(self, event: Inbound) -> bool:
        """Whether we may have come into the group by that event: not if we were in it before."""
        if self._present.get(event.chat.id) not in {Membership.MEMBER, Membership.UNKNOWN}:
            return True
        if event.received_at is None:
            return False
        # The daemon may have put us in while it handed on what had waited for us, and had that only just then.
        now, listed = self._server_now(), (self._clock() - self._listed_at) * 1000
        handed_on = now if event.delivered_at is None else event.delivered_at
        return now - event.received_at > listed and now - handed_on <= listed + _HANDED_ON_MILLISECONDS

    def _name(self, group_id: str, name: str | None) -> None:
        if name:
            self.names.put(group_id, name)

    async def _look(self, group_id: str, retries: Sequence[float] = _STATE_RETRIES) -> Group | None:
        """The group as the server has it, looked at again after `retries` seconds as long as it cannot be fetched."""
        for delay in (*retries, None):
            try:
                # Naming the group makes the daemon fetch it anew.
                result = await self._client.rpc("listGroups", {"groupId": [group_id]})
            except HardenedError as exc:
                logger.warning("group %s cannot be looked at: %s", self._book.pseudonym(group_id), exc)
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
            logger.warning("%s of group %s failed: %s%s", method, self._book.pseudonym(group_id), exc, remedy)
        except HardenedError as exc:
            logger.warning("%s of group %s failed: %s", method, self._book.pseudonym(group_id), exc)
