"""The attackers' Signal: a group, direct chats, and a daemon that serves what they send."""

from __future__ import annotations

import base64
import copy
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.harness import File, Stage, commands
from tests.attacks.table import Door, Kind
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
from tests.hosted import hosted
from tests.scene_signal import BOT, BOT_ITSELF, MALLORY, Person, variant

ADMIN = Person("Alice", ALICE_ACI, ALICE)
LISTED = Person("Carol", CAROL_ACI, CAROL)
PAIRED = Person("Paula", "77777777-7777-4777-8777-777777777777", "+15550007777")
MEMBER = Person("Dora", "88888888-8888-4888-8888-888888888888", "+15550008888")
PEOPLE: Mapping[Kind, Person] = {
    Kind.ADMIN: ADMIN,
    Kind.LISTED: LISTED,
    Kind.PAIRED: PAIRED,
    Kind.MEMBER: MEMBER,
    Kind.MEMBER_WITHOUT_ADMINS: MEMBER,
    Kind.ANYBODY: MEMBER,
    Kind.STRANGER: MALLORY,
}
TITLE = "Test Group"
_READING = {"listGroups", "listContacts", "getUserStatus", "getAttachment", "version"}


def new_group_id() -> str:
    """A group nobody heard of."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class SignalStage(Stage):
    name = "signal"
    daemon: FakeSignalDaemon = field(default_factory=FakeSignalDaemon)

    def __post_init__(self) -> None:
        everybody = {person.aci: person for person in PEOPLE.values()}.values()
        members = tuple(person.address for person in (BOT_ITSELF, *everybody))
        self.daemon.groups = [group(members=members)]
        self.daemon.contacts += [contact(p.number, p.aci, p.name) for p in (ADMIN, LISTED, PAIRED)]

    def environment(self) -> dict[str, str]:
        users = f"{ALICE},{CAROL}"
        opened = self.door in {Door.OPEN, Door.OPEN_WITHOUT_ADMINS}
        return {
            "SIGNAL_ALLOWED_USERS": f"{users},*" if self.door is Door.WILDCARD else users,
            "SIGNAL_GROUP_ALLOWED_USERS": GROUP,
            "SIGNAL_REQUIRE_MENTION": "true",
            "SIGNAL_GROUP_MEMBERS": "open" if opened else "allowlist",
            "SIGNAL_HOME_CHANNEL": "+15550009999",
        }

    def settings(self) -> dict[str, Any]:
        admins = [] if self.door in {Door.OPEN_WITHOUT_ADMINS, Door.WILDCARD} else [ALICE]
        return {"allow_admin_from": admins, "group_allow_admin_from": admins, **commands(self.door), **self.extra}

    def connected(self) -> Any:
        return hosted(self.daemon, **self.settings())

    def event(
        self,
        who: Person,
        text: str,
        *,
        direct: bool = False,
        addressed: bool = True,
        group_id: str = GROUP,
        title: str | None = TITLE,
        also: tuple[Person, ...] = (),
        **data: Any,
    ) -> dict[str, Any]:
        """What the daemon says of that message. `also` are people mentioned by U+FFFC; `data` goes into dataMessage."""
        if direct:
            event = variant("dm_text", who, text=text)
        else:
            mentions = ((BOT_ITSELF,) if addressed else ()) + also
            whole = f"{BOT} {text}" if addressed else text
            name = "group_mention_bot" if mentions else "group_text"
            event = variant(
                name, who, text=whole, group_id=group_id, group_name=title, mentions=mentions if mentions else None
            )
        event["envelope"]["dataMessage"] |= data
        return event

    async def emit(
        self, kind: Kind, text: str, *, direct: bool = False, addressed: bool = True, who: Any = None, **more: Any
    ) -> str:
        event = self.event(who or PEOPLE[kind], text, direct=direct, addressed=addressed, **more)
        await self.daemon.emit_event(event)
        return str(event["envelope"]["timestamp"])

    async def attach(self, kind: Kind, text: str, files: Sequence[File], *, direct: bool = False) -> None:
        rows = []
        for number, file in enumerate(files):
            key = f"file{len(self.daemon.attachments)}-{number}"
            self.daemon.attachments[key] = file.content
            size = len(file.content) if file.announced is None else file.announced
            rows.append({"contentType": file.content_type, "filename": file.name, "id": key, "size": size})
        await self.say(kind, text, direct=direct, attachments=rows)

    def fetched(self) -> int:
        return len(self.daemon.called("getAttachment"))

    async def invite(self, kind: Kind) -> bool:
        actor, group_id = PEOPLE[kind], new_group_id()
        everybody = (ADMIN.address, actor.address)

        async def accepted(_: dict[str, Any]) -> Any:
            self.daemon.groups[-1] = group(group_id, name="New", members=((ACCOUNT, OWN_ACI), *everybody))
            return {"timestamp": 1, "results": []}

        self.daemon.handlers["updateGroup"] = accepted
        pending = group(group_id, name="New", members=everybody, pending=((ACCOUNT, OWN_ACI),), is_member=False)
        self.daemon.groups.append(pending)
        event = variant("group_update_invited_pending", actor)
        event["envelope"]["dataMessage"]["groupInfo"] |= {"groupId": group_id}
        await self.daemon.emit_event(event)
        await self.settled()
        await self.say(Kind.ADMIN, f"are you here, {kind}?", group_id=group_id, title="New")
        return any(f"are you here, {kind}?" in prompt for prompt in self.prompts())

    def acts(self) -> list[str]:
        return [call.method for call in self.daemon.calls if call.method not in _READING]

    def sent(self) -> list[str]:
        return [str(call["message"]) for call in self.daemon.called("send")]

    def user_id(self, kind: Kind) -> str:
        person = PEOPLE[kind]
        return person.number or person.aci

    async def edit(self, who: Person, target: str, text: str, *, addressed: bool = True) -> None:
        """An edit of a group message; `target` is its timestamp."""
        event = copy.deepcopy(recorded_event("edit"))
        said = self.event(who, text, addressed=addressed)["envelope"]
        event["envelope"] |= {k: v for k, v in said.items() if k != "dataMessage"}
        event["envelope"]["editMessage"] = {"targetSentTimestamp": int(target), "dataMessage": said["dataMessage"]}
        await self.daemon.emit_event(event)
        await self.settled()
