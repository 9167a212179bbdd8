"""Words that are not heard are said anew, and nothing else; takes are compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from tts_fm import Speech, Synthesizer, Waveform, repair
from tts_fm.audio.io import read
from tts_fm.errors import InputError
from tts_fm.sampler import SamplingOptions
from tts_fm.timing import Passage

pytest.importorskip("pocketsphinx")
TEXT = "The old house cost five dollars in May."
SAID = 3  # "cost"
QUICK = SamplingOptions(steps=2, guidance=1.0)


@cache
def synthesizer() -> Synthesizer:
    return Synthesizer.load("default")


@cache
def clean() -> Speech:
    return synthesizer().speak(TEXT, seed=1)


def damaged(how: str) -> tuple[Speech, slice, int]:
    """The speech with a word spoilt, the samples of that word in the clean one, and by how many it is longer now."""
    speech, rate = clean(), clean().waveform.sample_rate
    (passage,) = speech.passages
    assert passage.spans is not None
    word = slice(*(round(at * rate) for at in passage.spans[SAID]))
    x = speech.waveform.samples
    noise = 0.05 * torch.randn(word.stop - word.start, generator=torch.Generator().manual_seed(0))
    middle = {"cut": x[:0], "noise": noise, "silence": 0 * noise, "twice": torch.cat([x[word], x[word]])}[how]
    waveform = Waveform(torch.cat([x[: word.start], middle, x[word.stop :]]), rate)
    spoilt = replace(passage, end=waveform.seconds, spans=None)
    return replace(speech, waveform=waveform, passages=(spoilt,)), word, len(middle) - (word.stop - word.start)


def found(speech: Speech) -> list[repair.Fault]:
    (passage,) = speech.passages
    return repair.faults(speech.waveform, repair.words_heard(speech.waveform, passage.text))


@pytest.mark.parametrize(
    ("how", "kind"), [("cut", "missing"), ("noise", "missing"), ("silence", "missing"), ("twice", "doubled")]
)
def test_a_word_that_is_spoilt_is_found(how, kind):
    assert found(damaged(how)[0]) == [repair.Fault(range(SAID, SAID + 1), kind)]


@pytest.mark.parametrize("how", ["cut", "noise", "twice"])
def test_it_is_said_anew_and_every_other_sample_stays(how):
    speech, word, _ = damaged(how)
    mended = repair.mend(synthesizer(), speech, seed=1)
    (done,) = mended.repairs
    assert done.text == "cost" and done.is_kept and done.is_mended and 1 <= done.tries <= 3
    assert done.new_score > done.score + 10
    assert not found(mended.speech)
    rate, before, after = speech.waveform.sample_rate, speech.waveform.samples, mended.speech.waveform.samples
    start, old_end = (round(at * rate) for at in done.old_span)
    new_start, end = (round(at * rate) for at in done.new_span)
    assert start == new_start and start > word.start - 0.6 * rate and old_end < word.stop + 0.6 * rate
    assert torch.equal(after[:start], before[:start]) and torch.equal(after[end:], before[old_end:])
    assert len(after) - len(before) == (end - start) - (old_end - start)
    assert mended.speech.passages[-1].end == pytest.approx(mended.speech.waveform.seconds)


def test_clean_speech_is_returned_as_it_is():
    assert repair.mend(synthesizer(), clean()) == repair.Mended(clean(), (), ()) or (
        repair.mend(synthesizer(), clean()).speech is clean()
    )
