"""The people and channels of a set-up: those the operator named against those the server knows, as findings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ....common.core import flags
from ....common.core.policy import Policy
from ....common.doctor.findings import Finding
from ..settings import MattermostSettings, is_id
from .server import Object, advice, failed, ok, printable, skipped

Rooms = Mapping[str, Object]
"""The channels we are in, direct ones aside, by id."""

_NEEDED = {"create_post": "post", "upload_file": "attach files"}
"""Permissions, and what they are for."""
_SERVE = "add the {} to MATTERMOST_ALLOWED_CHANNELS, or approve with `hermes adapters groups approve`"
_MANY = 10


# -- people


def named(settings: MattermostSettings) -> set[str]:
    """The user ids among the people the operator named; GATEWAY_ALLOWED_USERS holds other platforms' people too."""
    entries = {*settings.allowed_users, *settings.gateway_allowed_users, *_admins(settings)}
    return {entry for entry in entries if is_id(entry)}


def people(settings: MattermostSettings, environment: Mapping[str, str], users: Iterable[Object]) -> list[Finding]:
    """Who may talk to the agent. `users` are those of the `named` that the server knows."""
    listed = {*settings.allowed_users, *settings.gateway_allowed_users}
    allowed = {entry for entry in listed if is_id(entry)}
    everyone = "*" in listed or _says_yes(environment, "MATTERMOST_ALLOW_ALL_USERS")
    # The host looks at this one only where nobody is listed.
    everyone = everyone or (not listed and _says_yes(environment, "GATEWAY_ALLOW_ALL_USERS"))
    faults = [*_unauthorized(named(settings), users), *_two_lists(settings, environment)]
    if everyone:
        remedy = (
            "list user ids in MATTERMOST_ALLOWED_USERS instead: who is not named runs no commands and approves nothing"
        )
        faults.append(advice("people", "everyone on the server may talk to the agent", remedy))
    elif not allowed:
        remedy = "set MATTERMOST_ALLOWED_USERS to the user ids of those who may"
        faults.append(failed("people", "nobody may talk to the agent, unless paired with it", remedy))
    else:
        faults += _refused_admins(_admins(settings) - allowed)
    return faults or [ok("people", f"{len(allowed)} may talk to the agent, and the server knows them all")]


def _admins(settings: MattermostSettings) -> set[str]:
    return {*settings.allow_admin_from, *settings.group_allow_admin_from} - {"*"}


def _says_yes(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().lower() in flags.ALLOW_ALL


def _unauthorized(wanted: set[str], users: Iterable[Object]) -> Iterator[Finding]:
    known = {str(user.get("id")): user for user in users}
    for user_id in sorted(wanted):
        if user_id not in known:
            what = f"the server knows no user {user_id}"
        elif known[user_id].get("delete_at"):
            what = f"the user {user_id} is deactivated"
        else:
            continue
        yield advice("people", what, "correct the id in the list of allowed people or admins, or take it out")


def _two_lists(settings: MattermostSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The host knows its list from the environment alone, and is shown that of config.yaml only where there is none."""
    hosts = {entry.strip() for entry in environment.get("MATTERMOST_ALLOWED_USERS", "").split(",")} - {""}
    if hosts and hosts != set(settings.allowed_users):
        what = "config.yaml and MATTERMOST_ALLOWED_USERS name different people, and Hermes goes by the latter"
        yield advice("people", what, "take one of the two lists out")


def _refused_admins(admins: set[str]) -> Iterator[Finding]:
    for admin in sorted(admins):
        what = f"{admin} is an admin but not allowed to talk to the agent"
        yield advice("people", what, "add the id to MATTERMOST_ALLOWED_USERS as well")


# -- channels


def rooms_of(joined: Iterable[Object]) -> Rooms:
    """Of the channels the server says we are in, those that are not direct."""
    rooms = {str(channel.get("id")): channel for channel in joined if channel.get("type") != "D"}
    return {channel_id: channel for channel_id, channel in rooms.items() if is_id(channel_id)}


def served(policy: Policy, rooms: Rooms) -> list[Object]:
    """The channels we are in and answer in."""
    return [channel for channel_id, channel in rooms.items() if policy.serves(channel_id)]


def channels(policy: Policy, rooms: Rooms) -> list[Finding]:
    """Whether the channels we are in and those we shall serve are the same."""
    here = [_label(channel) for channel in served(policy, rooms)]
    faults = [*_absences(policy, rooms), *_free(policy, rooms), *_idle(policy, rooms)]
    if not here:
        remedy = "add the bot to a team and to the channels it shall serve, unless direct messages are enough"
        faults.append(advice("channels", "the bot serves no channel, only direct messages", remedy))
    return faults or [ok("channels", f"the bot serves {_listed(here)}")]


def _absences(policy: Policy, rooms: Rooms) -> Iterator[Finding]:
    for channel_id in sorted(policy.chats - policy.barred - rooms.keys()):
        what = f"the bot is not in the channel {channel_id}, which it shall serve"
        remedy = "add the bot to it, or take the id out of MATTERMOST_ALLOWED_CHANNELS (`groups revoke` if approved)"
        yield advice("channels", what, remedy)


def _free(policy: Policy, rooms: Rooms) -> Iterator[Finding]:
    for channel_id in sorted(policy.free_chats):
        what = f"the free-response channel {channel_id}"
        if channel_id not in rooms:
            remedy = "add the bot to it, or take the id out of MATTERMOST_FREE_RESPONSE_CHANNELS"
            yield advice("channels", f"the bot is not in {what}", remedy)
        elif not policy.serves(channel_id):
            yield advice("channels", f"the bot does not serve {what}", _SERVE.format("id"))


def _idle(policy: Policy, rooms: Rooms) -> Iterator[Finding]:
    if archived := [_label(channel) for channel in rooms.values() if channel.get("delete_at")]:
        yield advice("channels", f"archived: {_listed(archived)}", "unarchive the channel, or take the bot out of it")
    if unserved := [_label(room) for channel_id, room in rooms.items() if not policy.serves(channel_id)]:
        what = f"the bot is in channels it does not serve: {_listed(unserved)}"
        yield advice("channels", what, f"{_SERVE.format('ids')}, or take the bot out of them")


def _label(channel: Object) -> str:
    """The name as the channel's members see it, and the id."""
    return f"{printable(channel.get('display_name') or channel.get('name'))} ({channel.get('id')})"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


# -- permissions


def team_of(channel: Object) -> str:
    """The id of a channel's team; empty where it has none."""
    team = str(channel.get("team_id") or "")
    return team if is_id(team) else ""


def role_names(*owners: Object) -> set[str]:
    """The roles of a user, or of memberships."""
    return {name for owner in owners for name in str(owner.get("roles") or "").split()}


def permissions(rooms: Iterable[tuple[Object, set[str]]], roles: Iterable[Object]) -> list[Finding]:
    """What we may do in each channel, by the names of our roles there. A role that does not exist grants nothing."""
    grants = {str(role.get("name")): _granted(role) for role in roles}
    rooms, faults = list(rooms), []
    for channel, names in rooms:
        granted = set[str]().union(*(grants.get(name, ()) for name in names))
        if missing := [what for permission, what in _NEEDED.items() if permission not in granted]:
            remedy = "grant it in the System Console under Permissions, or in the channel's moderation"
            faults.append(failed("permissions", f"the bot may not {' or '.join(missing)} in {_label(channel)}", remedy))
    if not rooms:
        return [skipped("permissions", "the bot serves no channel")]
    return faults or [ok("permissions", "the bot may post and attach files in every channel it serves")]


def _granted(role: Object) -> set[str]:
    listed = role.get("permissions")
    return set(map(str, listed)) if isinstance(listed, list) else set()
