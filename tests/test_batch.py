"""Many lines to many files: the same bytes however they are made, going on after a stop, and what is refused."""

from __future__ import annotations

import io as streams
import itertools
import json
import tarfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TRANSCRIPT, Finished, bent_model

from tts_fm import hub, plugins
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.batch import batch_page, listener, shards
from tts_fm.batch.executors import Executor, OnWay
from tts_fm.batch.executors.local import Local
from tts_fm.batch.job import Check, Job
from tts_fm.batch.listener import Hearing
from tts_fm.batch.listing import Line, Reference
from tts_fm.batch.run import FAILED, MANIFEST, SAID, Batch, Progress, Result
from tts_fm.batch.shards import Done, Failed, Said, Shard
from tts_fm.batch.stores import Store
from tts_fm.cli.terminal import Report
from tts_fm.origin import Origin
from tts_fm.resuming import locked

LINES = [Line(f"u{i}", f"Line {i}" + " and" * (i % 3), number=i + 1) for i in range(5)]


class Stopping(Executor):
    """Says the shards in this process, until it is interrupted after so many of them."""

    def run(self, job: Job, shards: Sequence[Shard], on_way: OnWay) -> Generator[Done, None, None]:
        yield from itertools.islice(Local(1).run(job, shards, on_way), self.workers)
        raise KeyboardInterrupt


def batch(job: Job, lines: Sequence[Line] = LINES) -> Batch:
    job.out.mkdir(parents=True, exist_ok=True)
    return Batch(job, lines, job.identity(job.origin.load()))


def said(job: Job, lines: Sequence[Line] = LINES, size: int | None = None) -> Result:
    return batch(job, lines).run(Local(1), size)


def sounds(out: Path) -> dict[str, bytes]:
    """The bytes of all that holds sound."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for folder in ("audio", "shards")
        for path in sorted((out / folder).glob("*"))
    }


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def job(tmp_path: Path, model_folder: Path) -> Job:
    return Job(tmp_path / "out", Origin(str(model_folder)))


# The same bytes


def test_a_line_sounds_the_same_in_any_order_and_in_any_company(job: Job, tmp_path: Path, model_folder: Path) -> None:
    bent = str(bent_model(model_folder, tmp_path / "bent"))
    one, other = (Job(tmp_path / name, Origin(bent)) for name in ("one", "other"))
    said(one)
    said(other, [LINES[4], LINES[2]], 1)
    said(other, LINES[::-1], 3)
    assert sounds(one.out) == sounds(other.out)
    assert len(set(sounds(one.out).values())) == len(LINES)


def test_seeds_are_those_of_the_run_the_id_and_the_try(job: Job, tmp_path: Path) -> None:
    seeds = [job.seed_of(line, attempt) for line in LINES for attempt in range(3)]
    seeds += [Job(job.out, job.origin, seed=1).seed_of(line, 0) for line in LINES]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2**31 for seed in seeds)
    own = Line("u0", "Words.", seed=5)
    assert [job.seed_of(own, attempt) for attempt in range(2)] == [5, job.seed_of(LINES[0], 1)]
    assert job.seed_of(LINES[0], 0) == 245901169  # must not change: what was said before would sound otherwise


@pytest.mark.parametrize(("store", "stopped_after"), [(name, 1) for name in plugins.names(Store)] + [("files", 2)])
def test_a_run_that_was_stopped_ends_in_the_same_bytes(
    store: str, stopped_after: int, job: Job, tmp_path: Path
) -> None:
    if store == "shar":
        pytest.importorskip("lhotse")
    whole, stopped = (Job(tmp_path / name, store=store, origin=job.origin) for name in ("whole", "stopped"))
    said(whole, size=2)
    with pytest.raises(KeyboardInterrupt):
        batch(stopped).run(Stopping(stopped_after), 2)
    assert len(rows(stopped.out / SAID)) == 2 * stopped_after
    (stopped.out / ".killed.part").touch()  # what a process that was killed leaves
    result = said(stopped, size=2)
    assert result.new == len(LINES) - 2 * stopped_after
    assert sounds(stopped.out) == sounds(whole.out)
    assert (stopped.out / SAID).read_bytes() == (whole.out / SAID).read_bytes()
    assert [row["id"] for row in rows(whole.out / SAID)] == [line.id for line in LINES]
    assert not list(stopped.out.rglob("*.part"))
    assert said(stopped, size=2).new == 0


def test_what_has_no_marker_is_said_again_and_what_has_one_is_not(job: Job) -> None:
    from tts_fm.batch.speaker import Speaker

    said(job, size=2)
    before = sounds(job.out)
    (job.out / "done/000001.json").unlink()
    (job.out / "audio/u2.flac").write_bytes(b"half")
    assert said(job, size=2).new == 2 and sounds(job.out) == before
    (job.out / "audio/u2.flac").unlink()
    done = Speaker(job).say(Shard(1, tuple(LINES[2:4])))  # a scheduler that asks twice gets the same answer
    assert done == shards.find(job.out, 1) and not (job.out / "audio/u2.flac").exists()


def test_a_list_may_grow(job: Job) -> None:
    assert said(job, LINES[:3], 2).new == 3
    assert said(job, LINES, 2).new == 2
    assert sorted(one.id for done in shards.find_all(job.out) for one in done.said) == [line.id for line in LINES]


def test_every_part_of_a_run_is_planned_as_the_whole() -> None:
    whole = shards.plan(LINES, 2)
    assert [len(shard.lines) for shard in whole] == [2, 2, 1] and [shard.number for shard in whole] == [0, 1, 2]
    for n in range(len(whole) + 1):
        for some in itertools.combinations(whole, n):
            done = [
                Done(shard.number, "", tuple(Said(one.id, one.digest, 1.0, 1, 0, 1, 1.0) for one in shard.lines), ())
                for shard in some
            ]
            left = shards.plan(shards.missing(LINES, done), 2, (shard.number for shard in some))
            assert sorted([*some, *left], key=lambda shard: shard.number) == whole


def test_what_failed_is_tried_after_what_was_not_tried() -> None:
    done = [Done(0, "", (), (Failed("u0", LINES[0].digest, "kind", "reason"),))]
    assert [line.id for line in shards.missing(LINES[:3], done)] == ["u1", "u2", "u0"]


# What is refused


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"sampling": {"steps": 3}}, "sampling.steps was 2 and is 3"),
        ({"suffix": "wav"}, "format was 'flac' and is 'wav'"),
        ({"check": Check("aligner")}, "check was not there and is"),
    ],
)
def test_other_settings_are_refused(change: dict, named: str, job: Job) -> None:
    said(job, LINES[:1])
    with pytest.raises(ValueError, match=named):
        batch(Job(**{**vars(job), **change}))


def test_another_model_is_refused(job: Job, tmp_path: Path, model_folder: Path) -> None:
    said(job, LINES[:1])
    with pytest.raises(ValueError, match="weights was '.*' and is '.*'; choose another folder"):
        batch(Job(job.out, Origin(str(bent_model(model_folder, tmp_path / "bent")))))


def test_a_line_that_has_changed_is_refused(job: Job) -> None:
    said(job, LINES[:2])
    with pytest.raises(ValueError, match="have changed since: 1, the first 'u1' in line 2"):
        batch(job, [LINES[0], Line("u1", "Other words.", number=2)])


@pytest.mark.parametrize("file", [MANIFEST, "done/000000.json"])
def test_a_file_of_the_folder_that_is_damaged_is_named(file: str, job: Job) -> None:
    said(job, LINES[:1])
    (job.out / file).write_text("[]")
    with pytest.raises(ValueError, match=file):
        batch(job)


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with locked(out, "batch"), pytest.raises(ValueError, match="another tts-fm batch"), locked(out, "batch"):
        pass


# Listening


def test_what_is_not_understood_is_said_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def listen(waveform: Waveform, text: str) -> Hearing:
        asked.append(text)
        return Hearing([0, 3 - asked.count(text), 3][int(text.split()[1])], 4, "hm")

    monkeypatch.setattr(listener, "build", lambda name, model: listen)
    checked = Job(job.out, job.origin, check=Check("aligner", allowed=0.25, tries=3))
    result = said(checked, LINES[:3])
    assert [(one.id, one.tries, one.wrong) for _, one in result.said.values()] == [("u0", 1, 0.0), ("u1", 2, 0.25)]
    assert result.said["u1"][1].seed == job.seed_of(LINES[1], 1)
    (failed,) = rows(job.out / FAILED)
    assert (failed["id"], failed["kind"]) == ("u2", "not understood")
    assert failed["reason"] == "said 3 times, and at best 3 of 4 words are wrong; heard was 'hm'"


def test_the_aligner_hears_whether_the_words_are_said() -> None:
    pytest.importorskip("pocketsphinx")
    recording, words = io.read(hub.bundled() / "voice.flac"), (hub.bundled() / "voice.txt").read_text().strip()
    listen = listener.build("aligner")
    assert listen(recording, words).share <= 0.1
    assert listen(recording, "Nobody has ever heard of a purple elephant that plays chess.").share > 0.3


def test_who_can_listen() -> None:
    assert listener.names() == ["aligner", "whisper"]
    with pytest.raises(ValueError, match="there is no listener 'pocketsphinx'; choose one of aligner, whisper"):
        listener.check("pocketsphinx", None)
    with pytest.raises(ValueError, match="the aligner has one model"):
        listener.check("aligner", "base")


# What is kept


def test_an_archive_is_read_as_webdataset_does(job: Job) -> None:
    archive = Job(job.out, job.origin, store="webdataset")
    said(archive, size=3)
    with tarfile.open(job.out / "shards/000001.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
    assert list(members) == [f"u{i}.{suffix}" for i in (3, 4) for suffix in ("flac", "json")]
    about = json.loads(members["u3.json"])
    assert about["id"] == "u3" and about["is_generated"] and about["seed"] == job.seed_of(LINES[3], 0)
    assert io.read(streams.BytesIO(members["u3.flac"])).seconds == pytest.approx(about["seconds"])
    assert plugins.build(Store, "webdataset", job.out, "flac").why_not("a.b") is not None


def test_shar_archives_are_read_by_lhotse(job: Job) -> None:
    lhotse = pytest.importorskip("lhotse")
    store = Job(job.out, job.origin, store="shar")
    said(store, size=3)
    cuts = list(lhotse.CutSet.from_shar(in_dir=job.out / "shards"))
    assert [cut.id for cut in cuts] == [line.id for line in LINES]
    assert [cut.supervisions[0].text for cut in cuts] == [line.text for line in LINES]
    kept = plugins.build(Store, "shar", job.out, "flac")
    for cut, shard in ((cuts[0], 0), (cuts[4], 1)):
        torch.testing.assert_close(torch.from_numpy(cut.load_audio()[0]), kept.read(shard, cut.id).samples)


def test_a_file_says_that_a_machine_made_it(job: Job) -> None:
    said(job, LINES[:1])
    facts = io.read_metadata(job.out / "audio/u0.flac")
    assert facts["is_generated"] == "True" and facts["seed"] == str(job.seed_of(LINES[0], 0))


# The command


def test_the_command_says_a_list_and_makes_a_page(
    tmp_path: Path, model_folder: Path, tts_fm_command: Callable[..., Finished]
) -> None:
    (tmp_path / "list.csv").write_text(
        "id,text,seconds\na,Some words.,\nb#1,More words.,3\nc,Words.,500\n", encoding="utf-8"
    )
    run = ("batch", tmp_path / "list.csv", tmp_path / "out", "--model", model_folder, "--workers", 1)
    done = tts_fm_command(*run, "--report", "--json")
    assert done.code == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["said"], figures["lines"], figures["failed"]) == (2, 3, {"not possible": 1})
    assert "warning: 1 line could not be said (1 not possible)" in done.stderr
    assert [row["seconds"] for row in rows(tmp_path / "out" / SAID)][1] == pytest.approx(3, abs=0.02)
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    for part in ("What could not be said", "Some words.", "more than this model can hold", "sounds/00.ogg", "<svg"):
        assert part in page, part
    assert len(list((tmp_path / "out/sounds").glob("*.ogg"))) == 2


def test_nothing_is_started_where_a_line_is_bad(
    tmp_path: Path, model_folder: Path, tts_fm_command: Callable[..., Finished]
) -> None:
    lines = [
        {"id": "a", "text": "Words."},
        {"id": "b", "text": "Words.", "ref_audio": "gone.wav", "ref_text": "Words."},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    done = tts_fm_command("batch", tmp_path / "list.jsonl", tmp_path / "out", "--model", model_folder)
    assert done.code == 3
    assert "list.jsonl: 1 line cannot be said, and nothing was started; line 2: there is no file" in done.line
    assert not (tmp_path / "out/audio").exists() and not (tmp_path / "out" / MANIFEST).exists()


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--shards", "zip"], 2, "there is no Store called 'zip'; choose one of files, shar, webdataset"),
        (["--shards", "webdataset", "--format", "mp3"], 2, "here sound is kept as flac, not as 'mp3'"),
        (["--check", "ear"], 2, "there is no listener 'ear'"),
        (["--check-model", "base"], 2, "name one with --check"),
        (["--steps", "0"], 2, "steps is 0"),
        (["--model", "nowhere"], 4, "nowhere"),
    ],
)
def test_mistakes_are_one_line(
    options: list[str], code: int, reason: str, tmp_path: Path, tts_fm_command: Callable[..., Finished]
) -> None:
    (tmp_path / "list.csv").write_text("id,text\na,Words.\n", encoding="utf-8")
    done = tts_fm_command("batch", tmp_path / "list.csv", tmp_path / "out", *options)
    assert (done.code, reason in done.line) == (code, True), done.line


def test_nothing_that_is_read_is_written_over_and_remarks_are_told(
    tmp_path: Path, model_folder: Path, tts_fm_command: Callable[..., Finished]
) -> None:
    out = tmp_path / "out"
    (out / "audio").mkdir(parents=True)
    audio, listed = out / "audio" / "a.flac", tmp_path / "list.jsonl"
    low = Waveform(0.1 * torch.sin(torch.arange(24_000) / 8), 8_000)
    io.write(low, audio, metadata={})
    line = {"id": "a", "text": "Words.", "ref_audio": str(audio), "ref_text": TRANSCRIPT}
    listed.write_text(json.dumps(line) + "\n", encoding="utf-8")
    kept = audio.read_bytes()
    done = tts_fm_command("batch", listed, out, "--model", model_folder, "--workers", 1)
    assert done.code == 2 and "which is read and would be lost; take another folder" in done.line
    assert audio.read_bytes() == kept
    other = tmp_path / "other"
    other.mkdir()
    listed.rename(other / SAID)
    done = tts_fm_command("batch", other / SAID, other, "--model", model_folder, "--workers", 1)
    assert done.code == 2 and "take another folder" in done.line
    done = tts_fm_command("batch", other / SAID, tmp_path / "new", "--model", model_folder, "--workers", 1)
    (row,) = rows(tmp_path / "new" / SAID)
    assert done.code == 0 and row["remarks"]
    assert (
        f"there are remarks on 1 line, see {tmp_path / 'new' / SAID}; the first, a: {row['remarks'][0]}" in done.stderr
    )


def test_progress_counts_what_is_under_way(job: Job) -> None:
    told: list[Progress] = []
    result = batch(job).run(Local(1), 3, told.append)
    assert [one.done for one in told] == [1, 2, 3, 3, 4, 5, 5]
    seconds = sum(one.seconds for _, one in result.said.values())
    assert told[-1].seconds == pytest.approx(seconds) and told[-1].rate == pytest.approx(seconds / told[-1].elapsed)


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Report().progress("speaking") as nobody, Report(is_quiet=True).progress("speaking", 0.0) as quiet:
        assert nobody is None and quiet is None
    for every, lines in ((0.0, ["speaking, 2 of 3, 0 min remain", "so far, 3 of 3, 0 min remain"]), (60.0, [])):
        with Report().progress("speaking", every) as on_step:
            assert on_step is not None
            on_step(1, 3)
            on_step(2, 3)
            on_step(3, 3, "so far")
        assert capsys.readouterr().err.splitlines() == lines


def test_the_page_shows_voices_apart(job: Job, voice_file: Path) -> None:
    other = Reference(audio=voice_file, words=TRANSCRIPT)
    made = batch(job, [*LINES[:2], Line("x", "In another voice.", other)])
    page = batch_page.write(made.run(Local(1)), made).read_text(encoding="utf-8")
    assert "voices, 2 of 2" in page and "voice.wav" not in page and ">voice<" in page and ">default<" in page
