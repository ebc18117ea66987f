"""The entry point of the plugin: what Hermes calls once, on every start of any of its commands."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any, NoReturn

from .mattermost import plugin as mattermost
from .signal import plugin as signal


def register(ctx: Any) -> None:
    """Register the platforms, the hooks that tell what the model is shown and who asks, and the commands."""
    from ..common.host.strict_mode import keep_secret
    from ..common.settings.strict import CONNECTING, variables

    signal.register(ctx)
    mattermost.register(ctx)
    keep_secret([name for platform in CONNECTING for name in variables(platform).values()])
    ctx.register_hook("pre_llm_call", _shown)
    ctx.register_hook("pre_approval_request", _asked)
    ctx.register_cli_command("adapters", "Look after the Signal and Mattermost adapters", _commands, _command)


def _shown(*, user_message: object = None, turn_id: object = None, sender_id: object = None, **_: object) -> None:
    from ..common.host.questions import turn_began
    from ..common.inbound.observation import confirm_everywhere

    if isinstance(user_message, str):
        confirm_everywhere(user_message)
    turn_began(str(turn_id or ""), str(sender_id or ""))


def _asked(*, session_key: object = None, turn_id: object = None, **_: object) -> None:
    from ..common.host.questions import approval_asked

    if isinstance(session_key, str):
        approval_asked(session_key, str(turn_id or ""))


def _commands(parser: ArgumentParser) -> None:
    from ..cli.main import add_commands

    add_commands(parser)


def _command(arguments: Namespace) -> NoReturn:
    from ..cli.main import run

    # The host ignores what a command returns.
    sys.exit(run(arguments))
