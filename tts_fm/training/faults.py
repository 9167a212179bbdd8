"""Broken utterances of a corpus: each is named once, and too many of them end a run."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tts_fm.errors import TrainingError
from tts_fm.types import Fault


class FaultLog:
    """Names broken utterances in warnings, and in ``path`` a JSON line each; several processes may write to it.

    Args:
        path: the file; None writes nothing.
        n_utterances: how many the corpus has.
        max_broken: the share of them that may be broken, ``data.max_broken``.
    """

    def __init__(self, path: Path | None, n_utterances: int, max_broken: float) -> None:
        self.path, self.n_utterances, self.max_broken = path, n_utterances, max_broken
        self._named: set[str] = set()

    def name(self, faults: Sequence[Fault]) -> None:
        """Name those that were not named before.

        Raises:
            TrainingError: too many are broken by now.
        """
        if all(fault.id in self._named for fault in faults):
            return
        self._named |= self._named_before()
        new = [fault for fault in faults if fault.id not in self._named]
        self._named |= {fault.id for fault in new}
        for fault in new:
            warnings.warn(f"{fault.id} is left out: {fault.reason}", stacklevel=2)
        self._append(new)
        if len(self._named) > max(1, self.max_broken * self.n_utterances):
            raise TrainingError(
                f"{len(self._named)} of {self.n_utterances} utterances are broken, which is more than data.max_broken "
                f"= {self.max_broken:g} of them; find them with tts-fm data check"
            )

    def _named_before(self) -> set[str]:
        """The utterances that the file names already: by this run before it was stopped, or by another process."""
        if self.path is None or not self.path.exists():
            return set()
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return {json.loads(line)["id"] for line in lines if line.endswith("}")}

    def _append(self, faults: Sequence[Fault]) -> None:
        if self.path is None or not faults:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(asdict(fault), ensure_ascii=False) + "\n" for fault in faults))
        except OSError as error:
            warnings.warn(f"{self.path} cannot be written ({error.strerror})", stacklevel=3)
