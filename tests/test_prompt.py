"""The voice to speak in: levels, edges, and the cut of recording and transcript together."""

import pytest
import torch

from tts_fm import hub
from tts_fm.audio import level
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import Prompt, prepare, speech_seconds
from tts_fm.errors import InputError

RATE = 24_000


def sound(*parts, rate=RATE, loudness=0.1, floor=0.0):
    """Noise where a part is positive, silence where it is negative: seconds each."""
    generator = torch.Generator().manual_seed(0)
    pieces = [torch.randn(round(abs(p) * rate), generator=generator) * (loudness if p > 0 else floor) for p in parts]
    return Waveform(torch.cat(pieces), rate)


@pytest.mark.parametrize("floor", [0.0, 1e-4, 3e-3])
@pytest.mark.parametrize("loudness", [0.02, 0.3])
def test_speech_is_counted_without_its_pauses(floor, loudness):
    waveform = sound(-0.5, 1.0, -0.3, 2.0, -0.1, 0.5, -1.0, loudness=loudness, floor=floor * loudness / 0.1)
    # the pause of 0.1 s belongs to the speech around it
    assert speech_seconds(waveform) == pytest.approx(1.0 + 2.6, abs=0.06)


def test_spans_and_pauses_lie_where_they_are():
    spans = level.speech_spans(sound(-0.5, 1.0, -0.3, 2.0).samples, RATE)
    assert [(s.start, s.end) for s in spans] == [
        pytest.approx((0.5, 1.5), abs=0.03),
        pytest.approx((1.8, 3.8), abs=0.03),
    ]
    (pause,) = level.pauses(spans)
    assert pause.seconds == pytest.approx(0.3, abs=0.04)


def test_a_click_is_no_speech():
    samples = torch.zeros(3 * RATE)
    samples[100:140] = 0.5
    samples[RATE : 2 * RATE] = sound(1.0).samples
    assert level.speech_spans(samples, RATE)[0].start == pytest.approx(1.0, abs=0.03)


def test_frame_levels_are_the_levels():
    levels = level.frame_levels(torch.full((RATE,), 0.1), RATE)
    assert len(levels) == 100 and torch.allclose(levels, torch.full((100,), -20.0), atol=1e-3)
    assert level.frame_levels(torch.zeros(RATE), RATE).max() == -100


def test_a_quiet_prompt_is_raised_and_its_gain_given_back():
    quiet = prepare(Prompt(sound(2.0, loudness=0.02), "Hello there."), RATE, 12.0)
    assert level.rms(quiet.waveform.samples) == pytest.approx(0.1, rel=1e-3)
    assert quiet.output_gain == pytest.approx(0.2, rel=0.02)
    loud = prepare(Prompt(sound(2.0, loudness=0.3), "Hello there."), RATE, 12.0)
    assert loud.output_gain == 1 and level.rms(loud.waveform.samples) == pytest.approx(0.3, rel=0.02)


def test_offset_is_removed_and_edges_trimmed_to_50_ms():
    waveform = sound(-1.0, 2.0, -1.5)
    prepared = prepare(Prompt(Waveform(waveform.samples + 0.2, RATE), " Hello \n there. "), RATE, 12.0)
    assert abs(float(prepared.waveform.samples.mean())) < 1e-3
    assert prepared.waveform.seconds == pytest.approx(2.1, abs=0.04)
    assert prepared.transcript == "Hello there."
    assert prepared.speech_seconds == pytest.approx(2.0, abs=0.04)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 44099])
def test_the_model_s_rate_is_given(rate):
    prepared = prepare(Prompt(sound(2.0, rate=rate), "Hello there."), RATE, 12.0)
    assert prepared.waveform.sample_rate == RATE and prepared.waveform.seconds == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(("seconds", "shown"), [(0.1, "0.1 s"), (0.9, "0.9 s"), (31.0, "31.0 s")])
def test_lengths_of_no_use_are_refused(seconds, shown):
    with pytest.raises(InputError) as caught:
        prepare(Prompt(sound(seconds), "Hello there."), RATE, 12.0)
    assert shown in str(caught.value) and "1 to 30 s" in str(caught.value)


def test_a_recording_without_speech_is_refused():
    with pytest.raises(InputError, match=r"0\.5 s of speech"):
        prepare(Prompt(sound(0.3, -3.0), "Hello there."), RATE, 12.0)


def test_load_needs_a_second_and_words(tmp_path):
    sound(2.0).save(tmp_path / "a.wav")
    assert Prompt.load(tmp_path / "a.wav", "Hello there.").transcript == "Hello there."
    with pytest.raises(InputError, match=r"the transcript '\.\.\.!' has no words"):
        prepare(Prompt(sound(2.0), " ...! "), RATE, 12.0)
    with pytest.raises(InputError, match="transcript is empty"):
        Prompt.load(tmp_path / "a.wav", "  ")
    sound(0.1).save(tmp_path / "short.wav")
    with pytest.raises(InputError, match="at least 1 s"):
        Prompt.load(tmp_path / "short.wav", "Hello there.")


def test_a_long_prompt_is_cut_with_its_transcript():
    # letters: 40, 20, 40; seconds: 4, 2, 4
    first, second, third = "a" * 40 + ".", "b" * 20 + ",", "c" * 40 + "."
    prompt = Prompt(sound(4.0, -0.5, 2.0, -0.3, 4.0), f"{first} {second} {third}")
    seven = prepare(prompt, RATE, 7.0)
    assert seven.transcript == f"{first} {second}" and seven.waveform.seconds == pytest.approx(6.55, abs=0.06)
    five = prepare(prompt, RATE, 5.0)
    assert five.transcript == first and five.waveform.seconds == pytest.approx(4.05, abs=0.06)
    assert prepare(prompt, RATE, 12.0).transcript == prompt.transcript


@pytest.mark.parametrize(
    ("parts", "transcript"),
    [
        ((4.0, -0.5, 4.0), "a" * 80),  # no clause end
        ((8.0,), f"{'a' * 40}. {'b' * 40}."),  # no pause
        ((4.0, -0.1, 4.0), f"{'a' * 40}. {'b' * 40}."),  # a pause that is too short
        ((4.0, -0.5, 4.0), f"{'a' * 60}. {'b' * 20}."),  # the clause ends elsewhere
    ],
)
def test_a_long_prompt_that_can_not_be_cut_is_refused_with_advice(parts, transcript):
    with pytest.raises(InputError) as caught:
        prepare(Prompt(sound(*parts), transcript), RATE, 6.0)
    message = str(caught.value)
    assert "6.0 s" in message and "give a recording of 3 to 10 s" in message and "\n" not in message


@pytest.mark.parametrize("maximum", [3.0, 6.0, 9.0])
def test_a_cut_prompt_is_never_longer_than_asked(maximum):
    clauses = [character * 10 + "," for character in "abcdefghij"]
    prompt = Prompt(sound(*[1.0, -0.25] * 10), " ".join(clauses))
    prepared = prepare(prompt, RATE, maximum)
    assert prepared.waveform.seconds <= maximum
    assert prepared.speech_seconds == pytest.approx(len(prepared.transcript.split()), abs=0.3)


def padded(waveform, kind):
    """The recording with 8 s before, 15 s after or 3 s in its longest pause that are silent in some way."""
    rate, samples = waveform.sample_rate, waveform.samples
    generator = torch.Generator().manual_seed(1)
    floor = {"digital": 0.0, "near": 1e-5, "room": 3e-4}[kind.split()[1]]
    silence = {"lead": 8, "trail": 15, "pause": 3}[kind.split()[0]]
    noise = torch.randn(silence * rate, generator=generator) * floor
    where = {"lead": 0, "trail": len(samples), "pause": round(1.65 * rate)}[kind.split()[0]]
    return Waveform(torch.cat([samples[:where], noise, samples[where:]]), rate)


KINDS = [f"{place} {floor}" for place in ("lead", "trail", "pause") for floor in ("digital", "near", "room")]


@pytest.mark.parametrize(
    ("kind", "offset"), [*((kind, 0.0) for kind in KINDS), ("lead digital", 0.1), ("trail digital", 0.1)]
)
def test_silence_in_a_reference_changes_nothing(kind, offset):
    waveform = sound(-0.4, 1.0, -0.5, 2.0, -0.2, 0.5, -0.3, floor=3e-4)
    waveform = Waveform(waveform.samples + offset, RATE)  # an offset that the silence has not
    plain = prepare(Prompt(waveform, "Hello there."), RATE, 12.0)
    longer = prepare(Prompt(padded(waveform, kind), "Hello there."), RATE, 12.0)
    assert longer.speech_seconds == pytest.approx(plain.speech_seconds, rel=0.02)
    most = 0.4 if kind.startswith("pause") else 0.03  # a pause is kept, of 0.8 s
    assert plain.waveform.seconds - 0.03 <= longer.waveform.seconds <= plain.waveform.seconds + most
    assert longer.output_gain == pytest.approx(plain.output_gain, rel=0.06)


def noise(kind, n, rate):
    """Hum of the mains; or noise that is as loud at every frequency, or less and less so above 500 Hz, or as 1 / f."""
    seconds = torch.arange(n) / rate
    if kind.endswith("Hz"):
        return sum(torch.sin(2 * torch.pi * int(kind[:2]) * k * seconds) / k for k in (1, 2, 3, 4))
    spectrum = torch.fft.rfft(torch.randn(n, generator=torch.Generator().manual_seed(2)))
    frequency = torch.fft.rfftfreq(n, 1 / rate).clamp(min=1)
    louder = {"white": torch.ones(len(frequency)), "low": 1 / (1 + (frequency / 500) ** 2), "pink": frequency**-0.5}
    return torch.fft.irfft(spectrum * louder[kind], n)


@pytest.mark.parametrize(("decibels", "within"), [(10, 0.06), (15, 0.06), (20, 0.03), (30, 0.02)])
@pytest.mark.parametrize("kind", ["50 Hz", "60 Hz", "white", "pink", "low"])
def test_noise_in_a_reference_hides_little_of_its_speech(kind, decibels, within):
    """Weak sounds fell below it: at 15 dB up to a seventh was not counted, so what was said then was as much shorter."""
    clean = Waveform.load(hub.bundled() / "voice.flac")
    added = noise(kind, len(clean.samples), clean.sample_rate)
    louder = clean.samples.square().mean().sqrt() / added.square().mean().sqrt() * 10 ** (-decibels / 20)
    noisy = Waveform(clean.samples + louder * added, clean.sample_rate)
    assert speech_seconds(noisy) == pytest.approx(speech_seconds(clean), rel=within)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_digital_silence_around_a_noisy_reference_does_not_pass_for_its_noise(rate):
    noisy = sound(-0.4, 1.0, -0.5, 2.0, -0.4, floor=0.01, rate=rate)
    silent = torch.zeros(3 * rate)
    padded = Waveform(torch.cat([silent, noisy.samples, silent]), rate)
    assert speech_seconds(noisy) == pytest.approx(3.0, abs=0.06)
    assert speech_seconds(padded) == pytest.approx(speech_seconds(noisy), abs=0.04)


def test_a_length_counts_without_silence():
    prepared = prepare(Prompt(sound(-20.0, 2.0, -30.0, 2.0, -20.0), "One two."), RATE, 5.0)
    assert prepared.transcript == "One two." and prepared.waveform.seconds == pytest.approx(4.9, abs=0.05)
    with pytest.raises(InputError, match=r"the reference lasts 31\.1 s"):
        prepare(Prompt(sound(-5.0, 31.0, -5.0), "One two."), RATE, 12.0)


def test_a_pause_is_shortened_without_a_click():
    generator = torch.Generator().manual_seed(0)
    samples = torch.cat([sound(1.0).samples, 0.002 * torch.randn(5 * RATE, generator=generator), sound(1.0).samples])
    prepared = prepare(Prompt(Waveform(samples, RATE), "One two."), RATE, 12.0)
    pause = prepared.waveform.samples[round(1.1 * RATE) : round(1.7 * RATE)]
    assert prepared.waveform.seconds == pytest.approx(2.8, abs=0.05)
    assert pause.abs().max() < 0.02
