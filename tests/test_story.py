"""A text in which several voices take turns: its tags, its file, and the sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TRANSCRIPT, Finished, buzz

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.interop import f5_options
from tts_fm.interop.f5_options import StoryVoice
from tts_fm.story import Role, Turn, parse, speak
from tts_fm.synthesizer import Synthesizer

Command = Callable[..., Finished]
TEXT = "Once there was a mouse. [town] I live in the town! [main] They went home."
OPTIONS = {"text", "text_file", "steps", "guidance", "speed", "model", "output_dir", "vocab", "sway"}


@pytest.fixture(scope="module")
def tiny(model_folder: Path) -> Synthesizer:
    return Synthesizer.load(str(model_folder), device="cpu")


@pytest.fixture(scope="module")
def other() -> Prompt:
    return Prompt(Waveform(buzz(1.5, 24_000), 24_000), "Other words.")


@pytest.mark.parametrize(
    "text, turns",
    [
        ("Hello.", [Turn("main", "Hello.")]),
        (
            TEXT,
            [
                Turn("main", "Once there was a mouse."),
                Turn("town", "I live in the town!"),
                Turn("main", "They went home."),
            ],
        ),
        ("[a] One. [b][c] Two.", [Turn("a", "One."), Turn("c", "Two.")]),
        ("[anna.b-c_1]One", [Turn("anna.b-c_1", "One")]),
        ("[Änne] One.\n\n[a] Two\nlines.", [Turn("Änne", "One."), Turn("a", "Two\nlines.")]),
        ("One [two words] three {four} five [] six.", [Turn("main", "One [two words] three {four} five [] six.")]),
        ('{"name": "a"} One.', [Turn("a", "One.")]),
        ('{"name": "Speaker One", "seed": -1, "speed": 1} One.', [Turn("Speaker One", "One.", 1.0)]),
        ('{ "speed": 0.5, "seed": 0, "name": "a" } One. [a] Two.', [Turn("a", "One.", 0.5, 0), Turn("a", "Two.")]),
    ],
)
def test_tags_give_the_word_to_a_voice(text, turns):
    assert list(parse(text)) == turns


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the story is empty"),
        (" [a] [b] ", "the story is empty"),
        ("[a] One. [b] ...", r"turn 2, of \[b\]"),
        ('{"name": "a", } One.', "is no JSON"),
        ('{"seed": 1} One.', "it has a name"),
        ('{"name": ""} One.', "it has a name"),
        ('{"name": 3} One.', "it has a name"),
        ('{"name": "a", "pitch": 2} One.', "it has a name"),
        ('{"name": "a", "speed": 0} One.', "speed from 0.1 to 10"),
        ('{"name": "a", "speed": NaN} One.', "speed from 0.1 to 10"),
        ('{"name": "a", "speed": true} One.', "speed from 0.1 to 10"),
        ('{"name": "a", "seed": 1.5} One.', "whole number as seed"),
        ('{"name": "a", "seed": 4294967296} One.', "whole number as seed"),
    ],
)
def test_a_tag_that_is_not_understood_is_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_story_of_one_turn_is_what_the_synthesizer_says(tiny, other):
    story = speak(tiny, [Turn("a", "Two words.")], {"a": Role(other)}, seed=5, speed=1.5)
    alone = tiny.speak("Two words.", other, seed=5, speed=1.5)
    assert torch.equal(story.speech.waveform.samples, alone.waveform.samples)
    assert (story.turns[0].start, story.turns[0].end, story.turns[0].seed) == (0, alone.waveform.seconds, 5)


def test_each_turn_is_said_by_its_own_voice_with_its_own_seed(tiny, other):
    turns = parse(TEXT)
    story = speak(tiny, turns, {"main": Role(None), "town": Role(other)}, seed=5)
    rate = story.speech.waveform.sample_rate
    assert [spoken.seed for spoken in story.turns] == [5, 6, 7]
    for spoken, prompt in zip(story.turns, (None, other, None), strict=True):
        alone = tiny.synthesize(spoken.turn.text, prompt, seed=spoken.seed).samples
        heard = story.speech.waveform.samples[round(spoken.start * rate) : round(spoken.end * rate)]
        assert len(heard) == len(alone)
        assert torch.equal(heard[300:-300], alone[300:-300])  # the edges are faded
    assert story.speech.chunks == tuple(turn.text for turn in turns)


def test_there_is_silence_between_turns_and_nowhere_else(tiny, other):
    story = speak(tiny, parse(TEXT), {"main": Role(None), "town": Role(other)})
    rate, samples = story.speech.waveform.sample_rate, story.speech.waveform.samples
    for before, after in zip(story.turns, story.turns[1:], strict=False):
        assert after.start - before.end == pytest.approx(0.4, abs=1e-4)
        assert samples[round(before.end * rate) : round(after.start * rate)].abs().max() == 0
    assert story.turns[-1].end == pytest.approx(story.speech.waveform.seconds)


def test_the_nearest_speed_counts(tiny, other):
    def seconds(turn: float | None, role: float | None, story: float) -> float:
        return speak(tiny, [Turn("a", "Two words.", turn)], {"a": Role(other, role)}, speed=story).turns[0].end

    slow, fast = seconds(None, None, 0.5), seconds(None, None, 2.0)
    assert slow > 1.5 * fast
    assert seconds(None, 0.5, 2.0) == slow
    assert seconds(2.0, 0.5, 0.5) == fast


def test_a_turns_own_seed_counts_also_where_it_is_0(tiny, other):
    story = speak(tiny, [Turn("a", "One."), Turn("a", "Two.", seed=0)], {"a": Role(other)}, seed=9)
    assert [spoken.seed for spoken in story.turns] == [9, 0]


def test_progress_counts_characters_to_the_end_and_can_stop_the_story(tiny):
    seen: list[tuple[int, int]] = []
    turns = parse(TEXT)
    speak(tiny, turns, {"main": Role(None), "town": Role(None)}, on_step=lambda *step: seen.append(step))
    whole = sum(len(turn.text) for turn in turns)
    assert seen[-1] == (whole, whole)
    assert seen == sorted(seen) and len(seen) >= 6  # two steps a turn
    assert {total for _, total in seen} == {whole}

    def stop(done: int, total: int) -> None:
        if done > len(turns[0].text):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        speak(tiny, turns, {"main": Role(None), "town": Role(None)}, on_step=stop)


def test_an_unknown_name_is_one_line_that_lists_the_names(tiny):
    with pytest.raises(ValueError, match=r"^the text names \[town\], and there is no such voice; there are a, main$"):
        speak(tiny, parse(TEXT), {"main": Role(None), "a": Role(None)})


def test_a_length_is_for_one_turn_only(tiny):
    assert speak(tiny, [Turn("a", "One.")], {"a": Role(None)}, seconds=2.0).turns[0].end == pytest.approx(2.0, abs=0.02)
    with pytest.raises(ValueError, match="this story has 3"):
        speak(tiny, parse(TEXT), {"main": Role(None), "town": Role(None)}, seconds=2.0)


def toml(folder: Path, text: str) -> Path:
    path = folder / "story.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_f5_tts_is_read_in_our_words(tmp_path):
    path = toml(
        tmp_path,
        """
        model = "F5TTS_v1_Base"
        ref_audio = "main.flac"
        ref_text = ""
        gen_text = "in vain"
        gen_file = "story.txt"
        vocab_file = ""
        nfe_step = 16
        cfg_strength = 0
        sway_sampling_coef = -1.0
        remove_silence = true
        output_dir = "tests"
        [voices.town]
        ref_audio = "voices/town.flac"
        ref_text = "Words."
        speed = 0.8
        pitch = 2
        """,
    )
    story = f5_options.read(path, OPTIONS)
    assert story.options == {
        "model": "F5TTS_v1_Base",
        "text_file": str(tmp_path / "story.txt"),
        "steps": 16,
        "guidance": 0,
        "sway": -1.0,
        "output_dir": "tests",
    }
    assert story.voices == {
        "town": StoryVoice(tmp_path / "voices/town.flac", "Words.", None, 0.8),
        "main": StoryVoice(tmp_path / "main.flac"),
    }
    assert story.unknown == ("remove_silence", "voices.town.pitch")


def test_our_own_spelling_means_the_same(tmp_path):
    story = f5_options.read(
        toml(tmp_path, 'text = "Hi."\nsteps = 4\nvoice = "anna"\n[voices.b]\nvoice = "bob"'), OPTIONS
    )
    assert story.options == {"text": "Hi.", "steps": 4}
    assert story.voices == {"main": StoryVoice(voice="anna"), "b": StoryVoice(voice="bob")}


def test_a_path_that_is_only_in_the_present_folder_is_found_there(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.flac").touch()
    monkeypatch.chdir(tmp_path / "here")
    voices = f5_options.read(toml(tmp_path, 'ref_audio = "a.flac"'), OPTIONS).voices
    assert voices["main"].ref_audio == Path("a.flac")
    (tmp_path / "a.flac").touch()
    voices = f5_options.read(toml(tmp_path, 'ref_audio = "a.flac"'), OPTIONS).voices
    assert voices["main"].ref_audio == tmp_path / "a.flac"


@pytest.mark.parametrize(
    "text, message",
    [
        ("steps = ", "is no TOML"),
        ("x = " + "[" * 5000, "is no TOML"),
        ("voices = 3", "voices are tables"),
        ("[voices]\ntown = 3", "voices are tables"),
        ("[voices.town]\nref_text = 'a'", "voices.town needs ref_audio"),
        ("[voices.town]\nref_audio = 'a'\nvoice = 'b'", "voices.town needs ref_audio"),
        ("[voices.town]\nref_audio = 3", "must be texts"),
        ("[voices.town]\nref_audio = 'a'\nspeed = 0", "voices.town.speed is 0; it must be from 0.1 to 10"),
        ("[voices.town]\nref_audio = 'a'\nspeed = true", "voices.town.speed is True"),
        ("[model]\nname = 'x'", "model is {'name': 'x'}; it must be a text, a number or true or false"),
    ],
)
def test_a_file_that_is_wrong_is_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        f5_options.read(toml(tmp_path, text), OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        f5_options.read(tmp_path / "nothing.toml", OPTIONS)


@pytest.fixture
def told(tmp_path: Path, model_folder: Path, voice_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A story's file with its recordings, in a folder with a library of one voice, anna."""
    shutil.copy(voice_file, tmp_path / "main.wav")
    (tmp_path / "story.txt").write_text(TEXT, encoding="utf-8")
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "voices"))
    VoiceLibrary().add("anna", Prompt.load(voice_file, TRANSCRIPT), "a note")
    return toml(
        tmp_path,
        f"""
        model = {json.dumps(str(model_folder))}
        ref_audio = "main.wav"
        ref_text = "{TRANSCRIPT}"
        gen_file = "story.txt"
        nfe_step = 3
        cfg_strength = 1.5
        output_dir = {json.dumps(str(tmp_path / "out"))}
        output_file = "told.wav"
        remove_silence = false
        [voices.town]
        ref_audio = "main.wav"
        ref_text = "{TRANSCRIPT}"
        speed = 2.0
        """,
    )


def test_the_command_tells_a_story(tts_fm_command: Command, told: Path, tmp_path: Path) -> None:
    done = tts_fm_command("synthesize", "--config", told, "--seed", 1, "--json")
    record = json.loads(done.stdout)
    assert (done.code, record["steps"], record["guidance"]) == (0, 3, 1.5)
    assert "nothing is done with remove_silence" in done.stderr.splitlines()[0]
    assert record["output"] == str(tmp_path / "out" / "told.wav")
    assert [turn["voice"] for turn in record["turns"]] == ["main", "town", "main"]
    assert record["turns"][-1]["end"] == pytest.approx(record["seconds"], abs=2e-3)
    assert io.read(record["output"]).seconds == pytest.approx(record["seconds"], abs=1e-3)


def test_what_is_given_goes_before_the_file_also_0(tts_fm_command: Command, told: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.wav"
    given = ("--guidance", 0, "--nfe_step", 1, "--text", "[town] One. [anna] Two.", "-o", out)
    done = tts_fm_command("synthesize", "-c", told, *given, "--seed", 0, "--json", "-q")
    record = json.loads(done.stdout)
    assert (done.code, done.stderr, record["steps"], record["guidance"], record["seed"]) == (0, "", 1, 0, 0)
    assert [turn["voice"] for turn in record["turns"]] == ["town", "anna"]
    assert record["output"] == str(out) and not (tmp_path / "out").exists()


def test_a_voice_given_for_a_tag_goes_before_the_files(tts_fm_command: Command, told: Path, tmp_path: Path) -> None:
    say = ("synthesize", "-c", told, "--text", "[town] One more word.", "--seed", 0, "--steps", 1, "-q", "-o")
    assert tts_fm_command(*say, tmp_path / "file.wav").code == 0
    assert tts_fm_command(*say, tmp_path / "anna.wav", "--voice", "town=default").code == 0
    sounds = [io.read(tmp_path / name).samples for name in ("file.wav", "anna.wav")]
    assert len(sounds[0]) != len(sounds[1]) or not torch.equal(*sounds)


def test_voices_by_tag_need_no_file(tts_fm_command: Command, told: Path, model_folder: Path, tmp_path: Path) -> None:
    say = ("synthesize", "--model", model_folder, "--text-file", tmp_path / "story.txt", "-o", tmp_path / "a.wav")
    done = tts_fm_command(*say, "--voice", "town=anna", "--json", "-q")
    assert [turn["voice"] for turn in json.loads(done.stdout)["turns"]] == ["main", "town", "main"]
    done = tts_fm_command(*say, "--voice", "main=anna")
    assert (
        done.code == 0
        and (
            "warning: [town] is no voice and was left out as a note or stage direction; voices are anna, default, main"
        )
        in done.stderr
    )
    done = tts_fm_command(*say, "--voice", "town=anna", "--voice", "twon=anna")
    assert "warning: nobody speaks as twon; the text names main, town" in done.stderr
    done = tts_fm_command(*say, "--voice", "town=anna", "--voice", "town=anna")
    assert (done.code, "give each voice once" in done.line) == (2, True)


def test_brackets_in_a_text_that_is_no_story_are_only_brackets(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.wav"
    done = tts_fm_command("synthesize", "--model", model_folder, "--text", "One [town] two.", "-o", out, "--json", "-q")
    assert [turn["text"] for turn in json.loads(done.stdout)["turns"]] == ["One [town] two."]


def test_set_changes_any_field_of_the_sampling(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    say = ("synthesize", "--model", model_folder, "--text", "One.", "-o", tmp_path / "a.wav", "--json", "-q")
    done = tts_fm_command(*say, "--set", "steps=1", "--set", "follow_prompt=true", "--set", "guidance_modes=rescale")
    record = json.loads(done.stdout)
    assert (record["steps"], record["follow_prompt"], list(record["guidance_modes"])) == (1, True, ["rescale"])
    done = tts_fm_command(*say, "--set", "stepz=1")
    assert (done.code, done.line) == (2, "tts-fm: sampling: it has no field 'stepz'; did you mean 'steps'?")
    done = tts_fm_command(*say, "--set", "steps")
    assert (done.code, "write it as follow_prompt=true" in done.line) == (2, True)
    done = tts_fm_command(*say, "--set", "steps=0")
    assert (done.code, "steps is 0" in done.line) == (2, True)
