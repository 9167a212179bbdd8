"""Plain text: what cannot be spoken is removed, and a text with nothing to speak is refused."""

from __future__ import annotations

import re
import unicodedata

from tts_fm.errors import InputError
from tts_fm.text.numbers import roman

MAX_CHARACTERS = 100_000
_UNSPEAKABLE = frozenset(
    ("Cc", "Cf", "Cs", "Co")
)  # control; format (zero width, bidi, byte order mark); surrogates; private
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\u034f]")
_CIRCLED = (
    "\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3220-\u3229\u3248-\u324f\u3251-\u325f\u3280-\u3289\u32b1-\u32bf"
    "\U0001f100-\U0001f10c\U0001f51f"
)  # numbers in circles, brackets, with dots
_STYLED = (
    "\u2080-\u209c\u2102-\u2115\u2119-\u211d\u2124\u2128-\u2138\u2145-\u2149\u249c-\u24e9\u3250\u32cc-\u32cf"
    "\u3371-\u33df\ufb00-\ufb06\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff04\uff05\uff0b\uff1d\uffe0\uffe1\uffe5\uffe6"
    "\U0001d400-\U0001d7ff\U0001f110-\U0001f149"
)
"""Letters, digits and units in another style: subscripts, full width, bold, ligatures, "㎏"."""
_RAISED = (
    "\u02b0-\u02b8\u02e0-\u02e4\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u2c7d"  # letters of "Mᵐᵉ"; one alone is an exponent
)
_KEPT = frozenset(
    "\u2103\u2109\u2116\u2105\u2122\u2126"
)  # degrees, number, care of, trade mark and ohm have rules of their own
_ROMAN = re.compile("(?P<name>[A-Z][a-z]+ )?(?P<n>[\u2160-\u217f]+)")
_NUMERAL = re.compile(rf"[{_CIRCLED}]")
_OTHER_STYLE = re.compile(rf"[{_STYLED}]+")
_RAISED_LETTERS = re.compile(rf"(?<![⁺⁻])[{_RAISED}]{{2,}}")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_ORDINAL_ENDING = re.compile("(?<=[0-9])(?:ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)")
_DEGREE = re.compile("(?<=[0-9])\\s?[º˚](?=[CFNSEW\\d\\s]|$)")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


def clean(text: str) -> str:
    """Return ``text`` in NFC, on one line, without control, format and surrogate characters.

    Digits of every script become 0 to 9; letters and numbers in another style (full width, circled, bold) plain ones.

    A paragraph that ends without punctuation (a heading) gets a full stop, so that it is not read into the next.
    """
    return " ".join(paragraphs(text))


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of ``text``, each cleaned; every one but the last ends with a mark."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n\n")
    cleaned = [line for paragraph in _BLANK_LINE.split(text) if (line := _line(paragraph))]
    return [*(line + "." if line[-1].isalnum() else line for line in cleaned[:-1]), *cleaned[-1:]]


def check(text: str) -> None:
    """Refuse a text that cannot be spoken.

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
    if not says_something(plain):
        shown = plain if len(plain) <= 20 else plain[:20] + "..."
        raise InputError(f"there is nothing to speak in {shown!r}; give at least one letter or digit")


def says_something(text: str) -> bool:
    """Whether there is a letter or a number in ``text``."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def _line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (c for c in text if c.isspace() or unicodedata.category(c) not in _UNSPEAKABLE)
    plain = _VARIATION_SELECTORS.sub("", "".join(kept))
    return " ".join(_in_plain_style(unicodedata.normalize("NFC", plain)).split())


def _in_plain_style(text: str) -> str:
    """Return ``text`` with the digits of every script, and letters and numbers in other styles, as plain ones."""
    text = text.replace("\u2044", "/").replace("\u2215", "/")  # fraction and division slash
    text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    text = _NUMERAL.sub(lambda numeral: f" {round(unicodedata.numeric(numeral[0], 10))} ", text)
    text = _ORDINAL_ENDING.sub(lambda ending: unicodedata.normalize("NFKC", ending[0]), text)
    text = _RAISED_LETTERS.sub(lambda run: "" if run[0] == "ᵀᴹ" else unicodedata.normalize("NFKC", run[0]), text)
    text = _ROMAN.sub(_in_letters_or_digits, text)
    text = _DEGREE.sub("°", text)
    return _OTHER_STYLE.sub(lambda run: "".join(_plain(character) for character in run[0]), text)


def _plain(character: str) -> str:
    return character if character in _KEPT else unicodedata.normalize("NFKC", character)


def _in_letters_or_digits(numeral: re.Match[str]) -> str:
    """Letters behind a name, where it may be a ruler's: "Henry VIII"; else there is no doubt that it is a number."""
    letters = unicodedata.normalize("NFKC", numeral["n"]).upper()
    value = None if numeral["name"] else roman(letters)
    return f"{numeral['name'] or ''}{letters if value is None else value}"
