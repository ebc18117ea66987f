"""What becomes of a post: `decide()`, asked with what the host, the thread and the past say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ...common.core.authority import Authority, of_program
from ...common.core.events import Address, Decision, Dispatch, Ignore, Inbound, Me, Origin
from ...common.core.people import Authorization, authorization_of
from ...common.core.policy import Policy, decide
from ...common.core.restraint import Past, Rules, Versions, horizon, restrain
from ...common.core.server_clock import ServerClock
from ...common.inbound.authorization import AuthorizationCache, HostAccess
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.ledger import Ledger
from .decode import origin_of
from .invitations import Invitations
from .reader import Item
from .settings import MattermostSettings
from .threads import Threads
from .wire import Post

CHAT_TYPES = {"D": "dm", "G": "group", "P": "group", "O": "channel"}
"""Mattermost's channel types as the host names them."""


class Judge:
    """Knows the operator's policy and asks everybody who has a word in it."""

    def __init__(
        self,
        settings: MattermostSettings,
        host: HostAccess,
        allowlist: RuntimeAllowlist,
        invitations: Invitations,
        threads: Threads,
        ledger: Ledger,
        *,
        is_bot: Callable[[str], Awaitable[bool]],
        clock: ServerClock,
    ) -> None:
        self._settings = settings
        self._host = host
        self._authorizations = AuthorizationCache(self._look_up)
        self._allowlist = allowlist
        self._invitations = invitations
        self._threads = threads
        self._ledger = ledger
        self._is_bot = is_bot
        self._clock = clock
        self._versions = Versions()
        self._program_turns: Counter[str] = Counter()
        self._policy = settings.policy()
        self._listed = replace(self._policy, every_chat=False)
        self._nothing = replace(self._listed, chats=frozenset())
        self._rules = Rules(self._policy.observe, int(settings.catch_up_minutes * 60_000))
        self._people = {chat_type: settings.people(chat_type) for chat_type in CHAT_TYPES.values()}

    async def judge(self, inbound: Inbound, me: Me, item: Item, channel_type: str) -> tuple[Decision, Authorization]:
        """The decision on a post, and who its author is to the host."""
        decision, authorization = await self._judge(inbound, me, item.post.channel_id, channel_type)
        return self._restrained(decision, inbound, item), authorization

    async def _judge(
        self, inbound: Inbound, me: Me, channel_id: str, channel_type: str
    ) -> tuple[Decision, Authorization]:
        """The decision; the host and the thread are asked only where their word changes it."""
        is_program = inbound.origin is Origin.PROGRAM
        decision = self.at_first_sight(inbound, me)
        if isinstance(decision, Ignore) and decision.rule < 6:
            return decision, _NOBODY
        if is_program:
            authorization = await self._program(
                inbound.sender, channel_id, channel_type, heard=isinstance(decision, Dispatch)
            )
        else:
            authorization = self.authorize(inbound.sender, channel_id, channel_type)
        root, ours = inbound.chat.thread, False
        # A stranger's words are observed in whichever thread; nobody waits for the server's word on it.
        if root and inbound.chat.is_group and decision.rule == 10 and authorization.authority is not Authority.STRANGER:
            ours = await self._threads.is_ours(root, me.id or "", inbound.sent_at)
            inbound = replace(inbound, in_our_thread=ours)
        needless = authorization.rights.turn and not ours
        return decision if needless else self._decide(inbound, me, authorization.authority), authorization

    async def _program(self, account: Address, channel_id: str, channel_type: str, *, heard: bool) -> Authorization:
        """What posts under an account: a hook's post names its owner, a command's output its caller; neither said it.

        The server is asked only about programs that might be `heard`.
        """
        authority = of_program(
            self.authorize(account, channel_id, channel_type).authority,
            is_bot=heard and await self._is_bot(account.id or ""),
        )
        return Authorization(f"program:{account.id}", None, allowed=False, listed=False, authority=authority)

    async def may_be_heard(self, post: Post, me: Me, channel_type: str) -> bool:
        """Whether a post can be more than observed: else nobody waits for what the server knows of its names."""
        author = Address(post.user_id)
        if self.authorize(author, post.channel_id, channel_type).authority is not Authority.STRANGER:
            return True
        is_program = origin_of(post, me) is Origin.PROGRAM
        return is_program and self._policy.bots != "none" and await self._is_bot(post.user_id)

    def at_first_sight(self, inbound: Inbound, me: Me) -> Decision:
        """The decision if the author may have everything and the thread is not ours."""
        return self._decide(inbound, me, Authority.ADMIN)

    def serves(self, channel_id: str) -> bool:
        """Whether the bot serves that channel now."""
        return self._served(channel_id).serves(channel_id)

    def _decide(self, inbound: Inbound, me: Me, authority: Authority) -> Decision:
        return decide(inbound, me, self._served(inbound.chat.id), authority=authority)

    def _served(self, channel_id: str) -> Policy:
        """What is served, as far as that channel is concerned: one not known yet only where the settings list it."""
        policy = self._policy if self._invitations.knows(channel_id) else self._listed
        if self._invitations.bars(channel_id):
            return self._nothing
        return policy.with_chats(self._allowlist.approved, barred=self._allowlist.revoked)

    def authorize(self, person: Address, channel_id: str, channel_type: str) -> Authorization:
        """Who a person is to the host, in a channel of that type."""
        return self._authorizations.of(person, CHAT_TYPES.get(channel_type, "channel"), channel_id)

    def _look_up(self, person: Address, chat_type: str, channel_id: str) -> Authorization:
        return authorization_of(
            (person.id,) if person.id else (),
            None,
            self._people[chat_type],
            lambda user_id: self._host.accepts(user_id, chat_type, channel_id),
            self._host.paired,
            is_open=False,
        )

    def _restrained(self, decision: Decision, inbound: Inbound, item: Item) -> Decision:
        """The decision with what the past and the clock make of it, from now on part of the past itself."""
        channel_id, mark = item.post.channel_id, dispatched(inbound.message_id)
        post = item.post
        dated = max(post.create_at, post.edit_at, post.update_at or 0)
        now = self._clock.now_with(dated, live=not item.missed)
        if inbound.origin is Origin.PERSON:
            del self._program_turns[channel_id]
        elif inbound.origin is Origin.PROGRAM and isinstance(decision, Dispatch):
            self._program_turns[channel_id] += 1
        past = Past(
            now,
            horizon(now, self._ledger.horizon),
            missed=item.missed,
            earlier=self._versions.before(inbound),
            dispatched=self._ledger.knows(mark),
            program_turns=self._program_turns[channel_id],
        )
        decision = restrain(decision, inbound, past, self._rules)
        if isinstance(decision, Dispatch):
            self._ledger.claim(mark)
        self._versions.see(inbound, decision)
        return decision


_NOBODY = Authorization("", None, allowed=False, listed=False)


def dispatched(post_id: str) -> str:
    """The ledger's mark that a post was dispatched, in whichever version."""
    return f"{post_id} dispatched"
