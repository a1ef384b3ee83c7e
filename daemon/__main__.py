"""The ``slotd`` command: reads the configuration, then hands over; heavy imports come late."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.configuration.keys import KEYS
from daemon.configuration.sources import ConfigurationError

if TYPE_CHECKING:
    from daemon.configuration.loading import Configuration
    from daemon.settings import Settings

USAGE = 64
UNAVAILABLE = 69
INTERRUPTED = 130


class CannotStart(click.ClickException):
    """The configuration is right, but something is in the way."""

    exit_code = UNAVAILABLE


class DefaultGroup(click.Group):
    """``slotd --slots 2`` is ``slotd serve --slots 2``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the command in front where the first word is an option of it."""
        own = {"--help", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _show_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted:
        from daemon.version import version

        click.echo(f"slotd {version()}")
        ctx.exit()


def _configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command ``--config`` and a flag for each key."""
    for key in reversed(KEYS):
        command = click.option(
            key.flag,
            key.name.replace("-", "_"),
            metavar=key.kind.partition(",")[0].upper(),
            help=f"{key.help} [default: {key.default_text}]",
        )(command)
    return click.option(
        "--config",
        envvar="SLOTD_CONFIG",
        metavar="FILE",
        help="A TOML file with any of these keys. [env: SLOTD_CONFIG]",
    )(command)


@click.group(cls=DefaultGroup)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version)
def slotd() -> None:
    """Share cores, memory, GPUs and licences as slots. Without a command: serve.

    Every option of serve is also a key of the configuration file and an environment variable:
    --slot-timeout, slot-timeout, SLOTD_SLOT_TIMEOUT.
    """


@slotd.command()
@_configured
def serve(config: str | None, **flags: str | None) -> int:
    """Run the daemon until TERM or INT; a second one ends it now."""
    settings = _load(config, flags).settings
    from daemon import logs
    from daemon.app import run
    from daemon.state_dir import StateDirectoryError
    from daemon.wire.access import AccessError

    try:
        logs.configure(settings.log_file, settings.log_format, settings.log_level)
        return run(settings)
    except (StateDirectoryError, AccessError) as error:
        raise CannotStart(str(error)) from error
    except OSError as error:
        raise CannotStart(_explained(error, settings)) from error


@slotd.command("check-config")
@_configured
def check_config(config: str | None, **flags: str | None) -> int:
    """Print what would be used, and where each value comes from."""
    configuration = _load(config, flags)
    from daemon.configuration.showing import rows

    for name, value, source in rows(configuration):
        click.echo(f"{name} = {value or 'unset'}  ({source})")
    return 0


@slotd.command()
@click.option(
    "--commands",
    type=click.IntRange(12, 600),
    default=60,
    show_default=True,
    help="How many commands hash and compress the library.",
)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Slots of each of the two executors.",
)
def demo(commands: int, slots: int) -> int:
    """Run real commands through a daemon of its own, and check what it promises."""
    from daemon.demo.show import show

    return show(commands, slots)


def _load(config: str | None, flags: dict[str, str | None]) -> "Configuration":
    from daemon.configuration.loading import load
    from daemon.configuration.machine import measure

    given = {name.replace("_", "-"): text for name, text in flags.items() if text is not None}
    return load(given, os.environ, Path(config) if config else None, measure())


def _explained(error: OSError, settings: "Settings") -> str:
    text = error.strerror or str(error)
    if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES} and not error.filename:
        where = f"listen = {settings.listen_host}:{settings.listen_port}"
        hint = "; is another slotd running? --listen chooses another port"
        return f"{where}: {text}{hint if error.errno == errno.EADDRINUSE else ''}"
    return f"{error.filename}: {text}" if error.filename else text


def main() -> None:
    """The console script."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Runs a command line; the exit code. 64: it is wrong; 69: the daemon cannot start."""
    try:
        return slotd.main(arguments, prog_name="slotd", standalone_mode=False) or 0
    except CannotStart as error:
        click.echo(f"slotd: {error.message}", err=True)
        return UNAVAILABLE
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return INTERRUPTED
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"slotd: {problem}", err=True)
        return USAGE


if __name__ == "__main__":
    main()
