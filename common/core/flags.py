"""The words that switch a setting on or off, in lower case. Pure."""

from __future__ import annotations

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off", ""})
ALLOW_ALL = frozenset({"true", "1", "yes"})
"""The words that the host accepts in its `…_ALLOW_ALL_USERS` variables (gateway/authz_mixin.py): no `on` there."""
