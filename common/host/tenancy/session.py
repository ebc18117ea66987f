"""The chat that the current thread works for.

Hermes binds a message's chat to context variables and carries them into the agent's threads. It binds none in
`/background` (`/bg`), in jobs, and, before 0.20, in sub-agents: those are told by their session.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.bounded import Bounded
from ...core.errors import StateError
from ...settings.environment import value
from ...state.hosts.lineage import Stored, latest
from ...tenancy.chats import Chat, Unknown
from .. import profile
from ..contract import table
from . import origins, profiles

_BACKGROUND = "bg_"
"""The beginning of the ids of sessions that `/background` runs in."""
_CURATOR = "curator"
_KEEP = 4_000

_serving = threading.Event()
_arrived: ContextVar[Chat | None] = ContextVar("hardened_chat", default=None)
_lock = threading.Lock()
_stored: Bounded[tuple[str, str], Stored] = Bounded(_KEEP)
"""Sessions of chats as Hermes stored them, by HERMES_HOME and id."""
_background: Bounded[tuple[str, str], Chat] = Bounded(_KEEP)
"""The chats of sessions of `/background`, of which Hermes stores little, and nothing at all before 0.20."""
_sub_agents: Bounded[str, tuple[Path, Chat | Unknown | None]] = Bounded(_KEEP)
"""The chats that sub-agents work for, and the HERMES_HOME of the agents that started them, by session."""
_jobs: Bounded[tuple[str, str], Chat | None] = Bounded(_KEEP)
"""The chats of runs of jobs, as they were when the run began: a job may be gone before its run ends."""
_described_chats: Bounded[tuple[str, ...], Chat] = Bounded(_KEEP)
"""The chats of jobs as their sessions describe them, by HERMES_HOME and ids."""
_curators: Bounded[str, None] = Bounded(_KEEP)


def serves_chats() -> None:
    """Note that this process is a gateway: code that names no chat is nobody's from now on."""
    _serving.set()


def arrived(source: Any) -> None:
    """Bind the source of a message to the current task, and to all that it starts."""
    serves_chats()
    _arrived.set(origins.of_source(source))


def began(session_id: str, platform: str) -> None:
    """Note who works in a session, which the hook `pre_llm_call` says."""
    if platform == _CURATOR:
        with _lock:
            _curators.put(session_id, None)


def delegated(parent: str, child: str) -> None:
    """Note whose sub-agent a session is. Called in the thread of the agent that starts it."""
    whose: Chat | Unknown | None
    try:
        whose = current(parent)
    except Unknown as exc:
        whose = exc
    with _lock:
        _sub_agents.put(child, (profile.home(), whose))


def key() -> str:
    """Return the key of the session that Hermes has bound, empty if it has bound none."""
    return _bound("KEY")[0]


def is_curator(session_id: str) -> bool:
    """Return True for the host's keeper of skills. It writes skills for everybody, and works for no chat."""
    return session_id in _curators


def current(session_id: str) -> Chat | None:
    """Return the chat of the current thread, None on the operator's own machine.

    Raises Unknown if the chat of a chat's agent cannot be told.
    """
    if is_curator(session_id):
        raise Unknown("the keeper of skills works for no chat")
    if session_id.startswith(origins.JOB):
        return _of_job(session_id, session_id)
    if value("HERMES_KANBAN_TASK"):
        raise Unknown("a board's worker may serve any chat")
    platform, chat_id = _bound("PLATFORM", "CHAT_ID")
    if platform in origins.LOCAL:
        return None
    if not platform:
        return _unbound(session_id)
    # The API server runs turns that no message began.
    serves_chats()
    if not chat_id:
        raise Unknown("the session names no chat")
    return _of_variables(platform, session_id)


def addressed(platform: str, chat_id: str) -> Chat:
    """Return a chat that something is sent to, as far as it is known: as its last message describes it, if here."""
    came = _arrived.get()
    if came is not None and (came.platform, came.chat_id) == (platform, chat_id):
        return came
    return _described(Chat(platform, chat_id)) or Chat(platform, chat_id)


def of_row(row: Mapping[str, Any]) -> Chat:
    """Return the chat of a stored session; of a job's, that in which the job was made. Raises Unknown without one."""
    if not (job := origins.job(row)):
        return origins.of_row(row)
    if (chat := _described(_job(job))) is None:
        raise Unknown("a job of the operator")
    return chat


def job_chats() -> dict[str, Chat]:
    """Return the chats in which the profile's jobs were made, by the jobs' ids; jobs of the operator are left out.

    Call this before a search and not during one: it reads Hermes' database. Where that has no write-ahead log, a
    second reader waits for a writer that waits for the first reader.
    """
    if not profiles.has_own_jobs():
        return {}
    chats = {}
    for job in table.LIST_JOBS(include_disabled=True):
        with suppress(Unknown):
            if (chat := origins.of_job(job)) is not None:
                chats[str(job.get("id"))] = _remembered(chat)
    return chats


def _remembered(chat: Chat) -> Chat:
    """Return the chat of a job with what its sessions know of it, as they did when they first knew any."""
    key = (str(profile.home()), chat.platform, chat.chat_id, chat.thread_id, chat.user_id)
    with _lock:
        described = _described_chats.get(key)
    if described is None:
        described = _described(chat) or chat
        if described is not chat:
            with _lock:
                _described_chats.put(key, described)
    return described


def _of_variables(platform: str, session_id: str) -> Chat:
    chat_id, kind, thread_id, user_id, key, named = _bound(
        "CHAT_ID", "CHAT_TYPE", "THREAD_ID", "USER_ID", "KEY", "PROFILE"
    )
    chat = Chat(platform, chat_id, kind, thread_id, user_id, session_id, key, named)
    known = _details(chat)
    kind = chat.chat_type or (known.chat_type if known else "") or _type_in_key(chat)
    origin: Mapping[str, str] = {}
    if known:
        # Several people may speak in one session.
        origin = known.origin if known.user_id == chat.user_id else known.common_origin
    bound = origins.details(dict(zip(origins.DETAILS, _bound(*map(str.upper, origins.DETAILS)), strict=True)))
    return replace(chat, chat_type=kind, origin={**origin, **bound})


def _details(chat: Chat) -> Chat | None:
    """Return this chat as its last message, or its stored session, describes it; None if neither does."""
    came = _arrived.get()
    if came is not None and _is_same(came, chat) and came.profile == chat.profile:
        return came
    key = (str(profile.home()), chat.session_id)
    with _lock:
        stored = _stored.get(key)
    if stored is None:
        line, path = profiles.line(chat.session_id)
        stored = line[0]
        if not profiles.owner(path).is_own(stored._asdict()):
            return None
        if stored.chat_id and stored.origin_json:
            with _lock:
                _stored.put(key, stored)
    try:
        found = origins.of_row(stored._asdict())
    except Unknown:
        return None
    return found if _is_same(found, chat) else None


def _is_same(one: Chat, other: Chat) -> bool:
    return (one.platform, one.chat_id) == (other.platform, other.chat_id)


def _type_in_key(chat: Chat) -> str:
    """Return the type of chat that a session's key names: `agent:<profile>:<platform>:<type>:…`."""
    parts = chat.session_key.split(":")
    return parts[3] if len(parts) > 3 and parts[2] == chat.platform else ""


def _unbound(session_id: str) -> Chat | None:
    """Return the chat of the session, or of the one that it continues or works for; None on the operator's machine."""
    with _lock:
        started = _sub_agents.get(session_id)
    if started is not None:
        return _of_sub_agent(session_id, *started)
    serving = _serving.is_set()
    line, path = profiles.line(session_id)
    for stored in line:
        if stored.id.startswith(origins.JOB):
            return _of_job(stored.id, session_id)
        # In a terminal, the operator may go on with a chat's session.
        if serving and (chat := _of_stored(stored, session_id, path)):
            return chat
    if serving:
        raise Unknown("no chat is bound here")
    if line[0].source is None and (any(_bound("CRON_SESSION", prefix="HERMES_")) or value("HERMES_CRON_SESSION")):
        raise Unknown("a part of a job that is not stored")
    if value("HERMES_SESSION_PLATFORM") not in {None, "", *origins.LOCAL}:
        raise Unknown("started from the shell of a chat")
    return None


def _of_sub_agent(session_id: str, home: Path, whose: Chat | Unknown | None) -> Chat | None:
    # Before 0.20, it runs in the process's own profile, whoever started it.
    if home != profile.home():
        raise Unknown("a sub-agent outside its profile")
    if isinstance(whose, Unknown):
        raise Unknown(str(whose))
    return whose and replace(whose, session_id=session_id)


def _of_stored(stored: Stored, session_id: str, path: Path) -> Chat | None:
    chat = _of_background(stored.id, session_id) if stored.id.startswith(_BACKGROUND) else None
    if chat is None and stored.chat_id and stored.source:
        if not profiles.owner(path).is_own(stored._asdict()):
            raise Unknown("a session of another profile")
        chat = origins.of_row(stored._asdict())
    return chat and replace(chat, session_id=session_id)


def _of_background(task: str, session_id: str) -> Chat | None:
    key = (str(profile.home()), task)
    with _lock:
        chat = _background.get(key)
        # Only the task itself certainly runs in the context of the message that started it.
        if chat is None and task == session_id and (chat := _arrived.get()) is not None:
            _background.put(key, chat)
    return chat


def _of_job(job_session: str, session_id: str) -> Chat | None:
    key = (str(profile.home()), job_session)
    with _lock:
        known, chat = key in _jobs, _jobs.get(key)
    if not known:
        chat = _described(_job(origins.job_of(job_session)))
        with _lock:
            _jobs.put(key, chat)
    return chat and replace(chat, session_id=session_id)


def _job(job_id: str) -> Chat | None:
    if not profiles.has_own_jobs():
        raise Unknown("the job may be another profile's")
    try:
        found = table.GET_JOB(job_id)
    except Exception as exc:
        raise Unknown(f"the jobs cannot be read ({type(exc).__name__})") from exc
    return origins.of_job(found)


def _described(chat: Chat | None) -> Chat | None:
    """Return the chat of a job with what its sessions know of it: the job has its ids only."""
    if chat is None:
        return None
    found = next(_known(chat), None)
    if found is None:
        return chat
    return replace(chat, chat_type=chat.chat_type or found.chat_type, origin={**found.common_origin, **chat.origin})


def _known(chat: Chat) -> Iterator[Chat]:
    """Yield a chat of the current profile as its sessions describe it, the latest one first."""
    for path in profiles.databases():
        with suppress(StateError):
            for stored in latest(path, chat.platform, chat.chat_id):
                if profiles.owner(path).is_own(stored._asdict()):
                    yield origins.of_row(stored._asdict())


def _bound(*names: str, prefix: str = "HERMES_SESSION_") -> list[str]:
    """Return variables of the session. The host's own lookup falls back to the environment: foreign values."""
    variables: Mapping[str, Any] = table.SESSION_VARIABLES.load()
    unset = table.SESSION_UNSET.load()
    bound = (variables.get(prefix + name) for name in names)
    found = (None if variable is None else variable.get() for variable in bound)
    return ["" if each is None or each is unset else str(each) for each in found]
