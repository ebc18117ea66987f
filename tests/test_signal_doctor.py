"""Each check of Signal's doctor: the thing is broken, the remedy is seen."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.signal.doctor import files as file_checks
from hermes_hardened_adapters.adapters.signal.doctor.checks import CheckName, examine
from hermes_hardened_adapters.adapters.signal.doctor.context import command_lines
from hermes_hardened_adapters.common.doctor.findings import Finding, Status
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    BOB,
    BOB_ACI,
    CAROL,
    CAROL_ACI,
    GROUP,
    KEEPALIVE,
    OWN_ACI,
    FakeSignalDaemon,
    RpcFault,
    contact,
    frame,
    group,
)


@pytest.fixture
def daemon(daemon_with_profile: FakeSignalDaemon) -> FakeSignalDaemon:
    return daemon_with_profile


AWKWARD_GROUP = base64.b64encode(bytes(range(220, 252))).decode()
"""With a plus sign, a slash and padding."""
OTHER_GROUP = base64.b64encode(bytes(range(100, 132))).decode()


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    store = Store(tmp_path / "hardened_adapters" / "state.db")
    await store.open()
    await store.close()
    return store.path


class Clinic:
    """Examines set-ups. On this machine the daemon runs as advised, and no gateway is connected."""

    def __init__(self, daemon: FakeSignalDaemon, state: Path, folder: Path) -> None:
        port = daemon.url.rpartition(":")[2]
        command = (
            "java -cp /opt/signal-cli.jar org.asamk.signal.Main daemon --receive-mode on-connection --no-receive-stdout"
        )
        self.daemon = daemon
        self.state = state
        self.replaced: dict[str, Any] = {
            "commands": lambda: [("/sbin/init",), (*command.split(), "--http", f"127.0.0.1:{port}")],
            "which": lambda name: f"/usr/bin/{name}",
            "listening": lambda: False,
            "paired": lambda: 0,
            "outgoing": lambda: folder,
            "streaming_lacks": lambda: ("`display.platforms.signal.streaming: true`",),
            "headers_within": 0.5,
            "keepalive_within": 0.5,
            "answer_within": 0.5,
        }
        self.environment = {
            "SIGNAL_HTTP_URL": daemon.url,
            "SIGNAL_ACCOUNT": ACCOUNT,
            "SIGNAL_ALLOWED_USERS": ALICE,
            "SIGNAL_GROUP_ALLOWED_USERS": GROUP,
        }
        self.extra: dict[str, Any] = {}

    async def examine(self, **environment: str) -> list[Finding]:
        settings = {**self.environment, **environment}
        return [f async for f in examine(self.extra, settings, self.state, **self.replaced)]

    def replace(self, **fields: Any) -> None:
        """Replace fields of the checks' context."""
        self.replaced |= fields

    async def only(self, check: CheckName, status: Status, **environment: str) -> Finding:
        """The one finding of a check with that status."""
        findings = [f for f in await self.examine(**environment) if f.check == check and f.status is status]
        assert len(findings) == 1, findings
        return findings[0]

    async def failed(self, check: CheckName, **environment: str) -> Finding:
        finding = await self.only(check, Status.FAILED, **environment)
        assert finding.remedy.endswith(".")
        return finding

    async def advised(self, check: CheckName, **environment: str) -> Finding:
        finding = await self.only(check, Status.ADVICE, **environment)
        assert finding.remedy.endswith(".")
        return finding

    def remember(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.state) as connection:
            connection.execute(statement, values)
        connection.close()

    def answer(self, method: str, handler: Callable[[dict[str, Any]], Awaitable[Any]]) -> None:
        self.daemon.handlers[method] = handler

    def refuse(self, method: str, code: int, message: str = "") -> None:
        async def refused(_: dict[str, Any]) -> Any:
            raise RpcFault(code, message)

        self.answer(method, refused)


@pytest.fixture
def clinic(daemon: FakeSignalDaemon, state: Path, tmp_path: Path) -> Clinic:
    return Clinic(daemon, state, tmp_path)


def statuses(findings: list[Finding]) -> dict[str, list[Status]]:
    result: dict[str, list[Status]] = {}
    for finding in findings:
        result.setdefault(finding.check, []).append(finding.status)
    return result


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


# -- a healthy set-up


async def test_a_healthy_set_up_is_all_in_order(clinic: Clinic) -> None:
    clinic.replace(listening=lambda: True)
    examination = asyncio.create_task(clinic.examine())
    await clinic.daemon.streams_open(1)
    await clinic.daemon.emit(KEEPALIVE)
    found = statuses(await examination)
    assert found == {check: [Status.OK] for check in found}
    assert set(found) == set(CheckName) - {CheckName.HOST, CheckName.ADDRESS, CheckName.PROFILE}


async def test_nothing_is_sent_or_changed_and_no_message_is_taken(clinic: Clinic, tmp_path: Path) -> None:
    before = files(tmp_path)
    found = statuses(await clinic.examine())
    assert found[CheckName.STREAM] == [Status.SKIPPED]
    assert clinic.daemon.event_requests == []
    reading = {"version", "listAccounts", "listContacts", "listDevices", "listGroups", "getUserStatus"}
    assert {call.method for call in clinic.daemon.calls} - reading == {"uploadStickerPack"}
    assert files(tmp_path) == before


async def test_neither_numbers_nor_ids_are_told_in_full(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clinic.daemon.groups = [group(OTHER_GROUP)]
    clinic.remember("INSERT INTO identity VALUES (?, ?, 2, ?)", BOB, BOB_ACI, CAROL_ACI)
    named = f"{ALICE},{BOB},{CAROL},{CAROL_ACI.replace('4', '5')}"
    told = str(await clinic.examine(SIGNAL_ALLOWED_USERS=named)) + caplog.text
    for secret in (ACCOUNT, ALICE, BOB, CAROL, BOB_ACI, CAROL_ACI, GROUP, OTHER_GROUP):
        assert secret not in told
    assert "SIGNAL_ALLOWED_USERS entry 2 (+1555…3333)" in told


# -- settings


async def test_every_fault_of_the_settings_is_a_finding_under_its_own_key(clinic: Clinic) -> None:
    clinic.extra = {"sse_streams": 3, "allow_admin_from": ["joe"]}
    findings = await clinic.examine(SIGNAL_ACCOUNT="me", SIGNAL_ALLOWED_USERS=f"{ALICE},x,y", SIGNAL_ALOWED_USERS="x")
    failed = [f for f in findings if f.status is Status.FAILED]
    assert {f.what.partition(":")[0] for f in failed} == {
        *("SIGNAL_ACCOUNT", "SIGNAL_ALLOWED_USERS", "SIGNAL_ALOWED_USERS"),
        *("signal.sse_streams", "signal.allow_admin_from"),
    }
    assert any("entry 2" in f.what and "entry 3" in f.what for f in failed)
    assert statuses(findings)[CheckName.DAEMON] == [Status.SKIPPED]
    assert clinic.daemon.calls == []


async def test_what_is_missing_is_named(clinic: Clinic) -> None:
    finding = await clinic.failed(CheckName.SETTINGS, SIGNAL_ACCOUNT="")
    assert finding.what == "SIGNAL_ACCOUNT: is not set."
    assert "Set SIGNAL_ACCOUNT" in finding.remedy


async def test_a_variable_that_the_host_shows_among_the_extras_keeps_its_name(clinic: Clinic) -> None:
    clinic.extra = {"account": "me"}
    assert (await clinic.failed(CheckName.SETTINGS, SIGNAL_ACCOUNT="me")).what.startswith("SIGNAL_ACCOUNT:")
    assert (await clinic.failed(CheckName.SETTINGS)).what.startswith("signal.account:")


@pytest.mark.parametrize(
    "written",
    [
        AWKWARD_GROUP.rstrip("="),
        base64.urlsafe_b64encode(base64.b64decode(AWKWARD_GROUP)).decode(),
        "group." + base64.b64encode(AWKWARD_GROUP.encode()).decode(),
    ],
)
async def test_the_group_id_that_was_meant_is_told(clinic: Clinic, written: str) -> None:
    assert written != AWKWARD_GROUP
    finding = await clinic.failed(CheckName.SETTINGS, SIGNAL_GROUP_ALLOWED_USERS=f"{GROUP},{written}")
    assert finding.remedy == f"Write entry 2 as `{AWKWARD_GROUP}`."


async def test_nonsense_for_a_group_id_is_not_corrected(clinic: Clinic) -> None:
    finding = await clinic.failed(CheckName.SETTINGS, SIGNAL_GROUP_ALLOWED_USERS="the family,group.x")
    assert finding.remedy.startswith("Correct SIGNAL_GROUP_ALLOWED_USERS")


# -- who may talk


async def test_nobody_may_talk(clinic: Clinic) -> None:
    assert "Set SIGNAL_ALLOWED_USERS" in (await clinic.failed(CheckName.ALLOWED, SIGNAL_ALLOWED_USERS="")).remedy


async def test_only_paired_people_may_talk(clinic: Clinic) -> None:
    clinic.replace(paired=lambda: 2)
    assert "2 people paired" in (await clinic.advised(CheckName.ALLOWED, SIGNAL_ALLOWED_USERS="")).what


async def test_only_members_may_talk(clinic: Clinic) -> None:
    nobody = {"SIGNAL_ALLOWED_USERS": "", "SIGNAL_GROUP_ALLOWED_USERS": "", "SIGNAL_GROUP_MEMBERS": "open"}
    await clinic.failed(CheckName.ALLOWED, **nobody)
    found = await clinic.advised(CheckName.ALLOWED, SIGNAL_ALLOWED_USERS="", SIGNAL_GROUP_MEMBERS="open")
    assert "members" in found.what


@pytest.mark.parametrize("name", ["SIGNAL_ALLOWED_USERS", "GATEWAY_ALLOWED_USERS"])
async def test_a_wildcard_is_advised_against(clinic: Clinic, name: str) -> None:
    assert "Everybody" in (await clinic.advised(CheckName.ALLOWED, **{name: "*"})).what


@pytest.mark.parametrize("name", ["SIGNAL_ALLOW_ALL_USERS", "GATEWAY_ALLOW_ALL_USERS"])
async def test_letting_everybody_in_is_advised_against(clinic: Clinic, name: str) -> None:
    assert name in (await clinic.advised(CheckName.ALLOWED, SIGNAL_ALLOWED_USERS="", **{name: "true"})).what


# -- the daemon


async def test_nothing_listens_there(clinic: Clinic) -> None:
    await clinic.daemon.stop()
    finding = await clinic.failed(CheckName.DAEMON)
    assert "Start `signal-cli daemon --http" in finding.remedy
    assert "SIGNAL_HTTP_URL" in finding.remedy
    assert statuses(await clinic.examine())[CheckName.ACCOUNT] == [Status.SKIPPED]


async def test_it_takes_requests_and_does_not_answer(clinic: Clinic) -> None:
    async def never(_: dict[str, Any]) -> Any:
        await asyncio.sleep(60)

    clinic.answer("version", never)
    clinic.replace(answer_within=0.1)
    assert "restart it" in (await clinic.failed(CheckName.DAEMON)).remedy


@pytest.fixture
async def another_server() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Starts an HTTP server that answers these paths with these statuses, anything else with 404."""
    runners = []

    async def serve(**paths: int) -> str:
        async def answer(request: web.Request) -> web.Response:
            status = paths.get(request.path.rpartition("/")[2], paths.get("everything", 404))
            return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runners.append(runner := web.AppRunner(app, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("paths", "remedy"),
    [
        ({"about": 200}, "Run `signal-cli daemon --http"),
        ({}, "Run `signal-cli daemon --http"),
        ({"check": 200}, "Run `signal-cli daemon --http"),
        ({"everything": 302}, "Set SIGNAL_HTTP_URL to the final address"),
        ({"everything": 401}, "Allow this bot through the proxy"),
        ({"everything": 403}, "Allow this bot through the proxy"),
        ({"everything": 502}, "Check the log of signal-cli or of the proxy"),
        ({"check": 200, "rpc": 403}, "Allow this bot through the proxy"),
        ({"everything": 200}, "Check the log of signal-cli, and of a proxy"),
    ],
)
async def test_something_else_answers(
    clinic: Clinic, another_server: Callable[..., Awaitable[str]], paths: dict[str, int], remedy: str
) -> None:
    url = await another_server(**paths)
    finding = await clinic.failed(CheckName.DAEMON, SIGNAL_HTTP_URL=url)
    assert finding.remedy.startswith(remedy)
    assert ("bbernhard's signal-cli-rest-api, which" in finding.what) == ("about" in paths)


async def test_what_answers_is_no_http(clinic: Clinic) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert "as an HTTP server does" in (await clinic.failed(CheckName.DAEMON, SIGNAL_HTTP_URL=url)).what


async def test_a_pinned_host_is_got_round(clinic: Clinic) -> None:
    clinic.daemon.pinned_host = "signal-cli:8080"
    assert "works because" in (await clinic.advised(CheckName.HOST)).what
    assert statuses(await clinic.examine())[CheckName.ACCOUNT] == [Status.OK]


async def test_a_pinned_host_that_is_not_got_round(
    clinic: Clinic, another_server: Callable[..., Awaitable[str]]
) -> None:
    finding = await clinic.failed(CheckName.DAEMON, SIGNAL_HTTP_URL=await another_server(check=200, rpc=421))
    assert "as well" in finding.what
    assert "Bind signal-cli to 0.0.0.0" in finding.remedy


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("0.13.18", "older than 0.13.19"),
        ("0.13.19", "by phone number"),
        ("0.14.3", "up to 15 seconds late."),
        ("", "does not report"),
        (None, "does not report"),
    ],
)
async def test_old_versions(clinic: Clinic, version: object, what: str) -> None:
    async def told(_: dict[str, Any]) -> Any:
        return {"version": version}

    clinic.answer("version", told)
    assert what in (await clinic.advised(CheckName.VERSION)).what


# -- the account


@pytest.mark.parametrize(
    ("accounts", "what"), [([], "0 accounts"), ([BOB], "1 account,"), ([BOB, CAROL], "2 accounts")]
)
async def test_the_daemon_has_other_accounts(clinic: Clinic, accounts: list[str], what: str) -> None:
    clinic.daemon.accounts = accounts
    finding = await clinic.failed(CheckName.ACCOUNT)
    assert what in finding.what
    assert "Link or register" in finding.remedy
    found = statuses(await clinic.examine())
    assert found[CheckName.VERSION] == [Status.OK]
    assert found[CheckName.PEOPLE] == [Status.SKIPPED]


async def test_the_account_is_one_of_several(clinic: Clinic) -> None:
    clinic.daemon.accounts = [BOB, ACCOUNT]
    assert statuses(await clinic.examine())[CheckName.ACCOUNT] == [Status.OK]


async def test_an_account_by_aci(clinic: Clinic) -> None:
    clinic.daemon.accounts = [ACCOUNT]
    assert statuses(await clinic.examine(SIGNAL_ACCOUNT=OWN_ACI))[CheckName.ACCOUNT] == [Status.OK]
    clinic.refuse("listContacts", -32602, "Specified account does not exist")
    assert "Link or register" in (await clinic.failed(CheckName.ACCOUNT, SIGNAL_ACCOUNT=OWN_ACI)).remedy


async def test_a_daemon_started_for_another_account(clinic: Clinic) -> None:
    clinic.daemon.contacts = [contact(BOB, BOB_ACI, "Bob")]
    assert "Start the daemon for this account" in (await clinic.failed(CheckName.ACCOUNT)).remedy


async def test_contacts_that_cannot_be_listed(clinic: Clinic) -> None:
    clinic.refuse("listContacts", -1)
    assert "error -1" in (await clinic.failed(CheckName.ACCOUNT)).what


async def test_the_own_aci_is_unknown(clinic: Clinic) -> None:
    clinic.daemon.contacts = [contact(ACCOUNT, None, "Bot")]
    assert "own ACI" in (await clinic.advised(CheckName.ACCOUNT)).what


@pytest.mark.parametrize("profile", [None, {"givenName": None}, {"givenName": ""}, "odd"])
async def test_an_account_without_a_profile_name(clinic: Clinic, profile: object) -> None:
    clinic.daemon.contacts[0]["profile"] = profile
    assert "updateProfile --given-name" in (await clinic.advised(CheckName.PROFILE)).remedy


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        (-3, "Upload error: No connection!", "Check its internet connection"),
        (-3, "[403] Authorization failed!", "Link it again"),
    ],
)
async def test_the_daemon_is_cut_off_from_signal(clinic: Clinic, code: int, message: str, remedy: str) -> None:
    clinic.refuse("listDevices", code, message)
    assert (await clinic.failed(CheckName.NETWORK)).remedy.startswith(remedy)


async def test_a_daemon_that_cannot_tell_whether_it_is_cut_off(clinic: Clinic) -> None:
    clinic.refuse("listDevices", -32601)
    await clinic.only(CheckName.NETWORK, Status.SKIPPED)


# -- people


async def test_a_number_known_from_its_envelopes_needs_no_directory(clinic: Clinic) -> None:
    clinic.remember("INSERT INTO identity VALUES (?, ?, 2, NULL)", BOB, BOB_ACI)
    found = await clinic.only(CheckName.PEOPLE, Status.OK, SIGNAL_ALLOWED_USERS=BOB)
    assert "resolved" in found.what
    assert clinic.daemon.called("getUserStatus") == []


async def test_a_number_known_only_by_its_pni(clinic: Clinic) -> None:
    clinic.daemon.statuses[BOB] = BOB_ACI
    clinic.daemon.contacts.append(contact(BOB, None))
    finding = await clinic.advised(CheckName.PEOPLE, SIGNAL_ALLOWED_USERS=BOB)
    assert "only the PNI" in finding.what
    assert "write to the bot first" in finding.remedy


async def test_a_pni_on_the_list(clinic: Clinic) -> None:
    clinic.daemon.statuses[BOB] = BOB_ACI
    findings = await clinic.examine(SIGNAL_ALLOWED_USERS=f"{BOB},{BOB_ACI.upper()}")
    failed = [f for f in findings if f.status is Status.FAILED]
    assert ["is a PNI" in f.what for f in failed] == [True]
    assert "entry 2" in failed[0].what


async def test_a_number_that_the_daemon_resolves_when_asked(clinic: Clinic) -> None:
    async def learns(params: dict[str, Any]) -> Any:
        clinic.daemon.contacts.append(contact(BOB, BOB_ACI))
        return [{"recipient": number, "number": number, "uuid": BOB_ACI} for number in params["recipient"]]

    clinic.answer("getUserStatus", learns)
    found = statuses(await clinic.examine(SIGNAL_ALLOWED_USERS=f"{BOB},{BOB_ACI}"))
    assert found[CheckName.PEOPLE] == [Status.OK, Status.OK]


async def test_a_number_that_is_not_on_signal(clinic: Clinic) -> None:
    assert "not found on Signal" in (await clinic.advised(CheckName.PEOPLE, SIGNAL_ALLOWED_USERS=BOB)).what


async def test_a_directory_that_cannot_be_asked(clinic: Clinic) -> None:
    clinic.refuse("getUserStatus", -5)
    found = await clinic.only(CheckName.PEOPLE, Status.SKIPPED, SIGNAL_ALLOWED_USERS=BOB)
    assert "could not be asked" in found.what


async def test_a_number_that_moved_to_another_aci(clinic: Clinic) -> None:
    clinic.remember("INSERT INTO identity VALUES (?, ?, 2, ?)", ALICE, ALICE_ACI, BOB_ACI)
    assert "hermes adapters people confirm" in (await clinic.failed(CheckName.PEOPLE)).remedy
    named = f"{ALICE},{BOB_ACI}"
    assert statuses(await clinic.examine(SIGNAL_ALLOWED_USERS=named))[CheckName.PEOPLE] == [Status.OK, Status.OK]


async def test_people_on_every_list_are_looked_at(clinic: Clinic) -> None:
    clinic.extra = {"allow_admin_from": [ALICE], "group_allow_admin_from": [BOB]}
    findings = await clinic.examine(GATEWAY_ALLOWED_USERS=f"joe,{CAROL}")
    told = " ".join(f.what for f in findings if f.check == CheckName.PEOPLE)
    assert "SIGNAL_ALLOWED_USERS entry 1 and signal.allow_admin_from entry 1 (+1555…2222)" in told
    assert "signal.group_allow_admin_from entry 1" in told
    assert "GATEWAY_ALLOWED_USERS entry 2" in told


# -- groups


async def test_a_listed_group_that_is_not_joined(clinic: Clinic) -> None:
    finding = await clinic.failed(CheckName.GROUPS, SIGNAL_GROUP_ALLOWED_USERS=f"{GROUP},{OTHER_GROUP}")
    assert "entry 2" in finding.what
    assert "add the bot's account" in finding.remedy


async def test_a_listed_group_the_account_was_removed_from(clinic: Clinic) -> None:
    clinic.daemon.groups = [group(members=((ALICE, ALICE_ACI),), is_member=False)]
    assert "not in" in (await clinic.failed(CheckName.GROUPS)).what


async def test_a_listed_group_the_account_is_only_invited_to(clinic: Clinic) -> None:
    pending = ((ACCOUNT, OWN_ACI),)
    clinic.daemon.groups = [group(members=((ALICE, ALICE_ACI),), pending=pending, is_member=False)]
    assert "updateGroup" in (await clinic.failed(CheckName.GROUPS)).remedy


async def test_a_group_whose_state_is_unknown_is_fetched_anew(clinic: Clinic) -> None:
    clinic.daemon.groups = [group(name=None, members=(), is_member=False)]
    assert "may still be a member" in (await clinic.advised(CheckName.GROUPS)).what
    assert clinic.daemon.called("listGroups")[-1]["groupId"] == [GROUP]


async def test_groups_joined_but_not_served(clinic: Clinic) -> None:
    clinic.daemon.groups.append(group(OTHER_GROUP))
    finding = await clinic.advised(CheckName.GROUPS)
    assert finding.what.startswith("1 group joined but not served")
    assert "hermes adapters groups approve" in finding.remedy


@pytest.mark.parametrize("status", ["approved", "granted"])
async def test_a_group_approved_at_run_time_is_served(clinic: Clinic, status: str) -> None:
    clinic.daemon.groups.append(group(OTHER_GROUP))
    clinic.remember("INSERT INTO chat_group VALUES ('signal', ?, ?, NULL, 0)", OTHER_GROUP, status)
    assert statuses(await clinic.examine())[CheckName.GROUPS] == [Status.OK]


async def test_an_invitation_that_waits(clinic: Clinic) -> None:
    pending = ((None, OWN_ACI),)
    clinic.daemon.groups.append(group(OTHER_GROUP, members=((ALICE, ALICE_ACI),), pending=pending, is_member=False))
    assert "1 pending invitation" in (await clinic.advised(CheckName.GROUPS)).what


async def test_every_group_is_served(clinic: Clinic) -> None:
    assert "instead of `*`" in (await clinic.advised(CheckName.GROUPS, SIGNAL_GROUP_ALLOWED_USERS="*")).remedy


# -- files


async def test_files_that_the_daemon_cannot_read(clinic: Clinic, tmp_path: Path) -> None:
    async def elsewhere(params: dict[str, Any]) -> Any:
        assert Path(params["path"]).parent == tmp_path
        raise RpcFault(-3, "Upload error: " + params["path"])

    clinic.answer("uploadStickerPack", elsewhere)
    assert "mount the folder there under the same path" in (await clinic.failed(CheckName.FILES)).remedy


async def test_files_of_which_the_daemon_tells_nothing(clinic: Clinic) -> None:
    clinic.refuse("uploadStickerPack", -32601)
    assert "under exactly this path" in (await clinic.advised(CheckName.FILES)).remedy


async def test_a_folder_that_is_not_there(clinic: Clinic, tmp_path: Path) -> None:
    clinic.replace(outgoing=lambda: tmp_path / "absent")
    assert "write permission" in (await clinic.failed(CheckName.FILES)).remedy


def test_the_file_that_is_shown_can_never_be_uploaded() -> None:
    with zipfile.ZipFile(io.BytesIO(file_checks._empty_sticker_pack())) as pack:
        assert json.loads(pack.read("manifest.json")) == {"stickers": []}


async def test_no_ffmpeg(clinic: Clinic) -> None:
    clinic.replace(which=lambda _: None)
    assert "Install ffmpeg" in (await clinic.advised(CheckName.FFMPEG)).remedy


# -- receiving


def run_as(clinic: Clinic, command: str) -> None:
    port = clinic.daemon.url.rpartition(":")[2]
    clinic.replace(commands=lambda: [tuple(command.replace("PORT", port).split())])


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("signal-cli daemon --http 127.0.0.1:PORT --no-receive-stdout", "Start it with `--receive-mode on-connection`"),
        (
            "signal-cli daemon --http=127.0.0.1:PORT --receive-mode=on-start --no-receive-stdout",
            "Start it with `--receive-mode on-connection`",
        ),
        ("signal-cli daemon --http 127.0.0.1:PORT --receive-mode manual", "Start it with `--no-receive-stdout`"),
        ("signal-cli daemon --http 127.0.0.1:1", "Make sure it does"),
        ("signal-cli daemon --http", "Make sure it does"),
        ("signal-cli daemon --socket", "Make sure it does"),
        ("editor signal-cli --http 127.0.0.1:PORT", "Make sure it does"),
        ("", "Make sure it does"),
    ],
)
async def test_how_the_daemon_was_started(clinic: Clinic, command: str, remedy: str) -> None:
    run_as(clinic, command)
    assert (await clinic.advised(CheckName.RECEIVE_MODE)).remedy.startswith(remedy)


async def test_the_command_lines_of_another_machine_are_not_looked_at(clinic: Clinic) -> None:
    port = clinic.daemon.url.rpartition(":")[2]
    finding = await clinic.advised(CheckName.RECEIVE_MODE, SIGNAL_HTTP_URL=f"http://signal-cli.invalid:{port}")
    assert "cannot be seen from here" in finding.what


def test_command_lines_of_this_machine() -> None:
    assert any("pytest" in word for words in command_lines() for word in words)


async def test_a_stream_that_is_refused(clinic: Clinic) -> None:
    clinic.replace(listening=lambda: True)
    clinic.daemon.refuse_events = 400
    assert "link or register it there" in (await clinic.failed(CheckName.STREAM)).remedy.lower()


async def test_a_stream_whose_headers_never_come(clinic: Clinic) -> None:
    clinic.replace(listening=lambda: True, headers_within=0.1)
    clinic.daemon.header_delay = 1
    assert "another client" in (await clinic.failed(CheckName.STREAM)).remedy


async def test_a_stream_whose_headers_come_late(clinic: Clinic) -> None:
    seconds = iter(range(0, 1000, 7))
    clinic.replace(listening=lambda: True, clock=lambda: float(next(seconds)))
    finding = await clinic.advised(CheckName.STREAM)
    assert "seconds to answer a subscription" in finding.what


async def test_a_stream_that_stays_silent(clinic: Clinic) -> None:
    clinic.replace(listening=lambda: True, keepalive_within=0.1)
    assert "Stop other clients" in (await clinic.failed(CheckName.STREAM)).remedy


async def test_a_stream_that_breaks(clinic: Clinic) -> None:
    clinic.replace(listening=lambda: True, keepalive_within=5)
    examination = asyncio.create_task(clinic.failed(CheckName.STREAM))
    await clinic.daemon.streams_open(1)
    clinic.daemon.drop_streams()
    assert "Check the log" in (await examination).remedy


async def test_what_the_stream_brings_is_passed_over(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clinic.replace(listening=lambda: True)
    examination = asyncio.create_task(clinic.examine())
    await clinic.daemon.streams_open(1)
    await clinic.daemon.emit(frame({"envelope": {"dataMessage": {"message": "a secret"}}}))
    findings = await examination
    assert statuses(findings)[CheckName.STREAM] == [Status.OK]
    assert "a secret" not in str(findings) + caplog.text


# -- a check that breaks off


async def test_a_check_that_breaks_off_is_a_finding_and_the_rest_goes_on(clinic: Clinic) -> None:
    def broken() -> Path:
        raise ZeroDivisionError("with a secret")

    clinic.replace(outgoing=broken)
    findings = await clinic.examine()
    failed = [f for f in findings if f.status is Status.FAILED]
    assert [f.what for f in failed] == ["The check stopped with ZeroDivisionError."]
    assert findings[-1].check == CheckName.STREAM


@pytest.mark.parametrize("nonsense", [None, 7, "x", [], [7, None, {}], {"x": []}])
async def test_a_daemon_that_talks_nonsense(clinic: Clinic, nonsense: object) -> None:
    async def babble(_: dict[str, Any]) -> Any:
        return nonsense

    for method in ("listAccounts", "listGroups", "getUserStatus", "listDevices"):
        clinic.answer(method, babble)
    for method in ("version", "listContacts", "uploadStickerPack"):
        findings = await clinic.examine()
        assert not any("The check stopped" in f.what for f in findings)
        clinic.answer(method, babble)
    assert not any("The check stopped" in f.what for f in await clinic.examine())


@pytest.mark.parametrize(
    ("ours", "lacks", "advised"),
    [
        ("true", ("`a.b: true`", "`c.d: true`"), "Set `a.b: true` and `c.d: true` in config.yaml."),
        ("false", (), "Set SIGNAL_STREAMING=true, or `display.platforms.signal.streaming: false` in config.yaml."),
        ("true", (), ""),
        ("false", ("`a.b: true`",), ""),
    ],
)
async def test_answers_grow_in_both_programs_or_in_none(
    clinic: Clinic, ours: str, lacks: tuple[str, ...], advised: str
) -> None:
    clinic.replace(streaming_lacks=lambda: lacks)
    status = Status.ADVICE if advised else Status.OK
    assert (await clinic.only(CheckName.STREAMING, status, SIGNAL_STREAMING=ours)).remedy == advised
