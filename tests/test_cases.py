"""References, stories and outputs as people have them: each went wrong somewhere, and each has its right value here."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import TRANSCRIPT, Finished, bent_model, buzz
from safetensors.torch import save_file

from tts_fm import doubts, hub, loading, story, threads
from tts_fm.audio import level
from tts_fm.audio.io import Waveform, read
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt, prepare
from tts_fm.errors import InputError
from tts_fm.story import Role, Turn
from tts_fm.synthesizer import Synthesizer

Command = Callable[..., Finished]
CASES = Path(__file__).parent / "data" / "cases"


@pytest.fixture(scope="module")
def reference() -> Prompt:
    """A clean recording and its words: the model's own voice."""
    prompt = loading.own_voice(hub.bundled())
    assert prompt is not None
    return prompt


@pytest.fixture(scope="module")
def bent(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(str(bent_model(model_folder, tmp_path_factory.mktemp("bent") / "model")), device="cpu")


def remarks(prompt: Prompt, is_english: bool = False) -> str:
    return " ".join(doubts.of_reference(prompt, prepare(prompt, 24_000, 12.0), is_english))


def changed(prompt: Prompt, change: Callable[[np.ndarray, int], np.ndarray], tmp_path: Path, subtype: str) -> Prompt:
    """Return the prompt with another sound, as a file has it."""
    samples, rate = prompt.waveform.samples.numpy(), prompt.waveform.sample_rate
    soundfile.write(tmp_path / "changed.wav", change(samples, rate), rate, subtype=subtype)
    return Prompt.load(tmp_path / "changed.wav", prompt.transcript)


ODD = {
    "lead8": (lambda x, r: np.r_[np.zeros(8 * r), x], "PCM_16", 1.0),
    "trail15": (lambda x, r: np.r_[x, np.zeros(15 * r)], "PCM_16", 1.0),
    "near silence": (lambda x, r: np.r_[1e-4 * np.random.default_rng(0).standard_normal(6 * r), x], "PCM_24", 1.0),
    "offset": (lambda x, r: 0.5 * x + 0.2, "PCM_24", 0.5),
    "int16_as_float": (lambda x, r: x * 32_768, "FLOAT", None),
    "float_peak8": (lambda x, r: 8 * x / abs(x).max(), "FLOAT", None),
    "one channel": (lambda x, r: np.stack([x, 0 * x], 1), "PCM_24", 1.0),
    "other channel inverted": (lambda x, r: np.stack([x, -x], 1), "PCM_24", 1.0),
    "six channels, four silent": (lambda x, r: np.stack([x, x, 0 * x, 0 * x, 0 * x, 0 * x], 1), "PCM_24", 1.0),
    "faint": (lambda x, r: 0.003 * x, "PCM_24", 0.003),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_recording_is_heard_as_the_clean_one(reference: Prompt, tmp_path: Path, kind: str) -> None:
    change, subtype, gain = ODD[kind]
    plain = prepare(reference, 24_000, 12.0)
    odd = prepare(changed(reference, change, tmp_path, subtype), 24_000, 12.0)
    assert odd.transcript == plain.transcript
    assert odd.speech_seconds == pytest.approx(plain.speech_seconds, rel=0.02)
    assert odd.waveform.seconds == pytest.approx(plain.waveform.seconds, abs=0.05)
    assert float(odd.waveform.samples.abs().max()) <= 1.02 * max(1.0, float(plain.waveform.samples.abs().max()))
    if gain is not None:
        assert odd.output_gain == pytest.approx(gain * plain.output_gain, rel=0.05)


def test_not_a_number_is_refused(reference: Prompt, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not finite"):
        changed(reference, lambda x, r: np.r_[x, np.nan], tmp_path, "FLOAT")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (lambda words: " ".join([words] * 5), "hold more than it says: "),
        (lambda words: " ".join([words] * 2), "hold more than it says: "),
        (lambda words: "Hi.", "hold less than it says: 0."),
        (lambda words: " ".join(words.split()[: len(words.split()) // 2]), "hold less than it says: "),
    ],
)
def test_a_transcript_of_another_length_is_told_with_both_rates(
    reference: Prompt, words: Callable[[str], str], says: str
) -> None:
    assert remarks(reference) == ""
    told = remarks(Prompt(reference.waveform, words(reference.transcript)))
    assert says in told and "letters per second of speech, 11 to 20 are usual" in told


def test_an_aligner_tells_which_words_do_not_fit(reference: Prompt) -> None:
    pytest.importorskip("pocketsphinx")
    assert remarks(reference, is_english=True) == ""
    other = "Nobody was there in the morning when all of them came home to find out about it."
    told = remarks(Prompt(reference.waveform, other), is_english=True)
    assert "other words" in told and "not heard in it: 'Nobody', 'was', 'there'" in told


def test_a_clipped_and_a_narrow_recording_are_told(reference: Prompt) -> None:
    waveform = reference.waveform
    loud = Waveform((waveform.samples * 4 / waveform.samples.abs().max()).clamp(-0.7, 0.7), waveform.sample_rate)
    assert "the reference is clipped: " in remarks(Prompt(loud, reference.transcript))
    told = remarks(Prompt(waveform.resampled(8_000), reference.transcript))
    assert told.startswith("the reference has a sample rate of 8000 Hz, so that nothing above 4000 Hz is heard")


def test_a_speed_is_limited_to_what_can_be_said(reference: Prompt, bent: Synthesizer) -> None:
    prepared = prepare(reference, 24_000, 12.0)
    rate = doubts.rate(prepared)
    assert 12 < rate < 17
    assert doubts.possible_speed(1.3, prepared) == (1.3, ())
    most, (told,) = doubts.possible_speed(4.0, prepared)
    assert most == pytest.approx(23 / rate)
    assert told.startswith(f"a speed of 4 would be {4 * rate:.0f} letters per second")
    text = "He put on his coat and went home."
    fast, as_fast = (bent.speak(text, reference, speed=speed) for speed in (4.0, most))
    assert fast.remarks == (told,) and as_fast.remarks == ()
    assert torch.equal(fast.waveform.samples, as_fast.waveform.samples)


def test_seconds_too_few_for_the_words_are_kept_and_told(reference: Prompt, bent: Synthesizer) -> None:
    text = "He put on his coat and went home."  # 25 letters
    assert doubts.possible_length(23, 1.0) == ()
    short, enough = (bent.speak(text, reference, seconds=seconds) for seconds in (0.5, 1.1))
    assert short.remarks == (
        "25 letters in 0.5 s would be 50 letters per second, and words will be lost; give at least 1.1 s",
    )
    assert enough.remarks == () and short.waveform.seconds == pytest.approx(0.5, abs=0.02)


def test_faint_speech_is_told_in_the_api_on_stderr_and_in_json(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path
) -> None:
    faint = tmp_path / "faint.wav"
    soundfile.write(faint, 0.01 * buzz(3.0, 24_000).numpy(), 24_000, subtype="PCM_24")
    done = tts_fm_command(
        *("synthesize", "Hello.", "-m", model_folder, "-r", faint, "-s", TRANSCRIPT, "--seed", 0, "--json"),
        *("-o", tmp_path / "a.wav"),
    )
    (told,) = json.loads(done.stdout)["remarks"]
    assert done.code == 0 and told.startswith("the speech is very faint, as its reference is (peak -")
    assert f"tts-fm: warning: {told}" in done.stderr.splitlines()


STORY = 'The study [1] was small. He wrote "teh" [sic] and left. [laughs] Then [town] I live in the town!'


def test_only_voices_are_tags(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    done = tts_fm_command(
        *("synthesize", "--text-file", CASES / "story_brackets.txt", "--voice", "town=default", "-m", model_folder),
        *("-o", tmp_path / "a.wav", "--json"),
    )
    record = json.loads(done.stdout)
    assert [(turn["voice"], turn["text"]) for turn in record["turns"]] == [
        ("main", 'The study was small. He wrote "teh" and left. Then'),
        ("town", "I live in the town!"),
        ("main", "And it went home."),
    ]
    assert record["remarks"][0].startswith("[1], [sic], [laughs] are no voices and were left out as a note")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"See \[1\] and [2].", "See [1] and."),
        (r"\[town] is a name.", "[town] is a name."),
        ("One [two words] three.", "One [two words] three."),
        ("[applause]\nGood evening.", "Good evening."),
    ],
)
def test_brackets_of_the_text(text: str, expected: str) -> None:
    kept, _ = story.without_directions(text, {"main", "town"})
    assert story.parse(kept) == (Turn("main", expected),)


def test_a_slip_in_a_name_is_no_stage_direction() -> None:
    for slip in ("Town", "twon", "towm"):
        with pytest.raises(InputError, match=rf"there is no voice \[{slip}\]; did you mean \[town\]\?"):
            story.without_directions(f"[{slip}] Hello.", {"main", "town"})


@pytest.mark.parametrize("written", ["[ town ]", "[town ]", "[ Town]", "［town］"])
def test_a_name_in_brackets_that_are_no_tag_is_not_read_aloud(written: str) -> None:
    with pytest.raises(InputError, match=rf"there is no voice {re.escape(written)}; did you mean \[town\]\?"):
        story.without_directions(f"Hello. {written} Hello.", {"main", "town"})
    text = f"One [ other ] town. {written.replace('[', chr(92) + '[')}" if "[" in written else "［other］"
    assert story.without_directions(text, {"main", "town"}) == (text, ())


def test_a_dry_run_tells_what_is_left_out(tts_fm_command: Command, model_folder: Path) -> None:
    given = ["synthesize", "--text", "Array[0] is x[i].", "--voice", "town=default", "-m", model_folder, "--dry-run"]
    done = tts_fm_command(*given)
    assert done.code == 0 and "tts-fm: warning: [0], [i] are no voices and were left out as a note" in done.stderr
    (remark,) = json.loads(tts_fm_command(*given, "--json").stdout)["remarks"]
    assert remark.startswith("[0], [i] are no voices")


def test_voices_of_a_story_are_equally_loud(bent: Synthesizer) -> None:
    loud = Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT)
    quiet = Prompt(Waveform(0.01 * buzz(2.0, 24_000), 24_000), TRANSCRIPT)  # by 40 dB
    turns = [Turn("a", "One of them."), Turn("b", "And the other.")]
    for is_levelled, difference in ((True, 0), (False, 40)):
        told = story.speak(bent, turns, {"a": Role(loud), "b": Role(quiet)}, is_levelled=is_levelled)
        sounds = [
            told.speech.waveform.samples[round(one.start * 24_000) : round(one.end * 24_000)] for one in told.turns
        ]
        a, b = (level.loudness(sound, 24_000) for sound in sounds)
        assert any("very faint" in remark for remark in told.speech.remarks) is not is_levelled
        assert 20 * np.log10(a / b) == pytest.approx(difference, abs=2)


@pytest.fixture
def recording(voice_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(voice_file, tmp_path / "mine.wav"))


@pytest.mark.parametrize("kind", ["same", "relative", "link", "hard link", "story", "library"])
def test_a_recording_is_not_written_over(
    tts_fm_command: Command,
    model_folder: Path,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "voices"))
    before, target = recording.read_bytes(), tmp_path / f"{kind}.wav"
    voice: list[object] = ["-r", recording, "-s", TRANSCRIPT]
    if kind in ("same", "story"):
        target = recording
    elif kind == "relative":
        target = Path("../") / tmp_path.name / "mine.wav"
    elif kind == "link":
        target.symlink_to(recording)
    elif kind == "hard link":
        target.hardlink_to(recording)
    if kind == "story":
        (tmp_path / "story.toml").write_text(
            f'gen_text = "[b] Hello."\n[voices.b]\nref_audio = "mine.wav"\nref_text = "{TRANSCRIPT}"\n'
        )
        voice = ["--config", tmp_path / "story.toml"]
    if kind == "library":
        VoiceLibrary().add("anna", Prompt.load(recording, TRANSCRIPT), "she said so")
        recording = target = tmp_path / "voices" / "anna.flac"
        before, voice = recording.read_bytes(), ["--voice", "anna"]
    text = [] if kind == "story" else ["Hello."]
    done = tts_fm_command("synthesize", *text, "-m", model_folder, *voice, "-o", target, "--seed", 0)
    assert done.code == 2 and "is read and would be lost" in done.line and "--force" in done.line
    assert recording.read_bytes() == before
    if kind == "same":
        assert tts_fm_command("synthesize", *text, "-m", model_folder, *voice, "-o", target, "--force").code == 0
        assert recording.read_bytes() != before and read(recording).seconds > 0.3


@pytest.mark.parametrize("second", ["same", "link"])
def test_two_things_are_not_written_into_one_file(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path, second: str
) -> None:
    sound = tmp_path / "a.wav"
    other = {"same": sound, "link": tmp_path / "link.srt"}[second]
    if second == "link":
        other.symlink_to(sound)
    done = tts_fm_command("synthesize", "Hello.", "-m", model_folder, "-o", sound, "--srt", other)
    assert done.code == 2 and not sound.exists()
    assert f"{sound} and {other} are one file, of which one thing would be lost; name two files" in done.line
    both = ["--srt", tmp_path / "a.srt", "--vtt", tmp_path / ".." / tmp_path.name / "a.srt"]
    done = tts_fm_command("synthesize", "Hello.", "-m", model_folder, "-o", sound, *both)
    assert done.code == 2 and "are one file" in done.line and not sound.exists()


def test_an_edited_recording_is_not_written_over(tts_fm_command: Command, recording: Path) -> None:
    done = tts_fm_command("edit", recording, "--text", "A b.", "--new-text", "A c.", "-o", recording)
    assert done.code == 2 and done.line.startswith(f"tts-fm: the output {recording} is {recording}, which is read")


def test_pipers_columns_and_the_checks_of_prepare(tts_fm_command: Command, tmp_path: Path) -> None:
    pytest.importorskip("lhotse")
    table = tmp_path / "metadata.csv"
    good, long = (str(tmp_path / f"{name}.wav") for name in "al")
    Waveform(buzz(3.0, 24_000), 24_000).save(good)
    Waveform(buzz(30.0, 24_000), 24_000).save(long)
    table.write_text((CASES / "piper_columns.csv").read_text() + "l.wav|male1|Only these words.\n")
    done = tts_fm_command("prepare", "csv", table, tmp_path / "out", "--heldout", 0)
    (line,) = map(json.loads, (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert done.code == 0 and line["text"] == "I really liked that account of himself." and line["speaker"] == "male1"
    (left_out,) = map(json.loads, (tmp_path / "out" / "left_out.jsonl").read_text().splitlines())
    assert left_out["id"] == "l" and left_out["reason"].startswith("text and length: 0.5 letters per second")


@pytest.mark.parametrize("name", ["module.pt", "orig_mod.pt", "lightning.ckpt", "good.safetensors"])
def test_checkpoints_as_people_have_them(foreign: Path, tmp_path: Path, name: str) -> None:
    weights = torch.load(foreign / "model.pt", weights_only=True)["ema_model_state_dict"]
    bare = {key.removeprefix("ema_model."): value for key, value in weights.items()}
    kept: dict[str, object] = {
        "module.pt": {"model_state_dict": {f"module.{key}": value for key, value in bare.items()}},
        "orig_mod.pt": {"model_state_dict": {f"_orig_mod.{key}": value for key, value in bare.items()}},
        "lightning.ckpt": {"state_dict": bare},
        "good.safetensors": weights,
    }
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file({key: value for key, value in weights.items() if value.dim()}, path)
    else:
        torch.save(kept[name], path)
    given = {"vocab": str(foreign / "vocab.txt"), "architecture": str(foreign / "tiny.yaml"), "device": "cpu"}
    ours, theirs = (Synthesizer.load(str(one), **given).backbone.state_dict() for one in (foreign / "model.pt", path))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("processors", "said", "expected"),
    [
        (1, {}, 1),
        (2, {}, 1),
        (4, {}, 2),
        (64, {}, 4),
        (64, {"OMP_NUM_THREADS": "3"}, 8),
        (2, {"MKL_NUM_THREADS": "2"}, 8),
    ],
)
def test_threads_are_bounded_unless_their_number_is_said(
    monkeypatch: pytest.MonkeyPatch, model_folder: Path, processors: int, said: dict[str, str], expected: int
) -> None:
    number = [8]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads, "processors", lambda: processors)
    monkeypatch.setattr(torch, "get_num_threads", lambda: number[-1])
    monkeypatch.setattr(torch, "set_num_threads", number.append)
    Synthesizer.load(str(model_folder), device="cpu")
    assert number[-1] == expected


def test_processors_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    for quota, expected in (("max 100000", 6), ("250000 100000", 2), ("50000 100000", 1), ("", 6)):
        (tmp_path / "cpu.max").write_text(quota)
        monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
        assert threads.processors() == expected
