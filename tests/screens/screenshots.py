"""Draws the pictures of the documentation from a scripted cluster, so that they never lie.

``python -m tests.screens.screenshots`` writes docs/slottop.svg; with a folder it writes every
page there, in every size.
"""

import os
import sys
import time
from pathlib import Path

from tests.screens.scripted_cluster import busy_cluster
from tests.screens.stage import SIZES, Stage, on_stage, with_tail
from tui.dashboard.keys import PAGES

DOCS = Path(__file__).parents[2] / "docs"
FOR_DOCS = (120, 34)


def draw(file: Path, page: str, size: tuple[int, int]) -> None:
    """Write the picture of a page as SVG."""
    drawn: list[str] = []

    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(with_tail(cluster))
        await stage.press(str(PAGES.index(page) + 1))
        await stage.wait(0.5)
        drawn.append(stage.app.export_screenshot(title="slottop"))

    on_stage(play, size)
    file.write_text(drawn[0])


def main() -> None:
    """Write the picture, or all of them."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    if len(sys.argv) == 1:
        draw(DOCS / "slottop.svg", PAGES[0], FOR_DOCS)
        return
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        for width, height in SIZES:
            draw(folder / f"{page}-{width}x{height}.svg", page, (width, height))


if __name__ == "__main__":
    main()
