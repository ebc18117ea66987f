"""The table of authority, as it is seen from outside: every authority, every act, on every network it exists on.

Each case begins with the control, the same act by the admin: were that not to work, nothing would be shown. Then
everybody of that authority tries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
from hermes_hardened_adapters.common.core.authority import Authority

from tests.attacks.conftest import OpenStage
from tests.attacks.harness import REFUSAL, REPORT, SECRET, File, Stage
from tests.attacks.table import BEINGS, EXPECTED, Act, Door, Kind, Right, beings

Try = Callable[[Stage, Kind], Awaitable[bool]]
"""Does something as that kind of person; true when it had its effect."""


async def group_turn(stage: Stage, kind: Kind) -> bool:
    await stage.say(kind, f"good morning from the {kind}")
    return any(f"good morning from the {kind}" in read for read in stage.read)


async def direct_turn(stage: Stage, kind: Kind) -> bool:
    await stage.say(kind, f"just us, says the {kind}", direct=True)
    return any(f"just us, says the {kind}" in read for read in stage.read)


def command(text: str, answer: str) -> Try:
    """A slash command in the group, whose answer holds those words."""

    async def attempt(stage: Stage, kind: Kind) -> bool:
        before = len(stage.sent())
        await stage.say(kind, text)
        return any(answer in sent for sent in stage.told(before))

    return attempt


async def yolo(stage: Stage, kind: Kind) -> bool:
    before = stage.yolo()
    await stage.say(kind, "/yolo")
    switched = stage.yolo() is not before
    if switched:
        await stage.say(kind, "/yolo")
    return switched


async def plain_restart(stage: Stage, kind: Kind) -> bool:
    before = stage.restarts
    for words in ("please restart the gateway", "Restart Hermes!"):
        await stage.say(kind, words, direct=True)
    return stage.restarts > before


async def file(stage: Stage, kind: Kind) -> bool:
    before = stage.fetched()
    await stage.attach(kind, f"a file of the {kind}", [REPORT])
    in_group = stage.fetched() > before
    await stage.attach(kind, f"one more of the {kind}", [REPORT], direct=True)
    return in_group or stage.fetched() > before


async def long_text(stage: Stage, kind: Kind) -> bool:
    before = stage.fetched()
    whole = f"a long text of the {kind} " + "word " * 500
    rest = File("", whole.encode(), "text/x-signal-plain")
    await stage.attach(kind, whole[:1900], [rest])
    in_group = stage.fetched() > before
    await stage.attach(kind, whole[:1800], [rest], direct=True)
    return in_group or stage.fetched() > before


async def reference(stage: Stage, kind: Kind) -> bool:
    before = len(stage.read)
    await stage.say(kind, "what is in @file:notes.txt, please?")
    await stage.say(kind, "and what is in @file:notes.txt, please?", direct=True)
    expanded = SECRET in str(stage.read[before:])
    # As background of somebody else's request, too.
    before = len(stage.read)
    await stage.say(Kind.ADMIN, "did you see that?")
    assert len(stage.read) > before
    return expanded or SECRET in str(stage.read[before:])


async def invitation(stage: Stage, kind: Kind) -> bool:
    return await stage.invite(kind)


ATTEMPTS: Mapping[Act, Try] = {
    Act.GROUP_TURN: group_turn,
    Act.DIRECT_TURN: direct_turn,
    Act.LISTED_COMMAND: command("/status", "Gateway Status"),
    Act.FLOOR_COMMAND: command("/help", "Hermes Commands"),
    Act.ADMIN_COMMAND: command("/profile", "Profile"),
    Act.YOLO: yolo,
    Act.PLAIN_RESTART: plain_restart,
    Act.FILE: file,
    Act.LONG_TEXT: long_text,
    Act.REFERENCE: reference,
    Act.INVITATION: invitation,
}
UNDER_ANOTHERS_ACCOUNT = {Kind.HOOK, Kind.APP, Kind.POSER}
"""They post, and do nothing else."""
ONLY = {Act.LONG_TEXT: "signal"}
"""Acts that one network alone has."""
HEARD_ALL_THE_SAME = {Act.REFERENCE, Act.INVITATION}
"""Acts after which the admin speaks, who is answered."""

CASES = sorted(
    {
        (network, being.door, being.authority)
        for kind, being in BEINGS.items()
        if kind is not Kind.ADMIN
        for network in being.networks
    }
)


@pytest.mark.parametrize(("network", "door", "authority"), CASES)
async def test_everybody_may_do_what_the_table_says_and_no_more(
    stage: OpenStage, subtests: pytest.Subtests, network: str, door: Door, authority: Authority
) -> None:
    async with stage(network, door, agent=False) as on:
        for act, attempt in ATTEMPTS.items():
            if ONLY.get(act, network) == network:
                for kind in beings(network, door, authority):
                    if act is not Act.INVITATION or kind not in UNDER_ANOTHERS_ACCOUNT:
                        with subtests.test(act=str(act), kind=str(kind)):
                            assert await attempt(on, Kind.ADMIN), "the control"
                            await tries(on, attempt, act, kind, EXPECTED[authority][act])


async def tries(on: Stage, attempt: Try, act: Act, kind: Kind, right: Right) -> None:
    """The case itself: what becomes of the act, and what can be seen of it."""
    acts, sent = len(on.acts()), len(on.sent())
    had_effect = await attempt(on, kind)
    if right is not Right.OPEN:
        assert had_effect is (right is Right.YES)
    if right is Right.SILENCE and act not in HEARD_ALL_THE_SAME:
        assert on.acts()[acts:] == []
    if right is Right.NO:
        assert all(text.startswith(REFUSAL) for text in on.sent()[sent:])
