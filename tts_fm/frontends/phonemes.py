"""Phonemes in the International Phonetic Alphabet, one token per symbol, from espeak-ng through phonemizer."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tts_fm import plugins
from tts_fm.frontends import Frontend

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend

START, END = "^", "$"
PUNCTUATION = ';:,.!?…—"()'
_LETTERS = "abcdefghijklmnopqrstuvwxyzæçðøħŋœθβχ"
_IPA_BLOCK = "".join(chr(code) for code in range(0x0250, 0x02B0))
_MODIFIERS = "ʰʲʷˠˤ˞ˈˌːˑᵻᵊᵝⁿ̩̪̯̃̊͡"
SYMBOLS: tuple[str, ...] = (" ", START, END, *PUNCTUATION, *_LETTERS, *_IPA_BLOCK, *_MODIFIERS)
"""Every token, in the order of its id."""

_ONE_AT_A_TIME = threading.Lock()  # espeak-ng keeps its state in global variables


class Phonemes(Frontend):
    """IPA with stress and punctuation between a start and an end token."""

    class Options(plugins.Options):
        """``language`` is an espeak-ng voice such as ``en-us``, ``en-gb`` or ``de``."""

        language: str = "en-us"

    options: Options

    def __init__(self, options: Options, vocab: Path | None = None) -> None:
        super().__init__(options, vocab)
        self._id = {symbol: i for i, symbol in enumerate(SYMBOLS)}

    @property
    def vocab_size(self) -> int:
        return len(SYMBOLS)

    def tokens(self, text: str) -> list[str]:
        with _ONE_AT_A_TIME:
            (ipa,) = _espeak(self.options.language).phonemize([text], strip=True)
        return [START, *ipa, END]

    def ids(self, tokens: Sequence[str]) -> list[int]:
        return [self._id.get(token, 0) for token in tokens]  # a space stands in for what is unknown

    def unknown(self, tokens: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(token for token in tokens if token not in self._id))


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
