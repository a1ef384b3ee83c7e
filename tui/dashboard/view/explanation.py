"""Why one request waits, line by line."""

from protocol.ids import AllocationId
from protocol.messages.client import Explanation
from protocol.messages.values import SlotKind
from tui.dashboard.link.news import Explained
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.view.table import Look
from tui.dashboard.view.tables.names import job_name
from tui.dashboard.view.tables.pending import left_role


def explanation_lines(look: Look, allocation_id: AllocationId, now: float) -> list[Phrase]:
    """What is known about the request; ``now`` is monotonic, for the age of the answer."""
    request = look.store.cluster.requests.get(allocation_id)
    lines: list[Phrase] = [[(f"request {allocation_id}", Role.TITLE)]]
    if request is None:
        return [*lines, [], [("It no longer waits; the events tell how it ended.", Role.STRONG)]]
    left = request.deadline - look.at
    lines += [
        [
            (f"of job {job_name(look.store, request.job_id)}, ", Role.PLAIN),
            (f"wants {words.profile(request.profile)}, ", Role.PLAIN),
            (f"waits for {words.age(look.at - request.since)}, ", Role.PLAIN),
            (f"{words.countdown(left)} left", left_role(left)),
        ],
        [],
    ]
    told = look.store.explanations.get(allocation_id)
    if told is None:
        return [*lines, [("Asking the daemon why ...", Role.DIM)]]
    if told.explanation is None:
        return [*lines, [(f"The daemon cannot say: {told.error}", Role.WARNING)]]
    return lines + _told(told, told.explanation, now)


def _told(told: Explained, explanation: Explanation, now: float) -> list[Phrase]:
    lines: list[Phrase] = [
        [(explanation.state, Role.PENDING), (f"  {explanation.reason}", Role.STRONG)],
        [],
    ]
    if explanation.position is not None:
        place = f"place {explanation.position} among those that want the same"
        lines.append([(place, Role.PLAIN)])
    if explanation.nearest is not None:
        lines.append([(f"nearest: {explanation.nearest}", Role.WARNING)])
    if explanation.kinds:
        lines += [[], [("slots of each kind", Role.TITLE)]]
        lines += map(_kind, explanation.kinds)
    ago = words.age(now - told.heard_at)
    return [*lines, [], [(f"the daemon's answer of {ago} ago", Role.DIM)]]


def _kind(kind: SlotKind) -> Phrase:
    number = f"{words.counted(kind.slots, 'slot')}, {words.count(kind.free)} free"
    fits = ("fits", Role.GOOD) if kind.fits else ("too small", Role.DIM)
    profile = words.profile(kind.profile)
    return [(f"  {profile}: {number}, ", Role.PLAIN), fits, (f", {kind.reason}", Role.PLAIN)]
