"""The way from a corpus to a manifest: what is kept, what is left out and why, running again, alignment."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Finished, buzz

from tts_fm import plugins
from tts_fm.alignment import forced
from tts_fm.alignment.forced import durations
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.data.corpora import CorpusReader, Entry
from tts_fm.data.holdout import held_out
from tts_fm.data.utterances import read_manifest
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.frontends.vocab import Vocab

MINI = Path(__file__).parent / "data" / "libritts"
CHAPTER = Path("train-clean-100/1272/135031")  # of the two recordings 11 and 16
Command = Callable[..., Finished]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A copy of the small LibriTTS."""
    return Path(shutil.copytree(MINI / "LibriTTS", tmp_path / "LibriTTS"))


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the recordings that are read, one by one."""
    names: list[str] = []
    read = io.read

    def counted(source: Any, **limits: float) -> Waveform:
        names.append(Path(source).stem)
        return read(source, **limits)

    monkeypatch.setattr(io, "read", counted)
    return names


def plant_traps(corpus: Path) -> dict[str, str]:
    """Add what LibriTTS, and a careless copy of it, holds; return what should be said of each."""
    folder = corpus / CHAPTER
    whole = (folder / "1272_135031_000011_000000.wav").read_bytes()
    tables = {kind: folder / f"1272_135031.{kind}.tsv" for kind in ("trans", "book")}
    lines: list[str] = []

    def add(id: str, data: bytes | None, line: str | None) -> None:
        if data is not None:
            (folder / f"{id}.wav").write_bytes(data)
        if line is not None:
            lines.append(f"{id}\t{line}")

    said = "Some words.\tSome words."
    add("._1272_135031_000011_000000", whole[:4096], None)
    add("1092_134562_000013_000004", whole, said)
    add("1272_135031_000901_000000", whole[: len(whole) // 2], said)
    add("1272_135031_000902_000000", whole, None)
    add("1272_135031_000903_000000", io.encode(Waveform(buzz(0.2, 24_000), 24_000), "wav"), said)
    add("1272_135031_000904_000000", whole, "\t")
    add("1272_135031_000905_000000", b"", said)
    add("1272_135031_000906_000000", io.encode(Waveform(1e-5 * buzz(2.0, 24_000), 24_000), "wav"), said)
    add("1272_135031_000907_000000", None, said)
    add("1272_135031_000908_000000", whole, "?!\t?!")
    add("1272_135031_000909_000000", io.encode(Waveform(buzz(31.0, 24_000), 24_000), "wav"), said)
    add("1272_135031_000910_000000", b"no sound at all, only words", said)
    with tables["trans"].open("a", encoding="utf-8") as file:
        file.write("\n".join([*lines, "an odd line", ""]))
    tables["book"].write_text("1272_135031_000011_000000 what no number ends\n")
    (corpus / "dev-clean/84/121123/84_121123.book.tsv").unlink()
    (corpus / "SPEAKERS.txt").write_text("; no columns\nodd\n251 | F | train-clean-100 | 1 | A | B\n")
    (corpus / "README").write_text("no folder")
    kinds = "hidden file, known corrupt, truncated, no text, too short, no text, empty, silent, no recording, no text"
    kinds += ", too long, unreadable"
    ids = ["._1272_135031_000011_000000", "1092_134562_000013_000004"]
    ids += [f"1272_135031_0009{i:02}_000000" for i in range(1, 11)]
    return dict(zip(ids, kinds.split(", "), strict=True))


def test_the_whole_path_with_every_trap(corpus: Path, tmp_path: Path, tts_fm_command: Command) -> None:
    traps, out = plant_traps(corpus), tmp_path / "out"
    finished = tts_fm_command("prepare", "libritts", corpus, out)
    assert finished.code == 0
    left_out = rows(out / "left_out.jsonl")
    assert {row["id"]: row["reason"].partition(":")[0] for row in left_out} == traps
    assert all(Path(row["audio"]).parent == corpus / CHAPTER for row in left_out)
    manifest = rows(out / "manifest.jsonl")
    assert len(manifest) == 18
    first = next(row for row in manifest if row["id"] == "1272_135031_000011_000000")
    audio = Path(os.path.relpath(corpus / CHAPTER / "1272_135031_000011_000000.wav", out)).as_posix()
    assert first == {
        "id": "1272_135031_000011_000000", "audio": audio, "text": "Not exactly returned kaliko.", "seconds": 3.18,
        "split": "train", "speaker": "1272",
    }  # fmt: skip
    assert {row["speaker"] for row in manifest if row["split"] == "heldout"} == {"84", "174"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["left_out"] == dict(Counter(traps.values()).most_common())
    train = [row for row in manifest if row["split"] == "train"]
    assert summary["parts"]["train"] == {
        "hours": round(sum(row["seconds"] for row in train) / 3600, 4),
        "speakers": 4,
        "utterances": 12,
        "characters": sum(len(row["text"]) for row in train),
        "median_seconds": pytest.approx(2.765, abs=0.02),
    }
    assert "3 no text" in finished.stdout and str(out / "left_out.jsonl") in finished.stderr
    assert (out / "durations.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_prepared_is_what_training_and_lhotse_read(tmp_path: Path, tts_fm_command: Command) -> None:
    from lhotse import CutSet

    assert tts_fm_command("prepare", "libritts", MINI, tmp_path, "--shar").code == 0
    utterances = read_manifest(tmp_path / "manifest.jsonl")
    assert [Waveform.load(utterance.audio).seconds for utterance in utterances] == pytest.approx(
        [utterance.seconds for utterance in utterances], abs=1e-8
    )
    cuts = CutSet.from_file(tmp_path / "cuts.jsonl.gz")
    assert [(cut.id, cut.supervisions[0].text) for cut in cuts] == [(one.id, one.text) for one in utterances]
    again = tmp_path / "again"
    assert tts_fm_command("prepare", "lhotse", tmp_path / "shar", again, "--heldout", "2").code == 0
    copied = {one.id: (one.text, one.speaker, one.seconds) for one in read_manifest(again / "manifest.jsonl")}
    assert copied == {one.id: (one.text, one.speaker, pytest.approx(one.seconds)) for one in utterances}
    assert {one.audio.parent for one in read_manifest(again / "manifest.jsonl")} == {again / "audio"}


def test_the_vocabulary_is_the_corpus_and_extends_an_old_one(tmp_path: Path, tts_fm_command: Command) -> None:
    old = tmp_path / "old.txt"
    old.write_text(" \nz\nß\ntwo1\na\n", encoding="utf-8")
    tts_fm_command("prepare", "libritts", MINI, tmp_path / "new")
    tts_fm_command("prepare", "libritts", MINI, tmp_path / "extended", "--vocab", old)
    characters = sorted({c for one in read_manifest(tmp_path / "new" / "manifest.jsonl") for c in one.text})
    assert (tmp_path / "new" / "vocab.txt").read_text().split("\n") == [*characters, ""]
    assert characters[0] == " "
    new = [c for c in characters if c not in " za"]
    assert (tmp_path / "extended" / "vocab.txt").read_text() == " \nz\nß\ntwo1\na\n" + "\n".join(new) + "\n"
    assert Vocab(Vocab.Options(), tmp_path / "extended" / "vocab.txt").encode("a z") == [4, 0, 1]
    assert tts_fm_command("prepare", "libritts", MINI, tmp_path / "new", "--vocab", tmp_path / "none.txt").code == 4


def test_running_again_reads_nothing(
    corpus: Path, tmp_path: Path, tts_fm_command: Command, files_read: list[str]
) -> None:
    plant_traps(corpus)
    out = tmp_path / "out"
    tts_fm_command("prepare", "libritts", corpus, out)
    assert len(files_read) == len(set(files_read)) == 18 + 6
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    files_read.clear()
    assert "0 recordings were read" in tts_fm_command("prepare", "libritts", corpus, out).stderr
    assert files_read == []
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}
    assert {after[name][1] for name in ("cuts.jsonl.gz", "durations.png")} == {
        before[name][1] for name in ("cuts.jsonl.gz", "durations.png")
    }


def test_other_limits_and_subsets_read_nothing_new(
    tmp_path: Path, tts_fm_command: Command, files_read: list[str]
) -> None:
    tts_fm_command("prepare", "libritts", MINI, tmp_path)
    files_read.clear()
    limits = ("--min-seconds", 2.5, "--max-seconds", 3)
    tts_fm_command("prepare", "libritts", MINI, tmp_path, *limits, "--subset", "train-clean-100")
    kept = [one.seconds for one in read_manifest(tmp_path / "manifest.jsonl")]
    reasons = Counter(row["reason"].partition(":")[0] for row in rows(tmp_path / "left_out.jsonl"))
    assert files_read == [] and len(kept) + sum(reasons.values()) == 12
    assert min(kept) >= 2.5 and max(kept) <= 3 and reasons == {"too short": 3, "too long": 3}


def test_what_is_new_or_changed_is_read(
    corpus: Path, tmp_path: Path, tts_fm_command: Command, files_read: list[str]
) -> None:
    out, folder = tmp_path / "out", corpus / CHAPTER
    tts_fm_command("prepare", "libritts", corpus, out)
    files_read.clear()
    shutil.copy(MINI / "LibriTTS" / CHAPTER / "1272_135031_000011_000000.wav", folder / "1272_135031_000999_000000.wav")
    (folder / "1272_135031_000999_000000.normalized.txt").write_text("A new one, which may be as long as this.")
    Waveform(buzz(1.0, 24_000), 24_000).save(folder / "1272_135031_000016_000000.wav")
    assert "2 recordings were read" in tts_fm_command("prepare", "libritts", corpus, out).stderr
    assert files_read == ["1272_135031_000016_000000", "1272_135031_000999_000000"]
    seconds = {one.id: one.seconds for one in read_manifest(out / "manifest.jsonl")}
    assert seconds["1272_135031_000016_000000"] == 1.0 and seconds["1272_135031_000999_000000"] == 3.18


def test_an_interrupted_run_goes_on(
    tmp_path: Path, tts_fm_command: Command, monkeypatch: pytest.MonkeyPatch, files_read: list[str]
) -> None:
    read = io.read

    def interrupted(source: Any, **limits: float) -> Waveform:
        if len(files_read) == 7:
            raise KeyboardInterrupt
        return read(source, **limits)

    with monkeypatch.context() as patch:
        patch.setattr(io, "read", interrupted)
        assert tts_fm_command("prepare", "libritts", MINI, tmp_path).code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["progress.jsonl"]
    with (tmp_path / "progress.jsonl").open("a") as file:
        file.write('{"id": "174_50561_00')  # a kill in the middle of a line
    assert "11 recordings were read" in tts_fm_command("prepare", "libritts", MINI, tmp_path).stderr
    assert len(files_read) == len(set(files_read)) == 18
    assert len(read_manifest(tmp_path / "manifest.jsonl")) == 18


def test_two_processes_find_what_one_finds(tmp_path: Path, tts_fm_command: Command) -> None:
    for workers in (1, 2):
        assert tts_fm_command("prepare", "libritts", MINI, tmp_path / str(workers), "--workers", workers).code == 0
    one, two = ((tmp_path / name / "manifest.jsonl").read_bytes() for name in "12")
    assert one == two


def test_alignment_gives_every_phoneme_its_frames(tmp_path: Path, tts_fm_command: Command) -> None:
    out = tmp_path / "out"
    shutil.copytree(MINI / "LibriTTS" / "dev-clean", tmp_path / "LibriTTS" / "dev-clean")
    wrong = tmp_path / "LibriTTS" / "dev-clean" / "84" / "121123"
    table = wrong / "84_121123.trans.tsv"
    text = "The old man's eyes remained fixed on the door."
    assert text in table.read_text()
    table.write_text(table.read_text().replace(text, "Nobody here can say when the next ship comes."))
    tts_fm_command("prepare", "libritts", tmp_path, out)  # without alignment, everything is kept
    assert len(read_manifest(out / "manifest.jsonl")) == 6
    assert "6 recordings were read" in tts_fm_command("prepare", "libritts", tmp_path, out, "--align").stderr
    utterances = read_manifest(out / "manifest.jsonl")
    (row,) = rows(out / "left_out.jsonl")
    assert row["id"] == "84_121123_000012_000000" and row["reason"].startswith("not aligned")
    frontend = Phonemes(Phonemes.Options())
    for one in utterances:
        assert one.token_frames is not None
        assert len(one.token_frames) == len(frontend.tokens(one.text))
        assert sum(one.token_frames) == len(Waveform.load(one.audio).resampled(24_000).samples) // 256 + 1
    assert len(utterances) == 5


def test_alignment_follows_the_mel_at_another_rate(tmp_path: Path, tts_fm_command: Command) -> None:
    audio = MINI / "LibriTTS" / CHAPTER / "1272_135031_000011_000000.wav"
    Waveform.load(audio).resampled(16_000).save(tmp_path / "one.wav")
    Waveform.load(audio).save(tmp_path / "two.wav")
    (tmp_path / "mine.csv").write_text("one.wav|Not exactly, returned Kaliko.\ntwo.wav|Not exactly, returned Kaliko.\n")
    tts_fm_command("prepare", "csv", tmp_path / "mine.csv", tmp_path / "out", "--align", "--heldout", "0.5")
    one, two = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert one.token_frames is not None and two.token_frames is not None
    assert sum(one.token_frames) == sum(two.token_frames) == 76_320 // 256 + 1
    assert max(abs(a - b) for a, b in zip(one.token_frames, two.token_frames, strict=True)) <= 2


def test_an_alignment_does_not_depend_on_the_one_before() -> None:
    frontend, waveforms = Phonemes(Phonemes.Options()), {}
    for path in sorted((MINI / "LibriTTS" / "dev-clean").rglob("*.wav")):
        tokens = frontend.tokens(path.with_suffix(".normalized.txt").read_text())
        waveforms[path.stem] = (Waveform.load(path), tokens)
    forwards = {id: durations(*waveforms[id]) for id in waveforms}
    assert forwards == {id: durations(*waveforms[id]) for id in reversed(waveforms)}


def spoken(speakers: int, each: int) -> list[Entry]:
    return [Entry(f"{s}-{i}", Path(), "", str(s)) for s in range(speakers) for i in range(each)]


def test_whole_speakers_are_held_out_by_the_seed() -> None:
    entries = spoken(100, 3)
    chosen = held_out(entries, None, 0)
    assert len(chosen) == 6 and len({id.partition("-")[0] for id in chosen}) == 2
    assert chosen == held_out(entries[::-1], None, 0) != held_out(entries, None, 1)
    assert len(held_out(entries, 7.0, 0)) == 21
    assert chosen < held_out(entries, 7.0, 0)


def test_of_few_speakers_single_utterances_are_held_out() -> None:
    assert len(held_out(spoken(1, 500), None, 0)) == 10
    assert len(held_out(spoken(1, 500), 0.1, 0)) == 50
    assert len(held_out(spoken(2, 3), None, 0)) == 1
    assert held_out(spoken(2, 3), 0.0, 0) == set()


@pytest.mark.parametrize("wish", [4.0, 5.0, 2.5])
def test_more_speakers_than_there_are_can_not_be_held_out(wish: float) -> None:
    with pytest.raises(ValueError, match="are to be held out and the corpus has 4; give a smaller"):
        held_out(spoken(4, 3), wish, 0)


def test_one_subset_alone_holds_out_speakers_and_two_hold_out_themselves(
    tmp_path: Path, tts_fm_command: Command
) -> None:
    arguments = ("prepare", "libritts", MINI, tmp_path)
    assert tts_fm_command(*arguments, "--subset", "train-clean-100", "--heldout", 1).code == 0
    assert len({row["speaker"] for row in rows(tmp_path / "manifest.jsonl") if row["split"] == "heldout"}) == 1
    finished = tts_fm_command(*arguments, "--heldout", 1)
    assert finished.code == 2 and finished.line.endswith("leave this away (--heldout)")


def test_a_corpus_without_anything_usable_is_bad_input(tmp_path: Path, tts_fm_command: Command) -> None:
    (tmp_path / "mine.csv").write_text("1.wav|One.\n2.wav|\n")
    finished = tts_fm_command("prepare", "csv", tmp_path / "mine.csv", tmp_path / "out")
    assert finished.code == 3
    assert "no utterance that can be used (2 no recording)" in finished.line
    assert len(rows(tmp_path / "out" / "left_out.jsonl")) == 2


def test_two_recordings_of_one_id_are_one(tmp_path: Path, tts_fm_command: Command) -> None:
    Waveform(buzz(1.0, 24_000), 24_000).save(tmp_path / "1.wav")
    (tmp_path / "mine.csv").write_text("audio|text\n1.wav|One.\n1.wav|Another one.\n")
    finished = tts_fm_command("prepare", "csv", tmp_path / "mine.csv", tmp_path / "out", "--heldout", 0, "--json")
    assert json.loads(finished.stdout)["left_out"] == {"same id": 1}
    assert [one.text for one in read_manifest(tmp_path / "out" / "manifest.jsonl")] == ["One."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mp3s", MINI, "out"), "there is no CorpusReader called 'mp3s'; choose one of csv, lhotse, libritts"),
        (("libritts", MINI, "out", "--min-seconds", "3", "--max-seconds", "2"), "the first must be less"),
        (("libritts", MINI, "out", "--workers", "0"), "--workers"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple, words: str, tts_fm_command: Command) -> None:
    finished = tts_fm_command("prepare", *arguments)
    assert finished.code == 2 and words in finished.line


@pytest.mark.parametrize(("package", "extra"), [("lhotse", "train"), ("pocketsphinx", "edit")])
def test_without_a_package_it_says_what_to_install(
    package: str, extra: str, tmp_path: Path, tts_fm_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    forced._decoder.cache_clear()
    finished = tts_fm_command("prepare", "libritts", MINI, tmp_path, "--align")
    assert finished.code == 2 and f"pip install 'tts-fm[{extra}]'" in finished.line


@pytest.mark.parametrize("arguments", [["prepare", "--help"], ["data", "--help"], ["data", "check", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from tts_fm.commands import main; main(sys.argv[1:]); "
        "sys.exit(bool({'torch', 'lhotse', 'matplotlib', 'numpy', 'soundfile'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "Example:\n    tts-fm" in finished.stdout


def test_librispeech_is_laid_out_as_libritts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    mini = importlib.import_module("scripts.mini_libritts")
    speech, out = tmp_path / "speech", tmp_path / "LibriTTS"
    (speech / "librispeech").mkdir(parents=True)
    lines = ["file\tspeaker\ttext\tseconds\tdyn_range_db"]
    for id, db in {"84-1-0000": 40, "84-1-0001": 40, "251-7-0003": 40, "251-7-0004": 20}.items():
        Waveform(buzz(1.0, 16_000), 16_000).save(speech / "librispeech" / f"{id}.flac")
        lines.append(f"librispeech/{id}.flac\tls{id.split('-')[0]}\tI SAID IT'S SO\t1.0\t{db}")
    (speech / "transcripts.tsv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(sys, "argv", ["mini", str(speech), str(out), "--max-seconds-total", "2.5"])
    mini.main()
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.wav"))
    first, second = "dev-clean/84/1/84_1_000000_000000.wav", "train-clean-100/251/7/251_7_000003_000000.wav"
    assert files == [first, second]  # a noisy one is left out, and the speakers take turns
    sound = Waveform.load(out / second)
    assert (sound.sample_rate, sound.seconds) == (24_000, 1.0)
    found = list(plugins.build(CorpusReader, "libritts", out, (), tmp_path).read())
    assert [(entry.id, entry.text, entry.split) for entry in found if isinstance(entry, Entry)] == [
        ("84_1_000000_000000", "I said it's so.", "heldout"),
        ("251_7_000003_000000", "I said it's so.", "train"),
    ]
