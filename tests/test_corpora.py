"""Corpora in every form, the same as Lhotse's recipes read them, and what is wrong with their tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Finished, buzz

from tts_fm import plugins
from tts_fm.audio.io import Waveform
from tts_fm.data import cuts
from tts_fm.data.corpora import CorpusReader, Entry, split_of
from tts_fm.errors import InputError
from tts_fm.types import Fault

MINI = Path(__file__).parent / "data" / "libritts"
Command = Callable[..., Finished]


def listed(kind: str, corpus: Path, *subsets: str, extracted: Path = Path("unused")) -> list[Entry | Fault]:
    return list(plugins.build(CorpusReader, kind, corpus, subsets, extracted).read())


def entries(kind: str, corpus: Path, *subsets: str, extracted: Path = Path("unused")) -> list[Entry]:
    found = listed(kind, corpus, *subsets, extracted=extracted)
    assert all(isinstance(entry, Entry) for entry in found), found
    return found  # type: ignore[return-value]


def record(path: Path, seconds: float = 1.0, rate: int = 24_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Waveform(buzz(seconds, rate), rate).save(path)
    return path


def manifests(found: list[Entry]) -> tuple[list[dict], list[dict]]:
    """The recordings and supervisions that Lhotse gets, by id."""
    made = sorted(cuts.of(found), key=lambda cut: cut.id)
    return [cut.recording.to_dict() for cut in made], [cut.supervisions[0].to_dict() for cut in made]


def by_id(manifest: Any) -> list[dict]:
    return [item.to_dict() for item in sorted(manifest, key=lambda item: item.id)]


@pytest.mark.parametrize("name", plugins.names(CorpusReader))
def test_a_folder_without_the_corpus_is_a_mistake_of_usage(name: str, tmp_path: Path, tts_fm_command: Command) -> None:
    finished = tts_fm_command("prepare", name, tmp_path, tmp_path / "out")
    assert finished.code == 2
    assert str(tmp_path) in finished.line and "give" in finished.line


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-clean-100", "train"),
        ("dev-clean", "heldout"),
        ("test-other", "heldout"),
        ("doc", None),
        ("x_dev", "heldout"),
    ],
)
def test_the_name_of_a_subset_says_its_split(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_libritts_is_read_as_lhotse_reads_it() -> None:
    from lhotse.recipes import prepare_libritts

    for part in ("train-clean-100", "dev-clean"):
        theirs = prepare_libritts(MINI / "LibriTTS", part)[part]
        recordings, supervisions = manifests(entries("libritts", MINI / "LibriTTS", part))
        assert recordings == by_id(theirs["recordings"]) and len(recordings) == (12 if part[0] == "t" else 6)
        assert supervisions == by_id(theirs["supervisions"])


def test_libritts_is_found_from_the_folder_above_too() -> None:
    above, inside = entries("libritts", MINI), entries("libritts", MINI / "LibriTTS")
    assert above == inside
    assert {(entry.speaker, entry.split) for entry in inside} == {
        *((speaker, "train") for speaker in ("251", "652", "777", "1272")),
        ("84", "heldout"),
        ("174", "heldout"),
    }


def test_librittsr_has_its_own_folder(tmp_path: Path) -> None:
    shutil.copytree(MINI / "LibriTTS" / "dev-clean" / "84", tmp_path / "LibriTTS_R" / "dev-clean" / "84")
    assert [entry.id for entry in entries("librittsr", tmp_path)] == [
        entry.id for entry in entries("libritts", MINI, "dev-clean") if entry.speaker == "84"
    ]


def test_an_unknown_subset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no subset 'train-clean-360' in .*; choose from dev-clean, train-clean-100"):
        listed("libritts", MINI, "train-clean-360")


def lay_out_ljspeech(folder: Path, table: str) -> Path:
    for i in range(3):
        record(folder / "wavs" / f"LJ001-000{i}.wav", rate=22_050)
    (folder / "metadata.csv").write_text(table, encoding="utf-8")
    return folder


def test_ljspeech_is_read_as_lhotse_reads_it_with_the_normalised_text(tmp_path: Path) -> None:
    from lhotse.recipes import prepare_ljspeech

    table = "LJ001-0000|In 5 days|In five days\nLJ001-0001|Two, too|Two, too\nLJ001-0002|Dr. No|Doctor No\n"
    corpus = lay_out_ljspeech(tmp_path, table)
    theirs = prepare_ljspeech(corpus)
    ours = entries("ljspeech", corpus)
    assert manifests(ours)[0] == by_id(theirs["recordings"])
    assert [entry.text for entry in ours] == [s.custom["normalized_text"] for s in theirs["supervisions"]]
    assert [entry.notes["orig_text"] for entry in ours] == [s.text for s in theirs["supervisions"]]


def test_an_odd_line_of_ljspeech_costs_one_utterance(tmp_path: Path) -> None:
    corpus = lay_out_ljspeech(tmp_path, "LJ001-0000|Only this\n\nLJ001-0001\nLJ001-0002|Left|\n")
    one, odd, other = listed("ljspeech", corpus)
    assert isinstance(one, Entry) and one.text == "Only this"
    assert isinstance(odd, Fault) and odd.id == "LJ001-0001" and "line 3" in odd.reason
    assert isinstance(other, Entry) and other.text == "Left"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/1.wav|Hello, you.\nb/2.flac|And you.\n", [("a-1", "Hello, you.", "", None), ("b-2", "And you.", "", None)]),
        ("a/1.wav|Hello.|anna\nb/2.flac|You.|ben\n", [("a-1", "Hello.", "anna", None), ("b-2", "You.", "ben", None)]),
        (
            'text,speaker,file,split\n"Hello, ""you"".",anna,a/1.wav,train\nYou.,ben,b/2.flac,dev\n',
            [("a-1", 'Hello, "you".', "anna", "train"), ("b-2", "You.", "ben", "heldout")],
        ),
        ("\ufeffID\tWav\tTranscript\r\none\ta/1.wav\tHello.\r\n", [("one", "Hello.", "", None)]),
        ("audio_file|text|speaker_name\na/1.wav|Hello.|anna\n", [("a-1", "Hello.", "anna", None)]),
        ("client_id\tpath\tsentence\n7f\ta/1.wav\tHello.\n", [("a-1", "Hello.", "7f", None)]),
        ('file_name,transcription\na/1.wav,"Hello, you."\n', [("a-1", "Hello, you.", "", None)]),
        ('path;text\na/1.wav;"Well; hello, you."\n', [("a-1", "Well; hello, you.", "", None)]),
        ("path,file_name,text\na/1.wav,other.wav,Hello.\n", [("a-1", "Hello.", "", None)]),
        ("\n\r\naudio|text\r\n\na/1.wav|Hello.\n", [("a-1", "Hello.", "", None)]),
    ],
)
def test_a_table_is_read_with_and_without_names(text: str, expected: list, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8", newline="")
    found = entries("csv", tmp_path / "mine.csv")
    assert [(entry.id, entry.text, entry.speaker, entry.split) for entry in found] == expected
    assert found[0].audio == tmp_path / "a" / "1.wav"


def test_a_folder_is_its_table_and_its_splits_are_subsets(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("audio|text|split\n1.wav|One.|train\n2.wav|Two.|dev\n3.wav\n")
    (only,) = (entry for entry in listed("csv", tmp_path, "dev") if isinstance(entry, Entry))
    assert only.id == "2"
    (odd,) = (fault for fault in listed("csv", tmp_path) if isinstance(fault, Fault))
    assert "line 4 has 1 of 3 columns" in odd.reason
    with pytest.raises(ValueError, match="no split 'test'; choose from: dev, train"):
        listed("csv", tmp_path, "test")


def test_a_table_with_commas_needs_names(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("1.wav,Hello, you.\n")
    with pytest.raises(ValueError, match="line 1 names no columns audio and text"):
        listed("csv", tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/1.wav|male1|I really liked that account.\n", ("I really liked that account.", "male1")),
        ("a/1.wav|I really liked that account.|male1\n", ("I really liked that account.", "male1")),
        ("I really liked that account.|a/1.wav\n", ("I really liked that account.", "")),
        ("male1\ta/1.flac\tI really liked it.\nf\ta/2.flac\tNo.\n", ("I really liked it.", "male1")),
    ],
)
def test_columns_without_names_are_known_by_what_is_in_them(tmp_path: Path, text: str, expected: tuple) -> None:
    (tmp_path / "mine.csv").write_text(text)
    first = next(iter(entries("csv", tmp_path / "mine.csv")))
    assert (first.text, first.speaker) == expected and first.audio.parent == tmp_path / "a"


@pytest.mark.parametrize(
    "line", ["1.wav|One of two.|The other one.", "1.wav|male1|Hello", "1.wav|a|b|c d e", "1.wav|Hello.|0.5|male1"]
)
def test_columns_that_can_not_be_known_are_to_be_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.csv").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"write a first line such as audio\|speaker\|text") as caught:
        listed("csv", tmp_path / "mine.csv")
    assert "\n" not in str(caught.value)


def heard(found: list[Entry]) -> dict[str, tuple[str, str, Waveform]]:
    return {entry.id: (entry.text, entry.speaker, Waveform.load(entry.audio)) for entry in found}


def assert_same_sound(found: list[Entry], expected: list[Entry]) -> None:
    ours, theirs = heard(found), heard(expected)
    assert ours.keys() == theirs.keys()
    for id, (text, speaker, waveform) in theirs.items():
        assert ours[id][:2] == (text, speaker)
        assert ours[id][2].samples.equal(waveform.samples)


def test_cuts_come_back_as_they_were_and_stay_where_they_are(tmp_path: Path) -> None:
    original = entries("libritts", MINI, "dev-clean")
    cuts.write(cuts.of(original), tmp_path / "cuts.jsonl.gz")
    for corpus in (tmp_path, tmp_path / "cuts.jsonl.gz"):
        found = entries("lhotse", corpus, extracted=tmp_path / "audio")
        assert [replace(entry, split="heldout") for entry in found] == original
    assert not (tmp_path / "audio").exists()


def test_recordings_and_supervisions_are_joined_and_named_after_their_subset(tmp_path: Path) -> None:
    from lhotse.recipes import prepare_libritts

    prepare_libritts(MINI / "LibriTTS", ["train-clean-100", "dev-clean"], output_dir=tmp_path)
    found = entries("lhotse", tmp_path)
    assert sorted(found, key=lambda e: e.id) == sorted(entries("libritts", MINI), key=lambda e: e.id)
    assert {entry.split for entry in entries("lhotse", tmp_path, "dev-clean")} == {"heldout"}


def write_shar(original: list[Entry], folder: Path) -> None:
    table = folder.with_name("cuts.jsonl.gz")
    cuts.write(cuts.of(original), table)
    cuts.write_shar(table, folder)


def test_shar_is_written_and_its_sound_comes_back_bit_for_bit(tmp_path: Path) -> None:
    original = entries("libritts", MINI, "dev-clean")
    write_shar(original, tmp_path / "shar")
    found = entries("lhotse", tmp_path / "shar", extracted=tmp_path / "audio")
    assert_same_sound(found, original)
    assert {entry.audio.parent for entry in found} == {tmp_path / "audio"}
    before = {entry.audio: entry.audio.stat().st_mtime_ns for entry in found}
    entries("lhotse", tmp_path / "shar", extracted=tmp_path / "audio")
    assert before == {path: path.stat().st_mtime_ns for path in before}  # not made again


@pytest.mark.parametrize(("pattern", "kept"), [("*.tar", 20_000), ("*.gz", 100), ("*.gz", 0)])
def test_a_damaged_archive_is_said_in_one_line(pattern: str, kept: int, tmp_path: Path) -> None:
    write_shar(entries("libritts", MINI, "dev-clean"), tmp_path / "shar")
    (archive,) = (tmp_path / "shar").glob(pattern)
    archive.write_bytes(archive.read_bytes()[:kept] + b"x" * (kept == 0))
    with pytest.raises(InputError, match="damaged"):
        listed("lhotse", tmp_path / "shar", extracted=tmp_path / "audio")


def test_pieces_of_a_long_recording_become_files(tmp_path: Path) -> None:
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    recording = Recording.from_file(record(tmp_path / "long.wav", 4.0))
    said = [
        SupervisionSegment(f"long/{i}", recording.id, 2.0 * i, 1.5, text=f"Piece {i}.", speaker="a") for i in range(2)
    ]
    silent = MonoCut("silent", 0.0, 1.0, 0, [], recording=recording)
    whole = MonoCut("long", 0.0, 4.0, 0, said, recording=recording)
    CutSet.from_cuts([silent, whole]).to_file(tmp_path / "cuts_train.jsonl.gz")
    fault, *pieces = listed("lhotse", tmp_path, extracted=tmp_path / "audio")
    assert isinstance(fault, Fault) and fault.id == "silent" and fault.reason.startswith("no text")
    samples = Waveform.load(tmp_path / "long.wav").samples
    for i, piece in enumerate(pieces):
        assert isinstance(piece, Entry) and (piece.id, piece.text, piece.split) == (f"long/{i}", f"Piece {i}.", "train")
        assert piece.audio == tmp_path / "audio" / f"long_{i}.flac"
        assert Waveform.load(piece.audio).samples.equal(samples[48_000 * i : 48_000 * i + 36_000])


def test_a_piece_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    path = record(tmp_path / "long.wav", 4.0)
    recording = Recording.from_file(path)
    said = SupervisionSegment("piece", recording.id, 1.0, 1.0, text="Gone.")
    CutSet.from_cuts([MonoCut("long", 0.0, 4.0, 0, [said], recording=recording)]).to_file(tmp_path / "cuts.jsonl.gz")
    path.unlink()
    (fault,) = listed("lhotse", tmp_path, extracted=tmp_path / "audio")
    assert isinstance(fault, Fault) and fault.id == "piece" and fault.reason.startswith("unreadable")
