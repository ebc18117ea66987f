"""The stand-in's REST routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ....common.recording.documents import Object
from .stand_in_rest import Call, Handler, Refused

if TYPE_CHECKING:
    from .stand_in import ReplayServer

MAX_POST_SIZE = 16383


def _forbidden() -> Refused:
    return Refused(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")


def listed(posts: Iterable[Object]) -> Object:
    newest_first = sorted(posts, key=lambda post: int(post["create_at"]), reverse=True)
    return {
        "order": [post["id"] for post in newest_first],
        "posts": {post["id"]: post for post in newest_first},
        "next_post_id": "",
        "prev_post_id": "",
    }


class Routes:
    """The handlers of the routes. Each gets the ids in its route, and returns JSON or raises Refused."""

    def __init__(self, server: ReplayServer) -> None:
        self.server = server
        self._pending: dict[str, str] = {}

    def table(self) -> dict[str, Handler]:
        return {
            "GET /users/me/channels": self.all_channels,
            "GET /users/me/teams": self._teams,
            "GET /users/me/teams/ID/channels": self._channels_of_team,
            "GET /users/ID": self._user,
            "POST /users/ids": self._users_by_ids,
            "POST /users/usernames": self._users_by_names,
            "POST /users/ID/typing": self._ok,
            "POST /channels/direct": self._direct_channel,
            "GET /channels/ID": self._channel,
            "GET /channels/ID/posts": self.posts,
            "GET /channels/ID/members/ID": self._member,
            "DELETE /channels/ID/members/ID": self._leave,
            "POST /posts": self._create_post,
            "GET /posts/ID": self._post,
            "GET /posts/ID/thread": self._thread,
            "PUT /posts/ID/patch": self._patch_post,
            "DELETE /posts/ID": self._delete_post,
            "POST /reactions": self._react,
            "GET /config/client": self._config,
            "GET /system/ping": self._ping,
        }

    # -- users and channels

    async def _user(self, _: Call, user_id: str) -> Object:
        if user_id not in self.server.users:
            raise Refused(404, "app.user.missing_account.const", "Unable to find the user.")
        return self.server.users[user_id]

    async def _users_by_ids(self, call: Call) -> list[Object]:
        return [user for user in self.server.users.values() if user["id"] in call.json]

    async def _users_by_names(self, call: Call) -> list[Object]:
        return [user for user in self.server.users.values() if user["username"] in call.json]

    async def _teams(self, _: Call) -> Any:
        return self.server.template("users_me_teams")

    async def all_channels(self, call: Call) -> Any:
        return [channel for channel in self.server.channels.values() if self._is_member(channel["id"])]

    async def _channels_of_team(self, _: Call, team_id: str) -> list[Object]:
        mine = [channel for channel in self.server.channels.values() if self._is_member(channel["id"])]
        return [channel for channel in mine if channel["team_id"] in {team_id, ""}]

    async def _channel(self, _: Call, channel_id: str) -> Object:
        if channel_id not in self.server.channels:
            raise Refused(404, "app.channel.get.existing.app_error", "Unable to find the existing channel.")
        channel = self.server.channels[channel_id]
        if channel["type"] != "O":
            self.must_be_member(channel_id)
        return channel

    async def _direct_channel(self, call: Call) -> Object:
        wanted: Any = call.json
        for channel_id, channel in self.server.channels.items():
            if channel["type"] == "D" and self.server.members[channel_id] == set(wanted):
                return channel
        raise Refused(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")

    async def _member(self, _: Call, channel_id: str, user_id: str) -> Object:
        self.must_be_member(channel_id)
        if user_id not in self.server.members[channel_id]:
            raise Refused(404, "app.channel.get_member.missing.app_error", "Channel member not found.")
        return {**self.server.template("channel_leave_self"), "channel_id": channel_id, "user_id": user_id}

    async def _leave(self, _: Call, channel_id: str, user_id: str) -> Object:
        self.must_be_member(channel_id)
        await self.server.remove_member(channel_id, user_id, self.server.me_id)
        return {"status": "OK"}

    async def _ok(self, *_: Any) -> Object:
        return {"status": "OK"}

    def _is_member(self, channel_id: str) -> bool:
        return self.server.me_id in self.server.members.get(channel_id, ())

    def must_be_member(self, channel_id: str) -> None:
        if not self._is_member(channel_id):
            raise _forbidden()

    # -- posts

    async def _create_post(self, call: Call) -> web.Response:
        wanted = call.json
        if earlier := self._pending.get(wanted.get("pending_post_id", "")):
            return web.json_response(self.server.posts[earlier], status=201)
        self.must_be_member(wanted["channel_id"])
        if root_id := wanted.get("root_id", ""):
            root = self.server.posts.get(root_id)
            if root is None or root["delete_at"] or root["root_id"]:
                raise Refused(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
            if root["channel_id"] != wanted["channel_id"]:
                raise Refused(
                    400, "api.post.create_post.channel_root_id.app_error", "Invalid ChannelId for RootId parameter."
                )
        if len(wanted["message"]) > MAX_POST_SIZE:
            raise Refused(400, "model.post.is_valid.msg.app_error", "Invalid message.")
        fields: Object = {"root_id": root_id, "props": {**wanted.get("props", {}), "from_bot": "true"}}
        if infos := self.server.infos_of(wanted):
            fields["file_ids"] = [info["id"] for info in infos]
        post = await self.server.post(self.server.me_id, wanted["channel_id"], wanted["message"], **fields)
        if pending := wanted.get("pending_post_id"):
            self._pending[pending] = post["id"]
        return web.json_response({**post, "pending_post_id": pending or ""}, status=201)

    async def _post(self, _: Call, post_id: str) -> Object:
        post = self.server.posts.get(post_id)
        if post is None or post["delete_at"]:
            raise Refused(404, "app.post.get.app_error", "Unable to get the post.")
        self.must_be_member(post["channel_id"])
        return post

    async def _thread(self, call: Call, post_id: str) -> Object:
        post = await self._post(call, post_id)
        root_id = post["root_id"] or post_id
        thread = listed(p for p in self.server.posts.values() if root_id in (p["id"], p["root_id"]))
        return {**thread, "order": [root_id, *thread["order"]]}

    async def _own_post(self, call: Call, post_id: str) -> Object:
        post = self.server.posts.get(post_id)
        if post is None or post["delete_at"] or post["user_id"] != self.server.me_id:
            raise _forbidden()
        return post

    async def _patch_post(self, call: Call, post_id: str) -> Object:
        await self._own_post(call, post_id)
        return await self.server.edit(post_id, call.json["message"])

    async def _delete_post(self, call: Call, post_id: str) -> Object:
        await self._own_post(call, post_id)
        await self.server.delete(post_id)
        return {"status": "OK"}

    async def _react(self, call: Call) -> Object:
        reaction = call.json or {}
        if reaction.get("post_id") not in self.server.posts or reaction.get("user_id") != self.server.me_id:
            raise Refused(403, "api.reaction.save_reaction.user_id.app_error", "You cannot save reaction for another.")
        return await self.server.react(self.server.me_id, reaction["post_id"], str(reaction.get("emoji_name")))

    async def posts(self, call: Call, channel_id: str) -> Object:
        self.must_be_member(channel_id)
        posts = [post for post in self.server.posts.values() if post["channel_id"] == channel_id]
        if "since" in call.query:
            return listed(post for post in posts if post["update_at"] > int(call.query["since"]))
        there = sorted((post for post in posts if not post["delete_at"]), key=lambda post: int(post["create_at"]))
        size = int(call.query.get("per_page", 60))
        return listed(there[-size:])

    # -- the server

    async def _config(self, _: Call) -> Any:
        return self.server.template("config_client")

    async def _ping(self, _: Call) -> Any:
        return self.server.template("system_ping")
