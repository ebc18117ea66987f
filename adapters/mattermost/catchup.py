"""Catching up: posts missed while no stream was open, fetched over REST from a cursor on disk, in order and bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ...common.state.cursors import Cursors

_OVERLAP_MILLISECONDS = 10_000
"""Servers do not store posts quite in the order of their times. The ledger drops the ones fetched twice."""
_OLDEST_MILLISECONDS = 24 * 3600 * 1000
_PAGE = 60


class Rest(Protocol):
    """The calls of `MattermostClient` used here."""

    async def posts_since(self, channel_id: str, since: int) -> dict[str, Any]: ...

    async def newest_posts(self, channel_id: str, per_page: int) -> dict[str, Any]: ...


class CatchUp:
    """Fetches missed posts, at most the newest `limit` of a channel. `now` is the server's time in milliseconds."""

    def __init__(self, client: Rest, cursors: Cursors, limit: int, now: Callable[[], int]) -> None:
        self._client = client
        self._cursors = cursors
        self._limit = limit
        self._now = now

    async def missed(self, channel: dict[str, Any], *, edited: bool) -> list[dict[str, Any]]:
        """Return the posts missed in a channel, the oldest first. Raise what fetching them raises.

        Edits and deletions do not change a channel's `last_post_at`: with `edited`, the server is asked in any case.
        """
        channel_id, newest = channel.get("id"), channel.get("last_post_at")
        if not isinstance(channel_id, str) or not isinstance(newest, int):
            return []
        since = self._cursors.since(channel_id)
        if since is None or (newest <= since and not edited):
            return []
        posts = await self._posts(channel_id, max(since, self._now() - _OLDEST_MILLISECONDS))
        return posts[-self._limit :] if self._limit else []

    def has_all(self, channel: dict[str, Any], posts: list[dict[str, Any]]) -> bool:
        """Return whether those missed posts are all that the channel ever had."""
        created_at, since = channel.get("create_at"), self._cursors.since(str(channel.get("id")))
        if not isinstance(created_at, int) or since is None or len(posts) >= min(self._limit, _PAGE):
            return False
        return created_at > max(since, self._now() - _OLDEST_MILLISECONDS) - _OVERLAP_MILLISECONDS

    async def _posts(self, channel_id: str, since: int) -> list[dict[str, Any]]:
        """Return the posts changed since then, by time.

        The server sometimes answers `since` with no post although there are some: then the newest ones are fetched.
        """
        answer = await self._client.posts_since(channel_id, since - _OVERLAP_MILLISECONDS)
        posts = _rows(answer)
        if not any(_time(post) > since for post in posts):
            posts = _rows(await self._client.newest_posts(channel_id, min(self._limit, _PAGE) or 1))
        recent = (post for post in posts if _time(post) > since - _OVERLAP_MILLISECONDS)
        return sorted(recent, key=lambda post: (_time(post), str(post.get("id"))))


def _rows(answer: dict[str, Any]) -> Iterable[dict[str, Any]]:
    posts = answer.get("posts")
    return [post for post in (posts.values() if isinstance(posts, dict) else ()) if isinstance(post, dict)]


def _time(post: dict[str, Any]) -> int:
    """Return the server's time of a post's last change: its creation, edit or deletion."""
    times = [post.get(name) for name in ("create_at", "edit_at", "delete_at")]
    return max([at for at in times if isinstance(at, int)], default=0)
