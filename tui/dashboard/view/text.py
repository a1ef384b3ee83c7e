"""Every fact of the dashboard as plain lines, one entity a line."""

from collections.abc import Iterator

from protocol.ids import RESOURCE_MANAGER, Component, job_master
from tui.dashboard.store.store import Store
from tui.dashboard.view import words
from tui.dashboard.view.bar import counts_line
from tui.dashboard.view.glyphs import Glyphs
from tui.dashboard.view.phrase import plain
from tui.dashboard.view.table import Look, Table
from tui.dashboard.view.tables.executors import EXECUTORS
from tui.dashboard.view.tables.jobs import JOBS
from tui.dashboard.view.tables.names import job_name
from tui.dashboard.view.tables.pending import PENDING
from tui.dashboard.view.tables.slots import SLOTS

EVERY_COLUMN = 1_000


def facts(store: Store, now: float, glyphs: Glyphs) -> Iterator[str]:
    """The cluster, its leaders, and each table with all its columns and rows."""
    status = store.status
    look = Look(store, store.daemon_time(now), glyphs.more)
    yield f"cluster {status.cluster} at {status.address}, seq {store.cluster.seq}"
    yield from _leaders(look)
    yield " ".join(plain(counts_line(store, EVERY_COLUMN, glyphs)).split())
    for table in (PENDING, JOBS, EXECUTORS, SLOTS):
        yield ""
        yield from _listed(look, table)


def _leaders(look: Look) -> Iterator[str]:
    yield _led(look, RESOURCE_MANAGER, "resource manager")
    for job_id in look.store.cluster.jobs:
        name = job_name(look.store, job_id)
        yield _led(look, job_master(job_id), f"job master of {name} ({words.short(job_id)})")


def _led(look: Look, component: Component, name: str) -> str:
    leader = look.store.cluster.leaders.get(component)
    if leader is None:
        return f"leader of {name}: none"
    term = f"{leader.leader_id} epoch {leader.epoch} at {leader.address}"
    return f"leader of {name}: {term} for {words.age(look.at - leader.since)}"


def _listed(look: Look, table: Table) -> Iterator[str]:
    rows = sorted(table.rows(look.store).values(), key=lambda row: table.order(look, row))
    summary = table.summary(look)
    yield f"{table.name}: {len(rows)}" + (f", {summary}" if summary else "")
    if not rows:
        yield f"  {table.empty}"
        return
    lines = [[column.title for column in table.columns]]
    lines += [[column.cell(look, row).text for column in table.columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for cells in lines:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"  {'  '.join(padded)}".rstrip()
