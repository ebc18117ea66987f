"""The inbound half, from a frame to what the host shall get. Knows no host class.

frame -> event -> ledger -> one queue a channel -> joins, threads, who -> decide() -> `deliver`
A post in a channel that is not served goes no further than a `peek`: decided upon, traced, forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ...common.core.authority import Authority, of_program
from ...common.core.backoff import backoff
from ...common.core.errors import HardenedError
from ...common.core.events import Address, Dispatch, Ignore, Inbound, Me, Observe, Origin, Unhandled, message_key
from ...common.core.wording import name as as_name
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Commit, Delivery, apply_edit, buffer_of
from ...common.inbound.fair_queue import Place
from ...common.inbound.observation import Observations
from ...common.inbound.workers import ChatWorkers
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.chats import entries
from ...common.state.cursors import Cursors
from ...common.state.ledger import Ledger
from ...common.state.store import Store
from ...common.state.trace import Trace
from .catchup import CatchUp
from .decode import (
    Deleted,
    Edited,
    Kind,
    LeftTeam,
    Posted,
    UserRemoved,
    UserUpdated,
    added_by,
    event_of,
    origin_of,
    parse_post,
    peek,
)
from .invitations import Joins
from .judge import Judge, dispatched
from .reader import Item, Reader
from .rest.client import MattermostClient
from .rest.failures import ApiError
from .sequence import Frame
from .settings import MattermostSettings
from .threads import Threads
from .usernames import People

logger = logging.getLogger(__name__)

_CATCH_UP_SECONDS = 20.0
_FIRST_LISTING_SECONDS = 60.0
_DATE_MILLISECONDS = 1_000
"""How exactly a server tells its time."""
_VERSIONS: dict[tuple[bool, bool], tuple[Kind, ...]] = {
    (False, False): ("posted",),
    (False, True): ("posted", "edited"),
    (True, False): ("deleted",),
    (True, True): ("deleted",),
}
"""What a fetched post may be to us, by whether it was deleted and edited."""


class Intake:
    """Everything between the stream and the host: `prepare`, `receive` frames, tell of a `gap`, at last `close`."""

    def __init__(
        self,
        settings: MattermostSettings,
        client: MattermostClient,
        store: Store,
        observed: Observations,
        *,
        host: HostAccess,
        deliver: Callable[[Delivery, str, Commit], Awaitable[None]],
    ) -> None:
        self._client = client
        self._store = store
        self._observed = observed
        self._deliver = deliver
        self.workers: ChatWorkers[Item | UserRemoved] = ChatWorkers(self._process, self._place)
        self.ledger = Ledger(store, "mattermost", lambda: client.server_clock.now() / 1000)
        self.trace = Trace(store, "mattermost", time.time)
        self.book = RuntimeAllowlist(store, "mattermost", time.time)
        self.people = People(client, time.monotonic)
        self.joins = Joins(client, self.book, settings.join_policy, settings.policy().chats)
        self.threads = Threads(client)
        self.cursors = Cursors(store, "mattermost")
        self.catch_up = CatchUp(client, self.cursors, settings.catch_up_posts, client.server_clock.now)
        self.unhandled: Counter[str] = Counter()
        self.caught_up = 0
        self.me = Me()
        self._reader = Reader(client, self.people)
        self._judge = Judge(
            settings,
            host,
            self.book,
            self.joins,
            self.threads,
            self.ledger,
            is_bot=self.people.is_bot,
            clock=client.server_clock,
        )
        self._catching_up: asyncio.Task[None] | None = None
        self._gaps = 0

    async def prepare(self, me: dict[str, Any]) -> None:
        """Load what earlier runs left. `me` is our own user as the server shows it.

        Work begins after the first `gap`, with what was missed since the last run.
        """
        self.me = Me(str(me["id"]))
        self.people.learn(str(me["id"]), str(me.get("username", "")))
        await self.book.load()
        self.joins.load(await asyncio.to_thread(entries, self._store.path, "mattermost"))
        await self.ledger.load()
        await self.cursors.load()

    async def apply_orders(self) -> None:
        """Somebody else wrote to the state file: take over what the operator ordered."""
        await self.book.refresh()

    async def close(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
        await self.workers.close()

    def receive(self, frame: Frame) -> None:
        """Take one event off the stream. Never waits and never raises."""
        if self._ignored_early(frame):
            return
        event = event_of(frame)
        match event:
            case Posted():
                self._take(
                    Item(
                        event.post,
                        "posted",
                        event.channel_type,
                        event.channel_name,
                        event.sender_name,
                        event.mentions or (),
                    )
                )
            case Edited() if event.is_pin:
                self.unhandled["pinned"] += 1
            case Edited():
                self._take(Item(event.post, "edited"))
            case Deleted():
                self._take(Item(event.post, "deleted"))
            case UserUpdated():
                self.people.learn(event.user_id, event.username)
            case UserRemoved() if event.user_id in {None, self.me.id}:
                self.workers.submit(event.channel_id, event)
            case LeftTeam() if event.user_id == self.me.id:
                # No frame tells of its channels.
                self.gap()
            case Unhandled():
                self.unhandled[event.kind] += 1

    def _ignored_early(self, frame: Frame) -> bool:
        """Whether this is a post that is ignored, in a channel that is not served and where nothing is under way."""
        channel_id = frame.broadcast.get("channel_id")
        if not isinstance(channel_id, str) or self._judge.serves(channel_id) or self.workers.busy(channel_id):
            return False
        if not self.joins.knows(channel_id):
            return False
        inbound = peek(frame, self.me)
        if inbound is None or inbound.chat.id != channel_id:
            return False
        decision = self._judge.at_first_sight(inbound, self.me)
        if not isinstance(decision, Ignore):
            return False
        self.cursors.begin(channel_id, inbound.sent_at)
        if self._is_new(inbound.key):
            self.ledger.ignore(inbound.key)
            self.trace.decided(inbound, decision)
            self.cursors.advance(channel_id, inbound.sent_at)
        return True

    def gap(self) -> None:
        """Posts may have been missed: fetch them. What comes in meanwhile waits, so that order is kept."""
        self.cursors.hold()
        self._gaps += 1
        if self._catching_up is None or self._catching_up.done():
            self.workers.hold()
            self._catching_up = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Until everything was fetched. After a first failure work goes on, and what is fetched late comes late.

        In the first run it waits a while longer: as long as no channels were listed, nobody is heard in any.
        """
        began, at = time.monotonic(), self._client.server_clock.now() - _DATE_MILLISECONDS
        try:
            for delay in backoff():
                if await self._fetch_missed():
                    self.cursors.release()
                    self.cursors.begin_everywhere(at)
                    return
                if not self.book.is_new or time.monotonic() - began > _FIRST_LISTING_SECONDS:
                    self.workers.start()
                await asyncio.sleep(delay)
        finally:
            self.workers.start()

    async def _fetch_missed(self) -> bool:
        """Whether nothing is missing any more."""
        gaps, complete, pseudonym = self._gaps, True, self.trace.pseudonym
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                channels = await self._client.my_channels()
                left = await self.joins.listed_now(channels)
                observed = self._observed.chats()
                for channel in channels:
                    channel_id = str(channel.get("id"))
                    if channel_id in left:
                        continue
                    try:
                        posts = await self.catch_up.missed(channel, edited=channel_id in observed)
                    except (ApiError, ValueError) as exc:
                        logger.warning("missed posts of channel %s will not be had: %s", pseudonym(channel_id), exc)
                    except HardenedError as exc:
                        logger.warning("missed posts of channel %s are owed: %s", pseudonym(channel_id), exc)
                        complete = False
                        continue
                    else:
                        if channel.get("type") == "G" and posts and not self.catch_up.has_all(channel, posts):
                            self.joins.meet(channel_id, None)
                        self._take_missed(channel, posts)
                    self.cursors.settle(channel_id)
        except (HardenedError, TimeoutError) as exc:
            logger.warning("missed posts could not be fetched: %s", exc or type(exc).__name__)
            return False
        return complete and gaps == self._gaps

    def _take_missed(self, channel: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        channel_id, channel_type, name = (str(channel.get(key, "")) for key in ("id", "type", "display_name"))
        items = []
        posts = [post for post in map(parse_post, rows) if post is not None]
        self.unhandled["malformed post"] += len(rows) - len(posts)
        last_addition = next((post.id for post in reversed(posts) if added_by(post, self.me)), None)
        for post in posts:
            # What was known before in another version counts as edited.
            for kind in _VERSIONS[bool(post.delete_at), bool(post.edit_at)]:
                item = Item(post, kind, channel_type, name, missed=True, is_over=post.id != last_addition)
                if self._is_new(item.key):
                    items.append(item)
                    break
        if items:
            self.caught_up += len(items)
            logger.info("caught up %d posts of one channel", len(items))
            self.workers.insert(channel_id, items, _time)

    def _take(self, item: Item) -> None:
        self.cursors.begin(item.post.channel_id, item.post.create_at)
        if self._is_new(item.key):
            self.workers.submit(item.post.channel_id, item)

    def _place(self, item: Item | UserRemoved) -> Place:
        """A request is what the server did not say to be for others only; of missed posts it says nothing."""
        if isinstance(item, UserRemoved):
            return Place("", Authority.ADMIN, is_request=True)
        is_request = item.missed or item.channel_type == "D" or self.me.id in item.mentioned
        return Place(item.post.user_id, self._authority(item), is_request)

    def _authority(self, item: Item) -> Authority:
        origin = origin_of(item.post, self.me)
        if origin is Origin.SELF:
            return Authority.ALLOWED
        account = self._judge.authorize(Address(item.post.user_id), item.post.channel_id, item.channel_type).authority
        return of_program(account, is_bot=False) if origin is Origin.PROGRAM else account

    def _is_new(self, key: str) -> bool:
        if self.ledger.claim(key):
            return True
        self.unhandled["duplicate"] += 1
        return False

    async def _process(self, item: Item | UserRemoved) -> None:
        if isinstance(item, UserRemoved):
            self.joins.removed(item.channel_id)
            return
        channel_type, channel_name = await self._reader.channel(item)
        heard = await self._judge.may_be_heard(item.post, self.me, channel_type)
        inbound = await self._reader.read(item, self.me, channel_type, channel_name, asks=heard)
        if inbound.origin is Origin.SELF:
            root = inbound.chat.thread or inbound.message_id
            self.threads.spoke(root, inbound.sent_at, is_root=inbound.chat.thread is None)
        elif item.kind == "posted":
            # What becomes of the server's word on an addition later, is no addition.
            if added := added_by(item.post, self.me):
                if not item.is_over:
                    await self._consider_addition(inbound, *added)
            elif inbound.origin is not Origin.SERVER:
                self._meet_channel(inbound, item)
        buffer = buffer_of(item.post.channel_id, inbound.chat)
        if inbound.deletes:
            self._observed.delete(buffer, message_key(inbound.sender, inbound.deletes))
        decision, authorization = await self._judge.judge(inbound, self.me, item, channel_type)
        self.trace.decided(inbound, decision)
        if isinstance(decision, Ignore):
            self.ledger.ignore(item.key)
        elif (decided := apply_edit(self._observed, inbound, decision, buffer)) is not None:
            author = await self._reader.author(inbound)
            accepted = Delivery(
                inbound,
                decided,
                authorization,
                item.post.channel_id,
                as_name(channel_name) or author,
                author,
            )
            await self._deliver(accepted, channel_type, partial(self._commit, item, decided))
        self.cursors.advance(item.post.channel_id, inbound.sent_at)

    async def _commit(self, item: Item, decided: Dispatch | Observe) -> None:
        if isinstance(decided, Dispatch):
            await self.ledger.commit(item.key, dispatched(item.post.id), sent_at=_time(item))
        else:
            await self.ledger.note(item.key, sent_at=_time(item))

    def _meet_channel(self, inbound: Inbound, item: Item) -> None:
        """The first post we see in a channel that is not known yet. No program opens a group message."""
        channel_id, channel_type = item.post.channel_id, item.channel_type
        if channel_type in {"", "D"} or self.joins.knows(channel_id):
            return
        opener = None
        if channel_type == "G" and inbound.origin is Origin.PERSON:
            opener = self._judge.authorize(inbound.sender, channel_id, channel_type)
        if verdict := self.joins.meet(channel_id, opener):
            self.trace.noted(inbound, "invitation", verdict)

    async def _consider_addition(self, inbound: Inbound, channel_id: str, adder: str) -> None:
        verdict = await self.joins.consider(channel_id, self._judge.authorize(Address(adder), channel_id, "O"))
        self.trace.noted(inbound, "invitation", verdict)


def _time(item: Item | UserRemoved) -> int:
    """When it happened, milliseconds since the epoch; a removal after all posts."""
    return max(item.post.create_at, item.post.edit_at, item.post.delete_at) if isinstance(item, Item) else 2**62
