"""Errors, one class for each reaction to them.

Loops decide by the class alone: they retry `Retryable` with back-off, while `Fatal` stops the listener and is shown to
the operator. Library exceptions are translated in the file that imports the library.
"""

from __future__ import annotations

from enum import StrEnum


class CommonCode(StrEnum):
    """The error codes of every network; the host's status shows them behind the network's name and an underscore."""

    STREAM_FAILED = "stream_failed"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    ACCOUNT_TAKEN = "account_taken"

    def of(self, network: str) -> str:
        """Return the whole code."""
        return f"{network}_{self}"


class HardenedError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigError(HardenedError):
    """The settings are wrong; `faults` lists every fault, each under the key the operator wrote."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class HostContractError(HardenedError):
    """Hermes is missing, too old, or lacks something that these adapters inherit."""


class InstallError(HardenedError):
    """The plugin cannot be installed into a Hermes home."""


class StateError(HardenedError):
    """The state file is missing, unreadable or not ours."""


class MemoryRefused(HardenedError):
    """Hermes' memory refuses a change, because of its limit, a threat, or a file in another form. Nothing changed."""


class Retryable(HardenedError):
    """The peer or the network failed, perhaps temporarily."""


class ConnectionLost(Retryable):
    """A stream ended, broke, fell silent or could not be opened."""


class Closed(ConnectionLost):
    """We closed the connection ourselves."""


class NotSent(ConnectionLost):
    """A request never reached the peer: a retry cannot duplicate it."""


class Unanswered(HardenedError):
    """The peer did not answer; it may or may not have carried out the request."""


class RateLimited(Retryable):
    """The peer refused a request because of its rate limit; nothing was carried out. `retry_after` is in seconds."""

    def __init__(self, retry_after: float, call: str) -> None:
        super().__init__(f"the rate of {call} is limited: again in {retry_after:g} s")
        self.retry_after = retry_after


class FileTooLarge(HardenedError):
    """A download is larger than the caller accepts."""


class Fatal(HardenedError):
    """The peer refuses the connection for a reason that a retry does not remove.

    `code` is a stable slug for status displays, `remedy` one sentence for the operator. With `heals`, the remedy lies
    with the peer, so that the host may try again by itself.
    """

    def __init__(self, code: str, remedy: str, *, heals: bool = True) -> None:
        super().__init__(f"{code}: {remedy}")
        self.code = code
        self.remedy = remedy
        self.heals = heals
