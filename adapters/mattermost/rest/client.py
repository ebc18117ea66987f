"""The REST calls of the adapter, through mattermostdriver's endpoint methods.

Answers are returned as the server sent them, after a check that they are JSON of the documented outer type.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from mattermostdriver import Driver
from pydantic import SecretStr
from yarl import URL

from ....common.core.errors import ConnectionLost, Fatal
from ....common.core.server_clock import ServerClock
from ..mentions.grammar import without_broadcasts
from .failures import ApiError, ErrorCode, not_mattermost, other_api
from .transport import RestClient, no_redirects

_ID = re.compile(r"[a-z0-9]{26}")
_ENDPOINT = re.compile(r"(/[A-Za-z0-9_-]+)+")

Object = dict[str, Any]


class MattermostClient:
    """Client of one server for one bot account. Open and close it with `async with`.

    `base_url` may have a path. `ca_file` is a PEM file with the CA that signed the server's certificate; it is trusted
    in addition to the system's CAs. Calls raise the errors of `RestClient`, and ValueError for a malformed id. In
    posts, @channel, @here and @all notify nobody.
    """

    def __init__(
        self,
        base_url: str,
        token: SecretStr | str,
        *,
        ca_file: str | Path | None = None,
        timeout: float = 20.0,
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.base_url = str(URL(base_url).with_user(None)).rstrip("/")
        self._token = token if isinstance(token, SecretStr) else SecretStr(token)
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None
        self._rest = RestClient(
            lambda: self.session,
            self.base_url,
            self.headers,
            timeout=timeout,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        # Never call the driver's login() and logout(), which use the coroutine as a result, and never set its option
        # "debug", which logs secrets.
        self._api = Driver({}, client_cls=lambda _: self._rest)
        self._own_id: str | None = None
        self._lists_all_channels = True

    async def __aenter__(self) -> MattermostClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust()),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[no_redirects()],
            trust_env=False,
        )
        # By default aiohttp repeats PUT and DELETE when the connection breaks, although they may have been carried out.
        self._session._retry_connection = False
        return self

    async def __aexit__(self, *exc: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session. It trusts `ca_file`, keeps no cookies and never sends `headers` to a redirect's target."""
        if self._session is None:
            raise ConnectionLost("the connection to Mattermost is closed")
        return self._session

    def headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request, a WebSocket upgrade included."""
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    # -- users

    async def me(self) -> Object:
        """Return our own user. Raises only Fatal, ConnectionLost or RateLimited."""
        try:
            me = self._object(await self._api.users.get_user("me"))
        except ApiError as refused:
            if refused.status == 404:
                raise other_api(self.base_url) from None
            raise Fatal(ErrorCode.REFUSED, f"{refused}: ask the server's administrator") from None
        if not _ID.fullmatch(str(me.get("id"))):
            raise not_mattermost(self.base_url)
        self._own_id = me["id"]
        return me

    async def users_by_ids(self, user_ids: Iterable[str]) -> list[Object]:
        """Return the users with those ids, in any order; unknown ids are left out."""
        if not (wanted := [_id(user_id) for user_id in user_ids]):
            return []
        return self._objects(await self._api.users.get_users_by_ids(wanted))

    async def users_by_names(self, names: Iterable[str]) -> list[Object]:
        """Return the users with those names, in any order; unknown names are left out."""
        if not (wanted := list(names)):
            return []
        return self._objects(await self._api.users.get_users_by_usernames(wanted))

    # -- channels

    async def channel(self, channel_id: str) -> Object:
        return self._object(await self._api.channels.get_channel(_id(channel_id)))

    async def my_channels(self, team_id: str | None = None) -> list[Object]:
        """Return the channels we are a member of, direct ones included, of one team or of all.

        Servers before 6.1 list them by team only; a bot without a team sees none there.
        """
        if team_id is not None:
            return self._objects(await self._api.channels.get_channels_for_user("me", _id(team_id)))
        if self._lists_all_channels:
            try:
                return self._objects(await self._rest.get("/users/me/channels"))
            except ApiError as refused:
                if refused.status != 404:
                    raise
                self._lists_all_channels = False
        channels: dict[Any, Object] = {}
        for team in self._objects(await self._api.teams.get_user_teams("me")):
            channels |= {channel.get("id"): channel for channel in await self.my_channels(str(team.get("id")))}
        return list(channels.values())

    async def membership(self, channel_id: str) -> Object:
        """Return our membership of a channel; its `roles` are the ones in force there."""
        return self._object(await self._api.channels.get_channel_member(_id(channel_id), "me"))

    async def team_membership(self, team_id: str) -> Object:
        """Return our membership of a team, with its `roles`."""
        return self._object(await self._api.teams.get_team_member(_id(team_id), "me"))

    async def roles(self, names: Iterable[str]) -> list[Object]:
        """Return the roles with those names, each with its `permissions`; unknown names are left out."""
        return self._objects(await self._rest.post("/roles/names", list(names)))

    async def leave_channel(self, channel_id: str) -> None:
        await self._api.channels.remove_channel_member(_id(channel_id), await self._me())

    async def typing(self, channel_id: str, parent_id: str | None = None) -> None:
        await self._rest.post("/users/me/typing", {"channel_id": channel_id, "parent_id": parent_id or ""})

    # -- posts

    async def posts_since(self, channel_id: str, since: int) -> Object:
        """Return the posts created, edited or deleted since a time (Unix milliseconds): at most 1000, in any order."""
        return await self._posts(channel_id, {"since": since})

    async def newest_posts(self, channel_id: str, per_page: int = 60) -> Object:
        """Return the newest posts; `order` starts with the newest."""
        return await self._posts(channel_id, {"per_page": per_page})

    async def _posts(self, channel_id: str, params: Object) -> Object:
        return self._object(await self._api.posts.get_posts_for_channel(_id(channel_id), params))

    async def thread(self, post_id: str) -> Object:
        """Return a thread's posts; `order` may name the root twice."""
        return self._object(await self._api.posts.get_thread(_id(post_id)))

    async def create_post(self, channel_id: str, message: str, root_id: str | None = None) -> Object:
        """Create and return a post. Its `pending_post_id` makes retries within 30 s idempotent."""
        post: Object = {
            "channel_id": channel_id,
            "message": without_broadcasts(message),
            "root_id": root_id or "",
            "pending_post_id": await self._new_pending_id(),
        }
        return self._object(await self._api.posts.create_post(post))

    async def patch_post(self, post_id: str, message: str) -> Object:
        """Edit a post and return it."""
        patch: Object = {"message": without_broadcasts(message)}
        return self._object(await self._api.posts.patch_post(_id(post_id), patch))

    # -- files

    async def direct_channel(self, user_id: str) -> str:
        """Return the id of the direct channel with a user, made if there is none."""
        channel = await self._rest.make_request("POST", "/channels/direct", [await self._me(), user_id])
        return str(self._object(channel)["id"])

    async def react(self, post_id: str, name: str) -> None:
        """React to a post with the emoji of that name."""
        await self.call("POST", "/reactions", {"user_id": await self._me(), "post_id": post_id, "emoji_name": name})

    async def upload_file(self, channel_id: str, name: str, data: bytes, content_type: str) -> Object:
        """Upload a file and return its FileInfo. The server ignores `content_type` and guesses it from the name."""
        # The name is sent unescaped in a header, in which a line break would start a new one.
        printable = "".join(c for c in name if c.isprintable()) or "file"
        answer = self._object(
            await self._api.files.upload_file(_id(channel_id), {"files": (printable, data, content_type)})
        )
        infos = self._objects(answer.get("file_infos"))
        return self._object(infos[0] if infos else None)

    async def file_info(self, file_id: str) -> Object:
        return self._object(await self._api.files.get_file_metadata(_id(file_id)))

    async def download_file(self, file_id: str, max_bytes: int) -> bytes:
        """Return a file's content. Raises FileTooLarge for more than `max_bytes`."""
        return await self._rest.download(f"/files/{_id(file_id)}", max_bytes)

    # -- the server

    async def config(self) -> Object:
        """Return the server's configuration for clients; all values are strings."""
        return self._object(await self._api.system.get_client_configuration({"format": "old"}))

    @property
    def last_headers(self) -> Mapping[str, str]:
        """The headers of the server's last answer, including `Date` and `X-Version-Id`."""
        return self._rest.last_headers

    @property
    def server_clock(self) -> ServerClock:
        """The server's time, according to its answers."""
        return self._rest.server_clock

    async def ping_system(self) -> Object:
        return self._object(await self._api.system.check_system_health())

    async def call(self, method: str, path: str, payload: Object | None = None) -> Object:
        """Call any endpoint below /api/v4 and return the answer's object. A new post gets a `pending_post_id`."""
        # Stock's media posts come this way and get the same protection as `create_post`.
        endpoint = "/" + path.strip("/")
        if not _ENDPOINT.fullmatch(endpoint):
            raise ValueError("not a path of Mattermost's API")
        if payload is not None and "message" in payload:
            payload = {**payload, "message": without_broadcasts(str(payload["message"]))}
        if (method.upper(), endpoint) == ("POST", "/posts"):
            payload = {"pending_post_id": await self._new_pending_id(), **(payload or {})}
        return self._object(await self._rest.make_request(method, endpoint, payload))

    async def _new_pending_id(self) -> str:
        return f"{await self._me()}:{uuid.uuid4().hex}"

    async def _me(self) -> str:
        return self._own_id or str((await self.me())["id"])

    def _trust(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self._ca_file)
        except OSError as exc:
            raise Fatal(
                ErrorCode.TLS,
                f"MATTERMOST_CA_FILE cannot be read ({type(exc).__name__}): name a readable file of PEM certificates",
                heals=False,
            ) from exc
        return context

    def _object(self, answer: Any) -> Object:
        if isinstance(answer, dict):
            return answer
        raise not_mattermost(self.base_url)

    def _objects(self, answer: Any) -> list[Object]:
        if isinstance(answer, list) and all(isinstance(item, dict) for item in answer):
            return answer
        raise not_mattermost(self.base_url)


def _id(value: str) -> str:
    """Return a valid id. Raises ValueError, because the driver pastes ids into paths without escaping them."""
    if not _ID.fullmatch(value):
        raise ValueError("not a Mattermost id")
    return value
