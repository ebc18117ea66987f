"""What the server tells about itself and us, as findings. Pure.

The server's answers are taken as they came; what is missing or of another type counts as not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ....common.core import wording
from ....common.core.authority import RIGHTS, Authority
from ....common.core.errors import Fatal, HardenedError, NotSent, RateLimited
from ....common.doctor.findings import Finding, Status
from ....common.settings.config import is_exposed
from ..rest.failures import ApiError

Object = Mapping[str, Any]

_CLOCK_SECONDS = 30.0
_MEASURED = (5, 37)
"""The server version that these adapters were measured against."""


def ok(check: str, what: str) -> Finding:
    return Finding(f"mattermost.{check}", Status.OK, _sentence(what))


def advice(check: str, what: str, remedy: str) -> Finding:
    return Finding(f"mattermost.{check}", Status.ADVICE, _sentence(what), _sentence(remedy))


def failed(check: str, what: str, remedy: str) -> Finding:
    return Finding(f"mattermost.{check}", Status.FAILED, _sentence(what), _sentence(remedy))


def skipped(check: str, why: str) -> Finding:
    return Finding(f"mattermost.{check}", Status.SKIPPED, _sentence(why))


def _sentence(text: str) -> str:
    """With a full stop, and a capital unless it begins with a name, an id or an address."""
    plain = re.match(r"[a-z']{1,20}:? ", text)
    return (text[:1].upper() + text[1:] if plain else text) + "."


def printable(value: object) -> str:
    """A name the server told, fit for a terminal and not too long."""
    return wording.printable(str(value or ""), 40)


def refused(check: str, error: HardenedError, remedy: str) -> Finding:
    """A check that ended with an error. `remedy` is for errors that carry none of their own."""
    if isinstance(error, (ApiError, RateLimited)):
        return failed(check, str(error), remedy)
    if isinstance(error, NotSent):
        remedy = "start Mattermost, or correct MATTERMOST_URL"
    what, _, own = (error.remedy if isinstance(error, Fatal) else str(error)).partition(": ")
    return failed(check, what, own or remedy)


def address(url: str) -> Finding:
    """Mattermost answered there; whether nobody can listen in on the way."""
    if is_exposed(url):
        return advice(
            "address",
            f"{url} is plain http beyond this machine: the token can be read on its way",
            "serve Mattermost over TLS and write https:// in MATTERMOST_URL",
        )
    return ok("address", f"Mattermost answers at {url}")


def clock(date: str, before: float, after: float, window: float) -> Finding:
    """The server's `Date` against our clock just before and after it was read (Unix time).

    `window` is how old a missed post may be to be answered, in seconds.
    """
    try:
        server = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return skipped("clock", "the server does not tell its time")
    # A Date is cut to the second.
    apart = max(server - after, before - server - 1, 0.0)
    remedy = "let a time service set the clocks of both machines"
    direction = "behind" if server > after else "ahead of"
    what = f"this machine's clock is {apart:.0f} s {direction} the server's"
    if window and apart > window:
        return failed("clock", f"{what}: it is wrong by more than MATTERMOST_CATCH_UP_MINUTES", remedy)
    if apart > _CLOCK_SECONDS:
        return advice("clock", f"{what}, and by it the age of missed posts is judged", remedy)
    return ok("clock", "the server's clock and this machine's agree")


def account(me: Object) -> Finding:
    """Our own user."""
    name = f"@{printable(me.get('username'))}"
    if me.get("delete_at"):
        return failed("account", f"{name} is disabled", "enable the bot in Mattermost's System Console")
    if me.get("is_bot") is not True:
        return advice(
            "account",
            f"the token belongs to {name}, which is the account of a person",
            "create a bot account under Integrations and set MATTERMOST_TOKEN to its token",
        )
    return ok("account", f"the token is that of the bot {name}")


def version(told: str) -> Finding:
    """The server's version, as its configuration or the header X-Version-Id has it."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(\.\d{1,4}){0,2}", told)
    if match is None:
        return advice("version", "the server does not tell its version", "look whether it is 5.37 or newer")
    if (int(match[1]), int(match[2])) < _MEASURED:
        what = f"the server is Mattermost {match[0]}, older than what was measured"
        return advice("version", what, "upgrade it to 5.37 or newer")
    return ok("version", f"the server is Mattermost {match[0]}")


def resume(resumed: bool, config: Object) -> Finding:
    """Whether a second WebSocket went on where the first had ended."""
    if resumed:
        return ok("resume", "a cut WebSocket is resumed without a gap")
    if config.get("EnableReliableWebSockets") == "false":
        remedy = "set ServiceSettings.EnableReliableWebSockets to true"
    elif config.get("EnableCluster") == "true":
        remedy = "let the load balancer send a client to the same node again"
    else:
        remedy = "let the proxy pass on the query of /api/v4/websocket"
    return advice("resume", "a cut WebSocket is not resumed: what was missed is fetched over REST instead", remedy)


def limits(config: Object) -> Finding:
    """What may be posted and attached."""
    post, file = _size(config, "MaxPostSize"), _size(config, "MaxFileSize")
    what = f"posts of {post or 'untold many'} characters and files of {file // 2**20 or 'untold many'} MiB"
    if config.get("EnableFileAttachments") == "false":
        return advice(
            "limits", f"the server takes {what}, but no attachments", "enable file sharing in the System Console"
        )
    most = RIGHTS[Authority.ALLOWED].files.bytes // 2**20
    return ok("limits", f"the server takes {what}; of a post's files, those up to {most} MiB are fetched")


def _size(config: Object, name: str) -> int:
    value = str(config.get(name, ""))
    return int(value) if re.fullmatch(r"[0-9]{1,15}", value) else 0
