"""The queue of statements that wait for the disk: in order, replaceable by key, bounded."""

from __future__ import annotations

from hermes_hardened_adapters.common.state import backlog as module
from hermes_hardened_adapters.common.state.backlog import Backlog
from hermes_hardened_adapters.common.state.database import Statement

ONE: Statement = ("SELECT 1", ())
TWO: Statement = ("SELECT 2", ())


def numbers(backlog: Backlog) -> list[int]:
    return [number for _, (number, _) in backlog.batch()]


def test_entries_leave_in_the_order_in_which_they_came() -> None:
    backlog = Backlog()
    for number in (3, 5, 7):
        backlog.put(number, [ONE])
    assert numbers(backlog) == [3, 5, 7]
    assert [backlog.has_up_to(number) for number in (2, 3, 9)] == [False, True, True]
    backlog.remove(backlog.batch())
    assert len(backlog) == 0
    assert not backlog.has_up_to(9)


def test_a_later_entry_with_the_same_key_is_the_only_one() -> None:
    backlog = Backlog()
    backlog.put(1, [ONE], key="status")
    backlog.put(2, [ONE])
    backlog.put(3, [TWO], key="status")
    assert [(number, [*statements]) for _, (number, statements) in backlog.batch()] == [(2, [ONE]), (3, [TWO])]


def test_what_was_replaced_while_it_was_being_written_still_waits() -> None:
    backlog = Backlog()
    backlog.put(1, [ONE], key="status")
    backlog.put(2, [ONE])
    written = backlog.batch()
    backlog.put(3, [TWO], key="status")
    backlog.remove(written)
    assert numbers(backlog) == [3]


def test_beyond_the_limit_the_oldest_entries_are_dropped() -> None:
    backlog = Backlog(limit=2)
    for number in range(5):
        backlog.put(number, [ONE])
    assert numbers(backlog) == [3, 4]


def test_a_batch_fits_one_transaction() -> None:
    backlog = Backlog()
    for number in range(module._BATCH + 1):
        backlog.put(number, [ONE])
    backlog.remove(backlog.batch())
    assert numbers(backlog) == [module._BATCH]
