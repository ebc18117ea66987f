"""Functions that Hermes calls without a running adapter. Our registry entry must supply them, because it replaces the
stock entry that had them. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...common.settings import strict
from .stock import STOCK


def set_up() -> None:
    """Run the stock adapter's interactive setup, if Hermes has one."""
    from .host_names import INTERACTIVE_SETUP

    if run := INTERACTIVE_SETUP.optional():
        run()
    else:
        names = " and ".join(strict.variables(STOCK).values())
        print(f"This Hermes has no setup for Mattermost. Set {names} in its .env.")


async def send_standalone(config: Any, chat_id: str, message: str, **kwargs: Any) -> dict[str, Any]:
    """Send a message for a cron job that runs outside the gateway, through the stock adapter's sender.

    In strict mode, pass it the URL and token, which it cannot find itself. Files from Hermes' own folders are left out,
    and @channel notifies nobody.
    """
    from ...common.core.errors import ConfigError
    from ...common.host import files, profile, strict_mode
    from .host_names import STANDALONE_SEND
    from .mentions.grammar import without_broadcasts
    from .settings import MattermostSettings

    send = STANDALONE_SEND.optional()
    if send is None:
        return {"error": f"this Hermes has no {STANDALONE_SEND.places[0]}"}
    if strict_mode.is_on(STOCK):
        try:
            settings = MattermostSettings.load(config.extra or {}, profile.environment(), strict_mode.written(STOCK))
        except ConfigError as exc:
            return {"error": str(exc)}
        token = settings.token.get_secret_value()
        config = dataclasses.replace(config, token=token, extra={**(config.extra or {}), "url": settings.url})
    media = kwargs.get("media_files") or []
    kwargs["media_files"] = files.deliverable_media(media, files.homes(profile.home()))
    if len(kwargs["media_files"]) < len(media):
        message = f"{message}\n{files.NOT_SENT}".strip()
    result: dict[str, Any] = await send(config, chat_id, without_broadcasts(message), **kwargs)
    return result
