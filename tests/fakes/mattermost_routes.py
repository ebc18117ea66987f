"""The REST routes that only tests have: files, and the ways of older servers."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from hermes_hardened_adapters.adapters.mattermost.recording.stand_in_routes import MAX_POST_SIZE, Routes, listed

from tests.fakes.mattermost_rest import HERMES, Call, Handler, Object, Refused, new_id, no_route, recorded

if TYPE_CHECKING:
    from tests.fakes.mattermost_server import FakeMattermostServer

__all__ = ["MAX_POST_SIZE"]

_OF_IMAGES = {"post_id", "width", "height", "has_preview_image", "mini_preview"}


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


class FakeRoutes(Routes):
    server: FakeMattermostServer

    def table(self) -> dict[str, Handler]:
        return super().table() | {
            "GET /teams/ID/members/ID": self._team_member,
            "POST /roles/names": self._roles,
            "POST /files": self._upload,
            "GET /files/ID": self._file,
            "GET /files/ID/info": self._file_info,
        }

    async def all_channels(self, call: Call) -> Any:
        return await super().all_channels(call) if self.server.lists_all_channels else no_route(call.path)

    async def posts(self, call: Call, channel_id: str) -> Object:
        if "since" in call.query and self.server.since_returns_nothing > 0:
            self.must_be_member(channel_id)
            self.server.since_returns_nothing -= 1
            return listed([])
        return await super().posts(call, channel_id)

    async def _team_member(self, _: Call, team_id: str, user_id: str) -> Object:
        return {"team_id": team_id, "user_id": user_id, "roles": "team_user", "delete_at": 0}

    async def _roles(self, call: Call) -> list[Object]:
        roles = self.server.roles
        return [{"name": name, "permissions": roles[name]} for name in call.json if name in roles]

    async def _upload(self, call: Call) -> web.Response:
        self.must_be_member(call.form["channel_id"][1].decode())
        name, content, _ = call.form["files"]
        if len(content) > int(recorded("config_client")["MaxFileSize"]):
            raise Refused(413, "api.file.upload_file.too_large_detailed.app_error", "Unable to upload file.")
        info = self.server.add_file(name, content, HERMES)
        return web.json_response({"file_infos": [info], "client_ids": []}, status=201)

    async def _file(self, _: Call, file_id: str) -> web.Response:
        info, content = self._found(file_id)
        return web.Response(body=content, headers={"Content-Type": info["mime_type"] or "application/octet-stream"})

    async def _file_info(self, _: Call, file_id: str) -> Object:
        return self._found(file_id)[0]

    def _found(self, file_id: str) -> tuple[Object, bytes]:
        if file_id not in self.server.files:
            raise Refused(404, "app.file_info.get.app_error", "Unable to get the file info.")
        return self.server.files[file_id]
