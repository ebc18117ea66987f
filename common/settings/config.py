"""Settings: read once, checked whole.

A value in the platform's `config.yaml` block wins over the environment. Every fault is reported at once, each under
the key the operator wrote.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from ..core.errors import ConfigError
from ..core.people import Lists
from . import strict

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
    """What both platforms' settings have in common: who the operator named."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # this one is never validated by itself

    allowed_users: Entries
    gateway_allowed_users: Entries = setting(
        "GATEWAY_ALLOWED_USERS", (), "People who may talk to the agent on every platform of the gateway."
    )
    allow_admin_from: Entries = setting("", (), "People who may run every slash command in direct messages.")
    group_allow_admin_from: Entries = setting("", (), "People who may run every slash command in groups and channels.")

    def people(self, chat_type: str) -> Lists:
        """The people the operator named, the admins of that kind of chat first; a wildcard names nobody."""
        here, elsewhere = self.allow_admin_from, self.group_allow_admin_from
        if chat_type != "dm":
            here, elsewhere = elsewhere, here
        others = (*self.allowed_users, *self.gateway_allowed_users, *elsewhere)
        return Lists(tuple(e for e in here if e != "*"), tuple(e for e in others if e != "*"))

    @classmethod
    def environment_names(cls) -> dict[str, str]:
        """Field name to environment variable."""
        names: dict[str, str] = {}
        for name, info in cls.model_fields.items():
            if isinstance(info.json_schema_extra, dict):
                names[name] = str(info.json_schema_extra["env"])
        return names


def base_url(value: str, example: str) -> str:
    """A URL to append paths to, its scheme in lower case; raises ValueError, which quotes nothing of it."""
    try:
        parts = urlsplit(value.strip())
        makes_sense = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        makes_sense = False
    # A password with a bare `?` or `#` in it ends the address there.
    if not makes_sense or parts.query or parts.fragment or "\\" in parts.netloc:
        raise ValueError(f"must look like {example}")
    return parts.geturl().rstrip("/")


def on_loopback(url: str) -> bool:
    """Whether what is sent there stays on this machine. A name other than `localhost` is taken for another's."""
    hostname = urlsplit(url).hostname or ""
    if hostname == "localhost":
        return True
    try:
        address = ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_exposed(url: str) -> bool:
    """Whether it is plain http beyond this machine."""
    return urlsplit(url).scheme == "http" and not on_loopback(url)


def without_user(url: str) -> str:
    """The URL without user and password, to be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


_S = TypeVar("_S", bound=Settings)


def sources(
    model: type[Settings], platform: str, extra: Mapping[str, Any], environment: Mapping[str, str]
) -> dict[str, str]:
    """Where the operator wrote a setting, or would: field to variable, or to key of `config.yaml`."""
    twins = strict.variables(platform) if strict.in_use(platform, environment) else {}
    return {
        field: twins.get(field) or (f"{platform}.{field}" if extra.get(field) is not None or not env else env)
        for field, env in model.environment_names().items()
    }


def load(
    model: type[_S],
    platform: str,
    extra: Mapping[str, Any],
    environment: Mapping[str, str],
    written: Sequence[str] = (),
) -> _S:
    """Build a settings model; raises ConfigError with every fault, misspelt names among them.

    In strict mode what tells where to connect comes from the strict variables alone, and is a fault anywhere else:
    `written` are the keys of the configuration files that say it.
    """
    names = model.environment_names()
    labels = sources(model, platform, extra, environment)
    values: dict[str, Any] = {}
    for field, label in labels.items():
        if label == f"{platform}.{field}":
            values |= {field: extra[field]} if extra.get(field) is not None else {}
        elif environment.get(label, "").strip():
            values[field] = environment[label]
    faults = [
        *_misspelt((f"{platform}.{key}" for key in extra), [f"{platform}.{field}" for field in names]),
        *_misspelt((key for key in environment if key.startswith(platform.upper() + "_")), names.values()),
        *strict.faults(platform, environment, written),
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
