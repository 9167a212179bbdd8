"""A batch from its list to its files: what is missing is planned, said, and written down."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tts_fm import __version__, atomic, plugins, resuming
from tts_fm.batch import shards
from tts_fm.batch.executors import Executor
from tts_fm.batch.job import Job
from tts_fm.batch.listing import Line
from tts_fm.batch.shards import Done, Failed, Said
from tts_fm.batch.stores import Store

MANIFEST, SAID, FAILED = "manifest.json", "said.jsonl", "failed.jsonl"
"""What is in the folder of a batch, beside the sound: how it was made, what is kept and what could not be said."""
SHARD_SIZE = 100
"""Lines in one archive."""
_NOTES = 500  # a list of files is written down in about so many parts


@dataclass(frozen=True)
class Progress:
    """How far a run is: lines of all (those of earlier runs among them), and what this run has made in how long."""

    done: int
    total: int
    failed: int
    seconds: float
    elapsed: float

    @property
    def rate(self) -> float:
        """Seconds of speech made in a second."""
        return self.seconds / max(self.elapsed, 1e-9)


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Result:
    """What became of a list: its lines that are kept, with the shard they are in, and those that are not."""

    lines: tuple[Line, ...]
    said: dict[str, tuple[int, Said]]
    failed: dict[str, Failed]
    new: int
    elapsed: float

    def kept(self) -> Iterator[tuple[Line, tuple[int, Said]]]:
        """Yield the lines that are kept, in the list's order."""
        return ((line, self.said[line.id]) for line in self.lines if line.id in self.said)

    def lost(self) -> Iterator[tuple[Line, Failed]]:
        """Yield the lines that could not be said, in the list's order."""
        return ((line, self.failed[line.id]) for line in self.lines if line.id in self.failed)

    def figures(self) -> dict[str, Any]:
        """Return the figures of all that is kept."""
        kept = [one for _, one in self.said.values()]
        seconds, computing = sum(one.seconds for one in kept), sum(one.computing_seconds for one in kept)
        return {
            "lines": len(self.lines),
            "said": len(kept),
            "failed": dict(Counter(one.kind for one in self.failed.values()).most_common()),
            "hours": round(seconds / 3600, 4),
            "computing_hours": round(computing / 3600, 4),
            "said_again": sum(one.tries > 1 for one in kept),
            "new": self.new,
            "elapsed_seconds": round(self.elapsed, 1),
        }


class Batch:
    """Says the ``lines`` of a list as ``job`` wants it; what is in its folder already is kept. See :func:`.resuming.locked`.

    Args:
        job: what the workers have to know.
        lines: the list.
        identity: of the job, see :meth:`Job.identity`.

    Raises:
        ValueError: the folder holds speech of another model or with other settings, or a line has changed since.
    """

    def __init__(self, job: Job, lines: Sequence[Line], identity: dict[str, Any]) -> None:
        self.job, self.lines, self.identity = job, tuple(lines), identity
        self.store: Store = plugins.build(Store, job.store, job.out, job.suffix)
        resuming.check_begun_alike(
            job.out / MANIFEST, identity, author="tts-fm batch has written", other="another batch"
        )
        self._done = shards.find_all(job.out)
        self.missing = shards.missing(self.lines, self._done)

    def run(self, executor: Executor, size: int | None = None, on_progress: OnProgress | None = None) -> Result:
        """Say what is missing, in shards of ``size``, and return what became of the list."""
        _write(self.job.out / MANIFEST, [{"software": f"tts-fm {__version__}", **self.identity}])
        planned = shards.plan(self.missing, self._size(size), (one.number for one in self._done))
        count = _Count(len(self.lines) - len(self.missing), len(self.lines), on_progress)
        try:
            if planned:
                with closing(executor.run(self.job, planned, count.tell)) as made:  # at once, for it holds processes
                    for done in made:
                        self._done.append(done)
                        count.add(done)
        finally:
            atomic.clean(self.job.out)
            result = self._result(count)
            _write(self.job.out / SAID, (self._row(line, *spoken) for line, spoken in result.kept()))
            _write(self.job.out / FAILED, ({"text": line.text, **asdict(why)} for line, why in result.lost()))
        return result

    def _size(self, size: int | None) -> int:
        """Return how many lines a shard has: an archive as many as wanted, files so few that little is lost."""
        if size is not None:
            return size
        return SHARD_SIZE if self.store.is_archive else min(SHARD_SIZE, max(1, len(self.missing) // _NOTES))

    def _result(self, count: _Count) -> Result:
        wanted = {line.id for line in self.lines}
        said = {one.id: (shard.number, one) for shard in self._done for one in shard.said if one.id in wanted}
        failed = {
            one.id: one for shard in self._done for one in shard.failed if one.id in wanted and one.id not in said
        }
        return Result(self.lines, said, failed, count.said, count.elapsed)

    def _row(self, line: Line, shard: int, said: Said) -> dict[str, Any]:
        return {
            "id": line.id,
            "audio": self.store.place(shard, line.id),
            "text": line.text,
            "speaker": line.reference.name,
            "seconds": said.seconds,
            "seed": said.seed,
            "tries": said.tries,
            "wrong": said.wrong,
            "remarks": list(said.remarks),
        }


class _Count:
    """What a run has made so far, told to who wants to know."""

    def __init__(self, before: int, total: int, on_progress: OnProgress | None) -> None:
        self._before, self._total, self._on_progress = before, total, on_progress
        self._began = time.perf_counter()
        self.said = self.failed = 0
        self.seconds = 0.0

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def add(self, done: Done) -> None:
        """Count a shard."""
        self.said += len(done.said)
        self.failed += len(done.failed)
        self.seconds += sum(one.seconds for one in done.said)
        self.tell(0, 0.0)

    def tell(self, lines: int, seconds: float) -> None:
        """Tell what is made, and ``lines`` of ``seconds`` in shards that are not done."""
        if self._on_progress is not None:
            done = self._before + self.said + self.failed + lines
            self._on_progress(Progress(done, self._total, self.failed, self.seconds + seconds, self.elapsed))


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic.replacing(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
