"""The tail of events, each in one sentence; newest last."""

from protocol.news import News
from tui.dashboard.store.changes import Kind
from tui.dashboard.store.store import Happening
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Role
from tui.dashboard.view.sentences import is_bad, sentence, type_of
from tui.dashboard.view.table import Cell, Column, Look, Table


def _news(happening: Happening) -> News | None:
    return None if happening.event is None else happening.event.news


def _severity(look: Look, happening: Happening) -> Cell:
    news = _news(happening)
    return Cell("!", Role.BAD) if news is not None and is_bad(news) else Cell(" ")


def _type(look: Look, happening: Happening) -> Cell:
    news = _news(happening)
    if news is None:
        return Cell("note", Role.WARNING)
    return Cell(type_of(news).replace("_", " "), Role.BAD if is_bad(news) else Role.DIM)


def _text(look: Look, happening: Happening) -> Cell:
    news = _news(happening)
    if news is None:
        return Cell(happening.note, Role.WARNING)
    return Cell(sentence(news, happening.job_name))


EVENTS = Table(
    "events",
    Kind.EVENTS,
    lambda store: store.happenings,
    (
        Column(
            "time", 12, lambda _, h: Cell(words.clock(h.at), Role.DIM), lambda _, h: h.number, 8
        ),
        Column("event", 19, _type, lambda k, h: _type(k, h).text, keep=7),
        Column("what", 20, _text, lambda k, h: _text(k, h).text, keep=9, grows=True),
    ),
    lambda _, h: h.number,
    "No event since this picture was taken.",
    _severity,
    ticks=False,
    steady=True,
    tail=True,
)
