"""Signal's peek: it shows a text in a group as `decode` would, and leaves everything else to `decode`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.peek import group_of, peek

from tests.fakes.signal_daemon import ACCOUNT, ALICE, GROUP, OWN_ACI, recorded_event
from tests.signal_recorded import ME, survives, variant


@pytest.mark.parametrize("name", ["group_text", "group_text_uuid_only", "group_mention_bot"])
def test_a_text_in_a_group_is_seen_at_a_glimpse(name: str) -> None:
    data = json.dumps(recorded_event(name), separators=(",", ":")).encode()
    assert peek(data, ACCOUNT, ME) is not None
    assert group_of(data) == GROUP
    survives(data)


@pytest.mark.parametrize(
    "event",
    [
        *map(
            recorded_event,
            ("dm_text", "edit", "reaction", "remote_delete", "sync_group", "group_update_added", "expiration_update"),
        ),
        variant("group_text", message=" "),
        variant("group_text", reaction={}),
        recorded_event("group_text") | {"exception": {"type": "x"}},
        recorded_event("group_text") | {"account": ALICE},
        {"envelope": recorded_event("group_text")["envelope"] | {"sourceUuid": OWN_ACI, "sourceNumber": ACCOUNT}}
        | {"account": ACCOUNT},
    ],
)
def test_everything_else_has_to_be_read_whole(event: dict[str, Any]) -> None:
    assert peek(json.dumps(event).encode(), ACCOUNT, ME) is None
