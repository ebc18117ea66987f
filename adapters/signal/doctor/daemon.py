"""Checks of the daemon: its address, version and account, and its connection to Signal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp

from ....common.core.errors import ConnectionLost, Fatal, NotSent, Unanswered
from ....common.doctor.findings import Result, advice, failed, masked, ok, refusal, skipped
from ....common.host.contract.version import version_tuple
from ....common.settings.config import is_exposed
from ..failures import ErrorCode, RpcCode, RpcError, http_failure
from .context import Context

OLDEST = (0, 13, 19)
PROMPT = (0, 14, 4)
"""The first version that sends the headers of an event stream immediately."""
LOGS = "check the log of signal-cli, and of a proxy in front of it"


async def reach(context: Context) -> AsyncIterator[Result]:
    """Open the client and check that signal-cli's HTTP interface answers at SIGNAL_HTTP_URL."""
    await context.resources.enter_async_context(context.client)
    where, url = context.client.base_url, context.labels["http_url"]
    try:
        status = await _status(context, "/api/v1/check")
        if status == 200:
            await context.version
        elif status == 404 and await _status(context, "/v1/about") == 200:
            what = f"{where} is bbernhard's signal-cli-rest-api, which has a different interface."
            yield failed(what, f"Run `signal-cli daemon --http 127.0.0.1:8080` and set {url} to it.")
            return
        else:
            raise http_failure(status, where)
    except (aiohttp.ClientConnectorError, NotSent) as exc:
        cause = exc.__cause__ or exc
        what = f"{where} cannot be reached ({type(cause).__name__})."
        yield failed(what, f"Start `signal-cli daemon --http 127.0.0.1:8080`, or correct {url}.")
    except (TimeoutError, Unanswered):
        what = f"{where} accepts requests but does not answer them."
        yield failed(what, "Check signal-cli's log and restart it.")
    except (Fatal, ConnectionLost) as exc:
        if context.client.headers() and isinstance(exc, Fatal) and exc.code == ErrorCode.HOST_PINNED:
            what = f"The daemon at {where} refuses the host name of its URL, and `Host: localhost` as well."
            yield failed(what, _bind(url))
        else:
            yield refusal(exc, LOGS)
    except aiohttp.ClientError as exc:
        what = f"{where} does not answer as an HTTP server does ({type(exc).__name__})."
        yield failed(what, f"Set {url} to the address given to `signal-cli daemon --http`.")
    else:
        yield ok(f"signal-cli answers at {where}.")


def host(context: Context) -> Iterator[Result]:
    """Report a daemon that refuses the host name in its URL, which the client works around."""
    if context.client.headers():
        what = "The daemon refuses the host name of its URL; it works because the adapter sends `Host: localhost`."
        yield advice(what, _bind(context.labels["http_url"]))


def address(context: Context) -> Iterator[Result]:
    """Report a daemon that is reached over a network without encryption."""
    where, url = context.client.base_url, context.labels["http_url"]
    if is_exposed(where):
        what = f"{where} is plain http beyond this machine: others on the network can read and send messages."
        remedy = f"Put TLS in front of signal-cli and use https:// in {url}, unless the network is within one machine."
        yield advice(what, remedy)


def _bind(url: str) -> str:
    return f"Bind signal-cli to 0.0.0.0, or set {url} to the address and port it is bound to."


async def version(context: Context) -> AsyncIterator[Result]:
    """Check that these adapters support the version of signal-cli."""
    reported = await context.version
    numbers, upgrade = version_tuple(reported), "Upgrade signal-cli to 0.14.5 or newer."
    if len(numbers) < 2:
        yield advice("The daemon does not report its version.", "Make sure that signal-cli is 0.13.19 or newer.")
    elif numbers < OLDEST:
        yield advice(
            f"signal-cli {reported} is older than 0.13.19, the oldest version these adapters were tested with.",
            upgrade,
        )
    elif numbers < PROMPT:
        late = f"signal-cli {reported} answers a subscription up to 15 seconds late"
        invited = "" if numbers >= (0, 14) else " and cannot accept an invitation made by phone number"
        yield advice(f"{late}{invited}.", upgrade)
    else:
        yield ok(f"signal-cli {reported} is recent enough.")


async def account(context: Context) -> AsyncIterator[Result]:
    """Check that the daemon has our account."""
    own, label = context.settings.account, context.labels["account"]
    name = masked(own)
    remedy = f"Link or register it there, or set {label} to an account that `signal-cli listAccounts` shows."
    accounts = await _accounts(context)
    if accounts is not None and own.startswith("+") and own not in accounts:
        count = f"{len(accounts)} account{'' if len(accounts) == 1 else 's'}"
        yield failed(f"signal-cli has {count}, and {label} ({name}) is not among them.", remedy)
        return
    try:
        contacts = await context.contacts
    except RpcError as exc:
        if exc.code == RpcCode.BAD_PARAMETERS:
            yield failed(f"signal-cli does not know {label} ({name}).", remedy)
        else:
            what = f"signal-cli cannot list the account's contacts (error {exc.code})."
            yield failed(what, "Check signal-cli's log.")
        return
    if contacts.row(own) is None:
        what = (
            f"signal-cli does not list {label} ({name}) as its own account: it may have been started for another one."
        )
        yield failed(what, f"Start the daemon for this account, or correct {label}.")
    elif contacts.me(own).id is None:
        what = "signal-cli does not know the account's own ACI, so the bot cannot tell who is mentioned."
        yield advice(what, "Let signal-cli receive messages once while it is connected to Signal.")
    else:
        yield ok(f"signal-cli has the account {name}.")


async def profile(context: Context) -> AsyncIterator[Result]:
    """Report an account without a profile name."""
    own = (await context.contacts).row(context.settings.account)
    if not (own and own.profile and own.profile.given_name):
        what = "The account has no profile name; without one it cannot accept invitations to groups."
        yield advice(what, "Run `signal-cli -a NUMBER updateProfile --given-name NAME`, or the same over JSON-RPC.")


async def network(context: Context) -> AsyncIterator[Result]:
    """Check that the daemon reaches Signal's servers, which its own health check does not cover."""
    online = "Check its internet connection and its log."
    try:
        await context.client.rpc("listDevices")
    except Unanswered:
        yield failed("signal-cli does not get an answer from Signal's servers.", online)
    except RpcError as exc:
        if exc.code != RpcCode.IO_ERROR:
            yield skipped("This daemon does not report whether it reaches Signal's servers.")
        elif "authorization" in exc.message.lower():
            what = "Signal's servers no longer accept the account: it was unlinked or registered elsewhere."
            yield failed(what, "Link it again with `signal-cli link`, or register it again.")
        else:
            yield failed("signal-cli runs but cannot reach Signal's servers.", online)
    else:
        yield ok("signal-cli reaches Signal's servers.")


async def _status(context: Context, path: str) -> int:
    async with context.client.session.get(
        context.client.base_url + path,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=context.answer_within),
    ) as response:
        return response.status


async def _accounts(context: Context) -> tuple[str, ...] | None:
    """Return the numbers of a daemon with several accounts; None for a daemon started for one."""
    try:
        answer = await context.client.rpc("listAccounts", {"account": None})
    except RpcError as exc:
        if exc.code == RpcCode.NOT_IMPLEMENTED:
            return None
        raise
    rows = answer if isinstance(answer, list) else ()
    return tuple(str(row.get("number")) for row in rows if isinstance(row, dict))
