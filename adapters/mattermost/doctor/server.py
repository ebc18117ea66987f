"""Checks of the server and of the bot's account. The pure `…_result` functions evaluate the server's answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

from ....common.core.authority import RIGHTS, Authority
from ....common.core.errors import HardenedError, NotSent, RateLimited
from ....common.doctor.findings import Result, advice, failed, ok, refusal, sentence, skipped
from ....common.settings.config import is_exposed
from ..rest.failures import ApiError, not_mattermost, other_api
from .context import Context, Object, printable

_CLOCK_SECONDS = 30.0
_MEASURED = (5, 37)
"""The oldest server version that these adapters were tested against."""
_LOGS = "check the log of Mattermost and of the proxy in front of it"


def refused(error: HardenedError) -> Result:
    """Return the result for a check that ended with an error of the client or of a socket."""
    if isinstance(error, (ApiError, RateLimited)):
        return failed(sentence(str(error)), sentence(_LOGS))
    return refusal(error, "start Mattermost, or correct MATTERMOST_URL" if isinstance(error, NotSent) else _LOGS)


async def address(context: Context) -> AsyncIterator[Result]:
    """Open the client and check that Mattermost answers at MATTERMOST_URL, over an encrypted or local connection."""
    await context.resources.enter_async_context(context.client)
    where = context.client.base_url
    try:
        answer = await context.client.ping_system()
    except ApiError as error:
        if error.status not in {404, 405}:
            raise
        raise other_api(where) from None
    if answer.get("status") != "OK":
        raise not_mattermost(where)
    yield address_result(where)


def address_result(url: str) -> Result:
    """Return the result for the URL at which Mattermost answers."""
    if is_exposed(url):
        what = f"{url} is plain http beyond this machine: others on the network can read the token."
        return advice(what, "Serve Mattermost over TLS and use https:// in MATTERMOST_URL.")
    return ok(f"Mattermost answers at {url}.")


async def clock(context: Context) -> AsyncIterator[Result]:
    """Compare the server's clock with this machine's."""
    before = context.now()
    await context.client.ping_system()
    date, window = context.client.last_headers.get("Date", ""), context.settings.catch_up_minutes * 60
    yield clock_result(date, before=before, after=context.now(), window=window)


def clock_result(date: str, *, before: float, after: float, window: float) -> Result:
    """Compare the server's `Date` with our clock just before and after the request (Unix time).

    `window` is the maximum age, in seconds, of a missed post that is still answered.
    """
    try:
        server = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return skipped("The server does not report its time.")
    # A `Date` is truncated to whole seconds.
    apart = max(server - after, before - server - 1, 0.0)
    remedy = "Synchronise the clocks of both machines with a time service."
    direction = "behind" if server > after else "ahead of"
    what = f"This machine's clock is {apart:.0f} s {direction} the server's"
    if window and apart > window:
        return failed(f"{what}, which is more than MATTERMOST_CATCH_UP_MINUTES.", remedy)
    if apart > _CLOCK_SECONDS:
        return advice(f"{what}, so the age of missed posts may be wrong.", remedy)
    return ok("The server's clock and this machine's agree.")


async def account(context: Context) -> AsyncIterator[Result]:
    """Check that the token is accepted and belongs to a bot."""
    yield account_result(await context.me)


def account_result(me: Object) -> Result:
    """Return the result for our own user."""
    name = f"@{printable(me.get('username'))}"
    if me.get("delete_at"):
        return failed(f"{name} is disabled.", "Enable the bot in Mattermost's System Console.")
    if me.get("is_bot") is not True:
        what = f"The token belongs to {name}, which is a person's account."
        return advice(what, "Create a bot account under Integrations and set MATTERMOST_TOKEN to its token.")
    return ok(f"The token belongs to the bot {name}.")


async def version(context: Context) -> AsyncIterator[Result]:
    """Check that the server is not older than the versions these adapters were tested against."""
    config = await context.config
    yield version_result(str(config.get("Version") or context.client.last_headers.get("X-Version-Id")))


def version_result(reported: str) -> Result:
    """Return the result for a version from the server's configuration or its header X-Version-Id."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(\.\d{1,4}){0,2}", reported)
    if match is None:
        return advice("The server does not report its version.", "Make sure that it is 5.37 or newer.")
    if (int(match[1]), int(match[2])) < _MEASURED:
        what = f"The server is Mattermost {match[0]}, older than the oldest version these adapters were tested with."
        return advice(what, "Upgrade it to 5.37 or newer.")
    return ok(f"The server is Mattermost {match[0]}.")


async def limits(context: Context) -> AsyncIterator[Result]:
    """Report the server's size limits for posts and files."""
    yield limits_result(await context.config)


def limits_result(config: Object) -> Result:
    """Return the result for the limits in the server's configuration."""
    post, file = _size(config, "MaxPostSize"), _size(config, "MaxFileSize")
    unknown = "an unknown number of"
    what = f"The server accepts posts of {post or unknown} characters and files of {file // 2**20 or unknown} MiB"
    if config.get("EnableFileAttachments") == "false":
        return advice(f"{what}, but no attachments.", "Enable file sharing in the System Console.")
    most = RIGHTS[Authority.ALLOWED].files.bytes // 2**20
    return ok(f"{what}; the adapter fetches files up to {most} MiB.")


def _size(config: Object, name: str) -> int:
    value = str(config.get(name, ""))
    return int(value) if re.fullmatch(r"[0-9]{1,15}", value) else 0
