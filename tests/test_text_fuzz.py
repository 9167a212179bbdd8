"""Any text at all: read, cut and turned into tokens, or refused in one line; story tags and casts in TOML likewise."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_fm import story
from tts_fm.errors import InputError
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.interop import f5_options
from tts_fm.text.chunk import chunk
from tts_fm.text.clean import check
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import normalize, read, written_words

_SHORT, _LONG = 60, 4000
_FRONTEND = Phonemes(Phonemes.Options())
_FRAGMENTS = st.sampled_from(
    "2.6. | 8.0. |日本|٣k|①②③|$5|€1.234,56|₹1,50,000|10-2=8|5' 10\"|x²|10⁻³|~/a|C:\\b|**b**|# h\n|[a](b)|No. 5|May 5|9.30am|"
    "Привет|Nguyễn|\u0301|\u200b|\ud800|\ue000|😀|20℃|1/2\"|A/C|I'M|US|...|?!|(|\"|'|\n\n|\t| |,|.|-|a|Z|0|½|°".split(
        "|"
    )
)
_TEXTS = st.one_of(st.text(max_size=120), st.lists(_FRAGMENTS, max_size=14).map("".join))


def _reads(text: str) -> None:
    """What every text must go through, in a second for its few characters."""
    began = time.process_time()
    try:
        check(text)
    except InputError as error:
        assert "\n" not in str(error)
        return
    spoken = normalize(text)
    assert spoken == " ".join(spoken.split())
    assert read(text).text == spoken
    assert "".join(w.spoken for w in written_words(text)).replace(" ", "") == spoken.replace(" ", "")
    for piece in chunk(spoken, 40):
        tokens = _FRONTEND.tokens(piece)
        assert tokens[0] == "^" and tokens[-1] == "$"
        assert all(0 <= i < _FRONTEND.vocab_size for i in _FRONTEND.ids(tokens))
        assert not {"C", "Q", "5", "\ue000"} & set(tokens)  # nothing reaches the model that was not read
    _FRONTEND.tokens(text[:200])
    assert time.process_time() - began < 5


@given(_TEXTS)
@settings(max_examples=_SHORT, deadline=None)
def test_any_text_is_read_or_refused(text):
    _reads(text)


@pytest.mark.slow
@given(_TEXTS)
@settings(max_examples=_LONG, deadline=None)
def test_any_of_many_texts_is_read_or_refused(text):
    _reads(text)


_LINES = st.lists(st.one_of(st.text(max_size=30), st.tuples(_FRAGMENTS, _FRAGMENTS).map("\t".join)), max_size=6)


def _lexicon_reads(lines: list[str], text: str) -> None:
    try:
        lexicon = Lexicon.of((f"line {i}", line) for i, line in enumerate(lines))
    except InputError as error:
        assert str(error).startswith("line ") and "\n" not in str(error)
        return
    once = read(text, lexicon)
    assert all(change.rule for change in once.changes)
    assert "\ue000" not in shown(once.text)


@given(_LINES, _TEXTS)
@settings(max_examples=_SHORT, deadline=None)
def test_any_lexicon_is_read_or_refused(lines, text):
    _lexicon_reads(lines, text)


@pytest.mark.slow
@given(_LINES, _TEXTS)
@settings(max_examples=_LONG, deadline=None)
def test_any_of_many_lexicons_is_read_or_refused(lines, text):
    _lexicon_reads(lines, text)


_TAGS = st.lists(
    st.one_of(
        st.sampled_from(
            ["[a]", "[main]", "[1]", "[sic]", r"\[", r"\]", '{"name": "a"}', '{"name": 1}', '{"seed": -2}',
             '{"name": "a", "speed": 99}',
             "{", "}", "[", "]", '{"', "[[a]]", "[a b]", "Hello. ", "\n"]
        ),
        st.text(max_size=20),
    ),
    max_size=10,
).map("".join)  # fmt: skip


def _story_parses(text: str) -> None:
    try:
        known, _ = story.without_directions(text, {"main", "a"})
        turns = story.parse(known)
    except (InputError, ValueError) as error:
        assert "\n" not in str(error)
        return
    assert turns and all(turn.text.strip() for turn in turns)


@given(_TAGS)
@settings(max_examples=100, deadline=None)
def test_any_tags_are_a_story_or_refused(text):
    _story_parses(text)


@pytest.mark.slow
@given(_TAGS)
@settings(max_examples=20_000, deadline=None)
def test_any_of_many_tags_are_a_story_or_refused(text):
    _story_parses(text)


_CASTS = st.one_of(
    st.binary(max_size=120),
    st.lists(
        st.sampled_from(
            ["[voices.a]\n", "[voices]\n", "[voices.main]\n", 'ref_audio = "x.wav"\n', "ref_audio = 3\n",
             'ref_text = "y"\n',
             "speed = nan\n", "speed = -1\n", 'voice = "b"\n', "[[voices]]\n",
             'gen_text = "[a] hi"\n', "x = {y = [1, {z = 2}]}\n",
             "voices = 3\n", 'speed = "fast"\n', "nfe_step = 1e400\n", "a = 1\na = 2\n", "\ufeff"]
        ),
        max_size=8,
    ).map(lambda lines: "".join(lines).encode()),
)  # fmt: skip


def _cast_reads(data: bytes, folder) -> None:
    file = folder / "cast.toml"
    file.write_bytes(data)
    try:
        f5_options.read(file, {"text", "text_file", "speed", "steps", "output"})
    except ValueError as error:
        assert "\n" not in str(error)


@given(data=_CASTS)
@settings(max_examples=100, deadline=None)
def test_any_cast_is_read_or_refused(tmp_path_factory, data):
    _cast_reads(data, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@given(data=_CASTS)
@settings(max_examples=10_000, deadline=None)
def test_any_of_many_casts_is_read_or_refused(tmp_path_factory, data):
    _cast_reads(data, tmp_path_factory.getbasetemp())
