"""The check of the people in the operator's lists against the server's users."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from ....common.core import flags
from ....common.doctor.findings import Result, advice, failed, ok
from ..settings import MattermostSettings, is_id
from .context import Context, Object


async def people(context: Context) -> AsyncIterator[Result]:
    """Check that somebody, but not everybody, may talk to the agent, and that the server knows the listed users."""
    users = await context.client.users_by_ids(sorted(named(context.settings)))
    for result in results(context.settings, context.environment, users):
        yield result


def named(settings: MattermostSettings) -> set[str]:
    """Return the user ids in the operator's lists. Other entries of GATEWAY_ALLOWED_USERS are other platforms' ids."""
    entries = {*settings.allowed_users, *settings.gateway_allowed_users, *_admins(settings)}
    return {entry for entry in entries if is_id(entry)}


def results(settings: MattermostSettings, environment: Mapping[str, str], users: Iterable[Object]) -> list[Result]:
    """Return the results for the lists. `users` are those of the `named` that the server knows."""
    listed = {*settings.allowed_users, *settings.gateway_allowed_users}
    allowed = {entry for entry in listed if is_id(entry)}
    everyone = "*" in listed or _says_yes(environment, "MATTERMOST_ALLOW_ALL_USERS")
    # The host reads this variable only if nobody is listed.
    everyone = everyone or (not listed and _says_yes(environment, "GATEWAY_ALLOW_ALL_USERS"))
    faults = [*_unknown(named(settings), users), *_two_lists(settings, environment)]
    if everyone:
        remedy = (
            "List user ids in MATTERMOST_ALLOWED_USERS instead: people who are not listed run no commands and approve "
            "nothing."
        )
        faults.append(advice("Everyone on the server may talk to the agent.", remedy))
    elif not allowed:
        remedy = "Set MATTERMOST_ALLOWED_USERS to the user ids of the people who may talk."
        faults.append(failed("Nobody may talk to the agent, except people paired in Hermes.", remedy))
    else:
        faults += _refused_admins(_admins(settings) - allowed)
    return faults or [ok(f"{len(allowed)} listed users may talk to the agent, and the server knows them all.")]


def _admins(settings: MattermostSettings) -> set[str]:
    return {*settings.allow_admin_from, *settings.group_allow_admin_from} - {"*"}


def _says_yes(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().lower() in flags.ALLOW_ALL


def _unknown(wanted: set[str], users: Iterable[Object]) -> Iterator[Result]:
    known = {str(user.get("id")): user for user in users}
    for user_id in sorted(wanted):
        if user_id not in known:
            what = f"The server has no user {user_id}."
        elif known[user_id].get("delete_at"):
            what = f"The user {user_id} is deactivated."
        else:
            continue
        yield advice(what, "Correct the id in the list of allowed people or admins, or remove it.")


def _two_lists(settings: MattermostSettings, environment: Mapping[str, str]) -> Iterator[Result]:
    """Report lists that differ: the host reads the environment variable, and config.yaml only if that is not set."""
    hosts = {entry.strip() for entry in environment.get("MATTERMOST_ALLOWED_USERS", "").split(",")} - {""}
    if hosts and hosts != set(settings.allowed_users):
        what = "config.yaml and MATTERMOST_ALLOWED_USERS list different people; Hermes uses the latter."
        yield advice(what, "Remove one of the two lists.")


def _refused_admins(admins: set[str]) -> Iterator[Result]:
    for admin in sorted(admins):
        what = f"{admin} is an admin but not allowed to talk to the agent."
        yield advice(what, "Add the id to MATTERMOST_ALLOWED_USERS as well.")
