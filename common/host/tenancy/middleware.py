"""The hooks and middleware that Hermes calls, which keep the memory of each chat apart.

`seal` rewrites a chat's call into one that Hermes alone refuses, `carry_out` carries it out on the chat's own files and
sessions, and refuses what reaches around them, `show` puts the chat's memory into the system prompt.

Middleware checks calls, because Hermes since 0.20.6 may skip a hook that is at work for another turn (`hooks`), and
refuses the call then if the hook is `pre_tool_call`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from ...core.errors import ConfigError
from ...tenancy import memory, requests, sealing
from ...tenancy.answers import failed
from ...tenancy.chats import Chat, Operation, Unknown
from ...tenancy.contexts import GLOBAL
from ..contract import hooks, table
from ..waiting import ephemeral
from . import commands, memory_tool, origins, profiles, readiness, recall, session, store, strict_tool
from .guarding import answers, guards, jobs, kept, texts, unstored
from .tenant import Tenant, tenant

logger = logging.getLogger(__name__)

_OPERATIONS = {sealing.MEMORY: Operation.WRITE, sealing.SEARCH: Operation.RECALL}


def register(ctx: Any) -> None:
    """Register the hooks and the middleware, and the parameter `scope` of Hermes' memory tool.

    Logs what fails: an error here would make Hermes load stock adapters. Ours refuse to start then (`readiness`).
    """
    try:
        _register(ctx)
    except Exception as exc:
        logger.error("the memory of chats cannot be kept apart (%s: %s)", type(exc).__name__, exc)


def _register(ctx: Any) -> None:
    middleware: dict[str, Callable[..., object]] = {
        "tool_request": seal,
        "tool_execution": carry_out,
        "llm_request": show,
    }
    callbacks: dict[str, Callable[..., object]] = {
        "pre_gateway_dispatch": message_arrived,
        "pre_llm_call": turn_began,
        "subagent_start": sub_agent_started,
        "transform_llm_output": answers.checked,
    }
    readiness.expect({**middleware, **callbacks})
    for kind, callback in middleware.items():
        ctx.register_middleware(kind, callback)
    for kind, hook in callbacks.items():
        hooks.register(ctx.register_hook, kind, hook)
    ctx.register_hook("transform_llm_output", answers.unchecked)
    table.MEMORY_SCHEMA.load()["parameters"]["properties"]["scope"] = {
        "type": "string",
        "enum": list(sealing.SCOPES),
        "description": "Who sees the entry: `chat` (default), this chat and those that share its memory; `global`,"
        " every chat with this agent, for facts that are nobody's secret. Ignored outside chats.",
    }
    strict_tool.register(ctx)


def message_arrived(
    *, event: Any = None, gateway: Any = None, session_store: Any = None, **_: object
) -> dict[str, str] | None:
    """Bind the chat of a message to its task, and keep commands that show other chats' things from the host.

    Called by the hook `pre_gateway_dispatch`, for every platform, but for no message while the agent works.
    """
    if (source := getattr(event, "source", None)) is None:
        return None
    session.arrived(source)
    kept.received(getattr(event, "media_urls", None) or (), source)
    if commands.is_refused(event, gateway):
        return {"action": "skip", "reason": "it shows other chats' things"}
    try:
        text = texts.without_references(event)
    except Exception as exc:
        logger.error("a message's references could not be checked (%s)", type(exc).__name__)
        return {"action": "skip", "reason": "its references cannot be checked"}
    try:
        profiles.keep_apart(source, gateway, session_store)
    except Exception as exc:
        logger.error("a session could not be kept apart from other profiles' (%s)", type(exc).__name__)
        return {"action": "skip", "reason": "its session may be another profile's"}
    return None if text is None else {"action": "rewrite", "text": text}


def turn_began(
    *,
    session_id: str = "",
    task_id: str = "",
    turn_id: str = "",
    platform: str = "",
    user_message: object = "",
    **_: object,
) -> None:
    """Note who works in a session, and give a chat its shell. Called by the hook `pre_llm_call`, and by `show`."""
    try:
        session.began(str(session_id or ""), str(platform or ""))
        unstored.turn_began(str(session_id or ""), user_message)
        kept.told(str(session_id or ""), user_message)
        guards.turn_began(str(session_id or ""), str(task_id or ""), str(turn_id or ""))
    except Exception as exc:
        logger.error("a chat has no shell of its own (%s)", type(exc).__name__)


def sub_agent_started(*, parent_session_id: str = "", child_session_id: str = "", **_: object) -> None:
    """Note whose sub-agent a session is. Called by the hook `subagent_start`."""
    if child_session_id:
        session.delegated(str(parent_session_id or ""), str(child_session_id))
        ephemeral.delegated(str(parent_session_id or ""), str(child_session_id))


def seal(
    *, tool_name: str = "", args: Mapping[str, Any], session_id: str = "", task_id: str = "", **_: object
) -> dict[str, Any] | None:
    """Seal a chat's call of memory or session_search, and every call that the chat may not have.

    Called by the middleware `tool_request`.
    """
    if refusal := check(tool_name=tool_name, args=args, session_id=session_id, task_id=task_id):
        return {"args": sealing.refused(tool_name, refusal)}
    if tool_name not in sealing.SEALED:
        return None
    try:
        if _is_hosts(tenant(), session.current(session_id)):
            return None
    except Exception as exc:
        # The other half says why, or nothing happens at all.
        logger.debug("a call of %s is sealed for good (%s)", tool_name, type(exc).__name__)
    return {"args": sealing.sealed(tool_name, args)}


def carry_out(
    *,
    tool_name: str = "",
    args: Mapping[str, Any],
    next_call: Callable[[Any], Any],
    session_id: str = "",
    task_id: str = "",
    turn_id: str = "",
    tool_call_id: str = "",
    **_: object,
) -> Any:
    """Carry out a sealed call, refuse one that the chat may not have, and pass on every other.

    Called by the middleware `tool_execution`. Raises nothing of its own: the host answers an exception with its own,
    global execution.
    """
    kept.called(session_id, tool_call_id)
    if refusal := sealing.refusal(args) or check(
        tool_name=tool_name, args=args, session_id=session_id, task_id=task_id
    ):
        return json.dumps({"error": refusal})
    if tool_name in jobs.TOOLS:
        return jobs.carry_out(args, next_call, session_id)
    if tool_name == strict_tool.NAME:
        tool_name = sealing.MEMORY
    if tool_name not in sealing.SEALED:
        return kept.carried_out(tool_name, args, next_call, session_id)
    try:
        asked = sealing.unsealed(tool_name, args)
        answer = _own(tenant(), tool_name, asked, session_id, turn_id)
    except Unknown as exc:
        return failed(f"Not available here: {exc}.")
    except ConfigError:
        return failed(answers.WRONG_SETTINGS)
    except Exception as exc:
        logger.error("%s of a chat failed (%s)", tool_name, type(exc).__name__)
        return failed(f"{tool_name} failed; nothing was read or written.")
    if answer is not None:
        return answer
    asked.pop("scope", None)
    return next_call(asked)


def show(
    *,
    request: dict[str, Any],
    session_id: str = "",
    api_mode: str = "",
    task_id: str = "",
    turn_id: str = "",
    platform: str = "",
    **_: object,
) -> dict[str, Any] | None:
    """Add the chat's memory to the system prompt. Called by the middleware `llm_request`; no memory on any error."""
    turn_began(session_id=session_id, task_id=task_id, turn_id=turn_id, platform=platform)
    unstored.shown(session_id, request)
    try:
        here = tenant()
        chat = session.current(session_id)
        # The operator's job may answer to a group: it is shown nobody's memory.
        contexts = () if chat is None and session_id.startswith(origins.JOB) else here.shown(chat)
        if not contexts:
            return None
        compaction = requests.compaction(request, here.summary_marker)
        text = here.prompts.text(session_id, contexts, compaction, here.targets)
        if strict_tool.is_offered(request):
            text = "\n\n".join(filter(None, (strict_tool.GUIDANCE, text)))
        changed = requests.with_system_text(request, text, api_mode) if text else None
    except Exception as exc:
        if not isinstance(exc, Unknown):
            logger.error("a chat's memory is not shown (%s)", type(exc).__name__)
        return None
    return {"request": changed} if changed else None


def check(*, tool_name: str, args: Any, session_id: str, task_id: str = "") -> str | None:
    """Return why a chat may not have a call: it reaches around the chat's memory, or cannot be checked."""
    if tool_name == strict_tool.NAME:
        tool_name = sealing.MEMORY
    try:
        if refusal := unstored.refusal(tool_name, args if isinstance(args, Mapping) else {}, session_id):
            return refusal
        return guards.refusal(tool_name, args if isinstance(args, Mapping) else {}, session_id, task_id)
    except ConfigError:
        return answers.WRONG_SETTINGS
    except Exception as exc:
        logger.error("a call of %s could not be checked (%s)", tool_name, type(exc).__name__)
        return "The check of this call failed."


# -- what belongs to whom


def _is_hosts(here: Tenant, chat: Chat | None) -> bool:
    """Return True for a call that Hermes carries out itself: the operator's, and of chats if all memory is global."""
    if chat is None:
        return not here.settings.strict and not here.settings.cli_context
    return here.is_off


def _own(here: Tenant, tool: str, args: dict[str, Any], session_id: str, turn_id: str) -> str | None:
    """Carry out a call here; return None if it is Hermes' own to carry out."""
    chat = session.current(session_id)
    if _is_hosts(here, chat):
        return None
    mine = here.of(chat, _OPERATIONS[tool])
    if tool == sealing.SEARCH:
        return None if chat is None else recall.search(args, session_id, here.contexts, mine)
    return _memory(here, args, chat, mine, session_id, turn_id)


def _memory(
    here: Tenant, args: dict[str, Any], chat: Chat | None, mine: tuple[str, ...], session_id: str, turn_id: str
) -> str | None:
    if session_id.startswith(origins.JOB):
        raise Unknown("a job has no memory")
    try:
        sealing.check_form(args)
        scope = sealing.scope(args)
    except ValueError as exc:
        return failed(str(exc))
    # The host says what it does without a target, and what is wrong with another one.
    if args["target"] in memory.FILES and args["target"] not in here.targets:
        return failed("This memory is switched off in config.yaml.")
    if mine == GLOBAL or scope == sealing.GLOBAL:
        if chat is not None and not here.may_write_global(chat, mine):
            return failed("Memory of all chats cannot be written here. Save it for this chat (scope 'chat').")
        return memory_tool.call(args, here.store(turn_id, store.HOST_MEMORY)) if here.settings.strict else None
    return memory_tool.call(args, here.store(turn_id, mine[0]))
