"""Files that Hermes keeps for chats in folders common to all: a chat may have those that were named to it.

Hermes names a file to a chat when it arrives with a message, or when a tool has made it. Nothing is stored: after a
restart, received and generated files are anybody's who knows the name, and all others nobody's.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from ....tenancy import owners
from ....tenancy.chats import Chat, Operation, Unknown
from ....tenancy.contexts import reads
from ....tenancy.owners import Kind, Owner, Owners
from ... import files, profile
from ...contract import table
from .. import origins, session
from ..tenant import Tenant, tenant

logger = logging.getLogger(__name__)

FOLDERS: Mapping[Path, Kind] = {
    **dict.fromkeys(files.MEDIA_CACHES, Kind.MEDIA),
    **dict.fromkeys(map(Path, ("cache/web", "web_cache")), Kind.WEB),
    **dict.fromkeys(map(Path, ("cache/delegation", "delegation_cache")), Kind.DELEGATION),
    Path("cache/spillover"): Kind.RESULT,
}
"""The folders of HERMES_HOME in which the host keeps files that it tells the model to read."""
RESULTS = "hermes-results"
"""Holds results of tools that were too long to show, in the temporary folder (tools/tool_result_storage.py)."""

MOUNTED = Path("/root/.hermes")
"""The path of a part of HERMES_HOME in containers (tools/credential_files.py), by which Hermes names it there."""

_KEEP = 20_000
_CLOCKS = 0.1
"""Seconds by which the time of a file may lie before that of the call that made it."""
_MOST_PATHS = 100
_PATH = r"/[^\s\"'`<>|*?\\,;:)\]}]+"
_STARTED = time.time()

_files = Owners(_KEEP)
"""By the resolved path, all in one place."""
_calls = Owners(_KEEP)
"""By HERMES_HOME and the name of the file that would hold the call's result."""


def received(paths: Iterable[object], source: Any) -> None:
    """Note files that came with a message, given its source. Raises nothing."""
    try:
        owner = Owner(origins.of_source(source), time.time())
        for path in paths:
            if isinstance(path, str) and (resolved := files.resolve(path)) is not None:
                _files.named("", str(resolved), owner)
    except Exception as exc:
        logger.error("the files of a message are nobody's (%s)", type(exc).__name__)


def carried_out(tool: str, args: Mapping[str, Any], call: Callable[[Any], Any], session_id: str) -> Any:
    """Carry out a call, and note the files that the answer names. Raises what the call raises, nothing else."""
    began = time.time()
    answer = call(args)
    try:
        _note(_texts(answer), session_id, began, owners.named_by(tool), known=str(args))
    except Exception as exc:
        logger.error("the files in an answer of %s are nobody's (%s)", tool, type(exc).__name__)
    return answer


def called(session_id: str, call_id: str) -> None:
    """Note whose call has an id, before it is carried out: its result may become a file. Raises nothing."""
    try:
        if call_id and not tenant().is_off and (name := table.RESULT_FILE.optional()) is not None:
            _calls.claimed(str(profile.home()), name(call_id), Owner(_asking(session_id), time.time()))
    except Exception as exc:
        logger.error("the result of a call is nobody's, should it be long (%s)", type(exc).__name__)


def told(session_id: str, message: object) -> None:
    """Note files of sub-agents that Hermes names in a message, once they have worked in background. Raises nothing.

    A person may write such a message as well: it gives nobody a file that Hermes has named before.
    """
    try:
        if isinstance(message, str):
            _note([message], session_id, _STARTED, {Kind.DELEGATION})
    except Exception as exc:
        logger.error("the files of sub-agents are nobody's (%s)", type(exc).__name__)


def kind_of(inside: Path) -> Kind | None:
    """Return what is kept at a path in HERMES_HOME, None if nothing is."""
    return next((kind for folder, kind in FOLDERS.items() if folder != inside and inside.is_relative_to(folder)), None)


def may_have(here: Tenant, chat: Chat | None, path: Path, kind: Kind) -> bool:
    """Return True if a chat may have a file that Hermes keeps, given its resolved path; an unknown chat with None."""
    if (owner := _owner(path, kind)) is None:
        return owners.outlives_owner(kind)
    return chat is not None and owner.chat is not None and _shares(here, owner.chat, chat)


def may_be_sent(path: str, home: Path, platform: str, chat_id: str) -> bool:
    """Return True if a file may be sent to a chat, given its resolved path, as far as another chat may own it."""
    owner = _files.get("", path)
    if owner is None or (owner.chat and (owner.chat.platform, owner.chat.chat_id) == (platform, chat_id)):
        return True
    with profile.entered(home):
        try:
            here = tenant()
            chat = session.addressed(platform, chat_id)
            return here.settings.trusts(chat) or (owner.chat is not None and _shares(here, owner.chat, chat))
        except Exception as exc:
            logger.error("a file is not sent, because its owner cannot be told (%s)", type(exc).__name__)
            return False


def _shares(here: Tenant, owner: Chat, chat: Chat) -> bool:
    """Return True if a chat recalls its owner's conversations, or is the same chat where people share a session."""
    try:
        return reads(here.of(chat, Operation.RECALL), here.of(owner, Operation.RECALL))
    except Unknown:
        return owner.key == chat.key


def _owner(path: Path, kind: Kind) -> Owner | None:
    if kind is not Kind.RESULT:
        return _files.get("", str(path))
    found = _calls.get(str(profile.home()), path.name)
    # An older file is the result of another call with this id.
    return found if found is None or _changed(path) >= found.since - _CLOCKS else None


def _asking(session_id: str) -> Chat | None:
    try:
        return session.current(session_id)
    except Unknown:
        return None


def _note(texts: Iterable[str], session_id: str, since: float, kinds: Set[Kind], *, known: str = "") -> None:
    """Note files of some kinds that texts name and that changed `since`; not those that stand in a `known` text."""
    home = profile.home()
    found = list(dict.fromkeys(spelt for text in texts for spelt in _paths(text, home)))[:_MOST_PATHS]
    if not found or tenant().is_off:
        return
    chat, now = _asking(session_id), time.time()
    for spelt in found:
        path = files.resolve(spelt)
        inside = None if path is None or spelt in known else files.within(path, home)
        kind = None if inside is None else kind_of(inside)
        if path is None or kind not in kinds or not path.is_file() or _changed(path) < since - _CLOCKS:
            continue
        # What the operator's jobs make is sent where they say.
        if chat is not None or kind is not Kind.MEDIA:
            _files.named("", str(path), Owner(chat, now), anew=kind is Kind.WEB)


def _paths(text: str, home: Path) -> Iterator[str]:
    """Yield the paths in HERMES_HOME that a text names, which may be JSON."""
    for start in dict.fromkeys((str(home), json.dumps(str(home))[1:-1], str(MOUNTED))):
        if start in text:
            for found in re.finditer(re.escape(start) + f"({_PATH})", text):
                yield f"{home}{found[1].rstrip('.')}"


def _texts(answer: object) -> Iterator[str]:
    """Yield the texts of a tool's answer: one, or those of its parts."""
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, Mapping):
        for part in answer.values():
            yield from _texts(part)
    elif isinstance(answer, list):
        for part in answer:
            yield from _texts(part)


def _changed(path: Path) -> float:
    """Return when a file last changed, 0 if it is gone."""
    try:
        return path.stat().st_ctime
    except OSError:
        return 0.0


def results() -> Path:
    """Return the folder of results outside of HERMES_HOME."""
    return Path(tempfile.gettempdir()) / RESULTS
