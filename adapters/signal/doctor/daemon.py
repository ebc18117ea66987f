"""Checks of the daemon itself: is it there, is it signal-cli, which version, and has it our account."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp

from ....common.core.errors import ConnectionLost, Fatal, NotSent, Unanswered
from ....common.doctor.checks import masked
from ....common.doctor.findings import Finding, Status
from ....common.host.contract import version_tuple
from ....common.settings.config import is_exposed
from ..failures import RpcCode, RpcError, http_failure
from .case import Case, refusal

OLDEST = (0, 13, 19)
PROMPT = (0, 14, 4)
"""The first version that sends the headers of an event stream at once."""


async def reach(case: Case) -> AsyncIterator[Finding]:
    """Whether signal-cli's HTTP interface answers at SIGNAL_HTTP_URL."""
    check, where = "signal.daemon", case.client.base_url
    url = case.labels["http_url"]
    try:
        status = await _status(case, "/api/v1/check")
        if status == 200:
            case.version = await _version(case)
        elif status == 404 and await _status(case, "/v1/about") == 200:
            what = f"{where} is bbernhard's signal-cli-rest-api, which speaks another language."
            remedy = f"Run `signal-cli daemon --http 127.0.0.1:8080` and set {url} to it."
            yield Finding(check, Status.FAILED, what, remedy)
            return
        else:
            raise http_failure(status, where)
    except (aiohttp.ClientConnectorError, NotSent) as exc:
        cause = exc.__cause__ or exc
        what = f"Nothing can be reached at {where} ({type(cause).__name__})."
        remedy = f"Start `signal-cli daemon --http 127.0.0.1:8080`, or correct {url}."
        yield Finding(check, Status.FAILED, what, remedy)
    except (TimeoutError, Unanswered):
        what = f"{where} takes requests but does not answer them."
        yield Finding(check, Status.FAILED, what, "Look into signal-cli's log and restart it.")
    except (Fatal, ConnectionLost) as exc:
        if case.client.headers() and isinstance(exc, Fatal) and exc.code == "signal_host_pinned":
            what = f"The daemon at {where} refuses the host name of its URL, and `Host: localhost` as well."
            remedy = f"Bind signal-cli to 0.0.0.0, or write the address and port it is bound to into {url}."
            yield Finding(check, Status.FAILED, what, remedy)
        else:
            yield refusal(check, exc)
    except aiohttp.ClientError as exc:
        what = f"{where} does not answer as an HTTP server does ({type(exc).__name__})."
        yield Finding(check, Status.FAILED, what, f"Set {url} to the address given to `signal-cli daemon --http`.")
    else:
        yield Finding(check, Status.OK, f"signal-cli answers at {where}.")
        if case.client.headers():
            what = "The daemon refuses the host name of its URL; it works because `Host: localhost` is sent instead."
            remedy = f"Bind signal-cli to 0.0.0.0, or write the address and port it is bound to into {url}."
            yield Finding("signal.host", Status.ADVICE, what, remedy)
        if is_exposed(where):
            what = f"{where} is plain http beyond this machine: messages can be read, and sent, on the way."
            remedy = f"Put TLS before signal-cli and write https:// in {url}, unless that is a network of one machine."
            yield Finding("signal.address", Status.ADVICE, what, remedy)


async def version(case: Case) -> AsyncIterator[Finding]:
    """Whether that version is one these adapters were written for."""
    check, numbers = "signal.version", version_tuple(case.version)
    if len(numbers) < 2:
        what = "The daemon does not tell its version."
        yield Finding(check, Status.ADVICE, what, "Make sure that signal-cli is 0.13.19 or newer.")
    elif numbers < OLDEST:
        what = f"signal-cli {case.version} is older than 0.13.19, the oldest these adapters were tested with."
        yield Finding(check, Status.ADVICE, what, "Upgrade signal-cli to 0.14.5 or newer.")
    elif numbers < PROMPT:
        what = (
            f"signal-cli {case.version} answers a subscription up to 15 seconds late"
            + ("" if numbers >= (0, 14) else " and cannot accept an invitation made by phone number")
            + "."
        )
        yield Finding(check, Status.ADVICE, what, "Upgrade signal-cli to 0.14.5 or newer.")
    else:
        yield Finding(check, Status.OK, f"signal-cli {case.version} is recent enough.")


async def account(case: Case) -> AsyncIterator[Finding]:
    """Whether the daemon has our account; fills in who we are."""
    check, label, name = "signal.account", case.labels["account"], masked(case.settings.account)
    remedy = f"Link or register it there, or set {label} to an account that `signal-cli listAccounts` shows."
    accounts = await _accounts(case)
    if accounts is not None and case.settings.account.startswith("+") and case.settings.account not in accounts:
        count = f"{len(accounts)} account{'' if len(accounts) == 1 else 's'}"
        what = f"signal-cli has {count}, and {label} ({name}) is not among them."
        yield Finding(check, Status.FAILED, what, remedy)
        return
    try:
        own = case.take_contacts(await case.client.rpc("listContacts", {"allRecipients": True}, timeout=60))
    except RpcError as exc:
        if exc.code == RpcCode.BAD_PARAMETERS:
            yield Finding(check, Status.FAILED, f"signal-cli does not know {label} ({name}).", remedy)
        else:
            what = f"signal-cli cannot list the account's contacts (error {exc.code})."
            yield Finding(check, Status.FAILED, what, "Look into signal-cli's log.")
        return
    if own is None:
        what = f"signal-cli does not show {label} ({name}) as its own: the daemon may speak for another account."
        yield Finding(check, Status.FAILED, what, f"Start the daemon for this account, or correct {label}.")
        return
    if case.me.id is None:
        what = "signal-cli does not know the account's own ACI, so the bot cannot tell who is mentioned."
        yield Finding(check, Status.ADVICE, what, "Let signal-cli receive messages once while it reaches Signal.")
    else:
        yield Finding(check, Status.OK, f"signal-cli has the account {name}.")
    profile = own.get("profile")
    if not (isinstance(profile, dict) and profile.get("givenName")):
        what = "The account has no profile name; without one it cannot accept invitations into groups."
        remedy = "Run `signal-cli -a NUMBER updateProfile --given-name NAME`, or the same over JSON-RPC."
        yield Finding("signal.profile", Status.ADVICE, what, remedy)


async def network(case: Case) -> AsyncIterator[Finding]:
    """Whether the daemon itself reaches Signal's servers, which its own health check does not tell."""
    check = "signal.network"
    try:
        await case.client.rpc("listDevices")
    except Unanswered:
        what = "signal-cli gets no answer from Signal's servers."
        yield Finding(check, Status.FAILED, what, "Let it reach the internet, and look into its log.")
    except RpcError as exc:
        if exc.code != RpcCode.IO_ERROR:
            yield Finding(check, Status.SKIPPED, "This daemon cannot tell whether it reaches Signal's servers.")
        elif "authorization" in exc.message.lower():
            what = "Signal's servers no longer accept the account: it was unlinked or registered elsewhere."
            yield Finding(check, Status.FAILED, what, "Link it again with `signal-cli link`, or register it again.")
        else:
            what = "signal-cli runs but cannot reach Signal's servers."
            yield Finding(check, Status.FAILED, what, "Let it reach the internet, and look into its log.")
    else:
        yield Finding(check, Status.OK, "signal-cli reaches Signal's servers.")


async def _status(case: Case, path: str) -> int:
    async with case.client.session.get(
        case.client.base_url + path,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=case.around.answer_within),
    ) as response:
        return response.status


async def _version(case: Case) -> str:
    try:
        # Naming an account it does not have, the daemon would not even tell its version.
        told = await case.client.rpc("version", {"account": None}, timeout=case.around.answer_within)
    except RpcError:
        return ""
    return str(told.get("version", "")) if isinstance(told, dict) else ""


async def _accounts(case: Case) -> tuple[str, ...] | None:
    """The numbers of a daemon with several accounts; None for a daemon started for one."""
    try:
        told = await case.client.rpc("listAccounts", {"account": None})
    except RpcError as exc:
        if exc.code == RpcCode.NOT_IMPLEMENTED:
            return None
        raise
    rows = told if isinstance(told, list) else ()
    return tuple(str(row.get("number")) for row in rows if isinstance(row, dict))
