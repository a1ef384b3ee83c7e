"""The reader of right command lines agrees with click, and leaves everything else to it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.ctl.commands import COMMANDS, GRAMMAR
from tui.ctl.exits import USAGE, Failure
from tui.ctl.face import understand
from tui.ctl.grammar import Command, Invocation, read

WORDS = st.sampled_from(
    [
        *(command.name for command in COMMANDS),
        *(flag for command in COMMANDS for option in command.options for flag in option.flags),
        *(flag for option in GRAMMAR.options for flag in option.flags),
        *(
            "--cpu=2",
            "--memory=4GiB",
            "--resource=a=1",
            "--immediate=5s",
            "-wf",
            "-eA=b",
            "--json=1",
        ),
        *(
            "2",
            "4GiB",
            "a=1",
            "5s",
            "slots",
            "bash",
            "te-1",
            "{}",
            "x",
            "-",
            "--",
            "--nothing",
            "-z",
        ),
    ]
)


def judged_by_click(words: list[str]) -> Invocation | None:
    try:
        return understand(GRAMMAR, "0", words)
    except Failure:
        return None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=2))
def test_what_is_read_is_what_click_reads(
    command: Command, after: list[str], before: list[str]
) -> None:
    words = [*before, command.name, *after]
    plain = read(GRAMMAR, words)
    if plain is None or any(
        word == "--immediate" and not after.startswith("-") for word, after in pairwise(words)
    ):  # click takes the next word for S; that ends in an error, never in another meaning
        return
    assert plain == judged_by_click(words)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("run -- true", {"command": ["true"]}),
        ("run true --cpu 2", {"command": ["true", "--cpu", "2"]}),
        ("run sh -c -- x", {"command": ["sh", "-c", "--", "x"]}),
        ("run --immediate -- x", {"immediate": 0.0, "command": ["x"]}),
        ("run --immediate=2s x", {"immediate": 2.0, "command": ["x"]}),
        (
            "--json run --cpu=2 -e A=1 -e B=2 -n x",
            {
                "json": True,
                "cpu": 2.0,
                "env": [("A", "1"), ("B", "2")],
                "no_stdin": True,
                "command": ["x"],
            },
        ),
        ("alloc", {}),
        ("ls slots -w --json", {"what": "slots", "watch": True, "json": True}),
        ("events --type a --type b --since 3", {"type": ["a", "b"], "since": 3}),
        ("call ping", {"method": "ping"}),
        ("call job.open {}", {"method": "job.open", "params": "{}"}),
    ],
)
def test_a_right_line_is_read_without_click(words: str, values: dict[str, object]) -> None:
    invocation = read(GRAMMAR, words.split())
    assert invocation is not None
    assert invocation.values == values


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--json",
        "nothing",
        "run",
        "run --cpu",
        "run --cpu x -- y",
        "run --nothing x",
        "ls",
        "ls x",
        "ls slots jobs",
        "status x",
        "run -h",
        "run --env=A",
        "ls slots --json=1",
        "-- run x",
        "run --cpu -- x",
    ],
)
def test_a_wrong_line_is_left_to_click(words: str) -> None:
    assert read(GRAMMAR, words.split()) is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run --cpuu 2 -- x", "--cpuu"),
        ("run --memory 12 -- x", "'12' is not a size such as 512MB or 4GiB"),
        ("lss", "lss"),
        ("run", "Missing argument"),
        ("ls things", "'things' is not one of 'slots'"),
    ],
)
def test_a_wrong_line_is_a_usage_error_that_names_what_is_wrong(words: str, says: str) -> None:
    with pytest.raises(Failure) as caught:
        understand(GRAMMAR, "0", words.split())
    assert caught.value.exit_code == USAGE
    assert says in caught.value.message
    assert "Usage: slotctl" in caught.value.advice
    assert "--help" in caught.value.advice


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(GRAMMAR, "0", [command, "--help"]) is None
    assert f"Usage: slotctl {command}" in capsys.readouterr().out
