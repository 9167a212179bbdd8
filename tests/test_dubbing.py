"""Subtitles spoken in their own time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from test_stream import told  # noqa: F401 (a fixture)

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.dubbing import dub
from tts_fm.story import Role
from tts_fm.subtitles import Cue, to_srt
from tts_fm.synthesizer import Synthesizer

TEXT = "It paid for the old house."
ROLES = {"main": Role(None)}


@pytest.fixture(scope="module")
def needed(told: Synthesizer) -> float:  # noqa: F811
    """Seconds that the words of TEXT take."""
    (cue,) = dub(told, [Cue(1.0, 30.0, TEXT)], ROLES).cues
    assert (cue.had, cue.speed, cue.is_inside) == (29.0, 1.0, True)
    assert cue.end - cue.start == pytest.approx(cue.needed, abs=0.02)
    return cue.needed


@pytest.mark.parametrize(
    "shown, free, speed, is_inside",
    [
        (1.2, 0.0, 1.0, True),  # in parts of what the words need: the cue, and the silence after it
        (0.6, 0.6, 1.0, True),
        (0.8, 0.0, 1 / 0.8, True),
        (0.6, 0.2, 1 / 0.8, True),
        (0.5, 0.0, 1.35, False),
    ],
)
def test_a_cue_borrows_silence_then_hurries_then_tells(told, needed, shown, free, speed, is_inside):  # noqa: F811
    start = 2.0
    end = start + shown * needed
    cues = [Cue(start, end, TEXT), Cue(end + free * needed + 0.08, end + 60, TEXT)]
    made = dub(told, cues, ROLES)
    first, second = made.cues
    assert first.start == pytest.approx(start, abs=0.02) and second.start == pytest.approx(cues[1].start, abs=0.02)
    assert first.speed == pytest.approx(speed, abs=0.02) and first.is_inside == is_inside
    assert first.end - first.start == pytest.approx(needed / speed, abs=0.03)
    assert made.waveform.seconds == pytest.approx(end + 60, abs=0.01)


def test_words_are_told_where_they_are_heard(told, needed):  # noqa: F811
    made = dub(told, [Cue(1.0, 20.0, TEXT), Cue(30.0, 50.0, TEXT)], ROLES)
    assert [word.text for word in made.words] == TEXT.split() * 2
    assert made.words[0].start == pytest.approx(1.0, abs=0.02)
    assert made.words[6].start == pytest.approx(30.0, abs=0.02)
    loud = made.waveform.samples.abs() > 0
    assert not loud[: round(0.5 * 24_000)].any() and not loud[(45 * 24_000) :].any()


def test_a_bed_lies_below_and_sets_the_length(told):  # noqa: F811
    bed = Waveform(torch.full(((70 * 8000),), 0.25), 8000)
    made = dub(told, [Cue(1.0, 20.0, TEXT)], ROLES, bed=bed)
    assert made.waveform.seconds == pytest.approx(70.0, abs=0.01)
    assert made.waveform.samples[40 * 24_000 : 41 * 24_000].mean() == pytest.approx(0.25, abs=0.01)


def test_every_speaker_has_a_role(told):  # noqa: F811
    with pytest.raises(ValueError, match=r"the text names \[bob\], and there is no such voice"):
        dub(told, [Cue(0.0, 1.0, "Yes.", "bob")], ROLES)


def test_the_command_dubs_and_tells_what_does_not_fit(tts_fm_command, model_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.srt"
    long = "This is by far too much to be said in so short a time by anybody at all."
    file.write_text(to_srt([Cue(1.0, 3.0, "Yes."), Cue(4.0, 4.5, long)]), encoding="utf-8")
    done = tts_fm_command("dub", file, "-m", model_folder, "-o", tmp_path / "dub.wav", "--seed", "1", "--json")
    assert done.code == 0
    record = json.loads(done.stdout)
    assert [cue["is_inside"] for cue in record["cues"]] == [True, False]
    assert record["cues"][1]["speed"] == pytest.approx(1.35)
    assert "cue 2 at 4.00 s needs" in done.stderr and "1 of 2 cues in time" in done.stderr
    assert io.read(tmp_path / "dub.wav").seconds == pytest.approx(record["seconds"], abs=0.01)


@pytest.mark.parametrize(
    "text, code, line",
    [
        (
            "[bob] Yes.",
            2,
            "cue 1: there is no voice 'bob'; there are default, main; give 'bob' one, or write (...) around what is not "
            "said (--voice)",
        ),
        ("...", 3, "there are no cues in it; give a SubRip (.srt) or WebVTT (.vtt) file"),
    ],
)
def test_mistakes_are_one_line(text, code, line, tts_fm_command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path / "voices"))
    file = tmp_path / "a.srt"
    file.write_text(to_srt([Cue(1.0, 3.0, text)]), encoding="utf-8")
    done = tts_fm_command("dub", file, "-o", tmp_path / "dub.wav")
    assert done.code == code and line in done.line
