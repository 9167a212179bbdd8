"""The other tabs of the web page in a real browser: stories, edits, comparisons and kept voices."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from browser_page import MISHEARD, Server, Visitor, int16

from tts_fm import subtitles
from tts_fm.audio import io

pytestmark = pytest.mark.browser


@pytest.fixture
def keeper(visitor: Visitor, server: Server, recording: tuple[Path, str]) -> Visitor:
    """A visitor who keeps the recording's voice under the name ``anna``."""
    visitor.open("Voices")
    if not server.kept("anna"):
        visitor.upload("voices-recording", recording[0])
        visitor.type("voices-transcript", recording[1])
        visitor.type("voices-name", "anna")
        visitor.type("voices-note", "A test, today.")
        visitor.tick("voices-consent")
        visitor["voices-keep"].click()
        visitor.wait("voices", "Kept as anna")
    return visitor


def test_two_voices_tell_one_story(keeper: Visitor, hears: Callable[[Path, str], float]) -> None:
    keeper.open("Story")
    keeper.type("story-text", "[one] I went down to the river this morning.\n[anna] And what did you find there?")
    keeper["story-voice-2"].get_by_text("[anna]").wait_for()
    assert keeper["story-voice-2"].locator("input").input_value() == "anna"  # the kept voice of that name
    assert not keeper["story-voice-3"].is_visible()
    keeper.settle("story", steps=4)  # as it was taught to leap
    keeper["story-generate"].click()
    assert "consent" in keeper.error()
    keeper.tick("story-consent")
    keeper.finish("story")
    story = keeper.download("story-audio")
    assert hears(story, "I went down to the river this morning. And what did you find there?") <= MISHEARD
    rows = keeper["story-turns"].locator("tbody tr").all_inner_texts()
    assert [row.split()[2:4] for row in rows] == [["one", "default"], ["anna", "anna"]]
    starts, ends = zip(*(map(float, re.findall(r"\d+\.\d", row)[:2]) for row in rows), strict=True)
    assert starts[0] == 0.0 and ends[0] <= starts[1]
    assert ends[1] == pytest.approx(io.read(story).seconds, abs=0.1)


def words_shown(visitor: Visitor) -> tuple[list[str], list[float]]:
    """The words of a speech, and the seconds at which they begin."""
    shown = visitor["speak-words"].locator(".words span").all_inner_texts()
    words, starts = zip(*(word.split() for word in shown), strict=True)
    return list(words), [float(start) for start in starts]


def test_the_words_are_shown_with_their_times_and_given_as_subtitles(visitor: Visitor) -> None:
    visitor.type("speak-text", "I paid $5 for it. And then I left.")
    visitor.settle("speak", steps=4)
    visitor.finish("speak")
    seconds = io.read(visitor.download("speak-audio")).seconds
    words, times = words_shown(visitor)
    assert words == "I paid $5 for it. And then I left.".split()
    assert times == sorted(times) and 0 <= times[0] < times[-1] < seconds
    for name in ("speak-srt", "speak-vtt"):
        first, second = subtitles.load(visitor.press_for_file(name))
        assert (first.text, second.text) == ("I paid $5 for it.", "And then I left.")
        assert first.start == pytest.approx(times[0], abs=0.01) and second.start == pytest.approx(times[5], abs=0.01)


_LISTEN = """
window.heard = [];
const begin = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (at) {
  window.heard.push([at, this.buffer.duration, document.querySelector("#speak-status").innerText]);
  return begin.call(this, at);
};
null;  // else a function would be the result, and called
"""
"""Notes when each piece of sound is to be heard, how long it is, and what the page said then."""


def test_it_is_heard_while_it_speaks_and_the_words_light_up(visitor: Visitor) -> None:
    visitor.page.evaluate(_LISTEN)
    visitor.type("speak-text", "I went down to the river this morning, and saw nobody there. And then I left again.")
    visitor.settle("speak", steps=4)
    visitor["speak-generate"].click()
    visitor["speak-words"].locator(".heard").first.wait_for()
    visitor.wait("speak", "Done")
    pieces = visitor.page.evaluate("window.heard")
    assert len(pieces) >= 3 and "Done" not in pieces[0][2]  # so the first was heard before the last was made
    assert all(after[0] >= before[0] + before[1] - 1e-6 for before, after in pairwise(pieces))
    visitor.page.wait_for_function("document.querySelector('#speak-words .live').hidden", timeout=120_000)
    whole = io.read(visitor.download("speak-audio"))
    assert sum(seconds for _, seconds, _ in pieces) == pytest.approx(whole.seconds, abs=0.001)
    _, times = words_shown(visitor)
    visitor["speak-words"].locator(".words span").nth(9).click()  # of the whole sound
    visitor["speak-words"].locator(".words span").nth(9).and_(visitor.page.locator(".heard")).wait_for()
    assert visitor.page.evaluate("document.querySelector('#speak-audio audio').currentTime") >= times[9]
    assert visitor.complaints == []


def test_mark_up_is_read_where_the_box_is_ticked(visitor: Visitor) -> None:
    visitor.type("speak-text", "[spell]BBC[/spell] news. [pause 1s]Good evening.")
    assert not visitor["speak-tags"].is_visible()
    visitor.tick("speak-markup")
    visitor["speak-tags"].get_by_text("letter by letter").wait_for()
    visitor.settle("speak", steps=2)
    visitor.finish("speak")
    words, times = words_shown(visitor)
    assert words == ["BBC", "news.", "Good", "evening."] and times[2] - times[1] > 1.2


def test_subtitles_are_dubbed_cue_by_cue(visitor: Visitor, hears: Callable[[Path, str], float], tmp_path: Path) -> None:
    visitor.open("Dub")
    text = "I went down to the river this morning."
    file = tmp_path / "river.srt"
    file.write_text(
        f"1\n00:00:01,500 --> 00:00:06,000\n{text}\n\n2\n00:00:06,000 --> 00:00:06,200\n[bob] What did you see?\n"
    )
    visitor.upload("dub-file", file)
    visitor["dub-voice-2"].get_by_text("[bob]").wait_for()
    visitor.settle("dub", steps=4)
    visitor["dub-generate"].click()
    visitor.wait("dub", "Cue 2 needs")
    rows = visitor["dub-cues"].locator("tbody tr").all_inner_texts()
    assert len(rows) == 2 and "yes" in rows[0] and "s over" in rows[1] and "[bob] What did you see?" in rows[1]
    dub = visitor.download("dub-audio")
    assert hears(dub, f"{text} What did you see?") <= 2 * MISHEARD  # the second is hurried
    sound = io.read(dub)
    first = next(i for i, sample in enumerate(sound.samples.tolist()) if abs(sample) > 0.02) / sound.sample_rate
    assert 1.45 < first < 1.75


def test_an_edit_changes_its_words_and_not_one_sample_elsewhere(visitor: Visitor) -> None:
    visitor.open("Edit")
    visitor["edit-sample"].click()
    visitor["edit-words"].get_by_text("calligraphy").wait_for()
    visitor.page.wait_for_timeout(1000)  # until the fields have followed each other
    new_text = visitor["edit-new-text"].locator("textarea").input_value().replace("perfection", "London")
    visitor.type("edit-new-text", new_text)
    visitor["edit-words"].locator("del").wait_for()
    assert visitor["edit-words"].locator("del").inner_text().strip(",") == "perfection"
    assert visitor["edit-words"].locator("ins").inner_text().strip(",") == "London"
    visitor.settle("edit", steps=8)
    visitor["edit-generate"].click()
    visitor["edit-after"].get_by_test_id("download-link").wait_for(timeout=120_000)
    before, after = int16(visitor.download("edit-before")), int16(visitor.download("edit-after"))
    marks = visitor["edit-after-mel"].locator("i").evaluate_all("marks => marks.map(mark => mark.style.cssText)")
    assert len(marks) == 1
    left, width = (float(re.search(rf"{name}: ([\d.]+)%", marks[0])[1]) / 100 for name in ("left", "width"))
    slack = 0.001 * len(after)  # the marks are shown to a hundredth of a per cent
    head, tail = int(left * len(after) - slack), int((1 - left - width) * len(after) - slack)
    assert head > 0 and tail > 0
    assert np.array_equal(before[:head], after[:head]) and np.array_equal(before[-tail:], after[-tail:])
    assert len(before) != len(after) or not np.array_equal(before, after)
    assert width < 0.4


def test_two_settings_are_compared_on_their_ways_from_noise(visitor: Visitor) -> None:
    visitor.open("Compare")
    visitor.type("compare-text", "Hello there.")
    visitor.set("compare-a-steps", 8)
    visitor.set("compare-b-steps", 2)
    visitor.finish("compare")
    a, b = (io.read(visitor.download(f"compare-{side}-audio")) for side in "ab")
    assert len(a.samples) == len(b.samples) > 0
    rows = visitor["compare-trajectory"].locator(".row-of-mels").all()
    assert [row.locator("img").count() for row in rows] == [8, 8]
    times = [f"t = {i / 7:.2f}" for i in range(8)]
    assert rows[0].locator("figcaption").all_inner_texts() == times
    sources = [row.locator("img").evaluate_all("images => images.map(image => image.src)") for row in rows]
    assert sources[0][0] == sources[1][0]  # the same noise
    assert len({*sources[0], *sources[1]}) == 15  # and no two states after it
    evaluations = [int(visitor[f"compare-{side}-facts"].locator("dd").first.inner_text()) for side in "ab"]
    assert evaluations[0] == 4 * evaluations[1]
    difference = visitor["compare-difference"].inner_text()
    assert float(re.search(r"([\d.]+) dB", difference)[1]) > 0.1


def test_a_voice_is_kept_shown_and_deleted(keeper: Visitor, server: Server, recording: tuple[Path, str]) -> None:
    keeper.choose("voices-chosen", "anna")
    facts = keeper["voices-facts"]
    facts.get_by_text("A test, today.").wait_for()
    assert recording[1] in facts.inner_text()
    assert re.search(r"\b[0-9a-f]{64}\b", facts.inner_text())
    assert server.kept("anna")
    keeper["voices-delete"].click()
    assert "does not come back" in keeper.error()
    keeper.tick("voices-sure")
    keeper["voices-delete"].click()
    keeper.wait("voices", "anna is deleted")
    assert not server.kept("anna")


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/b", "A B", "..", "x" * 65, "default"])
def test_a_voice_has_no_name_that_is_a_path(
    visitor: Visitor, server: Server, recording: tuple[Path, str], name: str
) -> None:
    there = set(server.voices.parent.rglob("*.flac"))
    visitor.open("Voices")
    visitor.upload("voices-recording", recording[0])
    visitor.type("voices-transcript", recording[1])
    visitor.type("voices-note", "A test.")
    visitor.tick("voices-consent")
    visitor["voices-name"].locator("input, textarea").first.evaluate("field => field.removeAttribute('maxlength')")
    visitor.type("voices-name", name)
    visitor["voices-keep"].click()
    sentence = visitor.error()
    assert sentence.endswith(".") and "\n" not in sentence
    assert set(server.voices.parent.rglob("*.flac")) == there
