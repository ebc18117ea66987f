"""Checks of the groups: are those to be served joined, and which others are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from ....common.core.chats import Entry, in_force
from ....common.core.errors import StateError
from ....common.doctor.checks import masked
from ....common.doctor.findings import Finding, Status
from ....common.state.chats import entries
from ..invitations import Group, Membership, read_groups
from .case import Case

_CHECK = "signal.groups"
_SHOWN = 5


async def groups(case: Case) -> AsyncIterator[Finding]:
    """A finding for each listed group that is not joined, and for what is joined or offered but not served."""
    there = {group.id: group for group in await _groups(case, [])}
    listed = [entry for entry in case.settings.group_allowed if entry != "*"]
    if unknown := [entry for entry in listed if _membership(there.get(entry)) is Membership.UNKNOWN]:
        # Named ones are fetched anew.
        there |= {group.id: group for group in await _groups(case, unknown)}
    joined = 0
    for position, entry in enumerate(case.settings.group_allowed, 1):
        if entry != "*":
            finding = judge(f"{case.labels['group_allowed']} entry {position}", entry, there.get(entry))
            joined += finding is None
            if finding is not None:
                yield finding
    if joined:
        yield Finding(_CHECK, Status.OK, f"{joined} listed group{'s are' if joined > 1 else ' is'} joined.")
    everything = "*" in case.settings.group_allowed
    if everything:
        what = "Every group that the account is in is served."
        yield Finding(_CHECK, Status.ADVICE, what, f"List groups in {case.labels['group_allowed']} instead of `*`.")
    policy = in_force(case.settings.policy(), _book(case))
    served = policy.chats - policy.barred
    for finding in _unserved(there.values(), served, everything):
        yield finding
    if not (listed or everything or there):
        yield Finding(_CHECK, Status.OK, "The account is in no group, and none is listed.")


def judge(place: str, group_id: str, group: Group | None) -> Finding | None:
    """What is wrong with a listed group; None when it is joined."""
    which = f"{place} ({masked(group_id)})"
    match _membership(group):
        case Membership.MEMBER:
            return None
        case Membership.PENDING:
            what = f"{which} is a group the account is only invited to."
            remedy = "Accept with `signal-cli updateGroup -g ID` for that id, or remove the entry."
            return Finding(_CHECK, Status.FAILED, what, remedy)
        case Membership.UNKNOWN:
            what = f"{which} is a group whose state signal-cli could not fetch, which says nothing about membership."
            return Finding(_CHECK, Status.ADVICE, what, "Let signal-cli reach Signal's servers, and run this again.")
        case Membership.OUT:
            what = f"{which} is a group the account is not in."
            remedy = "Have somebody in it add the bot's account, or remove the entry."
            return Finding(_CHECK, Status.FAILED, what, remedy)


def _unserved(there: Iterable[Group], served: frozenset[str], everything: bool) -> Iterable[Finding]:
    others = [group for group in there if group.id not in served]
    approve = "`hermes adapters groups approve ID` (`hermes adapters groups list` shows the ids)"
    if not everything and (joined := [g.id for g in others if g.membership is Membership.MEMBER]):
        what = f"{len(joined)} joined but not served: {_shown(joined)}."
        yield Finding(_CHECK, Status.ADVICE, what, f"Serve one with {approve}, or leave with `signal-cli quitGroup`.")
    if pending := [g.id for g in others if g.membership is Membership.PENDING]:
        what = f"{len(pending)} invitation{'s' if len(pending) > 1 else ''} waiting: {_shown(pending)}."
        yield Finding(_CHECK, Status.ADVICE, what, f"Accept with {approve}, or decline with `signal-cli quitGroup`.")


def _shown(ids: list[str]) -> str:
    return ", ".join(map(masked, ids[:_SHOWN])) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")


def _membership(group: Group | None) -> Membership:
    return Membership.OUT if group is None else group.membership


def _book(case: Case) -> dict[str, Entry]:
    """What the state file says; nothing where it cannot be read, which another check tells."""
    try:
        return entries(case.state, "signal")
    except StateError:
        return {}


async def _groups(case: Case, named: list[str]) -> list[Group]:
    result = await case.client.rpc("listGroups", {"groupId": named} if named else None, timeout=60)
    return list(read_groups(result, case.me))
