"""The part of SSML that can be spoken here: ``break``, ``phoneme``, ``say-as``, ``prosody rate``, ``voice``, ``p``, ``s``."""

from __future__ import annotations

import io
import re
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException
from defusedxml.sax import parse as parse_xml

from tts_fm.errors import InputError
from tts_fm.text import directions
from tts_fm.text.directions import Bounds, Script, Stretch

_ATTRIBUTES = {
    "speak": {"version", "xmlns", "xml:lang", "xmlns:xsi", "xsi:schemaLocation", "xmlns:mstts"},
    "p": {"xml:lang"},
    "s": {"xml:lang"},
    "break": {"time", "strength"},
    "phoneme": {"alphabet", "ph"},
    "say-as": {"interpret-as", "format"},
    "prosody": {"rate"},
    "voice": {"name"},
}
_STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
_SPELLED = ("characters", "spell-out", "verbatim")


def is_ssml(text: str) -> bool:
    """Whether ``text`` is meant as a document of SSML."""
    return re.match(r"\s*<(?:\?xml|!DOCTYPE|speak)[\s>/]", text) is not None


def parse(text: str, bounds: Bounds | None = None) -> tuple[Stretch, ...]:
    """Return the stretches of a document.

    Raises:
        InputError: XML that is none, declares entities, says what cannot be spoken or is beyond ``bounds``, with its line
            and column.
    """
    reader = _Reader(bounds)
    declared = re.match(r"\s*<\?xml[^>]*\?>", text)  # it may name an encoding; places stay as they are
    body = text if declared is None else re.sub(r"[^\n]", " ", declared[0]) + text[declared.end() :]
    try:
        parse_xml(io.StringIO(body), reader, forbid_dtd=True)
    except SAXParseException as error:
        raise InputError(
            f"line {error.getLineNumber()}, column {(error.getColumnNumber() or 0) + 1}: this is no XML "
            f"({error.getMessage()}); write & as &amp; and < as &lt;, and end every element"
        ) from None
    except DefusedXmlException:
        raise InputError(f"{reader.where}: a DOCTYPE or an entity is not read; leave it out") from None
    return reader.script.stretches()


class _Reader(ContentHandler):
    def __init__(self, bounds: Bounds | None) -> None:
        super().__init__()
        self.script = Script(bounds)
        self._locator = Locator()
        self._open: list[tuple[str, str, AttributesImpl, tuple[str | None, float | None]]] = []
        self._word: str | None = None

    @property
    def where(self) -> str:
        """The line and the column of what is read now."""
        return f"line {self._locator.getLineNumber() or 1}, column {(self._locator.getColumnNumber() or 0) + 1}"

    def setDocumentLocator(self, locator: Locator) -> None:
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        where = self.where
        self.script.count(where)
        if name not in _ATTRIBUTES:
            raise InputError(f"{where}: the element <{name}> cannot be spoken; there are {', '.join(_ATTRIBUTES)}")
        if unknown := sorted(set(attrs.getNames()) - _ATTRIBUTES[name]):
            known = ", ".join(sorted(_ATTRIBUTES[name]))
            raise InputError(f"{where}: <{name}> cannot have {', '.join(unknown)}; it has {known}")
        if self._word is not None:
            raise InputError(f"{where}: <{name}> stands inside <{self._open[-1][0]}>, which holds words alone")
        self._open.append((name, where, attrs, (self.script.voice, self.script.rate)))
        if name == "break":
            self.script.pause(_length(attrs, where), where)
        elif name == "voice":
            self.script.change(_needed(attrs, name, "name", where), self.script.rate)
        elif name == "prosody":
            faster = _rate(_needed(attrs, name, "rate", where), where) * (self.script.rate or 1.0)
            self.script.change(self.script.voice, directions.rate(faster, where))
        elif name == "p":
            self.script.paragraph()
        elif name in ("phoneme", "say-as"):
            _check_reading(name, attrs, where)
            self._word = ""

    def endElement(self, name: str) -> None:
        _, where, attrs, before = self._open.pop()
        word, self._word = self._word, None
        if word is not None:
            if name == "phoneme":
                self.script.say_as(word, attrs["ph"], where)
            else:
                self.script.spell(word, where)
        elif name in ("voice", "prosody"):
            self.script.change(*before)
        elif name == "p":
            self.script.paragraph()
        elif name == "s":
            self.script.sentence()

    def characters(self, content: str) -> None:
        if self._word is None:
            self.script.say(re.sub(r"\s+", " ", content))
        else:
            self._word += content


def _needed(attributes: AttributesImpl, element: str, name: str, where: str) -> str:
    if not attributes.get(name, "").strip():
        raise InputError(f'{where}: <{element}> needs {name}="..."')
    return attributes[name].strip()


def _check_reading(element: str, attributes: AttributesImpl, where: str) -> None:
    if element == "phoneme":
        _needed(attributes, element, "ph", where)
        if (alphabet := attributes.get("alphabet", "ipa")) != "ipa":
            raise InputError(f"{where}: the alphabet {alphabet!r} is not known; write the sounds in ipa")
    elif (kind := _needed(attributes, element, "interpret-as", where)) not in _SPELLED:
        raise InputError(
            f"{where}: interpret-as is {', '.join(_SPELLED)}, not {kind!r}; leave <say-as> out: numbers, dates, times and "
            f"money are read as such without it"
        )


def _length(attributes: AttributesImpl, where: str) -> float:
    if "time" in attributes:
        return directions.seconds(attributes["time"].removeprefix("+"), where)
    strength = attributes.get("strength", "medium")
    if strength not in _STRENGTHS:
        raise InputError(f"{where}: the strength {strength!r} is not known; it is {', '.join(_STRENGTHS)}")
    return _STRENGTHS[strength]


def _rate(written: str, where: str) -> float:
    """Return the rate of "slow", "0.9", "90%" or "-10%"."""
    if written in _RATES:
        return _RATES[written]
    match = re.fullmatch(r"(?P<sign>[+-]?)(?P<number>\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})(?P<percent>%?)", written)
    if match is None or (match["sign"] and not match["percent"]):
        raise InputError(
            f"{where}: the rate {written!r} is not known; write 90%, -10%, 0.9 or one of {', '.join(_RATES)}"
        )
    number = float(match["number"]) / (100 if match["percent"] else 1)
    return number if not match["sign"] else 1 + float(f"{match['sign']}{number}")
