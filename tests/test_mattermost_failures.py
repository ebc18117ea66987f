"""The meaning of Mattermost's refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.mattermost.rest.failures import ApiError, refusal
from hermes_hardened_adapters.common.core.errors import Fatal, RateLimited

from tests.fakes.mattermost_rest import FIXTURES


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_refusal_is_known(path: Path) -> None:
    sample = json.loads(path.read_text())
    for answer in sample.get("sequence", [sample]):
        if answer["status"] < 400:
            continue
        body = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
        failure = refusal("GET /x", "here", answer["status"], answer["headers"], body.encode())
        match answer["status"]:
            case 401:
                assert isinstance(failure, Fatal)
            case 429:
                assert isinstance(failure, RateLimited)
                assert failure.retry_after == 1
            case _:
                assert isinstance(failure, ApiError)
                assert failure.error_id == answer["body"]["id"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Sun, 22 Nov 2026 06:33:22 GMT", "X-Ratelimit-Reset": "2, 2"}, 2),
        ({"X-Ratelimit-Reset": "3"}, 3),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "-5"}, 1),
        ({}, 1),
    ],
)
def test_how_long_a_rate_limit_lasts(headers: dict[str, str], seconds: float) -> None:
    failure = refusal("GET /x", "here", 429, headers, b"limit exceeded\n")
    assert isinstance(failure, RateLimited)
    assert failure.retry_after == seconds
