"""What is not in use any more goes back to the system."""

import subprocess
import sys

import pytest

from tts_fm import memory

HOLES = """
from pathlib import Path
from tts_fm import memory

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line) / 1024

def given_back(megabytes):  # how much less the process holds when every other tenth of a megabyte of so many more is free
    blocks = [bytearray(100_000) for _ in range(10 * megabytes)]
    kept.append(blocks[::2])
    del blocks
    before = resident()
    memory.give_back()
    return before - resident()

kept = []
print(given_back(200), given_back(100), given_back(200))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the measure is of Linux, what is measured of glibc")
def test_holes_between_what_is_in_use_are_given_back() -> None:
    """Of 200 MB every other tenth of a megabyte is free; its whole pages go back, and nothing before as much has come again."""
    run = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    first, little, much = map(float, run.stdout.split())
    assert 85 < first < 105
    assert -5 < little < 5
    assert 85 < much < 105


def test_each_speech_gives_back(model_folder, monkeypatch) -> None:
    """Once for a speech, and once for each utterance of one that streams, behind its last piece."""
    from tts_fm import Synthesizer

    given: list[None] = []
    monkeypatch.setattr(memory, "give_back", lambda: given.append(None))
    synthesizer = Synthesizer.load(str(model_folder), device="cpu")
    synthesizer.synthesize("Some words.", seed=0)
    assert len(given) == 1
    pieces = synthesizer.stream("Some words.", seed=0)
    next(pieces)
    assert len(given) == 1
    list(pieces)
    assert len(given) == 2
