"""A book as sound: a file for each chapter, one of all with chapters, and going on where it stopped."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from test_stream import told  # noqa: F401 (a fixture)

pytest.importorskip("lxml")
pytest.importorskip("mdit_py_plugins")

from books import epub, nav, page

from tts_fm import books, resuming
from tts_fm.audio import chaptered, io
from tts_fm.audio.chaptered import Chapter
from tts_fm.books import cue, narrate
from tts_fm.books.narrate import CHAPTER_PAUSE, Narrator, Progress
from tts_fm.story import Role
from tts_fm.synthesizer import Synthesizer

NAMES = ("One", "Two: ../../etc", "Three")
FILES = {
    "nav.xhtml": nav("".join(f'<li><a href="c{i}.xhtml">{name}</a></li>' for i, name in enumerate(NAMES))),
    **{f"c{i}.xhtml": page(f"<h1>{name}</h1><p>It was dark.</p><p>So it was.</p>") for i, name in enumerate(NAMES)},
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return epub(tmp_path / "small.epub", FILES)


def said_by(
    synthesizer: Synthesizer, source: Path, folder: Path, **options
) -> tuple[list[narrate.SaidChapter], list[Progress]]:
    told_of: list[Progress] = []
    narrator = Narrator(synthesizer, Role(None), **options)
    return narrator.narrate(books.load(source), folder, told_of.append), told_of


def test_a_chapter_is_what_a_story_of_its_turns_is_and_the_next_run_says_what_is_missing(told, small, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    first, steps = said_by(told, small, folder, seed=3)
    assert [one.file.name for one in first] == ["001 One.flac", "002 Two etc.flac", "003 Three.flac"]
    assert [one.title for one in first] == list(NAMES) and all(one.is_new for one in first)
    texts = ["One.", "It was dark.\n\nSo it was."]
    sounds = [told.speak(text, seed=3 + i).waveform.samples for i, text in enumerate(texts)]
    pause = torch.zeros(round(narrate.turns(books.load(small).chapters[0].parts)[1].pause * 24_000))
    expected = sum(map(len, sounds)) + len(pause) + round(CHAPTER_PAUSE * 24_000)
    assert soundfile.info(str(first[0].file)).frames == expected
    quiet = io.read(first[0].file).samples[-round(CHAPTER_PAUSE * 24_000) :]
    assert float(quiet.abs().max()) == 0
    assert [one.start for one in first] == pytest.approx([0, *accumulate(one.seconds for one in first[:-1])])
    total = books.load(small).n_characters
    assert [step.total for step in steps] == [total] * 6 and steps[-1].done == total
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert [step.chapter for step in steps] == [name for name in NAMES for _ in range(2)]
    assert steps[-1].rate == pytest.approx(steps[-1].seconds / steps[-1].elapsed)

    before = {one.file: (one.file.read_bytes(), one.file.stat().st_mtime_ns) for one in first}
    first[1].file.unlink()
    again, steps = said_by(told, small, folder, seed=3)
    assert [one.is_new for one in again] == [False, True, False] and len(steps) == 2
    assert steps[0].done > total / 2  # what is there counts as done
    assert {one.file: one.file.read_bytes() for one in again} == {file: data for file, (data, _) in before.items()}
    assert [again[i].file.stat().st_mtime_ns for i in (0, 2)] == [before[again[i].file][1] for i in (0, 2)]
    record = json.loads((folder / narrate.MANIFEST).read_text())
    assert [one["start"] for one in record["said"]] == [round(one.start, 3) for one in again]
    assert record["seed"] == 3 and "etc" not in [one.name for one in tmp_path.iterdir()]


def test_another_voice_model_setting_or_text_is_refused(told, small, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    said_by(told, small, folder)
    with pytest.raises(ValueError, match=r"said otherwise: seed was 0 and is 1; choose another folder"):
        said_by(told, small, folder, seed=1)
    with pytest.raises(ValueError, match=r"speed was 1.0 and is 2.0"):
        said_by(told, small, folder, speed=2.0)
    with pytest.raises(ValueError, match=r"sampling.steps was \d+ and is 1"):
        said_by(told, small, folder, sampling=told.config.sampling_as({"steps": 1}))
    epub(small, {**FILES, "c2.xhtml": page("<p>Other words.</p>")})
    with pytest.raises(ValueError, match=r"text was '\w+' and is '\w+'"):
        said_by(told, small, folder)
    (folder / narrate.MANIFEST).write_text("[]")
    with pytest.raises(ValueError, match="is none that was written here"):
        said_by(told, small, folder)


def test_what_the_model_cannot_read_is_left_out_and_told(told, tmp_path):  # noqa: F811
    source = tmp_path / "a.md"
    source.write_text("# One\n\nWords.\n\n---\n\n漢字\n", encoding="utf-8")
    narrator = Narrator(told, Role(None))
    (one,) = narrator.narrate(books.load(source), tmp_path / "out")
    assert one.seconds > CHAPTER_PAUSE + 0.5
    assert [remark.partition("in '")[0] for remark in narrator.remarks if "left out" in remark] == [
        "left out: there is nothing that the model told can read "
    ]
    assert len({remark.partition("(")[0] for remark in narrator.remarks}) == len(narrator.remarks)


@pytest.mark.parametrize("suffix", chaptered.SUFFIXES)
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_chapters_begin_where_the_sounds_before_them_end(tmp_path: Path, suffix: str, rate: int) -> None:
    av = pytest.importorskip("av")
    sizes = [rate * 2 + 17, rate + 1, 3 * rate + 333]
    chapters = []
    for i, n in enumerate(sizes):
        tone = 0.3 * torch.sin(2 * torch.pi * 220 * (i + 1) * torch.arange(n) / rate)
        chapters.append(Chapter(f'Nº {i} "x"; y=z', tmp_path / f"{i}.flac"))
        io.write(io.Waveform(tone, rate), chapters[-1].file)
    path = tmp_path / f"book{suffix}"
    chaptered.write(path, chapters, {"title": "A Book", "artist": "Ann"})
    with av.open(str(path)) as container:
        marks = container.chapters()
        tags = {**container.metadata, **container.streams.audio[0].metadata}
        sound_rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    frame = 1024 / rate
    starts = [float(mark["start"] * Fraction(mark["time_base"])) for mark in marks]
    assert starts == pytest.approx([n / rate for n in (0, sizes[0], sizes[0] + sizes[1])], abs=frame)
    assert [mark["metadata"]["title"] for mark in marks] == [chapter.title for chapter in chapters]
    assert {name.lower(): value for name, value in tags.items()}["title"] == "A Book"
    seconds = sum(map(len, frames)) / sound_rate
    assert seconds == pytest.approx(sum(sizes) / rate, abs=4 * frame)
    whole = torch.from_numpy(np.concatenate(frames)).float()
    for i, start in enumerate(starts):  # each chapter's own tone is heard a little after its mark
        heard = whole[round((start + 0.3) * sound_rate) : round((start + 0.8) * sound_rate)]
        loudest = int(torch.fft.rfft(heard).abs().argmax()) / (len(heard) / sound_rate)
        assert loudest == pytest.approx(220 * (i + 1), abs=3)


def test_a_damaged_chapter_and_an_unknown_suffix_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="remove its file and run it again"):
        chaptered.lengths([Chapter("A", tmp_path / "a.flac")])
    with pytest.raises(ValueError, match="is .m4b, .mp3, .opus; use one of these"):
        chaptered.check_target(tmp_path / "book.wav")


def test_a_cue_sheet_counts_75_frames_a_second(tmp_path: Path) -> None:
    said = [
        narrate.SaidChapter('A "b"', tmp_path / "1.flac", 0.0, 61.5, True),
        narrate.SaidChapter("C", tmp_path / "2.flac", 61.5, 6000.0, True),
        narrate.SaidChapter("D", tmp_path / "3.flac", 6061.5, 1.0, True),
    ]
    sheet = cue.sheet("T", "Ann", said, tmp_path / "x.mp3").splitlines()
    assert sheet[:6] == [
        'PERFORMER "Ann"', 'TITLE "T"', 'FILE "x.mp3" MP3', "  TRACK 01 AUDIO", "    TITLE \"A 'b'\"", "    INDEX 01 00:00:00",
    ]  # fmt: skip
    assert [line.split()[-1] for line in sheet if "INDEX" in line] == ["00:00:00", "01:01:37", "101:01:37"]
    each = cue.sheet("T", "", said, None).splitlines()
    assert [line for line in each if "FILE" in line] == [f'FILE "{i}.flac" WAVE' for i in (1, 2, 3)]
    assert [line.split()[-1] for line in each if "INDEX" in line] == ["00:00:00"] * 3


def test_the_command_says_a_book_and_goes_on(tts_fm_command, model_folder, small, tmp_path):
    pytest.importorskip("av")
    target = tmp_path / "out.m4b"
    done = tts_fm_command("book", small, "-m", model_folder, "-o", target, "--json", "-q")
    assert done.code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["new"] == 3 and [one["title"] for one in record["chapters"]] == list(NAMES)
    assert target.is_file() and (tmp_path / "out.cue").is_file() and len(list((tmp_path / "out").glob("*.flac"))) == 3
    again = tts_fm_command("synthesize", "--text-file", small, "-m", model_folder, "-o", target, "--json", "-q")
    assert json.loads(again.stdout) == {**record, "new": 0}
    with resuming.locked(tmp_path / "out", "book"):
        second = tts_fm_command("book", small, "-m", model_folder, "-o", target, "-q")
    assert second.code == 2 and "another tts-fm book is at work in" in second.line
    other = tts_fm_command("book", small, "-m", model_folder, "-o", target, "--seed", 5, "-q")
    assert other.code == 2 and "seed was 0 and is 5" in other.line


class Slowly:
    """Speaks as ``told`` does, but says everything with the next seed."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self.synthesizer = synthesizer

    def speak(self, text, prompt=None, *, seed=0, **how):
        return self.synthesizer.speak(text, prompt, seed=seed + 1, **how)


def test_who_speaks_with_care_says_the_chapters_and_its_care_is_a_part_of_what_the_book_is(told, small, tmp_path):  # noqa: F811
    care = {"takes": 2, "tries": 0, "check_model": None}
    careful = Narrator(told, Role(None), speaker=Slowly(told), care=care)
    said = careful.narrate(books.load(small), tmp_path / "careful")
    plain = Narrator(told, Role(None), seed=1).narrate(books.load(small), tmp_path / "plain")
    for one, other in zip(said, plain, strict=True):
        assert torch.equal(io.read(one.file).samples, io.read(other.file).samples)
    assert [turn.turn.text for turn in careful.spoken] == ["One.", "It was dark.\n\nSo it was."] + [
        text for name in ("Two: ../../etc.", "Three.") for text in (name, "It was dark.\n\nSo it was.")
    ]
    assert [turn.start for turn in careful.spoken[::2]] == pytest.approx([one.start for one in said])
    ends = [one.start + one.seconds - CHAPTER_PAUSE for one in said]
    assert [turn.end for turn in careful.spoken[1::2]] == pytest.approx(ends, abs=1e-3)
    with pytest.raises(ValueError, match=r"said otherwise: care"):
        Narrator(told, Role(None)).narrate(books.load(small), tmp_path / "careful")
    with pytest.raises(ValueError, match=r"said otherwise: care.takes was 2 and is 3"):
        Narrator(told, Role(None), care=care | {"takes": 3}).narrate(books.load(small), tmp_path / "careful")
    said[1].file.unlink()
    again = Narrator(told, Role(None), speaker=Slowly(told), care=care)
    again.narrate(books.load(small), tmp_path / "careful")
    assert [turn.start for turn in again.spoken] == pytest.approx([turn.start for turn in careful.spoken[2:4]])


def test_a_book_that_was_begun_before_there_was_care_goes_on(told, small, tmp_path):  # noqa: F811
    said_by(told, small, tmp_path / "out")
    manifest = tmp_path / "out" / narrate.MANIFEST
    record = json.loads(manifest.read_text())
    assert record.pop("care") is None
    manifest.write_text(json.dumps(record))
    again, _ = said_by(told, small, tmp_path / "out")
    assert not any(one.is_new for one in again)


def test_the_command_makes_takes_of_a_book_looks_through_them_and_tells(tts_fm_command, model_folder, tmp_path):
    pytest.importorskip("pocketsphinx")
    source = tmp_path / "a.md"
    source.write_text("# Book\n\n## One\n\nIt was dark.\n\n## Two\n\nSo it was.\n")
    how = ("-m", model_folder, "-o", tmp_path / "out", "--json")
    done = tts_fm_command("book", source, *how, "--takes", "2", "--verify", "--tries", "1", "--seed", "3")
    assert done.code == 0, done.stderr
    record = json.loads(done.stdout)
    n_turns = len(record["kept_seeds"])
    assert n_turns == sum(len(narrate.turns(one.parts)) for one in books.load(source).chapters) == 5
    assert record["repairs"] and {one["tries"] for one in record["repairs"]} == {1}  # noise is no word
    starts = [one["new_span"][0] for one in record["repairs"]]
    assert starts == sorted(starts) and all(0 <= at < record["seconds"] for at in starts)
    lines = done.stderr.splitlines()
    opening, one, two = (i for i, line in enumerate(lines) if line in ("Book:", "One:", "Two:"))
    for seeds, its_lines in (
        (slice(0, 1), slice(opening, one)),
        (slice(1, 3), slice(one, two)),
        (slice(3, 5), slice(two, None)),
    ):
        kept = ", ".join(map(str, record["kept_seeds"][seeds]))
        assert f"of 2 takes that of seed {kept} was kept" in lines[its_lines]  # each chapter is told when it is said
    manifest = json.loads((tmp_path / "out" / narrate.MANIFEST).read_text())
    assert manifest["care"] == {"takes": 2, "tries": 1, "check_model": None}
    plain = tts_fm_command("book", source, *how, "--seed", "3", "-q")
    assert plain.code == 2 and "said otherwise" in plain.line
    again = tts_fm_command("book", source, *how, "--takes", "2", "--verify", "--tries", "1", "--seed", "3")
    assert again.code == 0 and json.loads(again.stdout)["new"] == 0 and "every word is heard" not in again.stderr


@pytest.mark.parametrize(
    "arguments, code, line",
    [
        (
            ["synthesize", "--text-file", "BOOK", "--srt", "a.srt", "--takes", "3", "--words"],
            2,
            "--srt, --words cannot be given for a book",
        ),
        (["synthesize", "--text-file", "BOOK", "--text", "x"], 2, "--text cannot be given for a book"),
        (["book", "BOOK", "-o", "x.wav"], 2, "a sound with chapters is .m4b, .mp3, .opus"),
        (["book", "BOOK", "-o", "-"], 2, "name a folder"),
        (["book", "BOOK", "--tries", "2"], 2, "give --verify"),
        (["book", "BOOK", "--check-model", "base"], 2, "give --takes or --verify"),
        (["book", "BOOK", "--footnotes", "sing"], 2, "choose skip or say"),
        (["book", "BOOK", "--format", "aac"], 2, "choose one of wav, flac, ogg, mp3"),
        (["book", "none.epub"], 3, "there is no book none.epub"),
        (["book", "BOOK", "--lexicon", "none.tsv"], 3, "no lexicon"),
    ],
)
def test_mistakes_are_one_line(tts_fm_command, small, arguments, code, line):
    done = tts_fm_command(*(str(small) if one == "BOOK" else one for one in arguments))
    assert done.code == code and line in done.line


def test_a_dry_run_lists_the_chapters(tts_fm_command, small):
    done = tts_fm_command("synthesize", "--text-file", small, "--dry-run")
    assert done.code == 0 and [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["1", "2", "3"]
    assert "A Small Book, by Ann Onymous, N. O. Body: 88 characters" in done.stdout
