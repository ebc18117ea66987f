"""The tables of observed lines, and of how far each session has read them."""

from __future__ import annotations

from hermes_hardened_adapters.common.state.observed import ObservedLines, Row
from hermes_hardened_adapters.common.state.store import Store


def row(seq: int, chat: str = "g") -> Row:
    return Row(chat, seq, f"key {seq}", "Alice", True, f"line {seq}", 1000.0 + seq)


async def test_lines_come_back_as_they_were_the_oldest_first(store: Store) -> None:
    lines = ObservedLines(store, "signal")
    for seq in (3, 1, 2):
        lines.add(row(seq))
    ObservedLines(store, "mattermost").add(row(9))
    await store.flush()
    assert await lines.load() == [row(1), row(2), row(3)]


async def test_a_line_is_changed_and_deleted_in_its_chat_alone(store: Store) -> None:
    lines = ObservedLines(store, "signal")
    for chat in ("g", "h"):
        for seq in (1, 2):
            lines.add(row(seq if chat == "g" else seq + 2, chat))
    lines.set_text("g", 1, "edited")
    lines.set_text("g", 3, "not in that chat")
    lines.delete("g", 2)
    lines.delete("g", 4)
    await store.flush()
    assert [(line.chat, line.seq, line.text) for line in await lines.load()] == [
        ("g", 1, "edited"),
        ("h", 3, "line 3"),
        ("h", 4, "line 4"),
    ]
    lines.delete_chat("h")
    await store.flush()
    assert [line.chat for line in await lines.load()] == ["g"]


async def test_each_session_keeps_its_place(store: Store) -> None:
    lines = ObservedLines(store, "signal")
    lines.set_cursor("one", 1)
    lines.set_cursor("one", 5)
    lines.set_cursor("other", 2)
    lines.delete_cursor("other")
    await store.flush()
    assert await lines.load_cursors() == {"one": 5}
