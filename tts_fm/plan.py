"""What will be read, in which pieces, and how long each will take: known before anything is spoken."""

from __future__ import annotations

from dataclasses import dataclass

from tts_fm.text.lexicon import shown
from tts_fm.text.normalize import Reading
from tts_fm.timing import SpokenWord


@dataclass(frozen=True)
class PlannedPiece:
    """What is spoken in one go, how long it will take, and the silence behind it, in seconds."""

    text: str
    seconds: float
    pause: float


@dataclass(frozen=True)
class Plan:
    """How a text will be spoken.

    Attributes:
        reading: what is said for it, and each change with its rule.
        pieces: the pieces in their order.
        words: when each word will be heard; none where the model places the words itself.
        unknown: tokens of the text that the model does not know.
    """

    reading: Reading
    pieces: tuple[PlannedPiece, ...]
    words: tuple[SpokenWord, ...]
    unknown: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long it will take, silence between pieces included."""
        return sum(piece.seconds + piece.pause for piece in self.pieces[:-1]) + self.pieces[-1].seconds

    def facts(self) -> dict[str, object]:
        """Return all of it as values of JSON."""
        return {
            "text": shown(self.reading.text),
            "changes": [
                {"written": change.source, "read": shown(change.spoken), "rule": change.rule}
                for change in self.reading.changes
            ],
            "pieces": [
                {"text": shown(piece.text), "seconds": round(piece.seconds, 3), "pause": round(piece.pause, 3)}
                for piece in self.pieces
            ],
            "unknown": list(self.unknown),
            "seconds": round(self.seconds, 3),
        }
