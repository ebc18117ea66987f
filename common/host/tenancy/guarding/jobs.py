"""Scheduled jobs: a chat sees and changes its own only, and they answer to it only.

Its own jobs are those made in this chat, in the same context: in a thread, or by a person, where the policy says so.
Jobs answer to chats, so one context in several chats does not share them. A job without a chat is the operator's.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from ....tenancy import guard
from ....tenancy.answers import failed
from ....tenancy.chats import Chat, Operation, Unknown
from ...contract import table
from .. import profiles
from ..tenant import Tenant, tenant
from . import guards

logger = logging.getLogger(__name__)

TOOLS = frozenset({"cronjob", "cronjob_manage"})
"""The names of Hermes' tool for jobs: the newer one since 0.21.5."""
_HERE = frozenset({"", "origin", "local"})
_ITSELF = "self"
_DELIVERIES = ("deliver", "failure_deliver")


class _Refused(Exception):
    """The call concerns more than the chat's own jobs."""


def carry_out(args: Mapping[str, Any], next_call: Callable[[Any], Any], session_id: str) -> Any:
    """Carry out a call of the tool as far as it concerns jobs of the current chat. Raises only what the tool raises."""
    try:
        chat = _limited(session_id)
        asked = dict(args) if chat is None else _Own(chat).allowed(args)
    except Unknown:
        return failed("No chat is known here, so it has no jobs.")
    except _Refused as exc:
        return failed(str(exc))
    except Exception as exc:
        logger.error("a call about a chat's jobs failed (%s)", type(exc).__name__)
        return failed("Jobs cannot be reached here.")
    answer = next_call(asked)
    if chat is None:
        return answer
    try:
        return _Own(chat).shown(answer, _action(asked))
    except Exception as exc:
        logger.error("an answer about a chat's jobs was withheld (%s)", type(exc).__name__)
        return failed("Jobs cannot be shown here.")


def _limited(session_id: str) -> Chat | None:
    """Return the chat whose jobs a call may concern, None if it may concern all. Raises Unknown."""
    who = guards.guarded(session_id)
    if who is None or who.is_trusted:
        return None
    if who.chat is None:
        raise Unknown
    return who.chat


class _Own:
    """The jobs of one chat, as they are now. Raises _Refused if they may be another profile's."""

    def __init__(self, chat: Chat) -> None:
        # Another bot's chat with the same person has the same ids.
        if not profiles.has_own_jobs():
            raise _Refused("Whose jobs these are cannot be told, because this Hermes keeps those of all profiles.")
        self._here, self._chat = tenant(), chat
        self._jobs = [job for job in table.LIST_JOBS(include_disabled=True) if self._is_own(job)]

    def _is_own(self, job: Mapping[str, Any]) -> bool:
        origin = job.get("origin")
        if not isinstance(origin, Mapping):
            return False
        if (str(origin.get("platform")), str(origin.get("chat_id"))) != (self._chat.platform, self._chat.chat_id):
            return False
        made = dataclasses.replace(
            self._chat, thread_id=str(origin.get("thread_id") or ""), user_id=str(origin.get("user_id") or "")
        )
        return _contexts(self._here, made) == _contexts(self._here, self._chat)

    def allowed(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call with its jobs named by their ids. Raises _Refused if it concerns those of others."""
        asked = dict(args)
        for name in _DELIVERIES:
            if not all(map(self._answers_here, _listed(asked.get(name)))):
                raise _Refused("A chat's job answers to this chat only: leave deliver out.")
        if asked.get("job_id"):
            asked["job_id"] = self._named(asked["job_id"])
        if sources := _listed(asked.get("context_from")):
            asked["context_from"] = [_ITSELF if each.lower() == _ITSELF else self._named(each) for each in sources]
        return asked

    def _named(self, reference: object) -> str:
        """Return the id of the job that a reference means: an id, or a name in any case, as in Hermes."""
        wanted = str(reference)
        found = [job for job in self._jobs if job["id"] == wanted]
        found = found or [job for job in self._jobs if str(job.get("name") or "").lower() == wanted.lower()]
        if len(found) > 1:
            raise _Refused(f"Several jobs have this name, use an id: {', '.join(str(job['id']) for job in found)}.")
        if not found:
            raise _Refused("No such job in this chat.")
        return str(found[0]["id"])

    def _answers_here(self, target: str) -> bool:
        own = {self._chat.key, f"{self._chat.key}:{self._chat.thread_id}"}
        return target.lower() in _HERE or target in own

    def shown(self, answer: Any, action: str) -> Any:
        """Return Hermes' answer as the chat may have it. Removes a new job that does not belong to the chat."""
        ids = {str(job["id"]) for job in self._jobs}
        if action not in {"list", "create"}:
            return answer
        told = json.loads(answer)
        if action == "list":
            jobs = [job for job in told.get("jobs") or () if str(job.get("job_id") or job.get("id")) in ids]
            kept = {name: told[name] for name in ("success", "error") if name in told}
            return json.dumps({**kept, "count": len(jobs), "jobs": jobs}, ensure_ascii=False)
        made = told.get("job_id")
        if made and str(made) not in ids:
            # Without its chat a job would be the operator's, and might do what they may.
            table.REMOVE_JOB(str(made))
            return failed("Jobs cannot be made here.")
        return answer


def _contexts(here: Tenant, chat: Chat) -> object:
    try:
        return here.of(chat, Operation.RECALL)
    except Unknown:
        # Equal to nothing, so that nothing is its own.
        return object()


def _listed(value: object) -> list[str]:
    """Return the items of a list, of a text with commas, or of a list as JSON. Raises _Refused for anything else."""
    items = guard.parsed(value)
    if items is None:
        return []
    if isinstance(items, str):
        items = items.split(",")
    if not isinstance(items, (list, tuple)) or not all(isinstance(each, str) for each in items):
        raise _Refused("The arguments cannot be read.")
    return [part.strip() for each in items for part in each.split(",") if part.strip()]


def _action(args: Mapping[str, Any]) -> str:
    return str(args.get("action") or "").strip().lower()
