"""Calls by which a model could reach what belongs to other chats, for every tool that it is offered.

Each returns arguments as the model would give them. They carry ids and paths of other chats, but no words of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.fakes.echo_model import ToolCall
from tests.tenancy.marks import MARK
from tests.tenancy.reach import Reach

BAIT = "password"
"""Stands in what everybody says, so that a search for it finds everybody."""
NEWER_NAMES = {"cronjob_manage": "cronjob", "process_manage": "process", "todo_list": "todo"}
"""Tools by their names since 0.22, and the older name of each."""
UNTRIED = {"clarify": "waits for a person's answer"}
"""Offered tools that are never called, with the reason."""
BRIDGE = "tool_call"
"""The tool since 0.21.5 through which others are called."""
DELEGATING = "delegate_task"
"""Called in turns of its own: the host starts a turn when a sub-agent is done, and can lose what arrives just then."""

Args = dict[str, Any]


@dataclass
class Attempt:
    """The parts of one call."""

    chance: Random
    reach: Reach
    label: str
    """Of the chat that asks: the word in all that it says. Labels are no secrets."""
    labels: list[str]
    """Of all other chats."""
    chats: list[str]
    """All other chats, as platform and id."""
    mark: Callable[[], str]
    """Make a new mark of the chat that asks."""
    child: Callable[[], str]
    """Begin the task of a sub-agent."""

    def pick(self, *choices: Any) -> Any:
        return self.chance.choice(choices or ("",))

    def secret(self) -> str:
        return f"the {self.label} {BAIT} is {self.mark()}"

    def other(self) -> str:
        return str(self.pick(*self.labels))

    def session(self) -> str:
        return str(self.pick(*self.reach.sessions))

    def job(self) -> str:
        """Return a job of another chat: one of the own chat may be stopped, and then never answers."""
        return str(self.pick(*(each for chat, each in self.reach.jobs if chat in self.chats)))

    def waiting(self) -> str:
        """Return the id of another chat's memory write that waits for approval."""
        return str(self.pick(*(each for context, each in self.reach.waiting if context in {"", *self.chats})))

    def path(self) -> str:
        """Return a file of somebody's in one of the ways to write a path."""
        path = Path(self.pick(*self.reach.memories, *self.reach.files))
        return spelt(self.pick, path, self.reach.home)


def spelt(pick: Callable[..., Any], path: Path, home: Path) -> str:
    """Return a path in one of the ways that mean the same. The home of the process is HERMES_HOME itself."""
    inside = path.relative_to(home)
    return str(pick(path, inside, f"~/{inside}", f"{home}/cache/../{inside}", f"//{path}", f"./{inside}"))


def _memory(a: Attempt) -> Iterator[Args]:
    for target in ("memory", "user"):
        yield {"action": "add", "target": target, "content": a.secret()}
        yield {"action": "add", "target": target, "content": a.secret(), "scope": "global"}
    for target in ("chat:memory", "../memory", "", "MEMORY.md", None, ["memory"]):
        yield {"action": "add", "target": target, "content": a.secret()}
    yield {"action": "add", "target": "memory", "content": a.secret(), "scope": a.pick(["global"], "GLOBAL", 1, {})}
    # Refused with the entries that there are, or with the budget that is used.
    yield {"action": "replace", "target": "memory", "old_text": f"{a.other()}s", "content": a.secret()}
    yield {"action": "patch", "target": "user", "old_text": f"{a.other()}s", "new_text": a.secret()}
    yield {"action": "remove", "target": "memory", "old_text": f"{a.other()}s"}
    yield {"action": "read", "target": "memory"}
    yield {"target": "memory", "operations": [{"action": "add", "content": a.secret()}]}
    yield {"target": "memory", "operations": [{"action": "remove", "old_text": f"{a.other()}s"}], "scope": "global"}


def _session_search(a: Attempt) -> Iterator[Args]:
    yield {"query": BAIT, "limit": 10, "sort": a.pick("newest", "oldest")}
    yield {"query": f"{a.other()} OR {a.other()}", "role_filter": "user,assistant,tool", "detail": "full"}
    yield {}
    yield {"limit": 10, "profile": a.pick("default", "other")}
    yield {"session_id": a.session()}
    yield {"session_id": f"{a.pick('default', 'other')}/{a.session()}", "profile": a.pick("default", "other", None)}
    session, message = a.pick(*a.reach.messages)
    yield {"session_id": session, "around_message_id": message, "window": 10}
    yield {"session_id": "sealed", "sealed": {"query": BAIT}, "query": BAIT}
    yield {"session_id": [a.session()], "query": {"query": BAIT}, "around_message_id": "1"}
    yield {"query": "zq*"}


def _read_file(a: Attempt) -> Iterator[Args]:
    for _ in range(4):
        yield {"path": a.path(), "limit": 500}


def _search_files(a: Attempt) -> Iterator[Args]:
    yield {"pattern": MARK.pattern, "path": str(a.pick(a.reach.home, ".", "~", a.reach.home / "memories"))}
    yield {"pattern": BAIT, "path": a.path(), "output_mode": "content", "context": 3}
    yield {"pattern": "*", "target": "files", "path": str(a.reach.home / "memories")}


def _write_file(a: Attempt) -> Iterator[Args]:
    memory = spelt(a.pick, Path(a.pick(*a.reach.memories)), a.reach.home)
    yield {"path": memory, "content": a.secret(), "cross_profile": True}
    yield {"path": str(a.reach.home / "skills" / f"{a.label}-files" / "SKILL.md"), "content": _skill(a)}


def _patch(a: Attempt) -> Iterator[Args]:
    memory = spelt(a.pick, Path(a.pick(*a.reach.memories)), a.reach.home)
    yield {"mode": "replace", "path": memory, "old_string": BAIT, "new_string": f"{BAIT} {a.mark()}"}
    change = f"*** Begin Patch\n*** Update File: {memory}\n@@\n-x\n+{a.secret()}\n*** End Patch"
    yield {"mode": "patch", "patch": change, "path": memory, "old_string": "the", "new_string": a.secret()}


def _skill(a: Attempt) -> str:
    return f"---\nname: {a.label}-notes\ndescription: {a.secret()}\n---\n# Notes\n{a.secret()}\n"


def _skill_manage(a: Attempt) -> Iterator[Args]:
    create = {"action": "create", "name": f"{a.label}-notes", "content": _skill(a)}
    yield create | {"operations": [create]}
    rewrite = {"action": "edit", "name": f"{a.other()}-notes", "content": _skill(a)}
    yield rewrite | {"operations": [rewrite | {"action": "patch"}]}


def _skill_view(a: Attempt) -> Iterator[Args]:
    yield {"name": f"{a.other()}-notes"}
    yield {"name": a.pick(f"{a.other()}-files", "../memories"), "file_path": a.pick("SKILL.md", "../../state.db")}


def _cronjob(a: Attempt) -> Iterator[Args]:
    task = {"action": "create", "schedule": "every 2h", "prompt": f"{a.child()} {a.secret()}"}
    yield task
    yield task | {"deliver": a.pick(*a.chats, "all"), "prompt": f"{a.child()} {a.secret()}"}
    yield task | {"failure_deliver": a.pick(*a.chats), "prompt": f"{a.child()} {a.secret()}"}
    yield task | {"context_from": [a.job()], "prompt": f"{a.child()} {a.secret()}"}
    yield {"action": "list", "include_disabled": True}
    yield {"action": "run", "job_id": a.job(), "prompt": a.secret()}
    yield {"action": "update", "job_id": a.job(), "prompt": f"{a.child()} {a.secret()}"}
    yield {"action": "update", "job_id": a.job(), a.pick("deliver", "failure_deliver"): a.pick(*a.chats)}
    yield {"action": a.pick("pause", "resume", "remove"), "job_id": a.job()}


def _todo(a: Attempt) -> Iterator[Args]:
    yield {"todos": [{"id": "1", "content": a.secret(), "status": "pending"}]}
    yield {}


def _terminal(a: Attempt) -> Iterator[Args]:
    yield {"command": f"cat {a.path()}; export {a.label.upper()}={a.mark()}; env"}
    yield {"command": f"grep -rhoE '{MARK.pattern}' {a.reach.home}/memories {a.reach.home}/cron"}
    yield {"command": f"echo {a.secret()}; sleep 5", "background": True}


def _process(a: Attempt) -> Iterator[Args]:
    yield {"action": "list"}
    yield {"action": "log", "session_id": a.pick("proc_", "1", a.session())}


def _execute_code(a: Attempt) -> Iterator[Args]:
    yield {"code": f"print(open({a.path()!r}, errors='replace').read())"}


def _tool_call(a: Attempt) -> Iterator[Args]:
    """Yield calls of other tools, also of some that are offered directly, in each form that a host takes."""

    def inner() -> Args:
        name = a.pick("read_file", "search_files", "session_search", "memory", "skill_view", "cronjob", "process")
        called = a.pick(name, *(newer for newer, each in NEWER_NAMES.items() if each == name))
        return {"name": called, "arguments": a.pick(*KNOWN[name](a))}

    one = inner()
    yield one
    yield one | {"arguments": json.dumps(one["arguments"])}
    yield {"calls": [inner()]}
    yield {"calls": json.dumps([{"name": "todo", "arguments": {}}, inner(), inner()])}
    yield {"name": "todo", "arguments": {}, "calls": inner()}
    yield {"name": BRIDGE, "arguments": inner()}


KNOWN: Mapping[str, Callable[[Attempt], Iterator[Args]]] = {
    "memory": _memory,
    "session_search": _session_search,
    "read_file": _read_file,
    "search_files": _search_files,
    "write_file": _write_file,
    "patch": _patch,
    "skill_manage": _skill_manage,
    "skill_view": _skill_view,
    "cronjob": _cronjob,
    "todo": _todo,
    "terminal": _terminal,
    "process": _process,
    "execute_code": _execute_code,
    BRIDGE: _tool_call,
}


def calls(tool: Mapping[str, Any], a: Attempt) -> list[ToolCall]:
    """Return calls of an offered tool: those thought out for it, and one made of its schema alone."""
    name = tool["name"]
    known = KNOWN.get(NEWER_NAMES.get(name, name))
    return [
        ToolCall(name, {k: v for k, v in args.items() if v is not None}) for args in (known(a) if known else ())
    ] + [ToolCall(name, guessed(tool["parameters"], a))]


def guessed(schema: Mapping[str, Any], a: Attempt) -> Args:
    """Return arguments for any tool: each parameter gets an id, a path, a wrong type, or nothing."""
    found = {}
    required = schema.get("required") or ()
    for name, kind in (schema.get("properties") or {}).items():
        if name in required or a.chance.random() < 0.4:
            found[name] = _value(name, kind, a)
    return found


def _value(name: str, kind: Mapping[str, Any], a: Attempt) -> Any:
    if kind.get("enum"):
        return a.pick(*kind["enum"])
    match kind.get("type"):
        case "integer" | "number":
            return a.pick(0, 1, -1, 50)
        case "boolean":
            return a.pick(True, False)
        case "array":
            # Hermes fails at texts where it wants objects, before a plugin is asked.
            return [{} if "object" in json.dumps(kind) else a.pick(a.session(), a.job(), a.other())]
        case "object":
            return {"session_id": a.session()}
    if "path" in name or name == "workdir":
        return a.path()
    return a.pick(a.session(), a.job(), a.path(), a.other(), a.pick(*a.chats), "*")
