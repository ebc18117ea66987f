"""Pictures in a text: the same as stock finds, in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from gateway.platforms.base import BasePlatformAdapter
from hermes_hardened_adapters.adapters.mattermost.adapter import MattermostAdapter
from hermes_hardened_adapters.adapters.signal.adapter import SignalAdapter
from hermes_hardened_adapters.common.core.image_markup import as_addresses, extract_images
from hypothesis import example, given
from hypothesis import strategies as st
from plugins.platforms.mattermost.adapter import MattermostAdapter as Stock

URL = "https://example.com/cat.png"


@pytest.mark.parametrize("adapter", [SignalAdapter, MattermostAdapter])
def test_the_host_is_answered_by_ours(adapter: Any) -> None:
    assert adapter.extract_images(f"a ![cat]({URL}) b") == ([(URL, "cat")], "a  b")
    assert adapter.extract_images.__module__.startswith("hermes_hardened_adapters")


_PIECES = st.sampled_from(
    [
        *("![", "]", "](", "(", ")", "!", "[", " ", "\n", "\n\n\n", "a", "http://", "https://a", URL, "https://a.b/c"),
        *(f"![cat]({URL})", f"![]({URL} )", "![x](https://a.b/c)", "<img src=", "<img  src='", "'>", '">', "/>"),
        *("</img>", f'<img src="{URL}"/>', "![ x\ny](http://fal.media/z)", ".PNG"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
@example(f"![![a]({URL})")
@example(f"![a](x)![b]({URL})![c](")
@example(f'![a](https://a.b/c) <img src="https://a.b/c">\n\n\n\n![b]({URL})')
def test_what_stock_finds_is_found(text: str) -> None:
    assert extract_images(text) == BasePlatformAdapter.extract_images(text)
    assert as_addresses(text) == Stock.format_message(None, text)


def growth(find: Callable[[str], object], piece: str, length: int, tries: int) -> float:
    """How much longer eight times the text takes, at best."""

    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        began = time.process_time()
        find(text)
        return time.process_time() - began

    return min(seconds(8 * length) for _ in range(tries)) / max(min(seconds(length) for _ in range(tries)), 1e-5)


def test_stock_needs_quadratic_time() -> None:
    assert growth(BasePlatformAdapter.extract_images, "![", 2_000, 1) > 24
    assert growth(lambda text: Stock.format_message(None, text), "![", 2_000, 1) > 24


@pytest.mark.parametrize(
    "piece",
    ["![", "![a](", "![](http://x", "](http://", "![a](http://b ", "![a](http://b.png)", "<img src=http://", "]"],
)
@pytest.mark.parametrize("find", [extract_images, as_addresses])
def test_ours_needs_linear_time(find: Callable[[str], object], piece: str) -> None:
    assert growth(find, piece, 20_000, 5) < 24
