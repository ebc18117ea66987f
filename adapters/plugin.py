"""The plugin's entry point. Hermes calls `register` once on every start of any of its commands: keep imports light."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Collection
from functools import partial
from importlib.util import find_spec
from typing import Any, NoReturn

from ..common.settings import environment, strict
from .network import Network
from .networks import NETWORKS


def register(ctx: Any) -> None:
    """Register the platforms, the commands, and the hooks that run before a model call and an approval request."""
    from ..common.host.asking import denials
    from ..common.host.contract import hooks, table
    from ..common.host.strict_mode import keep_secret
    from ..common.host.tenancy import middleware as tenancy

    # With an error here Hermes would not load this plugin, and stock would connect in its place. So what Hermes lacks
    # is left out, and the adapter refuses with its name.
    for network in NETWORKS.values():
        _register_platform(ctx, network, table.PLATFORM_ENTRY.lacks())
        keep_secret(network.stock)
    if register_hook := table.REGISTER_HOOK.of(ctx):
        hooks.register(register_hook, "pre_llm_call", _before_model_call)
        hooks.register(register_hook, "pre_approval_request", _before_approval)
        tenancy.register(ctx)
        denials.register(ctx)
    if register_command := table.REGISTER_COMMAND.of(ctx):
        titles = " and ".join(network.title for network in NETWORKS.values())
        register_command("adapters", f"Check and manage the {titles} adapters", _add_commands, _run_command)


# -- platforms


def _register_platform(ctx: Any, network: Network[Any], left_out: Collection[str]) -> None:
    """Replace the stock adapter in the host's registry."""
    prefix = network.name.upper()
    entry = dict(
        name=network.name,
        label=network.title,
        adapter_factory=lambda config: network.adapter()(config),
        check_fn=lambda: all(find_spec(name) for name in network.requires),
        validate_config=partial(_is_configured, network),
        is_connected=partial(_is_configured, network),
        required_env=strict.required(network.stock, environment.variables()),
        install_hint="pip install hermes-hardened-adapters",
        apply_yaml_config_fn=partial(_from_yaml, network),
        env_enablement_fn=partial(_from_strict_variables, network),
        allowed_users_env=f"{prefix}_ALLOWED_USERS",
        allow_all_env=f"{prefix}_ALLOW_ALL_USERS",
        cron_deliver_env_var=f"{prefix}_HOME_CHANNEL",
        **network.registration,
    )
    ctx.register_platform(**{key: value for key, value in entry.items() if key not in left_out})


def _is_configured(network: Network[Any], config: Any) -> bool:
    """Return True if all connecting settings are present, or if strict mode is on.

    In strict mode, loading the settings reports the missing ones instead.
    """
    from ..common.host import profile, strict_mode

    extra, variables = getattr(config, "extra", None) or {}, profile.environment()
    # Hermes keeps a token outside `extra`.
    given = (
        extra.get(field) or getattr(config, field, None) or variables.get(variable)
        for field, variable in network.stock.connecting.items()
    )
    return all(given) or strict_mode.is_on(network.stock)


def _from_strict_variables(network: Network[Any]) -> dict[str, Any] | None:
    """Return the `PlatformConfig.extra` of strict mode, without secrets, because Hermes may display it."""
    from ..common.host import strict_mode

    fields = [field for field in network.stock.connecting if field not in network.stock.secrets]
    return strict_mode.platform_values(network.stock, fields)


def _from_yaml(network: Network[Any], _: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """Return our keys of the platform's block in `config.yaml`, for `PlatformConfig.extra`.

    Some are also exported to the environment, for example the allowed users, which the host reads only there.
    """
    model = network.settings()
    ours = {name: block[name] for name in model.model_fields if name in block and name not in network.stock.secrets}
    variables = model.environment_names()
    environment.show(ours, {name: variables[name] for name in network.exported})
    return ours


# -- hooks


def _before_model_call(
    *, user_message: object = None, turn_id: object = None, sender_id: object = None, **_: object
) -> None:
    from ..common.host.questions import turn_began
    from ..common.host.strict_mode import hide
    from ..common.inbound.observation import confirm_everywhere

    # The host imports some of its tools late.
    for network in NETWORKS.values():
        hide(network.stock)
    if isinstance(user_message, str):
        confirm_everywhere(user_message)
    turn_began(str(turn_id or ""), str(sender_id or ""))


def _before_approval(*, session_key: object = None, turn_id: object = None, **_: object) -> None:
    from ..common.host.questions import approval_asked

    if isinstance(session_key, str):
        approval_asked(session_key, str(turn_id or ""))


# -- commands


def _add_commands(parser: ArgumentParser) -> None:
    from ..cli.main import add_commands

    add_commands(parser)


def _run_command(arguments: Namespace) -> NoReturn:
    from ..cli.main import run

    # The host ignores the return value of a command.
    sys.exit(run(arguments))
