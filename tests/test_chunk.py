"""Pieces of long text: nothing is lost, every piece fits, cuts lie where a reader would breathe; F5's own rule exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_fm.text.chunk import chunk, f5_chunks, sentences

GOLDEN = json.loads((Path(__file__).parent / "data" / "goldens" / "golden.json").read_text(encoding="utf-8"))["text"][
    "chunk"
]
TEXT = st.text(alphabet=st.sampled_from("abcdeABI  .,;:!?\"'—-…。，对\u0301\n()"), max_size=300) | st.text(max_size=80)


@given(TEXT, st.integers(1, 80))
@settings(max_examples=400, deadline=None)
def test_nothing_is_lost_and_everything_fits(text, max_chars):
    pieces = chunk(text, max_chars)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= max_chars for piece in pieces)
    assert all(piece == " ".join(piece.split()) for piece in pieces)


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=12), min_size=1, max_size=60), st.integers(12, 60))
@settings(max_examples=200, deadline=None)
def test_words_stay_whole(words, max_chars):
    assert " ".join(chunk(" ".join(words), max_chars)).split() == words


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["max_chars"]))
def test_f5_chunks_are_those_of_the_original(case):
    assert f5_chunks(case["text"], case["max_chars"]) == case["chunks"]


def test_f5_chunks_count_bytes_and_never_split_a_word():
    assert f5_chunks("对，对。", 6) == ["对，", "对。"]
    assert f5_chunks("a" * 50, 10) == ["a" * 50]
    assert f5_chunks("  ", 10) == []


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met Mr. Jones.|He left.",
        "He lives in the U.S.|The house is old.",
        "The U.S. Army came.|It was late.",
        "See No. 5, e.g. this one.|No.|I said so.",
        "J. R. R. Tolkien and John F. Kennedy met.|They talked.",
        '"Stop!" he said.|"Why?"|She left.',
        "It was late… and dark.|Then… silence.",
        "It cost 3.5 million.|What?!|Yes.",
        "人生若只如初见，何事。|等闲变却！|「好。」|他说",
        "At 3 p.m. he came.|At 4 p.m.|She left.",
        "It was I.|He knew.",
    ],
)
def test_sentences(text):
    parts = text.split("|")
    joined = "".join(part if not part[-1].isascii() and part[-1] != "…" else part + " " for part in parts)
    assert sentences(joined) == parts


def test_cuts_are_at_sentences_then_clauses_then_words_then_anywhere():
    assert chunk("One two three. Four five six.", 16) == ["One two three.", "Four five six."]
    assert chunk("One two three, four five six.", 16) == ["One two three,", "four five six."]
    assert chunk("One two three four five six.", 16) == ["One two three", "four five six."]
    assert chunk("abcdefghij" * 2, 10) == ["abcdefghij"] * 2
    assert chunk("", 10) == []
    with pytest.raises(ValueError, match="max_chars is 0"):
        chunk("a", 0)


def test_pieces_are_even_and_never_tiny():
    text = "The quick brown fox jumps over the lazy dog, and then it sleeps until noon. Yes. " * 20
    pieces = chunk(text, 135)
    assert all(piece[-1] == "." for piece in pieces)
    assert min(map(len, pieces)) > 20
    assert max(map(len, chunk("word " * 28, 135))) - min(map(len, chunk("word " * 28, 135))) <= 5
    alone = f"{'a ' * 60}b. No. {'c ' * 60}d."
    assert min(map(len, chunk(alone, 125))) > 20


@pytest.mark.slow
def test_time_is_linear():
    """200,000 characters of anything in less than two seconds; in a process of its own, where types are not checked."""
    units = ["The quick fox, it sleeps. ", "word ", "a", ". ", ".", "对", "A. ", ", "]
    code = (
        "import json, sys, time\nfrom tts_fm.text.chunk import chunk\nresult = []\n"
        "for unit in json.load(sys.stdin):\n"
        "    text, begin = (unit * 200_000)[:200_000], time.process_time()\n"
        "    n_pieces = len(chunk(text, 135))\n    result.append((time.process_time() - begin, n_pieces))\n"
        "print(json.dumps(result))"
    )
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=json.dumps(units), capture_output=True, text=True, check=True, cwd=root)
    for unit, (seconds, n_pieces) in zip(units, json.loads(done.stdout), strict=True):
        assert seconds < 2, unit
        assert n_pieces > 1000, unit
