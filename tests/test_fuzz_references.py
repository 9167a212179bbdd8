"""Sounds, tables and names that nobody meant: a result or a typed error of one line, never anything else."""

from __future__ import annotations

import io as streams
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from conftest import TRANSCRIPT, buzz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tts_fm.audio import io, library
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt, prepare
from tts_fm.audio.source import Patient
from tts_fm.data.corpora import Entry
from tts_fm.data.corpora.csv import Table
from tts_fm.errors import InputError
from tts_fm.types import Fault

MOST_BYTES = 300_000_000
"""Of memory that one small file may take: 120 s at 192 kHz, and a copy of it."""


def run(examples: int, test: Callable[..., None], **strategies: st.SearchStrategy) -> None:
    """Try ``test`` on so many examples, the same ones each time."""
    chosen = settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    chosen(given(**strategies)(test))()


LENGTHS = pytest.mark.parametrize("examples", [40, pytest.param(3_000, marks=pytest.mark.slow)])


def sounds() -> list[bytes]:
    """Return a small file of each format."""
    made = []
    for format, subtype in (
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAVEX", "PCM_24"),
        ("FLAC", "PCM_16"),
        ("AIFF", "PCM_16"),
    ):
        file = streams.BytesIO()
        soundfile.write(file, buzz(1.2, 8_000).numpy(), 8_000, format=format, subtype=subtype)
        made.append(file.getvalue())
    return made


FILES = sounds()
PLACES = st.one_of(st.integers(0, 63), st.integers(0, 400))
CHANGES = st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=6)
NUMBERS = st.lists(
    st.tuples(
        PLACES, st.sampled_from([0, 1, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1]), st.sampled_from(["<u4", ">u4"])
    ),
    max_size=2,
)


def test_a_place_before_the_beginning_is_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        for patient in (Patient(file), Patient(streams.BytesIO(b"abc"))):
            assert (patient.seek(2), patient.read(1), patient.seek(-1), patient.tell()) == (2, b"c", 0, 0)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@LENGTHS
def test_mutated_headers_give_sound_or_one_line(examples: int) -> None:
    def test(which: int, changes: list, numbers: list, kept: float) -> None:
        data = bytearray(FILES[which])
        for place, value in changes:
            data[place] = value
        for place, value, form in numbers:
            data[place : place + 4] = np.array(value, form).tobytes()
        data = data[: max(12, round(kept * len(data)))]
        try:
            sound = io.read(streams.BytesIO(bytes(data)))
            prepared = prepare(Prompt(sound, TRANSCRIPT), 24_000, 12.0)
        except InputError as error:
            assert "\n" not in str(error)
            return
        assert prepared.waveform.samples.isfinite().all() and 0 < prepared.waveform.seconds <= 12

    tracemalloc.start()
    try:
        kept = st.one_of(st.just(1.0), st.floats(0, 1))
        run(examples, test, which=st.integers(0, len(FILES) - 1), changes=CHANGES, numbers=NUMBERS, kept=kept)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


CELLS = st.one_of(
    st.sampled_from(
        ["a.wav", "b.flac", "male1", "I really liked it.", "", "audio", "text", "../../etc/passwd", '"', "0.5"]
    ),
    st.text(max_size=12),
)
TABLES = st.lists(st.lists(CELLS, max_size=5), max_size=6)


@LENGTHS
def test_tables_give_entries_or_one_line(examples: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mine.csv"

        def test(rows: list[list[str]], mark: str, tail: bytes) -> None:
            text = "\n".join(mark.join(row) for row in rows)
            path.write_bytes(text.encode("utf-8", "surrogatepass") + tail)
            try:
                found = list(Table(path, (), Path(folder)).read())
            except ValueError as error:
                assert "\n" not in str(error)
                return
            assert all(isinstance(one, Entry | Fault) for one in found)

        marks, tails = st.sampled_from(["|", "\t", ",", ", "]), st.sampled_from([b"", b"\n", b"\xff", b"\0", b"\r"])
        run(examples, test, rows=TABLES, mark=marks, tail=tails)


NAMES = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="abz09._-/\\ \0\n", max_size=80),
    st.sampled_from(
        ["..", ".", "/etc/passwd", "a/../../b", "default", "con", "a.flac", "~", "-", "", "a" * 65, "é", "А"]
    ),
)


@LENGTHS
def test_names_of_voices_stay_in_their_folder(examples: int) -> None:
    with TemporaryDirectory() as folder:
        voices = VoiceLibrary(Path(folder) / "voices")

        def test(name: str) -> None:
            try:
                path = voices.path(name)
            except ValueError as error:
                assert "\n" not in str(error)
                return
            assert path.parent == voices.folder and path.name == f"{name}.flac" and name != library.BUNDLED
            with pytest.raises(ValueError, match="there is no voice"):
                voices.load(name)

        run(examples, test, name=NAMES)
        assert not list(Path(folder).iterdir())
