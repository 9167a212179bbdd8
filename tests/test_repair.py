"""Words that are not heard are said anew, and nothing else; takes are compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from tts_fm import Speech, Synthesizer, Waveform, hub, repair
from tts_fm.alignment import forced, words_heard
from tts_fm.audio.io import read
from tts_fm.doubts import Fault, faults
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.sampler import SamplingOptions
from tts_fm.takes import CountErrors, best_take, judge

pytest.importorskip("pocketsphinx")
TEXT = "The old house cost five dollars in May."
SAID = 3  # "cost"
QUICK = SamplingOptions(steps=2, guidance=1.0)


@cache
def synthesizer() -> Synthesizer:
    return Synthesizer.load("default")


@cache
def clean() -> Speech:
    """Speech of the bundled voice."""
    return synthesizer().speak(TEXT, seed=2)


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


def found(speech: Speech) -> list[Fault]:
    (passage,) = speech.passages
    return faults(speech.waveform, words_heard(speech.waveform, passage.text))


@pytest.mark.parametrize("how", ["cut", "noise", "silence"])
def test_a_word_that_is_spoilt_is_missing(how):
    assert found(damaged(how)[0]) == [Fault(range(SAID, SAID + 1), "missing")]


def test_a_word_said_twice_is_found():
    """In this voice the aligner stretches it, or the next one, over both: doubtful, not doubled."""
    (fault,) = found(damaged("twice")[0])
    assert fault.kind in ("doubled", "doubtful") and fault.words in (range(SAID, SAID + 1), range(SAID + 1, SAID + 2))


@pytest.mark.parametrize("place", [2, 4, 9, 10])
def test_a_word_said_twice_in_a_recording_is_doubled(place):
    """In four of this recording's ten words between the first and the last the aligner finds a time for both."""
    recording, text = Waveform.load(hub.bundled() / "voice.flac"), (hub.bundled() / "voice.txt").read_text().strip()
    word = words_heard(recording, text)[place]
    assert word.start is not None and word.end is not None
    start, end = (round(at * recording.sample_rate) for at in (word.start, word.end))
    samples = recording.samples
    twice = Waveform(torch.cat([samples[:end], samples[start:]]), recording.sample_rate)
    assert faults(recording, words_heard(recording, text)) == []
    assert faults(twice, words_heard(twice, text)) == [Fault(range(place, place + 1), "doubled")]


@pytest.mark.parametrize(
    "how", ["cut", pytest.param("noise", marks=pytest.mark.slow), pytest.param("twice", marks=pytest.mark.slow)]
)
def test_it_is_said_anew_and_every_other_sample_stays(how):
    speech, word, _ = damaged(how)
    mended = repair.mend(synthesizer(), speech, seed=1)
    (done,) = mended.repairs
    assert done.text == "cost" and done.is_kept and done.is_mended and 1 <= done.tries <= 3
    if how == "twice":  # each of the two was well said
        assert mended.speech.waveform.seconds == pytest.approx(clean().waveform.seconds, abs=0.2)
    else:
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
    mended = repair.mend(synthesizer(), clean())
    assert mended.speech is clean() and mended.repairs == () and mended.unheard == ()


@pytest.mark.slow
def test_repairs_are_reproducible():
    once, twice = (repair.mend(synthesizer(), damaged("cut")[0], seed=5, tries=1, sampling=QUICK) for _ in range(2))
    assert torch.equal(once.speech.waveform.samples, twice.speech.waveform.samples) and once.repairs == twice.repairs


def test_no_try_is_no_repair():
    with pytest.raises(ValueError, match="tries is 0"):
        repair.mend(synthesizer(), clean(), tries=0)


def test_only_english_is_heard():
    config = synthesizer().config
    other = Synthesizer(
        config, synthesizer().backbone, Phonemes(Phonemes.Options(language="de")), synthesizer().vocoder
    )
    with pytest.raises(ValueError, match="in English only"):
        repair.mend(other, clean())


def test_where_no_try_is_better_everything_stays():
    speech, _, _ = damaged("cut")
    mended = repair.mend(synthesizer(), speech, tries=1, sampling=QUICK, count_errors=_worse(speech))
    (done,) = mended.repairs
    assert mended.speech is speech and not done.is_kept and not done.is_mended and done.score == done.new_score
    assert done.old_span == done.new_span


def _worse(than: Speech) -> CountErrors:
    """Somebody who hears one error more in every other sound."""
    return lambda waveform, _: int(len(waveform.samples) != len(than.waveform.samples))


def test_a_passage_without_its_words_is_named_and_left_alone():
    (passage,) = clean().passages
    silent = replace(clean(), waveform=Waveform(torch.zeros(48_000), 24_000), passages=(replace(passage, end=2.0),))
    mended = repair.mend(synthesizer(), silent)
    assert mended.speech is silent and mended.repairs == () and mended.unheard == (passage.text,)
    assert judge(silent)[1:] == (8, math.inf)


def test_of_takes_the_one_with_fewest_doubts_is_kept_and_the_first_of_equals():
    takes = [damaged("noise")[0], clean(), damaged("cut")[0], clean()]
    best, seed = best_take(lambda i: takes[i], range(4))
    assert best is clean() and seed == 1
    errors = best_take(lambda i: takes[i], range(4), _worse(takes[2]))
    assert errors == (takes[2], 2)
    with pytest.raises(ValueError, match="no take"):
        best_take(lambda i: takes[i], ())


@pytest.mark.slow
def test_the_command_makes_takes_keeps_one_and_tells(tts_fm_command, tmp_path):
    options = ("synthesize", TEXT, "--steps", "2", "--guidance", "1", "--takes", "2", "--verify", "--tries", "1")
    done = tts_fm_command(*options, "--seed", "3", "--json", "--output", tmp_path / "takes.wav")
    assert done.code == 0
    record = json.loads(done.stdout)
    (kept,) = record["kept_seeds"]
    assert kept in (3, 4) and record["not_verified"] == []
    plain = tts_fm_command(
        "synthesize", TEXT, "--steps", "2", "--guidance", "1", "--seed", kept, "--output", tmp_path / "one.wav"
    )
    assert plain.code == 0
    if not any(one["is_kept"] for one in record["repairs"]):
        assert torch.equal(read(tmp_path / "takes.wav").samples, read(tmp_path / "one.wav").samples)
    assert f"of 2 takes that of seed {kept} was kept" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tries", "2"], "give --verify"),
        (["--check-model", "base"], "give --takes or --verify"),
        (["--verify", "--play"], "need the whole"),
    ],
)
def test_options_that_mean_nothing_alone_are_refused(tts_fm_command, options, message):
    done = tts_fm_command("synthesize", TEXT, *options)
    assert done.code == 2 and message in done.stderr


@pytest.mark.parametrize(
    "phones, rate, is_believed", [(1, 2.6, True), (7, 4.6, True), (12, 4.6, False), (12, 5.1, True), (1, 1.9, False)]
)
def test_a_few_words_may_be_drawn_out(phones: int, rate: float, is_believed: bool) -> None:
    each = 1 / rate
    spans = [[(i * each, (i + 1) * each) for i in range(phones)]]
    assert forced.is_plausible(forced.Alignment(spans, [[-5.0] * phones], -5.0, 0.0)) == is_believed


def test_a_word_behind_the_end_of_the_sound_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_the_end(audio: object, words: list) -> forced.Alignment:
        spans = [[(0.1 * i, 0.1 * (i + 1)) for i, _ in enumerate(word)] for word in words]
        spans[-1] = [(0.9, 0.9) for _ in words[-1]]
        return forced.Alignment(spans, [[-5.0 for _ in word] for word in words], -5.0, 0.0)

    monkeypatch.setattr(forced, "align_whole", at_the_end)
    said, lost = words_heard(Waveform(torch.zeros(16_000), 16_000), "Good morning.")
    assert (said.score, lost.score, lost.is_doubtful, lost.end - lost.start) == (
        pytest.approx(-5.0),
        -math.inf,
        True,
        0,
    )
