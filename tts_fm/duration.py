"""How many frames a text needs in a given voice."""

from __future__ import annotations

import math
import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence

from tts_fm.errors import InputError

SLOWEST, FASTEST = 4.0, 25.0  # plausible letters per second of speech; readers of audiobooks make 11 to 20
_EDGES = 0.1  # seconds of silence around what is said
_CLAUSE, _SENTENCE = 0.4, 0.5  # seconds of pause after , and . inside a text
MARK_PAUSES: Mapping[str, tuple[float, float]] = {",;:—": (0.1, 0.35), ".!?…": (0.35, 0.45)}
"""Seconds, least and most, that a mark inside a text is told to last."""
_F5_MAX_FRAMES = 65_536


def count_units(text: str) -> int:
    """Return how much there is to say, in English letters: an ideograph counts 3, a syllable sign 2, a digit 4."""
    return sum(_weight(character) for character in text)


def pause_seconds(text: str) -> float:
    """Return how long a reader pauses inside ``text``: 0.4 s after a clause, 0.5 s after a sentence, 0 at its end."""
    inside = text.strip()
    clauses = len(re.findall(r"[,;:—](?=\s)|[，、；：](?=.)", inside))
    sentences = len(re.findall(r"[.!?…][\"')\]”’]*(?=\s)|[。！？](?=.)", inside))
    return _CLAUSE * clauses + _SENTENCE * sentences


def speech_rate(
    transcript: str, prompt_speech_seconds: float, text: str, *, speed: float = 1.0, floor_seconds: float = 0.5
) -> float:
    """Return the seconds that ``text`` takes at the rate of the speech in the prompt, with pauses at its own commas.

    ``speed = 2`` halves them. Warns where the rate is implausible, and then takes the nearest plausible one.

    Raises:
        InputError: the transcript says nothing.
    """
    _check_speed(speed)
    spoken = count_units(transcript)
    if spoken == 0:
        raise InputError(f"the transcript {transcript[:40]!r} has no word in it; give the words of the reference")
    rate = spoken / max(prompt_speech_seconds, 1e-3)
    plausible = min(max(rate, SLOWEST), FASTEST)
    if plausible != rate:
        warnings.warn(
            f"the prompt says {rate:.1f} letters per second of speech, taken as {plausible:g}; "
            f"check that its transcript holds exactly the words in the recording",
            stacklevel=2,
        )
    return max(floor_seconds, (count_units(text) / plausible + pause_seconds(text) + _EDGES) / speed)


def to_frames(seconds: float, frame_rate: float) -> int:
    """Return the number of frames, at least 1.

    Raises:
        ValueError: ``seconds`` is not a positive number.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"a duration of {seconds!r} s cannot be spoken; give a positive number of seconds")
    return max(1, round(seconds * frame_rate))


def f5_transcript(text: str) -> str:
    """Return the transcript as F5-TTS writes it in front of the text to speak: ending ``". "`` and one more space."""
    if not text.endswith((". ", "。")):
        text += " " if text.endswith(".") else ". "
    return text + " " if len(text[-1].encode()) == 1 else text


def f5_bytes(prompt_frames: int, transcript: str, text: str, *, speed: float = 1.0, n_tokens: int = 0) -> int:
    """Return F5-TTS's length of prompt and speech together: ``R + int(R / bytes(transcript) * bytes(text) / speed)``.

    ``R = prompt_frames`` is samples // hop length, ``transcript`` comes from :func:`f5_transcript`. A text under 10
    bytes is spoken at speed 0.3. At least one frame more than the prompt's, and than ``n_tokens``; at most 65,536.
    """
    _check_speed(speed)
    said, to_say = len(transcript.encode()), len(text.encode())
    if said == 0:
        raise InputError("the transcript is empty; give the words of the reference recording")
    total = prompt_frames + int(prompt_frames / said * to_say / (0.3 if to_say < 10 else speed))
    return min(max(total, max(n_tokens, prompt_frames) + 1), _F5_MAX_FRAMES)


def predicted(
    prompt_tokens: Sequence[float],
    target_tokens: Sequence[float],
    *,
    prompt_frames: int,
    prompt_speech_frames: float,
    target_frames: int | None = None,
    speed: float = 1.0,
    floor_frames: int = 1,
) -> list[int]:
    """Return the frames of every token of prompt and target.

    Args:
        prompt_tokens: the frames that a backbone predicts for each token of the transcript.
        target_tokens: the same for the text to speak.
        prompt_frames: frames of the prompt; its tokens will sum to this.
        prompt_speech_frames: what of them is measured against ``sum(prompt_tokens)``; the ratio, between 0.5 and 2,
            stretches the target to the prompt's rate.
        target_frames: the target's length where it is fixed; then neither rate nor ``speed`` matters.
        speed: divides the target's length.
        floor_frames: the least that any text gets.
    """
    if target_frames is None:
        ratio = pace(prompt_tokens, prompt_speech_frames)
        target = at_pace(target_tokens, ratio, speed=speed, floor_frames=floor_frames)
    else:
        target = apportion(target_tokens, target_frames)
    return apportion(prompt_tokens, prompt_frames) + target


def pace(prompt_tokens: Sequence[float], prompt_speech_frames: float) -> float:
    """Return how many times as long as the average voice a prompt takes for its own tokens, between 0.5 and 2."""
    expected = sum(prompt_tokens)
    return min(max(prompt_speech_frames / expected, 0.5), 2.0) if expected > 0 else 1.0


def at_pace(tokens: Sequence[float], pace: float, *, speed: float = 1.0, floor_frames: int = 1) -> list[int]:
    """Return the frames of every token where a voice takes ``pace`` times the average, at least ``floor_frames`` in all."""
    _check_speed(speed)
    return apportion(tokens, max(floor_frames, round(sum(tokens) * pace / speed)))


def with_pauses(
    frames: Sequence[int],
    tokens: Sequence[str],
    frame_rate: float,
    speed: float = 1.0,
    pauses: Mapping[str, tuple[float, float]] = MARK_PAUSES,
) -> list[int]:
    """Return ``frames`` with a pause where a sentence ends inside the text, and a shorter one at a clause, as ``pauses`` say.

    A predicted duration of a mark may be next to nothing; the last marks of a text are followed by nothing and stay.
    """
    paused = list(frames)
    last = max((i for i, token in enumerate(tokens) if token.isalpha()), default=0)
    for i, token in enumerate(tokens[:last]):
        bounds = next((seconds for marks, seconds in pauses.items() if token in marks), None)
        is_first = i == 0 or not any(tokens[i - 1] in marks for marks in pauses)
        if bounds is not None and is_first:
            least, most = (round(seconds / speed * frame_rate) for seconds in bounds)
            paused[i] = min(max(paused[i], least), most)
    return paused


def apportion(weights: Sequence[float], total: int) -> list[int]:
    """Return integers in proportion to ``weights`` that sum to ``total``: the largest remainders are rounded up.

    Negative weights count as 0; if all are 0, everyone gets the same.
    """
    assert len(weights) > 0 and total >= 0
    clipped = [max(float(weight), 0.0) for weight in weights]
    whole = sum(clipped)
    if whole == 0:
        clipped, whole = [1.0] * len(clipped), float(len(clipped))
    shares = [weight / whole * total for weight in clipped]
    counts = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def _weight(character: str) -> int:
    if character.isdecimal():
        return 4
    if not character.isalpha():
        return 0
    if "\u3040" <= character <= "\u30ff" or "\uac00" <= character <= "\ud7a3":  # kana, hangul
        return 2
    return 3 if unicodedata.east_asian_width(character) == "W" else 1


def _check_speed(speed: float) -> None:
    if not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"speed is {speed!r}; it must be a positive number, 1 is the prompt's own")
