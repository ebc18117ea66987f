"""How the Mattermost platform stands in the host's registry. Imports nothing heavy before it is asked for an adapter.

Taking the entry's place drops what stock's own entry carried, so all of that is given again.
"""

from __future__ import annotations

import dataclasses
import importlib
from importlib.util import find_spec
from typing import Any

from ...common.settings import environment, strict

_NEEDS = ("aiohttp", "mattermostdriver", "pydantic")
_SHOWN = {
    name: f"MATTERMOST_{name.upper()}"
    for name in ("allowed_users", "require_mention", "free_response_channels", "allowed_channels")
}
"""Settings of `config.yaml` that the host and stock's own parts know from the environment alone."""


def register(ctx: Any) -> None:
    """Take the place of the stock Mattermost adapter."""
    ctx.register_platform(
        name="mattermost",
        label="Mattermost",
        adapter_factory=_adapter,
        check_fn=_installed,
        validate_config=_is_configured,
        is_connected=_is_configured,
        required_env=strict.required("mattermost", environment.variables()),
        install_hint="pip install hermes-hardened-adapters",
        setup_fn=_set_up,
        apply_yaml_config_fn=_from_yaml,
        env_enablement_fn=_in_strict_mode,
        allowed_users_env="MATTERMOST_ALLOWED_USERS",
        allow_all_env="MATTERMOST_ALLOW_ALL_USERS",
        cron_deliver_env_var="MATTERMOST_HOME_CHANNEL",
        standalone_sender_fn=_send_standalone,
        max_message_length=4000,
        emoji="💬",
        allow_update_command=True,
    )


def _adapter(config: Any) -> Any:
    from .adapter import MattermostAdapter

    return MattermostAdapter(config)


def _installed() -> bool:
    return all(find_spec(name) for name in _NEEDS)


def _is_configured(config: Any) -> bool:
    """What is half or wrong in strict mode is for the settings to say."""
    from ...common.host import profile, strict_mode

    extra, variables = getattr(config, "extra", None) or {}, profile.environment()
    token = getattr(config, "token", None) or variables.get("MATTERMOST_TOKEN")
    return bool(token and (extra.get("url") or variables.get("MATTERMOST_URL"))) or strict_mode.is_on("mattermost")


def _in_strict_mode() -> dict[str, Any] | None:
    """The address alone: what stands in `PlatformConfig.extra` may be shown, and there is no other way to hand it."""
    from ...common.host import strict_mode

    return strict_mode.handed("mattermost", ("url",))


def _from_yaml(_: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """The keys of the `mattermost:` block that are ours, for `PlatformConfig.extra`."""
    from .settings import MattermostSettings

    ours = {name: block[name] for name in MattermostSettings.model_fields if name in block and name != "token"}
    environment.show(ours, _SHOWN)
    return ours


def _set_up() -> None:
    """Stock's interactive setup."""
    _stock().interactive_setup()


async def _send_standalone(config: Any, chat_id: str, message: str, **kwargs: Any) -> dict[str, Any]:
    """Stock's sender for cron jobs that run outside the gateway, told where to connect in strict mode.

    It sends no file of the agent itself, and notifies nobody by @channel.
    """
    from ...common.core.errors import ConfigError
    from ...common.host import files, profile, strict_mode
    from .mentions.grammar import without_broadcasts
    from .settings import MattermostSettings

    if strict_mode.is_on("mattermost"):
        try:
            settings = MattermostSettings.load(
                config.extra or {}, profile.environment(), strict_mode.written("mattermost")
            )
        except ConfigError as exc:
            return {"error": str(exc)}
        token = settings.token.get_secret_value()
        config = dataclasses.replace(config, token=token, extra={**(config.extra or {}), "url": settings.url})
    media = kwargs.get("media_files") or []
    kwargs["media_files"] = files.deliverable_media(media, files.homes(profile.home()))
    if len(kwargs["media_files"]) < len(media):
        message = f"{message}\n{files.NOT_SENT}".strip()
    result: dict[str, Any] = await _stock()._standalone_send(config, chat_id, without_broadcasts(message), **kwargs)
    return result


def _stock() -> Any:
    from ...common.host.contract import STOCK_MODULES

    return importlib.import_module(STOCK_MODULES["mattermost"][0])
