"""One command in a slot, with real processes: output, input, exit, and what the system enforces."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from daemon.payload.orphans import prepare_process
from daemon.payload.payload import Chunk, Payload, PayloadExit, PayloadSpecification
from protocol.ids import TaskId

ENVIRONMENT = {"PATH": os.environ["PATH"], "GREETING": "hello"}


class Output:
    """Collects what a command writes and lets a test wait for it."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self._news = trio.Event()

    async def __call__(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self._news.set()
        self._news = trio.Event()
        await trio.lowlevel.checkpoint()

    def of(self, stream: str) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks if chunk.stream == stream)

    async def line(self) -> str:
        while b"\n" not in self.of("stdout"):
            await self._news.wait()
        return self.of("stdout").split(b"\n")[0].decode()


MakePayload = Callable[..., Payload]


def names_in(directory: Path | str) -> set[str]:
    return {entry.name for entry in Path(directory).iterdir()}


@pytest.fixture
def make(tmp_path: Path) -> MakePayload:
    def make_payload(
        *command: str,
        stdin: bytes = b"",
        cwd: str | None = None,
        cpus: frozenset[int] | None = None,
        memory_mb: int | None = None,
        scratch_parent: Path = tmp_path,
        grace_s: float = 30.0,
    ) -> Payload:
        specification = PayloadSpecification(
            task_id=TaskId("t1"),
            command=command,
            env=ENVIRONMENT,
            cwd=cwd,
            stdin=stdin,
            scratch_parent=scratch_parent,
            cpus=cpus,
            memory_mb=memory_mb,
        )
        return Payload(specification, grace_s)

    return make_payload


async def test_output_comes_in_both_streams_and_the_exit_code_as_it_was(make: MakePayload) -> None:
    output = Output()
    ended = await make("sh", "-c", "echo out; echo err >&2; exit 3").run(output)
    assert ended == PayloadExit(exit_code=3)
    assert (output.of("stdout"), output.of("stderr")) == (b"out\n", b"err\n")


async def test_a_signal_is_reported_as_a_signal(make: MakePayload) -> None:
    assert await make("sh", "-c", "kill -USR1 $$").run(Output()) == PayloadExit(signal=10)


async def test_ten_megabytes_come_in_order_and_in_bounded_chunks(make: MakePayload) -> None:
    output = Output()
    program = "import sys\nfor n in range(10240): sys.stdout.write(f'{n:1023}\\n')"
    assert await make(sys.executable, "-c", program).run(output) == PayloadExit(exit_code=0)
    assert output.of("stdout") == b"".join(b"%1023d\n" % n for n in range(10240))
    offset = 0
    for chunk in output.chunks:
        assert chunk.offset == offset
        assert len(chunk.data) <= 64 * 1024
        offset += len(chunk.data)


async def test_bytes_that_are_no_text_come_through_unchanged(make: MakePayload) -> None:
    output = Output()
    await make("printf", r"\377\000\200").run(output)
    assert output.of("stdout") == b"\xff\x00\x80"


async def test_input_and_output_of_a_megabyte_do_not_block_each_other(make: MakePayload) -> None:
    data, output = os.urandom(1 << 20), Output()
    assert await make("cat", stdin=data).run(output) == PayloadExit(exit_code=0)
    assert output.of("stdout") == data


async def test_a_short_input_is_followed_by_its_end(make: MakePayload) -> None:
    output = Output()
    await make("cat", stdin=b"one line").run(output)
    assert output.of("stdout") == b"one line"


async def test_a_command_need_not_read_its_input(make: MakePayload) -> None:
    assert await make("true", stdin=bytes(1 << 20)).run(Output()) == PayloadExit(exit_code=0)


async def test_without_input_a_command_reads_an_empty_one(make: MakePayload) -> None:
    assert await make("cat").run(Output()) == PayloadExit(exit_code=0)


async def test_closing_the_output_early_is_not_the_end(make: MakePayload) -> None:
    command = make("sh", "-c", "exec >&- 2>&-; head -c 1 >/dev/null; exit 7", stdin=b"x")
    assert await command.run(Output()) == PayloadExit(exit_code=7)


async def test_a_slow_reader_holds_back_its_own_command_alone(make: MakePayload) -> None:
    """The bound of memory is one chunk and one pipe a stream; a neighbour is not concerned."""
    released, chunks = trio.Event(), list[Chunk]()
    ended = list[PayloadExit]()

    async def stuck(chunk: Chunk) -> None:
        chunks.append(chunk)
        await released.wait()

    async def run_stuck(payload: Payload) -> None:
        ended.append(await payload.run(stuck))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_stuck, make("head", "-c", "1000000", "/dev/zero"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await make("echo", "neighbour").run(Output()) == PayloadExit(exit_code=0)
        assert (len(chunks), ended) == (1, [])
        released.set()
    assert ended == [PayloadExit(exit_code=0)]
    assert sum(len(chunk.data) for chunk in chunks) == 1_000_000


async def test_the_environment_is_the_given_one_with_the_scratch_directory(
    make: MakePayload, tmp_path: Path
) -> None:
    output = Output()
    await make("env").run(output)
    seen = dict(line.split("=", 1) for line in output.of("stdout").decode().splitlines())
    scratch = Path(seen.pop("SLOT_TMPDIR"))
    assert seen == {**ENVIRONMENT, "TMPDIR": str(scratch)}
    assert scratch.parent == tmp_path
    assert names_in(tmp_path) == set()


async def test_it_runs_in_the_directory_asked_for(make: MakePayload, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    output = Output()
    await make("pwd", cwd=str(tmp_path / "here")).run(output)
    assert output.of("stdout") == f"{tmp_path}/here\n".encode()


async def test_it_gets_a_session_and_a_process_group_of_its_own(make: MakePayload) -> None:
    output = Output()
    program = "import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))"
    await make(sys.executable, "-c", program).run(output)
    assert output.of("stdout") == b"True\n"


async def test_broken_pipes_end_a_command_as_in_a_shell(make: MakePayload) -> None:
    """Python ignores SIGPIPE; a command must not inherit that."""
    assert await make("sh", "-c", "kill -PIPE $$").run(Output()) == PayloadExit(signal=13)


@pytest.mark.parametrize(
    ("command", "exit_code", "words"),
    [
        (["no-such-command-anywhere"], 127, "'no-such-command-anywhere': No such file"),
        (["./missing"], 127, "'./missing': No such file"),
        (["/etc/passwd"], 126, "'/etc/passwd': Permission denied"),
        (["/tmp"], 126, "'/tmp': Permission denied"),
        (["echo", "a\0b"], 126, "'echo': embedded null byte"),
        (["echo", "x" * 3_000_000], 126, "'echo': Argument list too long"),
        ([], 126, "command: expected at least one word, got none"),
    ],
)
async def test_what_cannot_be_started_exits_as_in_a_shell_and_says_why(
    make: MakePayload, tmp_path: Path, command: list[str], exit_code: int, words: str
) -> None:
    ended = await make(*command).run(Output())
    assert ended.exit_code == exit_code
    assert words in (ended.cause or "")
    assert names_in(tmp_path) == set()


async def test_a_directory_that_does_not_exist_is_named(make: MakePayload, tmp_path: Path) -> None:
    ended = await make("true", cwd="/no/such").run(Output())
    assert ended == PayloadExit(126, cause="cwd: '/no/such' is not a directory on this host")
    assert names_in(tmp_path) == set()


async def test_without_a_place_for_scratch_nothing_runs(make: MakePayload, tmp_path: Path) -> None:
    ended = await make("true", scratch_parent=tmp_path / "gone").run(Output())
    assert ended.exit_code == 126
    assert "cannot make a scratch directory" in (ended.cause or "")


async def test_cores_and_memory_are_limited_and_reported(make: MakePayload) -> None:
    core = min(os.sched_getaffinity(0))
    payload = make("sh", "-c", "echo $$; exec sleep 1000", cpus=frozenset({core}), memory_mb=512)
    assert payload.enforced == []
    output = Output()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(payload.run, output)
        pid = int(await output.line())
        assert os.sched_getaffinity(pid) == {core}
        assert resource.prlimit(pid, resource.RLIMIT_DATA) == (512 << 20, 512 << 20)
        assert payload.enforced == ["cpu_affinity", "data_segment"]
        payload.stop("seen", grace_s=0)


async def test_what_the_system_refuses_is_not_reported_as_enforced(make: MakePayload) -> None:
    payload = make("true", cpus=frozenset({100_000}))
    assert await payload.run(Output()) == PayloadExit(exit_code=0)
    assert payload.enforced == []


async def test_no_descriptor_of_the_daemon_reaches_a_command(make: MakePayload) -> None:
    """One that the daemon inherited itself included."""
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    prepare_process.__wrapped__()
    output = Output()
    program = "import os; print(sorted(os.listdir('/proc/self/fd')))"
    await make(sys.executable, "-c", program).run(output)
    os.close(inherited)
    assert output.of("stdout") == b"['0', '1', '2', '3']\n"  # 3 is the listing itself


async def test_no_descriptor_is_left_in_the_daemon(make: MakePayload) -> None:
    before = names_in("/proc/self/fd")
    await make("cat", stdin=bytes(1 << 20)).run(Output())
    await make("true", stdin=bytes(1 << 20)).run(Output())
    await make("no-such-command", stdin=b"x").run(Output())
    assert names_in("/proc/self/fd") == before


async def test_an_error_of_the_reader_ends_the_command(make: MakePayload, tmp_path: Path) -> None:
    async def fail(chunk: Chunk) -> None:
        raise LookupError(chunk.data.decode())

    with pytest.raises(ExceptionGroup) as caught:
        await make("sh", "-c", "echo $$; exec sleep 1000").run(fail)
    (error,) = caught.value.exceptions
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(error)), 0)
    assert names_in(tmp_path) == set()
