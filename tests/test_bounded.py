"""A mapping that keeps the entries put last."""

from __future__ import annotations

from hermes_hardened_adapters.common.core.bounded import Bounded, Expiring


def test_the_oldest_entry_has_to_go() -> None:
    bounded: Bounded[str, int] = Bounded(2)
    assert bounded.put("a", 1) is None
    assert bounded.put("b", 2) is None
    assert bounded.put("c", 3) == ("a", 1)
    assert list(bounded.items()) == [("b", 2), ("c", 3)]


def test_an_entry_put_again_is_the_latest_and_takes_no_other_place() -> None:
    bounded: Bounded[str, int] = Bounded(2, [("a", 1), ("b", 2)])
    assert bounded.put("a", 3) is None
    assert bounded.put("c", 4) == ("b", 2)
    assert bounded == {"a": 3, "c": 4}


def test_of_too_many_first_entries_the_last_stay() -> None:
    assert list(Bounded(2, [("a", 1), ("b", 2), ("c", 3)])) == ["b", "c"]


def test_without_a_limit_nothing_goes() -> None:
    bounded: Bounded[int, int] = Bounded(None)
    assert not any(bounded.put(number, number) for number in range(1_000))
    assert len(bounded) == 1_000


def test_each_value_goes_at_its_time() -> None:
    now = 100.0
    kept: Expiring[str, int] = Expiring(3, lambda: now)
    kept.put("a", 1, 10)
    kept.put("b", 2)
    kept.put("c", 3, 20)
    assert (kept.lasts("a"), kept.lasts("b"), kept.lasts("none")) == (10, None, None)
    assert kept.expire() == 110
    now = 110.0
    assert kept.get("a") is None
    assert list(kept) == ["b", "c"]
    assert kept.values() == [2, 3]
    now = 1_000_000.0
    assert kept.expire() is None
    assert kept.values() == [2]


def test_of_too_many_values_the_oldest_goes() -> None:
    kept: Expiring[str, int] = Expiring(2, lambda: 0.0)
    for number, key in enumerate("abc"):
        kept.put(key, number, 10)
    assert list(kept) == ["b", "c"]
