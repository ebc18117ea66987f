"""What the fake Mattermost server does for each REST route it has."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .mattermost_rest import HERMES, Call, Handler, Object, Refused, new_id, no_route, recorded

if TYPE_CHECKING:
    from .mattermost_server import FakeMattermostServer

MAX_POST_SIZE = 16383
_OF_IMAGES = {"post_id", "width", "height", "has_preview_image", "mini_preview"}


def _forbidden() -> Refused:
    return Refused(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")


def _listed(posts: Iterable[Object], after: str = "", before: str = "") -> Object:
    newest_first = sorted(posts, key=lambda post: int(post["create_at"]), reverse=True)
    return {
        "order": [post["id"] for post in newest_first],
        "posts": {post["id"]: post for post in newest_first},
        "next_post_id": after,
        "prev_post_id": before,
    }


def file_info(name: str, content: bytes, user_id: str, now: int) -> Object:
    """A FileInfo; like the server, its type is that of the name."""
    extension = Path(name).suffix[1:]
    recorded_info = {key: value for key, value in recorded("file_info").items() if key not in _OF_IMAGES}
    return {
        **recorded_info,
        "id": new_id(),
        "user_id": user_id,
        "create_at": now,
        "update_at": now,
        "name": name,
        "extension": extension,
        "size": len(content),
        "mime_type": mimetypes.guess_type(name)[0] or "",
    }


class Routes:
    """Handlers by route; `ID` and `NAME` in a route are handed to them. Each answers with JSON or raises Refused."""

    def __init__(self, server: FakeMattermostServer) -> None:
        self._server = server
        self._pending: dict[str, str] = {}

    def table(self) -> dict[str, Handler]:
        return {
            "GET /users/me/channels": self._all_channels,
            "GET /users/me/teams": self._teams,
            "GET /users/me/teams/ID/channels": self._channels_of_team,
            "GET /teams/ID/members/ID": self._team_member,
            "POST /roles/names": self._roles,
            "GET /users/ID": self._user,
            "POST /users/ids": self._users_by_ids,
            "POST /users/usernames": self._users_by_names,
            "POST /users/ID/typing": self._ok,
            "GET /channels/ID": self._channel,
            "GET /channels/ID/posts": self._posts,
            "GET /channels/ID/members/ID": self._member,
            "DELETE /channels/ID/members/ID": self._leave,
            "POST /posts": self._create_post,
            "GET /posts/ID": self._post,
            "GET /posts/ID/thread": self._thread,
            "PUT /posts/ID/patch": self._patch_post,
            "DELETE /posts/ID": self._delete_post,
            "POST /reactions": self._react,
            "DELETE /users/ID/posts/ID/reactions/NAME": self._unreact,
            "POST /files": self._upload,
            "GET /files/ID": self._file,
            "GET /files/ID/info": self._file_info,
            "GET /config/client": self._config,
            "GET /system/ping": self._ping,
        }

    # -- users and channels

    async def _user(self, _: Call, user_id: str) -> Object:
        if user_id not in self._server.users:
            raise Refused(404, "app.user.missing_account.const", "Unable to find the user.")
        return self._server.users[user_id]

    async def _users_by_ids(self, call: Call) -> list[Object]:
        return [user for user in self._server.users.values() if user["id"] in call.json]

    async def _users_by_names(self, call: Call) -> list[Object]:
        return [user for user in self._server.users.values() if user["username"] in call.json]

    async def _teams(self, _: Call) -> Any:
        return recorded("users_me_teams")

    async def _team_member(self, _: Call, team_id: str, user_id: str) -> Object:
        return {"team_id": team_id, "user_id": user_id, "roles": "team_user", "delete_at": 0}

    async def _roles(self, call: Call) -> list[Object]:
        roles = self._server.roles
        return [{"name": name, "permissions": roles[name]} for name in call.json if name in roles]

    async def _all_channels(self, call: Call) -> Any:
        if not self._server.lists_all_channels:
            return no_route(call.path)
        return [channel for channel in self._server.channels.values() if self._is_member(channel["id"])]

    async def _channels_of_team(self, _: Call, team_id: str) -> list[Object]:
        mine = [channel for channel in self._server.channels.values() if self._is_member(channel["id"])]
        return [channel for channel in mine if channel["team_id"] in {team_id, ""}]

    async def _channel(self, _: Call, channel_id: str) -> Object:
        if channel_id not in self._server.channels:
            raise Refused(404, "app.channel.get.existing.app_error", "Unable to find the existing channel.")
        channel = self._server.channels[channel_id]
        if channel["type"] != "O":
            self._must_be_member(channel_id)
        return channel

    async def _member(self, _: Call, channel_id: str, user_id: str) -> Object:
        self._must_be_member(channel_id)
        if user_id not in self._server.members[channel_id]:
            raise Refused(404, "app.channel.get_member.missing.app_error", "Channel member not found.")
        return {**recorded("channel_leave_self"), "channel_id": channel_id, "user_id": user_id}

    async def _leave(self, _: Call, channel_id: str, user_id: str) -> Object:
        self._must_be_member(channel_id)
        await self._server.remove_member(channel_id, user_id, HERMES)
        return {"status": "OK"}

    async def _ok(self, *_: Any) -> Object:
        return {"status": "OK"}

    def _is_member(self, channel_id: str) -> bool:
        return HERMES in self._server.members.get(channel_id, ())

    def _must_be_member(self, channel_id: str) -> None:
        if not self._is_member(channel_id):
            raise _forbidden()

    # -- posts

    async def _create_post(self, call: Call) -> web.Response:
        wanted = call.json
        if earlier := self._pending.get(wanted.get("pending_post_id", "")):
            return web.json_response(self._server.posts[earlier], status=201)
        self._must_be_member(wanted["channel_id"])
        if root_id := wanted.get("root_id", ""):
            root = self._server.posts.get(root_id)
            if root is None or root["delete_at"] or root["root_id"]:
                raise Refused(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
            if root["channel_id"] != wanted["channel_id"]:
                raise Refused(
                    400, "api.post.create_post.channel_root_id.app_error", "Invalid ChannelId for RootId parameter."
                )
        if len(wanted["message"]) > MAX_POST_SIZE:
            raise Refused(400, "model.post.is_valid.msg.app_error", "Invalid message.")
        fields: Object = {"root_id": root_id, "props": {**wanted.get("props", {}), "from_bot": "true"}}
        if file_ids := [file_id for file_id in wanted.get("file_ids") or () if file_id in self._server.files]:
            fields["file_ids"] = file_ids
        post = await self._server.post(HERMES, wanted["channel_id"], wanted["message"], **fields)
        if pending := wanted.get("pending_post_id"):
            self._pending[pending] = post["id"]
        return web.json_response({**post, "pending_post_id": pending or ""}, status=201)

    async def _post(self, _: Call, post_id: str) -> Object:
        post = self._server.posts.get(post_id)
        if post is None or post["delete_at"]:
            raise Refused(404, "app.post.get.app_error", "Unable to get the post.")
        self._must_be_member(post["channel_id"])
        return post

    async def _thread(self, call: Call, post_id: str) -> Object:
        post = await self._post(call, post_id)
        root_id = post["root_id"] or post_id
        thread = _listed(p for p in self._server.posts.values() if root_id in (p["id"], p["root_id"]))
        return {**thread, "order": [root_id, *thread["order"]]}

    async def _own_post(self, call: Call, post_id: str) -> Object:
        post = self._server.posts.get(post_id)
        if post is None or post["delete_at"] or post["user_id"] != HERMES:
            raise _forbidden()
        return post

    async def _patch_post(self, call: Call, post_id: str) -> Object:
        await self._own_post(call, post_id)
        return await self._server.edit(post_id, call.json["message"])

    async def _delete_post(self, call: Call, post_id: str) -> Object:
        await self._own_post(call, post_id)
        await self._server.delete(post_id)
        return {"status": "OK"}

    async def _posts(self, call: Call, channel_id: str) -> Object:
        self._must_be_member(channel_id)
        posts = [post for post in self._server.posts.values() if post["channel_id"] == channel_id]
        if "since" in call.query:
            if self._server.since_returns_nothing > 0:
                self._server.since_returns_nothing -= 1
                return _listed([])
            return _listed(post for post in posts if post["update_at"] > int(call.query["since"]))
        there = sorted((post for post in posts if not post["delete_at"]), key=lambda post: int(post["create_at"]))
        size = int(call.query.get("per_page", 60))
        after = call.query.get("after", "")
        if not after:
            return _listed(there[-size:])
        start = self._server.posts[after]["create_at"] if after in self._server.posts else 0
        later = [post for post in there if post["create_at"] > start]
        return _listed(later[:size], after=later[size]["id"] if len(later) > size else "", before=after)

    # -- reactions, files, the server

    async def _react(self, call: Call) -> Object:
        reaction = {**recorded("post_reaction_create"), **call.json}
        self._server.reactions.append(reaction)
        return reaction

    async def _unreact(self, _: Call, user_id: str, post_id: str, emoji_name: str) -> Object:
        gone = (user_id, post_id, emoji_name)
        kept = [r for r in self._server.reactions if (r["user_id"], r["post_id"], r["emoji_name"]) != gone]
        self._server.reactions[:] = kept
        return {"status": "OK"}

    async def _upload(self, call: Call) -> web.Response:
        self._must_be_member(call.form["channel_id"][1].decode())
        name, content, _ = call.form["files"]
        if len(content) > int(recorded("config_client")["MaxFileSize"]):
            raise Refused(413, "api.file.upload_file.too_large_detailed.app_error", "Unable to upload file.")
        info = self._server.add_file(name, content, HERMES)
        return web.json_response({"file_infos": [info], "client_ids": []}, status=201)

    async def _file(self, _: Call, file_id: str) -> web.Response:
        info, content = self._found(file_id)
        return web.Response(body=content, headers={"Content-Type": info["mime_type"] or "application/octet-stream"})

    async def _file_info(self, _: Call, file_id: str) -> Object:
        return self._found(file_id)[0]

    def _found(self, file_id: str) -> tuple[Object, bytes]:
        if file_id not in self._server.files:
            raise Refused(404, "app.file_info.get.app_error", "Unable to get the file info.")
        return self._server.files[file_id]

    async def _config(self, _: Call) -> Any:
        return {**recorded("config_client"), **self._server.config}

    async def _ping(self, _: Call) -> Any:
        return recorded("system_ping")
