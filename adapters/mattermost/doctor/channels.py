"""Checks of the channels: the bot is in those it should serve, and may post there.

Permissions are computed from the bot's roles in the channel, in its team and in the system, as the server does it
(SessionHasPermissionToChannel). A server plugin that rejects posts cannot be detected this way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from ....common.core.errors import StateError
from ....common.core.policy import Policy
from ....common.doctor.findings import Result, advice, failed, ok, skipped
from ..settings import is_id
from .context import Context, Object, Rooms, printable

_NEEDED = {"create_post": "post", "upload_file": "attach files"}
"""Maps a permission to its purpose."""
_SERVE = "Add the {} to MATTERMOST_ALLOWED_CHANNELS, or approve with `hermes adapters groups approve`"
_MANY = 10


async def channels(context: Context) -> AsyncIterator[Result]:
    """Check that the bot is in exactly the channels that it should serve."""
    try:
        await context.orders
    except (StateError, ValueError) as exc:
        what = f"Approvals given at run time cannot be read: {exc}."
        yield advice(what, "Start the gateway, which upgrades the file or moves an unusable one aside.")
    for result in channel_results(await context.policy, await context.rooms):
        yield result


async def permissions(context: Context) -> AsyncIterator[Result]:
    """Check that the bot may post and attach files in every channel that it serves."""
    teams: dict[str, Object] = {"": {}}
    roles_in = []
    for channel in served(await context.policy, await context.rooms):
        if (team := team_of(channel)) not in teams:
            teams[team] = await context.client.team_membership(team)
        member = await context.client.membership(str(channel["id"]))
        roles_in.append((channel, role_names(await context.me, teams[team], member)))
    names = sorted(set[str]().union(*(names for _, names in roles_in)))
    for result in permission_results(roles_in, await context.client.roles(names) if names else []):
        yield result


def served(policy: Policy, rooms: Rooms) -> list[Object]:
    """Return the channels that the bot is in and serves."""
    return [channel for channel_id, channel in rooms.items() if policy.serves(channel_id)]


def channel_results(policy: Policy, rooms: Rooms) -> list[Result]:
    """Return the results for the channels the bot is in (`rooms`) and those that the policy serves."""
    here = [_label(channel) for channel in served(policy, rooms)]
    faults = [*_absences(policy, rooms), *_free(policy, rooms), *_idle(policy, rooms)]
    if not here:
        remedy = "Add the bot to a team and to the channels it should serve, unless you need direct messages only."
        faults.append(advice("The bot serves no channel, only direct messages.", remedy))
    return faults or [ok(f"The bot serves {_listed(here)}.")]


def _absences(policy: Policy, rooms: Rooms) -> Iterator[Result]:
    for channel_id in sorted(policy.chats - policy.barred - rooms.keys()):
        what = f"The bot is not in the channel {channel_id}, which it should serve."
        remedy = (
            "Add the bot to it, or remove the id from MATTERMOST_ALLOWED_CHANNELS (or, if it was approved at run time, "
            "use `hermes adapters groups revoke`)."
        )
        yield advice(what, remedy)


def _free(policy: Policy, rooms: Rooms) -> Iterator[Result]:
    for channel_id in sorted(policy.free_chats):
        what = f"the free-response channel {channel_id}."
        if channel_id not in rooms:
            remedy = "Add the bot to it, or remove the id from MATTERMOST_FREE_RESPONSE_CHANNELS."
            yield advice(f"The bot is not in {what}", remedy)
        elif not policy.serves(channel_id):
            yield advice(f"The bot does not serve {what}", f"{_SERVE.format('id')}.")


def _idle(policy: Policy, rooms: Rooms) -> Iterator[Result]:
    if archived := [_label(channel) for channel in rooms.values() if channel.get("delete_at")]:
        yield advice(f"Archived: {_listed(archived)}.", "Unarchive the channel, or remove the bot from it.")
    if unserved := [_label(room) for channel_id, room in rooms.items() if not policy.serves(channel_id)]:
        what = f"The bot is in channels it does not serve: {_listed(unserved)}."
        yield advice(what, f"{_SERVE.format('ids')}, or remove the bot from them.")


def _label(channel: Object) -> str:
    """Return the channel's display name and id."""
    return f"{printable(channel.get('display_name') or channel.get('name'))} ({channel.get('id')})"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


def team_of(channel: Object) -> str:
    """Return the id of a channel's team; empty if it has none."""
    team = str(channel.get("team_id") or "")
    return team if is_id(team) else ""


def role_names(*owners: Object) -> set[str]:
    """Return the names of all roles of users and memberships."""
    return {name for owner in owners for name in str(owner.get("roles") or "").split()}


def permission_results(roles_in: Iterable[tuple[Object, set[str]]], roles: Iterable[Object]) -> list[Result]:
    """Return the results for missing permissions, from the bot's roles in each channel. Unknown roles grant nothing."""
    grants = {str(role.get("name")): _granted(role) for role in roles}
    roles_in, faults = list(roles_in), []
    for channel, names in roles_in:
        granted = set[str]().union(*(grants.get(name, ()) for name in names))
        if missing := [purpose for permission, purpose in _NEEDED.items() if permission not in granted]:
            remedy = "Grant it in the System Console under Permissions, or in the channel's moderation."
            faults.append(failed(f"The bot may not {' or '.join(missing)} in {_label(channel)}.", remedy))
    if not roles_in:
        return [skipped("The bot serves no channel.")]
    return faults or [ok("The bot may post and attach files in every channel it serves.")]


def _granted(role: Object) -> set[str]:
    listed = role.get("permissions")
    return set(map(str, listed)) if isinstance(listed, list) else set()
