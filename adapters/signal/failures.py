"""The meaning of signal-cli's refusals and aiohttp's exceptions, as errors that hold no number and nobody's words.

Their texts have the form "problem: remedy", which the doctor splits at the first colon and blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import aiohttp

from ...common.core.errors import ConnectionLost, Fatal, HardenedError, NotSent, RateLimited, Unanswered

_DEFAULT_WAIT = 5.0
_RETRY_AFTER = re.compile(r"Retry after (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_OFFLINE = re.compile(r"No connection|\(IOException\)|Unreachable|ConnectException", re.IGNORECASE)


class RpcCode(IntEnum):
    """signal-cli's JSON-RPC error codes that decide something here."""

    USER_ERROR = -1
    IO_ERROR = -3
    RATE_LIMITED = -5
    NOT_IMPLEMENTED = -32601
    BAD_PARAMETERS = -32602


class RpcError(HardenedError):
    """The daemon answered with a JSON-RPC error. `data` is its object or None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"signal-cli error {code}")
        self.code = code
        self.message = message
        self.data = data


class Refused(HardenedError):
    """signal-cli or Signal will not send a message, now or later."""


def http_failure(status: int, where: str) -> HardenedError:
    """Return the meaning of an HTTP status, to a call or a subscription, that is not the success expected there."""
    match status:
        case 400:
            # What signal-cli answers to a subscription for an account that it does not have.
            return Fatal(
                "signal_unknown_account",
                "signal-cli does not have this account: link or register it there, or correct SIGNAL_ACCOUNT",
            )
        case 401 | 403 | 407:
            return Fatal(
                "signal_unauthorized", f"{where} answers {status}: let this bot pass the proxy in front of signal-cli"
            )
        case 421:
            return Fatal(
                "signal_host_pinned",
                "the daemon refuses this host name: bind it to 0.0.0.0, or use the address and port it is bound to",
            )
        case 408 | 425 | 429:
            return ConnectionLost(f"{where} asks to be called less often or later (status {status})")
        case _ if status >= 500:
            return ConnectionLost(
                f"{where} answers {status}: look into the log of signal-cli or of the proxy before it"
            )
        case _ if 300 <= status < 400:
            return Fatal(
                "signal_redirected",
                f"{where} redirects elsewhere: set SIGNAL_HTTP_URL to the final address",
                heals=False,
            )
        case _ if status < 300 or status == 404:
            return Fatal(
                "signal_other_api",
                f"{where} answers {status} and not as signal-cli does; this looks like another API, e.g. bbernhard's "
                "signal-cli-rest-api: run `signal-cli daemon --http` and set SIGNAL_HTTP_URL to it",
                heals=False,
            )
    return Fatal("signal_refused", f"{where} refuses with status {status}: check SIGNAL_HTTP_URL")


def transport_failure(exc: aiohttp.ClientError, where: str) -> HardenedError:
    """Return the meaning of an exception of aiohttp."""
    if isinstance(exc, aiohttp.ClientConnectorError):
        return NotSent(unreachable(f"{where} cannot be reached ({type(exc).__name__})"))
    return Unanswered(f"the connection to {where} broke ({type(exc).__name__})")


def unreachable(what: str) -> str:
    """Return the text of an error for a daemon that no connection can be made to."""
    return f"{what}: start `signal-cli daemon --http` or correct SIGNAL_HTTP_URL"


def send_failure(error: RpcError) -> HardenedError:
    """Return the meaning of a JSON-RPC error of `send`. An error implies that nobody was reached."""
    data = error.data if isinstance(error.data, dict) else {}
    rows = list(result_rows(data.get("response")))
    kinds = {row.get("type") for row in rows}
    told = _RETRY_AFTER.search(error.message)
    if error.code == RpcCode.RATE_LIMITED or told or kinds == {"RATE_LIMIT_FAILURE"}:
        waits = [row["retryAfterSeconds"] for row in rows if isinstance(row.get("retryAfterSeconds"), int | float)]
        return RateLimited(max([*waits, float(told[1]) if told else 0.0]) or _DEFAULT_WAIT, "send")
    if kinds == {"NETWORK_FAILURE"} or _OFFLINE.search(error.message):
        return NotSent("signal-cli has no connection to Signal")
    return Refused(f"signal-cli refuses to send: error {error.code} {failure_kinds(rows)}".rstrip())


def result_rows(response: object) -> Iterator[dict[str, Any]]:
    """Yield the row of each recipient in the response of a `send`."""
    results = response.get("results") if isinstance(response, dict) else None
    yield from (row for row in (results if isinstance(results, list) else ()) if isinstance(row, dict))


def failure_kinds(rows: list[dict[str, Any]]) -> str:
    """Return the types of those rows, for a log."""
    return ", ".join(sorted({str(row.get("type")) for row in rows}))
