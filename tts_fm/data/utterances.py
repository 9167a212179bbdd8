"""Utterances as a manifest lists them: how often each is heard, and which one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest.

    Attributes:
        token_frames: frames of each token on the aligner's grid (see :func:`tts_fm.alignment.phones.on_grid`); None where
            the corpus has no alignment.
        times: how often an epoch holds it, on average.
        prompt: another utterance of the same voice that is heard before it, as the prompt.
    """

    id: str
    audio: Path
    text: str
    seconds: float
    speaker: str = ""
    token_frames: tuple[int, ...] | None = None
    times: float = 1.0
    prompt: Utterance | None = None


def with_prompts(utterances: Sequence[Utterance], share: float, max_seconds: float, turns: int = 1) -> list[Utterance]:
    """Return ``utterances``, and ``turns`` times more, at most, those that others of their voice can be the prompt of.

    The latter are a ``share`` of what is heard of an utterance. Which prompts take turns follows from the ids.
    """
    voices: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if utterance.speaker and utterance.token_frames is not None:
            voices.setdefault(utterance.speaker, []).append(utterance)
    prompted: list[Utterance] = []
    for utterance in utterances:
        fitting = [
            other
            for other in voices.get(utterance.speaker, ())
            if other.id != utterance.id and other.seconds + utterance.seconds <= max_seconds
        ]
        if not fitting or share == 0:
            prompted.append(utterance)
            continue
        fitting.sort(key=lambda other: hashlib.sha256(f"{utterance.id}/{other.id}".encode()).digest())
        chosen = fitting[:turns]
        prompted.append(replace(utterance, times=utterance.times * (1 - share)))
        each = utterance.times * share / len(chosen)
        prompted += [replace(utterance, id=f"{p.id}+{utterance.id}", times=each, prompt=p) for p in chosen]
    return prompted


def balanced(utterances: Sequence[Utterance], balance: float) -> list[Utterance]:
    """Return ``utterances`` with ``times`` that even their voices out; all of them last as long as before.

    With a ``balance`` of 1 every voice is heard for the same time, with 0 for as long as its recordings last.
    """
    voices: dict[str, float] = {}
    for utterance in utterances:
        voices[utterance.speaker] = voices.get(utterance.speaker, 0.0) + utterance.seconds
    weights = {voice: seconds**-balance for voice, seconds in voices.items() if seconds > 0}
    heard = sum(weights[voice] * voices[voice] for voice in weights)
    scale = sum(voices.values()) / max(heard, 1e-9)
    return [replace(u, times=u.times * scale * weights.get(u.speaker, 1.0)) for u in utterances]


def shared_out(parts: Sequence[Sequence[Utterance]], shares: Sequence[float]) -> list[Utterance]:
    """Return all utterances, each as many ``times`` as gives its part the share of the time; none given: as they are.

    An epoch lasts as long as with each of them once.
    """
    seconds = [sum(utterance.seconds for utterance in part) for part in parts]
    if not shares:
        return [utterance for part in parts for utterance in part]
    times = [share / sum(shares) * sum(seconds) / max(own, 1e-9) for share, own in zip(shares, seconds, strict=True)]
    return [replace(u, times=n * u.times) for part, n in zip(parts, times, strict=True) for u in part]


def read_manifest(path: Path, split: str | None = None) -> list[Utterance]:
    """Return the utterances of ``path``, of one ``split`` if given; audio paths are relative to the manifest.

    Raises:
        ValueError: the file is missing, or a line is no utterance.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; give a manifest of tts-fm prepare") from None
    utterances = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            frames = row.get("token_frames")
            if split is None or row.get("split", split) == split:
                utterances.append(
                    Utterance(
                        id=str(row["id"]),
                        audio=path.parent / row["audio"],
                        text=row["text"],
                        seconds=float(row["seconds"]),
                        speaker=str(row.get("speaker", "")),
                        token_frames=None if frames is None else tuple(frames),
                    )
                )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number} is no utterance (id, audio, text, seconds): {error}") from None
    return utterances
