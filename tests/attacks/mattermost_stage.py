"""The attackers' Mattermost: a channel, direct chats, programs, and a server that shows all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.harness import File, Stage, commands
from tests.attacks.table import Door, Kind
from tests.fakes.mattermost_server import ALICE, BOB, HERMES, OPS, FakeMattermostServer
from tests.hosted import hosted_mattermost

PROPS: Mapping[Kind, dict[str, Any]] = {
    Kind.HOOK: {"from_webhook": "true", "override_username": "alerts"},
    Kind.APP: {"from_oauth_app": "true"},
    Kind.POSER: {"override_username": "alerts"},
    Kind.MASKED_STRANGER: {"override_username": "alice", "override_icon_url": "x"},
    Kind.STRANGERS_HOOK: {"from_webhook": "true"},
    Kind.STRANGERS_APP: {"from_oauth_app": "true"},
}
ACCOUNTS: Mapping[Kind, str] = {
    Kind.ADMIN: "admin",
    Kind.HOOK: "admin",
    Kind.APP: "admin",
    Kind.POSER: "admin",
    Kind.LISTED: "listed",
    Kind.PAIRED: "paula",
    Kind.ANYBODY: "dora",
    Kind.BOT: "builder",
    Kind.STRANGER: "mallory",
    Kind.MASKED_STRANGER: "mallory",
    Kind.STRANGERS_HOOK: "mallory",
    Kind.STRANGERS_APP: "mallory",
    Kind.STRANGE_TYPE: "mallory",
}
"""The account each kind posts under."""


@dataclass
class MattermostStage(Stage):
    name = "mattermost"
    ops = OPS
    server: FakeMattermostServer = field(default_factory=FakeMattermostServer)
    users: dict[str, str] = field(default_factory=dict)
    directs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = {"admin": ALICE, "listed": BOB}
        for name in ("paula", "dora", "mallory"):
            self.users[name] = self.server.add_user(name)
        self.users["builder"] = self.server.add_user("builder", is_bot=True, bot_description="CI")
        for user_id in self.users.values():
            self.server.members[OPS].add(user_id)

    def environment(self) -> dict[str, str]:
        users = f"{ALICE},{BOB}"
        return {
            "MATTERMOST_ALLOWED_USERS": f"{users},*" if self.door is Door.WILDCARD else users,
            "MATTERMOST_ALLOW_BOTS": "mentions",
            "MATTERMOST_HOME_CHANNEL": "home",
        }

    def settings(self) -> dict[str, Any]:
        admins = [] if self.door is Door.WILDCARD else [ALICE]
        admin_lists = {"allow_admin_from": admins, "group_allow_admin_from": admins}
        return {"allowed_channels": [OPS], **admin_lists, **commands(self.door), **self.extra}

    def connected(self) -> Any:
        return hosted_mattermost(self.server, **self.settings())

    def direct(self, user_id: str) -> str:
        """The direct channel with that user."""
        if user_id not in self.directs:
            self.directs[user_id] = self.server.add_channel(f"{user_id}__{HERMES}", "D", {HERMES, user_id})
        return self.directs[user_id]

    async def emit(
        self, kind: Kind, text: str, *, direct: bool = False, addressed: bool = True, channel: str = "", **post: Any
    ) -> str:
        user_id = self.users[ACCOUNTS[kind]]
        where = channel or (self.direct(user_id) if direct else OPS)
        if kind in PROPS:
            post = {"props": PROPS[kind], **post}
        if kind is Kind.STRANGE_TYPE:
            post = {"type": "custom_card", **post}
        whole = f"@hermes {text}" if addressed and not direct else text
        return str((await self.server.post(user_id, where, whole, **post))["id"])

    async def attach(self, kind: Kind, text: str, files: Sequence[File], *, direct: bool = False) -> None:
        ids = []
        for file in files:
            info = self.server.add_file(file.name, file.content, self.users[ACCOUNTS[kind]])
            info |= {"mime_type": file.content_type}
            if file.announced is not None:
                info["size"] = file.announced
            ids.append(info["id"])
        await self.say(kind, text, direct=direct, file_ids=ids)

    def fetched(self) -> int:
        return sum(not call.path.endswith("/info") for call in self.server.called("GET", "/files/"))

    async def invite(self, kind: Kind) -> bool:
        user_id = self.users[ACCOUNTS[kind]]
        channel = self.server.add_channel("new", members={ALICE, user_id})
        await self.server.add_member(channel, HERMES, user_id)
        await self.settled()
        await self.say(Kind.ADMIN, f"are you here, {kind}?", channel=channel)
        return any(f"are you here, {kind}?" in prompt for prompt in self.prompts())

    def acts(self) -> list[str]:
        return [
            f"{call.method} {call.path}"
            for call in self.server.calls
            if call.method != "GET" and call.path not in {"/users/ids", "/users/usernames"}
        ]

    def sent(self) -> list[str]:
        return [str(post["message"]) for post in self.server.posts.values() if post["user_id"] == HERMES]

    def user_id(self, kind: Kind) -> str:
        return self.users[ACCOUNTS[kind]]
