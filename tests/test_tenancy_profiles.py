"""One person writes to the bots of two profiles of one gateway: what one is told, the other never sees."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy import profiles, recall, session
from hermes_hardened_adapters.common.host.tenancy.managing import overview
from hermes_hardened_adapters.common.tenancy.chats import Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, Contexts

from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import ALICE, ALICE_ACI, GROUP, FakeSignalDaemon, contact, group
from tests.gateway_process import GatewayProcess, gateway_config, merged, signal_env
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, Person, in_group
from tests.scripted_tools import asks, says
from tests.stored_sessions import StoredSessions
from tests.tenancy_host import gateway, in_chat
from tests.test_tenancy_gateway import TOOLS, Chats

OTHER = Person("the other bot", "99999999-9999-4999-8999-999999999999", "+15550007777")
BOTS = {"default": BOT_ITSELF, "other": OTHER}


def success(answer: str) -> bool:
    return '"success": true' in answer


class Bot(Chats):
    """The same person, and the same group, with the bot of one profile."""

    def __init__(self, profile: str, daemon: FakeSignalDaemon, running: GatewayProcess) -> None:
        super().__init__(daemon, running)
        self.profile = profile
        self.mark = f"harbour of {BOTS[profile].name}"

    async def ask(self, event: dict[str, Any]) -> str:
        return await super().ask(event | {"account": BOTS[self.profile].number})

    async def group(self, text: str) -> str:
        return await self.ask(in_group(ALICE_A, f"{BOT} {text}", BOTS[self.profile]))


def daemon_of(bot: Person) -> FakeSignalDaemon:
    assert bot.number is not None
    members = (bot.address, ALICE_A.address)
    return FakeSignalDaemon(
        account=bot.number,
        contacts=[contact(bot.number, bot.aci, bot.name), contact(ALICE, ALICE_ACI, "Alice")],
        groups=[group(members=members)],
    )


@asynccontextmanager
async def two_bots(home: Path, model: EchoModel, daemons: dict[str, FakeSignalDaemon]) -> AsyncIterator[list[Bot]]:
    """Run a gateway with both profiles."""
    homes = {"default": home, "other": home / "profiles" / "other"}
    homes["other"].mkdir(parents=True, exist_ok=True)
    for name, daemon in daemons.items():
        settings = signal_env(
            daemon.url, str(BOTS[name].number), users=ALICE, groups=GROUP, SIGNAL_REQUIRE_MENTION="true"
        )
        (homes[name] / ".env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    (homes["other"] / "config.yaml").write_text(json.dumps(merged(gateway_config(model.base_url, plugin=True), TOOLS)))
    config = merged(TOOLS, {"gateway": {"multiplex_profiles": True}})
    async with GatewayProcess(model.base_url, env={}, home=home, config=config) as running:
        for daemon in daemons.values():
            await daemon.streams_open(1)
        yield [Bot(name, daemon, running) for name, daemon in daemons.items()]


def of(bot: Bot, model: EchoModel) -> list[str]:
    """Return the model requests of a profile. Its own words are in each."""
    requests = [json.dumps(request["messages"], ensure_ascii=False) for request in model.requests]
    return [request for request in requests if bot.mark in request]


async def test_two_bots_share_nothing(tmp_path: Path) -> None:
    daemons = {name: daemon_of(bot) for name, bot in BOTS.items()}
    async with EchoModel(asks) as model, daemons["default"], daemons["other"]:
        async with two_bots(tmp_path, model, daemons) as bots:
            for bot in bots:
                for say in (bot.direct, bot.group):
                    await say(f"hello, {bot.mark}")
                    assert success(await say(says("memory", action="add", target="memory", content=bot.mark)))
        # Hermes may look up sessions anew.
        async with two_bots(tmp_path, model, daemons) as bots:
            for bot in bots:
                for say in (bot.direct, bot.group):
                    before = len(model.requests)
                    await say("still there?")
                    assert f"hello, {bot.mark}" in json.dumps(model.requests[before]["messages"])
            for bot in bots:
                for say in (bot.direct, bot.group):
                    await say("/new")
                    answer = await say(says("session_search", query="harbour", limit=10))
                    assert bot.mark in answer
                    assert '"count": 1' in answer
            for bot, another in (bots, bots[::-1]):
                assert of(bot, model)
                assert not [request for request in of(bot, model) if another.mark in request]


# -- one database of all profiles, as before 0.20.6


@pytest.fixture
def shared(hermes_home: Path) -> Iterator[StoredSessions]:
    """Fill the database of the default profile with sessions of one chat with the bots of three profiles."""
    for name in ("other", "third"):
        (hermes_home / "profiles" / name).mkdir(parents=True)
    with StoredSessions(hermes_home) as stored:
        keep(stored, "first", "agent:main:signal:dm:alice")
        keep(stored, "second", "agent:other:signal:dm:alice", "other")
        keep(stored, "second, by its key alone", "agent:other:signal:dm:alice")
        keep(stored, "third", "agent:third:signal:dm:alice", "third")
        keep(stored, "without a key", None, "other")
        keep(stored, "with nothing", None)
        keep(stored, "of two profiles", "agent:fourth:signal:dm:alice", "other")
        yield stored
    recall.close()


def keep(stored: StoredSessions, name: str, key: str | None, profile: str | None = None) -> None:
    stored.add(name, "alice", [("user", f"harbour: {name}")], kind="dm")
    origin = {"chat_id": "alice", "chat_name": f"Alice, {name}", "profile": profile}
    stored.write("UPDATE sessions SET session_key = ?, origin_json = ? WHERE id = ?", (key, json.dumps(origin), name))


def recalled(current: str, *names: str) -> set[str]:
    """Return which of some sessions, and of those in the shared database, can be read."""

    def reads(name: str) -> bool:
        answer = recall.search({"session_id": name}, current, Contexts(BUILT_IN["chat"]), ("signal:alice",))
        return f"harbour: {name}" in answer

    return {name for name in (*names, *SHARED) if reads(name)}


SHARED = ("first", "second", "second, by its key alone", "third", "without a key", "with nothing", "of two profiles")
SECOND = {"second", "second, by its key alone"}


@pytest.mark.usefixtures("shared")
def test_a_profile_recalls_its_own_of_a_shared_database(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recalled("first") == {"first"}
    for name, current, own in (("other", "second", SECOND), ("third", "third", {"third"})):
        monkeypatch.setenv("HERMES_HOME", str(hermes_home / "profiles" / name))
        assert recalled(current) == own
        assert not (hermes_home / "profiles" / name / "state.db").exists()
    monkeypatch.setenv("HERMES_HOME", str(hermes_home))
    assert recalled("first") == {"first"}


@pytest.mark.usefixtures("shared")
def test_the_database_that_has_the_session_counts(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = hermes_home / "profiles" / "other"
    monkeypatch.setenv("HERMES_HOME", str(other))
    with StoredSessions(other) as stored:
        # When this profile had a process of its own, its keys named no profile.
        keep(stored, "alone", "agent:main:signal:dm:alice")
        keep(stored, "guest", "agent:default:signal:dm:alice", "default")
    assert recalled("alone", "alone", "guest") == recalled("missing", "alone", "guest") == {"alone"}
    assert recalled("second") == SECOND


def test_no_other_installation_is_looked_into(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = hermes_home / "elsewhere"
    elsewhere.mkdir()
    with StoredSessions(elsewhere) as stored:
        keep(stored, "stranger", "agent:main:signal:dm:alice")
    monkeypatch.setattr("hermes_state.DEFAULT_DB_PATH", elsewhere / "state.db")
    assert profiles.databases() == (hermes_home / "state.db",)
    assert profiles.database("stranger") == hermes_home / "state.db"


def test_the_process_may_be_that_of_another_profile(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its database is that of all: here, of `other`, whose process serves the default profile too."""
    other = hermes_home / "profiles" / "other"
    other.mkdir(parents=True)
    monkeypatch.setattr("hermes_state.DEFAULT_DB_PATH", other / "state.db")
    with StoredSessions(other) as stored:
        keep(stored, "of the process", "agent:other:signal:dm:alice")
        keep(stored, "of the default", "agent:main:signal:dm:alice", "default")
    both = ("of the process", "of the default")
    assert recalled("of the default", *both) == {"of the default"}
    monkeypatch.setenv("HERMES_HOME", str(other))
    assert recalled("of the process", *both) == {"of the process"}


@pytest.mark.usefixtures("shared")
def test_a_stored_origin_is_that_of_the_profile(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_HOME", str(hermes_home / "profiles" / "other"))
    for session_id, name in (("second", "Alice, second"), ("third", None), ("first", None), ("without a key", None)):
        chat = in_chat({"platform": "signal", "chat_id": "alice", "profile": "other"}, session.current, session_id)
        assert chat.origin.get("chat_name") == name
    with gateway():
        assert session.current("second").profile == "other"
        for another in ("first", "third", "with nothing", "of two profiles"):
            with pytest.raises(Unknown):
                session.current(another)


@pytest.mark.usefixtures("shared")
def test_a_job_learns_of_its_chat_from_its_own_profile(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, known in (("other", "Alice, second, by its key alone"), ("third", "Alice, third")):
        home = hermes_home / "profiles" / name
        monkeypatch.setenv("HERMES_HOME", str(home))
        (home / "cron").mkdir()
        job = {"id": f"of-{name}", "name": "j", "origin": {"platform": "signal", "chat_id": "alice"}}
        (home / "cron" / "jobs.json").write_text(json.dumps({"jobs": [job]}))
        if table.OWN_JOBS.optional() is None:
            with pytest.raises(Unknown, match="another profile's"):
                session.current(f"cron_of-{name}_20260101_000000")
            continue
        chat = session.current(f"cron_of-{name}_20260101_000000")
        assert chat is not None
        assert chat.origin["chat_name"] == known


def test_a_profiles_chats_are_listed(
    shared: StoredSessions, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(shared, "later, with the first bot", "agent:main:signal:dm:alice")
    monkeypatch.setenv("HERMES_HOME", str(hermes_home / "profiles" / "third"))
    # Hermes keeps more than sessions in such a file.
    sqlite3.connect(hermes_home / "profiles" / "third" / "state.db").execute("CREATE TABLE more (x)").connection.close()
    seen = overview.here()
    assert [each.chat.session_id for each in seen.chats] == ["third"]
    assert not seen.faults
    assert recalled("third") == recalled("missing") == {"third"}
