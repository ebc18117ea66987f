"""Settings: read once, checked whole.

A value in the platform's `config.yaml` block wins over the environment. Every fault is reported at once, each under
the key the operator wrote.
"""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from .errors import ConfigError
from .identity import Lists, as_aci, as_number

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", ""}


def _flag(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    return value


def _entries(value: object) -> object:
    """A comma-separated text or a YAML list, as a tuple of stripped texts without empty ones."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    elif not isinstance(value, (list, tuple, set, frozenset)):
        value = [value]
    return tuple(dict.fromkeys(entry for entry in (str(item).strip() for item in value) if entry))


Flag = Annotated[bool, BeforeValidator(_flag)]
Entries = Annotated[tuple[str, ...], BeforeValidator(_entries)]


def setting(env: str, default: Any, description: str, **constraints: Any) -> Any:
    """A field that is also read from that environment variable."""
    return Field(default, description=description, json_schema_extra={"env": env}, **constraints)


class Settings(BaseModel):
    """What both platforms' settings have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def environment_names(cls) -> dict[str, str]:
        """Field name to environment variable."""
        names: dict[str, str] = {}
        for name, info in cls.model_fields.items():
            if isinstance(info.json_schema_extra, dict):
                names[name] = str(info.json_schema_extra["env"])
        return names


class SignalSettings(Settings):
    """Settings of the Signal platform."""

    http_url: str = setting("SIGNAL_HTTP_URL", ..., "Base URL of the signal-cli daemon.")
    account: str = setting("SIGNAL_ACCOUNT", ..., "The bot's account: its number in E.164 form, or its ACI.")
    allowed_users: Entries = setting(
        "SIGNAL_ALLOWED_USERS", (), "Numbers and ACIs of the people who may talk to the agent; `*` for everyone."
    )
    gateway_allowed_users: Entries = setting(
        "GATEWAY_ALLOWED_USERS", (), "People allowed on every platform of the gateway."
    )
    allow_admin_from: Entries = setting("", (), "People who may run every slash command in direct messages.")
    group_allow_admin_from: Entries = setting("", (), "People who may run every slash command in groups.")
    group_allowed: Entries = setting(
        "SIGNAL_GROUP_ALLOWED_USERS",
        (),
        "Ids of the groups to serve; `*` for all. Invitations add to them at run time.",
    )
    group_members: Literal["allowlist", "open"] = setting(
        "SIGNAL_GROUP_MEMBERS", "allowlist", "Whether membership of a served group (`open`) lets a person talk there."
    )
    group_invite_policy: Literal["approved-only", "allow-all", "ignore"] = setting(
        "SIGNAL_GROUP_INVITE_POLICY", "approved-only", "Whose invitations into groups are accepted."
    )
    group_quit_unapproved: Flag = setting(
        "SIGNAL_GROUP_QUIT_UNAPPROVED", False, "Leave or decline a group whose invitation was not approved."
    )
    require_mention: Flag = setting(
        "SIGNAL_REQUIRE_MENTION", False, "In groups, answer only what mentions or replies to the bot."
    )
    observe_unmentioned: Flag = setting(
        "SIGNAL_OBSERVE_UNMENTIONED", True, "Show the agent at the next mention what the group said before."
    )
    persist_observed: Flag = setting("SIGNAL_PERSIST_OBSERVED", False, "Keep observed text on disk over a restart.")
    mention_aliases: Entries = setting(
        "SIGNAL_MENTION_ALIASES", (), "Words with which the owner addresses the bot from another device of its account."
    )
    sse_stale_seconds: float = setting(
        "SIGNAL_SSE_STALE_SECONDS", 60.0, "Silence of the event stream after which it is replaced.", ge=16, le=120
    )
    sse_streams: int = setting(
        "SIGNAL_SSE_STREAMS", 1, "Event streams kept open at once; with two, one may die unnoticed.", ge=1, le=2
    )

    @field_validator("http_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must look like http://127.0.0.1:8080")
        return value.strip().rstrip("/")

    @field_validator("account")
    @classmethod
    def _account(cls, value: str) -> str:
        account = as_aci(value.strip()) or as_number(value.strip())
        if account is None:
            raise ValueError("must be a number in E.164 form (a plus sign and digits) or an ACI")
        return account

    @field_validator("allowed_users", "allow_admin_from", "group_allow_admin_from")
    @classmethod
    def _people(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for position, entry in enumerate(value, 1):
            if entry != "*" and not as_number(entry) and not as_aci(entry):
                raise ValueError(f"entry {position} is neither a number in E.164 form nor an ACI (a UUID)")
        return value

    @field_validator("group_allowed")
    @classmethod
    def _groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for position, entry in enumerate(value, 1):
            if entry.startswith("group."):
                raise ValueError(f"entry {position} is bbernhard's form; use the id that signal-cli listGroups shows")
            if entry != "*" and not is_group_id(entry):
                raise ValueError(f"entry {position} is no group id (base64 of 32 bytes, padding included)")
        return value

    def people(self, chat_type: str) -> Lists:
        """The people the operator named, the admins of that kind of chat first; a wildcard names nobody."""
        here, elsewhere = self.allow_admin_from, self.group_allow_admin_from
        if chat_type != "dm":
            here, elsewhere = elsewhere, here
        others = (*self.allowed_users, *self.gateway_allowed_users, *elsewhere)
        return Lists(tuple(e for e in here if e != "*"), tuple(e for e in others if e != "*"))

    @classmethod
    def load(cls, extra: Mapping[str, Any], environment: Mapping[str, str]) -> Self:
        """From a `PlatformConfig.extra` and the environment; raises ConfigError with every fault."""
        return load(cls, "signal", extra, environment)


def is_group_id(value: str) -> bool:
    """Whether that is a Signal group id as signal-cli writes it: padded standard base64 of 32 (V2) or 16 bytes."""
    try:
        return len(base64.b64decode(value, validate=True)) in {16, 32}
    except (binascii.Error, ValueError):
        return False


_S = TypeVar("_S", bound=Settings)


def load(model: type[_S], platform: str, extra: Mapping[str, Any], environment: Mapping[str, str]) -> _S:
    """Build a settings model; raises ConfigError with every fault, misspelt names among them."""
    names = model.environment_names()
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for field, env in names.items():
        labels[field] = env or f"{platform}.{field}"
        if extra.get(field) is not None:
            values[field], labels[field] = extra[field], f"{platform}.{field}"
        elif env and environment.get(env, "").strip():
            values[field] = environment[env]
    faults = [
        *_misspelt((f"{platform}.{key}" for key in extra), [f"{platform}.{field}" for field in names]),
        *_misspelt((key for key in environment if key.startswith(platform.upper() + "_")), names.values()),
    ]
    try:
        settings = model.model_validate(values)
    except ValidationError as exc:
        for error in exc.errors(include_input=False, include_url=False):
            faults.append(f"{labels[str(error['loc'][0])]}: {error['msg'].removeprefix('Value error, ')}")
    if faults:
        raise ConfigError(faults)
    return settings


def _misspelt(written: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names that are not ours but nearly so. Others belong to the host or to somebody else."""
    names = [name for name in known if name]
    faults = []
    for name in written:
        if (
            name not in names
            and name not in _THE_HOSTS_OWN
            and (near := difflib.get_close_matches(name, names, 1, 0.9))
        ):
            faults.append(f"{name}: unknown setting; did you mean {near[0]}?")
    return faults


# Names near ours that the host itself reads.
_THE_HOSTS_OWN = {"SIGNAL_ALLOW_ALL_USERS", "signal.allow_from", "signal.group_allow_from"}
