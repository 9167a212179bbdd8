"""Pages and contents become chapters: where each begins, what it is called, and where its notes are said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tts_fm.books import Chapter, Footnotes, Part
from tts_fm.books.contents import Entry
from tts_fm.books.pages import Target

Pages = Mapping[str, Sequence[Part]]
"""What is read of each page, in the order in which a reader turns them."""
_Place = tuple[int, int]
_NEAR = 3  # parts at the beginning of a chapter among which its title is looked for


def divide(pages: Pages, entries: Sequence[Entry], title: str, footnotes: Footnotes) -> tuple[Chapter, ...]:
    """Return the chapters of the book called ``title``.

    A chapter begins at each entry of the contents that is not inside a page of the entry above it. What comes before the
    first is a chapter of its own, and so is every page where there are no contents.
    """
    names = list(pages)
    starts = _starts(pages, entries) or [((i, 0), "") for i in range(len(names))]
    if starts[0][0] > (0, 0):
        starts = [((0, 0), ""), *starts]
    notes = {
        (name, place): part
        for name, parts in pages.items()
        for part in parts
        if part.kind == "note"
        for place in part.ids
    }
    ends = [start for start, _ in starts[1:]] + [(len(names), 0)]
    made: list[Chapter] = []
    for (start, name), end in zip(starts, ends, strict=True):
        own = list(_between(list(pages.values()), start, end))
        said = _with_notes(own, notes) if footnotes == "say" else (part for part in own if part.kind != "note")
        parts = _without_last_breaks(tuple(said))
        has_notes_only = any(part.kind == "note" for part in own) and all(
            part.kind in ("heading", "break") for part in parts
        )
        if any(part.text for part in parts) and not has_notes_only:
            is_first_or_only = not name and start == (0, 0) and (bool(entries) or len(names) == 1)
            made.append(_called(name, parts, title if is_first_or_only else f"Chapter {len(made) + 1}"))
    return tuple(made)


def _starts(pages: Pages, entries: Sequence[Entry]) -> list[tuple[_Place, str]]:
    """Return where chapters begin and what they are called, in order; of several that begin together the first."""
    names = {name: i for i, name in enumerate(pages)}
    above: list[str | None] = []  # the pages of the entries above
    titles: dict[_Place, str] = {}
    for entry in entries:
        del above[entry.depth :]
        page = None if entry.target is None or entry.target[0] not in names else entry.target[0]
        if entry.target is not None and page is not None and (entry.depth == 0 or page not in above):
            titles.setdefault((names[page], _part(pages[page], entry.target[1])), entry.title)
        above += [page] * (entry.depth + 1 - len(above))
    return sorted(titles.items())


def _part(parts: Sequence[Part], place: str) -> int:
    """Return which of ``parts`` has the name ``place``; the first if none has."""
    return next((i for i, part in enumerate(parts) if place in part.ids and part.kind != "note"), 0)


def _between(pages: Sequence[Sequence[Part]], start: _Place, end: _Place) -> Iterator[Part]:
    for i in range(start[0], min(end[0] + 1, len(pages))):
        first = start[1] if i == start[0] else 0
        last = end[1] if i == end[0] else len(pages[i])
        yield from pages[i][first:last]


def _with_notes(parts: Sequence[Part], notes: Mapping[Target, Part]) -> Iterator[Part]:
    """Yield ``parts`` with each note behind what refers to it; one that nothing refers to is not said."""
    for part in parts:
        if part.kind != "note":
            yield part
            yield from (replace(notes[target], notes=()) for target in part.notes if target in notes)


def _without_last_breaks(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    while parts and parts[-1].kind == "break":
        parts = parts[:-1]
    return parts


def _called(title: str, parts: tuple[Part, ...], otherwise: str) -> Chapter:
    """Return a chapter; a title that the page shows as a picture, or not at all, becomes a heading that is said."""
    heading = next((part.text for part in parts if part.kind == "heading"), "")
    if not title:
        return Chapter(heading or otherwise, parts)
    near = " ".join(part.text for part in parts[:_NEAR])
    if not heading and _letters(title) not in _letters(near):
        parts = (Part("heading", title, 1), *parts)
    return Chapter(title, parts)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def by_headings(parts: Sequence[Part], name: str) -> tuple[str, list[Entry]]:
    """Return a title and the contents of a single page, ``name``: its highest headings, or those below a single first one."""
    levels = [part.level for part in parts if part.kind == "heading"]
    if not levels:
        return "", []
    highest = min(levels)
    title = ""
    if levels.count(highest) == 1 and levels[0] == highest and len(levels) > 1:
        title = next(part.text for part in parts if part.kind == "heading")
        highest = min(levels[1:])
    entries = [
        Entry(part.text, (name, next(iter(sorted(part.ids)))), 0)
        for part in parts
        if part.kind == "heading" and part.level == highest
    ]
    return title, entries
