"""Plain text: what can not be spoken is removed, and a text with nothing to speak is refused."""

from __future__ import annotations

import re
import unicodedata

from tts_fm.errors import InputError

MAX_CHARACTERS = 100_000
_UNSPEAKABLE = frozenset(("Cc", "Cf", "Cs"))  # control; format (zero width, bidi, byte order mark); lone surrogates
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\u034f]")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


def clean(text: str) -> str:
    """Return ``text`` in NFC, on one line, without control, format and surrogate characters.

    A paragraph that ends without punctuation (a heading) gets a full stop, so that it is not read into the next.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n\n")
    paragraphs = [_line(paragraph) for paragraph in _BLANK_LINE.split(text)]
    paragraphs = [paragraph for paragraph in paragraphs if paragraph]
    closed = [paragraph + "." if paragraph[-1].isalnum() else paragraph for paragraph in paragraphs[:-1]]
    return " ".join([*closed, *paragraphs[-1:]])


def check(text: str) -> None:
    """Refuse a text that can not be spoken.

    Raises:
        InputError: nothing but white space, no letter or digit, or more than ``MAX_CHARACTERS``.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed, so cut it into parts"
        )
    plain = clean(text)
    if not plain:
        raise InputError("the text is empty; give at least one word to speak")
    if not any(unicodedata.category(character)[0] in "LN" for character in plain):
        shown = plain if len(plain) <= 20 else plain[:20] + "..."
        raise InputError(f"there is nothing to speak in {shown!r}; give at least one letter or digit")


def _line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (c for c in text if c.isspace() or unicodedata.category(c) not in _UNSPEAKABLE)
    plain = _VARIATION_SELECTORS.sub("", "".join(kept))
    return " ".join(unicodedata.normalize("NFC", plain).split())
