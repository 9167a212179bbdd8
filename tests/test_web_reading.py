"""How the static page reads a text: the commonest rules once more, in JavaScript, beside the table of Python's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tts_fm import duration

WEB = Path(__file__).parents[1] / "demo" / "web"
TABLE = [
    line.split("\t")
    for line in (Path(__file__).parent / "data" / "normalize.tsv").read_text(encoding="utf-8").splitlines()
]
READ = """
const { read } = await import(process.argv[1]);
let given = "";
for await (const part of process.stdin) given += part;
console.log(JSON.stringify(JSON.parse(given).map(read)));
"""
PAUSED = """
const { withPauses } = await import(process.argv[1]);
let given = "";
for await (const part of process.stdin) given += part;
const { frames, tokens, rate, pauses } = JSON.parse(given);
console.log(JSON.stringify(withPauses(frames, tokens, rate, pauses)));
"""


def read(texts: list[str]) -> list[str]:
    """Return how the page reads ``texts``."""
    return ran(READ, "reading.js", texts)


def ran(code: str, module: str, given: Any) -> Any:
    """Return what ``code`` makes of ``given`` with a module of the page."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--input-type=module", "-e", code, (WEB / module).as_uri()]
    return json.loads(
        subprocess.run(command, input=json.dumps(given), text=True, stdout=subprocess.PIPE, check=True).stdout
    )


def test_most_of_the_table_is_read_as_python_reads_it() -> None:
    said = read([written for written, _ in TABLE])
    alike = [spoken for spoken, (_, expected) in zip(said, TABLE, strict=True) if spoken == expected]
    assert len(alike) >= 86 and len(TABLE) == 118


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        (
            "It was 7:05 p.m. when 1,250 people left.",
            "It was seven oh five PM when one thousand two hundred fifty people left.",
        ),
        (
            "Dr. Lee paid $3.50 on May 5, 1999.",
            "Doctor Lee paid three dollars and fifty cents on May fifth, nineteen ninety-nine.",
        ),
        ("The boats lay there, and it was cold.", "The boats lay there, and it was cold."),
        ("", ""),
    ],
)
def test_what_is_common_is_read_in_words(written: str, spoken: str) -> None:
    assert read([written, spoken]) == [spoken, spoken]


def test_a_long_text_is_read_in_linear_time_and_nothing_is_lost() -> None:
    words = "and so on, they went 3 miles. " * 2000
    assert read([words]) == [words.replace("3", "three")]


@pytest.mark.parametrize("pauses", [dict(duration.MARK_PAUSES), {"!": (0.52, 0.53), ".,": (0.0, 0.02)}])
@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_marks_are_as_long_as_pythons(pauses: dict[str, tuple[float, float]], speed: float) -> None:
    tokens = list("^a,b. c!?d;e…(f)—g.$")
    frames = [1, 4, 0, 90, 3, 0, 2, 99, 1, 5, 60, 5, 0, 3, 7, 2, 4, 8, 2, 9]
    expected = duration.with_pauses(frames, tokens, 101.0, speed, pauses)
    assert expected != frames
    given = {"frames": frames, "tokens": tokens, "rate": 101.0 / speed, "pauses": pauses}
    assert ran(PAUSED, "speaker.js", given) == expected
