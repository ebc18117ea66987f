"""The bot's own threads: it wrote the root, or answered in the thread during the last seven days."""

from __future__ import annotations

import logging
from typing import Any

from ....common.core.bounded import Bounded
from ....common.core.errors import HardenedError
from ..rest.client import MattermostClient

logger = logging.getLogger(__name__)

OURS_FOR_MILLISECONDS = 7 * 24 * 3600 * 1000
KEEP_THREADS = 5_000
_FOR_EVER = 2**62


class Threads:
    """A bounded cache of the times at which the bot last posted in threads. An unknown thread is fetched once."""

    def __init__(self, client: MattermostClient) -> None:
        self._client = client
        self._own_posts: Bounded[str, int] = Bounded(KEEP_THREADS)

    def record_own_post(self, root_id: str, at: int, *, is_root: bool) -> None:
        """Record the time `at` (ms) of a post by the bot. A thread whose root it wrote always stays its own."""
        latest = max(self._own_posts.get(root_id, 0), _FOR_EVER if is_root else at)
        self._own_posts.put(root_id, latest)

    async def is_ours(self, root_id: str, own_id: str, now: int) -> bool:
        """Return True if the thread is the bot's own at `now` (ms), False if it is not or cannot be fetched."""
        if root_id not in self._own_posts:
            try:
                thread = await self._client.thread(root_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a thread could not be fetched: %s", exc)
                # Not cached, so that the thread's next post tries again.
                return False
            self._own_posts.put(root_id, _last_own_post(thread, root_id, own_id))
        return now - self._own_posts[root_id] < OURS_FOR_MILLISECONDS


def _last_own_post(thread: dict[str, Any], root_id: str, own_id: str) -> int:
    """Return the time (ms) of the bot's last post in a thread: far ahead if it wrote the root, long ago if none."""
    last = -OURS_FOR_MILLISECONDS
    posts = thread.get("posts")
    for post in posts.values() if isinstance(posts, dict) else ():
        if not isinstance(post, dict) or post.get("user_id") != own_id:
            continue
        at = post.get("create_at")
        last = max(last, _FOR_EVER if post.get("id") == root_id else at if isinstance(at, int) else 0)
    return last
