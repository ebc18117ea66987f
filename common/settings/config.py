"""The base of every platform's settings, which are read once and validated as a whole.

A value in the platform's `config.yaml` block wins over the environment. Every fault is reported at once, each under
the key the operator wrote.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..core import flags
from ..core.errors import ConfigError
from ..core.people import Lists
from ..core.policy import Policy
from . import strict
from .stock import Stock


def _flag(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in flags.TRUE | flags.FALSE:
        return value.strip().lower() in flags.TRUE
    return value


def _entries(value: object) -> object:
    """Turn a comma-separated text or a YAML list into a tuple of stripped texts, empty ones left out."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    elif not isinstance(value, (list, tuple, set, frozenset)):
        value = [value]
    return tuple(dict.fromkeys(entry for entry in (str(item).strip() for item in value) if entry))


def _instructions(value: object) -> object:
    """Read a table of texts from a YAML mapping, or from a JSON object in an environment variable."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            raise ValueError('must be a JSON object such as {"🔁": "do that again"}') from None
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) and text.strip() for pair in value.items() for text in pair
    ):
        raise ValueError("must map each emoji, or its name, to an instruction")
    return {key.strip(): text.strip() for key, text in value.items()}


Flag = Annotated[bool, BeforeValidator(_flag)]
Entries = Annotated[tuple[str, ...], BeforeValidator(_entries)]
Instructions = Annotated[dict[str, str], BeforeValidator(_instructions)]


APPROVALS_TO = (
    "Where a command that needs approval in a group is shown: in the group, or in direct messages to"
    " `group_allow_admin_from`, while the group sees that they were asked, and how it ended."
)


def setting(env: str, default: Any, description: str, **constraints: Any) -> Any:
    """Declare a field that the environment variable `env` can set as well; `""` means no variable."""
    return Field(default, description=description, json_schema_extra={"env": env}, **constraints)


class Settings(BaseModel, ABC):
    """The settings of one platform. This base class holds those of every platform: the people the operator listed."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # never validated by itself

    stock: ClassVar[Stock]
    read_by_host: ClassVar[frozenset[str]] = frozenset()
    """Names close to ours that Hermes reads itself: they are no misspellings."""

    allowed_users: Entries
    gateway_allowed_users: Entries = setting(
        "GATEWAY_ALLOWED_USERS", (), "People who may talk to the agent on every platform of the gateway."
    )
    allow_admin_from: Entries = setting("", (), "People who may run every slash command in direct messages.")
    group_allow_admin_from: Entries = setting("", (), "People who may run every slash command in groups and channels.")

    @abstractmethod
    def policy(self) -> Policy:
        """Return the policy of the settings alone, without approvals at run time."""

    def people(self, chat_type: str) -> Lists:
        """Return the people whom the operator listed, admins of that type of chat first. A wildcard lists nobody."""
        here, elsewhere = self.allow_admin_from, self.group_allow_admin_from
        if chat_type != "dm":
            here, elsewhere = elsewhere, here
        others = (*self.allowed_users, *self.gateway_allowed_users, *elsewhere)
        return Lists(tuple(e for e in here if e != "*"), tuple(e for e in others if e != "*"))

    @classmethod
    def environment_names(cls) -> dict[str, str]:
        """Map each field to its environment variable, `""` for a field that has none."""
        names: dict[str, str] = {}
        for name, info in cls.model_fields.items():
            if isinstance(info.json_schema_extra, dict):
                names[name] = str(info.json_schema_extra["env"])
        return names

    @classmethod
    def sources(cls, extra: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
        """Map each field to the variable or `config.yaml` key in which the operator sets it or would set it."""
        platform = cls.stock.platform
        strict_names = strict.variables(cls.stock) if strict.in_use(cls.stock, environment) else {}
        return {
            field: strict_names.get(field)
            or (f"{platform}.{field}" if extra.get(field) is not None or not env else env)
            for field, env in cls.environment_names().items()
        }

    @classmethod
    def connecting(cls, extra: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
        """Return the connecting settings that are written, unchecked: for settings that need not be valid."""
        found: dict[str, str] = {}
        for field, label in cls.sources(extra, environment).items():
            if field in cls.stock.connecting:
                value = extra.get(field) if label == f"{cls.stock.platform}.{field}" else environment.get(label)
                found |= {field: value.strip()} if isinstance(value, str) and value.strip() else {}
        return found

    @classmethod
    def load(cls, extra: Mapping[str, Any], environment: Mapping[str, str], written: Sequence[str] = ()) -> Self:
        """Read the settings from a `PlatformConfig.extra` and the environment.

        Raises ConfigError with every fault, misspelt names included. In strict mode, addresses and credentials come
        from the strict variables alone and are a fault anywhere else; `written` are the keys of the configuration files
        that hold one (`strict_mode.written`).
        """
        platform = cls.stock.platform
        names = cls.environment_names()
        labels = cls.sources(extra, environment)
        values: dict[str, Any] = {}
        for field, label in labels.items():
            if label == f"{platform}.{field}":
                values |= {field: extra[field]} if extra.get(field) is not None else {}
            elif environment.get(label, "").strip():
                values[field] = environment[label]
        ours = [name for name in names.values() if name]
        faults = [
            *cls._misspelt((f"{platform}.{key}" for key in extra), [f"{platform}.{field}" for field in names]),
            *cls._misspelt((key for key in environment if key.startswith(platform.upper() + "_")), ours),
            *strict.faults(cls.stock, environment, written),
        ]
        try:
            settings = cls.model_validate(values)
        except ValidationError as exc:
            for error in exc.errors(include_input=False, include_url=False):
                faults.append(f"{labels[str(error['loc'][0])]}: {error['msg'].removeprefix('Value error, ')}")
        if faults:
            raise ConfigError(faults)
        return settings

    @classmethod
    def _misspelt(cls, written: Iterable[str], known: Sequence[str]) -> list[str]:
        """Return a fault for each name that resembles one of ours. Other names belong to Hermes or to other plugins."""
        faults = []
        for name in written:
            if name in known or name in cls.read_by_host:
                continue
            if near := difflib.get_close_matches(name, known, 1, 0.9):
                faults.append(f"{name}: unknown setting; did you mean {near[0]}?")
        return faults


def base_url(value: str, example: str) -> str:
    """Return a URL to append paths to, its scheme in lower case. Raises ValueError without quoting the URL."""
    try:
        parts = urlsplit(value.strip())
        is_valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    # A bare `?` or `#` in a password would end the address there.
    if not is_valid or parts.query or parts.fragment or "\\" in parts.netloc:
        raise ValueError(f"must look like {example}")
    return parts.geturl().rstrip("/")


def server_of(url: str) -> str:
    """Return the server of a valid URL, the same one for `http` and `https`, with or without their usual port."""
    parts = urlsplit(url)
    port = parts.port if parts.port not in {80, 443, None} else ""
    return f"{(parts.hostname or '').rstrip('.')}:{port}{parts.path.rstrip('/')}"


def on_loopback(url: str) -> bool:
    """Return True if the URL points to this machine. A name other than `localhost` counts as another machine."""
    hostname = urlsplit(url).hostname or ""
    if hostname == "localhost":
        return True
    try:
        address = ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_exposed(url: str) -> bool:
    """Return True if the URL is plain http to another machine."""
    return urlsplit(url).scheme == "http" and not on_loopback(url)


def without_user(url: str) -> str:
    """Return the URL without user and password, for display."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
