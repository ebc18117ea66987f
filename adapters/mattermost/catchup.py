"""Posts missed while no stream stood: fetched over REST from a cursor on disk, in order, within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ...common.state.store import Store

_NETWORK = "mattermost"
_EVERYWHERE = ""
_OVERLAP_MILLISECONDS = 10_000
"""Servers do not write posts quite in the order of their time; the ledger drops what comes twice."""
_OLDEST_MILLISECONDS = 24 * 3600 * 1000
_PAGE = 60
KEEP_CURSORS = 20_000


class Cursors:
    """Up to which server time (milliseconds since the epoch) each channel has been dealt with, on disk.

    From `hold` on no cursor moves, whatever is dealt with meanwhile, until its channel is settled: behind a cursor
    there is never a hole. A channel whose cursor was forgotten goes on from the latest of all.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at: OrderedDict[str, int] = OrderedDict()
        self._held: dict[str, int] | None = None
        self._settled: set[str] = set()

    async def load(self) -> None:
        rows = await self._store.rows("SELECT chat, at FROM cursor WHERE network = ? ORDER BY at", (_NETWORK,))
        self._at = OrderedDict(rows)

    def hold(self) -> None:
        """Posts may be missing in every channel."""
        self._held = self._held or {}
        self._settled.clear()

    def settle(self, channel_id: str) -> None:
        """What was missing in that channel has been taken in."""
        self._settled.add(channel_id)
        if self._held and channel_id in self._held:
            self.advance(channel_id, self._held.pop(channel_id))

    def release(self) -> None:
        """Nothing is missing any more."""
        held, self._held = self._held or {}, None
        for chat, at in held.items():
            self._put(chat, max(at, self._at.get(chat, 0)))

    def begin(self, channel_id: str, at: int) -> None:
        """The first post met in a channel is of that time, and has not been dealt with yet."""
        if self._held is None and channel_id not in self._at:
            self._put(channel_id, at - 1)

    def begin_everywhere(self, at: int) -> None:
        """The first run has listened from that time on, even if nothing was posted."""
        if _EVERYWHERE not in self._at:
            self._put(_EVERYWHERE, at)

    def advance(self, channel_id: str, at: int) -> None:
        """A post of that time has been dealt with."""
        for chat in (channel_id, _EVERYWHERE):
            if self._held is not None and chat not in self._settled:
                self._held[chat] = max(at, self._held.get(chat, 0))
            elif at > self._at.get(chat, 0):
                self._put(chat, at)

    def since(self, channel_id: str) -> int | None:
        """Where to go on in a channel; None in the first run of all, which has missed nothing."""
        return self._at.get(channel_id, self._at.get(_EVERYWHERE))

    def _put(self, chat: str, at: int) -> None:
        self._at[chat] = at
        self._at.move_to_end(chat)
        if len(self._at) > KEEP_CURSORS:
            oldest, _ = self._at.popitem(last=False)
            forget = "DELETE FROM cursor WHERE network = ? AND chat = ?"
            self._store.write_later(forget, (_NETWORK, oldest), key=(_NETWORK, oldest))
        # A cursor that lags behind costs a few posts fetched twice, which the ledger drops.
        self._store.write_later(
            "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (_NETWORK, chat, at), key=(_NETWORK, chat)
        )


class Rest(Protocol):
    """The calls of `MattermostClient` used here."""

    async def posts_since(self, channel_id: str, since: int) -> dict[str, Any]: ...

    async def newest_posts(self, channel_id: str, per_page: int) -> dict[str, Any]: ...


class CatchUp:
    """Fetches what was missed. `now` is the server's time; at most `limit` posts a channel, the newest of them."""

    def __init__(self, client: Rest, cursors: Cursors, limit: int, now: Callable[[], int]) -> None:
        self._client = client
        self._cursors = cursors
        self._limit = limit
        self._now = now

    async def missed(self, channel: dict[str, Any], *, edited: bool) -> list[dict[str, Any]]:
        """The posts missed in one of our channels, oldest first. Raises what fetching them raises.

        Edits and deletions do not show in a channel's `last_post_at`: with `edited` they are asked for anyway.
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
        """Whether those missed posts are all the channel ever had."""
        created_at, since = channel.get("create_at"), self._cursors.since(str(channel.get("id")))
        if not isinstance(created_at, int) or since is None or len(posts) >= min(self._limit, _PAGE):
            return False
        return created_at > max(since, self._now() - _OLDEST_MILLISECONDS) - _OVERLAP_MILLISECONDS

    async def _posts(self, channel_id: str, since: int) -> list[dict[str, Any]]:
        """Posts changed since then, by time. The server at times answers `since` with nothing: then its newest ones."""
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
    """When a post last changed, as the server counts: created, edited or deleted."""
    times = [post.get(name) for name in ("create_at", "edit_at", "delete_at")]
    return max([at for at in times if isinstance(at, int)], default=0)
