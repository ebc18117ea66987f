"""How the Signal platform stands in the host's registry. Imports nothing heavy before it is asked for an adapter."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ...common.settings import environment, strict

_NEEDS = ("aiohttp", "aiohttp_sse_client", "pydantic")


def register(ctx: Any) -> None:
    """Take the place of the stock Signal adapter."""
    ctx.register_platform(
        name="signal",
        label="Signal",
        adapter_factory=_adapter,
        check_fn=_installed,
        validate_config=_is_configured,
        is_connected=_is_configured,
        required_env=strict.required("signal", environment.variables()),
        install_hint="pip install hermes-hardened-adapters",
        apply_yaml_config_fn=_from_yaml,
        env_enablement_fn=_in_strict_mode,
        allowed_users_env="SIGNAL_ALLOWED_USERS",
        allow_all_env="SIGNAL_ALLOW_ALL_USERS",
        cron_deliver_env_var="SIGNAL_HOME_CHANNEL",
        pii_safe=True,
        emoji="📱",
    )


def _adapter(config: Any) -> Any:
    from .adapter import SignalAdapter

    return SignalAdapter(config)


def _installed() -> bool:
    return all(find_spec(name) for name in _NEEDS)


def _is_configured(config: Any) -> bool:
    """What is half or wrong in strict mode is for the settings to say."""
    from ...common.host import strict_mode

    extra = getattr(config, "extra", None) or {}
    return bool(extra.get("http_url") and extra.get("account")) or strict_mode.is_on("signal")


def _in_strict_mode() -> dict[str, Any] | None:
    """Both go into `PlatformConfig.extra`: `hermes send` and cron jobs look there, too."""
    from ...common.host import strict_mode

    return strict_mode.handed("signal", ("http_url", "account"))


def _from_yaml(_: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """The keys of the `signal:` block that are ours, for `PlatformConfig.extra`.

    Who may talk is judged by the host, which knows that list from the environment alone.
    """
    from .settings import SignalSettings

    ours = {name: block[name] for name in SignalSettings.model_fields if name in block}
    environment.show(ours, {"allowed_users": "SIGNAL_ALLOWED_USERS"})
    return ours
