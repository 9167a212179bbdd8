"""What is evaluated: a recording to speak like, a text to say, and how the same speaker says it."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["real", "synthetic"]
BUNDLED = Path(__file__).with_name("bundled") / "pairs.jsonl"
"""Pairs of speakers who were not used to train the bundled model; see the README beside them."""
PROMPT_SECONDS, TARGET_SECONDS = (3.0, 8.0), (2.0, 8.0)
_LEAST_WORDS = 4


@dataclass(frozen=True)
class Pair:
    """A prompt, and another recording of the same speaker whose text is to be said."""

    id: str
    kind: Kind
    speaker: str
    prompt_audio: Path
    prompt_text: str
    target_text: str
    target_audio: Path


def read(path: Path) -> list[Pair]:
    """Return the pairs in a file of JSON lines; its audio paths are relative to it.

    Raises:
        ValueError: the file is missing or empty, or a line is no pair.
    """
    pairs = []
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        names = [field.name for field in fields(Pair)]
        if wrong := set(names) ^ row.keys():
            named = ", ".join(sorted(wrong))
            raise ValueError(f"{where} has wrong or missing fields: {named}; a pair is {', '.join(names)}")
        if wrong := [name for name in names if not isinstance(row[name], str) or not row[name].strip()]:
            raise ValueError(f"{where}: {wrong[0]} is {row[wrong[0]]!r}; it must be text")
        if row["kind"] not in get_args(Kind):
            raise ValueError(f"{where}: kind is {row['kind']!r}; choose one of {', '.join(get_args(Kind))}")
        audio = {name: path.parent / row[name] for name in ("prompt_audio", "target_audio")}
        pairs.append(Pair(**{**row, **audio}))
    if not pairs:
        raise ValueError(f"{path} holds no pairs; give one JSON object a line")
    if len({pair.id for pair in pairs}) < len(pairs):
        raise ValueError(f"{path} has two pairs of one id; give each its own")
    return pairs


def write(pairs: Iterable[Pair], path: Path) -> None:
    """Write ``pairs`` so that :func:`read` returns them; audio must lie in the folder of ``path``, or below."""
    lines = []
    for pair in pairs:
        row = asdict(pair)
        for name in ("prompt_audio", "target_audio"):
            row[name] = row[name].relative_to(path.parent).as_posix()
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def from_corpus(folder: Path, per_kind: int = 40, seed: int = 0) -> list[Pair]:
    """Choose pairs from the held-out utterances of ``manifest.jsonl`` (real speakers), or of
    ``manifest-real.jsonl`` and ``manifest-synthetic.jsonl``.

    Every target is another one, and speakers take turns, so that all are heard.

    Raises:
        ValueError: no such manifests, or no speaker with two utterances of fitting lengths.
    """
    chosen: list[Pair] = []
    manifests: dict[str, Kind] = {"manifest.jsonl": "real"}
    manifests |= {f"manifest-{kind}.jsonl": kind for kind in get_args(Kind)}
    for name, kind in manifests.items():
        manifest = folder / name
        if manifest.is_file():
            held_out = [row for _, row in _rows(manifest) if row.get("split") == "heldout"]
            chosen += choose(held_out, kind, folder, per_kind, seed)
    if not chosen:
        raise ValueError(
            f"{folder} has no held-out speakers with two recordings in {', '.join(manifests)}; "
            f"give --corpus the folder that tts-fm prepare or python -m scripts.corpus made"
        )
    return chosen


def choose(rows: Sequence[dict[str, Any]], kind: Kind, folder: Path, n: int, seed: int = 0) -> list[Pair]:
    """Choose ``n`` pairs, or as many as there are, from rows of ``id, audio, text, speaker, seconds``."""
    by_speaker: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["id"]):
        by_speaker[row["speaker"]].append(row)
    rng = random.Random(f"{seed} {kind}")
    turns = list(by_speaker.values())
    rng.shuffle(turns)
    rounds = zip_longest(*(_of_one_speaker(utterances, rng) for utterances in turns))
    picked = [match for one_round in rounds for match in one_round if match is not None][:n]
    return [
        Pair(
            id=f"{kind}-{i:02d}",
            kind=kind,
            speaker=target["speaker"],
            prompt_audio=folder / prompt["audio"],
            prompt_text=prompt["text"],
            target_text=target["text"],
            target_audio=folder / target["audio"],
        )
        for i, (prompt, target) in enumerate(picked, 1)
    ]


def _of_one_speaker(rows: list[dict[str, Any]], rng: random.Random) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (prompt, target) for each utterance that can be a target, in random order; prompts take turns."""
    prompts = [row for row in rows if PROMPT_SECONDS[0] <= row["seconds"] <= PROMPT_SECONDS[1]]
    targets = [row for row in rows if TARGET_SECONDS[0] <= row["seconds"] <= TARGET_SECONDS[1]]
    targets = [row for row in targets if len(row["text"].split()) >= _LEAST_WORDS]
    rng.shuffle(targets)
    rng.shuffle(prompts)
    matches = []
    for target in targets:
        other = next((row for row in prompts if row["text"] != target["text"]), None)
        if other is not None:
            prompts.remove(other)
            prompts.append(other)
            matches.append((other, target))
    return matches


def strangers(pairs: Sequence[Pair], seed: int = 0) -> list[Pair | None]:
    """Return for each pair one of another speaker of the same kind, whose prompt is the wrong voice; None if alone."""
    prompts: list[Pair | None] = []
    for pair in pairs:
        others = [other for other in pairs if other.kind == pair.kind and other.speaker != pair.speaker]
        prompts.append(random.Random(f"{seed} {pair.id}").choice(others) if others else None)
    return prompts


def thin_out(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """Return at most ``limit`` of ``pairs``, the kinds in turn, so that a short run hears something of each."""
    if limit is None or limit >= len(pairs):
        return list(pairs)
    kinds = [[pair for pair in pairs if pair.kind == kind] for kind in get_args(Kind)]
    in_turn = [pair for one_each in zip_longest(*kinds) for pair in one_each if pair is not None]
    kept = {pair.id for pair in in_turn[:limit]}
    return [pair for pair in pairs if pair.id in kept]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the value of each line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is no JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number} holds a {type(row).__name__}; a JSON object is needed")
        yield number, row
