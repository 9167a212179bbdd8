"""The training loop: updates, checkpoints, metrics, and going on where it stopped, whatever it is that learns."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tts_fm import atomic, torch_files
from tts_fm.config import LoopOptions
from tts_fm.errors import ModelError, TrainingError
from tts_fm.strict import differences
from tts_fm.training import loggers
from tts_fm.training.interrupt import Interrupt
from tts_fm.training.learner import Learner, Step

Watch = Callable[[int, Mapping[str, float]], None]
"""Called after each update with (updates done, its losses, ``frames_per_second`` and ``seconds_left``)."""
Sample = Callable[[int, "loggers.Loggers"], Mapping[str, float]]
"""Speaks samples after so many updates, on every process, shows them in the log, and returns figures."""

CHECKPOINTS, MODEL = "checkpoints", "model"
"""The folders of a run: what it goes on from, and what it has learned."""
_OF_A_STATE = {"facts", "update", "seconds", "skipped", "skipped_in_a_row", "means", "learner"}


class Loop:
    """Drives a learner until its updates are done, time is up, or somebody wants it to stop.

    Args:
        learner: what learns.
        options: how long, and how often what is done.
        folder: the run's: checkpoints, ``metrics.jsonl`` and the model go there.
        sample: speaks samples; None for none.
        watch: is told of every update.
    """

    def __init__(
        self,
        learner: Learner,
        options: LoopOptions,
        folder: Path,
        *,
        sample: Sample | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.learner, self.options, self.folder, self.team = learner, options, folder, learner.team
        self.sample, self.watch = sample, watch
        self.update, self.seconds, self.skipped, self.skipped_in_a_row = 0, 0.0, 0, 0
        self._means, self._saved = Means(), -1
        self._log = loggers.none()

    def resume(self, path: Path | None = None) -> bool:
        """Go on from the checkpoint at ``path``, or the newest in the folder that can be read; False where there is none.

        Raises:
            ValueError: the run was another one; the line says in what.
            ModelError: the checkpoint at ``path``, or every one in the folder, cannot be read.
        """
        newest = self._newest() if path is None else (path, _load(path))
        if newest is None:
            return False
        path, state = newest
        saved, remark = _allowing_more_updates(state["facts"], self.learner.facts, state["update"])
        if changed := differences(saved, self.learner.facts):
            more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
            raise ValueError(
                f"{path} belongs to another run: {'; '.join(changed[:3])}{more}; "
                f"change it back, choose another --output, or start anew with --resume never"
            )
        if remark:
            warnings.warn(remark, stacklevel=1)
        self.learner.load_state(state["learner"])
        self.update, self.seconds = state["update"], state["seconds"]
        self.skipped, self.skipped_in_a_row = state["skipped"], state["skipped_in_a_row"]
        self._means, self._saved = Means(state["means"]), self.update
        if self.team.is_main:
            for later in torch_files.states(self.folder / CHECKPOINTS):  # of a way that is not gone on
                if torch_files.updates_of(later) > self.update:
                    later.rename(later.with_suffix(".pt.old"))
        return True

    def run(self, max_minutes: float = math.inf) -> int:
        """Train; return the number of the signal that stopped it, else 0. The last state is saved in any case.

        Raises:
            TrainingError: too many steps in a row were no numbers, or the last state could not be saved.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.team.is_main:
            atomic.clean(self.folder)
            self._log = loggers.open_all(self.options.loggers, self.folder, self.learner.facts, resume_from=self.update)
        deadline = time.monotonic() + 60 * max_minutes
        try:
            with Interrupt() as interrupt:
                stopped_by = self._until(deadline, interrupt)
                if self._saved != self.update and not self._save():
                    raise TrainingError(
                        f"update {self.update} could not be saved; the last checkpoint is of update {max(self._saved, 0)}"
                    )
        finally:
            self._log.close()
        return stopped_by

    def _until(self, deadline: float, interrupt: Interrupt) -> int:
        options, stopped_by = self.options, None
        pace = Pace(self.update, options.updates)
        while self.update < options.updates and (stopped_by := self._asked_to_stop(deadline, interrupt)) is None:
            began = time.monotonic()
            step = self.learner.learn(self.update)
            self.update += 1
            self._count(step)
            pace.add(step.frames, time.monotonic() - began)
            self.seconds += time.monotonic() - began
            if self.watch is not None:
                self.watch(self.update, {**step.values, **pace.figures(self.update)})
            is_last = self.update == options.updates
            if self.update % options.log_every == 0 or is_last:
                self._record({**self._means.take(), **pace.take()})
            if self.update % options.validate_every == 0 or is_last:
                self._record(self.learner.validate())
            if options.sample_every and (self.update % options.sample_every == 0 or is_last):
                self._speak()
            if self.update % options.save_every == 0:
                self._save()
        return 0 if stopped_by is None else stopped_by

    def _asked_to_stop(self, deadline: float, interrupt: Interrupt) -> int | None:
        """Return the signal that came to any process, 0 where time is up, None to go on."""
        late = 0 if time.monotonic() >= deadline else -1
        asked = self.team.most(interrupt.number if interrupt.number else late)
        return None if asked == -1 else asked

    def _count(self, step: Step) -> None:
        """Keep the step's values, or count it as skipped; stop where that happens too often."""
        if not step.is_skipped:
            self._means.add(step.values)
            self.skipped_in_a_row = 0
            return
        self.skipped += 1
        self.skipped_in_a_row += 1
        ids = self.team.together(step.ids)
        self._record({"skipped": self.skipped, "ids": ids})
        if self.skipped_in_a_row >= self.options.max_skipped:
            learned_from = f" with the utterances {', '.join(ids[:8])}" if ids else ""
            raise TrainingError(
                f"the loss or its gradient was no number in {self.skipped_in_a_row} updates in a row, the last at update "
                f"{self.update}{learned_from}; look at the data, or lower the learning rate; "
                f"the last checkpoint is of update {max(self._saved, 0)}"
            )

    def _speak(self) -> None:
        if self.sample is not None and (figures := self.sample(self.update, self._log)):
            self._record(figures)

    def _save(self) -> bool:
        """Write a checkpoint and the model; on failure say so, keep what there is, and return False."""
        state = {
            "facts": self.learner.facts,
            "update": self.update,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "means": self._means.sums,
            "learner": self.learner.state(),
        }
        publish, failure = self.learner.publisher(), ""
        try:
            if self.team.is_main:
                path = torch_files.state_path(self.folder / CHECKPOINTS, self.update)
                torch_files.save_state(path, state, keep=self.options.keep)
                publish(self.folder / MODEL)
        except OSError as error:
            failure = error.strerror or str(error)
        except ValueError as error:  # a weight that is no number is not published
            failure = str(error)
        if self.team.most(int(bool(failure))):
            if failure:
                warnings.warn(
                    f"update {self.update} could not be saved ({failure}); the last checkpoint is of update "
                    f"{max(self._saved, 0)}; it is tried again at the next interval",
                    stacklevel=2,
                )
            return False
        self._saved = self.update
        return True

    def _newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that can be read; None where there is none at all."""
        errors: list[ModelError] = []
        for path in reversed(torch_files.states(self.folder / CHECKPOINTS)):
            try:
                state = _load(path)
            except ModelError as error:
                errors.append(error)
                continue
            for error in errors:
                warnings.warn(f"{error}; an older checkpoint is taken", stacklevel=2)
            return path, state
        if errors:  # to begin again by itself would write over the figures of the run
            raise ModelError(f"{errors[0]}, and there is no older checkpoint; start anew with --resume never")
        return None

    def _record(self, values: Mapping[str, Any]) -> None:
        self._log.record(self.update, values)


class Means:
    """The mean of each value since the last line of the log; some values are not of every update."""

    def __init__(self, sums: Mapping[str, list[float]] | None = None) -> None:
        self.sums: dict[str, list[float]] = {} if sums is None else {name: list(pair) for name, pair in sums.items()}

    def add(self, values: Mapping[str, float]) -> None:
        """Count one update's values."""
        for name, value in values.items():
            pair = self.sums.setdefault(name, [0.0, 0.0])
            pair[0] += value
            pair[1] += 1

    def take(self) -> dict[str, float]:
        """Return the means, and begin again."""
        means = {name: total / count for name, (total, count) in self.sums.items()}
        self.sums.clear()
        return means


class Pace:
    """How fast a run goes."""

    def __init__(self, update: int, updates: int) -> None:
        self.first, self.updates = update, updates
        self._frames, self._seconds, self._all_seconds = 0, 0.0, 0.0

    def add(self, frames: int, seconds: float) -> None:
        """Count one update."""
        self._frames, self._seconds = self._frames + frames, self._seconds + seconds
        self._all_seconds += seconds

    def figures(self, update: int) -> dict[str, float]:
        """Frames per second since the last line of the log, and the seconds that remain at the run's mean pace."""
        per_update = self._all_seconds / (update - self.first)
        rate = self._frames / self._seconds if self._seconds else 0.0
        return {"frames_per_second": rate, "seconds_left": per_update * (self.updates - update)}

    def take(self) -> dict[str, float]:
        """Return the frames per second, and begin again."""
        rate = self._frames / self._seconds if self._seconds else 0.0
        self._frames, self._seconds = 0, 0.0
        return {"frames_per_second": rate}


def _load(path: Path) -> dict[str, Any]:
    """Return the state of a run; a file of PyTorch may hold other things, a model's weights for example."""
    state = torch_files.load_state(path)
    if missing := sorted(_OF_A_STATE - state.keys()):
        raise ModelError(f"{path} is no checkpoint of a run: it has no {missing[0]!r}")
    return state


def _allowing_more_updates(
    saved: Mapping[str, Any], facts: Mapping[str, Any], update: int
) -> tuple[Mapping[str, Any], str]:
    """Return ``saved``, with the updates of ``facts`` where the run was done after ``update``, and a remark on that."""
    old, new = saved.get("training"), facts.get("training")
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        was, wanted = old.get("updates"), new.get("updates")
        if was is not None and wanted is not None and was == update < wanted:
            return {**saved, "training": {**old, "updates": wanted}}, (
                f"the run was done after {was} updates and goes on to {wanted}; its learning rate goes on as if it had "
                f"been so long from the start"
            )
    return saved, ""
