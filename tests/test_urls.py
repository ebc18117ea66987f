"""The addresses operators write: what stays on this machine, what is shown of them, and who gets the password."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.mattermost.doctor import server
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.doctor import checks
from hermes_hardened_adapters.common.doctor.findings import Finding, Status
from hermes_hardened_adapters.common.settings.config import base_url, is_exposed, on_loopback, without_user
from pytest_aiohttp import AiohttpServer

from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, FakeSignalDaemon
from tests.hosted import created, created_mattermost, hosted

PASSWORD = "correct-horse"
HERE = ["127.0.0.1:8080", "127.8.9.1", "localhost", "LOCALHOST:80", "[::1]:8080", "[::ffff:127.0.0.1]", "a:b@127.0.0.1"]
ELSEWHERE = [
    *("127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "example.com"),
    *("10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]", "127.1", "2130706433", "signal-cli:8080", "[::ffff:10.0.0.1]"),
]


@pytest.mark.parametrize("where", HERE)
@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_what_stays_on_this_machine_is_not_exposed(where: str, scheme: str) -> None:
    assert on_loopback(f"{scheme}://{where}/path")
    assert not is_exposed(f"{scheme}://{where}/path")


@pytest.mark.parametrize("where", ELSEWHERE)
def test_plain_http_to_anywhere_else_is(where: str) -> None:
    for scheme in ("http", "HTTP", "Http"):
        assert not on_loopback(f"{scheme}://{where}")
        assert is_exposed(f"{scheme}://{where}")
        assert server.address_result(f"{scheme}://{where}").status is Status.ADVICE
    assert not is_exposed(f"https://{where}")
    assert server.address_result(f"https://{where}").status is Status.OK


def test_an_address_is_written_with_its_scheme_in_lower_case() -> None:
    assert base_url(" HTTP://Example.com:8065/path/ ", "x") == "http://Example.com:8065/path"


TORN = [
    *("http://bot:correct-horse/x@127.0.0.1", "http://bot:correct-horse?x@127.0.0.1", "http://bot:80#correct-horse@a"),
    *("http://127.0.0.1:8080?key=correct-horse", "http://127.0.0.1\\@example.com", "http://[correct-horse"),
]
"""Passwords with characters that must be written as `%..`, and secrets where they do not belong."""


@pytest.mark.parametrize(
    "value", ["", "example.com", "ftp://example.com", "http://", "http://x:99999", "http://x:0", *TORN]
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(ValueError) as refused:
        base_url(value, "http://127.0.0.1:8080")
    assert "correct" not in str(refused.value)


def test_what_is_shown_has_no_password() -> None:
    assert without_user("http://u:p%40@127.0.0.1:1/a?b#c") == "http://127.0.0.1:1/a?b#c"
    assert without_user("http://127.0.0.1:1") == "http://127.0.0.1:1"


def signed(url: str, user: str = "bot") -> str:
    return url.replace("://", f"://{user}:{PASSWORD}@")


async def test_the_daemon_gets_the_password_and_the_log_does_not(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    async with FakeSignalDaemon() as daemon:
        plain = daemon.url
        monkeypatch.setattr(daemon, "url", signed(plain))
        async with hosted(daemon) as host:
            assert host.adapter.http_url == plain
            assert (await host.adapter.send(ALICE, "hello")).success
        ((_, headers, _), *_) = daemon.event_requests
        assert base64.b64decode(headers["Authorization"].split()[1]).decode() == f"bot:{PASSWORD}"
    assert "Signal adapter initialized" in caplog.text
    assert PASSWORD not in caplog.text


async def test_no_network_logs_its_password(hermes_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    _, signal = created(signed("http://127.0.0.1:9"))
    _, mattermost = created_mattermost(FakeMattermostServer(url=signed("http://127.0.0.1:9")))
    for adapter in (signal, mattermost):
        assert await adapter.connect() is False or adapter is signal
        assert PASSWORD not in str(adapter.fatal_error_message)
        await adapter.disconnect()
    assert PASSWORD not in caplog.text


async def test_the_health_check_has_the_password_and_follows_no_redirect(aiohttp_server: AiohttpServer) -> None:
    asked: list[tuple[str, str | None]] = []
    answers = {"/api/v1/check": web.Response()}

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers.get("Authorization")))
        return answers.get(request.path) or web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    server = await aiohttp_server(app)
    async with SignalClient(signed(str(server.make_url("")).rstrip("/")), ACCOUNT) as client:
        assert PASSWORD not in client.base_url
        assert await client.check()
        assert asked[-1][1]
        answers["/api/v1/check"] = web.Response(status=302, headers={"Location": "/inside"})
        assert not await client.check()
    assert [path for path, _ in asked] == ["/api/v1/check"] * 2


async def examined(url: str, state: Path) -> list[Finding]:
    environment = {"SIGNAL_HTTP_URL": url, "SIGNAL_ACCOUNT": ACCOUNT, "SIGNAL_ALLOWED_USERS": ALICE}
    return [finding async for finding in checks.examine({}, environment, state)]


async def test_signals_plain_http_beyond_this_machine_is_reported(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeSignalDaemon() as daemon:
        async with hosted(daemon):
            assert "plain http" not in caplog.text
        assert "signal.address" not in {finding.check for finding in await examined(daemon.url, hermes_home / "s")}
        # That is this machine, too, but nothing says so.
        elsewhere = signed(daemon.url).replace("127.0.0.1", "0.0.0.0")
        monkeypatch.setattr(daemon, "url", elsewhere)
        async with hosted(daemon):
            assert "SIGNAL_HTTP_URL is plain http beyond this machine" in caplog.text
        findings = await examined(elsewhere, hermes_home / "s")
        (finding,) = (finding for finding in findings if finding.check == "signal.address")
        assert (finding.status, "plain http beyond this machine" in finding.what) == (Status.ADVICE, True)
        assert PASSWORD not in str(findings)
