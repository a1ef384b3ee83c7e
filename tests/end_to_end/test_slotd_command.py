"""The ``slotd`` command line: what it refuses, how it says so, and with which exit code."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from daemon.__main__ import run_command
from daemon.configuration.keys import KEYS
from daemon.configuration.loading import load
from daemon.configuration.machine import measure
from daemon.configuration.showing import rows


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    handler = signal.getsignal(signal.SIGHUP)
    for key in KEYS:
        monkeypatch.delenv(key.variable, raising=False)
    monkeypatch.delenv("SLOTD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield
    signal.signal(signal.SIGHUP, handler)
    structlog.reset_defaults()


def errors(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.splitlines()


def test_each_mistake_in_the_configuration_is_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "slotd.toml"
    file.write_text('placement = "best"\nrpc-timeout = "10"\n')
    assert run_command(["--config", str(file), "--slots", "many"]) == 64
    assert errors(capfd) == [
        "slotd: flag --slots: slots = 'many': expected a whole number from 1 to 100000 (or -1)",
        f"slotd: file {file}: placement = 'best': "
        "expected one of first-fit, best-fit, spread, pack",
        f"slotd: file {file}: rpc-timeout = '10': expected a duration with its unit, such as "
        "'500 ms', '50 s', '1 min' or '2 h'; a number alone has no unit: '10 s'?",
    ]


def test_a_typo_in_a_key_is_answered_with_the_key_that_was_meant(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "slotd.toml"
    file.write_text('slot-tiemout = "10 s"\n')
    monkeypatch.setenv("SLOTD_CONFIG", str(file))
    assert run_command(["check-config"]) == 64
    assert errors(capfd) == [
        f"slotd: file {file}: slot-tiemout: no such key; did you mean slot-timeout?"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sevre"], "Did you mean 'serve'?"),
        (["--slot-timeot", "1 s"], "'--slot-timeout'"),
        (["serve", "too", "much"], "unexpected extra argument"),
        (["--slots"], "requires an argument"),
        (["--listen", "0.0.0.0:6123"], "without TLS nothing may listen beyond loopback"),
    ],
)
def test_a_wrong_command_line_exits_with_64(
    arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 64
    assert words in "\n".join(errors(capfd))


def test_a_port_in_use_is_one_clear_line(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run_command(["--listen", f"127.0.0.1:{port}"]) == 69
    assert errors(capfd) == [
        f"slotd: listen = 127.0.0.1:{port}: Address already in use; "
        "is another slotd running? --listen chooses another port"
    ]


def test_a_state_directory_that_cannot_be_made_is_one_clear_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run_command(["--state-dir", f"{tmp_path}/file/state", "--listen", "127.0.0.1:0"]) == 69
    (line,) = errors(capfd)
    assert line == f"slotd: state-dir {tmp_path}/file/state: Not a directory"


def test_the_checked_configuration_is_shown_with_its_sources(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "slotd.toml"
    file.write_text('slot-timeout = "90 s"\nslot-profile = "cpu=1,memory=1GiB,gpu=2"\n')
    monkeypatch.setenv("SLOTD_RPC_TIMEOUT", "500 ms")
    assert run_command(["check-config", "--config", str(file), "--listen", "[::1]:0"]) == 0
    shown = capfd.readouterr().out.splitlines()
    assert len(shown) == len(KEYS)
    assert set(shown) >= {
        "listen = [::1]:0  (flag --listen)",
        f"slot-timeout = 90 s  (file {file})",
        f"slot-profile = cpu=1,memory=1024MiB,gpu=2  (file {file})",
        "rpc-timeout = 500 ms  (environment SLOTD_RPC_TIMEOUT)",
        "slot-idle-timeout = 50 s  (default)",
        "log-file = unset  (default)",
    }


def test_what_is_shown_can_be_given_again(tmp_path: Path) -> None:
    flags = {
        "listen": "[::1]:7",
        "state-dir": str(tmp_path),
        "slot-profile": "cpu=0.5,memory=3MiB,licence=2",
        "registration-timeout": "inf",
        "task-cancellation-grace": "0 s",
        "slot-timeout": "1.5 s",
        "log-file": str(tmp_path / "log"),
    }
    first = load(flags, {}, None, measure())
    shown = {name: value for name, value, _ in rows(first) if value}
    assert load(shown, {}, None, measure()).settings == first.settings


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capfd.readouterr().out.startswith("slotd ")
