"""From a corpus to what training reads: a manifest, a vocabulary, Lhotse's cuts, and an account of what was left out."""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tts_fm import atomic
from tts_fm.data import cuts, histogram
from tts_fm.data.check import kind_of
from tts_fm.data.corpora import CorpusReader, Entry, Split
from tts_fm.data.holdout import held_out
from tts_fm.data.ledger import Facts, Ledger, OnStep
from tts_fm.errors import InputError
from tts_fm.frontends.vocab import Vocab
from tts_fm.text import clean
from tts_fm.types import Fault

MANIFEST, VOCAB, CUTS, SHAR, SUMMARY, LEFT_OUT, PICTURE = (
    "manifest.jsonl", "vocab.txt", "cuts.jsonl.gz", "shar", "summary.json", "left_out.jsonl", "durations.png",
)  # fmt: skip
"""What is in the folder of a prepared corpus."""


@dataclass(frozen=True)
class Wishes:
    """How a corpus is to be prepared.

    Attributes:
        min_seconds: shorter recordings are left out.
        max_seconds: longer ones too.
        heldout: see :func:`tts_fm.data.holdout.held_out`.
        seed: of the choice of held-out speakers.
        is_aligned: whether every utterance gets the frames of its phonemes.
        has_shar: whether Shar archives are written.
        vocab: a vocabulary whose lines come first.
        workers: processes; None as many as are worth starting.
        ray: the address of a Ray cluster to work in place of them.
    """

    min_seconds: float = 0.4
    max_seconds: float = 30.0
    heldout: float | None = None
    seed: int = 0
    is_aligned: bool = False
    has_shar: bool = False
    vocab: Path | None = None
    workers: int | None = 1
    ray: str | None = None


@dataclass(frozen=True)
class Prepared:
    """One utterance of the prepared corpus."""

    entry: Entry
    facts: Facts
    split: Split

    def line(self, out: Path) -> dict[str, Any]:
        """Return its line in the manifest in ``out``."""
        line = {
            "id": self.entry.id,
            "audio": Path(os.path.relpath(self.entry.audio, out)).as_posix(),
            "text": self.entry.text,
            "seconds": self.facts.seconds,
            "split": self.split,
            "speaker": self.entry.speaker,
        }
        return line if self.facts.token_frames is None else {**line, "token_frames": self.facts.token_frames}


@dataclass(frozen=True)
class Part:
    """How much there is of one split."""

    hours: float
    speakers: int
    utterances: int
    characters: int
    median_seconds: float


@dataclass(frozen=True)
class Summary:
    """What became of a corpus; ``left_out`` counts by reason, ``read`` are the files that this run had to read."""

    parts: dict[str, Part]
    left_out: dict[str, int]
    vocabulary: int
    read: int = field(compare=False)


def prepare(reader: CorpusReader, out: Path, wishes: Wishes, on_step: OnStep = None) -> Summary:
    """Prepare what ``reader`` lists in the folder ``out``; an earlier run there goes on.

    Raises:
        ValueError: no such corpus or subset, or a wish that it cannot fulfil.
        InputError: nothing in the corpus can be used.
    """
    cuts.require_lhotse()
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    entries, faults = _listed(reader)
    ledger = Ledger(out / "progress.jsonl")
    read = ledger.complete(entries, wishes.is_aligned, wishes.workers, on_step, wishes.ray)
    whole: list[Entry] = []
    for entry in entries:
        reason = _reason(ledger.facts[entry.id], wishes)
        if reason is None:
            whole.append(entry)
        else:
            faults.append(Fault(entry.id, str(entry.audio), reason))
    _write_lines(out / LEFT_OUT, map(asdict, faults))
    left_out = Counter(kind_of(fault.reason) for fault in faults)
    if not whole:
        reasons = ", ".join(f"{count} {kind}" for kind, count in left_out.most_common())
        raise InputError(f"{reader.corpus} holds no utterance that can be used ({reasons}); see {out / LEFT_OUT}")
    hidden = held_out(whole, wishes.heldout, wishes.seed)
    prepared = [_prepared(entry, ledger.facts[entry.id], entry.id in hidden, wishes) for entry in whole]
    size = _write_vocab(out / VOCAB, {character for entry in whole for character in entry.text}, wishes.vocab)
    summary = Summary(_parts(prepared), dict(left_out.most_common()), size, read)
    _write(prepared, summary, out, reader.corpus.resolve().name, wishes.has_shar)
    return summary


def _listed(reader: CorpusReader) -> tuple[list[Entry], list[Fault]]:
    """Return the recordings that are worth reading, with clean texts, and what is wrong with the others."""
    entries: list[Entry] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for listed in reader.read():
        if isinstance(listed, Fault):
            faults.append(listed)
            continue
        entry = replace(listed, audio=listed.audio.absolute(), text=clean.clean(listed.text))
        reason = _unusable(entry, seen)
        if reason is None:
            seen.add(entry.id)
            entries.append(entry)
        else:
            faults.append(Fault(entry.id, str(entry.audio), reason))
    return entries, faults


def _unusable(entry: Entry, seen: set[str]) -> str | None:
    """Return what is wrong with an entry before its recording is read."""
    if not entry.audio.is_file():
        return "no recording: there is no such file"
    if entry.id in seen:
        return "same id: an earlier recording has it"
    try:
        clean.check(entry.text)
    except InputError as error:
        return f"no text: {error}"
    return None


def _reason(facts: Facts, wishes: Wishes) -> str | None:
    """Return why an utterance is left out; None if it is not."""
    if facts.fault:
        return facts.fault
    if facts.seconds < wishes.min_seconds:
        return f"too short: {facts.seconds:.2f} s, at least {wishes.min_seconds:g} s are wanted"
    if facts.seconds > wishes.max_seconds:
        return f"too long: {facts.seconds:.2f} s, at most {wishes.max_seconds:g} s are wanted"
    return facts.doubt or (facts.alignment_fault if wishes.is_aligned else "") or None


def _prepared(entry: Entry, facts: Facts, is_held_out: bool, wishes: Wishes) -> Prepared:
    kept = facts if wishes.is_aligned else replace(facts, token_frames=None)
    return Prepared(entry, kept, "heldout" if is_held_out else "train")


def _write(prepared: Sequence[Prepared], summary: Summary, out: Path, name: str, has_shar: bool) -> None:
    """Write the files; those that only depend on the manifest are left as they are where it did not change.

    The manifest comes last: where it is, the others are whole.
    """
    lines = "".join(_json(one.line(out)) for one in prepared)
    manifest = out / MANIFEST
    is_changed = not manifest.is_file() or manifest.read_text(encoding="utf-8") != lines
    if is_changed or not (out / CUTS).is_file() or (has_shar and not (out / SHAR).is_dir()):
        cuts.write(cuts.of(one.entry for one in prepared), out / CUTS)
        if has_shar:
            cuts.write_shar(out / CUTS, out / SHAR)
    if is_changed or not (out / PICTURE).is_file():
        seconds = {split: [one.facts.seconds for one in prepared if one.split == split] for split in summary.parts}
        histogram.draw(seconds, out / PICTURE, name)
    figures = {key: value for key, value in asdict(summary).items() if key != "read"}
    _write_text(out / SUMMARY, json.dumps({"corpus": name, **figures}, indent=2, ensure_ascii=False) + "\n")
    _write_text(manifest, lines)


def _parts(prepared: Sequence[Prepared]) -> dict[str, Part]:
    groups = {split: [one for one in prepared if one.split == split] for split in ("train", "heldout")}
    return {
        split: Part(
            hours=round(sum(one.facts.seconds for one in group) / 3600, 4),
            speakers=len({one.entry.speaker for one in group}),
            utterances=len(group),
            characters=sum(len(one.entry.text) for one in group),
            median_seconds=round(statistics.median(one.facts.seconds for one in group), 3),
        )
        for split, group in groups.items()
        if group
    }


def _write_vocab(path: Path, characters: set[str], old: Path | None) -> int:
    """Write the vocabulary: the old lines as they were, then the new characters; return how many lines it has."""
    if old is None:
        lines = [" ", *sorted(characters - {" "})]
    else:
        known = Vocab(Vocab.Options(), old)
        lines = old.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        lines += known.unknown(sorted(characters))
    _write_text(path, "\n".join(lines) + "\n")
    return len(lines)


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    _write_text(path, "".join(map(_json, lines)))


def _write_text(path: Path, text: str) -> None:
    with atomic.replacing(path) as beside:
        beside.write_bytes(text.encode("utf-8"))


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
