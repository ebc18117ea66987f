"""The host's questions: who answers them, in a session that everybody in the group shares.

The control of each case is the admin, who answers the same question the same way.
"""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.authority import Authority

from tests.attacks.conftest import OpenStage
from tests.attacks.harness import REFUSAL, Stage
from tests.attacks.prompts import APPROVALS, CANCELS, CONFIRMATIONS, DENIALS, Asked, Question, clarify, open_question
from tests.attacks.table import BEINGS, MAY_ANSWER, Door, Kind, beings

WORDS = {
    Question.APPROVAL: (*APPROVALS, *DENIALS),
    Question.CONFIRMATION: (*CONFIRMATIONS, *CANCELS),
    Question.UPDATE: ("y", "yes", "/approve", "/deny", "anything at all", "/help"),
}
"""All that the host takes for an answer."""
FEW = {question: (words[0], words[1], words[-1]) for question, words in WORDS.items()}
"""Enough of them where a turn of the agent follows each."""
SHARED = {"group_sessions_per_user": False}

GROUPS = sorted(
    {
        (network, being.door, being.authority)
        for kind, being in BEINGS.items()
        if kind is not Kind.ADMIN
        for network in being.networks
    }
)


async def answer(on: Stage, kind: Kind, asked: Asked, word: str) -> bool:
    """Say it to the bot; true when the question is settled."""
    await on.say(kind, word, busy=asked.agent_waits)
    return asked.answered()


async def settles(on: Stage, kind: Kind, asked: Asked, word: str) -> bool:
    """The same where it is expected, however slow the machine is."""
    await on.say(kind, word, busy=True)
    await on.until(asked.answered)
    await asked.withdraw()
    await on.settled()
    return True


@pytest.mark.parametrize(("network", "door", "authority"), GROUPS)
async def test_somebody_elses_question_is_answered_by_an_admin_alone(
    stage: OpenStage, subtests: pytest.Subtests, network: str, door: Door, authority: Authority
) -> None:
    async with stage(network, door, **SHARED) as on:
        for question, words in WORDS.items():
            on.reads_only = question is not Question.APPROVAL
            first = await open_question(on, question, Kind.ADMIN)
            assert await settles(on, Kind.ADMIN, first, words[0]), "the control"
            asked = await open_question(on, question, Kind.ADMIN)
            for kind in beings(network, door, authority):
                with subtests.test(question=str(question), kind=str(kind)):
                    before = len(on.sent())
                    for word in (FEW if authority is Authority.PROGRAM else WORDS)[question]:
                        assert not await answer(on, kind, asked, word), word
                    if authority in {Authority.STRANGER, Authority.PROGRAM}:
                        assert not [text for text in on.sent()[before:] if text.startswith(REFUSAL)]
            assert await settles(on, Kind.ADMIN, asked, words[0]), "the admin's word still counts"


ASKING = [(network, door, authority) for network, door, authority in GROUPS if authority is not Authority.STRANGER]


@pytest.mark.parametrize(("network", "door", "authority"), ASKING)
async def test_a_question_of_ones_own_is_answered_by_people_the_operator_knows(
    stage: OpenStage, subtests: pytest.Subtests, network: str, door: Door, authority: Authority
) -> None:
    may_run_commands = "own" in MAY_ANSWER[authority]
    async with stage(network, door, **SHARED) as on:
        for question, words in WORDS.items():
            if question is Question.CONFIRMATION and not may_run_commands:
                # None of theirs is ever to be confirmed.
                continue
            on.reads_only = question is not Question.APPROVAL
            first = await open_question(on, question, Kind.ADMIN)
            assert await settles(on, Kind.ADMIN, first, words[0]), "the control"
            for kind in beings(network, door, authority):
                with subtests.test(question=str(question), kind=str(kind)):
                    asked = await open_question(on, question, kind)
                    if may_run_commands:
                        assert await settles(on, kind, asked, words[0])
                    else:
                        for word in FEW[question]:
                            assert not await answer(on, kind, asked, word), word
                    await asked.withdraw()
                if authority is Authority.PROGRAM:
                    # Of programs only so many are heard in a row.
                    await on.say(Kind.ADMIN, "never mind")


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_a_listed_person_without_the_command_answers_nothing(stage: OpenStage, network: str) -> None:
    nothing = {"user_allowed_commands": [], "group_user_allowed_commands": []}
    async with stage(network, **SHARED) as on:
        assert await settles(on, Kind.LISTED, await open_question(on, Question.APPROVAL, Kind.LISTED), "yes")
    async with stage(network, **SHARED, **nothing) as on:
        asked = await open_question(on, Question.APPROVAL, Kind.LISTED)
        for word in WORDS[Question.APPROVAL]:
            assert not await answer(on, Kind.LISTED, asked, word), word
        assert await settles(on, Kind.ADMIN, asked, "yes")


@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_with_no_admin_list_whoever_is_listed_individually_is_an_admin(stage: OpenStage, network: str) -> None:
    async with stage(network, Door.WILDCARD, **SHARED) as on:
        asked = await open_question(on, Question.APPROVAL, Kind.ADMIN)
        assert not await answer(on, Kind.ANYBODY, asked, "yes")
        assert await settles(on, Kind.LISTED, asked, "yes")
        await on.say(Kind.ANYBODY, "/yolo")
        assert not on.yolo()
        await on.say(Kind.LISTED, "/yolo")
        assert on.yolo()


@pytest.mark.parametrize(
    ("network", "kind"), [("signal", Kind.STRANGER), *(("mattermost", k) for k in (Kind.STRANGER, Kind.BOT, Kind.HOOK))]
)
async def test_a_choice_the_agent_offers_is_made_by_no_stranger_and_no_program(
    stage: OpenStage, network: str, kind: Kind
) -> None:
    async with stage(network, agent=False, **SHARED) as on:
        await on.say(Kind.ADMIN, "offer me something")
        asked = clarify(on.session())
        for word in ("1", "the red one", "yes"):
            assert not await answer(on, kind, asked, word), word
        assert await settles(on, Kind.ADMIN, asked, "2")


@pytest.mark.parametrize("kind", [Kind.BOT, Kind.HOOK, Kind.APP, Kind.POSER])
async def test_programs_have_a_session_of_their_own_in_a_thread_too(stage: OpenStage, kind: Kind) -> None:
    async with stage("mattermost", agent=False, **SHARED) as on:
        root = on.server.store(on.users["listed"], on.ops, "a thread")["id"]
        sessions = {}
        for who in (Kind.ADMIN, Kind.LISTED, kind):
            for thread in ("", root):
                await on.say(who, f"{who} was here", root_id=thread)
                sessions[who, bool(thread)] = on.session()
        assert sessions[Kind.ADMIN, False] == sessions[Kind.LISTED, False]
        assert sessions[Kind.ADMIN, True] == sessions[Kind.LISTED, True]
        for thread in (False, True):
            assert sessions[kind, thread] not in {sessions[Kind.ADMIN, thread], sessions[Kind.LISTED, thread]}
