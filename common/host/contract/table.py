"""The table of all names of Hermes that both networks use; each network adds those of its own (`host_names.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .names import HostName


def needed(place: str, *takes: str) -> HostName:
    """Return a name without which no platform starts."""
    return HostName((place,), takes)


def members(places: Iterable[str], wanted: Mapping[str, tuple[str, ...]]) -> tuple[HostName, ...]:
    """Return the members of a class, each with the parameters that it must take."""
    owners = tuple(places)
    return tuple(HostName(tuple(f"{owner}.{name}" for owner in owners), takes) for name, takes in wanted.items())


# -- events and results

MESSAGE_EVENT = needed(
    "gateway.platforms.base:MessageEvent",
    *("text", "message_type", "source", "raw_message", "message_id", "media_urls", "media_types", "channel_context"),
    *("channel_prompt", "reply_to_message_id", "reply_to_text", "reply_to_author_id", "reply_to_author_name"),
    *("reply_to_is_own_message", "internal", "metadata", "timestamp"),
)
IS_COMMAND = needed("gateway.platforms.base:MessageEvent.is_command")
GET_COMMAND = needed("gateway.platforms.base:MessageEvent.get_command")
ALLOW_GATEWAY_CONTROL = HostName(
    ("gateway.platforms.base:MessageEvent.allow_gateway_control",),
    without="Hermes' own second check that programs and strangers control nothing",
    since="0.20.6",
)
MESSAGE_TYPE = needed("gateway.platforms.base:MessageType", "TEXT", "VOICE", "PHOTO", "VIDEO", "DOCUMENT")
SEND_RESULT = needed(
    "gateway.platforms.base:SendResult",
    *("success", "message_id", "error", "raw_response", "retry_after", "continuation_message_ids", "error_kind"),
)
SESSION_SOURCE = needed("gateway.session:SessionSource", "chat_id", "chat_type", "user_id", "thread_id", "profile")

# -- sessions

BUILD_SESSION_KEY = needed("gateway.session:build_session_key", "group_sessions_per_user", "thread_sessions_per_user")
IS_SHARED_SESSION = needed(
    "gateway.session:is_shared_multi_user_session", "group_sessions_per_user", "thread_sessions_per_user"
)
SESSION_ENV = HostName(
    ("gateway.session_context:get_session_env",),
    without="approvals by the person who asked, in turns without an id: only admins may answer",
)
# Until 0.19 set from outside.
RUNNER = HostName(
    ("gateway.platforms.base:BasePlatformAdapter.gateway_runner", "gateway.run:GatewayRunner.gateway_runner")
)
RUNNER_SESSION_KEY = needed("gateway.run:GatewayRunner._session_key_for_source")
RUNNER_PROFILE_ADAPTERS = needed("gateway.run:GatewayRunner._profile_adapters")
RUNNER_CONFIG = needed("gateway.run:GatewayRunner.config")

# -- questions and commands

HAS_BLOCKING_APPROVAL = needed("tools.approval:has_blocking_approval")
PENDING_CONFIRMATION = needed("tools.slash_confirm:get_pending")
UPDATE_PROMPTS = needed("gateway.run:GatewayRunner._update_prompt_pending")
APPROVAL_WORDS = HostName(
    ("gateway.run_busy:approval_input_words",),
    without="the check of approvals in other languages than English",
    since="0.22",
)
COERCE_COMMAND = HostName(
    ("gateway.platforms.base:coerce_plaintext_gateway_command",),
    without="the check of plain phrases that Hermes reads as commands",
)
RESOLVE_COMMAND = needed("hermes_cli.commands:resolve_command")
COMMAND_REGISTRY = needed("hermes_cli.commands:COMMAND_REGISTRY")
SLASH_POLICY = needed("gateway.slash_access:policy_from_extra")
COMMANDS_FOR_ALL = HostName(
    ("gateway.slash_access:_ALWAYS_ALLOWED_FOR_USERS",), without="the commands of members of an open group"
)

# -- people

RUNNER_AUTHORIZES = needed("gateway.run:GatewayRunner._is_user_authorized")
RUNNER_PAIRING = HostName(
    ("gateway.run:GatewayRunner._pairing_store_for",), without="the higher rights of paired people"
)
PAIRING_STORE = needed("gateway.pairing:PairingStore")

# -- turns of their own in a busy session

_SEPARATE_TURNS = "turns of their own for files and for words of others that arrive while the agent works"
RUNNER_ENQUEUE = HostName(("gateway.run:GatewayRunner._enqueue_fifo",), without=_SEPARATE_TURNS)
RUNNER_QUEUE_DEPTH = HostName(("gateway.run:GatewayRunner._queue_depth",), ("adapter",), without=_SEPARATE_TURNS)
RUNNER_QUEUE_LIMIT = HostName(("gateway.run:GatewayRunner._BUSY_QUEUE_MAX_PENDING",), without=_SEPARATE_TURNS)
RUNNER_DRAINING = HostName(("gateway.run:GatewayRunner._draining",), without=_SEPARATE_TURNS)
PENDING_MESSAGES = HostName(("gateway.platforms.base:BasePlatformAdapter._pending_messages",), without=_SEPARATE_TURNS)

# -- files and references

REFERENCE_PATTERN = HostName(
    ("agent.context_references:REFERENCE_PATTERN",), without="references such as @file: in anybody's words"
)
PARSE_REFERENCES = HostName(
    ("agent.context_references:parse_context_references",),
    without="references such as @file: in anybody's words",
)
CACHE_IMAGE = needed("gateway.platforms.base:cache_image_from_bytes")
CACHE_AUDIO = needed("gateway.platforms.base:cache_audio_from_bytes")
CACHE_DOCUMENT = needed("gateway.platforms.base:cache_document_from_bytes")
DOCUMENT_CACHE = needed("gateway.platforms.base:get_document_cache_dir")

# -- answers that Hermes sends again

_SENT_TWICE = "the protection from a second sending of an answer that arrived, in part or perhaps"
RECOVERED_MARKER = HostName(("gateway.delivery_ledger:RECOVERED_MARKER",), without=_SENT_TWICE, since="0.19")
RECONNECTED_MARKER = HostName(("gateway.delivery_ledger:RECONNECTED_MARKER",), without=_SENT_TWICE, since="0.20.6")
FLOOD_MARKER = HostName(("gateway.delivery_ledger:FLOOD_MARKER",), without=_SENT_TWICE, since="0.21.5")
PARTIAL_DELIVERY = HostName(
    ("gateway.delivery:PartialDeliveryError",),
    without="the report of a job's answer that arrived in part: it counts as sent",
    since="0.22",
)

# -- profile, configuration, secrets

SECRET_SCOPE = needed("agent.secret_scope:current_secret_scope")
HERMES_HOME = needed("hermes_constants:get_hermes_home")
LOAD_ENV_FILE = needed("hermes_cli.env_loader:load_hermes_dotenv", "hermes_home")
LOAD_CONFIG = needed("gateway.config:load_gateway_config")
MANAGED_CONFIG = needed("hermes_cli.managed_scope:apply_managed_overlay")
# Hermes' own reader since 0.22, which no longer brings PyYAML along.
LOAD_YAML = HostName(("hermes_yaml:safe_load", "yaml:safe_load"))
YAML_ERROR = HostName(("hermes_yaml:YAMLError", "yaml:YAMLError"))
SECRET_VARIABLES = needed("hermes_cli.config:OPTIONAL_ENV_VARS")
SECRET_LIST = HostName(
    (
        "tools.environments.local_env_policy:_HERMES_PROVIDER_ENV_BLOCKLIST",
        "tools.environments.local:_HERMES_PROVIDER_ENV_BLOCKLIST",
    )
)
_ALSO_FROM = "the hiding of the Mattermost token from children that get the credentials of models"
ALWAYS_SECRET = HostName(
    ("tools.environments.local_env_policy:_ALWAYS_STRIP_KEYS", "tools.environments.local:_ALWAYS_STRIP_KEYS"),
    without=_ALSO_FROM,
)
ALWAYS_SECRET_FOLDED = HostName(
    ("tools.environments.local_env_policy:_ALWAYS_STRIP_FOLDED",), without=_ALSO_FROM, since="0.22"
)
VERSION_INFO = HostName(
    ("hermes_cli.version_info:get_version_info",), without="the version of a source checkout", since="0.22"
)
PACKAGE_VERSION = HostName(("hermes_cli:__version__",), without="the version of a source checkout")

# -- gateway and plugins

PLUGIN_MANAGER = needed("hermes_cli.plugins:get_plugin_manager")
DISCOVER_PLUGINS = needed("hermes_cli.plugins:discover_plugins")
REGISTER_PLATFORM = needed("hermes_cli.plugins:PluginContext.register_platform", "name", "adapter_factory")
REGISTER_HOOK = needed("hermes_cli.plugins:PluginContext.register_hook")
REGISTER_COMMAND = needed("hermes_cli.plugins:PluginContext.register_cli_command")
HOOKS = needed("hermes_cli.plugins:VALID_HOOKS", "pre_llm_call", "pre_approval_request")
PLATFORM_REGISTRY = needed("gateway.platform_registry:platform_registry")
RUNNING_PID = needed("gateway.status:get_running_pid", "cleanup_stale")
RUNTIME_STATUS = needed("gateway.status:read_runtime_status")

# -- what both networks' adapters inherit or replace

ADAPTER = "gateway.platforms.base:BasePlatformAdapter"
SOURCE_SESSION_KEY = HostName(
    (f"{ADAPTER}._source_session_key",),
    without="the profile in session keys; the gateway's own keys are checked besides",
    since="0.21.5",
)
WIRE_HANDLERS = HostName((f"{ADAPTER}._wire_plugin_handlers",), without="handlers of other plugins", since="0.21.0")
FINALIZE_DELIVERY = HostName(
    (f"{ADAPTER}._finalize_delivery_obligation",),
    ("obligation_id", "result", "event", "delivery_adapter"),
    without=_SENT_TWICE,
    since="0.21.5",
)
ADAPTER_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "__init__": ("config",),
    "connect": ("is_reconnect",),
    "disconnect": (),
    "handle_message": ("event",),
    "build_source": (
        *("chat_id", "chat_name", "chat_type", "user_id", "user_name", "user_id_alt", "chat_id_alt"),
        *("message_id", "role_authorized", "thread_id", "is_bot"),
    ),
    "config": (),
    "platform": (),
    "_is_sender_authorized": ("user_id", "chat_type", "chat_id"),
    "_acquire_platform_lock": ("scope", "identity", "resource_desc"),
    "_release_platform_lock": (),
    "_mark_connected": (),
    "_mark_disconnected": (),
    "_set_fatal_error": ("code", "message", "retryable"),
    "_notify_fatal_error": (),
    "set_message_handler": ("handler",),
    "set_busy_session_handler": ("handler",),
    "_send_with_retry": ("chat_id", "content", "reply_to", "metadata"),
    "truncate_message": ("content", "max_length"),
    "format_message": ("content",),
    "send": ("chat_id", "content", "reply_to", "metadata"),
    "send_typing": ("chat_id", "metadata"),
    "edit_message": ("chat_id", "message_id", "content"),
    "get_chat_info": ("chat_id",),
    "extract_images": ("content",),
    "send_image": ("chat_id", "image_url", "caption"),
    "send_image_file": ("chat_id", "image_path", "caption", "reply_to"),
    "send_multiple_images": ("chat_id", "images", "metadata", "human_delay"),
}
"""Members of the class that each network's adapter extends."""

NAMES = tuple(value for value in tuple(vars().values()) if isinstance(value, HostName))
"""All names but those members."""
