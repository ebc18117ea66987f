"""Translates Mattermost's refusals and aiohttp's exceptions into our errors.

The texts contain no token and no message text. Where possible they have the form "problem: remedy", as the doctor
expects it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum

import aiohttp

from ....common.core.errors import ConnectionLost, Fatal, HardenedError, NotSent, RateLimited, Unanswered


class ErrorCode(StrEnum):
    """The codes of errors that stop the Mattermost platform, as the host's status shows them."""

    BAD_TOKEN = "mattermost_bad_token"
    BOT_DISABLED = "mattermost_bot_disabled"
    NO_WEBSOCKET = "mattermost_no_websocket"
    OTHER_API = "mattermost_other_api"
    PROXY = "mattermost_proxy"
    REDIRECTED = "mattermost_redirected"
    REFUSED = "mattermost_refused"
    TLS = "mattermost_tls"


class ApiError(HardenedError):
    """The server refuses a call with a status 4xx and would refuse it again. `error_id` is the server's, or empty."""

    def __init__(self, status: int, error_id: str, call: str) -> None:
        super().__init__(f"Mattermost refuses {call}: {status} {error_id}".rstrip())
        self.status = status
        self.error_id = error_id
        self.call = call


class Redirected(aiohttp.ClientError):
    """Raised by our sessions instead of following a redirect with the token."""


def bad_token() -> Fatal:
    return Fatal(
        ErrorCode.BAD_TOKEN,
        "the server does not accept the token: it is mistyped or revoked, or the bot is disabled; enable the bot or "
        "set MATTERMOST_TOKEN to a new token",
    )


def bot_disabled() -> Fatal:
    return Fatal(ErrorCode.BOT_DISABLED, "the bot is disabled: enable it in Mattermost's System Console")


def other_api(where: str) -> Fatal:
    return Fatal(
        ErrorCode.OTHER_API,
        f"there is no Mattermost at {where}: check MATTERMOST_URL, including its path",
        heals=False,
    )


def redirected(where: str) -> Fatal:
    return Fatal(
        ErrorCode.REDIRECTED, f"{where} redirects elsewhere: set MATTERMOST_URL to the final address", heals=False
    )


def not_mattermost(where: str) -> ConnectionLost:
    return ConnectionLost(f"{where} does not answer as Mattermost does: check MATTERMOST_URL")


def transport_failure(exc: Exception, where: str) -> HardenedError:
    """Return the error for an exception of aiohttp. Raise it outside the handler: the exception may hold the token."""
    # The order matters: certificate and TLS errors are connector errors too, and a connection timeout a TimeoutError.
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return _bad_certificate(exc.certificate_error, where)
        case Redirected():
            return redirected(where)
        case aiohttp.ClientConnectorSSLError():
            return NotSent(f"no TLS connection to {where}: check the scheme and port in MATTERMOST_URL")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NotSent(f"{where} cannot be reached ({type(exc).__name__})")
        case TimeoutError():
            return Unanswered(f"{where} does not answer")
    return Unanswered(f"the connection to {where} broke ({type(exc).__name__})")


def _bad_certificate(exc: Exception, where: str) -> Fatal:
    """Return the error for a certificate, with a remedy chosen by OpenSSL's verification code (x509_vfy.h)."""
    match getattr(exc, "verify_code", None):
        case 62 | 64:
            remedy = "is for another host: correct the host name in MATTERMOST_URL"
        case 9 | 10:
            remedy = "is not valid today: renew it, or correct this machine's clock"
        case _:
            remedy = "cannot be verified: set MATTERMOST_CA_FILE to the CA that signed it"
    return Fatal(ErrorCode.TLS, f"the certificate of {where} {remedy}")


def refusal(call: str, where: str, status: int, headers: Mapping[str, str], body: bytes) -> HardenedError:
    """Return the error for an answer whose status is not 2xx."""
    error_id = _error_id(body)
    match status:
        # Mattermost's own 401 has an error id, a proxy's has not.
        case 401 if error_id:
            return bad_token()
        case 401 | 407:
            return Fatal(
                ErrorCode.PROXY, f"a proxy in front of {where} answers {status}: allow this bot through the proxy"
            )
        case 429:
            return RateLimited(_retry_after(headers), call)
        # The proxy gave up waiting; the server may still carry the call out.
        case 408 | 504:
            return Unanswered(f"{where} answers {call} with {status}")
        case _ if status >= 500:
            return ConnectionLost(f"{where} answers {call} with {status}: check the log of Mattermost or its proxy")
        case _ if status < 400:
            return redirected(where)
    return ApiError(status, error_id, call)


def _error_id(body: bytes) -> str:
    """Return the server's error id; empty for any other text, which may repeat a message and must not be logged."""
    try:
        error = json.loads(body)
    except ValueError:
        return ""
    error_id = error.get("id") if isinstance(error, dict) else None
    return error_id if isinstance(error_id, str) and re.fullmatch(r"[a-zA-Z0-9_.]{1,128}", error_id) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait. The server's headers may be doubled (`2, 2`), those of proxies may hold a date."""
    for name in ("Retry-After", "X-Ratelimit-Reset"):
        value = headers.get(name, "").partition(",")[0].strip()
        if re.fullmatch(r"[0-9]{1,6}", value):
            return max(float(value), 1.0)
    return 1.0


def upgrade_refused(status: int, where: str) -> HardenedError:
    """Return the error for an HTTP status other than 101 and 401 of a WebSocket upgrade. For 401, see `Doubtful`."""
    match status:
        case 404:
            return Fatal(
                ErrorCode.OTHER_API,
                f"there is no Mattermost WebSocket at {where}: check MATTERMOST_URL, including its path, and that the "
                "proxy passes /api/v4/websocket through",
            )
        case 403 | 407:
            return Fatal(
                ErrorCode.PROXY,
                f"a proxy or firewall in front of {where} answers {status} to the WebSocket: allow /api/v4/websocket",
            )
        case 408 | 425 | 429:
            return ConnectionLost(f"{where} asks for fewer or later requests (status {status})")
        case _ if status >= 500:
            return ConnectionLost(
                f"{where} answers {status}: check the log of Mattermost or of the proxy in front of it"
            )
        case _ if 300 <= status < 400:
            return redirected(where)
    return Fatal(
        ErrorCode.NO_WEBSOCKET,
        f"{where} answers {status} instead of opening a WebSocket: configure the proxy to pass on the Upgrade and "
        "Connection headers for /api/v4/websocket",
    )
