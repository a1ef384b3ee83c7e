"""slottop: the command line; it parses, and starts the dashboard or prints its facts once."""

import asyncio
import locale
import os
import signal
import sys
from pathlib import Path

import click

from tui.dashboard.link.access import AccessPlace, default_state_dir
from tui.dashboard.view.glyphs import Glyphs, choose

FPS = 10.0
HUNG_UP = 128 + signal.SIGHUP


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    help="Where slotd keeps access.json. [env: SLOTD_STATE_DIR]",
)
@click.option("--server", metavar="HOST:PORT", help="The daemon's address; needs --token-file.")
@click.option("--token-file", type=click.Path(path_type=Path), help="A file with the token.")
@click.option(
    "--glyphs",
    type=click.Choice(["unicode", "ascii"]),
    help="Characters to draw with. [default: what the locale suggests]",
)
@click.option(
    "--fps",
    type=click.FloatRange(0.2, 60.0),
    default=FPS,
    show_default=True,
    help="Pictures a second at most; 4 is pleasant over a slow line.",
)
@click.option("--once", is_flag=True, help="Print the facts as plain lines and leave.")
def main(
    state_dir: Path | None,
    server: str | None,
    token_file: Path | None,
    glyphs: str | None,
    fps: float,
    once: bool,
) -> None:
    """Watch a slotd: leaders, slots, what waits and why, jobs, executors, events."""
    if server is not None and token_file is None:
        raise click.UsageError("--server needs --token-file")
    place = AccessPlace(state_dir or default_state_dir(os.environ), server, token_file)
    chosen = choose(glyphs, locale.getpreferredencoding(False), locale.getlocale()[0] or "")
    if once:
        from tui.dashboard.once import print_once

        sys.exit(asyncio.run(print_once(place, chosen)))
    sys.exit(_watch(place, chosen, fps))


def _watch(place: AccessPlace, glyphs: Glyphs, fps: float) -> int:
    if not sys.stdout.isatty():
        raise click.UsageError("slottop needs a terminal; try --once")
    # Imported here so that --once and --help start without Textual.
    from tui.dashboard.app import SlotTop
    from tui.dashboard.link.dialler import Dialler

    class Terminal(SlotTop):
        """The app with the signals of a real process."""

        async def on_load(self) -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.exit, None, 128 + number)

        def tick(self) -> None:
            if os.isatty(sys.stdin.fileno()):
                super().tick()
            else:  # taken away without SIGHUP: reading it would spin for ever
                os._exit(HUNG_UP)

    app = Terminal(lambda deliver: Dialler(place, deliver), glyphs=glyphs, fps=fps)
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    main()
