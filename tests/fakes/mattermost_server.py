"""The package's stand-in for a Mattermost server, with the recorded people and what tests do to it besides.

Users, channels, members, posts and files are what a test puts in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.adapters.mattermost.recording.stand_in import ReplayServer
from hermes_hardened_adapters.adapters.mattermost.recording.stand_in_rest import RestApi

from tests.fakes.mattermost_rest import HERMES, Call, Fault, FaultyRestApi, Object, new_id, recorded
from tests.fakes.mattermost_routes import FakeRoutes, file_info
from tests.fakes.mattermost_websocket import TOKEN, event_of, post_event

__all__ = ["TOKEN", "Fault"]

FRAMES = Path(__file__).parent.parent / "fixtures" / "mattermost"

ALICE = "bq94ybh58insbfxpqbj3ktfcgr"
BOB = "fch9t9fgk38a5erhqkg6grycca"
TEAM = "uottyduth3bdfkhdsat7bjwerc"
OPS = "muqt1b4m93gydrwz6eqdui8wiw"
SECRET = "sbyx9jydibdkfen919tecwcssy"
DM = "6758nw41xbfctxqdqxftxr6k8y"
GROUP_MESSAGE = "nkb6nhdj33dw9qi37eh5wz7tua"


def recorded_frames(name: str) -> list[str]:
    """The raw frames recorded under that scenario name."""
    return (FRAMES / f"{name}.jsonl").read_text().splitlines()


@dataclass
class FakeMattermostServer(ReplayServer):
    me_id: str = HERMES
    files: dict[str, tuple[Object, bytes]] = field(default_factory=dict)
    config: Object = field(default_factory=dict)
    """What differs from the recorded client configuration."""
    roles: dict[str, list[str]] = field(default_factory=lambda: {"channel_user": ["create_post", "upload_file"]})
    """Permissions by role. Answers about roles were not recorded: they follow Mattermost's API reference."""
    bad_token_delay: float = 0.05
    lists_all_channels: bool = True
    """False: no /users/me/channels, as before 6.1."""
    since_returns_nothing: int = 0
    """How many `posts?since=` answer with an empty page."""
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        people = [recorded("users_me"), *recorded("users_ids")]
        self.users = {user["id"]: user for user in people} | self.users
        of_the_bot = {OPS: {BOB}, SECRET: set(), DM: set(), GROUP_MESSAGE: {BOB}}
        for channel in recorded("users_me_channels"):
            if channel["id"] in of_the_bot:
                self.channels.setdefault(channel["id"], channel)
                self.members.setdefault(channel["id"], {HERMES, ALICE} | of_the_bot[channel["id"]])

    async def __aenter__(self) -> FakeMattermostServer:
        await self.start()
        return self

    def rest(self) -> RestApi:
        return FaultyRestApi(self, FakeRoutes(self).table())

    def template(self, name: str) -> Any:
        return {**recorded(name), **self.config} if name == "config_client" else recorded(name)

    def infos_of(self, post: Object) -> list[Object]:
        return [self.files[file_id][0] for file_id in post.get("file_ids") or () if file_id in self.files]

    # -- what people do

    def add_user(self, username: str, user_id: str = "", **fields: Any) -> str:
        user_id = user_id or new_id()
        self.users[user_id] = {**self.users[ALICE], "id": user_id, "username": username, **fields}
        return user_id

    def add_channel(self, name: str, channel_type: str = "O", members: set[str] | None = None) -> str:
        """A channel (D, G, P or O) without a word being sent about it."""
        channel_id = new_id()
        self.channels[channel_id] = {
            **self.channels[OPS],
            "id": channel_id,
            "name": name,
            "display_name": "" if channel_type == "D" else name.title(),
            "type": channel_type,
            "team_id": "" if channel_type in "DG" else TEAM,
        }
        self.members[channel_id] = members if members is not None else {HERMES, ALICE}
        return channel_id

    def add_file(self, name: str, content: bytes, user_id: str) -> Object:
        """The FileInfo of a new file, to name in a post's `file_ids`."""
        info = file_info(name, content, user_id, self.now())
        self.files[info["id"]] = (info, content)
        return info

    async def add_member(self, channel_id: str, user_id: str, adder_id: str) -> None:
        """`user_added` without the adder, then the post that names him."""
        self.members[channel_id].add(user_id)
        data = {"team_id": self.channels[channel_id]["team_id"], "user_id": user_id}
        await self.emit(event_of("user_added", data, channel_id=channel_id))
        added, adder = self.users[user_id]["username"], self.users[adder_id]["username"]
        props = {"addedUserId": user_id, "addedUsername": added, "userId": adder_id, "username": adder}
        text = f"{added} added to the channel by {adder}."
        await self.post(adder_id, channel_id, text, type="system_add_to_channel", props=props, sender_name="System")

    async def pin(self, post_id: str) -> None:
        """Tells everybody that the post was edited, with the `edit_at` it had before."""
        self.posts[post_id] |= {"is_pinned": True, "update_at": self.now()}
        await self.emit(post_event("post_edited", self.posts[post_id]))

    # -- what goes wrong

    def revoke_token(self) -> None:
        """Open sockets go on receiving; only calls and pings fail."""
        self.token = new_id()
        self.ping_answer = "FAIL"

    def disable_bot(self) -> None:
        self.users[HERMES]["delete_at"] = self.now()
        self.ping_answer = "FAIL"

    def limit_rate(self, times: int, retry_after: int = 1) -> None:
        """429 as recorded."""
        headers = {"Retry-After": str(retry_after), "X-Ratelimit-Limit": "6, 6", "X-Ratelimit-Reset": "2, 2"}
        self.faults.append(Fault(429, times, headers, "limit exceeded\n"))

    def lose(self, event: Object) -> None:
        """An event that is numbered and kept, but does not arrive."""
        for connection in self.connections:
            connection.number(event)

    # -- what is told

    async def emit_raw(self, frame: str) -> None:
        """Exactly this, whatever it is."""
        for connection in self.connections:
            await connection.send(frame)

    def called(self, method: str, path: str) -> list[Call]:
        """The calls of that method whose path starts so."""
        return [call for call in self.calls if call.method == method and call.path.startswith(path)]
