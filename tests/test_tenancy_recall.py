"""session_search shows a chat its own sessions, and is else as if there were no others."""

from __future__ import annotations

import inspect
import json
import random
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.tenancy import recall
from hermes_hardened_adapters.common.tenancy.chats import Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, GLOBAL, Contexts
from hermes_hardened_adapters.common.tenancy.functions import policy as policy_of
from tools.session_search_tool import session_search

from tests.stored_sessions import StoredSessions, copy_of

CHATS = Contexts(BUILT_IN["chat"])
A, B = ("signal:alice",), ("signal:bob",)
TAKES = inspect.signature(session_search).parameters


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    recall.close()


@pytest.fixture
def home(hermes_home: Path, jobs_at_home: None) -> Path:
    return hermes_home


def ours(
    args: Mapping[str, Any], mine: tuple[str, ...] = A, current: str = "", contexts: Contexts = CHATS
) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(recall.search(args, current, contexts, mine))
    return answer


def found(answer: Mapping[str, Any]) -> list[str]:
    assert answer["success"], answer
    return [each["session_id"] for each in answer["results"]]


# -- as if there were no others

WORDS = ("wedding", "ninth", "harbour", "my-app.config", "計画一覧表", "日本語の文章", "広西 桂林", "planning", "x")
QUERIES: tuple[dict[str, Any], ...] = (
    {"query": "wedding"},
    {"query": "wedding OR harbour", "limit": 10},
    {"query": "ninth OR planning OR harbour", "limit": 10, "detail": "full"},
    {"query": "wedding NOT ninth", "limit": 10},
    {"query": '"wedding ninth"', "limit": 10},
    {"query": "plan*", "limit": 10, "sort": "oldest"},
    {"query": "arbou", "limit": 10},
    {"query": "harbour", "sort": "newest", "role_filter": "tool"},
    {"query": "harbour", "role_filter": "user,assistant,tool", "limit": 10},
    {"query": "計画一覧", "limit": 10},
    {"query": "日本", "limit": 10},
    {"query": "広西 OR 桂林", "limit": 10},
    {"query": "my-app.config", "limit": 5},
    {"query": "Trip", "limit": 5},
    {"query": "trip #2"},
    {"query": '(" AND wedding*)'},
    {"query": "nothing of that kind"},
    {"query": "wedding", "after": "2025-10-09", "before": "2025-10-10"},
    {},
    {"limit": 1},
    {"limit": "many"},
    {"query": ["wedding"]},
)


class History:
    """A random history of three chats, of the operator, and of what descends from their sessions."""

    def __init__(self, stored: StoredSessions, chance: random.Random) -> None:
        self.stored, self.chance = stored, chance
        self._titles = iter(f"trip #{n}" if n else "Trip" for n in range(99))
        self._names: list[str] = []

    @property
    def own(self) -> set[str]:
        """The sessions of Alice's chat."""
        return {name for name in self._names if self._chat(name) == "alice"}

    def _chat(self, name: str | None) -> str | None:
        session = self.stored.db.get_session(name) if name else None
        if session is None or session["source"] == "cli":
            return None
        if session["source"] == "signal" and session["chat_id"]:
            return str(session["chat_id"])
        return self._chat(session["parent_session_id"])

    def go_on(self) -> None:
        for _ in range(self.chance.randint(5, 12)):
            self._add(f"2026_{self.chance.randrange(10**6):06}_{len(self._names):02}")
        for _ in range(4):
            self._change(self.chance.choice(self._names))

    def _add(self, name: str) -> None:
        chance = self.chance
        chat = chance.choice(("alice", "alice", "bob", "carol", None, None))
        source = chance.choice(("signal", "subagent", "cli") if chat is None else ("signal",))
        parent = chance.choice(self._names) if self._names and chance.random() < 0.6 else None
        messages = [
            (chance.choice(("user", "assistant", "tool")), " ".join(chance.choices(WORDS, k=chance.randint(1, 9))))
            for _ in range(chance.randint(0, 14))
        ]
        title = next(self._titles) if chance.random() < 0.3 else None
        ended = chance.choice((None, "compression", "session_reset", "new_session"))
        self.stored.add(name, chat, messages, source=source, parent=parent, title=title, ended=ended)
        self._names.append(name)

    def _change(self, name: str) -> None:
        session = self.stored.db.get_session(name)
        said = [each["id"] for each in self.stored.db.get_messages(name) if each["role"] == "user"]
        match self.chance.randrange(5):
            case 0 if said and session["ended_at"] is None:
                self.stored.db.rewind_to_message(name, self.chance.choice(said))
            case 1 if said and session["ended_at"] is None:
                self.stored.db.archive_and_compact(name, [{"role": "user", "content": "harbour, in short"}])
            case 2 if said:
                self.stored.write("UPDATE messages SET content = 'harbour' WHERE id = ?", (said[0],))
            case 3:
                self.stored.write("DELETE FROM messages WHERE session_id = ?", (name,))
            case 4 if session["chat_id"]:
                chat = self.chance.choice(("alice", "bob"))
                self.stored.write("UPDATE sessions SET chat_id = ? WHERE id = ?", (chat, name))


def asked(own: set[str], chance: random.Random) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield calls, and the session that makes them."""
    names = sorted(own)
    for query in QUERIES:
        yield query, chance.choice([*names, ""])
    yield {"query": "wedding OR harbour", "exclude_session_ids": names[:3], "limit": 10}, ""
    for name in (*names, "missing"):
        yield {"session_id": name}, chance.choice([*names, ""])
        for anchor in chance.sample(range(1, 200), 6):
            yield {"session_id": name, "around_message_id": anchor, "window": 3}, chance.choice([*names, ""])


@pytest.mark.parametrize("seed", range(4))
def test_it_answers_as_if_there_were_no_other_sessions(home: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with StoredSessions(home) as stored:
        history = History(stored, chance)
        for n in range(2):
            history.go_on()
            with copy_of(stored.path, tmp_path / f"alone{n}", history.own.__contains__) as alone:
                assert alone.ids() == sorted(history.own)
                for args, current in asked(history.own, chance):
                    stock = {name: value for name, value in args.items() if name in TAKES}
                    expected = session_search(**stock, db=alone.db, current_session_id=current or None)
                    if "not found" in expected:
                        # Newer hosts add where else the session could be, which is no chat's business.
                        expected = re.sub(r" in this profile|\. If it belongs.*?\.(?=\")", "", expected)
                    assert recall.search(args, current, CHATS, A) == expected, (args, current)


# -- whose a session is


def test_a_missing_session_and_another_chats_are_answered_alike(home: Path) -> None:
    with StoredSessions(home) as stored:
        ids = stored.add("other", "bob", [("user", "the wedding is on the ninth")], title="Trip")
        stored.add("own", "alice", [("user", "hello")])
    for session_id, anchor in (("other", None), ("default/other", None), ("a/b/other", None), ("other", ids[0])):
        missing = session_id.replace("other", "gone!")
        answers = [
            recall.search({"session_id": each, "around_message_id": anchor}, "own", CHATS, A)
            for each in (session_id, missing)
        ]
        assert answers[0].replace("other", "gone!") == answers[1]
        assert not json.loads(answers[0])["success"]
    assert not found(ours({"query": "Trip"}))
    assert ours({"session_id": "own", "around_message_id": ids[0]})["success"] is False
    assert ours({"session_id": "other/own"})["session_id"] == "own"


def test_no_other_profile_is_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home / "profiles" / "work"
    other.mkdir(parents=True)
    for folder, name in ((home, "here"), (other, "there")):
        with StoredSessions(folder) as stored:
            stored.add(name, "alice", [("user", "wedding")])
    for args in ({"session_id": "there"}, {"session_id": "work/there"}, {"session_id": "x/work/there"}):
        assert "wedding" not in json.dumps(ours(args))
    for args in ({"query": "wedding", "profile": "work"}, {"profile": "work"}):
        assert found(ours(args)) == ["here"]
    monkeypatch.setenv("HERMES_HOME", str(other))
    assert found(ours({"query": "wedding"})) == ["there"]


def test_several_contexts_are_recalled_and_global_is_no_ones_else(home: Path) -> None:
    contexts = Contexts(BUILT_IN["chat"], {"signal:bob": ["team", "signal:alice"], "signal:carol": None})
    with StoredSessions(home) as stored:
        for chat in ("alice", "bob", "carol"):
            stored.add(chat, chat, [("user", "wedding")])
        stored.add("terminal", None, [("user", "wedding")], source="cli")
        stored.add("bg_1", None, [("user", "wedding")])
    query = {"query": "wedding", "limit": 10}
    assert set(found(ours(query, ("team", "signal:alice"), contexts=contexts))) == {"alice", "bob"}
    assert found(ours(query, A, contexts=contexts)) == ["alice"]
    assert found(ours(query, ("team",), contexts=contexts)) == ["bob"]
    assert found(ours(query, GLOBAL, contexts=contexts)) == ["carol"]
    assert found(ours({}, GLOBAL, contexts=contexts)) == ["carol"]


def test_a_forged_line_of_parents_leads_nowhere(home: Path) -> None:
    with StoredSessions(home) as stored:
        stored.add("own", "alice", [("user", "wedding")])
        for name, parent in {"round": "about", "about": "round", "self": "self", "orphan": "gone"}.items():
            stored.add(name, None, [("user", "wedding")])
            stored.db._conn.execute("PRAGMA foreign_keys=OFF")
            stored.write("UPDATE sessions SET parent_session_id = ? WHERE id = ?", (parent, name))
        for n in range(300):
            stored.add(f"next{n}", None, [("user", "wedding")], parent=f"next{n - 1}" if n else "own")
    assert ours({"session_id": "next299"})["success"]
    for name in ("round", "about", "self", "orphan"):
        assert not ours({"session_id": name})["success"]
        assert not ours({"session_id": name}, GLOBAL)["success"]


def test_a_jobs_sessions_belong_to_its_chat(home: Path) -> None:
    jobs = home / "cron" / "jobs.json"
    jobs.parent.mkdir()
    listed = [
        {"id": "aaa", "name": "a", "origin": {"platform": "signal", "chat_id": "alice"}},
        {"id": "ccc", "name": "c", "origin": None},
    ]
    jobs.write_text(json.dumps({"jobs": listed}))
    with StoredSessions(home) as stored:
        for job in ("aaa", "bbb", "ccc"):
            stored.add(f"cron_{job}_20260101_000000", None, [("user", "wedding")], source="cron")
        stored.add("cron_", "alice", [("user", "wedding")], source="cron")
        stored.add("cron_aaa_20260101_000001", "bob", [("user", "wedding")])
    own = "cron_aaa_20260101_000000"
    assert set(found(ours({"query": "wedding", "limit": 10}))) == {own}
    assert found(ours({"query": "wedding", "limit": 10}, B)) == ["cron_aaa_20260101_000001"]
    assert not found(ours({"query": "wedding", "limit": 10}, GLOBAL))


def test_a_policy_is_asked_for_each_session_and_its_failures_hide(home: Path) -> None:
    asked: list[str] = []

    def policy(session_id: str, channel_id: str) -> object:
        asked.append(session_id)
        return {"one": "x", "two": 1, "three": ("x", "y")}[session_id]

    contexts = Contexts(policy_of(policy, "agent"))
    with StoredSessions(home) as stored:
        for name in ("one", "two", "three", "four"):
            stored.add(name, "alice", [("user", "wedding")])
    assert set(found(ours({"query": "wedding", "limit": 10}, ("x",), contexts=contexts))) == {"one", "three"}
    assert sorted(asked) == ["four", "one", "three", "two"]
    assert not found(ours({"query": "wedding"}, ("y",), contexts=contexts))


def test_nothing_is_being_read_while_a_policy_takes_its_time(home: Path) -> None:
    """Hermes' write-ahead log can be put away while a policy is asked, and what is written meanwhile is nobody's."""
    busy: list[int] = []

    def policy() -> str:
        with closing(sqlite3.connect(home / "state.db", timeout=0)) as connection, connection:
            connection.execute("UPDATE sessions SET chat_id = 'bob' WHERE id = 'changing'")
            connection.commit()
            busy.append(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        return "x"

    with StoredSessions(home) as stored:
        for name in ("one", "changing"):
            stored.add(name, "alice", [("user", "wedding")])
        contexts = Contexts(policy_of(policy, "agent"))
        assert found(ours({"query": "wedding", "limit": 10}, ("x",), contexts=contexts)) == ["one"]
        assert set(found(ours({"query": "wedding", "limit": 10}, ("x",), contexts=contexts))) == {"one", "changing"}
    assert busy == [0, 0, 0, 0]


def test_settings_jobs_and_policies_may_change_while_no_session_does(home: Path) -> None:
    jobs, run = home / "cron" / "jobs.json", "cron_aaa_20260101_000000"
    jobs.parent.mkdir()
    answers = ["signal:alice"]
    query, changing = {"query": "wedding", "limit": 10}, Contexts(policy_of(lambda: answers[-1], "agent"))
    with StoredSessions(home) as stored:
        for chat in ("alice", "bob"):
            stored.add(chat, chat, [("user", "wedding")])
        stored.add(run, None, [("user", "wedding")], source="cron")
    for chat in ("alice", "bob", "alice"):
        listed = [{"id": "aaa", "name": "a" * len(chat), "origin": {"platform": "signal", "chat_id": chat}}]
        jobs.write_text(json.dumps({"jobs": listed}))
        assert set(found(ours(query))) == ({"alice", run} if chat == "alice" else {"alice"})
    both = {"signal:alice": "team", "signal:bob": "team"}
    for table, own in ((both, {"alice", "bob", run}), ({"signal:bob": "team"}, {"bob"})):
        assert set(found(ours(query, ("team",), contexts=Contexts(BUILT_IN["chat"], table)))) == own
    assert set(found(ours(query, contexts=changing))) == {"alice", "bob", run}
    answers.append("signal:bob")
    assert not found(ours(query, contexts=changing))


# -- the restriction itself


def test_nothing_is_written_and_the_database_may_change(home: Path, tmp_path: Path) -> None:
    with StoredSessions(home) as stored:
        stored.add("own", "alice", [("user", "wedding")])
        stored.add("other", "bob", [("user", "wedding")])
    shutil.copy(home / "state.db", tmp_path / "before.db")
    bytes_before = (home / "state.db").read_bytes()
    assert found(ours({"query": "wedding"})) == ["own"]
    assert (home / "state.db").read_bytes() == bytes_before
    with StoredSessions(home) as stored:
        stored.add("later", "alice", [("user", "wedding")])
        assert set(found(ours({"query": "wedding"}))) == {"own", "later"}
        stored.db.delete_session("own")
        assert found(ours({"query": "wedding"})) == ["later"]
        assert found(ours({"query": "wedding"}, current="later")) == []
    for each in home.glob("state.db*"):
        each.unlink()
    shutil.copy(tmp_path / "before.db", home / "state.db")
    assert found(ours({"query": "wedding"})) == ["own"]


def test_a_read_that_escapes_is_noticed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with StoredSessions(home) as stored:
        stored.add("own", "alice", [("user", "wedding")])
        stored.add("other", "bob", [("user", "wedding")])
    import hermes_state

    class EscapingDatabase(hermes_state.SessionDB):
        """Reads with a connection of its own, as a host might some day."""

        def get_messages(self, session_id: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
            elsewhere = sqlite3.connect(home / "state.db")
            read = elsewhere.execute("SELECT content FROM messages WHERE session_id = ?", (session_id,)).fetchall()
            elsewhere.close()
            return [{"content": row[0]} for row in read]

    monkeypatch.setattr(hermes_state, "SessionDB", EscapingDatabase)
    recall.close()
    with pytest.raises(Unknown, match="cannot be hidden"):
        recall.search({"query": "wedding"}, "", CHATS, A)


def test_chats_search_at_the_same_time(home: Path) -> None:
    chats = [f"chat{n}" for n in range(20)]
    with StoredSessions(home) as stored:
        for chat in chats:
            stored.add(chat, chat, [("user", "wedding")])
    wrong: list[object] = []

    def search(chat: str) -> None:
        for _ in range(5):
            answer = found(ours({"query": "wedding", "limit": 10}, (f"signal:{chat}",)))
            if answer != [chat]:
                wrong.append((chat, answer))

    threads = [threading.Thread(target=search, args=(chat,)) for chat in (*chats, *chats)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(recall._recalls) <= 16


@pytest.mark.parametrize("stops", [False, True])
def test_a_search_that_has_ended_blocks_no_writer(home: Path, monkeypatch: pytest.MonkeyPatch, stops: bool) -> None:
    with StoredSessions(home) as stored:
        stored.add("own", "alice", [("user", "wedding")])
    with closing(sqlite3.connect(home / "state.db", timeout=0, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=DELETE")

        def observed(**given: Any) -> str:
            answer = session_search(**given)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                writer.execute("BEGIN EXCLUSIVE")
            if stops:
                raise RuntimeError("on purpose")
            return str(answer)

        monkeypatch.setattr("tools.session_search_tool.session_search", observed)
        with pytest.raises(RuntimeError, match="on purpose") if stops else nullcontext():
            recall.search({"query": "wedding"}, "", CHATS, A)
        writer.execute("BEGIN EXCLUSIVE")


def test_a_database_that_cannot_be_read_is_no_answer(home: Path) -> None:
    (home / "state.db").write_bytes(b"not a database" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        recall.search({"query": "wedding"}, "", CHATS, A)
