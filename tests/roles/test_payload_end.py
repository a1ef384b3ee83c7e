"""How a command ends: by TERM, grace, KILL, and with every process that it started."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from daemon.payload.payload import Chunk, Payload, PayloadExit, PayloadSpecification
from daemon.payload.scratch import make_scratch, remove_tree
from protocol.ids import TaskId

PATIENT_S = 3600.0
"""A grace that no test waits for: what ends under it obeyed TERM."""


OBEYS_TERM = f"""exec {sys.executable} -c '
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
print("last words")
sys.exit(5)
'"""
"""No trap of a shell: one that comes just before it waits is seen only when the wait is over."""


class FirstLine:
    """Waits for the first line that a command writes: it is ready then."""

    def __init__(self) -> None:
        self._data = b""
        self._complete = trio.Event()

    async def __call__(self, chunk: Chunk) -> None:
        self._data += chunk.data
        if b"\n" in self._data:
            self._complete.set()
        await trio.lowlevel.checkpoint()

    async def wait(self) -> str:
        await self._complete.wait()
        return self._data.split(b"\n")[0].decode()

    @property
    def now(self) -> str:
        return self._data.decode()


class Running:
    """A payload running in a nursery, ready, with the pids that its first line names."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self.line = FirstLine()
        self.ended: PayloadExit | None = None
        self.scope = trio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            self.ended = await self.payload.run(self.line)


Make = Callable[..., Payload]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_payload(script: str, grace_s: float = PATIENT_S, stdin: bytes = b"") -> Payload:
        env = {"PATH": os.environ["PATH"]}
        command = ("sh", "-c", script)
        return Payload(
            PayloadSpecification(TaskId("t"), command, env, None, stdin, tmp_path, None, None),
            grace_s,
        )

    return make_payload


def is_gone(pid: int | str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    return False


async def stop_when_ready(payload: Payload, grace_s: float | None = None) -> Running:
    """Runs to the first line, stops, and waits for the end."""
    running = Running(payload)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        await running.line.wait()
        payload.stop("no longer wanted", grace_s)
    return running


async def test_stop_sends_term_and_reports_the_cause(make: Make) -> None:
    running = await stop_when_ready(make("echo ready; exec sleep 1000"))
    assert running.ended == PayloadExit(signal=15, cause="no longer wanted")


async def test_a_command_that_obeys_term_keeps_its_own_exit_code(make: Make) -> None:
    running = await stop_when_ready(make(OBEYS_TERM))
    assert running.ended == PayloadExit(exit_code=5, cause="no longer wanted")


async def test_a_command_that_ignores_term_is_killed_after_the_grace(make: Make) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"
    running = await stop_when_ready(make(script, grace_s=0.01))
    assert running.ended == PayloadExit(signal=9, cause="no longer wanted")


async def test_the_grace_of_a_call_overrides_the_configured_one(make: Make) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 1000; done"
    running = await stop_when_ready(make(script, grace_s=PATIENT_S), grace_s=0)
    assert running.ended == PayloadExit(signal=9, cause="no longer wanted")


async def test_a_second_stop_brings_the_kill_nearer_and_keeps_the_first_cause(make: Make) -> None:
    running = Running(make("trap '' TERM; echo ready; while :; do sleep 1000; done"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        await running.line.wait()
        running.payload.stop("first")
        running.payload.stop("second", grace_s=0)
        running.payload.stop("third", grace_s=PATIENT_S)
    assert running.ended == PayloadExit(signal=9, cause="first")


async def test_what_is_stopped_before_it_starts_never_runs(make: Make, tmp_path: Path) -> None:
    payload = make(f"touch {tmp_path}/ran")
    payload.stop("too late")
    assert await payload.run(FirstLine()) == PayloadExit(cause="too late")
    assert names_in(tmp_path) == set()


async def test_a_stop_after_the_end_changes_nothing(make: Make) -> None:
    payload = make("exit 2")
    ended = await payload.run(FirstLine())
    payload.stop("too late")
    assert ended == PayloadExit(exit_code=2)


async def test_a_suspended_command_obeys_term(make: Make) -> None:
    """TERM alone would wait for a continue that never comes."""
    running = await stop_when_ready(make("echo ready; kill -STOP $$"))
    assert running.ended == PayloadExit(signal=15, cause="no longer wanted")


async def test_children_of_a_shell_are_ended_with_it(make: Make) -> None:
    running = await stop_when_ready(make("sleep 1000 & echo $!; wait"))
    assert is_gone(running.line.now)


async def test_a_background_child_does_not_outlive_a_command_that_exits(make: Make) -> None:
    line = FirstLine()
    assert await make("sleep 1000 & echo $!; exit 4").run(line) == PayloadExit(exit_code=4)
    assert is_gone(line.now)


async def test_a_background_child_that_ignores_term_is_killed(make: Make) -> None:
    line = FirstLine()
    child = "(trap '' TERM; echo ready >$TMPDIR/pipe; while :; do sleep 1000; done) &"
    script = f"mkfifo $TMPDIR/pipe; {child} echo $!; read ready <$TMPDIR/pipe"
    assert await make(script, grace_s=0.01).run(line) == PayloadExit(exit_code=0)
    assert is_gone(line.now)


DOUBLE_FORK = """
    mkfifo $TMPDIR/pipe
    (setsid sh -c 'echo $$ >$TMPDIR/pipe; exec sleep 1000 </dev/null >/dev/null 2>&1' &)
    cat $TMPDIR/pipe
"""
"""Starts a daemon in a session of its own, of a dead parent, its descriptors closed."""


async def test_a_daemon_of_a_double_fork_does_not_outlive_its_command(make: Make) -> None:
    line = FirstLine()
    assert await make(DOUBLE_FORK + "exit 6").run(line) == PayloadExit(exit_code=6)
    assert is_gone(line.now)


async def test_a_daemon_of_a_double_fork_does_not_survive_a_stop(make: Make) -> None:
    running = await stop_when_ready(make(DOUBLE_FORK + "exec sleep 1000"))
    assert is_gone(running.line.now)


async def test_a_daemon_of_a_double_fork_does_not_survive_cancelling(make: Make) -> None:
    running = Running(make(DOUBLE_FORK + "exec sleep 1000"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        pid = await running.line.wait()
        running.scope.cancel()
    assert is_gone(pid)


async def test_an_adopted_process_of_one_command_is_no_concern_of_another(make: Make) -> None:
    running = Running(make("(sleep 1000 & echo $!); exec sleep 1000"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        orphan = await running.line.wait()
        assert await make("exit 0").run(FirstLine()) == PayloadExit(exit_code=0)
        assert not is_gone(orphan)
        running.payload.stop("enough")
    assert is_gone(orphan)


async def test_one_that_escapes_and_holds_the_output_does_not_hold_the_end(make: Make) -> None:
    """An emptied environment in a session of its own: what is not contained yet (operations.md)."""
    line = FirstLine()
    escape = "env -i PIPE=$TMPDIR/pipe setsid sh -c 'echo $$ >$PIPE; exec sleep 1000' &"
    script = f"mkfifo $TMPDIR/pipe; {escape} cat $TMPDIR/pipe"
    assert await make(script).run(line) == PayloadExit(exit_code=0)
    assert not is_gone(line.now)
    os.kill(int(line.now), signal.SIGKILL)
    os.waitpid(int(line.now), 0)  # noqa: ASYNC222  # adopted and killed: it does not block


async def test_cancelling_kills_at_once(make: Make, tmp_path: Path) -> None:
    script = "trap '' TERM; touch $TMPDIR/file; echo $$; while :; do sleep 1000; done"
    running = Running(make(script))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.run)
        await running.line.wait()
        running.scope.cancel()
    assert running.scope.cancelled_caught
    assert is_gone(running.line.now)
    assert names_in(tmp_path) == set()


async def test_stop_ends_a_command_whose_reader_is_stuck(make: Make) -> None:
    """The processes end while the reader sleeps; ``run`` waits for it alone."""
    released, first = trio.Event(), list[Chunk]()

    async def stuck(chunk: Chunk) -> None:
        first.append(chunk)
        await released.wait()

    payload = make("echo $$; exec yes")
    ended = list[PayloadExit]()

    async def run() -> None:
        ended.append(await payload.run(stuck))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        while not first:
            await trio.testing.wait_all_tasks_blocked(0.001)
        pid = int(first[0].data.split()[0])
        pidfd = os.pidfd_open(pid)
        payload.stop("enough")
        await trio.lowlevel.wait_readable(pidfd)
        os.close(pidfd)
        assert ended == []
        released.set()
    assert ended == [PayloadExit(signal=15, cause="enough")]


async def test_stop_ends_a_command_that_never_reads_its_input(make: Make) -> None:
    running = await stop_when_ready(make("echo ready; exec sleep 1000", stdin=bytes(1 << 20)))
    assert running.ended == PayloadExit(signal=15, cause="no longer wanted")


async def test_what_was_written_before_the_end_arrives(make: Make) -> None:
    """Words that come after TERM, too."""
    running = await stop_when_ready(make(OBEYS_TERM))
    assert running.line.now == "ready\nlast words\n"


async def test_many_at_once_end_each_with_its_own_code(make: Make) -> None:
    codes: dict[int, int | None] = {}

    async def run(code: int) -> None:
        codes[code] = (await make(f"sleep 1000 & exit {code}").run(FirstLine())).exit_code

    async with trio.open_nursery() as nursery:
        for code in range(30):
            nursery.start_soon(run, code)
    assert codes == {code: code for code in range(30)}


def names_in(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


async def test_scratch_files_of_every_kind_are_removed(make: Make, tmp_path: Path) -> None:
    """The link leads to files of this test alone: were it followed, nothing else would be lost."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    script = (
        f"cd $TMPDIR && mkdir -p a/b && touch a/b/file .hidden && mkfifo pipe && ln -s {precious}"
        " link && chmod 400 a/b/file && chmod 500 a/b && chmod 000 a"
    )
    assert await make(script).run(FirstLine()) == PayloadExit(exit_code=0)
    assert names_in(tmp_path) == {"precious"}
    assert names_in(precious) == {"file"}


@pytest.fixture
def as_plain_user() -> Iterator[Path]:
    """A directory of a user who is stopped by permissions, as root is not."""
    with tempfile.TemporaryDirectory() as directory:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(directory, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(directory)
        finally:
            if is_root:
                os.seteuid(0)


def test_permissions_do_not_stop_the_removal(as_plain_user: Path) -> None:
    scratch = make_scratch(as_plain_user)
    (scratch / "a" / "b").mkdir(parents=True)
    (scratch / "a" / "b" / "file").touch(mode=0o400)
    for directory in ("a/b", "a", "."):
        (scratch / directory).chmod(0)
    remove_tree(scratch)
    assert names_in(as_plain_user) == set()


def test_symbolic_links_are_not_followed_by_the_removal(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o500)
    (precious / "file").touch()
    scratch = make_scratch(tmp_path)
    (scratch / "link").symlink_to(precious, target_is_directory=True)
    (scratch / "broken").symlink_to("/no/such")
    remove_tree(scratch)
    assert names_in(tmp_path) == {"precious"}
    assert names_in(precious) == {"file"}
    assert precious.stat().st_mode & 0o777 == 0o500


def test_a_tree_of_any_depth_is_removed(tmp_path: Path) -> None:
    """Deeper than the interpreter's stack, its descriptors and the system's longest path."""
    scratch = make_scratch(tmp_path)
    here = os.open(scratch, os.O_RDONLY)
    for _ in range(sys.getrecursionlimit() * 3):
        os.mkdir("deep", dir_fd=here)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    remove_tree(scratch)
    assert names_in(tmp_path) == set()
