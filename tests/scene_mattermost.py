"""The Mattermost scene: a channel, a thread, who may add the bot where, a direct message, a cut, a restart.

Frames are those recorded from a live server (tests/fixtures/mattermost) wherever one can be used as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import ALICE, BOB, DM, OPS, FakeMattermostServer
from tests.mattermost_recorded import CHANNELS, USERS, frame, of_now, packed
from tests.scene import Act, Step, heard, invited, observed

ADMIN = USERS["admin"]
MALLORY = USERS["mallory"]
"""On no list."""
RANDOM_TALK = CHANNELS["random-talk"]
"""A channel the bot is not in, and which is not on its list."""
THREAD = str(frame("thread_reply_to_bot_root")["data"]["post"]["id"])
"""Of the bot's, in the channel it serves."""
AWAY = 1.5
"""Seconds for which the server refuses a new socket: less than the first back-off, at two seconds, ever is."""

CONFIG: dict[str, Any] = {"mattermost": {"group_allow_admin_from": [ADMIN]}}

Say = Callable[[], Awaitable[str]]


def environment(server: FakeMattermostServer) -> dict[str, str]:
    """The settings the scene is made for."""
    return {
        "MATTERMOST_URL": server.url,
        "MATTERMOST_TOKEN": server.token,
        "MATTERMOST_ALLOWED_USERS": f"{ADMIN},{ALICE},{BOB}",
        "MATTERMOST_ALLOWED_CHANNELS": OPS,
    }


def stage() -> FakeMattermostServer:
    """The server behind the scene, with everybody who was there when its frames were recorded."""
    # Stock's adapter shows its token only once the socket stands.
    server = FakeMattermostServer(bad_token_delay=5.0)
    for name in ("admin", "mallory", "hermes2", "hermes.fan"):
        server.add_user(name, USERS[name])
    server.channels[RANDOM_TALK] = server.channels[OPS] | {
        "id": RANDOM_TALK,
        "name": "random-talk",
        "display_name": "Random Talk",
    }
    server.members[RANDOM_TALK] = {ADMIN, ALICE, MALLORY}
    server.members[OPS] |= {ADMIN, MALLORY}
    return server


@dataclass
class MattermostNetwork:
    """The server, as a scene sees it."""

    server: FakeMattermostServer
    name: str = "mattermost"

    def calls_made(self) -> int:
        return len(self.server.calls)

    def acts(self, since: int) -> list[Act]:
        """Every call that does not only read."""
        acts = []
        for call in self.server.calls[since:]:
            if call.method == "GET" or call.path in {"/users/ids", "/users/usernames"}:
                continue
            body = call.json or {}
            if call.method == "DELETE" and call.path.startswith("/channels/"):
                acts.append(Act("leaving", call.path.split("/")[2]))
                continue
            chat = in_thread(body.get("channel_id", ""), body.get("root_id") or body.get("parent_id") or "")
            text = str(body["message"]) if (call.method, call.path) == ("POST", "/posts") else None
            acts.append(Act(f"{call.method} {call.path}", chat, text, str(body.get("post_id") or "")))
        return acts


def in_thread(channel: str, root: str) -> str:
    return f"{channel} {root}" if root else channel


def steps(server: FakeMattermostServer) -> list[Step]:
    """The scene, in order."""

    def again(name: str, *indexes: int) -> Say:
        """Recorded frames, as of this moment. Posts are stored and the bot comes and goes, so that REST agrees."""

        async def say() -> str:
            event: dict[str, Any] = {}
            for index in indexes:
                event = of_now(name, index)
                channel = event["broadcast"]["channel_id"] or event["data"]["channel_id"]
                match event["event"]:
                    case "user_added":
                        server.members[channel].add(HERMES)
                    case "user_removed":
                        server.members[channel].discard(HERMES)
                    case "posted":
                        server.posts[event["data"]["post"]["id"]] = event["data"]["post"]
                await server.emit(packed(event))
            return str(event["data"]["post"]["id"])

        return say

    def now(user_id: str, channel: str, text: str, **fields: Any) -> Say:
        """A post of this moment."""

        async def say() -> str:
            return str((await server.post(user_id, channel, text, **fields))["id"])

        return say

    def in_the_cut(first: Say, last: Say) -> tuple[Say, Say]:
        """Two posts while no socket stands."""

        async def cut() -> str:
            server.refuse_upgrade = (503, {})
            server.cut()
            await asyncio.sleep(AWAY / 3)
            return await first()

        async def come_back() -> str:
            await asyncio.sleep(AWAY / 3)
            event = await last()
            await asyncio.sleep(AWAY / 3)
            server.refuse_upgrade = None
            return event

        return cut, come_back

    async def restarted() -> str:
        """A post nobody was told of, and a server that knows no connection any more: it has to be fetched."""
        server.cut()
        server.resumes = False
        return str(server.store(BOB, OPS, "@hermes still with us?")["id"])

    async def hooked() -> str:
        """Said to a standing socket; stock's takes some seconds to stand again."""
        with suppress(TimeoutError):
            await server.connected(timeout=15)
        props = frame("webhook_post", 1)["data"]["post"]["props"]
        return await now(ADMIN, OPS, "@hermes /restart", props=props, sender_name="alice")()

    mention, direct = in_the_cut(now(ALICE, OPS, "@hermes are you back?"), now(ALICE, DM, "and here?"))
    background = ("＠hermes2 hi", "＠hermes read ＠file:notes.txt to me")
    lines = [
        heard("mention with punctuation (recorded)", "alice", OPS, again("mention_with_punctuation", 0), sent="hi"),
        observed("mention of @hermes2 (recorded)", "alice", OPS, again("mention_prefix_of_other_user", 0)),
        observed("mention in a code block (recorded)", "alice", OPS, again("mention_in_code_block", 1)),
        observed(
            "stranger, mention, with an @file reference",
            "mallory",
            OPS,
            now(MALLORY, OPS, "@hermes read @file:notes.txt to me"),
        ),
        heard(
            "friend, mention (recorded)",
            "alice",
            OPS,
            again("channel_mention_bot", 0),
            sent="what is the status?",
            background=background,
        ),
        heard("admin, mention with a command", "admin", OPS, now(ADMIN, OPS, "@hermes, /status")),
        heard(
            "in a thread of the bot's, no mention (recorded)",
            "alice",
            in_thread(OPS, THREAD),
            again("thread_reply_to_bot_root", 0, 1),
            # A thread is one session of all who write in it: the host says who.
            sent="[alice] reply without mention",
        ),
        invited(
            "admin adds the bot to a channel (recorded)", "admin", RANDOM_TALK, again("bot_added_to_channel", 1, 2)
        ),
        heard(
            "mention in the new channel",
            "alice",
            RANDOM_TALK,
            now(ALICE, RANDOM_TALK, "@hermes who is on call?"),
            sent="who is on call?",
        ),
        invited(
            "removed; a stranger adds the bot again (recorded)",
            "mallory",
            RANDOM_TALK,
            again("bot_added_to_channel", 4, 5, 6),
            effect="leaving",
        ),
        heard("direct message (recorded)", "alice", DM, again("dm_to_bot", 0), sent="hello bot"),
    ]
    cut = (
        heard(
            "mention while the socket is cut for two seconds",
            "alice",
            OPS,
            mention,
            sent="are you back?",
            background=background,
        ),
        heard("direct message while the socket is cut", "alice", DM, direct, sent="and here?"),
    )
    restart = heard("mention while the server restarts", "bob", OPS, restarted, sent="still with us?")
    webhook = observed("webhook of the admin's: @hermes /restart", "admin", OPS, hooked)
    return [*((line,) for line in lines), cut, (restart,), (webhook,)]
