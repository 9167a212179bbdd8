"""UTF-8 bytes, one token each: F5-TTS's "byte" tokenizer, for any language without a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

from tts_fm.frontends import Frontend

_SPACE = 32


class Utf8(Frontend):
    """A token is the character with the byte's number, so ``"é"`` is ``["Ã", "©"]`` and its ids are 195, 169."""

    def says_something(self, text: str) -> bool:
        """Bytes of any letter are sounds."""
        return any(map(str.isalnum, text))

    @property
    def vocab_size(self) -> int:
        return 256

    def tokens(self, text: str) -> list[str]:
        """Return a token per byte; a lone surrogate, which has no bytes, becomes "?"."""
        return list(text.encode("utf-8", errors="replace").decode("latin-1"))

    def ids(self, tokens: Sequence[str]) -> list[int]:
        return [ord(token) if _is_byte(token) else _SPACE for token in tokens]

    def unknown(self, tokens: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(token for token in tokens if not _is_byte(token)))


def _is_byte(token: str) -> bool:
    return len(token) == 1 and ord(token) < 256
