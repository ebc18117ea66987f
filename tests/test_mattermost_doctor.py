"""Each check of Mattermost's doctor: the thing is broken, the remedy is seen."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.mattermost.doctor import server as server_checks
from hermes_hardened_adapters.adapters.mattermost.doctor.checks import CheckName, examine
from hermes_hardened_adapters.adapters.mattermost.rest.failures import transport_failure
from hermes_hardened_adapters.common.core import chats
from hermes_hardened_adapters.common.core.errors import Fatal
from hermes_hardened_adapters.common.doctor.findings import Finding, Status
from hermes_hardened_adapters.common.state.allowlist import order
from pytest_aiohttp import AiohttpServer

from tests.fakes.mattermost_server import (
    ALICE,
    BOB,
    GROUP_MESSAGE,
    HERMES,
    OPS,
    SECRET,
    TEAM,
    TOKEN,
    FakeMattermostServer,
    Fault,
)

NOBODY = "a" * 26
CHECKS = list(CheckName)


class Examined:
    """Examines a server. The state file is in `folder`; whatever is waited for takes no time."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state.db"

    async def __call__(
        self, server: FakeMattermostServer | str, environment: dict[str, str] | None = None, **extra: Any
    ) -> list[Finding]:
        url = server if isinstance(server, str) else server.url
        extra = {"url": url, "token": TOKEN, "allowed_users": [ALICE, BOB], **extra}
        self.offset = float(extra.pop("clock", 0))
        return [
            finding
            async for finding in examine(
                extra,
                environment or {},
                self.state,
                now=lambda: time.time() + self.offset,
                sleep=lambda _: asyncio.sleep(0.01),
                hello_within=0.4,
            )
        ]


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    return Examined(tmp_path)


def of(findings: list[Finding], check: CheckName) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def one(findings: list[Finding], check: CheckName, status: Status) -> Finding:
    """The only finding of a check, which is of that status and tells what to do."""
    (finding,) = of(findings, check)
    assert finding.status is status, finding
    if status in {Status.FAILED, Status.ADVICE}:
        assert finding.remedy, finding
        assert re.fullmatch(r"(?![a-z]).*[^.?]\.", finding.remedy), finding
        assert ". " not in finding.remedy
    return finding


def only(findings: list[Finding], check: CheckName, status: Status) -> Finding:
    """As `one`, and nothing else is wrong."""
    others = [finding for finding in findings if finding.check != check]
    assert all(finding.status is Status.OK for finding in others), others
    return one(findings, check, status)


async def test_nothing_is_wrong(server: FakeMattermostServer, examined: Examined) -> None:
    findings = await examined(server)
    assert [finding.check for finding in findings] == CHECKS
    assert {finding.status for finding in findings} == {Status.OK}
    assert not any(finding.remedy for finding in findings)
    told = " ".join(finding.what for finding in findings)
    for fact in ("@hermes", "5.37.0", "16383", "10 MiB", f"Ops ({OPS})", f"Secret Plans ({SECRET})"):
        assert fact in told
    assert not examined.state.exists()
    assert all(call.method == "GET" or call.path in {"/users/ids", "/roles/names"} for call in server.calls)
    assert server.posts == {}


# -- settings and the way to the server


async def test_every_wrong_setting(server: FakeMattermostServer, examined: Examined) -> None:
    environment = {"MATTERMOST_REPLY_MODE": "nowhere", "MATTERMOST_ALLOWED_USER": ALICE}
    findings = await examined(server, environment, catch_up_minutes=-1)
    faults = of(findings, CheckName.SETTINGS)
    assert all(fault.status is Status.FAILED and fault.remedy for fault in faults)
    for name in ("MATTERMOST_REPLY_MODE", "MATTERMOST_ALLOWED_USER:", "mattermost.catch_up_minutes"):
        assert any(name in fault.what for fault in faults)
    assert {finding.check for finding in findings if finding.status is Status.SKIPPED} == set(CHECKS[1:])
    assert server.calls == []


async def all_skipped_but(findings: list[Finding], check: CheckName) -> Finding:
    failure = one(findings, check, Status.FAILED)
    later = findings[findings.index(failure) + 1 :]
    assert len(later) == len(CHECKS) - CHECKS.index(check) - 1
    assert {finding.status for finding in later} == {Status.SKIPPED}
    assert all(check in finding.what for finding in later)
    return failure


async def test_nothing_listens_there(server: FakeMattermostServer, examined: Examined) -> None:
    await server.stop()
    failure = await all_skipped_but(await examined(server), CheckName.ADDRESS)
    assert "cannot be reached" in failure.what
    assert "MATTERMOST_URL" in failure.remedy


async def test_a_path_is_missing(examined: Examined) -> None:
    async with FakeMattermostServer(prefix="/chat") as server:
        failure = await all_skipped_but(await examined(server.url.removesuffix("/chat")), CheckName.ADDRESS)
        assert "including its path" in failure.remedy
        assert one(await examined(server), CheckName.ADDRESS, Status.OK)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"version": "1"}'])
async def test_it_is_not_mattermost(examined: Examined, aiohttp_server: AiohttpServer, body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    other = await aiohttp_server(app)
    failure = await all_skipped_but(await examined(str(other.make_url(""))), CheckName.ADDRESS)
    assert "MATTERMOST_URL" in failure.remedy


async def test_it_redirects(server: FakeMattermostServer, examined: Examined) -> None:
    server.faults.append(Fault(301, headers={"Location": "https://chat.example.com/"}))
    failure = await all_skipped_but(await examined(server), CheckName.ADDRESS)
    assert "final address" in failure.remedy


async def test_it_is_ill(server: FakeMattermostServer, examined: Examined) -> None:
    server.faults.append(Fault(503, times=9))
    failure = await all_skipped_but(await examined(server), CheckName.ADDRESS)
    assert "Check the log" in failure.remedy


def test_plain_http_beyond_this_machine() -> None:
    assert server_checks.address_result("http://127.0.0.1:8065").status is Status.OK
    assert server_checks.address_result("https://chat.example.com").status is Status.OK
    finding = server_checks.address_result("http://chat.example.com")
    assert finding.status is Status.ADVICE
    assert "https://" in finding.remedy


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Self-signed certificates and their keys, by the name they are for."""
    folder = tmp_path_factory.mktemp("tls")
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    made = {}
    for name in ("IP:127.0.0.1", "DNS:elsewhere.example"):
        crt, key = folder / f"{name[:2]}.crt", folder / f"{name[:2]}.key"
        extensions = ["-addext", f"subjectAltName={name}", "-addext", "keyUsage=digitalSignature,keyCertSign"]
        command = ["openssl", "req", *options.split(), *extensions, "-keyout", str(key), "-out", str(crt)]
        subprocess.run(command, check=True, capture_output=True)
        made[name] = (crt, key)
    return made


@pytest.mark.parametrize(
    ("name", "trusted", "remedy"),
    [
        ("IP:127.0.0.1", True, ""),
        ("IP:127.0.0.1", False, "Set MATTERMOST_CA_FILE"),
        ("DNS:elsewhere.example", True, "Correct the host name"),
    ],
)
async def test_certificates(
    certificates: dict[str, tuple[Path, Path]], examined: Examined, name: str, trusted: bool, remedy: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates[name])
    server = FakeMattermostServer()
    await server.start(ssl_context=context)
    findings = await examined(server, **({"ca_file": str(certificates[name][0])} if trusted else {}))
    await server.stop()
    if remedy:
        assert remedy in (await all_skipped_but(findings, CheckName.ADDRESS)).remedy
    else:
        assert {finding.status for finding in findings} == {Status.OK}


def test_a_certificate_out_of_date() -> None:
    from aiohttp import ClientConnectorCertificateError

    expired = ssl.SSLCertVerificationError()
    expired.verify_code = 10
    connection: Any = None
    failure = transport_failure(ClientConnectorCertificateError(connection, expired), "https://chat.example.com")
    assert isinstance(failure, Fatal)
    finding = server_checks.refused(failure)
    assert finding.what == "The certificate of https://chat.example.com is not valid today."
    assert "Renew it" in finding.remedy


async def test_a_ca_file_that_is_none(server: FakeMattermostServer, examined: Examined, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no PEM")
    failure = await all_skipped_but(await examined(server, ca_file=str(tmp_path / "ca.pem")), CheckName.ADDRESS)
    assert "PEM" in failure.remedy


@pytest.mark.parametrize(
    ("offset", "status", "what"),
    [
        (20, Status.OK, "agree"),
        (-20, Status.OK, "agree"),
        (60, Status.ADVICE, "ahead of"),
        (-60, Status.ADVICE, "behind"),
        (1000, Status.FAILED, "MATTERMOST_CATCH_UP_MINUTES"),
    ],
)
async def test_the_clocks(
    server: FakeMattermostServer, examined: Examined, offset: float, status: Status, what: str
) -> None:
    assert what in only(await examined(server, clock=offset), CheckName.CLOCK, status).what


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 06:33:20 GMT", "Sun, 22 Nov 99999 06:33:20 GMT"])
def test_a_server_that_tells_no_time(date: str) -> None:
    assert server_checks.clock_result(date, before=0, after=1, window=900).status is Status.SKIPPED


# -- the account


async def test_a_refused_token(server: FakeMattermostServer, examined: Examined) -> None:
    server.revoke_token()
    failure = await all_skipped_but(await examined(server), CheckName.ACCOUNT)
    assert "MATTERMOST_TOKEN" in failure.remedy


async def test_a_disabled_bot(server: FakeMattermostServer, examined: Examined) -> None:
    server.disable_bot()
    assert "Enable the bot" in (await all_skipped_but(await examined(server), CheckName.ACCOUNT)).remedy


async def test_the_token_of_a_person(server: FakeMattermostServer, examined: Examined) -> None:
    server.users[HERMES]["is_bot"] = False
    assert "bot account" in only(await examined(server), CheckName.ACCOUNT, Status.ADVICE).remedy


# -- the server


@pytest.mark.parametrize("version", ["5.36.1", "4.10.0", "", "unknown"])
async def test_an_old_server(server: FakeMattermostServer, examined: Examined, version: str) -> None:
    server.config["Version"] = version
    assert "5.37" in only(await examined(server), CheckName.VERSION, Status.ADVICE).remedy


@pytest.mark.parametrize("version", ["5.37.0", "10.2.1", "11.0.0-rc1", "5.37.0..6d9aa448.false"])
def test_a_server_new_enough(version: str) -> None:
    assert server_checks.version_result(version).status is Status.OK


async def test_no_attachments(server: FakeMattermostServer, examined: Examined) -> None:
    server.config["EnableFileAttachments"] = "false"
    assert "System Console" in only(await examined(server), CheckName.LIMITS, Status.ADVICE).remedy


async def test_a_server_that_refuses_its_configuration(server: FakeMattermostServer, examined: Examined) -> None:
    server.faults.append(Fault(403, path="/config"))
    findings = await examined(server)
    assert "403" in one(findings, CheckName.VERSION, Status.FAILED).what
    one(findings, CheckName.LIMITS, Status.SKIPPED)
    one(findings, CheckName.PERMISSIONS, Status.OK)


# -- the WebSocket


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(403, "Allow /api/v4/websocket"), (404, "passes /api/v4/websocket"), (200, "Upgrade"), (502, "log of Mattermost")],
)
async def test_a_refused_upgrade(server: FakeMattermostServer, examined: Examined, status: int, remedy: str) -> None:
    server.refuse_upgrade = (status, {})
    findings = await examined(server)
    assert remedy in one(findings, CheckName.WEBSOCKET, Status.FAILED).remedy
    one(findings, CheckName.RESUME, Status.SKIPPED)
    one(findings, CheckName.CHANNELS, Status.OK)


async def test_no_hello(server: FakeMattermostServer, examined: Examined) -> None:
    server.hello_delay = 60
    server.ping_answer = None
    assert "Restart" in one(await examined(server), CheckName.WEBSOCKET, Status.FAILED).remedy


async def test_no_resume(server: FakeMattermostServer, examined: Examined) -> None:
    server.resumes = False
    assert "query" in only(await examined(server), CheckName.RESUME, Status.ADVICE).remedy
    assert [("connection_id" in query) for query in server.upgrades] == [False, True, True]
    server.config["EnableCluster"] = "true"
    assert "same node" in only(await examined(server), CheckName.RESUME, Status.ADVICE).remedy
    server.config["EnableReliableWebSockets"] = "false"
    assert "EnableReliableWebSockets" in only(await examined(server), CheckName.RESUME, Status.ADVICE).remedy


async def test_a_resume_when_the_server_has_noticed_at_last(
    server: FakeMattermostServer, examined: Examined, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.resumes = False
    upgrades = server.upgrades

    class Upgrades(list[dict[str, str]]):
        def append(self, query: dict[str, str]) -> None:
            upgrades.append(query)
            server.resumes = len(upgrades) > 2

    server.upgrades = Upgrades()
    one(await examined(server), CheckName.RESUME, Status.OK)
    assert len(upgrades) == 3


# -- people


@pytest.mark.parametrize(
    ("environment", "lists", "status", "remedy"),
    [
        ({}, {"allowed_users": []}, Status.FAILED, "MATTERMOST_ALLOWED_USERS"),
        ({"GATEWAY_ALLOWED_USERS": "+491700000001"}, {"allowed_users": []}, Status.FAILED, "MATTERMOST_ALLOWED_USERS"),
        ({"GATEWAY_ALLOWED_USERS": f"+491700000001,{BOB}"}, {"allowed_users": []}, Status.OK, ""),
        ({}, {"allowed_users": ["*"]}, Status.ADVICE, "instead"),
        ({"MATTERMOST_ALLOWED_USERS": f"{BOB}, {ALICE}"}, {}, Status.OK, ""),
        ({"MATTERMOST_ALLOWED_USERS": BOB}, {}, Status.ADVICE, "one of the two"),
        ({"MATTERMOST_ALLOW_ALL_USERS": "true"}, {}, Status.ADVICE, "instead"),
        ({"GATEWAY_ALLOW_ALL_USERS": "1"}, {"allowed_users": []}, Status.ADVICE, "instead"),
        ({"GATEWAY_ALLOW_ALL_USERS": "1"}, {}, Status.OK, ""),
        ({}, {"allowed_users": [ALICE, NOBODY]}, Status.ADVICE, "Correct the id"),
        ({}, {"group_allow_admin_from": [ALICE]}, Status.OK, ""),
        ({}, {"allowed_users": [BOB], "allow_admin_from": [ALICE]}, Status.ADVICE, "as well"),
    ],
)
async def test_people(
    server: FakeMattermostServer,
    examined: Examined,
    environment: dict[str, str],
    lists: dict[str, Any],
    status: Status,
    remedy: str,
) -> None:
    assert remedy in only(await examined(server, environment, **lists), CheckName.PEOPLE, status).remedy


async def test_people_who_are_gone(server: FakeMattermostServer, examined: Examined) -> None:
    server.users[BOB]["delete_at"] = 1
    finding = only(await examined(server), CheckName.PEOPLE, Status.ADVICE)
    assert BOB in finding.what
    assert "deactivated" in finding.what


# -- channels


async def test_an_allowed_channel_the_bot_is_not_in(server: FakeMattermostServer, examined: Examined) -> None:
    finding = only(
        await examined(server, allowed_channels=[OPS, SECRET, GROUP_MESSAGE, NOBODY]), CheckName.CHANNELS, Status.ADVICE
    )
    assert NOBODY in finding.what


@pytest.mark.parametrize("status", [chats.Status.APPROVED, chats.Status.GRANTED])
async def test_channels_the_bot_is_in_without_serving_them(
    server: FakeMattermostServer, examined: Examined, status: chats.Status
) -> None:
    order(examined.state, "mattermost", SECRET, status, "operator", "", 0)
    finding = only(await examined(server, allowed_channels=[OPS]), CheckName.CHANNELS, Status.ADVICE)
    assert GROUP_MESSAGE in finding.what
    assert OPS not in finding.what
    assert SECRET not in finding.what
    assert "MATTERMOST_ALLOWED_CHANNELS" in finding.remedy


async def test_a_revoked_channel(server: FakeMattermostServer, examined: Examined) -> None:
    order(examined.state, "mattermost", SECRET, chats.Status.REVOKED, "operator", "", 0)
    finding = only(await examined(server), CheckName.CHANNELS, Status.ADVICE)
    assert SECRET in finding.what
    assert "groups approve" in finding.remedy


async def test_an_approved_channel_the_bot_is_not_in(server: FakeMattermostServer, examined: Examined) -> None:
    order(examined.state, "mattermost", NOBODY, chats.Status.GRANTED, "operator", "", 0)
    finding = only(await examined(server), CheckName.CHANNELS, Status.ADVICE)
    assert NOBODY in finding.what
    assert "groups revoke" in finding.remedy


async def test_free_response_channels(server: FakeMattermostServer, examined: Examined) -> None:
    findings = await examined(server, allowed_channels=[OPS], free_response_channels=[SECRET, NOBODY, OPS])
    told = {
        finding.what: finding.remedy for finding in of(findings, CheckName.CHANNELS) if "free-response" in finding.what
    }
    assert len(told) == 2
    assert "MATTERMOST_ALLOWED_CHANNELS" in told[f"The bot does not serve the free-response channel {SECRET}."]
    assert "Add the bot" in told[f"The bot is not in the free-response channel {NOBODY}."]


async def test_an_archived_channel(server: FakeMattermostServer, examined: Examined) -> None:
    server.channels[OPS] = {**server.channels[OPS], "delete_at": 1}
    assert "Unarchive" in only(await examined(server), CheckName.CHANNELS, Status.ADVICE).remedy


async def test_no_channel_at_all(server: FakeMattermostServer, examined: Examined) -> None:
    for channel_id in (OPS, SECRET, GROUP_MESSAGE):
        server.members[channel_id].discard(HERMES)
    findings = await examined(server)
    assert "team" in one(findings, CheckName.CHANNELS, Status.ADVICE).remedy
    one(findings, CheckName.PERMISSIONS, Status.SKIPPED)


async def test_many_channels(server: FakeMattermostServer, examined: Examined) -> None:
    for number in range(20):
        server.add_channel(f"room{number}")
    assert "and 13 more" in one(await examined(server), CheckName.CHANNELS, Status.OK).what


async def test_a_state_file_that_is_none(server: FakeMattermostServer, examined: Examined) -> None:
    garbage, empty = examined.state.with_name("garbage.db"), examined.state.with_name("empty.db")
    garbage.write_text("no database" * 100)
    with closing(sqlite3.connect(empty)) as other:
        other.execute("CREATE TABLE t (x)")
    odd = examined.state.with_name("odd.db")
    order(odd, "mattermost", SECRET, "of another version", "", "", 0)  # type: ignore[arg-type]
    for examined.state in (garbage, empty, odd):
        advice, served = of(await examined(server), CheckName.CHANNELS)
        assert (advice.status, served.status) == (Status.ADVICE, Status.OK)
        assert "Start the gateway" in advice.remedy


# -- permissions


async def test_the_bot_may_not_post(server: FakeMattermostServer, examined: Examined) -> None:
    server.roles["channel_user"] = ["read_channel"]
    findings = await examined(server, allowed_channels=[OPS])
    (finding,) = of(findings, CheckName.PERMISSIONS)
    assert finding.status is Status.FAILED
    assert f"post or attach files in Ops ({OPS})" in finding.what
    assert "System Console" in finding.remedy


async def test_the_bot_may_not_attach_files(server: FakeMattermostServer, examined: Examined) -> None:
    server.roles["channel_user"] = ["create_post"]
    findings = of(await examined(server), CheckName.PERMISSIONS)
    assert len(findings) == 3
    assert all("may not attach files in" in finding.what for finding in findings)


@pytest.mark.parametrize("role", ["system_user", "team_user"])
async def test_a_role_of_the_system_or_the_team_suffices(
    server: FakeMattermostServer, examined: Examined, role: str
) -> None:
    server.roles = {role: ["create_post", "upload_file"]}
    server.members[GROUP_MESSAGE].discard(HERMES)
    only(await examined(server), CheckName.PERMISSIONS, Status.OK)
    assert len(server.called("GET", f"/teams/{TEAM}/members")) == 1


async def test_a_server_that_does_not_tell_of_roles(server: FakeMattermostServer, examined: Examined) -> None:
    server.faults.append(Fault(403, path="/roles"))
    assert "403" in only(await examined(server), CheckName.PERMISSIONS, Status.FAILED).what


# -- hostile answers and secrets


HOSTILE: list[Callable[[FakeMattermostServer], object]] = [
    lambda server: server.users[HERMES].update(username=["\x1b[2J"], roles=7),
    lambda server: server.channels[OPS].update(display_name="\x1b]0;x\x07" * 99, team_id="../x"),
    lambda server: server.channels[OPS].update(id={"a": 1}, type=None),
    lambda server: server.config.update(Version=5, MaxPostSize=None, MaxFileSize="9" * 99),
    lambda server: server.roles.update(channel_user={"x": 1}),  # type: ignore[dict-item]
    lambda server: server.users[ALICE].update(id=None),
]


@pytest.mark.parametrize("spoil", HOSTILE)
async def test_hostile_answers(
    server: FakeMattermostServer, examined: Examined, spoil: Callable[[FakeMattermostServer], object]
) -> None:
    server.channels = {channel_id: dict(channel) for channel_id, channel in server.channels.items()}
    spoil(server)
    findings = await examined(server)
    assert {finding.check for finding in findings} == set(CHECKS)
    assert all((finding.what + finding.remedy).isprintable() for finding in findings)
    assert all(len(finding.what) < 500 for finding in findings)


Break = Callable[[FakeMattermostServer], Awaitable[None] | None]
BREAKS: list[Break] = [
    lambda server: None,
    lambda server: server.revoke_token(),
    lambda server: server.disable_bot(),
    lambda server: server.stop(),
    lambda server: server.faults.append(Fault(302, headers={"Location": f"http://127.0.0.1/{TOKEN}"})),
    lambda server: server.faults.append(Fault(400, body=f'{{"id": "{TOKEN}!", "message": "{TOKEN}"}}', times=99)),
    lambda server: server.faults.append(Fault(200, body=TOKEN, path="/config", times=99)),
    lambda server: setattr(server, "ping_answer", "FAIL"),
    lambda server: setattr(server, "refuse_upgrade", (401, {})),
]


@pytest.mark.parametrize("spoil", BREAKS)
async def test_no_finding_and_no_log_shows_the_token(
    server: FakeMattermostServer, examined: Examined, caplog: pytest.LogCaptureFixture, spoil: Break
) -> None:
    caplog.set_level(logging.DEBUG)
    if (spoiling := spoil(server)) is not None:
        await spoiling
    findings = await examined(server, reply_mode="off")
    findings += await examined(server, reply_mode=TOKEN, url=TOKEN, allowed_users=[TOKEN])
    assert TOKEN not in repr(findings)
    assert TOKEN not in caplog.text
