"""Catch-up: fetches posts over REST that were missed while no stream was open, from a cursor on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...common.state.cursors import Cursors
from .rest.client import MattermostClient

_OVERLAP_MILLISECONDS = 10_000
"""Servers do not store posts strictly in the order of their times. The ledger drops those fetched twice."""
_OLDEST_MILLISECONDS = 24 * 3600 * 1000
"""Maximum age of posts to fetch."""
_PAGE = 60
"""Maximum number of posts fetched when the server's answer to `since` is empty."""


class CatchUp:
    """Fetches missed posts, at most the newest `limit` of a channel. `now` returns the server's time (ms)."""

    def __init__(self, client: MattermostClient, cursors: Cursors, limit: int, now: Callable[[], int]) -> None:
        self._client = client
        self._cursors = cursors
        self._limit = limit
        self._now = now

    async def missed(self, channel: dict[str, Any], *, edited: bool) -> list[dict[str, Any]]:
        """Return the posts missed in a channel, the oldest first. Raises the errors of `MattermostClient`.

        With `edited`, the server is asked even if the channel has no new post, because edits and deletions do not
        change `last_post_at`.
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
        """Return True if those missed posts include the channel's first one, so that none came before them."""
        created_at, since = channel.get("create_at"), self._cursors.since(str(channel.get("id")))
        if not isinstance(created_at, int) or since is None or len(posts) >= min(self._limit, _PAGE):
            return False
        return created_at > max(since, self._now() - _OLDEST_MILLISECONDS) - _OVERLAP_MILLISECONDS

    async def _posts(self, channel_id: str, since: int) -> list[dict[str, Any]]:
        """Return the posts changed since that time (ms), sorted by time of change."""
        answer = await self._client.posts_since(channel_id, since - _OVERLAP_MILLISECONDS)
        posts = _rows(answer)
        # `since` sometimes returns nothing although there are posts (mattermost #34055, #13846).
        if not any(_time(post) > since for post in posts):
            posts = _rows(await self._client.newest_posts(channel_id, min(self._limit, _PAGE) or 1))
        # The server promises no order for `since`.
        recent = (post for post in posts if _time(post) > since - _OVERLAP_MILLISECONDS)
        return sorted(recent, key=lambda post: (_time(post), str(post.get("id"))))


def _rows(answer: dict[str, Any]) -> Iterable[dict[str, Any]]:
    posts = answer.get("posts")
    return [post for post in (posts.values() if isinstance(posts, dict) else ()) if isinstance(post, dict)]


def _time(post: dict[str, Any]) -> int:
    """Return the server's time (ms) of a post's creation, last edit or deletion, whichever is latest."""
    # Not `update_at`: a reply in a post's thread changes that, too.
    times = [post.get(name) for name in ("create_at", "edit_at", "delete_at")]
    return max([at for at in times if isinstance(at, int)], default=0)
