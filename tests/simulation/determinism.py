"""The one place that reaches into Trio: the same seed gives the same run, to the last step."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing


def run_deterministically(main: Callable[[random.Random], Awaitable[Any]], seed: int) -> Any:
    """Run ``main`` under a jumping clock; every choice of Trio and of ``main`` is from ``seed``."""
    run: Any = trio._core._run
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r = random.Random(seed)
    clock = trio.testing.MockClock(autojump_threshold=0)
    try:
        return trio.run(main, random.Random(seed), clock=clock)
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = False
