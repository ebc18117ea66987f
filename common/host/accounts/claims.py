"""The accounts in use in this process, and the profile of each.

Hermes locks an account for a process. A second profile of the same process gets that lock again, so that both would
answer every message.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from weakref import ref

from ...core.errors import CommonCode, Fatal
from ..profile import place


class _Claim(NamedTuple):
    adapter: ref[Any]
    home: Path


_claims: dict[tuple[str, str], _Claim] = {}
"""By network and account. An adapter that is gone claims nothing."""
_changing = Lock()


def claim(adapter: Any, *names: str) -> None:
    """Claim an account for the profile of an adapter, under all its names. Raises Fatal if another profile has it.

    A later adapter of the same profile takes over the claim of an earlier one, which may still be closing.
    """
    network, home = adapter.platform.value, adapter.home.resolve()
    with _changing:
        for name in names:
            found = _claims.get((network, name))
            if found and found.adapter() is not None and found.home != home:
                # Two profiles that learn of each other at the same time must not both end.
                _drop(adapter)
                raise Fatal(
                    CommonCode.ACCOUNT_TAKEN.of(network),
                    f"the profile {place(found.home)[1]} of this gateway has this account already: give each profile "
                    f"an account of its own, or remove {network} from one of the two",
                )
        for name in names:
            _claims[network, name] = _Claim(ref(adapter), home)


def release(adapter: Any) -> None:
    """End the claims of an adapter, and no other's."""
    with _changing:
        _drop(adapter)


def _drop(adapter: Any) -> None:
    for key in [key for key, each in _claims.items() if each.adapter() is adapter or each.adapter() is None]:
        del _claims[key]
