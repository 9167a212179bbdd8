"""Subtitles in and out."""

from __future__ import annotations

import json

import pytest

from tts_fm import subtitles
from tts_fm.errors import InputError
from tts_fm.subtitles import Cue
from tts_fm.timing import SpokenWord

TEXT = (
    "It was a bright cold day in April, and the clocks were striking thirteen. Winston Smith, his chin nuzzled into "
    "his breast, slipped quickly through the glass doors of Victory Mansions, though not quickly enough to prevent a "
    "swirl of dust from entering along with him. Yes."
)
WORDS = [SpokenWord(word, i / 2, i / 2 + 0.4) for i, word in enumerate(TEXT.split())]


@pytest.mark.parametrize("line", [12, 42, 300])
def test_cues_hold_every_word_at_its_time_in_lines_that_are_not_too_long(line):
    shown = subtitles.cues(WORDS, line)
    assert " ".join(cue.text.replace("\n", " ") for cue in shown) == TEXT
    assert all(len(row) <= line for cue in shown for row in cue.text.split("\n"))
    assert all(len(cue.text.split("\n")) <= 2 for cue in shown)
    place = 0
    for cue in shown:
        n = len(cue.text.split())
        assert (cue.start, cue.end) == (WORDS[place].start, WORDS[place + n - 1].end)
        place += n


def test_a_sentence_never_begins_inside_of_a_cue():
    ends = [cue.text[-1] for cue in subtitles.cues(WORDS, 300)]
    assert ends == [".", ".", "."]


def test_every_word_can_be_a_cue_and_a_line_holds_at_least_a_word():
    assert [cue.text for cue in subtitles.cues(WORDS, by_word=True)] == TEXT.split()
    with pytest.raises(ValueError, match="a line of 9 characters holds hardly a word; give at least 10"):
        subtitles.cues(WORDS, 9)


@pytest.mark.parametrize("form", [subtitles.to_srt, subtitles.to_vtt])
def test_what_is_written_is_read_again(form):
    shown = [Cue(0.0, 1.5, "Black & white: 1 < 2"), Cue(3599.9996, 3723.25, "Two\nlines.")]
    assert subtitles.parse(form(shown)) == [shown[0], Cue(3600.0, 3723.25, "Two lines.")]


def test_the_clock_of_both_forms():
    assert subtitles.to_srt([Cue(3723.0405, 3724.0, "A")]) == "1\n01:02:03,041 --> 01:02:04,000\nA\n\n"
    assert subtitles.to_vtt([Cue(0.5, 1.0, "A")]) == "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nA\n\n"


def test_times_as_json():
    record = json.loads(subtitles.to_json(WORDS[:2], "It was", 1.23456))
    assert record == {
        "text": "It was",
        "seconds": 1.235,
        "words": [{"word": "It", "start": 0.0, "end": 0.4}, {"word": "was", "start": 0.5, "end": 0.9}],
    }


def test_marks_of_style_and_sounds_are_left_out():
    text = (
        "WEBVTT\n\nNOTE a --> b\n\n1\n00:01.000 --> 00:02.000 align:start\n<v.loud Bob Smith>Hi <i>you</i> &amp; me\n\n"
        "00:03.000 --> 00:04.5\n{\\an8}- (SIGHS) It\nis [a door slams]\n\n00:05.000 --> 00:06.000\n[MUSIC] ♪\n"
    )
    assert subtitles.parse(text) == [Cue(1.0, 2.0, "Hi you & me", "Bob Smith"), Cue(3.0, 4.5, "It is")]


@pytest.mark.parametrize(
    "text, speakers",
    [
        ("[ann] Yes: no.", ("ann", "Yes: no.")),
        ("JOHN: Hello.", ("john", "Hello.")),
        ("Note: this.", (None, "Note: this.")),
        ("Yes.", (None, "Yes.")),
    ],
)
def test_who_speaks_stands_before_the_words(text, speakers):
    (cue,) = subtitles.with_speakers([Cue(0.0, 1.0, text)], ["ann", "john", "main"])
    assert (cue.speaker, cue.text) == speakers


def test_nobody_is_spoken_for_by_somebody_else():
    with pytest.raises(
        ValueError, match="cue 2: there is no voice 'bbo'; there are bob, main; give 'bbo' one, or write"
    ):
        subtitles.with_speakers([Cue(0.0, 1.0, "[bob] Yes."), Cue(1.0, 2.0, "[bbo] No.")], ["bob", "main"])


@pytest.mark.parametrize(
    "text, line",
    [
        ("1\n00:00:01,000 -> 00:00:02,000\nA", "there are no cues in it"),
        ("1\n00:00:01,000 --> soon\nA", "line 2: '00:00:01,000 --> soon' is no time"),
        ("\n00:00:02,000 --> 00:00:01,000\nA", "line 2: the cue ends at 1 s, before it begins at 2 s"),
        ("", "there are no cues in it"),
    ],
)
def test_mistakes_name_their_line(text, line):
    with pytest.raises(InputError, match="x.srt") as caught:
        subtitles.parse(text, "x.srt")
    assert line in str(caught.value)
