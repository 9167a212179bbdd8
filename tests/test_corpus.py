"""The corpus builder's arithmetic: tokens to phones, spans to frames, scaling, and what counts as readable."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tts_fm.alignment import phones

sys.path.insert(0, str(Path(__file__).parents[1]))

TOKENS = ["^", *"ðə tʃˈiːf, bˈʌʔn̩.", "$"]


def _spans(grouped, pause=0.2, each=0.1):
    """Every phone ``each`` seconds long after 0.2 s, with a pause between words."""
    now, found = 0.2, []
    for word in grouped:
        found.append([(now + each * i, now + each * (i + 1)) for i in range(len(word))])
        now = found[-1][-1][1] + pause
    return found


def test_tokens_are_grouped_into_words_of_phones() -> None:
    grouped = phones.words(TOKENS)
    assert [["".join(TOKENS[i] for i in p.tokens) for p in w] for w in grouped] == [
        ["ð", "ə"],
        ["tʃ", "iː", "f"],
        ["b", "ʌ", "ʔ", "n̩"],
    ]
    assert [" ".join(a for p in w for a in p.arpa) for w in grouped] == ["DH AH", "CH IY F", "B AH T AH N"]


def test_stress_splits_no_word_and_dashes_do() -> None:
    assert phones.shape(phones.words(["^", *"ɐbˈaʊt—ɪt", "$"])) == [4, 2]


def test_an_unknown_sound_is_refused() -> None:
    with pytest.raises(phones.UnknownPhone):
        phones.words(["^", "ʘ", "$"])


def test_every_sound_of_english_has_a_phone_of_the_acoustic_model() -> None:
    cmu = set(
        "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
    )
    english = (
        "iː ɪ i ᵻ ɛ æ ɑː ɔː ɔ ʊ uː ʌ ə ɐ ɚ ɜː eɪ aɪ ɔɪ oʊ aʊ p b t d k ɡ ɾ ʔ tʃ dʒ f v θ ð s z ʃ ʒ h m n n̩ ŋ l ɹ w j"
    )
    heard = [arpa for word in phones.words(["^", *english, "$"]) for phone in word for arpa in phone.arpa]
    assert set(heard) == cmu


def test_token_frames_sum_to_the_audio_and_pauses_go_to_punctuation() -> None:
    spans = _spans(phones.words(TOKENS))
    samples = round((spans[-1][-1][1] + 0.25) * phones.SAMPLE_RATE)
    ends = phones.token_ends(TOKENS, spans, samples / phones.SAMPLE_RATE)
    frames = phones.token_frames(ends, samples)
    held = dict(zip(enumerate(TOKENS), frames, strict=True))
    assert sum(frames) == phones.n_frames(samples)
    assert all(n == 0 for (_, token), n in held.items() if token in "ˈˌ.")
    comma, space_after_comma, first_space = TOKENS.index(","), TOKENS.index(",") + 1, TOKENS.index(" ")
    assert frames[comma] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[space_after_comma] == 0
    assert frames[first_space] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[0] == pytest.approx(0.2 * 93.75, abs=1)
    assert frames[-1] == pytest.approx(0.25 * 93.75, abs=2)


def test_a_phone_shares_its_frames_evenly() -> None:
    tokens = ["^", *"oʊ", "$"]
    ends = phones.token_ends(tokens, [[(0.1, 0.3)]], 0.4)
    frames = phones.token_frames(ends, round(0.4 * phones.SAMPLE_RATE))
    assert abs(frames[1] - frames[2]) <= 1


def test_spans_of_another_text_are_refused() -> None:
    with pytest.raises(ValueError, match="not those"):
        phones.token_ends(TOKENS, [[(0.1, 0.2)]], 1.0)


@pytest.mark.parametrize("total", [1, 7, 23, 100])
def test_scaling_keeps_the_sum_and_the_proportions(total: int) -> None:
    frames = [5, 0, 3, 11, 1]
    scaled = phones.scale_frames(frames, total)
    assert sum(scaled) == total
    assert scaled[1] == 0
    assert all(abs(a * total / 20 - b) < 1 for a, b in zip(frames, scaled, strict=True))


def test_capital_transcripts_become_readable() -> None:
    for package in ("numpy", "soundfile", "soxr", "phonemizer"):
        pytest.importorskip(package)
    recordings = importlib.import_module("scripts.corpus.recordings")
    assert recordings.readable("I SAID I'M THE DOG'S J R AT O'CLOCK") == "I said I'm the dog's J R at o'clock"


def test_only_plain_sentences_are_read_by_machines() -> None:
    for package in ("numpy", "soundfile", "soxr", "phonemizer", "espeakng_loader"):
        pytest.importorskip(package)
    is_plain = importlib.import_module("scripts.corpus.synthetic").is_plain
    assert is_plain("The neighbours came to see us, and stayed.")
    assert not is_plain("In 1963 the neighbours came to see us.")
    assert not is_plain("The FBI came to see Mr. Brown and stayed.")
