"""The names of Hermes' own code that the Mattermost adapter uses, besides those that all networks use."""

from ...common.host.contract.names import HostName, members, needed, one_of
from .stock import STOCK

_MODULE = STOCK.places[0].partition(":")[0]

CHANNEL_PROMPT = needed("gateway.platforms.base:resolve_channel_prompt")
INTERACTIVE_SETUP = HostName((f"{_MODULE}:interactive_setup",), without="`hermes setup` for Mattermost")
STANDALONE_SEND = HostName(
    (f"{_MODULE}:_standalone_send",),
    without="messages of cron jobs that run outside the gateway",
)

# What stock's media calls; the older names until 0.21.0.
CALL = one_of(STOCK.places, "_api", "_api_put")
POST_FILES = one_of(STOCK.places, "_post_message", "_thread_root_for_send")

NAMES = (
    *(value for value in tuple(vars().values()) if isinstance(value, HostName)),
    *members(
        STOCK.places,
        {
            "_api_get": ("path",),
            "_api_post": ("path", "payload"),
            "_upload_file": ("channel_id", "file_data", "filename", "content_type"),
            "_resolve_root_id": ("post_id",),
            "_post_preserving_thread": ("chat_id", "payload", "metadata"),
            "_reply_mode": (),
            "_bot_user_id": (),
            "_bot_username": (),
            "_last_post_status": (),
            "_last_post_error": (),
        },
    ),
)
"""All of them."""
