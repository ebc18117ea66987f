"""The names of Hermes' own code that the Signal adapter uses, besides those that all networks use."""

from ...common.host.contract.names import HostName, members, needed
from .stock import STOCK

_LIMITS = "gateway.platforms.signal_rate_limit"

MARKDOWN_TO_SIGNAL = HostName(
    ("gateway.platforms.signal_format:markdown_to_signal",),
    without="bold, italic and other styles; answers show the Markdown as it is",
)
MAX_MESSAGE_LENGTH = needed("gateway.platforms.signal:MAX_MESSAGE_LENGTH")
EXT_TO_MIME = needed("gateway.platforms.signal:_ext_to_mime")
GUESS_EXTENSION = needed("gateway.platforms.signal:_guess_extension")
IS_AUDIO_EXT = needed("gateway.platforms.signal:_is_audio_ext")
IS_IMAGE_EXT = needed("gateway.platforms.signal:_is_image_ext")
REMUX_AAC = HostName(
    ("gateway.platforms.signal:_remux_aac_to_m4a",), without="the transcription of voice memos in bare AAC"
)
RATE_LIMIT_ERROR = needed(f"{_LIMITS}:SignalRateLimitError", "retry_after")
RETRY_AFTER = needed(f"{_LIMITS}:_extract_retry_after_seconds")
IS_RATE_LIMIT = needed(f"{_LIMITS}:_is_signal_rate_limit_error")

SPLITS_LONG_MESSAGES = HostName(
    tuple(f"{place}.splits_long_messages" for place in STOCK.places),
    without="long results of cron jobs in full: Hermes cuts them",
)

SUPPORTS_MESSAGE_EDITING = HostName(
    tuple(f"{place}.SUPPORTS_MESSAGE_EDITING" for place in STOCK.places),
    without="answers that grow (`SIGNAL_STREAMING`)",
)

NAMES = (
    *(value for value in tuple(vars().values()) if isinstance(value, HostName)),
    *members(
        STOCK.places,
        {
            "_rpc": ("method", "params", "rpc_id", "log_failures", "raise_on_rate_limit", "timeout"),
            "_resolve_recipient": ("chat_id",),
            "_stop_typing_indicator": ("chat_id",),
            "_validate_send_result": ("result",),
            "_track_sent_timestamp": ("rpc_result",),
            "_sent_message_timestamps": (),
            "_reactions_enabled": ("event",),
            "http_url": (),
            "account": (),
        },
    ),
)
"""All of them."""
