"""What tests of the state file ask of it."""

from __future__ import annotations

from pathlib import Path

from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist
from hermes_hardened_adapters.common.state.store import Store


async def reopened(store: Store) -> Store:
    """Return another store on the same file, after closing this one."""
    await store.close()
    again = Store(store.path)
    await again.open()
    return again


async def loaded(store: Store) -> RuntimeAllowlist:
    """Return Signal's allowlist as a restart would read it."""
    await store.flush()
    allowlist = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await allowlist.load()
    return allowlist


def set_aside(folder: Path) -> list[str]:
    """Return the names of the state files that were kept aside as unusable."""
    return [file.name for file in folder.rglob("*.unusable*")]


async def started_anew(store: Store, *, without: str) -> RuntimeAllowlist:
    """Return the allowlist after a restart before which a file was lost."""
    await store.close()
    for path in store.path.parent.glob(f"{without}*"):
        path.unlink()
    await store.open()
    return await loaded(store)
