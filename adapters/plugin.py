"""The entry point of the plugin: what Hermes calls once, on every start of any of its commands."""

from __future__ import annotations

from typing import Any

from .mattermost import plugin as mattermost
from .signal import plugin as signal


def register(ctx: Any) -> None:
    """Register the platforms, and the hook that tells what the model was shown."""
    signal.register(ctx)
    mattermost.register(ctx)
    ctx.register_hook("pre_llm_call", _shown)


def _shown(*, user_message: object = None, **_: object) -> None:
    from ..common.observation import confirm_everywhere

    if isinstance(user_message, str):
        confirm_everywhere(user_message)
