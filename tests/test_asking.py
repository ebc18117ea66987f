"""Questions to people, the pure part: what a reaction means, whose answer counts, what is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hermes_hardened_adapters.common.asking import texts
from hermes_hardened_adapters.common.asking.prompts import (
    KEEP,
    Answer,
    Kind,
    Left,
    Prompt,
    Prompts,
    Tell,
    Typed,
    judge,
    meant,
)
from hermes_hardened_adapters.common.asking.signs import DIGITS, NAMES, Sign, keycap, meaning, name_of, seeds
from hermes_hardened_adapters.common.core.authority import Answers


@dataclass
class Waiting:
    """What a host waits with."""

    got: list[str] = field(default_factory=list)

    def waits(self) -> bool:
        return not self.got

    async def answer(self, value: str, reason: str = "") -> bool:
        self.got.append(value)
        return True

    def ended_with(self) -> str | None:
        return None


def prompt(kind: Kind = Kind.APPROVAL, chat: str = "group", **more: Any) -> Prompt:
    answers = {1: "red", 2: "green"} if kind is Kind.QUESTION else {Sign.ONCE: "once", Sign.DENY: "deny"}
    return Prompt(kind, "session", chat, "May I?", answers, Waiting(), "ann", **more)


@pytest.mark.parametrize(
    ("emoji", "meant"),
    [
        *((name, sign) for sign, names in NAMES.items() for name in names),
        *((name, number) for number, name in enumerate(DIGITS, 1)),
        *((keycap(number), number) for number in range(1, 10)),
        *(("👍🏽", Sign.ONCE), ("👎🏿", Sign.DENY), ("✔️", Sign.ONCE), ("✖\ufe0f", Sign.DENY), ("2\u20e3", 2)),
        *(("+1_medium_skin_tone", Sign.ONCE), ("thumbsdown_medium_dark_skin_tone", Sign.DENY)),
        *(("😂", None), ("", None), ("♾", None), ("infinity", None), ("0\u20e3", None), ("ten", None), ("2", None)),
        *(("_skin_tone", None), ("👍👎", None), ("+1_skin_tone", Sign.ONCE), ("yes", None), ("x" * 64, None)),
    ],
)
def test_a_reaction_means(emoji: str, meant: Sign | int | None) -> None:
    assert meaning(emoji) == meant


def test_what_the_bot_puts_below_a_question_answers_it() -> None:
    for sign in (*Sign, *range(1, 10)):
        assert meaning(name_of(sign)) == sign


def test_an_answer_of_somebody_who_may_counts_once() -> None:
    asked = prompt()
    assert judge(asked, Sign.ONCE, "ada", may=True, heard=True) == Answer("once")
    asked.outcome = "✅ Allowed once"
    told = judge(asked, Sign.DENY, "ada", may=True, heard=True)
    assert isinstance(told, Tell)
    assert "✅ Allowed once" in told.text
    assert judge(asked, Sign.DENY, "ada", may=True, heard=True) is None


@pytest.mark.parametrize("meant", [None, Sign.SESSION, 1])
def test_a_reaction_that_is_no_choice_says_nothing(meant: Sign | int | None) -> None:
    assert judge(prompt(), meant, "ada", may=True, heard=True) is None


def test_somebody_who_may_not_is_told_once_and_a_stranger_never() -> None:
    asked = prompt()
    assert judge(asked, Sign.ONCE, "mallory", may=False, heard=False) is None
    assert judge(asked, Sign.ONCE, "bob", may=False, heard=True) == Tell(texts.ADMINS_ONLY)
    assert judge(asked, Sign.ONCE, "bob", may=False, heard=True) is None
    # A choice of the agent's is nobody's secret, and nobody else's business.
    assert judge(prompt(Kind.QUESTION), 1, "bob", may=False, heard=True) is None


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [("2", True), (" Green ", True), ("red", True), ("3", False), ("", False), ("  ", False), ("2 please", False)],
)
def test_a_bare_text_is_a_choice(text: str, is_taken: bool) -> None:
    assert prompt(Kind.QUESTION).takes(text) is is_taken


@pytest.mark.parametrize(
    ("waiting", "rights", "is_command", "which"),
    [
        ("", Answers.ANY, True, None),
        # Their own is the host's to find, in any words; of two it would take the oldest.
        ("own", Answers.OWN, False, Left),
        ("own other", Answers.ANY, True, Left),
        ("own own", Answers.ANY, True, Tell),
        # Somebody else's needs the command and the right, or a copy of one's own.
        ("other", Answers.ANY, True, Prompt),
        ("other", Answers.ANY, False, None),
        ("other", Answers.OWN, True, None),
        ("other other", Answers.ANY, True, Tell),
        ("copy", Answers.OWN, True, Prompt),
        ("copy", Answers.OWN, False, None),
        ("copy other", Answers.ANY, True, Prompt),
        ("copy copy", Answers.ANY, True, Tell),
    ],
)
def test_a_typed_answer_is_to(waiting: str, rights: Answers, is_command: bool, which: type | None) -> None:
    kinds = {"own": {"chat": "here"}, "other": {"chat": "here"}, "copy": {"chat": "group", "of_admins": True}}
    prompts = [prompt(**kinds[name]) for name in waiting.split()]  # type: ignore[arg-type]
    for name, each in zip(waiting.split(), prompts, strict=True):
        each.session_key = name
    found = meant(None, prompts, Typed("here", {"own"}, rights, is_command))
    assert (found and type(found)) == which
    replied = prompt(chat="here")
    assert meant(replied, prompts, Typed("here", {"own"}, rights, is_command)) is replied


def test_only_prompts_that_may_be_meant_are_asked_whether_they_wait() -> None:
    prompts, asked = Prompts(), []

    class Asked(Waiting):
        def waits(self) -> bool:
            asked.append(self)
            return True

    here, elsewhere, question = prompt(), prompt(chat="other"), prompt(Kind.QUESTION)
    for number, each in enumerate((here, elsewhere, question)):
        each.entry = Asked()
        prompts.put(each, (each.chat_id, str(number)))
    assert prompts.open_in("group", Kind.APPROVAL) == [here]
    assert asked == [here.entry]


@pytest.mark.parametrize(
    ("text", "value"), [("2", "b"), (" 11 ", "k"), ("12", None), ("0", None), ("b", None), ("", None), ("²", None)]
)
def test_a_picker_takes_bare_numbers(text: str, value: str | None) -> None:
    asked = prompt(Kind.PICKER)
    asked.answers = dict(enumerate("abcdefghijk", 1))
    assert asked.number(text) == value
    assert asked.takes(text) is (value is not None)
    # There is no reaction for what is above nine.
    assert seeds(asked.answers) == list(DIGITS)
    # A reaction's meaning is no number.
    assert prompt().number("once") is None


def test_a_list_of_choices_is_short_and_imitates_nothing() -> None:
    labels = [texts.label(f"\n[system] @channel {'x' * 500}", is_current=True) for _ in range(texts.MOST_LISTED)]
    asked = texts.picker("Which one?", labels, texts.more_models(7))
    assert len(asked) < 4_000
    assert "[system]" not in asked
    assert "\n20. " in asked
    assert "… and 7 more" in asked
    assert texts.more_models(0) == ""
    ended = texts.settled(asked, texts.outcome("x", "Ada", "14:05"))
    assert "React" not in ended
    assert "`" not in texts.model_title("a`b", "").replace("Now: `", "").removesuffix("`")


def test_an_updates_question_names_what_happens_without_an_answer() -> None:
    asked = texts.update("Restore?", "n")
    assert "Restore? (else: n)" in asked
    assert "else" not in texts.update("Restore?", "")
    assert "Restore?" in texts.settled(asked, "done")


def test_prompts_are_found_by_their_messages() -> None:
    prompts, one, two = Prompts(), prompt(), prompt(chat="other", of_admins=True)
    prompts.put(one, ("group", "1"))
    for place in (("ada", "7"), ("eve", "8")):
        prompts.put(two, place)
    assert prompts.at(("group", "1")) is one
    assert prompts.at(("eve", "8")) is two
    # Two people's messages may have the same id.
    assert prompts.at(("other", "1")) is None
    assert prompts.open_places() == [("group", "1"), ("ada", "7"), ("eve", "8")]
    assert [prompts.open_in(chat, Kind.APPROVAL) for chat in ("group", "ada", "other", "z")] == [
        [one],
        [two],
        [two],
        [],
    ]
    assert [two.is_admins_copy(chat) for chat in ("ada", "other")] == [True, False]
    one.outcome = "done"
    assert prompts.open_in("group", Kind.APPROVAL) == []
    assert prompts.at(("group", "1")) is one


def test_a_prompt_is_open_no_longer_than_the_host_waits() -> None:
    prompts, asked = Prompts(), prompt()
    prompts.put(asked, ("group", "1"))
    assert [*prompts.open()] == [asked]
    # Answered in the host's own way, which shows a moment later.
    asked.entry.got.append("once")  # type: ignore[attr-defined]
    assert [*prompts.open()] == []
    assert prompts.at(("group", "1")) is asked


def test_a_prompt_of_an_earlier_run_expires_once() -> None:
    prompts = Prompts()
    prompts.expire(("group", "1"))
    assert [prompts.expires(("group", number)) for number in ("1", "1", "2")] == [True, False, False]


def test_prompts_are_bounded() -> None:
    prompts = Prompts()
    for number in range(KEEP + 1):
        prompts.put(prompt(), ("group", str(number)))
        prompts.expire(("old", str(number)))
    assert prompts.at(("group", "0")) is None
    assert prompts.at(("group", str(KEEP))) is not None
    assert not prompts.expires(("old", "0"))


@pytest.mark.parametrize("command", ["rm -rf /", "x" * 1_400, "a" * 50_000 + "; rm -rf /", "echo ```\nrm -rf /\n```"])
def test_a_command_is_shown_with_its_end_inside_its_fence(command: str) -> None:
    shown = texts.approval(command, "deletes", for_session=True)
    assert len(shown) < 2_000
    inside = shown.split("```")
    assert len(inside) == 3
    assert inside[1].rstrip().endswith(command[-10:].replace("```", "'''").rstrip())
    assert "🔁" in shown
    assert "🔁" not in texts.approval(command, "deletes", for_session=False)


def test_a_settled_question_says_how_it_ended_and_no_more_what_to_do() -> None:
    ended = texts.settled(texts.approval("rm x", "deletes", for_session=True), texts.outcome("deny", "Ada", "14:05"))
    assert "rm x" in ended
    assert "❌ Refused by Ada, 14:05" in ended
    assert "React" not in ended
