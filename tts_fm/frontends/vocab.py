"""Characters and pinyin with the ids of a vocab.txt: the text of F5-TTS and E2-TTS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_fm import small_file
from tts_fm.errors import ArgumentError, InputError, ModelError
from tts_fm.frontends import Frontend
from tts_fm.plugins import Options

_PLAIN_MARKS = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
_CHINESE = re.compile("[\u3007\u3100-\u9fff\ue815-\ue864\ufa18]")
_SEGMENT = re.compile(
    r"(?<![A-Za-z0-9])(?:[Cc]#|[Cc]\+\+)|[A-Za-z0-9]+(?:[.\-_][A-Za-z0-9]+)*%?|[+#&._%\-]+|\r\n|[\s\S]"
)
MAX_TOKENS = 300_000
_MAX_BYTES = 8_000_000
_NO_SPACE_AFTER = " :'\""


class Vocab(Frontend):
    """Line ``i`` of vocab.txt has id ``i``; line 0 is a space, which also stands in for unknown tokens."""

    class Options(Options):
        """``pinyin``: Chinese is read as pinyin with tone numbers; without it every character is a token."""

        pinyin: bool = True

    options: Vocab.Options

    def __init__(self, options: Options, vocab: Path | None = None) -> None:
        super().__init__(options, vocab)
        if vocab is None:
            raise ArgumentError("the frontend 'vocab' needs a vocab.txt, but none is given; give its path", "vocab")
        self._id = _read(Path(vocab))

    @property
    def vocab_size(self) -> int:
        return len(self._id)

    def tokens(self, text: str) -> list[str]:
        """Return characters, and pinyin after a space each.

        Raises:
            InputError: there are Chinese characters and the extra ``zh`` is not installed.
        """
        if not self.options.pinyin:
            return list(text)
        text = text.translate(_PLAIN_MARKS)
        return _with_pinyin(text) if _CHINESE.search(text) else _without_pinyin(text)

    def ids(self, tokens: Sequence[str]) -> list[int]:
        return [self._id.get(token, 0) for token in tokens]

    def unknown(self, tokens: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(token for token in tokens if token not in self._id))


def _read(path: Path) -> dict[str, int]:
    """Token -> id. Only a line feed ends a line: the vocabulary may hold other separators as tokens."""
    try:
        lines = small_file.read_text(path, _MAX_BYTES).split("\n")
    except ValueError as error:
        raise ModelError(f"no vocabulary, which has one token a line, the first a space: {error}") from None
    if len(lines) > MAX_TOKENS + 1:
        raise ModelError(f"{path} has {len(lines):,} lines; a vocabulary has at most {MAX_TOKENS:,} tokens")
    if lines[-1] == "":
        del lines[-1]
    if lines[:1] != [" "]:
        raise ModelError(
            f"{path}, line 1: the first token is {lines[0] if lines else ''!r}; it must be one space, "
            "which stands for unknown tokens"
        )
    ids: dict[str, int] = {}
    for i, token in enumerate(lines):
        if token in ids:
            raise ModelError(
                f"{path}, line {i + 1}: the token {token!r} is already on line {ids[token] + 1}; remove one of them"
            )
        ids[token] = i
    return ids


def _without_pinyin(text: str) -> list[str]:
    """Without Chinese no dictionary is needed to cut the text as F5-TTS does."""
    tokens: list[str] = []
    for segment in _SEGMENT.findall(text):
        _append_latin(tokens, segment)
    return tokens


def _append_latin(tokens: list[str], segment: str) -> None:
    """A word gets a space before it wherever the last character is not one that may touch it."""
    if tokens and len(segment) > 1 and tokens[-1] not in _NO_SPACE_AFTER:
        tokens.append(" ")
    tokens.extend(segment)


def _with_pinyin(text: str) -> list[str]:
    try:
        import rjieba
        from pypinyin import Style, lazy_pinyin
    except ImportError:
        raise InputError("the text has Chinese characters, which need the extra zh: pip install 'tts_fm[zh]'") from None

    def pinyin(characters: str) -> Iterator[str]:
        read = lazy_pinyin(characters, style=Style.TONE3, tone_sandhi=True)
        if len(read) != len(characters):  # characters without a reading are returned in one piece
            read = [lazy_pinyin(each, style=Style.TONE3, tone_sandhi=True)[0] for each in characters]
        for character, syllable in zip(characters, read, strict=True):
            if "\u3100" <= character <= "\u9fff":
                yield " "
            yield syllable

    tokens: list[str] = []
    for segment in rjieba.cut(text):
        n_bytes = len(segment.encode("utf-8", errors="replace"))
        if n_bytes == len(segment):
            _append_latin(tokens, segment)
        elif n_bytes == 3 * len(segment):
            tokens.extend(pinyin(segment))
        else:
            for character in segment:
                tokens.extend(pinyin(character) if "\u3100" <= character <= "\u9fff" else character)
    return tokens
