"""Help, errors and completion: click commands made from the grammar; they parse and run nothing."""

from collections.abc import Callable
from typing import Any, cast

import click
from click.shell_completion import get_completion_class

from tui.ctl.exits import USAGE, Failure
from tui.ctl.grammar import Argument, Command, Grammar, Invocation, Option
from tui.ctl.values import Choice

PROGRAM = "slotctl"
COMPLETE_VARIABLE = "_SLOTCTL_COMPLETE"


class _Converted(click.ParamType[Any]):
    """A converter of ours in click's clothes."""

    def __init__(self, convert: Callable[[str], Any], name: str) -> None:
        self.name = name
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of a word; click names the option when the word is wrong."""
        try:
            return self._convert(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def understand(grammar: Grammar, version: str, words: list[str]) -> Invocation | None:
    """What ``words`` ask for; None when click answered by itself (help, version).

    Raises:
        Failure: the words are wrong, with exit code 64.

    """
    try:
        result = _root(grammar, version).main(words, PROGRAM, standalone_mode=False)
    except click.UsageError as error:
        usage = error.ctx.get_usage() if error.ctx else f"Usage: {PROGRAM} COMMAND"
        advice = usage + (f"\n{_hint(error.ctx)}" if error.ctx else "")
        raise Failure(error.format_message(), USAGE, advice=advice) from None
    return result if isinstance(result, Invocation) else None


def complete(grammar: Grammar, version: str, instruction: str) -> int:
    """Answer the shell's question, which click reads from the environment."""
    shell, _, action = instruction.partition("_")
    kind = get_completion_class(shell)
    if kind is None:
        return USAGE
    completion = kind(_root(grammar, version), {}, PROGRAM, COMPLETE_VARIABLE)
    click.echo(completion.source() if action == "source" else completion.complete())
    return 0


def _hint(context: click.Context) -> str:
    return f"try: {context.command_path} --help"


def _root(grammar: Grammar, version: str) -> click.Group:
    root = click.Group(
        PROGRAM,
        params=_parameters(grammar.options, ()),
        callback=_keep_globals,
        help="Ask slotd for slots, run commands in them, see who has what and who waits.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=False,
    )
    click.version_option(version, "-V", "--version", prog_name=PROGRAM)(root)
    for command in grammar.commands.values():
        root.add_command(_command(command, grammar.options))
    return root


@click.pass_context
def _keep_globals(context: click.Context, /, **values: Any) -> None:
    context.obj = _given(values)


def _command(command: Command, general: tuple[Option, ...]) -> click.Command:
    @click.pass_context
    def invocation(context: click.Context, /, **values: Any) -> Invocation:
        return Invocation(command, {**context.obj, **_given(values)})

    return click.Command(
        command.name,
        callback=invocation,
        params=_parameters(command.options + general, command.arguments),
        help=command.text + (f"\n\n\b\n{command.after}" if command.after else ""),
        short_help=command.text,
        context_settings={"allow_interspersed_args": not command.takes_rest},
    )


def _parameters(
    options: tuple[Option, ...], arguments: tuple[Argument, ...]
) -> list[click.Parameter]:
    return [*map(_argument, arguments), *map(_option, options)]


def _argument(argument: Argument) -> click.Argument:
    return click.Argument(
        [argument.key],
        required=argument.required,
        nargs=-1 if argument.rest else 1,
        type=_type(argument.convert, argument.key),
        metavar=argument.metavar,
    )


def _option(option: Option) -> click.Option:
    names = [option.key, *option.flags]
    if option.convert is None:
        return click.Option(names, is_flag=True, help=option.text)
    name = option.metavar or option.key.upper()
    kind = _type(option.convert, name)
    if option.bare is not None:
        return click.Option(
            names, type=kind, metavar=name, is_flag=False, flag_value=option.bare, help=option.text
        )
    return click.Option(names, type=kind, metavar=name, multiple=option.many, help=option.text)


def _type(convert: Callable[[str], Any], name: str) -> click.ParamType[Any]:
    if isinstance(convert, Choice):
        return click.Choice(convert.names)
    return _Converted(convert, name)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value is not None and value is not False and value != ()
    }
