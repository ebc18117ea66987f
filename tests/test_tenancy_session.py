"""The chat that the current thread works for, with Hermes' own context variables, sessions and jobs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import pytest
from cron.jobs import create_job, remove_job
from gateway.config import Platform
from gateway.session import SessionSource
from gateway.session_context import reset_session_vars, set_session_vars
from hermes_hardened_adapters.common.core.bounded import Bounded
from hermes_hardened_adapters.common.host.tenancy import origins, session
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation, Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, Contexts
from hermes_state import SessionDB

GROUP, ANN, BOB = "group:abc=", "+15550002222", "+15550003333"
KEY = f"agent:main:signal:group:{GROUP}:{ANN}"
NOBODYS = "no chat is bound here"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Forget all that this process knows of sessions, and return a home of its own."""
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    for name in ("HERMES_CRON_SESSION", "HERMES_KANBAN_TASK", "HERMES_SESSION_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session, "_serving", threading.Event())
    for name in ("_stored", "_background", "_sub_agents", "_jobs", "_curators"):
        monkeypatch.setattr(session, name, Bounded(10))
    arrived = session._arrived.set(None)
    reset_session_vars()
    yield tmp_path
    reset_session_vars()
    session._arrived.reset(arrived)


def source(platform: Platform = Platform.SIGNAL, **fields: Any) -> SessionSource:
    known = {"chat_id": GROUP, "chat_type": "group", "user_id": ANN, "user_id_alt": "ann's ACI", "chat_name": "Ours"}
    return SessionSource(platform=platform, **known | fields)


def bind(**fields: str) -> None:
    set_session_vars(**{"platform": "signal", "chat_id": GROUP, "user_id": ANN, "session_key": KEY} | fields)


def store(home: Path, session_id: str, parent: str | None = None, **columns: str) -> None:
    """Store a session as Hermes does."""
    database = SessionDB(db_path=home / "state.db")
    database.create_session(session_id, source=columns.pop("source", "signal"), parent_session_id=parent)
    for column, text in columns.items():
        database._conn.execute(f"UPDATE sessions SET {column} = ? WHERE id = ?", (text, session_id))
    database._conn.commit()
    database.close()


def said(session_id: str = "s") -> Chat | str | None:
    """Return the chat, or why it is unknown."""
    try:
        return session.current(session_id)
    except Unknown as exc:
        return str(exc)


def chat_id(session_id: str = "s") -> str:
    found = session.current(session_id)
    assert found is not None
    assert found.session_id == session_id
    return found.chat_id


# -- what Hermes binds


def test_where_nothing_is_bound_a_terminal_is_the_operators_and_a_gateway_nobodys() -> None:
    assert said() is None
    session.serves_chats()
    assert said() == NOBODYS


def test_a_bound_chat_needs_no_message_before_it() -> None:
    """After a restart, Hermes goes on with turns that no message of this process began."""
    bind(thread_id="t", profile="work")
    assert said() == Chat("signal", GROUP, "group", "t", ANN, "s", KEY, "work")
    reset_session_vars()
    assert said() == NOBODYS


@pytest.mark.parametrize("key", ["", "x", f"agent:main:telegram:dm:{GROUP}"])
def test_a_key_that_is_not_the_chats_does_not_say_what_kind_it_is(key: str) -> None:
    bind(session_key=key)
    assert session._of_variables("signal", "s").chat_type == ""


def test_a_platform_without_a_chat_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_CHAT_ID", "of another process")
    bind(chat_id="")
    assert said() == "the session names no chat"


@pytest.mark.parametrize("platform", ["cli", "local", "acp"])
def test_a_local_platform_is_the_operators(platform: str) -> None:
    session.serves_chats()
    bind(platform=platform)
    assert said() is None


def test_the_last_message_describes_its_own_chat_only() -> None:
    session.arrived(source(guild_id="team"))
    bind()
    found = session.current("s")
    assert found is not None
    assert found.origin == {"chat_name": "Ours", "user_id_alt": "ann's ACI", "scope_id": "team"}
    for other in ({"chat_id": "x"}, {"platform": "mattermost"}, {"profile": "work"}):
        bind(**other)
        assert session.current("s").origin == {}  # type: ignore[union-attr]


def test_another_person_in_the_session_is_not_given_the_last_ones_id() -> None:
    session.arrived(source())
    bind(user_id=BOB)
    assert session.current("s").origin == {"chat_name": "Ours"}  # type: ignore[union-attr]


def test_a_stored_session_describes_the_chat(home: Path) -> None:
    told = {"chat_id": GROUP, "chat_name": "Ours", "scope_id": "team", "user_id_alt": "ann's ACI"}
    store(home, "s", chat_id=GROUP, user_id=ANN, chat_type="group", origin_json=json.dumps(told))
    bind(session_key="")
    found = session.current("s")
    assert found is not None
    assert (found.chat_type, found.origin["scope_id"], found.origin["user_id_alt"]) == ("group", "team", "ann's ACI")
    bind(chat_id="another", session_key="")
    assert session.current("s") == Chat("signal", "another", user_id=ANN, session_id="s")


@pytest.mark.parametrize("stored", ["[]", "{", '{"chat_id": "another", "scope_id": "x"}', "[" * 100_000])
def test_a_malformed_or_foreign_source_is_not_used(home: Path, stored: str) -> None:
    store(home, "s", chat_id=GROUP, origin_json=stored)
    bind()
    assert session.current("s").origin == {}  # type: ignore[union-attr]


# -- what it binds nothing for


def test_a_background_task_is_the_chats_that_started_it(home: Path) -> None:
    session.arrived(source())
    assert chat_id("bg_1") == GROUP
    assert said("20260101") == NOBODYS
    store(home, "bg_1")
    store(home, "its continuation", "bg_1")
    # A thread without a context.
    assert Context().run(chat_id, "its continuation") == GROUP
    assert Context().run(said, "bg_2") == NOBODYS


def test_a_forgotten_background_task_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_background", Bounded(1))
    session.arrived(source())
    assert chat_id("bg_1") == chat_id("bg_2") == GROUP
    assert Context().run(said, "bg_1") == NOBODYS


def test_a_part_of_a_forgotten_background_task_is_not_the_callers(home: Path) -> None:
    store(home, "bg_1")
    store(home, "its continuation", "bg_1")
    session.arrived(source())
    assert said("its continuation") == NOBODYS


def test_a_stored_session_is_its_chats_in_the_gateway_and_the_operators_in_a_terminal(home: Path) -> None:
    store(home, "s", chat_id=GROUP)
    store(home, "its continuation", "s")
    store(home, "the next one", "its continuation")
    assert said("s") is said("the next one") is None
    session.serves_chats()
    assert chat_id("s") == chat_id("its continuation") == chat_id("the next one") == GROUP


def test_a_damaged_database_names_no_chat(home: Path) -> None:
    (home / "state.db").write_text("no database at all, " * 100)
    assert said() is None
    session.serves_chats()
    assert said() == NOBODYS


def test_a_session_that_is_its_own_ancestor_names_no_chat(home: Path) -> None:
    store(home, "s")
    store(home, "s2", "s")
    store(home, "x", parent_session_id="x")
    session.serves_chats()
    assert said("x") == said("s2") == NOBODYS


def test_a_sub_agent_is_its_parents_in_any_thread(home: Path) -> None:
    bind()
    copy_context().run(session.delegated, "s", "child")
    assert Context().run(chat_id, "child") == GROUP
    Context().run(session.delegated, "child", "grandchild")
    assert Context().run(chat_id, "grandchild") == GROUP
    Context().run(session.delegated, "nobody", "nobody's")
    assert Context().run(said, "nobody's") == NOBODYS


def test_a_sub_agent_in_another_profile_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bind()
    session.delegated("s", "child")
    reset_session_vars()
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "other"))
    assert said("child") == "a sub-agent outside its profile"


def test_the_keeper_of_skills_works_for_no_chat() -> None:
    session.arrived(source())
    bind()
    session.began("s", "signal")
    session.began("k", "curator")
    assert not session.is_curator("s")
    assert session.is_curator("k")
    assert chat_id("s") == GROUP
    assert said("k") == "the keeper of skills works for no chat"


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("HERMES_KANBAN_TASK", "t1", "a board's worker may serve any chat"),
        ("HERMES_SESSION_PLATFORM", "signal", "started from the shell of a chat"),
        ("HERMES_CRON_SESSION", "1", "a part of a job that is not stored"),
    ],
)
def test_a_process_that_works_for_others_is_not_the_operators(
    variable: str, text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert said() == why


def test_after_a_job_in_the_terminal_it_is_the_operators_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hermes leaves the variable set for the rest of the process, up to 0.19."""
    monkeypatch.setenv("HERMES_CRON_SESSION", "1")
    store(home, "s", source="cli")
    assert said() is None


# -- jobs


@pytest.fixture
def job() -> Iterator[str]:
    made = create_job("say hello", "every 2h", origin={"platform": "signal", "chat_id": GROUP, "user_id": ANN})
    yield str(made["id"])
    remove_job(made["id"])


def test_a_job_is_the_chats_that_made_it_also_in_the_terminal(job: str, home: Path) -> None:
    run = f"cron_{job}_20260101_120000"
    told = {"chat_id": GROUP, "scope_id": "team", "user_id_alt": "bob's ACI"}
    store(home, "s", chat_id=GROUP, user_id=BOB, chat_type="group", origin_json=json.dumps(told))
    store(home, run, source="cron")
    store(home, "its continuation", run, source="cron")
    for session_id in (run, "its continuation"):
        assert said(session_id) == Chat("signal", GROUP, "group", "", ANN, session_id, origin={"scope_id": "team"})


def test_a_job_that_goes_during_its_run_stays_its_chats(job: str) -> None:
    run = f"cron_{job}_20260101_120000"
    assert chat_id(run) == GROUP
    remove_job(job)
    assert chat_id(run) == GROUP
    assert said(f"cron_{job}_20260101_130000") == "the job is gone"


def test_a_run_for_another_chat_is_not_the_callers(job: str) -> None:
    session.arrived(source(chat_id="another"))
    bind(chat_id="another")
    assert chat_id(f"cron_{job}_20260101_120000") == GROUP


def test_a_job_of_the_operators_is_theirs() -> None:
    made = create_job("say hello", "every 2h", deliver="local")
    try:
        assert said(f"cron_{made['id']}_20260101_120000") is None
    finally:
        remove_job(made["id"])


def test_the_id_of_a_job_may_have_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("cron.jobs.get_job", asked.append)
    assert said("cron_my_own_job_20260101_120000") == "the job is gone"
    assert asked == ["my_own_job"]


def test_jobs_that_cannot_be_read_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cron.jobs.get_job", lambda _: 1 / 0)
    assert said("cron_x_20260101_120000") == "the jobs cannot be read (ZeroDivisionError)"


@pytest.mark.parametrize(
    "job", [None, "x", [], {"origin": {}}, {"origin": "x"}, {"origin": {"platform": "signal"}}, {"origin": False}]
)
def test_a_malformed_job_is_nobodys(job: object) -> None:
    with pytest.raises(Unknown):
        origins.of_job(job)


# -- people in one session


@pytest.mark.parametrize(
    ("chat_type", "key", "shared"),
    [
        ("group", KEY, False),
        ("group", KEY.replace(ANN, "ann's ACI"), False),
        ("group", f"agent:main:signal:group:{GROUP}", True),
        ("channel", f"agent:main:mattermost:channel:{GROUP}:thread", True),
        ("dm", f"agent:main:signal:dm:{ANN}", False),
        ("group", "", False),
    ],
)
def test_what_is_one_persons_is_not_used_where_several_speak(chat_type: str, key: str, shared: bool) -> None:
    chat = Chat("signal", GROUP, chat_type, "", ANN, "s", key, origin={"user_id_alt": "ann's ACI"})
    assert chat.is_shared is shared
    for policy in ("user", "chat+user"):
        contexts = Contexts(BUILT_IN[policy])
        if shared:
            with pytest.raises(Unknown):
                contexts.of(chat, Operation.READ)
        else:
            assert contexts.of(chat, Operation.READ)[0].endswith(f":{ANN}")
    assert Contexts(BUILT_IN["chat"]).of(chat, Operation.READ) == (f"signal:{GROUP}",)
