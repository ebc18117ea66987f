"""Looks up people in a state file, for commands that run beside the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ....common.core.events import Me
from ....common.core.people import as_aci, as_number
from ....common.state.identities import pairs


def own_address(account: str, state: Path) -> Me:
    """Return the known number and ACI of the account. The state file need not exist."""
    if as_aci(account):
        return Me(account)
    acis = _acis_of(account, state) if state.exists() else []
    return Me(acis[0] if acis else None, as_number(account))


def aliases(state: Path, identity: str) -> Iterable[str]:
    """Return the ACIs of a number, or the id in the host's name of a group."""
    if as_number(identity):
        return _acis_of(identity, state)
    return (identity.removeprefix("group:"),)


def _acis_of(number: str, state: Path) -> list[str]:
    return [pair.aci for pair in pairs(state) if pair.number == number]
