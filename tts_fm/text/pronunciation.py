"""How a text sounds: symbols of the International Phonetic Alphabet, from espeak-ng through phonemizer."""

from __future__ import annotations

import re
import shutil
import sys
import threading
from functools import cache, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tts_fm.text import script

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend

START, END = "^", "$"
PUNCTUATION = ';:,.!?…—"()'
_LETTERS = "abcdefghijklmnopqrstuvwxyzæçðøħŋœθβχ"
_IPA_BLOCK = "".join(chr(code) for code in range(0x0250, 0x02B0))
_MODIFIERS = "ʰʲʷˠˤ˞ˈˌːˑᵻᵊᵝⁿ̩̪̯̃̊͡"
SYMBOLS: tuple[str, ...] = (" ", START, END, *PUNCTUATION, *_LETTERS, *_IPA_BLOCK, *_MODIFIERS)
"""Every token, in the order of its id."""

_SIGN = re.compile("([^\\w\\s!-~‐-‧‰-⁞¡«»¿])")
"""What is no letter, digit or mark, one at a time: a sign that espeak-ng says or drops."""
_DECIMAL_AT_AN_END = re.compile(r"(?<=\d)\.(\d{1,40})(?=\.)")
_ONE_AT_A_TIME = threading.Lock()  # espeak-ng keeps its state in global variables


def tokens(text: str, language: str) -> list[str]:
    """Return the symbols with stress and punctuation between a start and an end token.

    What espeak-ng cannot read (another script, a sign it drops) is a token as it is written.
    """
    symbols: list[str] = []
    was_sounds = False
    for run in script.runs(text, language.partition("-")[0]):
        if run.kind == script.READ:
            symbols += [" "] * (was_sounds and run.text[0].isspace()) + _read(run.text, language)
        elif run.kind == script.FOREIGN:
            symbols.append(run.text)
        else:
            symbols += [" "] * (symbols[-1:] not in ([], [" "])) + list(run.text)
        was_sounds = run.kind == script.SOUNDS
    return [START, *symbols, END]


def _read(text: str, language: str) -> list[str]:
    """The symbols of a text in the language's own script, and the signs in it that espeak-ng drops."""
    symbols: list[str] = []
    start = 0
    for sign in _SIGN.finditer(text):
        if not _is_said(sign[0], language):
            symbols += [*_phonemes(text[start : sign.start()], language), sign[0]]
            start = sign.end()
    return symbols + list(_phonemes(text[start:], language))


def _phonemes(text: str, language: str) -> str:
    """What espeak-ng says; it begins a new line within "2.6.", so there the point is told in words, or left out."""
    point = "point" if language.startswith("en") else ""
    text = text.encode("utf-8", errors="replace").decode()  # a lone surrogate cannot be handed on
    text = _DECIMAL_AT_AN_END.sub(lambda match: f" {point} {' '.join(match[1])}", text)
    with _ONE_AT_A_TIME:
        lines = _espeak(language).phonemize([text], strip=True)
    return " ".join(line for line in lines if line)


@lru_cache(1000)
def _is_said(sign: str, language: str) -> bool:
    return _phonemes(sign, language) != ""


@cache
def _espeak(language: str) -> EspeakBackend:
    """One espeak-ng per language, with the library and the data that espeakng-loader carries.

    Both paths must be set before first use: with the library alone espeak-ng ends the process.
    """
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak import wrapper
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    if sys.platform != "win32":  # which does not let a loaded file go
        _keep_no_copies(wrapper)
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend(
        language,
        preserve_punctuation=True,
        punctuation_marks=PUNCTUATION,
        with_stress=True,
        language_switch="remove-flags",
    )


def _keep_no_copies(wrapper: ModuleType) -> None:
    """Let phonemizer's copies of the library, one for each of its wrappers, go as soon as they are loaded.

    It removes them when Python ends, and a process that is terminated does not come to that.
    """

    class LoadedAPI(wrapper.EspeakAPI):  # type: ignore[name-defined, misc]
        def __init__(self, library: Any, data_path: Any) -> None:
            super().__init__(library, data_path)
            shutil.rmtree(self._tempdir, ignore_errors=True)

        @staticmethod
        def _delete(library: Any, tempdir: str) -> None:
            shutil.rmtree(tempdir, ignore_errors=True)

    wrapper.EspeakAPI = LoadedAPI  # type: ignore[attr-defined]
