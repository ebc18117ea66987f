"""The people of a group, as the daemon lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ....common.core.errors import HardenedError
from ....common.core.events import Address
from ..client import SignalClient
from ..wire import GroupRow, read_rows

logger = logging.getLogger(__name__)


def is_among(people: Iterable[Address], person: Address) -> bool:
    """Return True if the person is one of them. Equal numbers do not count if both ACIs are known and differ."""
    return any(
        (p.id and p.id == person.id) or (p.number and p.number == person.number and not (p.id and person.id))
        for p in people
    )


async def is_admin(client: SignalClient, group_id: str, person: Address) -> bool:
    """Return True if the person is an admin of a group, as far as the daemon knows without asking Signal's servers."""
    try:
        rows = read_rows(GroupRow, await client.rpc("listGroups"))
    except HardenedError as exc:
        logger.warning("the admins of a group cannot be listed: %s", exc)
        return False
    return any(row.id == group_id and is_among((a.address for a in row.admins or ()), person) for row in rows)
