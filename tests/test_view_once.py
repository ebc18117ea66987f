"""Files to be seen once: deleted after their turn, and after a crash; no other file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.waiting import view_once
from hermes_hardened_adapters.common.host.waiting.view_once import ViewOnce
from hermes_hardened_adapters.common.state.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "cache" / "images").mkdir(parents=True)
    return tmp_path


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    yield
    view_once._of_process.cache_clear()


def picture(home: Path, name: str) -> str:
    path = home / "cache" / "images" / name
    path.write_bytes(b"png")
    return str(path)


def there(path: str) -> bool:
    return Path(path).exists()


def event(*paths: str) -> Any:
    return SimpleNamespace(media_urls=list(paths))


def test_they_go_with_the_turn_of_their_session(home: Path, store: Store) -> None:
    waiting: list[Any] = []
    files = ViewOnce(home, "signal", store, lambda: waiting)
    mine, next_one, theirs, plain = (picture(home, f"{name}.png") for name in ("mine", "next", "theirs", "plain"))
    files.fetched([mine, next_one, theirs])
    files.turn_ended(["key"])
    assert there(mine)  # Hermes does not have it yet
    files.handed_over(event(mine, plain), ["key", "other name of it"])
    files.handed_over(event(next_one), ["key"])
    files.handed_over(event(theirs), ["another"])
    waiting.append(event(next_one))
    files.turn_ended(["other name of it"])
    assert not there(mine)
    waiting.clear()
    assert there(next_one)
    files.turn_ended(["key"])
    assert not there(next_one)
    assert there(theirs)
    assert there(plain)


def test_those_of_an_event_that_hermes_does_not_get_go_at_once(home: Path, store: Store) -> None:
    files = ViewOnce(home, "signal", store, list)
    mine, plain = picture(home, "mine.png"), picture(home, "plain.png")
    files.fetched([mine])
    files.refused(event(mine, plain))
    assert not there(mine)
    assert there(plain)


async def test_what_a_crash_leaves_goes_at_the_next_start(home: Path, store: Store) -> None:
    left, plain = picture(home, "left.png"), picture(home, "plain.png")
    ViewOnce(home, "signal", store, list).fetched([left])
    await store.flush()
    # A reconnect is no start.
    await ViewOnce(home, "signal", store, list).connected()
    assert there(left)
    view_once._of_process.cache_clear()
    await ViewOnce(home, "mattermost", store, list).connected()
    assert there(left)
    for _ in range(2):
        await ViewOnce(home, "signal", store, list).connected()
        await store.flush()
    assert not there(left)
    assert there(plain)


def test_only_files_in_the_caches_are_deleted_and_no_link_is_followed(home: Path, store: Store) -> None:
    outside, target = home / "memories.md", picture(home, "target.png")
    outside.write_text("mine")
    link, folder = home / "cache" / "images" / "link.png", home / "cache" / "images" / "away"
    link.symlink_to(target)
    folder.symlink_to(home)
    files = ViewOnce(home, "signal", store, list)
    paths = [str(outside), str(link), str(folder / "memories.md"), f"{home}/cache/images/../../memories.md", "\0", ""]
    files.fetched(paths)
    files.refused(event(*paths))
    assert outside.read_text() == "mine"
    assert link.is_symlink()
    assert there(target)
