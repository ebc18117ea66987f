"""Translates signal-cli's refusals and aiohttp's exceptions into our errors.

The texts contain no phone numbers and no message text. They have the form "problem: remedy", which the doctor splits
at the first colon followed by a space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Any

import aiohttp

from ...common.core.errors import ConnectionLost, Fatal, HardenedError, NotSent, RateLimited, Unanswered
from .wire import SendError, SendRow

_DEFAULT_WAIT = 5.0
_RETRY_AFTER = re.compile(r"Retry after (\d+(?:\.\d+)?) ?s", re.IGNORECASE)
_OFFLINE = re.compile(r"No connection|\(IOException\)|Unreachable|ConnectException", re.IGNORECASE)


class ErrorCode(StrEnum):
    """The codes of errors that stop the Signal platform, as the host's status shows them."""

    HOST_PINNED = "signal_host_pinned"
    OTHER_API = "signal_other_api"
    REDIRECTED = "signal_redirected"
    REFUSED = "signal_refused"
    UNAUTHORIZED = "signal_unauthorized"
    UNKNOWN_ACCOUNT = "signal_unknown_account"


class RpcCode(IntEnum):
    """The JSON-RPC error codes of signal-cli that this package distinguishes."""

    USER_ERROR = -1
    IO_ERROR = -3
    RATE_LIMITED = -5
    NOT_IMPLEMENTED = -32601
    BAD_PARAMETERS = -32602


class RpcError(HardenedError):
    """The daemon answered with a JSON-RPC error. `data` is the error's object, or None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        # `message` may name recipients, so it stays out of the text that is logged.
        super().__init__(f"signal-cli error {code}")
        self.code = code
        self.message = message
        self.data = data


class Refused(HardenedError):
    """signal-cli or Signal refuses a message; sending it again would not help."""


def http_failure(status: int, where: str) -> HardenedError:
    """Return the error for an unexpected HTTP status of a call or a subscription."""
    match status:
        case 400:
            # signal-cli's answer to a subscription for an account that it does not have.
            return Fatal(
                ErrorCode.UNKNOWN_ACCOUNT,
                "signal-cli does not have this account: link or register it there, or correct SIGNAL_ACCOUNT",
            )
        case 401 | 403 | 407:
            return Fatal(
                ErrorCode.UNAUTHORIZED,
                f"{where} answers {status}: allow this bot through the proxy in front of signal-cli",
            )
        case 421:
            return Fatal(
                ErrorCode.HOST_PINNED,
                "the daemon refuses this host name: bind it to 0.0.0.0, or use the address and port it is bound to",
            )
        case 408 | 425 | 429:
            return ConnectionLost(f"{where} asks for fewer or later requests (status {status})")
        case _ if status >= 500:
            return ConnectionLost(
                f"{where} answers {status}: check the log of signal-cli or of the proxy in front of it"
            )
        case _ if 300 <= status < 400:
            return Fatal(
                ErrorCode.REDIRECTED,
                f"{where} redirects elsewhere: set SIGNAL_HTTP_URL to the final address",
                heals=False,
            )
        case _ if status < 300 or status == 404:
            return Fatal(
                ErrorCode.OTHER_API,
                f"{where} answers {status}, unlike signal-cli; this looks like another API, e.g. bbernhard's "
                "signal-cli-rest-api: run `signal-cli daemon --http` and set SIGNAL_HTTP_URL to its address",
                heals=False,
            )
    return Fatal(ErrorCode.REFUSED, f"{where} refuses with status {status}: check SIGNAL_HTTP_URL")


def transport_failure(exc: aiohttp.ClientError, where: str) -> HardenedError:
    """Return the error for an exception of aiohttp."""
    # Only a failure to connect proves that the daemon did not get the request.
    if isinstance(exc, aiohttp.ClientConnectorError):
        return NotSent(unreachable(f"{where} cannot be reached ({type(exc).__name__})"))
    return Unanswered(f"the connection to {where} broke ({type(exc).__name__})")


def unreachable(what: str) -> str:
    """Return the error text for a daemon that cannot be reached."""
    return f"{what}: start `signal-cli daemon --http` or correct SIGNAL_HTTP_URL"


def send_failure(error: RpcError) -> HardenedError:
    """Return the error for a JSON-RPC error of `send`, which signal-cli returns only if it reached nobody."""
    # A rate limit on an attachment has another code, and its wait appears only in the message. Most rate limits of
    # versions before 0.14.3 come without a wait.
    rows = SendError.read(error.data).rows
    announced = _RETRY_AFTER.search(error.message)
    if error.code == RpcCode.RATE_LIMITED or announced or (rows and all(row.is_rate_limited for row in rows)):
        waits = [row.retry_after_seconds or 0.0 for row in rows]
        return RateLimited(max([*waits, float(announced[1]) if announced else 0.0]) or _DEFAULT_WAIT, "send")
    # Being offline has no code of its own. Groups, files and long texts fail with -32603 and Java's exception.
    if {row.type for row in rows} == {"NETWORK_FAILURE"} or _OFFLINE.search(error.message):
        return NotSent("signal-cli has no connection to Signal")
    return Refused(f"signal-cli refuses to send: error {error.code} {failure_kinds(rows)}".rstrip())


def failure_kinds(rows: Iterable[SendRow]) -> str:
    """Return the types of the rows, for a log line."""
    return ", ".join(sorted({row.type or "unknown" for row in rows}))
