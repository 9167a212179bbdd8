"""The gallery of a run: its files, its figures, and a page that shows them and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from conftest import buzz
from PIL import Image

from tts_fm.audio.io import Waveform
from tts_fm.training import gallery
from tts_fm.training.gallery import Sample, Wanted

RATE = 24_000
NASTY = 'A <script>alert("1")</script> & more'


class Page(HTMLParser):
    """What is in a page: its elements, and the text of each cell."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.cells = [cell.strip() for cell in self.cells]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def sample(name: str, heard: str = "some words", errors: int = 0, words: int = 2, similarity: float = 0.5) -> Sample:
    mel = torch.linspace(-8.0, 0.0, 60 * 100).reshape(60, 100)
    return Sample(name, Waveform(buzz(0.5, RATE), RATE), mel, heard, errors, words, similarity)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose gallery has two texts."""
    audio = tmp_path / "voice.wav"
    Waveform(buzz(1.0, 16_000), 16_000).save(audio)
    wanted = [
        Wanted("a", "Ann", "Some words.", "In a prompt.", audio, audio),
        Wanted("b/<i>", "Bob", NASTY, "x", audio, audio),
    ]
    (tmp_path / "small").mkdir()
    gallery.add_prompts(tmp_path / "small", wanted)
    return tmp_path / "small"


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_prompts_are_kept_with_their_sounds_and_mels(run):
    rows = read(run / "samples" / "prompts.json")
    assert [(row["id"], row["speaker"], row["text"]) for row in rows] == [
        ("a", "Ann", "Some words."),
        ("b/<i>", "Bob", NASTY),
    ]
    for row in rows:
        for role in ("prompt", "target"):
            sound = Waveform.load(run / "samples" / row[f"{role}_audio"])
            assert (len(sound.samples), sound.sample_rate, row[f"{role}_seconds"]) == (16_000, 16_000, 1.0)
            picture = Image.open(run / "samples" / row[f"{role}_mel"])
            assert picture.size == (2 * 94, 4 * 100)  # two pixels a frame of 256 samples at 24 kHz, four a channel
    page = Page(run / "samples" / "index.html")
    assert len(page.all("audio")) == 4 and not page.all("svg")


def test_the_figures_of_a_checkpoint_are_those_of_all_its_words(run):
    gallery.add_samples(run, 1000, [sample("a", errors=1, words=2), sample("b/<i>", errors=1, words=8, similarity=0.7)])
    folder = run / "samples" / "update-00001000"
    report = read(folder / "report.json")
    assert (report["update"], report["wer"], report["similarity"], report["seconds"]) == (1000, 0.2, 0.6, 1.0)
    assert [(row["id"], row["heard"], row["errors"], row["words"]) for row in report["samples"]] == [
        ("a", "some words", 1, 2),
        ("b/<i>", "some words", 1, 8),
    ]
    for row in report["samples"]:
        assert len(Waveform.load(run / "samples" / row["audio"]).samples) == RATE // 2
        assert Image.open(run / "samples" / row["mel"]).size == (120, 400)
    assert sorted(path.name for path in folder.iterdir()) == ["00.ogg", "00.png", "01.ogg", "01.png", "report.json"]


def test_the_page_has_a_row_a_text_and_a_column_a_checkpoint_the_newest_first(run):
    for update, errors in ((1000, 2), (2000, 1), (10_000, 0)):
        gallery.add_samples(run, update, [sample("a", errors=errors), sample("b/<i>", errors=errors)])
    page = Page(run / "samples" / "index.html")
    assert page.cells[:3] == ["text", "prompt", "recording"]
    assert page.cells[3:6] == [
        "update 10,0000.0% word errors, voice 0.50",
        "update 2,00050.0% word errors, voice 0.50",
        "update 1,000100.0% word errors, voice 0.50",
    ]
    assert len(page.all("tr")) == 1 + 2 and len(page.cells) == 3 * (3 + 3)
    assert page.cells[6] == "Some words.Ann" and "2 of 2 wrong" in page.cells[11] and "voice 0.50" in page.cells[11]
    shown = [attributes["src"] for tag in ("audio", "img") for attributes in page.all(tag)]
    assert len(shown) == 2 * 2 * (2 + 3)
    assert all((run / "samples" / str(path)).is_file() for path in shown)


def test_the_page_fetches_nothing_and_runs_no_text(run):
    gallery.add_samples(run, 1000, [sample("a", heard=NASTY), sample("b/<i>", heard=NASTY)])
    text = (run / "samples" / "index.html").read_text(encoding="utf-8")
    page = Page(run / "samples" / "index.html")
    assert "http" not in text and "alert(&quot;1&quot;)" in text
    assert len(page.all("script")) == 1 and not page.all("link") and not page.all("i")
    assert sum(NASTY in cell for cell in page.cells) == 3  # told once, heard twice


def test_words_that_the_text_has_not_are_marked(run):
    gallery.add_samples(run, 1000, [sample("a", heard="some other words here"), sample("b/<i>", heard=" ")])
    text = (run / "samples" / "index.html").read_text(encoding="utf-8")
    assert "<p>some <mark>other</mark> words <mark>here</mark></p>" in text
    assert "<i>nothing was heard</i>" in text


def test_the_curves_go_through_the_figures(run):
    for update, errors, similarity in ((0, 4, 0.0), (500, 1, 0.2), (1000, 0, 0.8)):
        gallery.add_samples(run, update, [sample("a", errors=errors, words=4, similarity=similarity)])
    page = Page(run / "samples" / "index.html")
    lines = [
        [tuple(map(float, point.split(","))) for point in str(attributes["points"]).split()]
        for attributes in page.all("polyline")
    ]
    assert [[x for x, _ in line] for line in lines] == [[44, 185, 326]] * 2
    wer, similarity = ([y for _, y in line] for line in lines)
    assert [(98 - y) / 86 for y in wer] == pytest.approx([1, 0.25, 0], abs=1e-3)
    assert [(98 - y) / 86 for y in similarity] == pytest.approx([0, 0.25, 1], abs=1e-3)


def test_naturalness_is_shown_where_somebody_judged_it(run):
    gallery.add_samples(run, 500, [sample("a")])
    rated = [
        replace(sample(name), naturalness={"dnsmos_overall": value}) for name, value in (("a", 2.0), ("b/<i>", 3.0))
    ]
    gallery.add_samples(run, 1000, rated, {"recogniser": "ears"})
    report = read(run / "samples" / "update-00001000" / "report.json")
    assert (report["dnsmos_overall"], report["judges"]) == (2.5, {"recogniser": "ears"})
    page = Page(run / "samples" / "index.html")
    assert page.cells[3] == "update 1,0000.0% word errors, voice 0.50, dnsmos overall 2.50"
    assert page.cells[4] == "update 5000.0% word errors, voice 0.50" and "dnsmos overall 2.0" in page.cells[8]
    assert len(page.all("polyline")) == 3
    assert gallery.figures(rated) == {"wer": 0.0, "similarity": 0.5, "dnsmos_overall": 2.5}


@pytest.mark.parametrize("similarity", [0.0, -0.2, 0.9])
def test_a_single_checkpoint_is_a_point_in_the_middle(run, similarity):
    gallery.add_samples(run, 700, [sample("a", similarity=similarity)])
    page = Page(run / "samples" / "index.html")
    points = [(float(str(dot["cx"])), float(str(dot["cy"]))) for dot in page.all("circle")]
    assert [x for x, _ in points] == [185, 185] and all(12 <= y <= 98 for _, y in points)


def test_a_checkpoint_that_is_spoken_again_replaces_itself(run):
    for errors in (2, 1):
        gallery.add_samples(run, 1000, [sample("a", errors=errors)])
    assert read(run / "samples" / "update-00001000" / "report.json")["wer"] == 0.5
    assert len(Page(run / "samples" / "index.html").all("audio")) == 4 + 1


def test_what_can_not_be_written_is_warned_of(run, tmp_path):
    with pytest.warns(
        UserWarning, match="the gallery of samples could not be written .*not finite.*; training goes on"
    ):
        gallery.add_samples(
            run, 1000, [Sample("a", Waveform(torch.full((9,), math.nan), RATE), torch.zeros(3, 4), "", 0, 1, 0.0)]
        )
    assert not (run / "samples" / "update-00001000" / "report.json").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "samples").write_text("in the way")
    with pytest.warns(UserWarning, match=r"could not be written \(Not a directory\)"):
        gallery.add_samples(tmp_path / "other", 1000, [sample("a")])


def test_a_page_is_written_from_what_is_there(run, tmp_path):
    gallery.add_samples(run, 1000, [sample("a")])
    before = (run / "samples" / "index.html").read_text()
    (run / "samples" / "index.html").unlink()
    assert gallery.write(run) == run / "samples" / "index.html"
    assert (run / "samples" / "index.html").read_text() == before
    with pytest.raises(ValueError, match="holds no samples/prompts.json; give the folder of a run"):
        gallery.write(tmp_path)
    (run / "samples" / "prompts.json").write_text("{")
    with pytest.raises(ValueError, match="prompts.json is no JSON; remove it"):
        gallery.write(run)
