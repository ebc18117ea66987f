"""The check of the groups: whether the account is in those it should serve, and which others it is in."""

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
    """Report each listed group that is not joined, and groups that are joined or offered but not served."""
    there = {group.id: group for group in await _groups(context, [])}
    listed = [entry for entry in context.settings.group_allowed if entry != "*"]
    if unknown := [entry for entry in listed if _membership(there.get(entry)) is Membership.UNKNOWN]:
        # signal-cli fetches a group again when it is asked for by id.
        there |= {group.id: group for group in await _groups(context, unknown)}
    joined = 0
    for position, entry in enumerate(context.settings.group_allowed, 1):
        if entry != "*":
            result = judge(f"{context.labels['group_allowed']} entry {position}", entry, there.get(entry))
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


def judge(place: str, group_id: str, group: Group | None) -> Result | None:
    """Return what is wrong with a listed group; None when it is joined."""
    which = f"{place} ({masked(group_id)})"
    match _membership(group):
        case Membership.MEMBER:
            return None
        case Membership.PENDING:
            what = f"{which} is a group the account is only invited to."
            remedy = "Accept with `signal-cli updateGroup -g ID` for that id, or remove the entry."
            return failed(what, remedy)
        case Membership.UNKNOWN:
            what = f"{which} is a group whose state signal-cli could not fetch, which says nothing about membership."
            return advice(what, "Let signal-cli reach Signal's servers, and run this again.")
        case Membership.OUT:
            what = f"{which} is a group the account is not in."
            remedy = "Have somebody in it add the bot's account, or remove the entry."
            return failed(what, remedy)


def _unserved(there: Iterable[Group], served: frozenset[str], everything: bool) -> Iterable[Result]:
    others = [group for group in there if group.id not in served]
    approve = "`hermes adapters groups approve ID` (`hermes adapters groups list` shows the ids)"
    if not everything and (joined := [g.id for g in others if g.membership is Membership.MEMBER]):
        what = f"{len(joined)} joined but not served: {_shown(joined)}."
        yield advice(what, f"Serve one with {approve}, or leave with `signal-cli quitGroup`.")
    if pending := [g.id for g in others if g.membership is Membership.PENDING]:
        what = f"{len(pending)} invitation{'s' if len(pending) > 1 else ''} waiting: {_shown(pending)}."
        yield advice(what, f"Accept with {approve}, or decline with `signal-cli quitGroup`.")


def _shown(ids: list[str]) -> str:
    return ", ".join(map(masked, ids[:_SHOWN])) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")


def _membership(group: Group | None) -> Membership:
    return Membership.OUT if group is None else group.membership


def _orders(context: Context) -> dict[str, Entry]:
    """Return the groups' status in the state file; none when it cannot be read, which the check of the file reports."""
    try:
        return entries(context.state, "signal")
    except StateError:
        return {}


async def _groups(context: Context, named: list[str]) -> list[Group]:
    result = await context.client.rpc("listGroups", {"groupId": named} if named else None, timeout=60)
    return list(read_groups(result, (await context.contacts).me(context.settings.account)))
