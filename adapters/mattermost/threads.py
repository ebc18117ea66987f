"""Which threads are ours: those whose root we wrote, and those in which we answered of late."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from ...common.core.bounded import Bounded
from ...common.core.errors import HardenedError

logger = logging.getLogger(__name__)

OURS_FOR_MILLISECONDS = 7 * 24 * 3600 * 1000
KEEP_THREADS = 5_000


class Posts(Protocol):
    """The call of `MattermostClient` used here."""

    async def thread(self, post_id: str) -> dict[str, Any]: ...


class Threads:
    """A bounded memory of threads. Our own posts keep it up to date; a thread not met before is fetched once."""

    def __init__(self, posts: Posts) -> None:
        self._posts = posts
        self._spoke: Bounded[str, int] = Bounded(KEEP_THREADS)

    def spoke(self, root_id: str, at: int, *, is_root: bool) -> None:
        """We wrote the root of a thread (it stays ours), or in it at `at` (milliseconds since the epoch)."""
        latest = max(self._spoke.get(root_id, 0), 2**62 if is_root else at)
        self._spoke.put(root_id, latest)

    async def is_ours(self, root_id: str, own_id: str, now: int) -> bool:
        """Whether what is said in that thread at `now` is said to us. A thread that cannot be fetched is not ours."""
        if root_id not in self._spoke:
            try:
                thread = await self._posts.thread(root_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a thread could not be fetched: %s", exc)
                return False
            self._spoke.put(root_id, _last_word(thread, root_id, own_id))
        return now - self._spoke[root_id] < OURS_FOR_MILLISECONDS


def _last_word(thread: dict[str, Any], root_id: str, own_id: str) -> int:
    """When we last wrote in a thread as the server sent it; for ever if its root is ours, never if we did not."""
    last = -OURS_FOR_MILLISECONDS
    posts = thread.get("posts")
    for post in posts.values() if isinstance(posts, dict) else ():
        if not isinstance(post, dict) or post.get("user_id") != own_id:
            continue
        at = post.get("create_at")
        last = max(last, 2**62 if post.get("id") == root_id else at if isinstance(at, int) else 0)
    return last
