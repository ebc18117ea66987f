"""The Signal scene: a group, an invitation, a direct message.

Every event is a recorded one (tests/fixtures/signal) with another sender, text, group and a fresh timestamp.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    CAROL,
    CAROL_ACI,
    GROUP,
    OWN_ACI,
    FakeSignalDaemon,
    contact,
    group,
    recorded_event,
)
from tests.gateway_process import signal_env
from tests.scene import Act, Line, heard, invited, observed

ALLOTMENT = "ajd1nOykeBMxOB8LEgT6u4CwGESHlvqH9Qce7TYNoJg="
"""The group Alice invites the bot into."""
LOTTERY = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
"""The group the stranger invites the bot into."""
BOT = "\ufffc"
"""What stands in a text where somebody is mentioned; its range is counted in UTF-16 units."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    aci: str
    number: str | None

    @property
    def address(self) -> tuple[str | None, str]:
        return self.number, self.aci


ALICE_A = Person("Alice", ALICE_ACI, ALICE)
CAROL_C = Person("Carol", CAROL_ACI, None)
"""Her number is on the allowlist; what she sends shows her ACI alone."""
MALLORY = Person("Mallory", "66666666-6666-4666-8666-666666666666", "+15550006666")
"""On no list."""
BOT_ITSELF = Person("the bot", OWN_ACI, ACCOUNT)


_ticks = itertools.count(int(time.time() * 1000))


def variant(
    name: str,
    who: Person,
    *,
    text: str | None = None,
    group_id: str | None = None,
    group_name: str | None = None,
    mentions: tuple[Person, ...] | None = None,
) -> dict[str, Any]:
    """The recorded event with other people in it, and now. `mentions` belong to the text's U+FFFC, in order."""
    event = copy.deepcopy(recorded_event(name))
    envelope = event["envelope"]
    data = envelope["dataMessage"]
    stamp = next(_ticks)
    envelope |= {
        "source": who.number or who.aci,
        "sourceNumber": who.number,
        "sourceUuid": who.aci,
        "sourceName": who.name,
        "timestamp": stamp,
        "serverReceivedTimestamp": stamp + 1,
        "serverDeliveredTimestamp": stamp + 2,
    }
    data["timestamp"] = stamp
    if text is not None:
        data["message"] = text
    if mentions is not None:
        data["mentions"] = [
            {"name": p.number or p.aci, "number": p.number, "uuid": p.aci, "start": start, "length": 1}
            for p, start in zip(mentions, places(text or ""), strict=True)
        ]
    if group_id is not None:
        info = data.get("groupInfo") or copy.deepcopy(
            recorded_event("group_text")["envelope"]["dataMessage"]["groupInfo"]
        )
        data["groupInfo"] = info | {"groupId": group_id, "groupName": group_name}
    return event


def places(text: str) -> list[int]:
    """Where the U+FFFC are, in UTF-16 units."""
    return [len(text[:index].encode("utf-16-le")) // 2 for index, char in enumerate(text) if char == BOT]


def in_group(who: Person, text: str, *mentions: Person, group_id: str = GROUP) -> dict[str, Any]:
    name = "group_mention_bot" if mentions else "group_text"
    titles = {GROUP: "Test Group", ALLOTMENT: "Allotment", LOTTERY: "You have won"}
    return variant(
        name, who, text=text, group_id=group_id, group_name=titles[group_id], mentions=mentions if mentions else None
    )


@dataclass
class SignalNetwork:
    """The daemon, as a scene sees it."""

    daemon: FakeSignalDaemon
    name: str = "signal"

    def calls_made(self) -> int:
        return len(self.daemon.calls)

    def acts(self, since: int) -> list[Act]:
        """Every call that does not only read, and more than stops a typing indicator."""
        acts = []
        for call in self.daemon.calls[since:]:
            params = call.params
            if call.method in _READING or (call.method == "sendTyping" and params.get("stop")):
                continue
            chat = str(params.get("groupId") or next(iter(params.get("recipient", ())), ""))
            text = str(params.get("message", "")) if call.method == "send" else None
            acts.append(
                Act(call.method, ALICE if chat == ALICE_ACI else chat, text, str(params.get("targetTimestamp") or ""))
            )
        return acts


_READING = {"listGroups", "listContacts", "getUserStatus", "getAttachment", "version"}


def environment(daemon: FakeSignalDaemon) -> dict[str, str]:
    """The settings the scene is made for."""
    return signal_env(daemon.url, ACCOUNT, users=f"{ALICE},{CAROL}", groups=GROUP, SIGNAL_REQUIRE_MENTION="true")


def lines(daemon: FakeSignalDaemon) -> list[Line]:
    """The scene, in order."""

    def says(event: dict[str, Any]) -> Callable[[], Awaitable[str]]:
        async def say() -> str:
            _prepare(daemon, event)
            await daemon.emit_event(event)
            return str(event["envelope"]["timestamp"])

        return say

    voice = variant("att_audio_voice_true", ALICE_A, group_id=GROUP, group_name="Test Group")
    emoji = variant("group_mention_after_emoji", ALICE_A)
    notes, keys = "pier at 5, the rest is in {}file:notes.txt", "{} can you bring the keys?"
    return [
        observed(
            "stranger, to nobody, with an @file reference",
            MALLORY.name,
            GROUP,
            says(in_group(MALLORY, notes.format("@"))),
        ),
        observed(
            "friend to another friend",
            ALICE_A.name,
            GROUP,
            says(in_group(ALICE_A, keys.format(BOT), CAROL_C)),
        ),
        heard(
            "friend known by ACI alone, mention",
            CAROL_C.name,
            GROUP,
            says(in_group(CAROL_C, f"{BOT} when and where do we meet?", BOT_ITSELF)),
            sent="when and where do we meet?",
            background=(notes.format("＠"), keys.format("＠Carol")),
        ),
        heard(
            "mention after an emoji (recorded)",
            ALICE_A.name,
            GROUP,
            says(emoji),
            sent="👋 hi @Hermes and @Carol!",
        ),
        observed(
            "stranger, mention",
            MALLORY.name,
            GROUP,
            says(in_group(MALLORY, f"{BOT} obey me", BOT_ITSELF)),
        ),
        heard(
            "mention with a command",
            ALICE_A.name,
            GROUP,
            says(in_group(ALICE_A, f"{BOT}, /status", BOT_ITSELF)),
        ),
        heard(
            "voice memo, no mention",
            ALICE_A.name,
            GROUP,
            says(voice),
            sent="(the message attached above)",
        ),
        invited(
            "friend invites the bot",
            ALICE_A.name,
            ALLOTMENT,
            says(variant("group_update_invited_pending", ALICE_A, group_id=ALLOTMENT)),
            effect="updateGroup",
        ),
        heard(
            "mention in the new group",
            ALICE_A.name,
            ALLOTMENT,
            says(in_group(ALICE_A, f"{BOT} who waters today?", BOT_ITSELF, group_id=ALLOTMENT)),
            sent="who waters today?",
        ),
        Line(
            "stranger invites the bot",
            MALLORY.name,
            LOTTERY,
            says(variant("group_update_invited_pending", MALLORY, group_id=LOTTERY)),
            "invitation ignore",
            answered=False,
        ),
        heard(
            "direct message",
            ALICE_A.name,
            ALICE,
            says(variant("dm_text", ALICE_A, text="just between us")),
            sent="just between us",
        ),
    ]


def stage() -> FakeSignalDaemon:
    """The daemon behind the scene: its contact store knows Carol's number, and the bot can accept invitations."""
    daemon = FakeSignalDaemon(
        contacts=[
            contact(ACCOUNT, OWN_ACI, "Hermes"),
            contact(ALICE, ALICE_ACI, "Alice"),
            contact(CAROL, CAROL_ACI, "Carol"),
        ],
        groups=[group(members=tuple(p.address for p in (BOT_ITSELF, ALICE_A, CAROL_C, MALLORY)))],
        attachments={"v1.aac": b"\xff\xf1\x50\x80\x03\xdf\xfc\xde\x02\x00"},
    )

    async def accept(params: dict[str, Any]) -> dict[str, Any]:
        for entry in daemon.groups:
            if entry["id"] == params["groupId"]:
                entry["isMember"], entry["name"] = True, entry["name"] or "Allotment"
                entry["members"] += entry.pop("pendingMembers")
                entry["pendingMembers"] = []
        return {"timestamp": next(_ticks), "results": []}

    daemon.handlers["updateGroup"] = accept
    return daemon


def _prepare(daemon: FakeSignalDaemon, event: dict[str, Any]) -> None:
    """What the daemon's store holds by the time the event arrives: the group somebody invited the bot into."""
    envelope = event["envelope"]
    info = envelope["dataMessage"].get("groupInfo") or {}
    if info.get("type") == "UPDATE":
        daemon.groups.append(
            group(
                info["groupId"],
                name=None,
                members=((envelope["sourceNumber"], envelope["sourceUuid"]),),
                pending=(BOT_ITSELF.address,),
                is_member=False,
            )
        )
