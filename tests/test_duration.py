"""How many frames a text needs: closed forms of each rule."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_fm.duration import (
    apportion,
    count_units,
    f5_bytes,
    f5_transcript,
    pause_seconds,
    predicted,
    speech_rate,
    to_frames,
    with_pauses,
)
from tts_fm.errors import InputError

TEN = "abcde fghij."


def test_units():
    assert count_units("It's 7 o'clock, née!") == 3 + 4 + 6 + 3
    assert count_units("你好") == 6 and count_units("かな") == 4 and count_units("한국") == 4
    assert count_units("... !? 😀") == 0


def test_pauses_are_inside_the_text_only():
    assert pause_seconds("One, two. Three; four!") == pytest.approx(0.4 + 0.5 + 0.4)
    assert pause_seconds('"Go." he said... ') == pytest.approx(0.5)
    assert pause_seconds("3,000.5 at 10:30") == 0
    assert pause_seconds("你好，世界。再见。") == pytest.approx(0.9)


def test_the_rate_is_that_of_the_speech():
    # 10 letters in 1 s: 20 letters take 2 s, and 0.1 s of edges
    assert speech_rate(TEN, 1.0, "abcdefghij klmnopqrst") == pytest.approx(2.1)
    assert speech_rate(TEN, 1.0, "abcdefghij, klmnopqrst.") == pytest.approx(2.5)
    assert speech_rate(TEN, 1.0, "abcdefghij klmnopqrst", speed=2.0) == pytest.approx(1.05)


def test_short_texts_get_the_floor():
    assert speech_rate(TEN, 1.0, "I") == 0.5
    assert speech_rate(TEN, 1.0, "I", floor_seconds=0.0) == pytest.approx(0.2)


def test_an_implausible_rate_is_clamped_with_a_warning():
    with pytest.warns(UserWarning, match=r"100\.0 letters per second of speech, taken as 25"):
        assert speech_rate(TEN, 0.1, "a" * 50) == pytest.approx(2.1)
    with pytest.warns(UserWarning, match="taken as 4"):
        assert speech_rate(TEN, 10.0, "a" * 40) == pytest.approx(10.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        speech_rate(TEN, 1.0, "hello")


def test_mistakes_are_one_line():
    with pytest.raises(InputError, match="no word in it"):
        speech_rate("...", 1.0, "hello")
    for speed in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed is"):
            speech_rate(TEN, 1.0, "hello", speed=speed)
        with pytest.raises(ValueError, match="speed is"):
            f5_bytes(100, TEN, "hello", speed=speed)
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="positive number of seconds"):
            to_frames(seconds, 93.75)


def test_frames():
    assert to_frames(2.0, 93.75) == 188 and to_frames(0.001, 93.75) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", "Hello.  "),
        ("Hello. ", "Hello.  "),
        ("Hello", "Hello.  "),
        ("What?", "What?.  "),
        ("你好。", "你好。"),
    ],
)
def test_f5_transcript(text, expected):
    assert f5_transcript(text) == expected


def test_f5_bytes_is_f5_s_formula():
    transcript, text = "a" * 48 + ".  ", "b" * 30  # 51 and 30 bytes
    assert f5_bytes(500, transcript, text) == 500 + int(500 / 51 * 30 / 1.0) == 794
    assert f5_bytes(500, transcript, text, speed=1.3) == 500 + int(500 / 51 * 30 / 1.3)
    assert f5_bytes(500, transcript, "bbbbbbbbb", speed=2.0) == 500 + int(500 / 51 * 9 / 0.3)
    assert f5_bytes(500, transcript, "bbbbbbbbbb", speed=2.0) == 500 + int(500 / 51 * 10 / 2)
    assert f5_bytes(500, transcript, "你好世界") == 500 + int(500 / 51 * 12)


def test_f5_bytes_has_room_for_every_token_and_a_limit():
    assert f5_bytes(10, "a" * 100, "b" * 12, n_tokens=112) == 113
    assert f5_bytes(500, "a" * 5000, "b" * 10) == 501
    assert f5_bytes(50_000, "a" * 10, "b" * 10_000) == 65_536
    with pytest.raises(InputError):
        f5_bytes(10, "", "b")


def test_predicted_stretches_to_the_prompt_s_rate():
    frames = predicted([4.0, 6.0], [10.0, 10.0, 20.0], prompt_frames=20, prompt_speech_frames=15.0)
    assert frames == [8, 12, 15, 15, 30]  # ratio 1.5
    assert predicted([4.0, 6.0], [10.0, 30.0], prompt_frames=20, prompt_speech_frames=15.0, speed=3.0)[2:] == [5, 15]


@pytest.mark.parametrize(("speech", "ratio"), [(1000, 2.0), (1, 0.5)])
def test_predicted_does_not_believe_an_extreme_ratio(speech, ratio):
    assert sum(predicted([10.0], [100.0], prompt_frames=30, prompt_speech_frames=float(speech))[1:]) == 100 * ratio


def test_predicted_with_a_fixed_length_and_a_floor():
    frames = predicted([10.0], [1.0, 3.0], prompt_frames=30, prompt_speech_frames=10.0, target_frames=100, speed=2.0)
    assert frames == [30, 25, 75]
    assert sum(predicted([10.0], [1.0, 3.0], prompt_frames=30, prompt_speech_frames=10.0, floor_frames=47)[1:]) == 47
    assert sum(predicted([0.0], [0.0, 0.0], prompt_frames=30, prompt_speech_frames=10.0)) == 31


@given(st.lists(st.floats(-1, 100), min_size=1, max_size=40), st.integers(0, 500))
def test_apportion_sums_to_the_total_and_is_within_one(weights, total):
    counts = apportion(weights, total)
    clipped = [max(weight, 0.0) for weight in weights]
    assert sum(counts) == total and min(counts) >= 0
    if sum(clipped) > 0:
        assert all(abs(n - w / sum(clipped) * total) < 1 + 1e-6 for n, w in zip(counts, clipped, strict=True))


def test_apportion_rounds_the_largest_remainders_up():
    assert apportion([1.0, 1.0, 1.0], 10) == [4, 3, 3]
    assert apportion([0.26, 0.48, 0.26], 10) == [3, 5, 2]
    assert apportion([0.0, 0.0], 3) == [2, 1]


def test_a_sentence_rests_longer_than_a_clause_and_the_last_marks_stay():
    tokens = ["^", "a", ",", " ", "b", ".", '"', "c", "!", "?", "d", ";", "e", ".", "$"]
    frames = [5, 9, 1, 0, 9, 2, 0, 9, 90, 3, 9, 60, 9, 1, 20]
    assert with_pauses(frames, tokens, 100.0) == [5, 9, 10, 0, 9, 35, 0, 9, 45, 3, 9, 35, 9, 1, 20]
    assert with_pauses(frames, tokens, 100.0, speed=2.0)[5] == 18
