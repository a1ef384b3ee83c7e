"""The command line as data, and a reader for lines that are right; it never explains a wrong one.

Importing click costs more than everything else that a short command does, so click (``face.py``)
is called in for help, errors and completion only, with commands made from the same data.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Convert = Callable[[str], Any]


class Option(NamedTuple):
    """``convert`` None: a switch. ``bare``: what is converted when ``=VALUE`` is left out."""

    flags: tuple[str, ...]
    text: str
    convert: Convert | None = None
    metavar: str | None = None
    many: bool = False
    bare: str | None = None

    @property
    def key(self) -> str:
        """The name of its value: the last flag without dashes."""
        return self.flags[-1].lstrip("-").replace("-", "_")


class Argument(NamedTuple):
    """``rest``: takes all remaining words as they are, options of others included."""

    key: str
    convert: Convert = str
    required: bool = True
    rest: bool = False
    metavar: str | None = None


class Command(NamedTuple):
    """``run`` gets the values and answers the exit code; it imports what it needs by itself."""

    name: str
    text: str
    run: Callable[[dict[str, Any]], int]
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    after: str = ""

    @property
    def takes_rest(self) -> bool:
        """Whether the first word that is no option ends the options."""
        return any(argument.rest for argument in self.arguments)


class Grammar(NamedTuple):
    """All commands, and the options that may stand before or after a command's name."""

    commands: dict[str, Command]
    options: tuple[Option, ...]


class Invocation(NamedTuple):
    """A command and its values by key; what was not given is not there."""

    command: Command
    values: dict[str, Any]


class _NotPlain(Exception):
    """Something that only click can judge."""


def read(grammar: Grammar, words: list[str]) -> Invocation | None:
    """The invocation that ``words`` are, or None when they are not plainly right."""
    try:
        return _Reader(grammar).read(words)
    except (_NotPlain, ValueError):
        return None


class _Reader:
    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._command: Command | None = None
        self._options = _by_flag(grammar.options)
        self._values: dict[str, Any] = {}
        self._positional: list[str] = []

    def read(self, words: list[str]) -> Invocation:
        remaining = iter(words)
        for word in remaining:
            if word == "--" and self._command:
                self._positional += remaining
            elif word.startswith("-") and word != "-":
                self._option(word, remaining)
            elif self._command is None:
                self._choose(word)
            else:
                self._positional.append(word)
                if self._command.takes_rest:
                    self._positional += remaining
        if self._command is None:
            raise _NotPlain
        self._arguments(self._command)
        return Invocation(self._command, self._values)

    def _choose(self, word: str) -> None:
        self._command = self._grammar.commands.get(word)
        if self._command is None:
            raise _NotPlain
        self._options |= _by_flag(self._command.options)

    def _option(self, word: str, remaining: Iterator[str]) -> None:
        flag, equals, value = word.partition("=")
        option = self._options.get(flag)
        if option is None or (equals and not flag.startswith("--")):
            raise _NotPlain
        if option.convert is None:
            if equals:
                raise _NotPlain
            self._values[option.key] = True
            return
        if not equals:
            value = self._value_of(option, remaining)
        converted = option.convert(value)
        if option.many:
            self._values.setdefault(option.key, []).append(converted)
        else:
            self._values[option.key] = converted

    def _value_of(self, option: Option, remaining: Iterator[str]) -> str:
        if option.bare is not None:
            return option.bare
        value = next(remaining, None)
        if value is None:
            raise _NotPlain
        return value

    def _arguments(self, command: Command) -> None:
        words = self._positional
        for argument in command.arguments:
            if argument.required and not words:
                raise _NotPlain
            if not words:
                break
            if argument.rest:
                self._values[argument.key], words = words, []
            else:
                self._values[argument.key] = argument.convert(words[0])
                words = words[1:]
        if words:
            raise _NotPlain


def _by_flag(options: tuple[Option, ...]) -> dict[str, Option]:
    return {flag: option for option in options for flag in option.flags}
