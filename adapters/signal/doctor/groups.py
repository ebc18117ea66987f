"""The check of the groups: listed groups that are not joined, and other groups that the account is in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from ....common.core.chats import Entry, in_force
from ....common.core.errors import StateError
from ....common.doctor.findings import Result, advice, failed, masked, ok
from ....common.state.chats import entries
from ..invitations import Group, Membership, read_groups
from .context import Context

_SHOWN = 5


async def groups(context: Context) -> AsyncIterator[Result]:
    """Report each listed group that is not joined, and groups that are joined or invited to but not served."""
    there = {group.id: group for group in await _groups(context, [])}
    listed = [entry for entry in context.settings.group_allowed if entry != "*"]
    if unknown := [entry for entry in listed if _membership(there.get(entry)) is Membership.UNKNOWN]:
        # signal-cli fetches a group again if it is requested by id.
        there |= {group.id: group for group in await _groups(context, unknown)}
    joined = 0
    for position, entry in enumerate(context.settings.group_allowed, 1):
        if entry != "*":
            result = listed_group_fault(f"{context.labels['group_allowed']} entry {position}", entry, there.get(entry))
            joined += result is None
            if result is not None:
                yield result
    if joined:
        yield ok(f"{joined} listed group{'s are' if joined > 1 else ' is'} joined.")
    everything = "*" in context.settings.group_allowed
    if everything:
        what = "Every group that the account is in is served."
        yield advice(what, f"List groups in {context.labels['group_allowed']} instead of `*`.")
    policy = in_force(context.settings.policy(), _orders(context))
    served = policy.chats - policy.barred
    for result in _unserved(there.values(), served, everything):
        yield result
    if not (listed or everything or there):
        yield ok("The account is in no group, and none is listed.")


def listed_group_fault(place: str, group_id: str, group: Group | None) -> Result | None:
    """Return the result for a listed group that is not joined; None if it is joined."""
    which = f"{place} ({masked(group_id)})"
    match _membership(group):
        case Membership.MEMBER:
            return None
        case Membership.PENDING:
            what = f"{which} is a group to which the account is only invited."
            remedy = "Accept the invitation with `signal-cli updateGroup -g ID`, or remove the entry."
            return failed(what, remedy)
        case Membership.UNKNOWN:
            what = f"{which} is a group whose state signal-cli could not fetch; the account may still be a member."
            return advice(what, "Check signal-cli's connection to Signal, then run this again.")
        case Membership.OUT:
            what = f"{which} is a group the account is not in."
            remedy = "Ask a member to add the bot's account, or remove the entry."
            return failed(what, remedy)


def _unserved(there: Iterable[Group], served: frozenset[str], everything: bool) -> Iterable[Result]:
    others = [group for group in there if group.id not in served]
    approve = "`hermes adapters groups approve ID` (`hermes adapters groups list` shows the ids)"
    if not everything and (joined := [g.id for g in others if g.membership is Membership.MEMBER]):
        what = f"{len(joined)} group{'s' if len(joined) > 1 else ''} joined but not served: {_shown(joined)}."
        yield advice(what, f"Serve a group with {approve}, or leave it with `signal-cli quitGroup`.")
    if pending := [g.id for g in others if g.membership is Membership.PENDING]:
        what = f"{len(pending)} pending invitation{'s' if len(pending) > 1 else ''}: {_shown(pending)}."
        yield advice(what, f"Accept one with {approve}, or decline it with `signal-cli quitGroup`.")


def _shown(ids: list[str]) -> str:
    return ", ".join(map(masked, ids[:_SHOWN])) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")


def _membership(group: Group | None) -> Membership:
    return Membership.OUT if group is None else group.membership


def _orders(context: Context) -> dict[str, Entry]:
    """Return the groups' status in the state file; none if it cannot be read, which another check reports."""
    try:
        return entries(context.state, "signal")
    except StateError:
        return {}


async def _groups(context: Context, named: list[str]) -> list[Group]:
    result = await context.client.rpc("listGroups", {"groupId": named} if named else None, timeout=60)
    return list(read_groups(result, (await context.contacts).me(context.settings.account)))
