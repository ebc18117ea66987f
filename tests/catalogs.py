"""English texts for a packaging of Hermes without its catalogs: there it says their keys and takes few words."""

from __future__ import annotations

import sysconfig
from importlib.util import find_spec
from pathlib import Path

_OURS = Path(__file__).parent / "fixtures" / "locales"


def catalogs() -> dict[str, str]:
    """Return the environment in which the installed Hermes has English texts; empty if it has its own."""
    agent = find_spec("agent")
    packages = agent.submodule_search_locations if agent else None
    roots = [Path(sysconfig.get_path("data")), *(Path(package).parent for package in packages or ())]
    return {} if any((root / "locales").is_dir() for root in roots) else {"HERMES_BUNDLED_LOCALES": str(_OURS)}
