"""Reactions as answers. Signal writes the emoji itself, Mattermost its name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from ..core.wording import Foreign


class Sign(StrEnum):
    """The meaning of a reaction. "For good" is none of them: it must be typed."""

    ONCE = "once"
    SESSION = "session"
    DENY = "deny"


NAMES: Mapping[Sign, tuple[str, ...]] = {
    Sign.ONCE: ("+1", "thumbsup", "white_check_mark", "heavy_check_mark", "👍", "✅", "✔"),
    Sign.SESSION: ("repeat", "🔁"),
    Sign.DENY: (
        *("-1", "thumbsdown", "x", "heavy_multiplication_x", "negative_squared_cross_mark"),
        *("👎", "❌", "✖", "❎"),
    ),
}
"""Mattermost's names, the one that the bot itself uses first, and the emoji."""
DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIGNS: Mapping[str, Sign] = {name: sign for sign, names in NAMES.items() for name in names}
_NUMBERS = {name: n for n, name in enumerate(DIGITS, 1)} | {f"{n}\u20e3": n for n in range(1, 10)}
_TONE = "_skin_tone"
_TONES = ("_light", "_medium_light", "_medium", "_medium_dark", "_dark")
_NAME = re.compile(r"[a-z0-9_+-]{1,64}")
_LONGEST_EMOJI = 16
"""Characters: a family of four, of any skin, has eleven."""
_VARIATION = "\ufe0f"


def meaning(emoji: str) -> Sign | int | None:
    """Return the sign, or the number of a choice (1 to 9), that an emoji of any skin tone means; None for any other."""
    plain = base_emoji(emoji)
    return _SIGNS.get(plain) or _NUMBERS.get(plain)


def name_of(meant: Sign | int) -> str:
    """Return Mattermost's name of the emoji for a sign or a number from 1 to 9."""
    return NAMES[meant][0] if isinstance(meant, Sign) else DIGITS[meant - 1]


def seeds(answers: Iterable[Sign | int]) -> list[str]:
    """Return Mattermost's names of the emoji for those answers that have one."""
    return [name_of(meant) for meant in answers if isinstance(meant, Sign) or meant <= len(DIGITS)]


def shown(emoji: Foreign) -> str:
    """Return a reaction for display: Mattermost's name between colons, an emoji itself; empty for anything else."""
    if _NAME.fullmatch(emoji):
        return f":{emoji}:"
    # The daemon does not check that an emoji is one: words would read as the person's.
    is_emoji = len(emoji) <= _LONGEST_EMOJI and any(not char.isascii() for char in emoji)
    return emoji if is_emoji and not any(char.isalpha() or char.isspace() for char in emoji) else ""


def keycap(number: int) -> str:
    """Return the emoji of a number from 1 to 9."""
    return f"{number}{_VARIATION}\u20e3"


def base_emoji(emoji: str) -> str:
    """Return an emoji without variation and skin tone, which Mattermost spells out."""
    if emoji.endswith(_TONE):
        emoji = emoji.removesuffix(_TONE)
        emoji = emoji.removesuffix(max((tone for tone in _TONES if emoji.endswith(tone)), key=len, default=""))
    return "".join(char for char in emoji if char != _VARIATION and not "\U0001f3fb" <= char <= "\U0001f3ff")
