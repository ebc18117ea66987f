"""Checks of the people the operator named: is each one somebody whose messages can be recognised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from ....common.core.errors import HardenedError
from ....common.core.people import as_aci, as_number
from ....common.doctor.checks import masked
from ....common.doctor.findings import Finding, Status
from .case import Case

_CHECK = "signal.people"
_LISTS = ("allowed_users", "gateway_allowed_users", "allow_admin_from", "group_allow_admin_from")


def admission(case: Case, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether anybody is let in, and whether everybody is."""
    check, label = "signal.allowed", case.labels["allowed_users"]
    allowed = (*case.settings.allowed_users, *case.settings.gateway_allowed_users)
    open_to_all = [
        name
        for name in ("SIGNAL_ALLOW_ALL_USERS", "GATEWAY_ALLOW_ALL_USERS")
        if environment.get(name, "").strip().lower() in {"true", "1", "yes"}
    ]
    if "*" in allowed or open_to_all:
        what = f"Everybody on Signal may talk to the agent ({', '.join(open_to_all) or 'a `*` in the lists'})."
        remedy = f"List people in {label} instead: who is named nowhere runs no commands and approves nothing."
        yield Finding(check, Status.ADVICE, what, remedy)
    elif allowed:
        yield Finding(
            check, Status.OK, f"{len(allowed)} {'entry names' if len(allowed) == 1 else 'entries name'} who may talk."
        )
    elif paired := case.around.paired():
        what = f"Nobody is listed; only {paired} paired in Hermes may talk."
        yield Finding(check, Status.ADVICE, what, f"List people in {label}, so that they are known by number and ACI.")
    elif case.settings.group_members == "open" and case.settings.group_allowed:
        what = "Nobody is listed; only members of the served groups may talk, and only there."
        yield Finding(check, Status.ADVICE, what, f"List people in {label} if direct messages are wanted.")
    else:
        what = "Nobody may talk to the agent: no list names anybody."
        yield Finding(check, Status.FAILED, what, f"Set {label} to the numbers or ACIs of those who may.")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about people: pairs of number and ACI, and what Signal's directory said of the other numbers."""

    pairs: Mapping[str, str]
    moved: Mapping[str, str]
    """The ACI that showed up with a number later than the known one."""
    acis: frozenset[str]
    """Everybody in the contact store."""
    registered: Mapping[str, str | None] | None
    """Number to UUID, which is a PNI here, or None when it is not registered; None over all: could not be asked."""


async def people(case: Case) -> AsyncIterator[Finding]:
    """One finding for each person on any of the lists."""
    named = named_people(case)
    known = await _known(case, [entry for entry in named if as_number(entry)])
    for entry, places in named.items():
        yield judge(entry, " and ".join(places), known, frozenset(map(_canonical, named)))


def named_people(case: Case) -> dict[str, list[str]]:
    """Each number and ACI on the lists, with where it stands. The gateway's own list has other platforms' ids, too."""
    named: dict[str, list[str]] = {}
    for name in _LISTS:
        for position, entry in enumerate(getattr(case.settings, name), 1):
            if as_number(entry) or as_aci(entry):
                named.setdefault(entry, []).append(f"{case.labels[name]} entry {position}")
    return named


def judge(entry: str, place: str, known: Known, listed: frozenset[str]) -> Finding:
    """What becomes of messages from the person an entry names. `listed` are all entries."""
    who = f"{place} ({masked(entry)})"
    if aci := as_aci(entry):
        if aci in {uuid for uuid in (known.registered or {}).values() if uuid} - known.acis:
            what = f"{who} is a PNI, which stands for a phone number and never for a sender."
            return Finding(
                _CHECK, Status.FAILED, what, "List the person's ACI instead, which `signal-cli listContacts` shows."
            )
        return Finding(_CHECK, Status.OK, f"{who} is an ACI" + (", and known." if aci in known.acis else "."))
    if (moved := known.moved.get(entry)) and moved not in listed:
        what = f"{who} turned up with another ACI ({masked(moved)}) and is refused: the number may be a stranger's now."
        remedy = "Ask the person: if it is the same one, `hermes adapters people confirm NUMBER ACI`, else remove it."
        return Finding(_CHECK, Status.FAILED, what, remedy)
    if entry in known.pairs:
        return Finding(_CHECK, Status.OK, f"{who} is resolved to an ACI.")
    if known.registered is None:
        what = f"{who} has no known ACI, and Signal's directory could not be asked."
        return Finding(_CHECK, Status.SKIPPED, what, "Run this again later, or list the person's ACI.")
    if known.registered.get(entry):
        what = f"{who} is on Signal, but only the PNI is known: messages that hide the number are not recognised."
        return Finding(_CHECK, Status.ADVICE, what, "Have the person write to the bot first, or list the ACI instead.")
    what = f"{who} is not found on Signal: not registered, or hidden from the directory."
    return Finding(_CHECK, Status.ADVICE, what, "Check the number, or list the person's ACI instead.")


async def _known(case: Case, numbers: list[str]) -> Known:
    learnt = case.learnt()
    kept = {pair.number: pair.aci for pair in learnt}
    unresolved = [number for number in numbers if number not in case.pairs() | kept]
    registered = await _directory(case, unresolved) if unresolved else {}
    if any((registered or {}).values()):
        # The question may have taught the daemon; only its contact store tells ACIs from PNIs.
        case.take_contacts(await case.client.rpc("listContacts", {"allRecipients": True}, timeout=60))
    return Known(
        pairs=case.pairs() | kept,
        moved={pair.number: pair.moved_to for pair in learnt if pair.moved_to},
        acis=frozenset(aci for _, aci in case.contacts if aci),
        registered=registered,
    )


async def _directory(case: Case, numbers: list[str]) -> dict[str, str | None] | None:
    try:
        rows = await case.client.rpc("getUserStatus", {"recipient": numbers})
    except HardenedError:
        return None
    found: dict[str, str | None] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (number := as_number(row.get("number")) or as_number(row.get("recipient"))):
            found[number] = as_aci(row.get("uuid"))
    return found


def _canonical(entry: str) -> str:
    return as_aci(entry) or entry
