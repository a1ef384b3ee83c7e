"""How a row names what belongs to it."""

import functools

from protocol.ids import JobId
from tui.dashboard.store.store import Store
from tui.dashboard.view import words


def job_name(store: Store, job_id: JobId | None) -> str:
    """The job's name; its short id when the job is not known, ``-`` when there is none."""
    if job_id is None:
        return words.UNKNOWN_FACT
    job = store.cluster.jobs.get(job_id)
    return words.short(job_id) if job is None else job.name or words.short(job_id)


@functools.lru_cache(maxsize=1 << 16)
def natural(text: str) -> tuple[tuple[str, int], ...]:
    """Sorts ``te-10`` after ``te-9``: runs of digits count as numbers."""
    parts: list[tuple[str, int]] = []
    word = number = ""
    for character in text:
        if character.isdecimal() and character.isascii():
            number += character
            continue
        if number:
            parts.append((word, int(number)))
            word = number = ""
        word += character
    return (*parts, (word, int(number or -1)))
