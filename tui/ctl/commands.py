"""Every command of `slotctl` with its options; what a command needs is imported when it runs."""

from typing import Any

from tui.ctl.grammar import Argument, Command, Grammar, Option
from tui.ctl.values import (
    amount,
    choice,
    duration,
    immediate,
    location,
    mebibytes,
    resource,
    variable,
    whole,
)

KINDS = ("slots", "requests", "executors", "jobs", "leaders", "tasks")
SHELLS = ("bash", "zsh", "fish")


def _run(values: dict[str, Any]) -> int:
    from tui.ctl.run import run

    return run(values)


def _alloc(values: dict[str, Any]) -> int:
    from tui.ctl.alloc import alloc

    return alloc(values)


def _ls(values: dict[str, Any]) -> int:
    from tui.ctl.look import ls

    return ls(values)


def _status(values: dict[str, Any]) -> int:
    from tui.ctl.look import status

    return status(values)


def _explain(values: dict[str, Any]) -> int:
    from tui.ctl.look import explain

    return explain(values)


def _cancel(values: dict[str, Any]) -> int:
    from tui.ctl.acts import cancel

    return cancel(values)


def _release(values: dict[str, Any]) -> int:
    from tui.ctl.acts import release

    return release(values)


def _drain(values: dict[str, Any]) -> int:
    from tui.ctl.acts import drain

    return drain(values)


def _events(values: dict[str, Any]) -> int:
    from tui.ctl.events import events

    return events(values)


def _revoke(values: dict[str, Any]) -> int:
    from tui.ctl.acts import revoke

    return revoke(values)


def _call(values: dict[str, Any]) -> int:
    from tui.ctl.acts import call

    return call(values)


def _completion(values: dict[str, Any]) -> int:
    from tui.ctl.face import complete
    from tui.ctl.version import VERSION

    return complete(GRAMMAR, VERSION, f"{values['shell']}_source")


EXIT_CODES = """Exit codes: the command's own;
  124 timed out, 125 slotctl or slotd failed, 126 cannot run, 127 not found, 128+N signal N,
  64 usage, 69 slotd unreachable, 75 would have to wait, 77 not allowed, 78 can never be served"""

GENERAL = (
    Option(("--state-dir",), "Where slotd keeps its state (SLOTD_STATE_DIR).", str, "DIR"),
    Option(("--server",), "Speak to this slotd; needs --token-file.", str, "HOST:PORT"),
    Option(("--token-file",), "A file with the token, or an access file.", str, "FILE"),
    Option(("--json",), "Answer in JSON: one value, or one a line when it follows."),
)
SLOT = (
    Option(("--cpu",), "CPU cores.", amount, "N"),
    Option(("--memory",), "Memory, such as 512MB or 4GiB.", mebibytes, "SIZE"),
    Option(("--gpu",), "GPUs; short for --resource gpu=N.", amount, "N"),
    Option(("--resource",), "So much of something countable.", resource, "NAME=N", many=True),
    Option(
        ("--immediate",), "Exit 75 if there is no slot now [within S].", immediate, "[=S]", bare=""
    ),
    Option(("--wait",), "Exit 124 if there is no slot within D.", duration, "D"),
    Option(("--prefer",), "An executor, or host:NAME.", location, "WHERE", many=True),
    Option(("--job",), "Belong to this job; it is opened if there is none.", str, "NAME|ID"),
    Option(("--tag",), "A word of yours about the request.", str, "TEXT"),
)
_ID = Argument("id", metavar="ID")

COMMANDS = (
    Command(
        "run",
        "Run a command in a slot; pass its output, signals and exit code through.",
        _run,
        (
            *SLOT,
            Option(("-e", "--env"), "Set a variable for it.", variable, "NAME=VALUE", many=True),
            Option(("--cwd",), "Run it there, not in its scratch directory.", str, "DIR"),
            Option(("-n", "--no-stdin"), "Do not read standard input."),
        ),
        (Argument("command", rest=True, metavar="-- COMMAND..."),),
        EXIT_CODES,
    ),
    Command(
        "alloc",
        "Hold a slot and print its facts; with a command, run that here meanwhile.",
        _alloc,
        (*SLOT, Option(("--for",), "Give it back after D.", duration, "D")),
        (Argument("command", required=False, rest=True, metavar="[-- COMMAND...]"),),
        EXIT_CODES,
    ),
    Command(
        "ls",
        "List slots, requests, executors, jobs, leaders or tasks.",
        _ls,
        (Option(("-w", "--watch"), "Again after every change."),),
        (Argument("what", choice(*KINDS), metavar="|".join(KINDS)),),
    ),
    Command("status", "Show who leads, what there is and who waits.", _status),
    Command("explain", "Show why a request is where it is.", _explain, (), (_ID,)),
    Command("cancel", "Withdraw a request, end a task, or close a job.", _cancel, (), (_ID,)),
    Command("release", "Give a slot back, or withdraw a request.", _release, (), (_ID,)),
    Command(
        "drain",
        "Give an executor no new slots; wait until its last one is free.",
        _drain,
        (Option(("--deadline",), "Stop waiting after D.", duration, "D"),),
        (Argument("executor", metavar="EXECUTOR"),),
    ),
    Command(
        "events",
        "Show what happened; with -f, what happens.",
        _events,
        (
            Option(("-f", "--follow"), "Go on until interrupted."),
            Option(("--since",), "Only events after this number.", whole, "SEQ"),
            Option(("--type",), "Only events of this type.", str, "T", many=True),
        ),
    ),
    Command(
        "revoke",
        "Make a leader step down, as a drill: resource_manager or job_master/ID.",
        _revoke,
        (),
        (Argument("component", metavar="COMPONENT"),),
    ),
    Command(
        "call",
        "Call a method of the protocol and print its result.",
        _call,
        (),
        (
            Argument("method", metavar="METHOD"),
            Argument("params", required=False, metavar="[JSON]"),
        ),
        "JSON is an object, or - to read it from standard input.",
    ),
    Command(
        "completion",
        "Print what makes a shell complete slotctl's words.",
        _completion,
        (),
        (Argument("shell", choice(*SHELLS), metavar="|".join(SHELLS)),),
        'In ~/.bashrc: eval "$(slotctl completion bash)"',
    ),
)

GRAMMAR = Grammar({command.name: command for command in COMMANDS}, GENERAL)
