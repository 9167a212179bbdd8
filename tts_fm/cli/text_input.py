"""The text that options name: the words themselves, a file of them, or stdin."""

from __future__ import annotations

import sys


def chosen(words: str | None, text: str | None, text_file: str | None) -> str:
    """Return what to say, from the one place that was given."""
    from tts_fm.text import clean

    if sum(source is not None for source in (words, text, text_file)) != 1:
        raise ValueError("give the text once: as --text 'Hello.', as --text-file FILE, or - to read it from stdin")
    if words == "-" or text == "-":
        words, text, text_file = None, None, "-"
    to_say = read(text_file) if text_file is not None else words if text is None else text
    assert to_say is not None
    clean.check(to_say)
    return to_say


def read(source: str) -> str:
    """Return the text in the file ``source``, or on stdin for ``-``. Raises InputError where it is no text."""
    from tts_fm.errors import InputError
    from tts_fm.text.clean import MAX_CHARACTERS

    most = 4 * MAX_CHARACTERS + 4  # a character has up to four bytes; the text's own check refuses what is longer
    try:
        if source == "-" and sys.stdin is None:
            raise ValueError("stdin is closed")
        if source == "-":
            data = sys.stdin.buffer.read(most)
        else:
            with open(source, "rb") as file:
                data = file.read(most)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the text file {source!r} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    name = "stdin" if source == "-" else source
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(data) == most:
            return data.decode("utf-8-sig", errors="ignore")
        raise InputError(
            f"{name} is no UTF-8 text (byte {error.start} is {data[error.start]:#04x}); save it as UTF-8"
        ) from None
