"""session_search shows a chat its own sessions, and is else as if there were no others."""

from __future__ import annotations

import inspect
import json
import random
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.tenancy import recall
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation, Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, GLOBAL, Contexts, function_policy
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
def home(hermes_home: Path) -> Path:
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
    """Calls and the session that makes them."""
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
