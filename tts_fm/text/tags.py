"""Mark-up in square brackets: ``[pause 0.5s]``, ``[spell]``, ``[say IPA]``, ``[rate 0.9]``, ``[voice anna]``."""

from __future__ import annotations

import re

from tts_fm.errors import InputError
from tts_fm.text import directions
from tts_fm.text.directions import Bounds, Script, Stretch

_TAG = re.compile(r"\\[\[\]]|\[(?P<end>/?)(?P<name>\w*)[ \t]*(?P<value>[^\[\]\n]*)\]|[\[\]]|\n[^\S\n]*\n\s*")
_FORMS = "[pause 0.5s], [spell]NASA[/spell], [say ˈniːʃ]niche[/say], [rate 0.9]...[/rate], [voice anna]"
_WITH_VALUE, _WITHOUT_END = ("pause", "say", "rate", "voice"), ("pause", "voice")


def parse(text: str, bounds: Bounds | None = None) -> tuple[Stretch, ...]:
    r"""Return the stretches of ``text``; ``\[`` and ``\]`` are brackets of it.

    Raises:
        InputError: a tag that is not understood or is beyond ``bounds``, with its line and column.
    """
    return _Reader(text.replace("\r\n", "\n"), bounds).read()


class _Reader:
    def __init__(self, text: str, bounds: Bounds | None) -> None:
        self._source = text
        self._script = Script(bounds)
        self._open: list[tuple[re.Match[str], float | None]] = []  # tags that wait for their end, and the rate before
        self._word: str | None = None  # inside [say] or [spell], what has been read of it

    def read(self) -> tuple[Stretch, ...]:
        done = 0
        for match in _TAG.finditer(self._source):
            self._say(self._source[done : match.start()])
            done = match.end()
            if match[0][0] == "\\":
                self._say(match[0][1])
            elif match[0].isspace():
                self._paragraph(match[0])
            elif match["name"]:
                (self._close if match["end"] else self._begin)(match)
            else:
                raise InputError(
                    f"{self._where(match)}: this is no tag; tags are {_FORMS}, and \\{match[0][0]} is a bracket"
                )
        self._say(self._source[done:])
        if self._open:
            tag, _ = self._open[-1]
            raise InputError(f"{self._where(tag)}: {tag[0]} has no end; write [/{tag['name']}] where it ends")
        return self._script.stretches()

    def _where(self, tag: re.Match[str]) -> str:
        return directions.place(self._source, tag.start())

    def _say(self, text: str) -> None:
        if self._word is None:
            self._script.say(text)
        else:
            self._word += text

    def _paragraph(self, blank: str) -> None:
        if self._word is None:
            self._script.paragraph()
        else:
            self._word += blank

    def _begin(self, tag: re.Match[str]) -> None:
        name, value, where = tag["name"], tag["value"].strip(), self._where(tag)
        self._script.count(where)
        if name not in (*_WITH_VALUE, "spell") or (value != "") != (name in _WITH_VALUE):
            is_name = not value and name not in (*_WITH_VALUE, "spell")
            hint = f"; [voice {name}] gives the word to a voice, \\[ is a bracket" if is_name else ""
            raise InputError(f"{where}: the tag {tag[0]} is not understood; tags are {_FORMS}{hint}")
        if self._word is not None:
            raise InputError(f"{where}: {tag[0]} stands inside {self._open[-1][0][0]}, which holds words alone")
        if name == "pause":
            self._script.pause(directions.seconds(value, where), where)
        elif name == "voice":
            self._script.change(value, self._script.rate)
        else:
            self._open.append((tag, self._script.rate))
            if name == "rate":
                self._script.change(self._script.voice, self._faster(value, where))
            else:
                self._word = ""

    def _faster(self, value: str, where: str) -> float:
        if re.fullmatch(r"\d{0,3}\.?\d{1,4}", value) is None:
            raise InputError(f"{where}: {value!r} is no rate; write a number, 0.9 is slower and 1.1 is faster")
        return directions.rate(float(value) * (self._script.rate or 1.0), where)

    def _close(self, tag: re.Match[str]) -> None:
        where = self._where(tag)
        if tag["value"]:
            raise InputError(f"{where}: {tag[0]} ends a tag; write [/{tag['name']}]")
        if tag["name"] in _WITHOUT_END:
            raise InputError(f"{where}: [{tag['name']}] has no end; leave {tag[0]} out")
        if not self._open or self._open[-1][0]["name"] != tag["name"]:
            waiting = f"; {self._open[-1][0][0]} waits for its end" if self._open else ""
            raise InputError(f"{where}: {tag[0]} ends nothing that has begun{waiting}")
        begun, before = self._open.pop()
        word, self._word = self._word, None
        if word is None:
            self._script.change(self._script.voice, before)
            return
        where = self._where(begun)
        self._script.say(word[: len(word) - len(word.lstrip())])
        if begun["name"] == "say":
            self._script.say_as(word, begun["value"], where)
        else:
            self._script.spell(word, where)
        self._script.say(word[len(word.rstrip()) :])
