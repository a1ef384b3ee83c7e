"""Heartbeats: who is lost when, who is due for a beat, who was heard of last."""

import math

import pytest

from daemon.core.heartbeats import HeartbeatMonitor


def monitor_of(*targets: str, now: float = 0.0) -> HeartbeatMonitor[str]:
    monitor = HeartbeatMonitor[str](interval_s=10.0, timeout_s=50.0)
    for target in targets:
        monitor.monitor(target, now)
    return monitor


@pytest.mark.parametrize(
    ("interval_s", "timeout_s", "message"),
    [
        (0.0, 50.0, "interval_s: expected a finite number > 0, got 0.0"),
        (-1.0, 50.0, "interval_s: expected a finite number > 0, got -1.0"),
        (math.nan, 50.0, "interval_s: expected a finite number > 0, got nan"),
        (math.inf, math.inf, "interval_s: expected a finite number > 0, got inf"),
        (10.0, 0.0, r"timeout_s: expected a finite number >= interval_s \(10.0\), got 0.0"),
        (10.0, 9.9, r"timeout_s: expected a finite number >= interval_s \(10.0\), got 9.9"),
        (10.0, math.nan, r"timeout_s: expected a finite number >= interval_s \(10.0\), got nan"),
    ],
)
def test_a_timeout_shorter_than_the_interval_is_refused(
    interval_s: float, timeout_s: float, message: str
) -> None:
    """K10, X509"""
    with pytest.raises(ValueError, match=message):
        HeartbeatMonitor[str](interval_s, timeout_s)


def test_a_timeout_as_long_as_the_interval_is_allowed() -> None:
    """K10"""
    HeartbeatMonitor[str](10.0, 10.0)


def test_who_is_silent_for_the_timeout_is_lost_once() -> None:
    """K03"""
    monitor = monitor_of("a", "b")
    monitor.beat("b", 20.0)
    assert monitor.expire(49.9) == []
    assert monitor.expire(50.0) == ["a"]
    assert monitor.expire(69.9) == []
    assert monitor.expire(1000.0) == ["b"]
    assert monitor.expire(1000.0) == []
    assert monitor.next_deadline == math.inf


def test_every_beat_puts_the_loss_off() -> None:
    """K02, K03: ten rounds of beats, then silence."""
    monitor = monitor_of("a")
    for now in range(10, 110, 10):
        assert monitor.beat("a", float(now))
        assert monitor.expire(float(now)) == []
    assert monitor.next_loss == 150.0
    assert monitor.expire(149.9) == []
    assert monitor.expire(150.0) == ["a"]


def test_who_is_not_watched_any_more_is_never_lost_nor_sent_to() -> None:
    """K05, K14"""
    monitor = monitor_of("a")
    monitor.unmonitor("a")
    monitor.unmonitor("unknown")
    assert monitor.expire(1000.0) == []
    assert monitor.due_to_send(1000.0) == []
    assert (monitor.next_deadline, monitor.next_loss) == (math.inf, math.inf)


def test_who_is_lost_is_not_sent_to_any_more() -> None:
    """K03, K14"""
    monitor = monitor_of("a")
    monitor.due_to_send(0.0)
    monitor.expire(50.0)
    assert monitor.due_to_send(50.0) == []
    assert not monitor.beat("a", 51.0)


def test_the_last_beat_is_unknown_until_there_was_one() -> None:
    """K06: neither an unknown target nor one that was never heard of has a last beat."""
    monitor = monitor_of("a")
    assert monitor.last_beat("a") is None
    assert monitor.last_beat("unknown") is None
    monitor.beat("a", 7.0)
    assert monitor.last_beat("a") == 7.0
    monitor.unmonitor("a")
    assert monitor.last_beat("a") is None


def test_watching_who_is_watched_keeps_deadline_and_last_beat() -> None:
    """K07, X509: a peer that comes back is unmonitored first."""
    monitor = monitor_of("a")
    monitor.beat("a", 5.0)
    monitor.monitor("a", 30.0)
    assert (monitor.last_beat("a"), monitor.next_loss) == (5.0, 55.0)
    monitor.unmonitor("a")
    monitor.monitor("a", 30.0)
    assert (monitor.last_beat("a"), monitor.next_loss) == (None, 80.0)


def test_a_beat_of_somebody_unknown_is_ignored() -> None:
    """K08"""
    monitor = monitor_of("a")
    assert not monitor.beat("b", 1.0)
    assert monitor.last_beat("b") is None
    assert monitor.expire(1000.0) == ["a"]


def test_beats_are_due_at_once_and_then_once_an_interval() -> None:
    """K04, K11: the shell asks when it wakes; the payload is made when it sends (K12)."""
    monitor = monitor_of("a", "b")
    assert monitor.next_deadline == 0.0
    assert monitor.due_to_send(0.0) == ["a", "b"]
    assert monitor.due_to_send(0.0) == []
    monitor.monitor("c", 4.0)
    assert monitor.due_to_send(4.0) == ["c"]
    assert monitor.due_to_send(10.0) == ["a", "b"]
    assert monitor.next_deadline == 14.0


def test_a_sender_that_slept_sends_one_beat_not_one_for_each_missed_interval() -> None:
    """K04"""
    monitor = monitor_of("a")
    monitor.due_to_send(0.0)
    assert monitor.due_to_send(45.0) == ["a"]
    assert monitor.due_to_send(54.9) == []
    assert monitor.due_to_send(55.0) == ["a"]


def test_beats_received_do_not_change_when_beats_are_sent() -> None:
    """K01, K11"""
    monitor = monitor_of("a")
    monitor.due_to_send(0.0)
    monitor.beat("a", 9.0)
    assert monitor.due_to_send(10.0) == ["a"]


def test_two_ends_that_hear_each_other_never_lose_each_other_until_one_stops() -> None:
    """K04, K11: a sender with 20 ms and 100 ms, and a receiver that answers until 0.5 s."""
    sender, receiver = (HeartbeatMonitor[str](0.02, 0.1) for _ in range(2))
    sender.monitor("te", 0.0)
    receiver.monitor("rm", 0.0)
    heard, lost_at = 0, math.inf
    for tick in range(100):
        now = tick / 100
        for _ in sender.due_to_send(now):
            if now < 0.5:
                heard += receiver.beat("rm", now) and sender.beat("te", now)
        if now < 0.5:
            assert receiver.expire(now) == []
        if sender.expire(now):
            lost_at = now
    assert heard >= 5
    assert 0.5 < lost_at <= 0.6
