"""What went wrong, named by what to do next.

The loops choose from the class alone: `Retryable` is tried again with back-off, `Fatal` stops the listener and is
shown to the operator. Library exceptions are translated in the file that imports the library.
"""

from __future__ import annotations


class HardenedError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(HardenedError):
    """Settings are wrong; `faults` lists every one, each under the key the operator wrote."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class HostContractError(HardenedError):
    """The installed Hermes does not offer what these adapters inherit from it."""


class StateError(HardenedError):
    """The state file is missing, unreadable or not ours."""


class Retryable(HardenedError):
    """The peer or the network failed in a way that may pass."""


class ConnectionLost(Retryable):
    """A stream ended, broke, fell silent or could not be opened."""


class Closed(ConnectionLost):
    """We closed the connection ourselves."""


class NotSent(ConnectionLost):
    """A request never reached the peer: sending it again doubles nothing."""


class Unanswered(HardenedError):
    """No answer; whether the request was carried out is unknown."""


class RateLimited(Retryable):
    """The peer asks for more patience than we had; nothing was carried out. `retry_after` is in seconds."""

    def __init__(self, retry_after: float, call: str) -> None:
        super().__init__(f"the rate of {call} is limited: again in {retry_after:g} s")
        self.retry_after = retry_after


class FileTooLarge(HardenedError):
    """A download is larger than the caller takes."""


class Fatal(HardenedError):
    """The peer refuses us for a reason that waiting does not cure.

    `code` is a stable slug for status displays, `remedy` one sentence for the operator. `heals` tells that the cure
    is on the peer's side, so that the host may try again by itself.
    """

    def __init__(self, code: str, remedy: str, *, heals: bool = True) -> None:
        super().__init__(f"{code}: {remedy}")
        self.code = code
        self.remedy = remedy
        self.heals = heals
