"""Deadlines: nothing stale ever fires, everything due does, earliest first."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.deadlines import Deadlines


def test_keys_fall_due_earliest_first_and_once() -> None:
    """E36"""
    deadlines = Deadlines[str]()
    deadlines.set("late", 3.0)
    deadlines.set("early", 1.0)
    deadlines.set("middle", 2.0)
    assert deadlines.next == 1.0
    assert deadlines.pop_due(0.9) == []
    assert deadlines.pop_due(2.0) == ["early", "middle"], "what is due exactly now is due"
    assert deadlines.pop_due(2.0) == []
    assert (deadlines.next, len(deadlines)) == (3.0, 1)


def test_keys_that_are_due_together_keep_the_order_in_which_they_were_set() -> None:
    deadlines = Deadlines[str]()
    for key in "cab":
        deadlines.set(key, 1.0)
    assert deadlines.pop_due(1.0) == ["c", "a", "b"]


def test_setting_a_key_again_replaces_its_deadline() -> None:
    """E36, E19, D21: the earlier deadline does not fire, whether it was sooner or later."""
    deadlines = Deadlines[str]()
    deadlines.set("postponed", 1.0)
    deadlines.set("postponed", 5.0)
    deadlines.set("advanced", 9.0)
    deadlines.set("advanced", 2.0)
    assert deadlines.next == 2.0
    assert deadlines.pop_due(4.0) == ["advanced"]
    assert deadlines.get("postponed") == 5.0
    assert deadlines.pop_due(9.0) == ["postponed"]


def test_a_key_that_was_discarded_never_fires_even_when_it_is_set_again() -> None:
    """D21"""
    deadlines = Deadlines[str]()
    deadlines.set("a", 1.0)
    deadlines.discard("a")
    deadlines.discard("unknown")
    assert (deadlines.next, "a" in deadlines, deadlines.get("a")) == (math.inf, False, None)
    deadlines.set("a", 2.0)
    assert deadlines.pop_due(1.5) == []
    assert deadlines.pop_due(2.0) == ["a"]


def test_deadlines_may_change_while_the_due_ones_are_worked_through() -> None:
    """E36, X507: what was popped is a list of its own."""
    deadlines = Deadlines[int]()
    for key in range(3):
        deadlines.set(key, 1.0)
    deadlines.set(3, 1.5)
    for key in deadlines.pop_due(1.0):
        deadlines.discard(3)
        deadlines.set(key, 2.0)
    assert deadlines.pop_due(2.0) == [0, 1, 2]


def test_a_deadline_that_is_not_a_number_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="'a': the deadline is not a number"):
        Deadlines[str]().set("a", math.nan)


def test_a_key_that_is_re_armed_for_ever_takes_no_room() -> None:
    """K02: a heartbeat re-arms its row at every beat."""
    deadlines = Deadlines[str]()
    for beat in range(10_000):
        deadlines.set("te-1", beat + 50.0)
        deadlines.set("te-2", beat + 60.0)
    assert len(deadlines._heap) <= 64 + 2  # pyright: ignore[reportPrivateUsage]  # its size is the point
    assert deadlines.pop_due(20_000.0) == ["te-1", "te-2"]


Change = tuple[str, int, float]
changes = st.lists(
    st.tuples(st.sampled_from(["set", "set", "discard", "pop"]), st.integers(0, 5), st.floats(0, 9))
)


@given(changes)
def test_deadlines_agree_with_a_plain_dict(steps: list[Change]) -> None:
    deadlines, model = Deadlines[int](), dict[int, float]()
    for what, key, at in steps:
        if what == "set":
            deadlines.set(key, at)
            model[key] = at
        elif what == "discard":
            deadlines.discard(key)
            model.pop(key, None)
        else:
            due = {key: due_at for key, due_at in model.items() if due_at <= at}
            popped = deadlines.pop_due(at)
            assert [model.pop(key) for key in popped] == sorted(due.values())
            assert set(popped) == set(due)
        assert deadlines.next == min(model.values(), default=math.inf)
        assert len(deadlines) == len(model)
        assert all(deadlines.get(key) == model.get(key) for key in range(6))
