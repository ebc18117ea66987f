"""Checks of the server and of our account there. What an answer means is decided by the pure `judge_…` functions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

from ....common.core.authority import RIGHTS, Authority
from ....common.core.errors import Fatal, HardenedError, NotSent, RateLimited
from ....common.doctor.findings import Result, advice, failed, ok, refusal, sentence, skipped
from ....common.settings.config import is_exposed
from ..rest.failures import ApiError, not_mattermost
from .context import Context, Object, printable

_CLOCK_SECONDS = 30.0
_MEASURED = (5, 37)
"""The server version that these adapters were measured against."""
_LOGS = "look into the log of Mattermost and of the proxy before it"


def refused(error: HardenedError) -> Result:
    """The failure of a check that ended with an error of the client or of a socket."""
    if isinstance(error, (ApiError, RateLimited)):
        return failed(sentence(str(error)), sentence(_LOGS))
    return refusal(error, "start Mattermost, or correct MATTERMOST_URL" if isinstance(error, NotSent) else _LOGS)


async def address(context: Context) -> AsyncIterator[Result]:
    """Open the client and check that Mattermost answers at MATTERMOST_URL, and that nobody can listen in on the way."""
    await context.resources.enter_async_context(context.client)
    where = context.client.base_url
    try:
        answer = await context.client.ping_system()
    except ApiError as error:
        if error.status not in {404, 405}:
            raise
        remedy = f"there is no Mattermost at {where}: set MATTERMOST_URL to its address, its path too"
        raise Fatal("mattermost_other_api", remedy, heals=False) from None
    if answer.get("status") != "OK":
        raise not_mattermost(where)
    yield judge_address(where)


def judge_address(url: str) -> Result:
    if is_exposed(url):
        what = f"{url} is plain http beyond this machine: the token can be read on its way."
        return advice(what, "Serve Mattermost over TLS and write https:// in MATTERMOST_URL.")
    return ok(f"Mattermost answers at {url}.")


async def clock(context: Context) -> AsyncIterator[Result]:
    """Compare the server's clock with this machine's."""
    before = context.now()
    await context.client.ping_system()
    date, window = context.client.last_headers.get("Date", ""), context.settings.catch_up_minutes * 60
    yield judge_clock(date, before=before, after=context.now(), window=window)


def judge_clock(date: str, *, before: float, after: float, window: float) -> Result:
    """Compare the server's `Date` with our clock just before and after it was read (Unix time).

    `window` is how old a missed post may be to be answered, in seconds.
    """
    try:
        server = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return skipped("The server does not report its time.")
    # A Date is cut to the second.
    apart = max(server - after, before - server - 1, 0.0)
    remedy = "Let a time service set the clocks of both machines."
    direction = "behind" if server > after else "ahead of"
    what = f"This machine's clock is {apart:.0f} s {direction} the server's"
    if window and apart > window:
        return failed(f"{what}: it is wrong by more than MATTERMOST_CATCH_UP_MINUTES.", remedy)
    if apart > _CLOCK_SECONDS:
        return advice(f"{what}, and the age of missed posts is judged by it.", remedy)
    return ok("The server's clock and this machine's agree.")


async def account(context: Context) -> AsyncIterator[Result]:
    """Check that the token is accepted and is that of a bot."""
    yield judge_account(await context.me)


def judge_account(me: Object) -> Result:
    name = f"@{printable(me.get('username'))}"
    if me.get("delete_at"):
        return failed(f"{name} is disabled.", "Enable the bot in Mattermost's System Console.")
    if me.get("is_bot") is not True:
        what = f"The token belongs to {name}, which is the account of a person."
        return advice(what, "Create a bot account under Integrations and set MATTERMOST_TOKEN to its token.")
    return ok(f"The token is that of the bot {name}.")


async def version(context: Context) -> AsyncIterator[Result]:
    """Check that the server is of a version that these adapters were measured against, or newer."""
    config = await context.config
    yield judge_version(str(config.get("Version") or context.client.last_headers.get("X-Version-Id")))


def judge_version(reported: str) -> Result:
    """Judge a version as the server's configuration or its header X-Version-Id has it."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(\.\d{1,4}){0,2}", reported)
    if match is None:
        return advice("The server does not report its version.", "Check that it is 5.37 or newer.")
    if (int(match[1]), int(match[2])) < _MEASURED:
        what = f"The server is Mattermost {match[0]}, older than the oldest that was measured."
        return advice(what, "Upgrade it to 5.37 or newer.")
    return ok(f"The server is Mattermost {match[0]}.")


async def limits(context: Context) -> AsyncIterator[Result]:
    """Report how much may be posted and attached."""
    yield judge_limits(await context.config)


def judge_limits(config: Object) -> Result:
    post, file = _size(config, "MaxPostSize"), _size(config, "MaxFileSize")
    unknown = "an unknown number of"
    what = f"The server takes posts of {post or unknown} characters and files of {file // 2**20 or unknown} MiB"
    if config.get("EnableFileAttachments") == "false":
        return advice(f"{what}, but no attachments.", "Enable file sharing in the System Console.")
    most = RIGHTS[Authority.ALLOWED].files.bytes // 2**20
    return ok(f"{what}; of a post's files, those up to {most} MiB are fetched.")


def _size(config: Object, name: str) -> int:
    value = str(config.get(name, ""))
    return int(value) if re.fullmatch(r"[0-9]{1,15}", value) else 0
