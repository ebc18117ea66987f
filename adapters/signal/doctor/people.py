"""Checks of the people in the operator's lists: that somebody may talk, and that their messages are recognised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from ....common.core import flags
from ....common.core.errors import HardenedError, StateError
from ....common.core.people import as_aci, as_number
from ....common.doctor.findings import Result, advice, failed, masked, ok, skipped
from ....common.state.identities import Pair, pairs
from ..wire import UserStatus, read_rows
from .context import Context

_LISTS = ("allowed_users", "gateway_allowed_users", "allow_admin_from", "group_allow_admin_from")


def allowed(context: Context) -> Iterator[Result]:
    """Check that some people, but not everybody, may talk to the agent."""
    settings, label = context.settings, context.labels["allowed_users"]
    listed = (*settings.allowed_users, *settings.gateway_allowed_users)
    open_to_all = [
        name
        for name in ("SIGNAL_ALLOW_ALL_USERS", "GATEWAY_ALLOW_ALL_USERS")
        if context.environment.get(name, "").strip().lower() in flags.ALLOW_ALL
    ]
    if "*" in listed or open_to_all:
        what = f"Everybody on Signal may talk to the agent ({', '.join(open_to_all) or 'a `*` in the lists'})."
        yield advice(
            what, f"List people in {label} instead: people who are not listed run no commands and approve nothing."
        )
    elif listed:
        yield ok(f"{len(listed)} {'entry lists' if len(listed) == 1 else 'entries list'} the people who may talk.")
    elif paired := context.paired():
        what = f"Nobody is listed; only the {paired} people paired in Hermes may talk."
        yield advice(what, f"List people in {label}, so that they are known by number and ACI.")
    elif settings.group_members == "open" and settings.group_allowed:
        what = "Nobody is listed; only members of the served groups may talk, and only there."
        yield advice(what, f"List people in {label} to allow direct messages.")
    else:
        what = "Nobody may talk to the agent: all lists are empty."
        yield failed(what, f"Set {label} to the numbers or ACIs of the people who may talk.")


@dataclass(frozen=True, slots=True)
class Known:
    """The known pairs of number and ACI, and the answer of Signal's directory about the other numbers."""

    pairs: Mapping[str, str]
    moved: Mapping[str, str]
    """Maps a number to a new ACI that was seen with it."""
    acis: frozenset[str]
    """All ACIs in the contact store."""
    registered: Mapping[str, str | None] | None
    """Maps a number to its UUID (a PNI here), or to None if unregistered. None if the directory could not be asked."""


async def people(context: Context) -> AsyncIterator[Result]:
    """Check each person on any of the lists."""
    named = named_people(context)
    known = await _known(context, [entry for entry in named if as_number(entry)])
    listed = frozenset(as_aci(entry) or entry for entry in named)
    for entry, places in named.items():
        yield person_result(entry, " and ".join(places), known, listed)


def named_people(context: Context) -> dict[str, list[str]]:
    """Return each listed number and ACI with the places where it is listed.

    Skip other entries, because the gateway's own list also has ids of other platforms.
    """
    named: dict[str, list[str]] = {}
    for name in _LISTS:
        for position, entry in enumerate(getattr(context.settings, name), 1):
            if as_number(entry) or as_aci(entry):
                named.setdefault(entry, []).append(f"{context.labels[name]} entry {position}")
    return named


def person_result(entry: str, place: str, known: Known, listed: frozenset[str]) -> Result:
    """Return the result for one entry: are that person's messages recognised? `listed` are all entries."""
    who = f"{place} ({masked(entry)})"
    if aci := as_aci(entry):
        if aci in {uuid for uuid in (known.registered or {}).values() if uuid} - known.acis:
            what = f"{who} is a PNI, which identifies a phone number and never a sender."
            return failed(what, "List the person's ACI instead, which `signal-cli listContacts` shows.")
        return ok(f"{who} is an ACI" + (", and known." if aci in known.acis else "."))
    if (moved := known.moved.get(entry)) and moved not in listed:
        what = f"{who} was seen with a new ACI ({masked(moved)}) and is refused: it may be another person's number now."
        remedy = (
            "Ask the person: if the ACI is theirs, run `hermes adapters people confirm NUMBER ACI`; if not, remove the "
            "entry."
        )
        return failed(what, remedy)
    if entry in known.pairs:
        return ok(f"{who} is resolved to an ACI.")
    if known.registered is None:
        what = f"{who} has no known ACI, and Signal's directory could not be asked."
        return skipped(what, "Run this again later, or list the person's ACI.")
    if known.registered.get(entry):
        what = f"{who} is on Signal, but only the PNI is known: messages that hide the number are not recognised."
        return advice(what, "Ask the person to write to the bot first, or list the ACI instead.")
    what = f"{who} was not found on Signal: it is not registered, or hidden from the directory."
    return advice(what, "Check the number, or list the person's ACI instead.")


async def _known(context: Context, numbers: list[str]) -> Known:
    contacts, recorded = await context.contacts, _recorded(context)
    on_disk = {pair.number: pair.aci for pair in recorded}
    unresolved = [number for number in numbers if number not in contacts.pairs | on_disk]
    registered = await _directory(context, unresolved) if unresolved else {}
    if any((registered or {}).values()):
        # The query may have taught the daemon an ACI. Only its contact store distinguishes ACIs from PNIs.
        contacts = await context.fetch_contacts()
    return Known(
        pairs=contacts.pairs | on_disk,
        moved={pair.number: pair.moved_to for pair in recorded if pair.moved_to},
        acis=contacts.acis,
        registered=registered,
    )


def _recorded(context: Context) -> list[Pair]:
    """Return the pairs in the state file; none if it cannot be read, which another check reports."""
    try:
        return pairs(context.state)
    except StateError:
        return []


async def _directory(context: Context, numbers: list[str]) -> dict[str, str | None] | None:
    try:
        rows = read_rows(UserStatus, await context.client.rpc("getUserStatus", {"recipient": numbers}))
    except HardenedError:
        return None
    return {number: as_aci(row.uuid) for row in rows if (number := row.number or row.recipient)}
