"""The table of all names of Hermes that both networks use; each network adds those of its own (`host_names.py`).

A name has a `without` only if our code does without it, and if nobody gets more rights by that. Replacing a method is
using its name: Hermes would call a method that it renamed past ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from .names import HostName, needed, one_of

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

BUILD_SESSION_KEY = needed(
    "gateway.session:build_session_key", "group_sessions_per_user", "thread_sessions_per_user", "profile"
)
IS_SHARED_SESSION = needed(
    "gateway.session:is_shared_multi_user_session", "group_sessions_per_user", "thread_sessions_per_user"
)
SESSION_ENV = HostName(
    ("gateway.session_context:get_session_env",),
    without="approvals by the person who asked, in turns without an id: only admins may answer",
)
# Before 0.19, the adapter declares it itself.
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
# Without one of the next two, people could approve, or run a command, with words that are not known here.
APPROVAL_WORDS = HostName(("gateway.run_busy:approval_input_words",), since="0.22")
COERCE_COMMAND = needed("gateway.platforms.base:coerce_plaintext_gateway_command")
RESOLVE_COMMAND = needed("hermes_cli.commands:resolve_command")
COMMAND = needed("hermes_cli.commands:CommandDef", "name", "aliases")
SLASH_POLICY = needed("gateway.slash_access:policy_from_extra")
POLICY_ENABLED = needed("gateway.slash_access:SlashAccessPolicy.enabled")
POLICY_IS_ADMIN = needed("gateway.slash_access:SlashAccessPolicy.is_admin")
POLICY_CAN_RUN = needed("gateway.slash_access:SlashAccessPolicy.can_run")
COMMANDS_FOR_ALL = HostName(
    ("gateway.slash_access:_ALWAYS_ALLOWED_FOR_USERS",), without="the commands of members of an open group"
)

# -- prompts

_PROMPTS = "answers by reaction, and outcomes shown on a question: questions are asked in plain text"
APPROVAL_LOCK = HostName(("tools.approval:_lock",), without=_PROMPTS)
APPROVAL_QUEUES = HostName(("tools.approval:_gateway_queues",), without=_PROMPTS)
_ENTRY = ("tools.approval_gateway_wait:_ApprovalEntry", "tools.approval:_ApprovalEntry")
ENTRY_DATA = HostName(tuple(f"{place}.data" for place in _ENTRY), without=_PROMPTS)
ENTRY_EVENT = HostName(tuple(f"{place}.event" for place in _ENTRY), without=_PROMPTS)
ENTRY_RESULT = HostName(tuple(f"{place}.result" for place in _ENTRY), without=_PROMPTS)
ENTRY_REASON = HostName(tuple(f"{place}.reason" for place in _ENTRY), without=_PROMPTS)
REDACT_COMMAND = HostName(("gateway.run:_redact_approval_command",), without=_PROMPTS)
_ADAPTER = "gateway.platforms.base:BasePlatformAdapter"
SEND_EXEC_APPROVAL = HostName(
    (f"{_ADAPTER}.send_exec_approval",),
    ("chat_id", "command", "session_key", "description", "metadata", "smart_denied"),
    without=_PROMPTS,
    since="0.21.5",
)
SEND_EXEC_PROMPT = HostName((f"{_ADAPTER}._send_exec_approval_prompt",), ("prompt",), without=_PROMPTS, since="0.21.5")
EXEC_PROMPT = HostName(
    ("gateway.platforms.base:ExecApprovalPrompt",),
    ("chat_id", "session_key", "command", "description", "smart_denied", "metadata"),
    without=_PROMPTS,
    since="0.21.5",
)
EXEC_CHOICES = HostName(("gateway.platforms.base:ExecApprovalPrompt.choices",), without=_PROMPTS, since="0.21.5")
SEND_CONFIRMATION = HostName(
    (f"{_ADAPTER}.send_slash_confirm",),
    ("chat_id", "title", "message", "session_key", "confirm_id", "metadata"),
    without=_PROMPTS,
)
SEND_CLARIFY = HostName(
    (f"{_ADAPTER}.send_clarify",),
    ("chat_id", "question", "choices", "clarify_id", "session_key", "metadata"),
    without=_PROMPTS,
)
RESOLVE_CLARIFY = HostName(("tools.clarify_gateway:resolve_gateway_clarify",), without=_PROMPTS)
AWAIT_CLARIFY_TEXT = HostName(("tools.clarify_gateway:mark_awaiting_text",), without=_PROMPTS)
PENDING_CLARIFY = HostName(
    ("tools.clarify_gateway:get_pending_for_session",), ("include_choice_prompts",), without=_PROMPTS
)
CLARIFY_ID = HostName(("tools.clarify_gateway:_ClarifyEntry",), ("clarify_id",), without=_PROMPTS)
SEVERAL_CHOICES = HostName(("tools.clarify_gateway:_ClarifyEntry.multi_select",), without=_PROMPTS, since="0.20")
RESOLVE_CONFIRMATION = HostName(("tools.slash_confirm:resolve",), without=_PROMPTS)
TIMEOUT_NOTICE = HostName(
    ("gateway.run_turn_runner_approval_settle:register_timeout_notice",),
    without="Hermes' own word to the chat that nobody answered in time, in whose place comes ours",
    since="0.21.5",
)
_IN_THE_BACKGROUND = "questions about the commands of sub-agents in the background, of which nobody is asked then"
APPROVAL_NOTIFIERS = HostName(("tools.approval:_gateway_notify_cbs",), without=_IN_THE_BACKGROUND)
SET_APPROVAL_SESSION = HostName(
    ("tools.approval_context:set_current_session_key", "tools.approval:set_current_session_key"),
    ("session_key",),
    without=_IN_THE_BACKGROUND,
)
RESET_APPROVAL_SESSION = HostName(
    ("tools.approval_context:reset_current_session_key", "tools.approval:reset_current_session_key"),
    ("token",),
    without=_IN_THE_BACKGROUND,
)
RESUME_TYPING = HostName(("gateway.platforms.base:BasePlatformAdapter.resume_typing_for_chat",), without=_PROMPTS)

# -- answers that grow

REQUIRES_EDIT_FINALIZE = HostName(
    ("gateway.platforms.base:BasePlatformAdapter.REQUIRES_EDIT_FINALIZE",),
    without="notices to people who are mentioned at the end of an answer that grows",
)

# -- people

RUNNER_AUTHORIZES = needed("gateway.run:GatewayRunner._is_user_authorized")
_PAIRED = "the rights of paired people, who count as members of their chats"
RUNNER_PAIRING = HostName(("gateway.run:GatewayRunner._pairing_store_for",), without=_PAIRED)
PAIRING_APPROVED = HostName(("gateway.pairing:PairingStore.is_approved",), without=_PAIRED)

# -- turns of their own in a busy session

_SEPARATE_TURNS = "turns of their own for files and for words of others that arrive while the agent works"
RUNNER_ENQUEUE = HostName(("gateway.run:GatewayRunner._enqueue_fifo",), without=_SEPARATE_TURNS)
RUNNER_QUEUE_DEPTH = HostName(("gateway.run:GatewayRunner._queue_depth",), ("adapter",), without=_SEPARATE_TURNS)
RUNNER_QUEUE_LIMIT = HostName(("gateway.run:GatewayRunner._BUSY_QUEUE_MAX_PENDING",), without=_SEPARATE_TURNS)
RUNNER_DRAINING = HostName(("gateway.run:GatewayRunner._draining",), without=_SEPARATE_TURNS)
PENDING_MESSAGES = HostName(("gateway.platforms.base:BasePlatformAdapter._pending_messages",), without=_SEPARATE_TURNS)

ACTIVE_SESSIONS = HostName(
    ("gateway.platforms.base:BasePlatformAdapter._active_sessions",),
    without="the waiting of slash commands apart from what is said behind them, while the agent works",
)

_TAKEN_BACK = "the removal of deleted messages from Hermes' own queues: they are answered"
QUEUED_EVENTS = HostName(("gateway.run:GatewayRunner._queued_events",), without=_TAKEN_BACK)
TEXT_DEBOUNCE = HostName(("gateway.platforms.base:BasePlatformAdapter._text_debounce",), without=_TAKEN_BACK)
DEBOUNCED = HostName(("gateway.platforms.base:TextDebounceState",), ("event",), without=_TAKEN_BACK)
DISCARD_DEBOUNCE = HostName(
    ("gateway.platforms.base:BasePlatformAdapter._discard_text_debounce",), ("session_key",), without=_TAKEN_BACK
)
TURN_ENDED = HostName(
    (f"{_ADAPTER}.on_processing_complete",),
    ("event", "outcome"),
    without="the deletion of files to be seen once right after a turn: they are deleted at the next start",
)
INTERRUPT_MESSAGE = HostName(("run_agent:AIAgent._interrupt_message",), without=_TAKEN_BACK)

# -- files and references

_REFERENCES = "references such as @file: in anybody's words"
REFERENCE_PATTERN = HostName(("agent.context_references:REFERENCE_PATTERN",), without=_REFERENCES)
PARSE_REFERENCES = HostName(("agent.context_references:parse_context_references",), without=_REFERENCES)
REFERENCE = HostName(("agent.context_references:ContextReference",), ("kind", "target"), without=_REFERENCES)
CACHE_IMAGE = needed("gateway.platforms.base:cache_image_from_bytes")
CACHE_AUDIO = needed("gateway.platforms.base:cache_audio_from_bytes")
CACHE_DOCUMENT = needed("gateway.platforms.base:cache_document_from_bytes")

# -- answers that Hermes sends again

_SENT_TWICE = "the protection from a second sending of an answer of which a part arrived, or may have"
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
PLATFORM_CONFIG = needed("gateway.config:PlatformConfig", "enabled", "token", "extra", "reply_to_mode")
GATEWAY_CONFIG = needed(
    "gateway.config:GatewayConfig", "platforms", "group_sessions_per_user", "thread_sessions_per_user"
)
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
_TOKEN_HIDDEN = "the hiding of the Mattermost token from children that get the credentials of models"
ALWAYS_SECRET = HostName(
    ("tools.environments.local_env_policy:_ALWAYS_STRIP_KEYS", "tools.environments.local:_ALWAYS_STRIP_KEYS"),
    without=_TOKEN_HIDDEN,
)
ALWAYS_SECRET_FOLDED = HostName(
    ("tools.environments.local_env_policy:_ALWAYS_STRIP_FOLDED",), without=_TOKEN_HIDDEN, since="0.22"
)
_VERSION = "the version of a source checkout"
VERSION_INFO = HostName(("hermes_cli.version_info:get_version_info",), without=_VERSION, since="0.22")
VERSION_NUMBER = HostName(("hermes_cli.version_info:VersionInfo.base_version",), without=_VERSION, since="0.22")
PACKAGE_VERSION = HostName(("hermes_cli:__version__",), without=_VERSION)

# -- the plugin

REGISTER_PLATFORM = needed(
    "hermes_cli.plugins:PluginContext.register_platform",
    *("name", "label", "adapter_factory", "check_fn", "validate_config", "required_env", "install_hint"),
)
PLATFORM_ENTRY = needed(
    "gateway.platform_registry:PlatformEntry",
    *("name", "label", "adapter_factory", "check_fn", "validate_config", "required_env", "install_hint"),
    *("is_connected", "apply_yaml_config_fn", "env_enablement_fn", "allowed_users_env", "allow_all_env"),
    *("cron_deliver_env_var", "setup_fn", "standalone_sender_fn", "max_message_length", "emoji", "pii_safe"),
    *("allow_update_command", "plugin_name"),
)
REGISTER_HOOK = needed("hermes_cli.plugins:PluginContext.register_hook")
HOOKS = needed("hermes_cli.plugins:VALID_HOOKS", "pre_llm_call", "pre_approval_request")

# -- the commands, which are not needed to serve anybody

_COMMANDS = "`hermes adapters`; `python -m hermes_hardened_adapters` remains"
_SET_UP = "every command but `doctor --host`: they cannot read the set-up"
_PLUGIN_CHECK = "doctor's check that Hermes has loaded the plugin"
_PLATFORM_CHECK = "doctor's check that the platforms are ours"
_PAIRED_PEOPLE = "the number of paired people in `doctor`"
_GATEWAY_CHECK = "what `doctor` and `record` know of the running gateway"
REGISTER_COMMAND = HostName(("hermes_cli.plugins:PluginContext.register_cli_command",), without=_COMMANDS)
LOAD_ENV_FILE = HostName(("hermes_cli.env_loader:load_hermes_dotenv",), ("hermes_home",), without=_SET_UP)
LOAD_CONFIG = HostName(("gateway.config:load_gateway_config",), without=_SET_UP)
PLUGIN_LIST = HostName(("hermes_cli.plugins:PluginManager.list_plugins",), without=_PLUGIN_CHECK)
DISCOVER_PLUGINS = HostName(("hermes_cli.plugins:discover_plugins",), without=_PLUGIN_CHECK)
PLATFORM_REGISTRY = HostName(("gateway.platform_registry:platform_registry",), without=_PLATFORM_CHECK)
PLATFORM_GET = HostName(("gateway.platform_registry:PlatformRegistry.get",), without=_PLATFORM_CHECK)
RUNNING_PID = HostName(("gateway.status:get_running_pid",), ("pid_path", "cleanup_stale"), without=_GATEWAY_CHECK)
RUNTIME_STATUS = HostName(("gateway.status:read_runtime_status",), ("path",), without=_GATEWAY_CHECK)
PROFILE_VARIABLES = HostName(
    ("agent.secret_scope:build_profile_secret_scope",),
    ("hermes_home",),
    without="doctor's check that no two profiles have the same account",
)
PLATFORM_TOOLS = HostName(
    ("hermes_cli.tools_config:_get_platform_tools",),
    without="doctor's checks of what chats share and of who allows their commands",
)
PAIRING_STORE = HostName(("gateway.pairing:PairingStore",), without=_PAIRED_PEOPLE)
PAIRING_LIST = HostName(("gateway.pairing:PairingStore.list_approved",), without=_PAIRED_PEOPLE)
DOCUMENT_CACHE = HostName(
    ("gateway.platforms.base:get_document_cache_dir",), without="doctor's check of the files that the agent sends"
)
_STREAMING_CHECK = "doctor's check that answers grow where the operator wants it"
DISPLAY_SETTING = HostName(("gateway.display_config:resolve_display_setting",), without=_STREAMING_CHECK)
STREAMING = HostName(("gateway.config:GatewayConfig.streaming",), without=_STREAMING_CHECK)
STREAMING_ENABLED_FOR = HostName(
    ("gateway.config:StreamingConfig.enabled_for",), without=_STREAMING_CHECK, since="0.22"
)
COMMAND_REGISTRY = HostName(
    ("hermes_cli.commands:COMMAND_REGISTRY",), without="slash commands in recordings, where they are masked then"
)

# -- installing this plugin

_INSTALLING = "enabling the plugin with `hermes adapters install`"
ENABLE_PLUGIN = HostName(("hermes_cli.plugins_cmd:cmd_enable",), ("allow_tool_override",), without=_INSTALLING)
LOAD_WHOLE_CONFIG = needed("hermes_cli.config:load_config")
SAVE_WHOLE_CONFIG = HostName(("hermes_cli.config:save_config",), ("config",), without=_INSTALLING)
RUNS_IN_ITS_ENVIRONMENT = HostName(
    ("pm.environments:running_from_selected_environment",), ("project_root",), without=_INSTALLING, since="0.22"
)
SOURCES = HostName(("pm.paths:repo_root",), without=_INSTALLING, since="0.22")

# -- what both networks' adapters inherit or replace

ADAPTER = "gateway.platforms.base:BasePlatformAdapter"
SOURCE_SESSION_KEY = HostName(
    (f"{ADAPTER}._source_session_key",),
    without="the profile in session keys; the gateway's own keys are checked besides",
    since="0.21.5",
)
WIRE_HANDLERS = HostName((f"{ADAPTER}._wire_plugin_handlers",), without="handlers of other plugins", since="0.21.0")
PLATFORM_EVENT_HANDLER = HostName(
    (f"{ADAPTER}._platform_event_handler",), without="reports of edits and deletions to other plugins", since="0.20.6"
)
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
        *("message_id", "role_authorized", "thread_id", "is_bot", "guild_id"),
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
    "send_image_file": ("chat_id", "image_path", "caption", "reply_to", "metadata"),
    "send_multiple_images": ("chat_id", "images", "metadata", "human_delay"),
}
"""Members of the class that each network's adapter extends."""

NAMES = tuple(value for value in tuple(vars().values()) if isinstance(value, HostName))
"""All names but those members, and those of memory."""

# -- memory and recall per chat: without one of these, no platform starts, unless all memory is global

MEMORY_STORE = needed("tools.memory_tool:MemoryStore", "memory_char_limit", "user_char_limit")
MEMORY_TOOL = needed("tools.memory_tool:memory_tool", "action", "target", "content", "old_text", "operations", "store")
MEMORY_SCHEMA = needed("tools.memory_tool:MEMORY_SCHEMA", "parameters")
MEMORY_PATH = needed("tools.memory_tool:MemoryStore._path_for", "target")
MEMORY_BATCH = needed("tools.memory_tool:MemoryStore.apply_batch", "target", "operations")
MEMORY_REMOVE = needed("tools.memory_tool:MemoryStore.remove", "target", "old_text")
MEMORY_LOCK = needed("tools.memory_tool:MemoryStore._file_lock", "path")
SCAN_FOR_THREATS = needed("tools.threat_patterns:scan_for_threats", "scope")
SUMMARY_PREFIX = needed("agent.context_compressor:SUMMARY_PREFIX")
SESSION_SEARCH = needed("tools.session_search_tool:session_search", "query", "db", "current_session_id", "session_id")
SESSION_DB = needed("hermes_state:SessionDB", "db_path", "read_only")
SESSION_CONNECTION = needed("hermes_state:SessionDB._conn")
SESSION_TEXT_INDEX = needed("hermes_state:SessionDB._fts_enabled")
SESSION_SUBSTRING_INDEX = needed("hermes_state:SessionDB._trigram_available")
SESSION_ROW = needed("hermes_state:SessionDB.get_session", "session_id")
SESSION_MESSAGES = needed("hermes_state:SessionDB.get_messages", "session_id")
SESSION_CLOSE = needed("hermes_state:SessionDB.close")
_IN_ONE_DATABASE = "the sessions of other profiles than the first, where Hermes keeps those of all in one database"
DEFAULT_DATABASE = HostName(("hermes_state:DEFAULT_DB_PATH",), without=_IN_ONE_DATABASE)
# Set on instances before 0.20.6: one for all profiles. Since then, a property.
SESSIONS_DATABASE = needed("gateway.session:SessionStore._db")
CURRENT_SESSION = needed("gateway.session:SessionStore.peek_session_id", "session_key")
BEGIN_SESSION = needed("gateway.session:SessionStore.get_or_create_session", "source", "force_new")
FIND_SESSION = needed(
    "hermes_state:SessionDB.find_latest_gateway_session_for_peer",
    *("source", "user_id", "session_key", "chat_id", "chat_type", "thread_id"),
)
SESSION_VARIABLES = needed(
    "gateway.session_context:_VAR_MAP",
    *("HERMES_SESSION_PLATFORM", "HERMES_SESSION_CHAT_ID", "HERMES_SESSION_THREAD_ID", "HERMES_SESSION_USER_ID"),
    *("HERMES_SESSION_KEY", "HERMES_SESSION_PROFILE"),
)
SESSION_UNSET = needed("gateway.session_context:_UNSET")
GET_JOB = needed("cron.jobs:get_job")
OWN_JOBS = HostName(
    ("cron.jobs:use_cron_store",),
    without="the jobs of chats, and memory and recall in jobs, where there are other profiles",
    since="0.19",
)
"""Where it is, each profile has its own list of jobs; before, one process has one."""
LIST_JOBS = needed("cron.jobs:list_jobs", "include_disabled")
REMOVE_JOB = needed("cron.jobs:remove_job", "job_id")
PROCESS = needed("tools.process_registry:ProcessRegistry.get", "session_id")
PROCESSES = needed("tools.process_registry:process_registry")
PROCESS_SESSION_KEY = needed("tools.process_registry:ProcessSession.session_key")
PROCESS_TASK = needed("tools.process_registry:ProcessSession.task_id")
RESOLVE_PATH = needed("tools.file_tools:_resolve_path_for_task", "filepath", "task_id")
ACTIVE_ENVIRONMENT = HostName(
    ("tools.terminal_tool_lifecycle:get_active_env", "tools.terminal_tool:get_active_env"), ("task_id",)
)
ENVIRONMENT_CWD = needed("tools.environments.base:BaseEnvironment.cwd")
SHELL_OVERRIDES = needed("tools.terminal_tool:register_task_env_overrides", "task_id", "overrides")
EXTRACT_MEDIA = needed("gateway.platforms.base:BasePlatformAdapter.extract_media", "content")
EXTRACT_FILES = needed("gateway.platforms.base:BasePlatformAdapter.extract_local_files", "content")
REGISTER_MIDDLEWARE = needed("hermes_cli.plugins:PluginContext.register_middleware", "kind", "callback")
MIDDLEWARE = needed("hermes_cli.middleware:VALID_MIDDLEWARE", "tool_request", "tool_execution", "llm_request")
MEMORY_HOOKS = needed(
    "hermes_cli.plugins:VALID_HOOKS", "pre_llm_call", "pre_gateway_dispatch", "subagent_start", "transform_llm_output"
)

# -- memory that waits for approval, and commands that show other chats' things

WRITE_APPROVAL = needed("tools.write_approval:write_approval_enabled")
EVALUATE_GATE = needed("tools.write_approval:evaluate_gate", "inline_summary", "inline_detail")
GATE_DECISION = needed("tools.write_approval:GateDecision", "allow", "blocked", "message")
WRITE_ORIGIN = needed("tools.write_approval:current_origin")
GET_PENDING = needed("tools.write_approval:get_pending")
DISCARD_PENDING = needed("tools.write_approval:discard_pending")
APPLY_PENDING = needed("tools.memory_tool:apply_memory_pending")
PENDING_COMMAND = needed("hermes_cli.write_approval_commands:handle_pending_subcommand", "memory_store")
PIN_ENTRIES = HostName(
    ("tools.memory_tool:_pin_matched_entries",),
    without="the whole entries in the list of memory writes that wait for approval",
    since="0.21.5",
)
UNATTENDED_REVIEW = HostName(
    ("tools.skill_provenance:is_unattended_review",),
    without="the approval in chats of what the background review deletes, where Hermes does not ask for it itself",
    since="0.21.5",
)
RESULT_FILE = HostName(
    ("tools.tool_result_storage:_safe_result_filename",),
    ("tool_use_id",),
    without="the reading of results of tools that were too long to show, in chats",
)
GET_COMMAND_ARGS = needed("gateway.platforms.base:MessageEvent.get_command_args")
AUTHORIZES = one_of(("gateway.run:GatewayRunner",), "_is_user_authorized_for_source", "_is_user_authorized")
SOURCE_ADAPTER = one_of(("gateway.run:GatewayRunner",), "_delivery_adapter_for", "_adapter_for_source")
THREAD_METADATA = needed("gateway.run:GatewayRunner._thread_metadata_for_source")
RUNNING_AGENTS = needed("gateway.run:GatewayRunner._running_agents")
PROCESS_LIST = needed("tools.process_registry:ProcessRegistry.list_sessions", "session_key")
MULTIPLEX = needed("gateway.config:GatewayConfig.multiplex_profiles")
PROFILE_HOME = needed("gateway.run:GatewayRunner._resolve_profile_home_for_source")
PLUGIN_MANAGER = needed("hermes_cli.plugins:get_plugin_manager")
REGISTERED_MIDDLEWARE = needed("hermes_cli.plugins:PluginManager._middleware")
REGISTERED_HOOKS = needed("hermes_cli.plugins:PluginManager._hooks")
ENTER_HOME = needed("hermes_constants:set_hermes_home_override")
LEAVE_HOME = needed("hermes_constants:reset_hermes_home_override")
CREATE_SESSION = needed("hermes_state:SessionDB.create_session", "session_id", "source")
SESSION_PEER = needed(
    "hermes_state:SessionDB.record_gateway_session_peer", "source", "user_id", "session_key", "chat_id", "chat_type"
)
APPEND_MESSAGE = needed("hermes_state:SessionDB.append_message", "session_id", "role", "content")
_STRICT_TOOL = "the memory tool in strict memory, where Hermes does not offer its own"
MEMORY_OFFERED = HostName(("tools.memory_tool:check_memory_requirements",), without=_STRICT_TOOL)
REGISTER_TOOL = HostName(
    ("hermes_cli.plugins:PluginContext.register_tool",), ("name", "toolset", "schema", "handler"), without=_STRICT_TOOL
)

MEMORY_NAMES = tuple(value for value in tuple(vars().values()) if isinstance(value, HostName) and value not in NAMES)
"""The names of memory and recall per chat."""
