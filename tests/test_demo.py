"""The web page without a browser: its handlers, its limits, one generation at a time, and what it gives out."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Generator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile
import torch
from conftest import TRANSCRIPT, buzz
from PIL import Image

from tts_fm import demo, timing
from tts_fm.audio import io, picture, watermark
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.demo import look, results, safety
from tts_fm.demo.casting import MAX_ROLES
from tts_fm.demo.compare import Compare, Trajectory
from tts_fm.demo.dub import Dub
from tts_fm.demo.edit import Edit, changed_words
from tts_fm.demo.generation import Device, Progress, Stopped
from tts_fm.demo.speak import Speak
from tts_fm.demo.story import Story, story_in_toml
from tts_fm.demo.studio import Studio, pick_seed
from tts_fm.demo.voices import Voices
from tts_fm.editing import Change
from tts_fm.editing import Edit as Edited
from tts_fm.errors import InputError, ModelError
from tts_fm.synthesizer import Synthesizer
from tts_fm.timing import SpokenWord

FLOW = ("euler", "uniform", 2, 1.0, -1.0)  # solver, grid, steps, guidance, sway
KEPT = ("kept", "default", None, None, False)  # source, voice, recording, transcript, consent
TRAVERSALS = ["../x", "..", "/etc/passwd", "a/b", "..\\x", "a\0b", "%2e%2e", "~root", "file:///etc/passwd", "C:\\x", ""]


@pytest.fixture
def studio(model_folder: Path, tmp_path: Path) -> Generator[Studio, None, None]:
    synthesizer = Synthesizer.load(str(model_folder), device="cpu")
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in synthesizer.backbone.parameters():  # as it comes, the last layer is zero and nothing flows
            weight += 0.1 * torch.randn(weight.shape, generator=random)
    found = Studio([synthesizer], VoiceLibrary(tmp_path / "voices"))
    yield found
    found.device.close()


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """What gradio hands over for an upload: a path."""
    Waveform(buzz(2.0, 24_000), 24_000).save(tmp_path / "upload.wav")
    return str(tmp_path / "upload.wav")


def last(steps: Generator[tuple[Any, ...], None, None], look: Callable[[tuple[Any, ...]], Any] = lambda values: values):
    """Return ``look(values)`` of the last values that a handler yields, while their files are there."""
    found = None
    for values in steps:
        found = look(values) if values[0] is not None and not isinstance(values[0], dict) else None
    assert found is not None, "nothing but progress"
    return found


def mistake(call: Callable[[], Any]) -> str:
    """Return the sentence with which ``call`` fails on the page."""
    with pytest.raises(gr.Error) as caught:
        result = safety.kindly(call)()
        if isinstance(result, Generator):
            for _ in safety.kindly_stepwise(lambda: result, outputs=3)():
                pass
    return caught.value.message


# Generation


def test_one_generation_at_a_time():
    device, order = Device(), []
    is_free = threading.Event()

    def first(on_step):
        order.append("first begins")
        assert is_free.wait(10)
        order.append("first ends")

    def second(on_step):
        order.append("second")
        return 2

    one, two = device.run(first), device.run(second)
    next(one)
    assert next(two) == Progress(is_waiting=True)
    assert next(two).is_waiting and next(two).is_waiting  # two beats on
    assert order == ["first begins"]
    is_free.set()
    assert _result(two) == 2
    assert order == ["first begins", "first ends", "second"]
    assert _result(one) is None
    device.close()


def test_cancel_stops_within_one_step_and_frees_the_device():
    device, steps = Device(), []
    may_step, has_stepped = threading.Semaphore(0), threading.Semaphore(0)

    def work(on_step):
        for i in range(100):
            assert may_step.acquire(timeout=10)
            steps.append(i)
            has_stepped.release()
            on_step(i + 1, 100)

    running = device.run(work)
    next(running)
    for _ in range(3):
        may_step.release()
        assert has_stepped.acquire(timeout=10)
    running.close()  # as gradio does on Cancel, and when the visitor leaves
    for _ in range(5):
        may_step.release()
    assert _result(device.run(lambda on_step: "free")) == "free"
    assert len(steps) <= 4
    device.close()


def test_who_waits_can_leave():
    device, is_free, calls = Device(), threading.Event(), []
    one = device.run(lambda on_step: is_free.wait(10))
    next(one)
    two = device.run(lambda on_step: calls.append(2))
    next(two)
    two.close()
    is_free.set()
    assert _result(one) is True
    assert _result(device.run(lambda on_step: 3)) == 3
    assert calls == []
    device.close()


def test_a_closed_device_stops_what_it_does():
    device, is_running = Device(), threading.Event()

    def endless(on_step):
        while True:
            on_step(1, 2)
            is_running.set()

    running = device.run(endless)
    next(running)
    assert is_running.wait(10)
    device.close()
    with pytest.raises(Stopped):
        _result(running)


def test_errors_of_the_work_come_through_also_a_timeout():
    device = Device()
    for error in (ValueError("no"), TimeoutError("late")):

        def work(on_step, error=error):
            raise error

        with pytest.raises(type(error), match=str(error)):
            _result(device.run(work))
    device.close()


def _result(running: Generator[Progress, None, Any]) -> Any:
    while True:
        try:
            next(running)
        except StopIteration as finished:
            return finished.value


@pytest.mark.parametrize(
    "progress, steps, words",
    [
        (Progress(), 4, "your turn comes"),
        (Progress(0, 0, False), 4, "Listening"),
        (Progress(1, 8, False), 4, "Part 1 of 2, step 1 of 4"),
        (Progress(5, 8, False), 4, "Part 2 of 2, step 1 of 4"),
        (Progress(7, 8, False), None, "88 %"),
        (Progress(8, 8, False), 4, "Making the sound"),
    ],
)
def test_progress_says_part_and_step(progress, steps, words):
    assert words in results.progress_bar(progress, steps)


# Speak


def speak(
    studio: Studio, text: str = "It costs $5.", voice=KEPT, flow=FLOW, seed: Any = 7, is_locked=True, marked=False
):
    return Speak(studio).speak(text, marked, *voice, *flow, 1.0, seed, is_locked)


def test_speech_is_the_streams_in_16_bits_with_its_facts(studio):
    def look(values):
        sound, _ = soundfile.read(values[0], dtype="int16")
        return sound, soundfile.info(values[0]).subtype, io.read_metadata(values[0]), values[1:]

    sound, subtype, facts, (mel, read, shown, seed, _, _, _, state) = last(speak(studio), look)
    expected = torch.cat([piece.waveform.samples for piece in studio.synthesizer.stream("It costs $5.", seed=7)])
    expected = expected / max(1.0, expected.abs().max().item())
    assert subtype == "PCM_16"
    assert (torch.from_numpy(sound.astype("float32")) - expected * 32_768).abs().max() <= 1.0  # not normalised
    assert facts["software"] == "tts-fm" and facts["model"] == "tiny" and facts["seed"] == "7"
    assert (read, seed) == ("It costs five dollars.", 7)
    assert "data:image/png;base64," in mel and "Real-time factor" in shown and ">7<" in shown and "Done" in state
    assert float(re.search(r"First sound after</dt><dd>([\d.]+) s", shown)[1]) >= 0  # type: ignore[index]


def test_pieces_are_handed_over_one_by_one_and_are_the_speech(studio):
    text = "It costs $5. " * 40
    steps = speak(studio, text=text)
    told, sounds, state = [], {}, ""
    for values in steps:
        if values[5] == gr.skip():
            continue
        told.append(values[5])
        for piece in values[5]["pieces"][len(sounds) :]:
            assert io.read_metadata(piece["sound"]["path"])["software"] == "tts-fm"
            sounds[piece["start"]] = soundfile.read(piece["sound"]["path"], dtype="int16")[0]
        if values[0] != gr.skip():
            whole, state = soundfile.read(values[0], dtype="int16")[0], values[-1]
    assert [len(each["pieces"]) for each in told] == [0, *range(1, len(sounds) + 1), len(sounds)] and len(sounds) >= 2
    assert [each["is_whole"] for each in told] == [False] * (len(sounds) + 1) + [True]
    assert len({each["run"] for each in told}) == 1 and {each["rate"] for each in told} == {24_000}
    joined = np.concatenate(list(sounds.values()))
    assert len(joined) == len(whole) and abs(joined.astype(int) - whole).max() <= 2
    assert [round(start * 24_000) for start in sounds] == [0, *np.cumsum([len(each) for each in sounds.values()])[:-1]]
    assert "Done" in state


def test_words_have_their_times_and_are_offered_as_subtitles(studio, monkeypatch):
    words = (SpokenWord("<Hello", 0.25, 0.5), SpokenWord("there.", 0.5, 1.0))
    monkeypatch.setattr(timing, "words", lambda passages, waveform: words)
    told, srt, vtt = last(
        speak(studio), lambda values: (values[5], *(Path(v["value"]).read_text() for v in values[6:8]))
    )
    assert told["words"] == [["<Hello", 0.25, 0.5], ["there.", 0.5, 1.0]]
    assert srt == "1\n00:00:00,250 --> 00:00:01,000\n<Hello there.\n\n"
    assert vtt == "WEBVTT\n\n00:00:00.250 --> 00:00:01.000\n&lt;Hello there.\n\n"

    def unheard(passages, waveform):
        raise ValueError("no aligner")

    monkeypatch.setattr(timing, "words", unheard)
    told, *offered, state = last(speak(studio), lambda values: values[5:])
    assert told["words"] == [] and [each["visible"] for each in offered] == [False, False] and "Done" in state


def test_markup_is_read_where_the_box_is_ticked(studio):
    text = "One [pause 1.5s] two."

    def look(values):
        return soundfile.info(values[0]).duration, values[2]

    seconds, read = last(speak(studio, text=text, marked=True), look)
    assert read == "One\ntwo." and seconds > 1.5
    assert "pause" in last(speak(studio, text=text), look)[1]
    assert (
        "Line 1, column 5: the tag [paus 1s] is not understood; tags are [pause 0.5s], [spell]NASA[/spell]"
        in mistake(lambda: speak(studio, text="One [paus 1s] two.", marked=True))
    )
    assert "more than 60 s together" in mistake(lambda: speak(studio, text="a [pause 60s]" * 9 + "b", marked=True))
    assert "there is no such voice" in mistake(lambda: speak(studio, text="One [voice nobody]two.", marked=True))
    studio.library.add("anna", Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT), "Anna said yes.")
    assert "consent" in mistake(lambda: speak(studio, text="One [voice anna]two.", marked=True))
    agreed = (*KEPT[:-1], True)
    assert last(speak(studio, text="One [voice anna]two.", voice=agreed, marked=True), look)[1] == "One\ntwo."


def test_an_unlocked_seed_is_another_one_and_is_told(studio):
    seeds = {last(speak(studio, is_locked=False), lambda values: values[4]) for _ in range(3)}
    assert len(seeds) == 3 and pick_seed(5, True) == 5


def test_the_files_are_gone_when_they_are_delivered(studio):
    path = last(speak(studio), lambda values: values[0])
    assert not Path(path).exists()


def test_progress_comes_before_the_speech_and_touches_nothing_else(studio):
    first = next(steps := speak(studio, text="One. " * 100))
    assert all(value == gr.skip() for value in (*first[:5], *first[6:-1])) and "<" in first[-1]
    assert (first[5]["pieces"], first[5]["words"], first[5]["is_whole"]) == (
        [],
        [],
        False,
    )  # what was heard before is over
    steps.close()


def test_cancelling_frees_the_device(studio):
    steps = speak(studio, text="A long text, said for the sake of its length. " * 80)
    next(steps)
    steps.close()
    assert last(speak(studio, text="Hello."), lambda values: values[1]).startswith("<figure")


@pytest.mark.parametrize("kind", ["new", "kept"])
def test_no_voice_is_cloned_without_consent(studio, recording, kind):
    studio.library.add("anna", Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT), "Anna said yes.")
    voice = ("new", None, recording, TRANSCRIPT) if kind == "new" else ("kept", "anna", None, None)
    assert "consent" in mistake(lambda: speak(studio, voice=(*voice, False)))
    assert "Done" in last(speak(studio, voice=(*voice, True)), lambda values: values[-1])


def test_watermark_is_in_all_that_is_given_out_or_nothing_is(studio, monkeypatch):
    marked = Studio(studio.synthesizers, studio.library, is_marked=True, device=studio.device)
    monkeypatch.setattr(
        watermark, "mark", lambda waveform: Waveform(torch.zeros_like(waveform.samples), waveform.sample_rate)
    )

    def look(values):
        return soundfile.read(values[0])[0].any(), io.read_metadata(values[0])["watermark"], values[5]["pieces"]

    assert last(speak(marked), look) == (False, "perth", [])

    def fail(waveform):
        raise ModelError("the watermark cannot be loaded")

    monkeypatch.setattr(watermark, "mark", fail)
    assert mistake(lambda: speak(marked)) == "The watermark cannot be loaded."


# Mistakes


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda s, r: speak(s, text=""), "text"),
        (lambda s, r: speak(s, text="a" * (safety.MAX_TEXT + 1)), "4,001 characters"),
        (lambda s, r: speak(s, flow=("rk9", *FLOW[1:])), "rk9"),
        (lambda s, r: speak(s, flow=("euler", "uniform", 1000, 1.0, -1.0)), "at most 64"),
        (lambda s, r: speak(s, voice=("new", None, None, "Words.", True)), "upload one"),
        (lambda s, r: speak(s, voice=("new", None, r, " ", True)), "transcript"),
        (lambda s, r: speak(s, voice=("kept", "nobody", None, None, True)), "there are default"),
        (lambda s, r: speak(s, voice=("kept", None, None, None, True)), "choose a voice"),
    ],
)
def test_mistakes_are_one_sentence(studio, recording, tmp_path, call, words):
    message = mistake(lambda: call(studio, recording))
    assert words.lower() in message.lower()
    assert not message[0].islower() and message.endswith(".") and "\n" not in message
    assert str(tmp_path) not in message and "/" not in message


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_of_a_voice_leads_out_of_the_library(studio, tmp_path, name):
    (tmp_path / "x.flac").write_bytes(b"secret")
    message = mistake(lambda: speak(studio, voice=("kept", name, None, None, True)))
    assert "voice" in message and str(tmp_path) not in message
    assert "voice" in mistake(lambda: Voices(studio).delete(name, True))
    assert (tmp_path / "x.flac").exists()


@pytest.mark.parametrize("kind", ["long", "bomb", "large", "text", "silent", "short"])
def test_uploads_that_are_refused(tmp_path, kind):
    path = tmp_path / "upload.flac"
    if kind == "long":
        Waveform(buzz(31.0, 8_000), 8_000).save(path)
    elif kind == "bomb":  # ten minutes of silence in few bytes
        Waveform(torch.zeros(600 * 8_000), 8_000).save(path)
        assert path.stat().st_size < 200_000
    elif kind == "large":
        path.write_bytes(b"fLaC" + bytes(safety.MAX_BYTES))
    elif kind == "text":
        path.write_text("no sound at all")
    else:
        Waveform(torch.zeros(16_000) if kind == "silent" else buzz(0.5, 8_000), 8_000).save(path)
    words = {
        "long": "more than 30 s",
        "bomb": "more than 30 s",
        "large": "more than 10 MB",
        "text": "no audio",
        "silent": "silent",
        "short": "at least 1 s",
    }
    message = mistake(lambda: safety.recording(str(path)))
    assert words[kind] in message and "upload.flac" not in message and message.startswith("The recording")


def test_what_nobody_expected_is_logged_and_not_told(caplog):
    def fail():
        raise RuntimeError("/secret/place is full")

    with caplog.at_level(logging.ERROR):
        message = mistake(fail)
    assert message == "Something went wrong here; the server's log tells what."
    assert "/secret/place is full" in caplog.text


@pytest.mark.parametrize(
    "line, clean",
    [
        ("there is no voice in /home/me/.local/voices; add one", "there is no voice in voices; add one"),
        ("C:\\Users\\me\\a.wav is empty", "a.wav is empty"),
        ("give WAV and/or FLAC, or hf://OWNER/REPO", "give WAV and/or FLAC, or hf://OWNER/REPO"),
        ("'/a/b.wav' is 'x'", "'b.wav' is 'x'"),
        ("write [/say] behind [say i], \\[ is a bracket", "write [/say] behind [say i], \\[ is a bracket"),
        ("the audio stream is empty", "the recording is empty"),
    ],
)
def test_of_a_path_only_the_last_name_is_told(line, clean):
    assert safety.without_paths(line) == clean


def test_a_mistake_is_also_told_in_the_tab(studio):
    steps = safety.kindly_stepwise(lambda: speak(studio, text=""), outputs=6)()
    shown = []
    with pytest.raises(gr.Error):
        for values in steps:
            shown.append(values)
    assert len(shown[-1]) == 6 and "warning" in shown[-1][-1]


# Story


def story(studio: Studio, text: str, voices: list[str | None], consent: bool = False):
    return Story(studio).story(text, *voices, *[None] * (MAX_ROLES - len(voices)), consent, *FLOW, 1.0, 3, True)


def test_a_story_is_one_file_and_says_who_speaks_when(studio):
    studio.library.add("anna", Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT), "Anna said yes.")
    text = "[main] One came. [anna] Two stayed."

    def look(values):
        return soundfile.info(values[0]).duration, io.read_metadata(values[0])["seed"], values[1]

    seconds, seed, table = last(story(studio, text, ["default", "anna"], consent=True), look)
    spans = [tuple(map(float, span)) for span in re.findall(r"([\d.]+)–([\d.]+) s", table)]
    assert len(spans) == 2 and spans[0][0] == 0 and spans[0][1] < spans[1][0]
    assert spans[1][1] == pytest.approx(seconds, abs=0.06)
    assert seed == "3" and "<td>anna</td>" in table and "Two stayed." in table
    assert "consent" in mistake(lambda: story(studio, text, ["default", "anna"]))


def test_notes_in_a_story_are_not_said_but_told(studio):
    text = "[main] One came. [laughs] It was late.[1]"
    words, state = last(story(studio, text, ["default"]), lambda values: (values[1], values[-1]))
    assert "One came. It was late." in words and "laughs" not in words
    assert "[laughs], [1] are no voices and were left out" in state
    assert "did you mean [anna]" in mistake(lambda: story(studio, "[anna] One. [ana] Two.", []))


def test_a_story_of_too_many_voices_is_refused(studio):
    text = "\n".join(f"[v{i}] Word." for i in range(MAX_ROLES + 1))
    assert f"at most {MAX_ROLES}" in mistake(lambda: story(studio, text, []))


def test_a_field_appears_for_each_name(studio):
    studio.library.add("anna", Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT), "Anna said yes.")
    rows = Story(studio).rows(
        "Once. [anna] Hello.\n[bob] Good day. [laughs] So[1] it is. [bob] Bye.", *["default"] * MAX_ROLES
    )
    assert [row.get("label") for row in rows[:3]] == ["[main]", "[anna]", "[bob]"]
    assert [row["value"] for row in rows[:3]] == ["default", "anna", "default"]
    assert [row["visible"] for row in rows] == [True] * 3 + [False] * 3
    assert Story(studio).rows("", *["default"] * MAX_ROLES) == [gr.skip()] * MAX_ROLES


def test_a_toml_gives_its_text_and_reads_no_other_file(tmp_path):
    file = tmp_path / "story.toml"
    file.write_text('gen_text = "[town] Hello."\nref_audio = "/etc/passwd"\ngen_file = "/etc/passwd"\n')
    assert story_in_toml(file) == "[town] Hello."
    file.write_text('gen_text = "Once. [town] Hello. [sic]"\n[voices.town]\nref_audio = "town.wav"\n')
    assert story_in_toml(file) == "Once. \n[town] Hello. [sic]"
    for wrong in ('gen_file = "/etc/passwd"', "a = = b", "x = '" + "y" * 100_001 + "'"):
        file.write_text(wrong)
        with pytest.raises(InputError, match="the file"):
            story_in_toml(file)


# Dub


def dub(studio: Studio, text: str, voices: Sequence[str | None] = ("default",), consent: bool = False):
    return Dub(studio).dub(text, *voices, *[None] * (MAX_ROLES - len(voices)), consent, 1.35, *FLOW, 3, True)


def cue(start: str, end: str, words: str) -> str:
    return f"1\n00:00:{start} --> 00:00:{end}\n{words}\n\n"


def test_a_dub_has_every_cue_in_a_row_and_tells_what_does_not_fit(studio):
    text = cue("01,000", "07,000", "One came.") + cue(
        "07,100", "07,200", "This is far too long for a tenth of a second."
    )

    def look(values):
        return io.read(values[0]).seconds, io.read_metadata(values[0])["seed"], values[1], values[3], values[-1]

    seconds, seed, table, facts, state = last(dub(studio, text), look)
    rows = [re.findall("<td>(.*?)</td>", row) for row in table.split("<tr>")[2:]]
    assert [row[0] for row in rows] == ["1", "2"] and rows[0][1] == "yes" and rows[0][2] == "1.00–7.00 s"
    assert rows[1][4] == "0.10 s" and re.fullmatch(r"[\d.]+ s over", rows[1][1]) and rows[1][5] == "1.35×"
    assert f"Cue 2 needs {rows[1][3]} and had 0.10 s" in state and "1 of 2 cues" in facts
    assert seed == "3" and seconds > 7.2


def test_cues_have_voices_of_their_own_with_consent(studio):
    studio.library.add("anna", Prompt(Waveform(buzz(2.0, 24_000), 24_000), TRANSCRIPT), "Anna said yes.")
    text = (
        cue("00,000", "03,000", "One came.")
        + cue("03,000", "06,000", "[bob] Two.")
        + cue("06,000", "09,000", "ANNA: No.")
    )
    rows = Dub(studio).rows(text, *["default"] * MAX_ROLES)
    assert [row.get("label") for row in rows[:3]] == ["[main]", "[bob]", "[anna]"] and rows[2]["value"] == "anna"
    assert "consent" in mistake(lambda: dub(studio, text, ["default", "default", "anna"]))
    table = last(dub(studio, text, ["default", "default", "anna"], consent=True), lambda values: values[1])
    assert "[bob] Two." in table and "[anna] No." in table
    assert Dub(studio).rows("nothing", *["default"] * MAX_ROLES) == [gr.skip()] * MAX_ROLES


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "there are no cues"),
        ("1\n00:00:02,000 --> 00:00:01,000\nNo.\n", "line 2"),
        ("1\n99:00:00,000 --> 99:00:01,000\nNo.\n", "at most 200, and 600 s"),
        ("".join(cue("00,000", "01,000", "No.") for _ in range(201)), "there are 201 cues"),
        (cue("00,000", "01,000", "no " * 2_000), "5,999 characters"),
        ("x" * 40_001, "40,001 characters"),
    ],
)
def test_subtitles_that_are_refused(studio, text, words):
    assert words in mistake(lambda: dub(studio, text)).replace("There", "there")


def test_a_file_of_subtitles_gives_its_text(studio, tmp_path):
    (tmp_path / "a.srt").write_text(text := cue("00,000", "01,000", "No."))
    assert Dub(studio).from_file(str(tmp_path / "a.srt")) == text
    (tmp_path / "a.srt").write_bytes(b"\xff\xfe")
    assert str(tmp_path) not in mistake(lambda: Dub(studio).from_file(str(tmp_path / "a.srt")))


# Edit


def edit(studio: Studio, recording: str | None, consent: bool = True):
    return Edit(studio).edit(recording, "we said old words", "we said new words", consent, *FLOW, 3, True)


def test_an_edit_shows_before_and_after_with_the_change_marked(studio, recording, monkeypatch):
    def made(self, waveform, transcript, new_text, *, seed, sampling, on_step):
        on_step(1, 1)
        change = Change("old", "new", Span(0.5, 1.0), Span(0.5, 1.5))
        longer = torch.cat([waveform.samples, waveform.samples[:12_000]])
        return Edited(Waveform(longer, waveform.sample_rate), (change,), (), 0.1)

    monkeypatch.setattr(Synthesizer, "edit", made)

    def look(values):
        before, after = (soundfile.read(path, dtype="int16")[0] for path in values[:2])
        return before, after, io.read_metadata(values[1]), values[2:]

    before, after, facts, (old_mel, new_mel, words, shown, seed, _) = last(edit(studio, recording), look)
    uploaded, _ = soundfile.read(recording, dtype="int16")
    assert (before == uploaded).all() and (after[: len(uploaded)] == uploaded).all()
    assert "left:25.00%;width:25.00%" in old_mel and "left:20.00%;width:40.00%" in new_mel
    assert "<del>old</del> <ins>new</ins>" in words and "1.00 s" in shown and seed == 3
    assert facts["software"] == "tts-fm" and facts["text"] == "we said new words"


def test_only_the_models_own_voice_is_edited_without_consent(studio, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(Synthesizer, "edit", lambda self, waveform, *_, **__: Edited(waveform, (), (), 0.1))
    assert "consent" in mistake(lambda: edit(studio, recording, consent=False))
    own = last(Edit(studio).sample(), lambda values: Path(values[0]).read_bytes())
    (tmp_path / "own.wav").write_bytes(own)
    state = last(edit(studio, str(tmp_path / "own.wav"), consent=False), lambda values: values[-1])
    assert "stays as it is" in state


def test_words_that_change_are_marked_and_escaped():
    shown = changed_words("We met <, at seven.", "We met at eight, there.", doubtful=[1])
    assert "<del>" in shown and "<ins>eight, there.</ins>" in shown and "<," not in shown and "&lt;," in shown
    assert re.search(r'class="doubtful"[^>]*>met<', shown)
    assert changed_words("", "") == '<p class="words"></p>'


def test_the_new_text_follows_the_transcript_until_it_is_changed():
    assert Edit.follow("we said", "", "")[:2] == ("we said", "we said")
    assert Edit.follow("we said it", "we said", "we said")[0] == "we said it"
    assert Edit.follow("we said it", "we sang", "we said")[0] == "we sang"


# Compare


def compare(studio: Studio, a=FLOW, b=FLOW, text: str = "The same words."):
    model = studio.synthesizer.config.name
    return Compare(studio).compare(text, "default", False, model, *a, "", model, *b, "", 5, True)


def test_the_same_settings_make_no_difference_and_other_ones_do(studio):
    def look(values):
        return Path(values[0]).read_bytes() == Path(values[3]).read_bytes(), values[6], values[7]

    is_same, difference, way = last(compare(studio), look)
    assert is_same and "0.00 dB" in difference
    assert way.count("<img") == 16
    assert way.count("<figcaption>t = 0.00") == 2 and way.count("<figcaption>t = 1.00") == 2
    is_same, difference, _ = last(compare(studio, b=("heun", "uniform", 4, 0.0, 0.0)), look)
    assert not is_same and float(re.search(r"([\d.]+) dB", difference)[1]) > 0.01  # type: ignore[index]


@pytest.mark.parametrize("solver, nfe", [("euler", 4), ("heun", 8), ("rk4", 16), ("ab3", 5)])
def test_evaluations_are_counted_as_they_are_made(studio, solver, nfe):
    facts = last(compare(studio, b=(solver, "uniform", 4, 1.0, 0.0)), lambda values: values[5])
    assert f"<dt>Evaluations (NFE)</dt><dd>{nfe}</dd>" in facts


def test_the_way_begins_with_noise_and_ends_with_the_mel(studio):
    way = Trajectory()
    speech = studio.synthesizer.speak("Some words.", seed=1, on_state=way)
    scale = studio.synthesizer.config.mel_scale
    noise = scale.scaled(way.at(0.0, speech.mel))
    assert noise.mean().abs() < 0.1 and (noise.std() - 1).abs() < 0.1
    assert torch.equal(way.at(1.0, speech.mel), speech.mel)
    times = sorted(way.states)
    middle = (times[0] + times[1]) / 2  # Euler's way is straight between two steps
    torch.testing.assert_close(way.at(middle, speech.mel), (way.states[times[0]] + way.states[times[1]]) / 2)
    assert way.evaluations == 2


# Voices


def test_a_voice_is_kept_shown_taken_along_and_deleted(studio, recording, tmp_path):
    tab = Voices(studio)
    assert "consent" in mistake(lambda: tab.keep("anna", recording, TRANSCRIPT, "Anna said yes.", False))
    assert "anna" in tab.keep("anna", recording, TRANSCRIPT, "Anna <said> yes.", True)
    assert tab.names() == ["default", "anna"]
    assert "already" in mistake(lambda: tab.keep("anna", recording, TRANSCRIPT, "Again.", True))
    assert "note of consent" in mistake(lambda: tab.keep("bob", recording, TRANSCRIPT, " ", True))
    facts, file = last(tab.show("anna"), lambda values: (values[1], Path(values[2]).read_bytes()))
    voice = studio.library.load("anna")
    assert voice.sha256 in facts and "Anna &lt;said&gt; yes." in facts and TRANSCRIPT in facts
    assert "Tick the box" in mistake(lambda: tab.delete("anna", False))
    tab.delete("anna", True)
    assert tab.names() == ["default"] and next(tab.show("anna")) == (None, "", None)
    (tmp_path / "anna.flac").write_bytes(file)
    assert "anna" in tab.bring(str(tmp_path / "anna.flac")) and studio.library.load("anna").sha256 == voice.sha256
    (tmp_path / "bob.flac").write_bytes(file[:-2000] + bytes(2000))
    assert str(tmp_path) not in mistake(lambda: tab.bring(str(tmp_path / "bob.flac")))
    assert tab.names() == ["default", "anna"]


# The page


def test_the_page_has_named_functions_with_docs_and_no_others(studio):
    page = demo.build(studio)
    shown = page.get_api_info()["named_endpoints"]
    assert sorted(shown) == sorted(
        f"/{name}"
        for name in [
            *("speak", "story", "dub", "edit", "compare"),
            *("list_voices", "keep_voice", "bring_voice", "show_voice", "delete_voice"),
        ]
    )
    for name, about in shown.items():
        assert len(about["description"]) > 40, name
    names = [parameter["parameter_name"] for parameter in shown["/speak"]["parameters"]]
    assert (
        names[:7] == ["text", "is_marked_up", "source", "voice", "recording", "transcript", "consent"]
        and names[-1] == "is_seed_locked"
    )
    needed = [each["parameter_name"] for each in shown["/speak"]["parameters"] if not each["parameter_has_default"]]
    assert needed == ["recording"]


def test_all_that_generates_waits_in_one_queue_of_limited_length(studio):
    page = demo.build(studio)
    generating = [f for f in page.fns.values() if f.api_name in ("speak", "story", "dub", "edit", "compare")]
    assert {f.concurrency_id for f in generating} == {"generation"} and {f.concurrency_limit for f in generating} == {1}
    assert page._queue.max_size == safety.MAX_WAITING and page.delete_cache == (3600, 3600)
    assert page.analytics_enabled is False


def test_kept_voices_can_not_be_changed_where_others_come_in(studio):
    shown = demo.build(studio, is_private=False).get_api_info()["named_endpoints"]
    assert sorted(shown) == ["/compare", "/dub", "/edit", "/speak", "/story"]


def test_elements_have_names_that_stay(studio):
    blocks = demo.build(studio).blocks.values()
    ids = [block.elem_id for block in blocks if getattr(block, "elem_id", None)]
    assert len(ids) == len(set(ids))
    named = {
        "speak": "text markup tags source voice recording transcript consent seed words audio srt vtt mel read facts status",
        "story": "text voice-1 consent audio turns status",
        "dub": "text file voice-1 consent fastest audio cues status",
        "edit": "recording transcript new-text consent words before after status",
        "compare": "text a-steps b-steps a-audio b-audio difference trajectory status",
    }
    for tab, parts in named.items():
        assert {f"{tab}-{part}" for part in parts.split()} | {f"{tab}-generate", f"{tab}-cancel"} <= set(ids)


def test_nothing_is_fetched_from_elsewhere_and_no_path_is_in_the_page(studio, model_folder):
    page = demo.build(studio)
    config = json.dumps(page.get_config_file(), default=str)
    assert str(model_folder) not in config and str(Path(demo.__file__).parent) not in config
    assert "://" not in look.CSS and "@import" not in look.CSS and look.theme()._stylesheets == []


def test_launch_is_safe_by_default(studio, monkeypatch):
    seen: dict[str, Any] = {}
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **how: seen.update(how))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    demo.launch(studio, port=7860)
    assert (seen["server_name"], seen["share"], seen["max_file_size"]) == ("127.0.0.1", False, safety.MAX_BYTES)
    assert seen["allowed_paths"] == [] and seen["show_error"] is False


def test_a_taken_port_is_one_line(studio, monkeypatch):
    def taken(self, **how):
        raise OSError("Cannot find empty port")

    monkeypatch.setattr(gr.Blocks, "launch", taken)
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")  # so that it is put back
    with pytest.raises(ValueError, match="127.0.0.1:7860 cannot be listened on; take another port"):
        demo.launch(studio, port=7860)


# Pictures


def test_a_picture_has_a_pixel_for_each_value():
    def drawn(mel: torch.Tensor, loudest: float | None = None) -> Image.Image:
        return Image.open(BytesIO(picture.png(mel, loudest)))

    mel = torch.linspace(-10, 0, 7 * 5).reshape(7, 5)
    assert drawn(mel).size == (7, 5)
    assert drawn(mel).getpixel((6, 0)) == (255, 255, 245)  # the loudest, last and highest
    assert drawn(mel, loudest=10.0).getpixel((6, 0)) == (8, 8, 32)  # ten nepers below
    assert drawn(torch.zeros(9_000, 5)).size == (2_000, 5)
