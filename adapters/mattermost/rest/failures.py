"""The meaning of Mattermost's refusals and aiohttp's exceptions, as errors that hold no token and nobody's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import aiohttp

from ....common.core.errors import ConnectionLost, Fatal, HardenedError, NotSent, RateLimited, Unanswered


class ApiError(HardenedError):
    """The server refuses a call (4xx) and would refuse it again. `error_id` is the server's, or empty."""

    def __init__(self, status: int, error_id: str, call: str) -> None:
        super().__init__(f"Mattermost refuses {call}: {status} {error_id}".rstrip())
        self.status = status
        self.error_id = error_id
        self.call = call


class Redirected(aiohttp.ClientError):
    """Raised by our sessions instead of carrying the token elsewhere."""


def bad_token() -> Fatal:
    return Fatal(
        "mattermost_bad_token",
        "the server does not accept the token: it is mistyped or revoked, or the bot is disabled; enable the bot or "
        "set MATTERMOST_TOKEN to a new token",
    )


def bot_disabled() -> Fatal:
    return Fatal("mattermost_bot_disabled", "the bot is disabled: enable it in Mattermost's System Console")


def other_api(where: str) -> Fatal:
    return Fatal(
        "mattermost_other_api",
        f"there is no Mattermost at {where}: check MATTERMOST_URL, its path too",
        heals=False,
    )


def redirected(where: str) -> Fatal:
    return Fatal(
        "mattermost_redirected", f"{where} redirects elsewhere: set MATTERMOST_URL to the final address", heals=False
    )


def not_mattermost(where: str) -> ConnectionLost:
    return ConnectionLost(f"{where} answers with something that is not Mattermost's: check MATTERMOST_URL")


def transport_failure(exc: Exception, where: str) -> HardenedError:
    """Return the meaning of an exception of aiohttp. Raise it outside the handler: the exception may hold the token."""
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return _bad_certificate(exc.certificate_error, where)
        case Redirected():
            return redirected(where)
        case aiohttp.ClientConnectorSSLError():
            return NotSent(f"no TLS connection to {where}: check scheme and port of MATTERMOST_URL")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NotSent(f"{where} cannot be reached ({type(exc).__name__})")
        case TimeoutError():
            return Unanswered(f"{where} does not answer")
    return Unanswered(f"the connection to {where} broke ({type(exc).__name__})")


def _bad_certificate(exc: Exception, where: str) -> Fatal:
    """Return the remedy by OpenSSL's verification code (x509_vfy.h)."""
    match getattr(exc, "verify_code", None):
        case 62 | 64:
            remedy = "is for another host: correct the host name in MATTERMOST_URL"
        case 9 | 10:
            remedy = "is not valid today: renew it, or correct this machine's clock"
        case _:
            remedy = "cannot be verified: set MATTERMOST_CA_FILE to the CA that signed it"
    return Fatal("mattermost_tls", f"the certificate of {where} {remedy}")


def refusal(call: str, where: str, status: int, headers: Mapping[str, str], body: bytes) -> HardenedError:
    """Return the meaning of an answer whose status is not 2xx."""
    error_id = _error_id(body)
    match status:
        case 401 if error_id:
            return bad_token()
        case 401 | 407:
            return Fatal("mattermost_proxy", f"a proxy before {where} answers {status}: let this bot pass it")
        case 429:
            return RateLimited(_retry_after(headers), call)
        case 408 | 504:
            return Unanswered(f"{where} answers {call} with {status}")
        case _ if status >= 500:
            return ConnectionLost(f"{where} answers {call} with {status}: look into the log of Mattermost or its proxy")
        case _ if status < 400:
            return redirected(where)
    return ApiError(status, error_id, call)


def _error_id(body: bytes) -> str:
    try:
        error = json.loads(body)
    except ValueError:
        return ""
    error_id = error.get("id") if isinstance(error, dict) else None
    return error_id if isinstance(error_id, str) and re.fullmatch(r"[a-zA-Z0-9_.]{1,128}", error_id) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return seconds. The rate limiter's headers may be doubled (`2, 2`), those of proxies may hold a date."""
    for name in ("Retry-After", "X-Ratelimit-Reset"):
        value = headers.get(name, "").partition(",")[0].strip()
        if re.fullmatch(r"[0-9]{1,6}", value):
            return max(float(value), 1.0)
    return 1.0


def upgrade_refused(status: int, where: str) -> HardenedError:
    """Return the meaning of an HTTP status other than 101 to a WebSocket upgrade, 401 aside: see `Doubtful`."""
    match status:
        case 404:
            return Fatal(
                "mattermost_other_api",
                f"there is no Mattermost WebSocket at {where}: check MATTERMOST_URL, its path too, and that the proxy "
                "passes /api/v4/websocket",
            )
        case 403 | 407:
            return Fatal(
                "mattermost_proxy",
                f"a proxy or firewall before {where} answers {status} to the WebSocket: allow /api/v4/websocket",
            )
        case 408 | 425 | 429:
            return ConnectionLost(f"{where} asks to be called less often or later (status {status})")
        case _ if status >= 500:
            return ConnectionLost(
                f"{where} answers {status}: look into the log of Mattermost or of the proxy before it"
            )
        case _ if 300 <= status < 400:
            return redirected(where)
    return Fatal(
        "mattermost_no_websocket",
        f"{where} answers {status} instead of opening a WebSocket: let the proxy pass on the Upgrade and Connection "
        "headers for /api/v4/websocket",
    )
