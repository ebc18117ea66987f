"""The tool calls that a chat may have: what a call names, and what is refused to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple

FILES = "This path belongs to the agent, not to a chat."
LISTING = "This folder holds things of the agent and of other chats: name a folder of your own."
UNREADABLE = "The arguments of this call cannot be checked."
_SKILLS = "Skills are shared with every chat: this chat may not write them. Save it in this chat's memory."
_BOARD = "The board is shared with every chat, and is not available here."
_OTHER_TASK = "A worker sees its own task only."
_NO_PROCESS = "No such process."
_NO_SHELL = "This session has no shell of its own, so no command runs."
_SCRIPTS = "Scripts of jobs belong to the agent: describe in the prompt what is to be done."

_TODAYS_NAMES = {"cronjob_manage": "cronjob", "process_manage": "process", "todo_list": "todo"}
"""Tools by the names that Hermes has given them since 0.21.5."""
_NEEDS_SHELL = frozenset({"terminal", "execute_code", "read_file", "write_file", "patch", "search_files"})
"""The tools that work in the shell of the session, files included: their folder is that of the shell."""
_BRIDGE = "tool_call"
_DEEPEST = 12


class Use(Enum):
    """The use that a call makes of a path."""

    READ = auto()
    WRITE = auto()
    LIST = auto()
    """It reads all below, too."""
    MENTION = auto()
    """It names a place: a working directory, or a text of which nobody knows more."""


class Place(Enum):
    """The place that a path leads to, from the point of view of a chat."""

    OUTSIDE = auto()
    RECEIVED = auto()
    """One of the files that the agent keeps for chats, which this chat may have."""
    AROUND = auto()
    """A folder that contains files of the agent."""
    AGENTS = auto()
    """A file of the agent or of another chat, or a path that leads nowhere."""


class Path(NamedTuple):
    """A path in a call, as the model wrote it."""

    text: str
    use: Use


class Call(NamedTuple):
    """A call of a tool by its oldest name, with the arguments as the model gave them."""

    tool: str
    args: Mapping[str, Any]


class Malformed(Exception):
    """Arguments of a shape that cannot be checked."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Things besides its own that a chat may use. The default is that of an unknown chat: nothing."""

    trusted: bool = False
    writes_skills: bool = False
    denied: frozenset[str] = frozenset()
    """Tools that chats may not use unless they are trusted."""
    has_shell: bool = True
    """The session has its own shell, or may use the common one."""
    board_task: str = ""
    """The task of the board that this process works at."""


PATHS: Mapping[str, Mapping[str, Use]] = {
    "read_file": {"path": Use.READ},
    "write_file": {"path": Use.WRITE},
    "patch": {"path": Use.WRITE},
    "search_files": {"path": Use.LIST},
    "vision_analyze": {"image_url": Use.READ},
    "video_analyze": {"video_url": Use.READ},
    "image_generate": {"image_url": Use.READ, "reference_image_urls": Use.READ},
    "video_generate": {"image_url": Use.READ, "reference_image_urls": Use.READ},
    "xai_video_edit": {"video_url": Use.READ},
    "xai_video_extend": {"video_url": Use.READ},
    "text_to_speech": {"output_path": Use.WRITE},
    "yb_send_dm": {"media_files": Use.READ},
    "kanban_complete": {"artifacts": Use.READ},
    "kanban_request_review": {"artifacts": Use.READ},
    "kanban_create": {"workspace_path": Use.MENTION},
    "terminal": {"workdir": Use.MENTION},
    "cronjob": {"workdir": Use.MENTION},
    "desktop_project": {"path": Use.MENTION},
    "project_create": {"path": Use.MENTION},
}
"""The arguments of tools that are paths, possibly relative ones. Of all others, only absolute paths are judged."""
IN_SHELL = frozenset({"read_file", "write_file", "patch", "search_files"})
"""The tools whose relative paths start where the shell is."""
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)
_ABSOLUTE = re.compile(r"\s*[\"'`(<]?(?:/|~|file:)", re.IGNORECASE)
_IN_A_PATCH = re.compile(r"\*\*\*\s*(?:Update|Add|Delete|Move)\s+File:\s*(.+)")
_ALLOWED: Mapping[Use, frozenset[Place]] = {
    Use.READ: frozenset({Place.OUTSIDE, Place.RECEIVED}),
    Use.WRITE: frozenset({Place.OUTSIDE}),
    Use.LIST: frozenset({Place.OUTSIDE}),
    Use.MENTION: frozenset({Place.OUTSIDE, Place.RECEIVED, Place.AROUND}),
}


def calls(tool: str, args: Mapping[str, Any]) -> list[Call]:
    """Return the calls that a call stands for: several if it is that of Hermes' bridge to tools. Raises Malformed."""
    if tool != _BRIDGE:
        return [Call(_TODAYS_NAMES.get(tool, tool), args)]
    inner = parsed(args.get("calls"))
    if inner is None:
        inner = [args]
    found = []
    for each in inner if isinstance(inner, list) else [inner]:
        given = parsed(each.get("arguments")) if isinstance(each, Mapping) else None
        if given is None or given == "":
            given = {}
        if not isinstance(each, Mapping) or not isinstance(given, Mapping):
            raise Malformed
        name = str(each.get("name") or "").strip()
        found.append(Call(_TODAYS_NAMES.get(name, name), given))
    return found


def stores(call: Call) -> bool:
    """Return True for a call that puts something into a memory or a skill. Raises Malformed."""
    if call.tool == "skill_manage":
        return True
    if call.tool != "memory":
        return False
    operations = parsed(call.args.get("operations")) or [call.args]
    if not isinstance(operations, Sequence) or not all(isinstance(each, Mapping) for each in operations):
        raise Malformed
    return any(each.get("action") != "remove" for each in operations)


def refusal(call: Call, rights: Rights, *, owns_process: bool) -> str | None:
    """Return why a chat may not have a call, None if it may as far as its paths allow it.

    The order: a denied tool, skills, a missing shell, then what a trusted chat may: the board, scripts of jobs, and
    processes of others.
    """
    tool, args = call
    if not rights.trusted and tool in {_TODAYS_NAMES.get(name, name) for name in rights.denied}:
        return f"{tool} is not available in this chat."
    if tool == "skill_manage" and not rights.writes_skills:
        return _SKILLS
    if not rights.has_shell and tool in _NEEDS_SHELL:
        return _NO_SHELL
    if rights.trusted:
        return None
    if tool.startswith("kanban_"):
        return _board(call, rights.board_task)
    if tool == "cronjob" and any(map(_is_script, map(args.get, ("script", "monitor", "monitor_script")))):
        return _SCRIPTS
    if tool == "process" and not owns_process:
        return _NO_PROCESS
    return None


def paths(call: Call) -> Iterator[Path]:
    """Yield every path that a call names. Raises Malformed if an argument that is a path is none."""
    tool, args = call
    named = PATHS.get(tool, {})
    for name, use in named.items():
        yield from (Path(text, use) for text in _path_texts(args.get(name)))
    if tool == "patch":
        for target in _IN_A_PATCH.findall(_text(args.get("patch"))):
            yield from (Path(part.strip(), Use.WRITE) for part in (target, *target.split("->")))
    if tool == "search_files":
        yield from (Path(text, Use.LIST) for text in _searched(args))
    for text in _texts([value for name, value in args.items() if name not in named]):
        if _ABSOLUTE.match(text):
            yield Path(text.strip().strip("\"'`()<>"), Use.MENTION)


def allows(use: Use, place: Place) -> bool:
    """Return True if a chat may use a path in that place."""
    return place in _ALLOWED[use]


def reason(use: Use) -> str:
    """Return what a chat is told about a path that it may not use."""
    return LISTING if use is Use.LIST else FILES


def _board(call: Call, own: str) -> str | None:
    if not own:
        return _BOARD
    asked = str(call.args.get("task_id") or own)
    return _OTHER_TASK if call.tool == "kanban_list" or asked != own else None


def _searched(args: Mapping[str, Any]) -> Iterator[str]:
    """Yield more folders that a search covers: those of several in one text, and those that the pattern names."""
    root = _text(args.get("path")) or "."
    yield root
    yield from filter(None, map(str.strip, root.split(",") if "," in root else root.split()))
    if args.get("target") in {"files", "find"}:
        # The part before the first wildcard is a folder.
        folder = re.split(r"[*?\[{]", _text(args.get("pattern")), maxsplit=1)[0].rpartition("/")[0]
        if folder:
            yield folder if _ABSOLUTE.match(folder) else f"{root}/{folder}"


def _is_script(value: object) -> bool:
    return bool(value) and not (isinstance(value, str) and re.match(r"\s*https?://", value, re.IGNORECASE))


def _path_texts(value: object) -> Iterator[str]:
    """Yield the paths of an argument: a text, or a list with texts or with texts and flags. Addresses are none."""
    value = parsed(value)
    if value is None or value == "":
        return
    for item in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
        first = item[0] if isinstance(item, Sequence) and not isinstance(item, str) and item else item
        if isinstance(first, Mapping):
            first = first.get("path")
        if not isinstance(first, str):
            raise Malformed
        if not _ADDRESS.match(first.strip()):
            yield first


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """Yield every text in a value, in texts that are JSON as well. Raises Malformed for absurd depths."""
    if depth > _DEEPEST:
        raise Malformed
    value = parsed(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in (*value.keys(), *value.values()):
            yield from _texts(each, depth + 1)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each, depth + 1)


def parsed(value: object) -> Any:
    """Return the list or mapping that a text holds as JSON, as Hermes reads it; any other value unchanged."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise Malformed
    return value or ""
