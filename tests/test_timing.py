"""When each word is heard: by the model's own frames, or by an aligner."""

from __future__ import annotations

import pytest
import torch

from tts_fm import infill, timing
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.normalize import normalize, written_words
from tts_fm.timing import Passage, SpokenWord, as_written, told_spans, words
from tts_fm.types import FILLER

TEXT = "On 3 May 2024 it paid $5.2m for it. Nobody asked - not one!"


def _condition(frames: list[int], ids: list[int], given: int = 7):
    total = given + sum(frames)
    return infill.continue_prompt(torch.zeros(given, 4), [FILLER, *ids], total, [given, *frames])


def test_words_last_as_long_as_their_sounds_and_pauses_belong_to_none():
    frontend = Phonemes(Phonemes.Options())
    tokens = frontend.tokens("One, two.")
    assert "".join(tokens) == "^wˌʌn, tˈuː.$"
    frames = [5, 1, 0, 2, 3, 10, 2, 4, 0, 6, 1, 8, 9]  # ^ w ˌ ʌ n , _ t ˈ u ː . $
    spans = told_spans(_condition(frames, frontend.ids(tokens)), frontend, "One, two.", 10.0)
    assert spans == (Span(0.5, 1.1), Span(2.3, 3.4))


def test_words_that_are_read_together_have_times_of_their_own():
    frontend = Phonemes(Phonemes.Options())
    tokens = frontend.tokens("one of the two")  # "of the" is one word to espeak-ng
    spans = told_spans(_condition([1] * len(tokens), frontend.ids(tokens)), frontend, "one of the two", 1.0)
    assert spans is not None and len(spans) == 4
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))
    assert all(span.seconds > 0 for span in spans)


def test_a_model_that_places_the_words_itself_tells_nothing():
    condition = infill.continue_prompt(torch.zeros(7, 4), [1, 2, 3], 20)
    assert told_spans(condition, Phonemes(Phonemes.Options()), "One", 10.0) is None


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_every_word_of_the_reading_belongs_to_a_word_as_it_was_written(pieces):
    read = normalize(TEXT).split()
    cuts = [len(read) * i // pieces for i in range(pieces + 1)]
    names = as_written(written_words(TEXT), [" ".join(read[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)])
    flat = [name for piece in names for name in piece]
    assert len(flat) == len(read)
    assert [name for name in flat if name] == [word.text for word in written_words(TEXT)]


def test_where_the_reading_is_another_one_it_counts_as_written():
    assert as_written(written_words("It costs $5."), ["It costs", "five pounds."]) == [
        ("It", "costs"),
        ("five", "pounds."),
    ]


def test_a_written_word_lasts_over_all_that_is_read_for_it():
    passages = [
        Passage("It costs five", ("It", "costs", "$5."), 1.0, 3.0, (Span(0, 0.5), Span(0.5, 1.0), Span(1.2, 1.5))),
        Passage("dollars.", ("",), 3.0, 4.0, (Span(0.1, 0.8),)),
    ]
    assert words(passages, Waveform(torch.zeros(40), 10)) == (
        SpokenWord("It", 1.0, 1.5),
        SpokenWord("costs", 1.5, 2.0),
        SpokenWord("$5.", 2.2, 3.8),
    )


def test_the_bundled_voice_knows_its_words_and_an_aligner_agrees():
    pytest.importorskip("pocketsphinx")
    speech = Synthesizer.load("default").speak("The old house cost $5 in May.", seed=1)
    assert [word.text for word in speech.words] == ["The", "old", "house", "cost", "$5", "in", "May."]
    (passage,) = speech.passages
    assert passage.spans is not None
    heard = timing.heard_spans(speech.waveform, passage.text)
    assert max(word.end for word in speech.words) <= speech.waveform.seconds
    errors = sorted(abs(a.start - b.start) for a, b in zip(passage.spans, heard, strict=True))
    assert errors[len(errors) // 2] < 0.04
