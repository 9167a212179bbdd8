"""What ``tts-fm data check`` finds, and what it lets pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Finished, buzz

from tts_fm.audio.io import Waveform
from tts_fm.data.check import fault
from tts_fm.data.prepare import MANIFEST

Command = Callable[..., Finished]
SENTENCE = "Somebody says these words."  # 22 letters


def save(folder: Path, id: str, samples: torch.Tensor, text: str = SENTENCE, seconds: float | None = None) -> dict:
    Waveform(samples, 24_000).save(folder / f"{id}.wav")
    length = len(samples) / 24_000 if seconds is None else seconds
    return {"id": id, "audio": f"{id}.wav", "text": text, "seconds": length, "split": "train", "speaker": "a"}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Recordings with one fault each, between two good ones."""
    sound = buzz(2.0, 24_000)
    rows = [
        save(tmp_path, "good-1", sound),
        save(tmp_path, "length", sound, seconds=2.5),
        save(tmp_path, "silent", 1e-4 * sound),
        save(tmp_path, "clipped", (20 * sound).clamp(-1, 1)),
        save(tmp_path, "wordless", sound, text="- ... -"),
        save(tmp_path, "hurried", sound, text=SENTENCE * 3),
        save(tmp_path, "slow", sound.repeat(5), text="Yes."),
        save(tmp_path, "cut", sound),
        save(tmp_path, "empty", sound),
        save(tmp_path, "noise", sound),
        {**save(tmp_path, "gone", sound), "audio": "nowhere.wav"},
        save(tmp_path, "good-2", sound),
    ]
    whole = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 20)
    (tmp_path / MANIFEST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / MANIFEST


EXPECTED = {
    "length": "other length",
    "silent": "silent",
    "clipped": "clipped",
    "wordless": "no text",
    "hurried": "text and length",
    "slow": "text and length",
    "cut": "truncated",
    "empty": "empty",
    "noise": "unreadable",
    "gone": "unreadable",
}


def test_every_fault_is_found_and_nothing_else(manifest: Path, tts_fm_command: Command) -> None:
    finished = tts_fm_command("data", "check", manifest, "--json")
    assert finished.code == 1
    found = [json.loads(line) for line in finished.stdout.splitlines()]
    assert {row["id"]: row["kind"] for row in found} == EXPECTED
    assert [row["id"] for row in found] == list(EXPECTED)  # in the manifest's order
    assert found[0]["audio"] == str(manifest.parent / "length.wav")
    assert finished.line == "2 of 12 recordings are fine"


def test_people_get_a_table(manifest: Path, tts_fm_command: Command) -> None:
    finished = tts_fm_command("data", "check", manifest)
    assert finished.code == 1
    first_words = [line.split()[0] for line in finished.stdout.splitlines() if line and not line.startswith(" ")]
    assert first_words == ["id", *EXPECTED]


def test_nothing_found_is_exit_code_0(manifest: Path, tts_fm_command: Command) -> None:
    good = [line for line in manifest.read_text().splitlines() if '"good-' in line]
    manifest.write_text("\n".join(good) + "\n")
    finished = tts_fm_command("data", "check", manifest, "--json")
    assert (finished.code, finished.stdout, finished.line) == (0, "", "2 of 2 recordings are fine")


def test_a_missing_manifest_is_a_mistake_of_usage(tmp_path: Path, tts_fm_command: Command) -> None:
    finished = tts_fm_command("data", "check", tmp_path / MANIFEST)
    assert finished.code == 2 and "cannot be read" in finished.line


@pytest.mark.parametrize(
    ("text", "seconds", "is_plausible"),
    [
        ("Yes.", 1.5, True),  # a short word may have silence around it
        ("Yes.", 4.0, False),
        ("a" * 50, 2.0, True),
        ("a" * 51, 2.0, False),  # over 25 letters per second
        ("你好吗", 2.0, True),  # an ideograph counts 3 letters
        ("Yes, yes, yes, yes. " * 4, 13.0, True),  # slow, but with pauses at its commas and full stops
        ("Yes yes yes yes " * 4, 13.0, True),
        ("Yes yes yes yes " * 4, 13.1, False),
    ],
)
def test_text_and_length_must_belong_together(text: str, seconds: float, is_plausible: bool) -> None:
    waveform = Waveform(buzz(seconds, 8_000), 8_000)
    found = fault(waveform, text, waveform.seconds)
    assert (found is None) == is_plausible, found


def test_a_few_samples_at_full_scale_are_not_heard() -> None:
    samples = buzz(2.0, 24_000)
    samples[:24] = 1.0  # of 48,000
    assert fault(Waveform(samples, 24_000), SENTENCE, 2.0) is None
    samples[24:96] = -1.0
    assert fault(Waveform(samples, 24_000), SENTENCE, 2.0) == "clipped: 0.2% of its samples are at full scale"


def test_a_length_within_a_tenth_of_a_second_is_the_same() -> None:
    waveform = Waveform(buzz(2.0, 24_000), 24_000)
    assert fault(waveform, SENTENCE, 2.09) is None
    assert fault(waveform, SENTENCE, 2.11) == "other length: it lasts 2.00 s, the manifest says 2.11 s"
