"""`slotctl`: reads the command line, runs one command, and turns every end into an exit code."""

import os
import sys
from typing import Any

from tui.ctl.commands import GRAMMAR
from tui.ctl.exits import SIGNALLED, Failure, Interrupted
from tui.ctl.grammar import Invocation, read
from tui.ctl.version import VERSION

SIGINT = 2
SIGPIPE = 13


def main() -> None:
    """The entry point of the installed command.

    Nothing here needs the interpreter to tidy up; leaving without that saves a tenth of the time.
    """
    code = execute(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = SIGNALLED + SIGPIPE
    os._exit(code)


def execute(words: list[str]) -> int:
    """Run the command that ``words`` are; the answer is the exit code."""
    instruction = os.environ.get("_SLOTCTL_COMPLETE")
    if instruction:
        from tui.ctl.face import complete

        return complete(GRAMMAR, VERSION, instruction)
    values: dict[str, Any] = {"json": "--json" in words[: (*words, "--").index("--")]}
    try:
        invocation = _understand(words)
        if invocation is None:
            return 0
        values = invocation.values
        return invocation.command.run(values)
    except Failure as failure:
        return _report(failure, as_json=bool(values.get("json")))
    except Interrupted as interrupted:
        return SIGNALLED + interrupted.number
    except KeyboardInterrupt:
        return SIGNALLED + SIGINT
    except BrokenPipeError:
        _silence(sys.stdout.fileno())
        return SIGNALLED + SIGPIPE


def _understand(words: list[str]) -> Invocation | None:
    plain = read(GRAMMAR, words)
    if plain is not None:
        return plain
    if words in (["--version"], ["-V"]):
        sys.stdout.write(f"slotctl, version {VERSION}\n")
        return None
    from tui.ctl.face import understand

    return understand(GRAMMAR, VERSION, words)


def _report(failure: Failure, *, as_json: bool) -> int:
    from protocol.clean import clean

    sentence = clean(failure.message, 1000)
    advice = "".join(f"\n{line}" for line in failure.advice.splitlines())
    sys.stderr.write(f"slotctl: {sentence}{advice}\n")
    if as_json:
        import json

        sys.stdout.write(json.dumps(failure.as_json()) + "\n")
    return failure.exit_code


def _silence(fd: int) -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a complaint at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


if __name__ == "__main__":
    main()
