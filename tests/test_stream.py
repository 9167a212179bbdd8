"""Speech in pieces, as they are ready."""

from __future__ import annotations

import io as streams
import sys
from pathlib import Path

import pytest
import torch
from conftest import TINY

from tts_fm import checkpoint, config, doubts, stream
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.commands import main
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.story import Role, Turn
from tts_fm.story import stream as stream_story
from tts_fm.synthesizer import Synthesizer

TEXT = "On 3 May it paid $5 for one of the old houses, and nobody at all asked why. Not one! Why would they ask?"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Synthesizer:
    """A tiny model that is told the frames of each token, as the bundled voice is."""
    folder = tmp_path_factory.mktemp("told") / "told"
    backbone = {"name": "aligned_dit", "dim": 16, "depth": 1, "heads": 2, "text_dim": 8, "text_layers": 1}
    changes = {"name": "told", "frontend": "phonemes", "backbone": {**backbone, "prompt_dim": 8, "refine_dim": 8}}
    model = config.parse(config.ModelConfig, {**TINY, **changes, "duration": {"rule": "predicted"}}, "test_stream")
    torch.manual_seed(0)
    network = model.backbone.build(Backbone, model.mel.n_mels, model.frontend.build(Frontend).vocab_size)
    torch.nn.init.constant_(network.token_frames[-1].bias, 2.0)  # e^2 - 1 frames for every token
    checkpoint.save_model(folder, model, network.state_dict())
    for name in ("voice.flac", "voice.txt"):
        (folder / name).write_bytes((model_folder / name).read_bytes())
    return Synthesizer.load(str(folder), device="cpu")


def test_the_pieces_are_the_speech_whenever_they_are_taken(told: Synthesizer) -> None:
    at_once = list(told.stream(TEXT, seed=3))
    one_by_one = told.stream(TEXT, seed=3)
    first = next(one_by_one)
    told.synthesize("Something else in between.", seed=9)
    again = [first, *one_by_one]
    assert len(at_once) == len(again) > 2
    assert all(torch.equal(a.waveform.samples, b.waveform.samples) for a, b in zip(at_once, again, strict=True))
    other = next(told.stream(TEXT, seed=4))
    assert not torch.equal(first.waveform.samples, other.waveform.samples)


def test_streamed_speech_lasts_as_long_and_has_the_same_words_at_the_same_times(told: Synthesizer) -> None:
    whole, pieces = told.speak(TEXT, seed=3), list(told.stream(TEXT, seed=3))
    assert pieces[-1].end == pytest.approx(whole.waveform.seconds, abs=0.02)
    assert [piece.start for piece in pieces[1:]] == pytest.approx([piece.end for piece in pieces[:-1]])
    words = [word for piece in pieces for word in piece.words]
    assert [word.text for word in words] == [word.text for word in whole.words]
    assert [word.start for word in words] == pytest.approx([word.start for word in whole.words], abs=1e-6)
    assert list(told.plan(TEXT).words) == words  # and they are known before
    assert " ".join(piece.text for piece in pieces if piece.text) == TEXT
    assert all(word.start < piece.end for piece in pieces for word in piece.words)


def test_the_first_piece_is_short_and_made_before_the_rest_is(told: Synthesizer) -> None:
    calls: list[int] = []
    pieces = told.stream(TEXT, seed=3, on_step=lambda done, steps: calls.append(done))
    assert next(pieces).waveform.seconds == pytest.approx(0.2, abs=0.02)
    steps = told.config.sampling.steps
    assert calls == list(range(1, steps + 1))  # of one phrase alone
    list(pieces)
    assert len(calls) > 2 * steps


def test_each_piece_is_as_long_as_all_before_it_up_to_two_seconds(told: Synthesizer) -> None:
    pieces = list(told.stream(TEXT, seed=3))
    step = 1 / told.config.mel.frame_rate
    for piece in pieces[1:]:
        assert (
            piece.waveform.seconds <= max(0.2, min(piece.start, 2.0)) + 0.2 + step
        )  # what is left of a phrase goes with it
    assert len(pieces) > 4


def test_an_aligner_listens_to_the_reference_when_all_is_said(told: Synthesizer, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(doubts, "of_transcript", lambda *_: (asked.append("asked"), ("other words",))[1])
    monkeypatch.setattr(doubts, "of_recording", lambda _: ("clipped",))
    pieces = told.stream(TEXT, seed=3)
    first = next(pieces)
    assert "clipped" in first.remarks and "other words" not in first.remarks and not asked
    *others, last = pieces
    assert last.remarks == ("other words",) and not any(piece.remarks for piece in others)


def test_several_sentences_that_are_told_apart_have_a_pause_between(told: Synthesizer) -> None:
    text = " ".join(f"Here is sentence number {n}, which says hardly anything that is new." for n in range(20, 29))
    whole, pieces = told.speak(text, seed=1), list(told.stream(text, seed=1))
    assert len(whole.chunks) > 1
    assert pieces[-1].end == pytest.approx(whole.waveform.seconds, abs=0.02 * len(whole.chunks))
    silent = round(0.2 * whole.waveform.sample_rate)
    joined = torch.cat([piece.waveform.samples for piece in pieces])
    begin = round(whole.passages[0].end * whole.waveform.sample_rate)
    assert joined[begin : begin + silent].abs().max() == 0


def test_a_model_that_places_the_words_itself_streams_by_sentences(model_folder: Path) -> None:
    tiny = Synthesizer.load(str(model_folder), device="cpu")
    pieces = list(tiny.stream("Some words to say.", seed=1))
    assert "".join(piece.text for piece in pieces) == "Some words to say."
    assert all(piece.words == () for piece in pieces)
    assert pieces[-1].end == pytest.approx(tiny.synthesize("Some words to say.", seed=1).seconds, abs=0.02)


@pytest.mark.parametrize("limit", [0.7, 1.5, 8.0])
def test_phrases_grow_and_end_where_a_reader_breathes(limit: float) -> None:
    tokens = [*"^wan tu,θɹi foɹ faɪv sɪks sɛvən. eɪt naɪn tɛn ilɛvən, twɛlv", "$"]
    tokens.insert(8, " ")
    frames = [2 if token == " " else 10 for token in tokens]
    ranges = stream.cut(tokens, frames, 100.0, limit)
    assert [first for first, _ in ranges] == [0, *(last for _, last in ranges[:-1])]
    assert ranges[-1][1] == len(tokens)
    seconds = [sum(frames[first:last]) / 100 for first, last in ranges]
    assert all(0.5 <= length <= 1.31 * limit * 2**i for i, length in enumerate(seconds))
    if limit == 0.7:
        assert "".join(tokens[: ranges[0][1]]) == "^wan tu, "


def test_the_prompt_is_cut_where_it_is_quiet() -> None:
    mel = torch.zeros(600, 4)
    mel[330] = -5.0
    assert len(stream.heard(mel, 100.0, 3.0)) == 600 - 330
    assert len(stream.heard(mel, 100.0, 2.0)) == 200  # as quiet everywhere
    assert len(stream.heard(mel[:300], 100.0, 3.0)) == 300


def test_each_phrase_hears_more_of_the_prompt_until_it_has_six_seconds(told: Synthesizer, monkeypatch) -> None:
    heard: list[float] = []
    cut = stream.heard
    monkeypatch.setattr(stream, "heard", lambda mel, rate, seconds: (heard.append(seconds), cut(mel, rate, seconds))[1])
    text = " ".join(f"Here is sentence number {n}, which says hardly anything that is new." for n in range(20, 29))
    assert len(told.speak(text, seed=1).chunks) > 1
    list(told.stream(text, seed=1))
    assert len(heard) > 5 and heard == [2.0, 2.5, 4.0, *[6.0] * (len(heard) - 3)]


def test_a_story_is_streamed_turn_by_turn(told: Synthesizer) -> None:
    turns = [Turn("main", "Once there was a mouse."), Turn("town", "I live in town.", seed=5)]
    pieces = list(stream_story(told, turns, {"main": Role(None), "town": Role(None, 2.0)}, seed=1))
    assert [piece.start for piece in pieces[1:]] == pytest.approx([piece.end for piece in pieces[:-1]])
    assert " ".join(piece.text for piece in pieces if piece.text) == "Once there was a mouse. I live in town."
    first = next(piece for piece in pieces if piece.text.startswith("I"))
    begin = first.words[0].start - first.start
    assert begin > 0.4 and first.waveform.samples[: round(0.39 * 24_000)].abs().max() == 0


def test_a_soft_voice_of_a_streamed_story_is_raised_by_what_its_prompt_lacks(told: Synthesizer) -> None:
    assert told.default_prompt is not None
    own = told.default_prompt.waveform
    samples = 0.5 * own.samples / own.samples.abs().max()
    loud, soft = (
        Prompt(Waveform(samples * gain, own.sample_rate), told.default_prompt.transcript) for gain in (1, 0.1)
    )
    turns = [Turn("main", "One came."), Turn("town", "Two stayed.")]

    def sounds(second: Prompt, is_levelled: bool) -> list[torch.Tensor]:
        roles = {"main": Role(loud), "town": Role(second)}
        return [piece.waveform.samples for piece in stream_story(told, turns, roles, is_levelled=is_levelled)]

    gains = [
        float(raised.abs().max() / plain.abs().max())
        for raised, plain in zip(sounds(soft, True), sounds(soft, False), strict=True)
    ]
    (n_of_first,) = {i for i in range(1, len(gains)) if gains[i] > 2 * gains[i - 1]}
    assert gains[:n_of_first] == [1.0] * n_of_first
    assert gains[n_of_first:] == pytest.approx([10] * (len(gains) - n_of_first), rel=0.02)  # its peak, 0.05, allows 20
    assert all(map(torch.equal, sounds(loud, True), sounds(loud, False)))


def test_a_text_that_can_not_be_spoken_is_refused_before_the_first_piece_is_asked_for(told: Synthesizer) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        told.stream(" ")


def test_stdout_gets_a_wav_of_unknown_length_and_a_file_the_same_samples(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    raw = tmp_path / "a.raw"
    asked = ["synthesize", "Some words.", "-m", str(model_folder), "--seed", "1", "-q"]
    assert main([*asked, "--output", "-", "--output-raw", str(raw)]) == 0
    data = capsysbinary.readouterr().out
    assert data[:4] == b"RIFF" and data[4:8] == b"\xff\xff\xff\xff" and data.endswith(raw.read_bytes())
    sound = io.read(streams.BytesIO(data))
    assert sound.seconds == pytest.approx(len(raw.read_bytes()) / 2 / 24_000)
    assert io.read_metadata(streams.BytesIO(data))["seed"] == "1"
    assert main([*asked, "--output-raw", "-"]) == 0
    assert capsysbinary.readouterr().out == raw.read_bytes()


@pytest.mark.parametrize(
    "options, line",
    [
        (["--output-raw", "a.raw", "--duration", "2"], "--play and --output-raw speak while the rest is made"),
        (["--output-raw", "-", "--output", "-"], "--output - and --output-raw - both write to stdout"),
        (["--play"], "--play needs sounddevice; pip install 'tts-fm[play]'"),
    ],
)
def test_mistakes_are_found_before_anything_is_loaded(options, line, tts_fm_command, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = tts_fm_command("synthesize", "Hello.", *options)
    assert done.code == 2 and line in done.line


def test_samples_are_written_as_16_bit() -> None:
    assert io.pcm(io.Waveform(torch.tensor([0.0, 0.5, -1.0, 3.0]), 8000)) == (
        b"\x00\x00" + (16384).to_bytes(2, "little") + (-32767).to_bytes(2, "little", signed=True) + b"\xff\x7f"
    )


def test_a_server_tells_all_words_with_the_first_sound(told: Synthesizer) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("prometheus_client")
    from tts_fm.serving.service import Order
    from tts_fm.serving.voices import ChosenVoice

    rate = told.config.mel.sample_rate
    order = Order(
        TEXT,
        (Turn("main", TEXT),),
        {"main": ChosenVoice("default", lambda: None)},
        "pcm",
        rate,
        1.0,
        3,
        told.config.sampling_as({}),
        True,
        True,
    )
    first, *rest = order.make(told, lambda: None)
    assert first.words == told.plan(TEXT).words and not any(chunk.words for chunk in rest)
    assert 0 < len(first.data) < sum(len(chunk.data) for chunk in rest)
    assert first.words[-1].end > first.seconds

    def leave() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        next(order.make(told, leave))
