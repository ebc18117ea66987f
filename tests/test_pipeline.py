"""The life of a message, with a toy network that answers the pipeline's questions from a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Address,
    Chat,
    Dispatch,
    Inbound,
    Me,
    Mention,
    Observe,
    Origin,
    Quote,
    Reason,
    Rule,
)
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.policy import Policy
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.inbound.background import Line
from hermes_hardened_adapters.common.inbound.delivery import Change, Commit, Delivery
from hermes_hardened_adapters.common.inbound.fair_queue import Place
from hermes_hardened_adapters.common.inbound.observation import Observations
from hermes_hardened_adapters.common.inbound.pipeline import Message, Pipeline, Source
from hermes_hardened_adapters.common.state.ledger import Ledger
from hermes_hardened_adapters.common.state.store import Store
from hermes_hardened_adapters.common.state.trace import Trace

NOW = 1_795_000_000_000
US, ALICE, MALLORY = Address("us"), Address("alice"), Address("mallory")
BOT = Mention(US, Foreign("Hermes"), (0, 1))


def said(text: str, key: str = "1", author: Address = ALICE, chat: str = "served", **changes: object) -> Inbound:
    mentions = (BOT,) if text.startswith("\ufffc") else ()
    inbound = Inbound(key, key, NOW, Chat(chat), author, text=text, mentions=mentions, received_at=NOW)
    return replace(inbound, **changes)  # type: ignore[arg-type]


@dataclass
class ToySource(Source[Inbound]):
    """Notes every question in `asked`."""

    served: set[str] = field(default_factory=lambda: {"served"})
    strangers: set[str] = field(default_factory=lambda: {"mallory"})
    opened_by: dict[str, str] = field(default_factory=dict)
    looked_up: asyncio.Event = field(default_factory=asyncio.Event)
    unknown: set[str] = field(default_factory=set)
    rest_of: dict[str, str] = field(default_factory=dict)
    our_threads: set[str] = field(default_factory=set)
    observe: bool = True
    edits: bool = True
    asked: list[str] = field(default_factory=list)

    @property
    def me(self) -> Me:
        return Me("us")

    def policy(self, chat_id: str) -> Policy:
        chats = frozenset(self.served)
        return Policy(chats, require_mention=True, observe=self.observe, bots="all", answers_edits=self.edits)

    def queue(self, item: Inbound) -> str:
        return item.chat.id or item.sender.id or ""

    def place(self, item: Inbound) -> Place:
        return Place(item.sender.id or "", Authority.ALLOWED, is_request=True)

    async def read(self, item: Inbound) -> Message[Inbound] | None:
        return None if item.contentless == "no message" else Message(item, item, item.chat.id, "group", NOW)

    async def invitation(self, message: Message[Inbound]) -> str | None:
        opener = self.opened_by.pop(message.chat_id, None)
        if opener is not None:
            self.served.add(message.chat_id)
        return opener and "approved"

    def authorize(self, person: Address, message: Message[Inbound]) -> Authorization:
        self.asked.append(f"authorize {person.id}")
        authority = Authority.STRANGER if person.id in self.strangers else Authority.ALLOWED
        return Authorization(person.id or "", None, authority is not Authority.STRANGER, True, authority)

    def wants_look_up(self, message: Message[Inbound], authorization: Authorization) -> bool:
        return message.inbound.sender.id in self.unknown

    async def look_up(self) -> None:
        self.asked.append("look up")
        await self.looked_up.wait()

    async def complete(self, message: Message[Inbound], authorization: Authorization) -> Message[Inbound]:
        self.asked.append("complete")
        inbound = message.inbound
        text, ours = self.rest_of.get(inbound.key, inbound.text), inbound.chat.thread in self.our_threads
        return message.reading(replace(inbound, text=text, in_our_thread=ours))

    async def names(self, message: Message[Inbound]) -> tuple[Foreign, Foreign]:
        return Foreign("a chat"), Foreign(message.inbound.sender.id or "")

    def handled(self, message: Message[Inbound]) -> None:
        self.asked.append("handled")

    async def apply_orders(self) -> None:
        self.asked.append("apply orders")

    async def close(self) -> None:
        self.asked.append("close")


@dataclass
class Stage:
    source: ToySource
    pipeline: Pipeline[Inbound]
    observed: Observations
    delivered: list[Delivery]
    commits: list[Commit]
    changes: list[Change]
    taken_back: list[str]

    async def say(self, *messages: Inbound) -> None:
        for message in messages:
            self.pipeline.submit(message, message.key)
        await self.pipeline.workers.idle()

    @property
    def decisions(self) -> list[Dispatch | Observe]:
        return [delivery.decision for delivery in self.delivered]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    store = Store(tmp_path / "state.db")
    await store.open()
    delivered: list[Delivery] = []
    commits: list[Commit] = []
    changes: list[Change] = []
    taken_back: list[str] = []

    async def report(change: Change) -> None:
        changes.append(change)

    async def deliver(delivery: Delivery, commit: Commit) -> None:
        delivered.append(delivery)
        commits.append(commit)

    source, observed = ToySource(), Observations("toy", lambda: 1.0)
    ledger = Ledger(store, "toy", lambda: NOW / 1000)
    pipeline = Pipeline(source, ledger, Trace(store, "toy", lambda: 1.0), observed, deliver, report)
    pipeline._take_back = taken_back.append
    pipeline.workers.start()
    yield Stage(source, pipeline, observed, delivered, commits, changes, taken_back)
    await pipeline.workers.close()
    await store.close()


async def test_a_request_is_delivered_once_with_everything_about_it(stage: Stage) -> None:
    request = said("\ufffc hello")
    await stage.say(request, request)
    (delivery,) = stage.delivered
    assert delivery.decision == Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)
    assert (delivery.chat_id, delivery.chat_type, delivery.author) == ("served", "group", "alice")
    assert delivery.authorization.authority is Authority.ALLOWED
    assert stage.pipeline.unhandled == {"duplicate": 1}
    assert stage.source.asked == ["authorize alice", "complete", "handled"]


async def test_nobody_is_asked_about_what_is_ignored_anyway(stage: Stage) -> None:
    await stage.say(said("\ufffc hello", chat="elsewhere"), said("", key="2"), said("x", key="3", origin=Origin.SELF))
    assert stage.source.asked == ["handled"] * 3
    assert stage.delivered == []
    assert stage.pipeline.ignored_early(said("hi", key="4", chat="elsewhere"))
    assert not stage.pipeline.ignored_early(said("hi", key="5"))


async def test_an_unaddressed_message_may_be_in_a_thread_of_ours(stage: Stage) -> None:
    stage.source.observe = False
    await stage.say(said("well?"), said("well?", key="2"))
    assert stage.source.asked == ["handled"] * 2
    stage.source.our_threads.add("root")
    await stage.say(*(replace(said("well?", key=root), chat=Chat("served", thread=root)) for root in ("root", "other")))
    assert stage.decisions == [Dispatch("well?", Rule.ADDRESSED, Reason.REPLY)]


async def test_an_invitation_counts_for_the_message_that_is_it(stage: Stage) -> None:
    stage.source.opened_by["new"] = "alice"
    await stage.say(said("\ufffc hello", chat="new"))
    assert [decision.text for decision in stage.decisions] == ["hello"]
    assert stage.pipeline.trace.counts["invitation approved"] == 1


async def test_the_authors_authority_counts_after_the_first_look(stage: Stage) -> None:
    await stage.say(said("\ufffc hello", author=MALLORY))
    assert stage.decisions == [Observe("@Hermes hello", Rule.ADDRESSED, Reason.UNVERIFIED)]


async def test_the_rest_of_a_text_is_read_before_the_decision_that_counts(stage: Stage) -> None:
    stage.source.rest_of["1"] = "\ufffc hello and all the rest"
    await stage.say(said("\ufffc hello"))
    assert [decision.text for decision in stage.decisions] == ["hello and all the rest"]


async def test_a_look_up_delays_its_author_alone_and_only_once(stage: Stage) -> None:
    stage.source.unknown.add("alice")
    for message in (said("\ufffc first"), said("\ufffc second", key="2", author=Address("bob"))):
        stage.pipeline.submit(message, message.key)
    async with asyncio.timeout(30):
        while not stage.delivered:
            await asyncio.sleep(0.01)
    assert [delivery.author for delivery in stage.delivered] == ["bob"]
    stage.source.looked_up.set()
    await stage.pipeline.workers.idle()
    assert [delivery.author for delivery in stage.delivered] == ["bob", "alice"]
    assert stage.source.asked.count("look up") == 1


async def test_a_deletion_takes_the_line_out_of_the_background(stage: Stage) -> None:
    stage.observed.add("served", Line("alice 1", "alice", Authority.ALLOWED, "a secret", 1.0))
    assert len(stage.observed.lines("served")) == 1
    await stage.say(said("", key="2", contentless="deletion", deletes="1"))
    assert stage.observed.lines("served") == ()


@pytest.mark.parametrize("answers", [True, False])
async def test_a_new_version_of_a_request_is_a_turn_of_its_own_where_wanted(stage: Stage, answers: bool) -> None:
    stage.source.edits = answers
    edit = said("\ufffc hello again", key="2", edits="1", first_at=NOW)
    await stage.say(said("\ufffc hello"), edit, replace(edit, key="3", message_id="3", edits="2"))
    again = Dispatch("(edited) hello again", Rule.ADDRESSED, Reason.MENTIONED)
    assert stage.decisions[0] == Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)
    assert (stage.decisions[1] == again) is answers
    # The same text once more is no new version, whoever pins it.
    assert stage.decisions[2] == Observe("(edited) hello again", Rule.ADDRESSED, Reason.EDITED)


async def test_a_new_version_of_background_replaces_it(stage: Stage) -> None:
    stage.observed.add("served", Line("alice 1", "alice", Authority.ALLOWED, "teh plan", 1.0))
    await stage.say(said("the plan", key="2", edits="1", first_at=NOW))
    assert [line.text for line in stage.observed.lines("served")] == ["the plan"]
    assert stage.delivered == []


async def test_changes_by_people_whom_the_host_accepts_are_reported_where_we_serve(stage: Stage) -> None:
    edit = said("the plan", key="2", edits="1", first_at=NOW)
    deletion = said("", key="3", contentless="deletion", deletes="1")
    same = replace(edit, key="4", message_id="4", edits="2")
    await stage.say(said("teh plan"), edit, same, deletion, deletion)
    assert stage.changes == [Change(change, "alice", "served", "group") for change in (edit, deletion)]
    for elsewhere in ({"sender": MALLORY}, {"chat": Chat("other")}, {"origin": Origin.PROGRAM}):
        await stage.say(
            replace(edit, key=f"{elsewhere} 1", **elsewhere), replace(deletion, key=f"{elsewhere} 2", **elsewhere)
        )  # type: ignore[arg-type]
    assert len(stage.changes) == 2
    stage.source.observe = False
    direct = replace(edit, key="5", text="the plans", chat=Chat())
    await stage.say(replace(edit, key="6", text="a plan"), direct)
    assert [change.inbound.text for change in stage.changes[2:]] == ["a plan", "the plans"]


async def test_programs_talk_in_a_session_of_their_own_and_not_for_ever(stage: Stage) -> None:
    posts = [said("\ufffc ping", key=str(number), origin=Origin.PROGRAM) for number in range(5)]
    await stage.say(*posts[:4], said("stop", key="9"), posts[4])
    assert [type(decision) for decision in stage.decisions] == [
        Dispatch,
        Dispatch,
        Dispatch,
        Observe,
        Observe,
        Dispatch,
    ]
    assert [delivery.chat_type for delivery in stage.delivered] == [*["program"] * 4, "group", "program"]


@pytest.mark.parametrize(
    ("author", "ours", "trusted"), [(US, True, True), (Address("bob"), False, True), (MALLORY, False, False)]
)
async def test_a_quote_says_whether_its_author_is_trusted(
    stage: Stage, author: Address, ours: bool, trusted: bool
) -> None:
    await stage.say(said("\ufffc this", quote=Quote("7", author, Foreign("x"), Foreign("y"))))
    (delivery,) = stage.delivered
    assert (delivery.quote_is_ours, delivery.quote_is_trusted) == (ours, trusted)


async def test_a_commit_puts_the_message_on_disk(stage: Stage) -> None:
    await stage.say(said("\ufffc hello"), said("background", key="2"))
    fresh = Ledger(stage.pipeline.ledger._store, "toy", lambda: NOW / 1000)
    await fresh.load()
    assert [fresh.knows(key) for key in "12"] == [False, False]
    for commit in stage.commits:
        await commit()
    await fresh.load()
    assert [fresh.knows(key) for key in "12"] == [True, True]


async def test_what_is_no_message_goes_no_further(stage: Stage) -> None:
    await stage.say(said("", contentless="no message"))
    assert stage.source.asked == []


def deletion(of: str, key: str, author: Address = ALICE, **changes: object) -> Inbound:
    return said("", key, author, contentless="deletion", deletes=of, **changes)


async def test_what_is_deleted_while_it_waits_is_not_handled(stage: Stage) -> None:
    stage.pipeline.workers.hold()
    for message in (said("\ufffc one", "1"), said("\ufffc two", "2"), said("\ufffc edited", "3", edits="1")):
        stage.pipeline.submit(message, message.key)
    stage.pipeline.deleted("served", "alice 1")
    stage.pipeline.deleted("served", "mallory 2")
    stage.pipeline.workers.start()
    await stage.say(deletion("1", "4"))
    assert [decision.text for decision in stage.decisions] == ["two"]
    assert stage.pipeline.trace.counts[f"ignore {Reason.DELETED}"] == 2
    assert stage.taken_back == ["alice 1"]


async def test_what_is_deleted_while_it_is_handled_is_not_handed_over(stage: Stage) -> None:
    await stage.say(said("\ufffc one", "1"), said("\ufffc two", "2"))
    stage.pipeline.workers.hold()
    stage.pipeline.submit(deletion("1", "3"))
    stage.pipeline.deleted("served", "alice 1")
    assert [await commit() for commit in stage.commits] == [False, True]
    assert stage.pipeline.ledger.knows("1")


async def test_an_admins_deletion_removes_the_line_of_its_author(stage: Stage) -> None:
    for key in ("mallory 1", "alice 1"):
        stage.observed.add("served", Line(key, "x", Authority.ALLOWED, "words", 1.0))
    await stage.say(deletion("1", "2", deleted_author=MALLORY))
    assert [line.key for line in stage.observed.lines("served")] == ["alice 1"]
    assert stage.taken_back == ["mallory 1"]
