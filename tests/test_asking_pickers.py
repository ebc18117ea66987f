"""What a slash command may set, asked in the real gateway: the person who ran it picks, once, in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gateway.session import SessionSource
from hermes_hardened_adapters.common.asking import texts
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound, Reaction
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.host import questions, sessions
from hermes_hardened_adapters.common.host.asking import pickers
from hermes_hardened_adapters.common.host.events import event_class
from hermes_hardened_adapters.common.inbound.delivery import Reacted

from tests import outgoing as out
from tests.asking_stage import NETWORKS, running

CHOICES = [{"value": f"v{number}", "label": f"label {number}", "is_current": number == 2} for number in range(1, 12)]


def providers(url: str) -> dict[str, Any]:
    """Two providers of models."""
    more = {"base_url": url, "discover_models": False}
    alpha = {"name": "Alpha", "api_key": "unused", "models": {"echo": {}, "foxtrot": {}}, **more}
    # Older hosts take two providers with one key for one.
    beta = {"name": "Beta", "api_key": "unused either", "models": {"golf": {}}, **more}
    return {"custom_providers": [alpha, beta]}


@NETWORKS
async def test_the_person_who_ran_a_command_picks_by_reaction(network: Any) -> None:
    async with network() as chat, running(chat, **providers(chat.model.base_url)):
        await chat.say("ada", "/model")
        provider = await chat.prompt("Whose model?")
        alpha = chat.number(provider, "Alpha")
        for who in ("mallory", "alice", "bob"):
            await chat.react(who, provider, alpha)
        await chat.react("ada", provider, "laugh")
        await chat.say("ada", "still there?")
        await chat.shown("echo: still there?")
        assert chat.count("Which model") == 0
        await chat.react("ada", provider, alpha)
        model = await chat.prompt("Which model of Alpha?")
        foxtrot = chat.number(model, "foxtrot")
        await chat.react("bob", model, foxtrot)
        await chat.react("ada", model, foxtrot)
        await chat.shown("➡️ foxtrot by")
        # Settled once.
        said = chat.count("foxtrot")
        await chat.react("ada", model, foxtrot)
        await chat.shown("settled already")
        await chat.react("ada", provider, alpha)
        await chat.running.until(lambda: chat.count("settled already") == 2, "told of the first one, too")
        assert chat.count("Which model of Alpha?\n") == 0
        assert chat.count("foxtrot") == said + 1


@NETWORKS
async def test_the_person_who_ran_a_command_picks_by_a_number(network: Any) -> None:
    async with network() as chat, running(chat, **providers(chat.model.base_url)):
        await chat.say("ada", "/model")
        provider = await chat.prompt("Whose model?")
        beta = chat.number(provider, "Beta")
        for who in ("mallory", "alice", "bob"):
            await chat.mutter(who, beta)
        await chat.mutter("ada", "see you at five")
        await chat.say("ada", "still there?")
        await chat.shown("echo: still there?")
        assert chat.count("Which model") == 0
        await chat.mutter("ada", beta)
        await chat.prompt("Which model of Beta?")
        await chat.mutter("ada", "1")
        await chat.shown("➡️ golf by")
        # Nothing waits: a number is a message as before.
        await chat.say("ada", "1")
        # The host tells the model of the change in front of it.
        await chat.running.until(lambda: any(t.startswith("echo: ") and t.endswith("1") for _, t in chat.texts()), "1")


@NETWORKS
async def test_a_picker_of_before_a_restart_has_expired(network: Any, tmp_path: Path) -> None:
    async with network() as chat:
        more = providers(chat.model.base_url)
        async with running(chat, tmp_path, **more) as first:
            await chat.say("ada", "/model")
            provider = await chat.prompt("Whose model?")
            alpha = chat.number(provider, "Alpha")
            await chat.say("bob", "hello")
            await chat.shown("echo: hello")
            await first.kill()
        async with running(chat, tmp_path, **more):
            await chat.shown("this question has expired")
            await chat.react("ada", provider, alpha)
            await chat.running.until(lambda: chat.count("this question has expired") == 2, "told")
            await chat.mutter("ada", alpha)
            await chat.say("ada", "still there?")
            await chat.shown("echo: still there?")
            assert chat.count("Which model") == 0


class Command:
    """A command that somebody ran in a group, whose choices an adapter asks for."""

    def __init__(self, adapter: Any, chat: str, user: str = "ada") -> None:
        self.adapter, self.chat, self.picked = adapter, chat, []  # type: ignore[var-annotated]
        source = SessionSource(platform=adapter.platform, chat_id=chat, chat_type="dm", user_id=user)
        self.event = event_class()(text="/reasoning", source=source, message_id="1", observe_only=False)
        self.key = sessions.session_key(source, adapter.config.extra, adapter)

    async def picks(self, chat_id: str, value: str) -> str:
        self.picked.append((chat_id, value))
        return f"it is {value}"

    async def asks(self, choices: object = CHOICES) -> bool:
        with questions.running(self.event):
            return await self.outside(choices)

    async def outside(self, choices: object = CHOICES) -> bool:
        asked = await self.adapter.send_choice_picker(
            chat_id=self.chat,
            title="Which one?",
            choices=choices,
            session_key=self.key,
            on_choice_selected=self.picks,
            metadata=None,
        )
        return bool(asked.success)

    async def reacts(self, emoji: str, authority: Authority, user: str = "ada") -> None:
        (place,) = self.adapter._asking._prompts.open_places() or [(self.chat, "0")]
        inbound = Inbound("k", place[1], 1, Chat(), Address(user))
        reaction = Reaction(Foreign(emoji), place[1])
        who = Authorization(user, None, authority >= Authority.ALLOWED, True, authority)
        await self.adapter._asking.reacted(Reacted(inbound, reaction, who, self.chat, "dm", Foreign("Ada")))


@pytest.mark.parametrize("network", out.NETWORKS)
async def test_a_long_list_is_picked_from_by_reaction_and_by_number(
    network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with out.outgoing(network, monkeypatch) as stage:
        command = Command(stage.adapter, stage.chat)
        assert await command.asks()
        (asked,) = [text for text in stage.texts() if "Which one?" in text]
        assert "2️⃣ label 2 (current)" in asked
        assert "11. label 11" in asked
        for authority in (Authority.STRANGER, Authority.PROGRAM, Authority.MEMBER):
            await command.reacts("3\u20e3", authority)
        for user in ("bob", "mallory"):
            await command.reacts("3\u20e3", Authority.ADMIN, user)
        assert not command.picked
        await command.reacts("3\u20e3", Authority.ADMIN)
        assert command.picked == [(stage.chat, "v3")]
        assert any("it is v3" in text for text in stage.texts())


@pytest.mark.parametrize("network", out.NETWORKS)
async def test_nobody_picks_in_time(network: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickers, "_SECONDS", 0.2)
    async with out.outgoing(network, monkeypatch) as stage:
        command = Command(stage.adapter, stage.chat)
        assert await command.asks()
        await stage.host.until(lambda: any(texts.NOT_CHOSEN in text for text in stage.texts()))
        await command.reacts("3\u20e3", Authority.ADMIN)
        assert not command.picked


@pytest.mark.parametrize("choices", [[], None, "abc", [None], [{"label": "x"}], [{"value": ""}], CHOICES * 2])
async def test_what_cannot_be_asked_is_listed_by_the_host(
    choices: object, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with out.outgoing("signal", monkeypatch) as stage:
        command = Command(stage.adapter, stage.chat)
        assert not await command.asks(choices)
        # Nobody knows whose command that is.
        assert not await command.outside()
        assert not stage.texts()


async def test_a_choice_that_fails_says_so(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with out.outgoing("signal", monkeypatch) as stage:
        command = Command(stage.adapter, stage.chat)

        async def fails(chat_id: str, value: str) -> str:
            raise ValueError(value)

        command.picks = fails  # type: ignore[method-assign]
        assert await command.asks()
        await command.reacts("1\u20e3", Authority.ADMIN)
        assert texts.FAILED in stage.texts()
