"""The pipeline's source for Mattermost: reads frames and missed posts, and answers the pipeline's questions about them.

link -> `receive` -> peek or decode -> Pipeline.submit
Pipeline.handle -> `read`, `invitation`, `authorize`, `complete`, `names`
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

from ...common.core.authority import Authority, of_program
from ...common.core.bounded import Bounded
from ...common.core.events import Address, Dispatch, Inbound, Me, Origin, Rule, Unhandled, message_key
from ...common.core.people import Authorization, authorization_of
from ...common.core.policy import Policy
from ...common.core.wording import Foreign
from ...common.core.wording import name as as_name
from ...common.inbound.authorization import AuthorizationCache, HostAccess
from ...common.inbound.delivery import Awaits, Deliver, React, Report, TakeBack
from ...common.inbound.fair_queue import Place
from ...common.inbound.observation import Observations
from ...common.inbound.pipeline import Message, Pipeline, Source
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.chats import entries
from ...common.state.cursors import Cursors
from ...common.state.ledger import Ledger
from ...common.state.store import Store
from ...common.state.trace import Trace
from .catchup import CatchUp
from .decode import (
    Decoded,
    Deleted,
    Edited,
    Item,
    LeftTeam,
    Posted,
    Reacted,
    UserRemoved,
    UserUpdated,
    added_by,
    event_of,
    reaction_of,
    to_inbound,
    to_reaction,
)
from .gaps import Gaps
from .invitations import Invitations
from .lookups.channels import CHAT_TYPES, Channel, Channels
from .lookups.threads import Threads
from .lookups.usernames import Usernames
from .peek import peek
from .rest.client import MattermostClient
from .sequence import Frame
from .settings import MattermostSettings

KEEP_OWN = 2_000
_OWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class OwnPost:
    """A post of the bot's own. `text` is its beginning."""

    channel_id: str
    thread: str | None
    text: str


Incoming = Item | Reacted | UserRemoved


class MattermostSource(Source[Incoming]):
    """The source of one bot account. Call `prepare`, then `receive` for each frame and `gaps.report` for each gap, and
    `close` at the end."""

    def __init__(
        self,
        settings: MattermostSettings,
        client: MattermostClient,
        store: Store,
        observed: Observations,
        *,
        host: HostAccess,
        deliver: Deliver,
        report: Report,
        react: React | None = None,
        awaits: Awaits | None = None,
        take_back: TakeBack | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._host = host
        self.own: Bounded[str, OwnPost] = Bounded(KEEP_OWN)
        """The bot's own posts by id, the latest ones."""
        self._me = Me(sent=self.own)
        self._policy = settings.policy()
        self._listed_only = replace(self._policy, every_chat=False)
        self._no_chats = replace(self._listed_only, chats=frozenset())
        self._people = {chat_type: settings.people(chat_type) for chat_type in CHAT_TYPES.values()}
        self._authorizations = AuthorizationCache(self._authorization)
        self._channels = Channels(client)
        self._threads = Threads(client)
        self.usernames = Usernames(client, time.monotonic)
        self.allowlist = RuntimeAllowlist(store, "mattermost", time.time)
        self.invitations = Invitations(client, self.allowlist, settings.join_policy, self._policy.chats)
        # The server's time, not this machine's: the ledger compares ages with the times of posts.
        ledger = Ledger(store, "mattermost", lambda: client.server_clock.now() / 1000)
        trace = Trace(store, "mattermost", time.time)
        self.pipeline = Pipeline(self, ledger, trace, observed, deliver, report, react, awaits, take_back)
        self.cursors = Cursors(store, "mattermost")
        catch_up = CatchUp(client, self.cursors, settings.catch_up_posts, client.server_clock.now)
        self.gaps = Gaps(client, self.pipeline, catch_up, self.cursors, self.invitations, self.allowlist, observed)

    @property
    def me(self) -> Me:
        return self._me

    # -- life

    async def prepare(self, me: dict[str, Any]) -> None:
        """Load the state of earlier runs; raises StateError. `me` is our own user as the server returns it.

        The workers start after the first `gaps.report`, with the posts missed since the last run.
        """
        self._me = replace(self._me, id=str(me["id"]))
        self.usernames.learn(str(me["id"]), str(me.get("username", "")))
        await self.allowlist.load()
        self.invitations.load(await asyncio.to_thread(entries, self._store.path, "mattermost"))
        await self.pipeline.ledger.load()
        await self.cursors.load()

    async def apply_orders(self) -> None:
        """Apply the operator's orders from the state file; raises StateError."""
        await self.allowlist.refresh()

    async def close(self) -> None:
        await self.gaps.close()
        await self.pipeline.workers.close()

    # -- from the stream into the queues

    def receive(self, frame: Frame) -> None:
        """Decode one event and queue it. Never waits and never raises."""
        if self._ignored_early(frame):
            return
        match event_of(frame):
            case Posted(post, kind, name, sender, team):
                self._submit(Item(post, "posted", kind, name, sender, team))
            case Edited(is_pin=True):
                # Not a new version: the text is the same, and the ledger key would be that of the last edit.
                self.pipeline.unhandled["pinned"] += 1
            case Edited(post):
                self._submit(Item(post, "edited"))
            case Deleted(post):
                self.pipeline.deleted(post.channel_id, message_key(Address(post.user_id), post.id))
                self._submit(Item(post, "deleted"))
            case UserUpdated(user_id, username):
                self.usernames.learn(user_id, username)
            case UserRemoved(user_id=user_id) as removal if user_id in {None, self.me.id}:
                # Queued, so that earlier posts of the channel are handled first.
                self.pipeline.submit(removal)
            case LeftTeam(user_id) if user_id == self.me.id:
                # No frame names the team's channels. A catch-up lists the ones we are still in.
                self.gaps.report()
            case Unhandled(kind):
                if (reacted := reaction_of(frame)) and reacted.reaction.post_id in self.me.sent:
                    # Without its time, the second of two equal acts would look like a copy of the first.
                    self.pipeline.submit(reacted, reacted.key if reacted.reaction.create_at else None)
                else:
                    self.pipeline.unhandled[kind] += 1

    def _ignored_early(self, frame: Frame) -> bool:
        """Ignore a post in a channel that is known, not served and has nothing queued. Return False to decode it."""
        channel_id = frame.broadcast.get("channel_id")
        if not isinstance(channel_id, str) or self.policy(channel_id).serves(channel_id):
            return False
        # A queued post may be about our addition, after which this post would be served: order must be kept.
        if self.pipeline.workers.busy(channel_id) or not self.invitations.knows(channel_id):
            return False
        inbound = peek(frame, self.me)
        if inbound is None or inbound.chat.id != channel_id:
            return False
        # The cursor moves for ignored posts, too: otherwise every catch-up would fetch them again.
        self.cursors.begin(channel_id, inbound.sent_at)
        if not self.pipeline.ignored_early(inbound):
            return False
        self.cursors.advance(channel_id, inbound.sent_at)
        return True

    def _submit(self, item: Item) -> None:
        self.cursors.begin(item.post.channel_id, item.post.create_at)
        self.pipeline.submit(item, item.key)

    # -- the pipeline's questions

    def policy(self, chat_id: str) -> Policy:
        """See `Source`. A channel whose addition is not decided yet is served only if the settings list it."""
        if self.invitations.bars(chat_id):
            return self._no_chats
        policy = self._policy if self.invitations.knows(chat_id) else self._listed_only
        return policy.with_chats(self.allowlist.approved, barred=self.allowlist.revoked)

    def queue(self, item: Incoming) -> str:
        return item.post.channel_id if isinstance(item, Item) else item.channel_id

    def place(self, item: Incoming) -> Place:
        # Highest authority, so that a full queue drops a removal last: it decides about later posts.
        if isinstance(item, UserRemoved):
            return Place("", Authority.ADMIN, is_request=True)
        if isinstance(item, Reacted):
            person, chat_type = Address(item.reaction.user_id), self._channels.chat_type(item.channel_id)
            return Place(person.id or "", self._authorizations.of(person, chat_type, item.channel_id).authority, True)
        channel, author = self._channels.known(item), item.post.user_id
        inbound = self._decoded(item, channel).inbound
        is_request = isinstance(self.pipeline.decide_optimistically(inbound), Dispatch)
        if inbound.origin is Origin.SELF:
            return Place(author, Authority.ALLOWED, is_request)
        authority = self._authorizations.of(inbound.sender, channel.chat_type, item.post.channel_id).authority
        if inbound.origin is Origin.PROGRAM:
            authority = of_program(authority, is_bot=False)
        return Place(author, authority, is_request)

    async def read(self, item: Incoming) -> Message[Incoming] | None:
        if isinstance(item, UserRemoved):
            self.invitations.forget(item.channel_id)
            return None
        if isinstance(item, Reacted):
            return await self._read_reaction(item)
        channel = await self._channels.of(item)
        decoded = self._decoded(item, channel)
        inbound = decoded.inbound
        if inbound.origin is Origin.SELF:
            # Our own posts, from any client of the account, make the thread ours without asking the server.
            own = OwnPost(item.post.channel_id, inbound.chat.thread, inbound.text[:_OWN_CHARACTERS])
            self.own.put(inbound.message_id, own)
            root = inbound.chat.thread or inbound.message_id
            self._threads.record_own_post(root, inbound.sent_at, is_root=inbound.chat.thread is None)
        now = self._client.server_clock.now_with(
            max(item.post.create_at, item.post.edit_at, item.post.update_at or 0), live=not item.missed
        )
        return Message(item, inbound, item.post.channel_id, channel.chat_type, now, item.missed, decoded.unknown_names)

    async def _read_reaction(self, item: Reacted) -> Message[Incoming]:
        user_id, channel = item.reaction.user_id, await self._channels.fetch(item.channel_id)
        inbound = to_reaction(
            item,
            channel_type=channel.type,
            thread=own.thread if (own := self.own.get(item.reaction.post_id)) else None,
            sender_name=await self.usernames.fetch_name(user_id),
            is_person=user_id != self.me.id and await self.usernames.is_person(user_id),
        )
        return Message(item, inbound, item.channel_id, channel.chat_type, self._client.server_clock.now())

    async def invitation(self, message: Message[Incoming]) -> str | None:
        item, inbound = message.item, message.inbound
        # An edited or deleted version of the server's post about an addition is no new addition.
        if not isinstance(item, Item) or item.kind != "posted" or inbound.origin is Origin.SELF:
            return None
        if added := added_by(item.post, self.me):
            channel_id, adder = added
            # Only the last of several missed additions counts: the membership that an earlier one began has ended.
            if item.is_superseded:
                return None
            return await self.invitations.consider(
                channel_id, self._authorizations.of(Address(adder), "channel", channel_id)
            )
        if inbound.origin is Origin.SERVER or item.channel_type in {"", "D"}:
            return None
        # The first post of a group message shows who opened it, unless a program wrote it.
        opened = item.channel_type == "G" and inbound.origin is Origin.PERSON
        if self.invitations.knows(message.chat_id):
            return None
        return self.invitations.notice(message.chat_id, self.authorize(inbound.sender, message) if opened else None)

    def authorize(self, person: Address, message: Message[Incoming]) -> Authorization:
        return self._authorizations.of(person, message.chat_type, message.chat_id)

    async def authorize_author(self, message: Message[Incoming]) -> Authorization:
        """See `Source`. A hook's post has its owner's user id and a command's output its caller's, but neither of them
        wrote it."""
        inbound = message.inbound
        account = self.authorize(inbound.sender, message)
        if inbound.origin is not Origin.PROGRAM:
            return account
        is_bot = self._policy.bots != "none" and await self.usernames.is_bot(inbound.sender.id or "")
        authority = of_program(account.authority, is_bot=is_bot)
        return Authorization(f"program:{inbound.sender.id}", None, allowed=False, listed=False, authority=authority)

    async def complete(self, message: Message[Incoming], authorization: Authorization) -> Message[Incoming]:
        item, inbound = message.item, message.inbound
        # A stranger's post is observed at most, so it is not worth a call to the server, which others would wait for.
        if not isinstance(item, Item) or authorization.authority is Authority.STRANGER:
            return message
        if message.unknown_names and await self.usernames.look_up(message.unknown_names):
            inbound = self._decoded(item, await self._channels.of(item)).inbound
        # Asked only if nothing else addresses the post: most posts in threads need no call.
        root = inbound.chat.thread
        if root and inbound.chat.is_group and self.pipeline.decide_optimistically(inbound).rule is Rule.UNADDRESSED:
            ours = await self._threads.is_ours(root, self.me.id or "", inbound.sent_at)
            inbound = replace(inbound, in_our_thread=ours)
        return message.reading(inbound)

    def dispatch_mark(self, inbound: Inbound) -> str:
        return f"{inbound.message_id} dispatched"

    async def names(self, message: Message[Incoming]) -> tuple[Foreign, Foreign]:
        inbound = message.inbound
        match inbound.origin:
            case Origin.PROGRAM:
                author = as_name(f"program {inbound.sender_name}")
            case Origin.SERVER:
                author = Foreign("the server")
            case _:
                author = inbound.sender_name or as_name(await self.usernames.fetch_name(inbound.sender.id or ""))
        channel = self._channels.known(message.item) if isinstance(message.item, Item) else None
        return (as_name(channel.name) if channel else Foreign()) or author, author

    def handled(self, message: Message[Incoming]) -> None:
        # A reaction has no place in the row of posts.
        if isinstance(message.item, Item):
            self.cursors.advance(message.chat_id, message.inbound.sent_at)

    def _decoded(self, item: Item, channel: Channel) -> Decoded:
        return to_inbound(
            item.post,
            self.me,
            self.usernames.id_of,
            self.usernames.name_of,
            channel_type=channel.type,
            channel_name=channel.name,
            sender_name=item.sender_name,
            team_id=channel.team_id,
            kind=item.kind,
        )

    def _authorization(self, person: Address, chat_type: str, channel_id: str) -> Authorization:
        return authorization_of(
            (person.id,) if person.id else (),
            None,
            self._people[chat_type],
            lambda user_id: self._host.accepts(user_id, chat_type, channel_id),
            self._host.paired,
            is_open=False,
        )
