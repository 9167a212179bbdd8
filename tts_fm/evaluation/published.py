"""A published list spoken and judged line by line; each result is kept as soon as it is there, and is not made again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tts_fm import atomic
from tts_fm.audio import io
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.evaluation import report
from tts_fm.evaluation.judges import Judges, finite
from tts_fm.evaluation.protocols import Line, Protocol
from tts_fm.evaluation.report import Figure, Judgement, Silence
from tts_fm.evaluation.similarity import voice_encoder
from tts_fm.evaluation.suite import Speaks

if TYPE_CHECKING:
    from rich.table import Table

RESULTS = "utterances.jsonl"
OnLine = Callable[[int, int], None]


@dataclass(frozen=True)
class Utterance:
    """One line of a list: how it and the speaker's own recording were judged, or the ``problem`` that kept it from that."""

    id: str
    text: str
    problem: str | None = None
    is_missing: bool = False
    output: Judgement | None = None
    recording: Judgement | None = None
    computing_seconds: float = 0.0


@dataclass(frozen=True)
class Averages:
    """What one source scores: the word error rate in both averages, the cosine to the prompt, and how natural it is."""

    mean_of_utterances: Figure
    over_all_words: Figure
    to_prompt: Figure
    leading_silence: Silence
    naturalness: dict[str, Figure]


class Run:
    """Lets a list be spoken; what lies in ``folder`` already is kept, but for lines that could not be judged.

    Args:
        protocol: whose rules.
        lines: what is to be spoken, all of the list.
        judges: who judge; their words should be those of the protocol.
        folder: gets ``utterances.jsonl`` and ``wavs/ID.wav``.
        about: what else the results depend on, as JSON has it.
        seed: the ``i``-th line is spoken with ``seed + i``.

    Raises:
        ValueError: ``folder`` holds results of another model, list, seed or of other judges.
    """

    def __init__(
        self,
        protocol: Protocol,
        lines: Sequence[Line],
        judges: Judges,
        folder: Path,
        about: dict[str, Any],
        seed: int = 0,
    ) -> None:
        self.protocol, self.lines, self.judges, self.folder, self.seed = protocol, list(lines), judges, folder, seed
        listed = json.dumps([[line.id, line.prompt_text, line.text, line.reference] for line in lines])
        digest = hashlib.sha256(listed.encode()).hexdigest()[:16]
        self.about = {"protocol": protocol.about, "list": digest, "seed": seed, "judges": judges.about(), **about}
        self._done = {one.id: one for one in _read(folder / RESULTS, json.loads(json.dumps(self.about)))}

    def speak(self, synthesizer: Speaks, limit: int | None = None, on_line: OnLine | None = None) -> list[Utterance]:
        """Return the results of the first ``limit`` lines, in the list's order."""
        chosen = self.lines[:limit]
        (self.folder / "wavs").mkdir(parents=True, exist_ok=True)
        kept = [one for one in self._done.values() if one.problem is None]
        with atomic.replacing(self.folder / RESULTS) as beside:
            beside.write_text("".join(map(_row, [self.about, *map(asdict, kept)])), encoding="utf-8")
        spoken = {one.id: one for one in kept}
        is_warm = False
        with (self.folder / RESULTS).open("a", encoding="utf-8") as file:
            for i, line in enumerate(chosen):
                if line.id not in spoken:
                    spoken[line.id] = self._spoken(synthesizer, line, self.seed + i, not is_warm)
                    is_warm = is_warm or spoken[line.id].problem is None
                    file.write(_row(asdict(spoken[line.id])))
                    file.flush()
                if on_line is not None:
                    on_line(i + 1, len(chosen))
        return [spoken[line.id] for line in chosen]

    def _spoken(self, synthesizer: Speaks, line: Line, seed: int, is_first: bool) -> Utterance:
        if line.prompt_audio is None or not line.prompt_text:
            return Utterance(line.id, line.text, "the list names no prompt with its words", is_missing=True)
        if not line.prompt_audio.is_file():
            return Utterance(line.id, line.text, f"{line.prompt_audio.name} is not there", is_missing=True)
        reference = line.text if line.reference is None else line.reference
        if not self.judges.words(reference):
            return Utterance(line.id, line.text, "the text has no words to count")
        try:
            prompt = Prompt.load(line.prompt_audio, line.prompt_text)
            if is_first:  # the first call also allocates and compiles
                synthesizer.synthesize(line.text, prompt, seed=seed)
            began = time.perf_counter()
            output = synthesizer.synthesize(line.text, prompt, seed=seed)
            computing = time.perf_counter() - began
            target = (
                None if line.target_audio is None or not line.target_audio.is_file() else io.read(line.target_audio)
            )
        except InputError as error:
            return Utterance(line.id, line.text, str(error))
        output, own = finite(output), voice_encoder().embed(prompt.waveform)
        output.save(self.folder / "wavs" / f"{line.id}.wav")
        return Utterance(
            id=line.id,
            text=line.text,
            output=self.judges.judge(output, reference, own),
            recording=None if target is None else self.judges.judge(target, reference, own),
            computing_seconds=computing,
        )


def averages(judged: Iterable[Judgement | None]) -> Averages | None:
    """Return the figures of one source; None where nothing was judged."""
    known = [one for one in judged if one is not None]
    if not known:
        return None
    wrong, words = np.array([(one.errors, one.words) for one in known], dtype=float).T
    return Averages(
        mean_of_utterances=report.bootstrap(wrong / words),
        over_all_words=report.bootstrap(wrong, words),
        to_prompt=report.bootstrap(np.array([one.to_prompt for one in known])),
        leading_silence=report.silence([one.leading_silence for one in known]),
        naturalness=report.opinions([one.naturalness for one in known]),
    )


def summary(run: Run, spoken: Sequence[Utterance]) -> dict[str, Any]:
    """Return the figures and what they are of; every line that could not be judged is counted."""
    output, recording = (averages(getattr(one, source) for one in spoken) for source in ("output", "recording"))
    seconds = sum(one.output.seconds for one in spoken if one.output is not None)
    missing, failed = ([one for one in spoken if one.problem and one.is_missing is kind] for kind in (True, False))
    return {
        **run.about,
        "average": run.protocol.average,
        "published": {"recogniser": run.protocol.recogniser, "encoder": run.protocol.encoder},
        "lines": len(run.lines),
        "asked": len(spoken),
        "judged": sum(one.output is not None for one in spoken),
        "missing": {one.id: one.problem for one in missing},
        "failed": {one.id: one.problem for one in failed},
        "output": None if output is None else asdict(output),
        "recording": None if recording is None else asdict(recording),
        "real_time_factor": sum(one.computing_seconds for one in spoken) / max(seconds, 1e-9),
    }


def table(figures: dict[str, Any], name: str) -> Table:
    """Return a summary as a table for people."""
    from rich.table import Table

    left_out = f"{len(figures['missing'])} missing, {len(figures['failed'])} failed"
    made = Table(title=f"{name}: {figures['judged']} of {figures['asked']} lines judged, {left_out}; 95 % intervals")
    made.caption = (
        f"rules: {figures['protocol']}, which publish the word error rate {_AVERAGES[figures['average']]}\n"
        f"{report.judged_by(figures['judges'])}\n"
        f"published figures are heard by {figures['published']['recogniser']} and compare voices by "
        f"{figures['published']['encoder']}; those of other judges cannot be set beside them"
    )
    made.add_column("")
    for title in ("speech made", "recordings"):
        made.add_column(title, justify="right")
    sources = [figures["output"], figures["recording"]]

    def add(title: str, values: list[dict[str, float] | None], show: Callable[[Any], str], kind: type) -> None:
        made.add_row(title, *("" if value is None else show(kind(**value)) for value in values))

    def of(name: str) -> list[dict[str, float] | None]:
        return [None if source is None else source[name] for source in sources]

    add("word error rate, mean of utterances", of("mean_of_utterances"), report.percent, Figure)
    add("word error rate, over all words", of("over_all_words"), report.percent, Figure)
    add("cosine to the prompt", of("to_prompt"), report.cosine, Figure)
    for score in dict.fromkeys(score for source in sources if source is not None for score in source["naturalness"]):
        scored = [None if source is None else source["naturalness"].get(score) for source in sources]
        add(report.heading(score), scored, report.opinion, Figure)
    add(report.SILENCE, of("leading_silence"), report.pause, Silence)
    made.add_row("real-time factor", f"{figures['real_time_factor']:.3f}", "")
    return made


_AVERAGES = {"mean of utterances": "as the mean of utterances", "over all words": "over all words"}


def _read(path: Path, about: dict[str, Any]) -> list[Utterance]:
    """Return what was spoken before; a last line that was cut off is spoken again. Raises ValueError."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()[: None if text.endswith("\n") else -1]
    if not lines:
        return []
    try:
        before, *rows = [json.loads(line) for line in lines]
        utterances = [Utterance(**{**row, **_judgements(row)}) for row in rows]
        different = [name for name in about if before.get(name) != about[name]]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is none that tts-fm evaluate has written; choose another folder with --out") from None
    if different:
        raise ValueError(
            f"{path} was made with other {', '.join(different)}; remove it, or choose another folder with --out"
        )
    return utterances


def _row(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _judgements(row: dict[str, Any]) -> dict[str, Judgement | None]:
    return {name: None if row[name] is None else Judgement(**row[name]) for name in ("output", "recording")}
