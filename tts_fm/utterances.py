"""What a text is to a model: read by its rules, and cut into what it says in one go, each with its words and its condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tts_fm import doubts, timing
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.audio.prompt import Prompt
from tts_fm.duration import count_units
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.pacing import Voice
from tts_fm.plan import Plan, PlannedPiece
from tts_fm.telling import Teller
from tts_fm.text import normalize
from tts_fm.text.clean import check
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import Reading, written_words
from tts_fm.timing import Passage, SpokenWord
from tts_fm.types import Condition, MelSpec

_SHOWN = 20  # characters of a text that an error repeats


@dataclass(frozen=True, eq=False)
class Utterance:
    """A part of a text that is told to the model as a whole.

    Attributes:
        text: as it is read.
        written: as in :class:`Passage`.
        tokens: those of ``text``.
        condition: what the model is told for all of it after the whole prompt.
        pause: seconds of silence behind it, where something follows.
    """

    text: str
    written: tuple[str, ...]
    tokens: tuple[str, ...]
    condition: Condition
    pause: float

    def passage(self, frontend: Frontend, mel: MelSpec, place: Span) -> Passage:
        """Return what is said in the sound at ``place``."""
        spans = timing.told_spans(self.condition, frontend, self.text, mel.frame_rate)
        return Passage(shown(self.text), self.written, place.start, place.end, spans)

    def words(self, frontend: Frontend, mel: MelSpec, start: float) -> tuple[SpokenWord, ...]:
        """Return its words, where it begins at ``start``; none where the model does not know when they are."""
        passage = self.passage(frontend, mel, Span(start, start))
        return () if passage.spans is None else timing.words([passage], Waveform(torch.zeros(0), mel.sample_rate))


@dataclass(frozen=True, eq=False)
class Told:
    """A text as the model of ``teller`` is told to say it in ``voice``.

    Attributes:
        reading: how the text is read.
        utterances: what is said in one go, in its order.
        remarks: why it is said at another speed than was wished, or words are lost in the seconds that were.
    """

    teller: Teller
    voice: Voice
    reading: Reading
    utterances: tuple[Utterance, ...]
    remarks: tuple[str, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The tokens of the text that the model does not know, each once."""
        unknown = self.teller.frontend.unknown
        return tuple(dict.fromkeys(token for each in self.utterances for token in unknown(each.tokens)))

    def passages(self, places: Sequence[Span]) -> tuple[Passage, ...]:
        """Return what is said where, at ``places`` of the joined sound."""
        frontend, mel = self.teller.frontend, self.teller.config.mel
        return tuple(each.passage(frontend, mel, place) for each, place in zip(self.utterances, places, strict=True))

    def plan(self) -> Plan:
        """Return its pieces and words, and when they will be heard."""
        mel = self.teller.config.mel
        pieces: list[PlannedPiece] = []
        words: list[SpokenWord] = []
        start = 0.0
        for each in self.utterances:
            n_frames = each.condition.is_valid.shape[1] - len(self.voice.mel)
            pieces.append(PlannedPiece(each.text, n_frames / mel.frame_rate, each.pause))
            words += each.words(self.teller.frontend, mel, start)
            start += pieces[-1].seconds + each.pause
        return Plan(self.reading, tuple(pieces), tuple(words), self.unknown)


def read(teller: Teller, text: str, normalized: bool, lexicon: Lexicon | None) -> Reading:
    """Return how ``text`` is read for the model of ``teller``; ``normalized``: it is spelled out already.

    Raises:
        InputError: nothing in it can be spoken by this model.
        ValueError: a lexicon whose sounds this model does not know.
    """
    check(text)
    if lexicon is not None:
        _check_sounds(teller, lexicon)
    reading = normalize.read(text, lexicon, is_spelled_out=normalized)
    if not teller.frontend.says_something(reading.text):
        shortened = text.strip()[:_SHOWN] + ("..." if len(text.strip()) > _SHOWN else "")
        raise InputError(
            f"there is nothing that the model {teller.config.name} can read in {shortened!r}; "
            f"give words in the script of its language"
        )
    return reading


def tell(
    teller: Teller,
    text: str,
    prompt: Prompt,
    *,
    speed: float,
    seconds: float | None = None,
    normalized: bool = False,
    lexicon: Lexicon | None = None,
) -> Told:
    """Return what the model of ``teller`` is told to say ``text`` in the voice of ``prompt``, as :meth:`Synthesizer.speak`."""
    reading, voice = read(teller, text, normalized, lexicon), teller.listen(prompt)
    speed, slowed = doubts.possible_speed(speed, voice.prompt) if seconds is None else (speed, ())
    chunks, pauses = teller.pieces(reading.paragraphs, voice)
    names = timing.as_written(written_words(text, lexicon, is_spelled_out=normalized), chunks)
    tokens = [tuple(teller.frontend.tokens(piece)) for piece in chunks]
    conditions = [
        teller.to_speak(voice, piece, its_tokens, speed, share)
        for piece, its_tokens, share in zip(chunks, tokens, _shares(chunks, seconds), strict=True)
    ]
    each_told = zip(chunks, names, tokens, conditions, pauses, strict=True)
    remarks = slowed if seconds is None else doubts.possible_length(sum(map(count_units, chunks)), seconds)
    return Told(teller, voice, reading, tuple(Utterance(*one) for one in each_told), remarks)


def _check_sounds(teller: Teller, lexicon: Lexicon) -> None:
    name = teller.config.name
    for entry in lexicon.entries:
        if entry.sounds is None:
            continue
        if not teller.frontend.reads_sounds:
            raise ValueError(
                f"{entry.where or entry.word}: the model {name} reads letters, not the International Phonetic "
                f"Alphabet; write how {entry.word!r} is read in letters"
            )
        if unknown := teller.frontend.unknown(list(entry.sounds)):
            raise ValueError(
                f"{entry.where or entry.word}: the model {name} knows no sound {', '.join(unknown)}; "
                f"use the symbols that espeak-ng writes"
            )


def _shares(chunks: Sequence[str], seconds: float | None) -> list[float | None]:
    """Share ``seconds`` between the chunks by their characters."""
    whole = sum(map(len, chunks))
    return [None if seconds is None else seconds * len(piece) / whole for piece in chunks]
