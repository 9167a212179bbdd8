"""The judge: known recordings, closed forms, and models that are known to be good, silent or somebody else."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from test_gallery import Page

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import Prompt
from tts_fm.commands import main
from tts_fm.evaluation import evaluation_page, pairs, report, similarity, suite, wer
from tts_fm.evaluation.judges import Choice
from tts_fm.evaluation.lexicon import lexicon
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.recognisers import pocketsphinx
from tts_fm.evaluation.report import Judgement, Result
from tts_fm.text.arpabet import from_ipa

GOLDEN = Path(__file__).parent / "data" / "eval" / "resemblyzer.json"


@pytest.fixture(scope="module")
def committed() -> list[Pair]:
    return pairs.read(pairs.BUNDLED)


@pytest.fixture(scope="module")
def few(committed: list[Pair]) -> list[Pair]:
    """Four pairs of four real speakers."""
    return [pair for pair in committed if pair.kind == "real"][:4]


@pytest.fixture(scope="module")
def small_suite(few: list[Pair]) -> suite.Suite:
    pytest.importorskip("pocketsphinx")
    return suite.Suite(few, Choice("pocketsphinx", naturalness=["none"]))


# Word error rate


def test_words_are_judged_without_case_marks_and_digits() -> None:
    assert pocketsphinx.words("It's 3 o’clock, JOSÉ -- isn't it?") == [
        "it's",
        "three",
        "o'clock",
        "jose",
        "isn't",
        "it",
    ]
    assert pocketsphinx.words("'Tis the \"end'\"") == ["tis", "the", "end"]


@pytest.mark.parametrize(
    ("heard", "count"),
    [("the cat sat down", 0), ("the cat sat", 1), ("the cat has sat down", 1), ("a dog sat down", 2), ("", 4)],
)
def test_errors_are_substitutions_deletions_and_insertions(heard: str, count: int) -> None:
    pytest.importorskip("jiwer")
    assert wer.errors("the cat sat down".split(), heard.split()) == wer.Errors(count, 4)


def _parse_arpa(arpa: str) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], float]]:
    ones: dict[str, tuple[float, float]] = {}
    twos: dict[tuple[str, str], float] = {}
    for line in arpa.splitlines():
        match line.split():
            case [p, word, backoff]:
                try:
                    ones[word] = (10 ** float(p), 10 ** float(backoff))
                except ValueError:
                    twos[word, backoff] = 10 ** float(p)
    return ones, twos


@pytest.mark.parametrize("discount", [0.3, 0.94])
def test_the_language_model_sums_to_one_after_every_word(discount: float) -> None:
    sentences = [["a", "b", "c"], ["a", "b"], ["c"], ["b", "c", "a"]]
    ones, twos = _parse_arpa(pocketsphinx.bigram_arpa(sentences, discount))
    assert sum(p for word, (p, _) in ones.items() if word != "<s>") == pytest.approx(1, abs=1e-5)
    for history in ("<s>", "a", "b", "c"):
        total = 0.0
        for word in ("a", "b", "c", "</s>"):
            seen = twos.get((history, word))
            total += ones[history][1] * ones[word][0] if seen is None else seen
        assert total == pytest.approx(1, abs=1e-5), history
    assert twos["a", "b"] == pytest.approx((2 - discount) / 3, abs=1e-5)


def test_a_word_followed_by_every_other_keeps_all_its_mass() -> None:
    _, twos = _parse_arpa(pocketsphinx.bigram_arpa([["a"], ["a", "a"]]))
    assert twos["a", "a"] == pytest.approx(1 / 3, abs=1e-5)
    assert twos["a", "</s>"] == pytest.approx(2 / 3, abs=1e-5)


def test_ipa_becomes_arpabet() -> None:
    assert from_ipa([*"^həlˈoʊ tʃˈɜːtʃ$"]) == "HH AH L OW CH ER CH".split()
    assert from_ipa(["^", "ˈ", ",", "$"]) == []


def test_a_word_that_no_dictionary_has_is_spelled_by_espeak(tmp_path: Path) -> None:
    (tmp_path / "words.dict").write_text("a AH\na(2) EY\n")
    assert lexicon(["zorblat", "a"], tmp_path / "words.dict") == {"a": ["AH", "EY"], "zorblat": ["Z AO R B L AE T"]}


def test_nothing_is_heard_in_silence() -> None:
    pytest.importorskip("pocketsphinx")
    recognizer = pocketsphinx.PocketSphinx(["A zorblat is here."])
    for samples in (torch.zeros(0), torch.zeros(8_000), torch.full((10,), 0.1)):
        assert recognizer.transcribe(Waveform(samples, 16_000)) == ""


def test_recordings_are_understood_whatever_their_level_rate_and_order(few: list[Pair]) -> None:
    pytest.importorskip("pocketsphinx")
    recognizer = pocketsphinx.PocketSphinx([pair.target_text for pair in few])
    sounds = [io.read(pair.target_audio) for pair in few]
    heard = [recognizer.transcribe(sound) for sound in sounds]
    found = [
        wer.errors(recognizer.words(pair.target_text), text.split()) for pair, text in zip(few, heard, strict=True)
    ]
    assert sum(e.count for e in found) <= 0.2 * sum(e.words for e in found)
    assert [recognizer.transcribe(sound) for sound in reversed(sounds)] == heard[::-1]
    quieter = [Waveform(sound.samples * 0.25, sound.sample_rate) for sound in sounds]
    assert [recognizer.transcribe(sound) for sound in quieter] == heard
    assert recognizer.transcribe(sounds[0].resampled(24_000)) == heard[0]


@pytest.mark.slow
def test_real_recordings_score_about_16_percent(committed: list[Pair]) -> None:
    pytest.importorskip("pocketsphinx")
    recognizer = pocketsphinx.PocketSphinx(
        [text for pair in committed for text in (pair.target_text, pair.prompt_text)]
    )
    found = [
        wer.errors(recognizer.words(pair.target_text), recognizer.transcribe(io.read(pair.target_audio)).split())
        for pair in committed
        if pair.kind == "real"
    ]
    assert 0.12 < sum(e.count for e in found) / sum(e.words for e in found) < 0.21


# Similarity


def test_embeddings_are_those_of_resemblyzer(few: list[Pair]) -> None:
    """Origin: ``resemblyzer.VoiceEncoder().embed_utterance(voiced)`` of Resemblyzer 0.1.4, every 16th number."""
    golden = json.loads(GOLDEN.read_text())
    for pair, expected in zip(few, golden, strict=True):
        embedding = similarity.voice_encoder().embed(io.read(pair.target_audio))
        assert embedding[::16].tolist() == pytest.approx(expected, abs=1e-3)
        assert float(embedding.norm()) == pytest.approx(1, abs=1e-5)


def test_a_voice_is_nearer_to_itself_than_to_others(few: list[Pair]) -> None:
    encoder = similarity.voice_encoder()
    prompts = torch.stack([encoder.embed(io.read(pair.prompt_audio)) for pair in few])
    targets = torch.stack([encoder.embed(io.read(pair.target_audio)) for pair in few])
    cosines = targets @ prompts.T
    assert cosines.argmax(dim=1).tolist() == [0, 1, 2, 3]


def test_silence_has_no_voice() -> None:
    for samples in (torch.zeros(0), torch.zeros(16_000), torch.zeros(100)):
        assert similarity.voice_encoder().embed(Waveform(samples, 16_000)).abs().max() == 0


def test_windows_cover_the_speech() -> None:
    assert similarity.window_starts(100) == [0]
    assert similarity.window_starts(160 * 160) == [0]
    assert similarity.window_starts(160 * 300) == [0, 77, 154]
    assert similarity.window_starts(160 * 270) == [0, 77]  # a third one would be covered by 116 frames of 160


# Figures


def test_the_bootstrap_interval_of_a_share_is_the_binomial_one() -> None:
    n, p = 400, 0.25
    figure = report.bootstrap(np.repeat([1.0, 0.0], [int(n * p), int(n * (1 - p))]))
    assert figure.value == p
    half = 1.96 * math.sqrt(p * (1 - p) / n)
    assert figure.low == pytest.approx(p - half, abs=0.006)
    assert figure.high == pytest.approx(p + half, abs=0.006)


def test_the_bootstrap_of_a_rate_counts_words_and_not_pairs() -> None:
    assert report.bootstrap(np.array([1.0, 0.0]), np.array([1.0, 9.0])).value == pytest.approx(0.1)
    same = report.bootstrap(np.array([1.0, 2.0, 3.0]), np.array([4.0, 8.0, 12.0]))
    assert (same.value, same.low, same.high) == (0.25, 0.25, 0.25)
    assert report.bootstrap(np.arange(9.0)) == report.bootstrap(np.arange(9.0))


def _result(own: float, other: float | None, kind: str = "real") -> Result:
    judged = Judgement("a b", 1, 2, own, other, 2.0)
    return Result("x", kind, "s", None, "a c", judged, judged, None, 0.5, False, True, False)


def test_figures_by_kind() -> None:
    made = report.make([_result(0.8, 0.5), _result(0.6, 0.7), _result(0.9, 0.1, "synthetic")])
    assert list(made.kinds) == ["real", "synthetic"]
    real = made.kinds["real"]
    assert real.output.right_voice is not None and real.output.right_voice.value == 0.5
    assert real.output.to_prompt is not None and real.output.to_prompt.value == pytest.approx(0.7)
    assert real.output.word_error_rate is not None and real.output.word_error_rate.value == 0.5
    assert (real.real_time_factor, real.clipped, real.silent) == (0.25, 2, 0)
    assert real.copied.word_error_rate is None


def test_without_a_second_speaker_there_is_no_right_voice(tmp_path: Path) -> None:
    made = report.make([_result(0.8, None)], {"model": "m"})
    assert made.kinds["real"].output.right_voice is None
    made.save(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["kinds"]["real"]["output"]["right_voice"] is None
    assert report.table(made).row_count == 8 and report.table(made).caption is None
    made = report.make([_result(0.8, None)], {"parameters": 11_590_000, "weights_mb": 19.04})
    assert report.table(made).caption == "11.6 M parameters, 19.0 MB of weights"


# Checks


def test_silent_clipped_and_implausible() -> None:
    tone = 0.5 * torch.sin(torch.arange(24_000) * 0.05)
    assert not suite.is_silent(Waveform(tone, 24_000))
    assert suite.is_silent(Waveform(tone * 0.005, 24_000))
    assert suite.is_silent(Waveform(torch.zeros(0), 24_000))
    assert not suite.is_clipped(Waveform(tone, 24_000))
    assert suite.is_clipped(Waveform((tone * 4).clamp(-1, 1), 24_000))
    lengths = [suite.is_plausible_length(Waveform(tone, 24_000), seconds) for seconds in (0.39, 0.4, 2.5, 2.6)]
    assert lengths == [False, True, True, False]


# Models of known quality


class Replays:
    """Says a text by playing another recording."""

    def __init__(self, sounds: dict[str, Waveform]) -> None:
        self.sounds = sounds
        self.seeds: dict[str, list[int]] = defaultdict(list)

    def synthesize(self, text: str, prompt: Prompt, *, seed: int = 0) -> Waveform:
        self.seeds[text].append(seed)
        return self.sounds[text]


class Copies(Replays):
    def copy(self, waveform: Waveform) -> Waveform:
        return waveform


def test_the_speaker_himself_scores_as_the_recording(small_suite: suite.Suite, few: list[Pair], tmp_path: Path) -> None:
    himself = Copies({pair.target_text: io.read(pair.target_audio) for pair in few})
    done: list[tuple[int, int]] = []
    found = small_suite.evaluate(himself, seed=5, out=tmp_path, on_pair=lambda *at: done.append(at))
    real = found.kinds["real"]
    assert real.output == real.recording == real.copied
    assert real.output.right_voice is not None and real.output.right_voice.value == 1
    assert (real.silent, real.clipped, real.implausible_length) == (0, 0, 0)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [himself.seeds[pair.target_text] for pair in few] == [[5, 5], [6], [7], [8]]  # the first warms up
    assert {path.name for path in (tmp_path / "wavs").iterdir()} == {
        f"{p.id}{s}.wav" for p in few for s in ("", ".copy")
    }


def test_somebody_else_has_the_wrong_voice(small_suite: suite.Suite, few: list[Pair]) -> None:
    strangers = dict(zip((pair.id for pair in few), pairs.strangers(few), strict=True))
    other = Replays({p.target_text: io.read(s.target_audio) for p in few if (s := strangers[p.id]) is not None})
    real = small_suite.evaluate(other).kinds["real"]
    assert real.output.right_voice is not None and real.output.right_voice.value == 0
    assert real.output.word_error_rate is not None and real.output.word_error_rate.value > 0.8
    assert real.copied.word_error_rate is None


def test_the_page_shows_the_figures_and_some_pairs(small_suite: suite.Suite, few: list[Pair], tmp_path: Path) -> None:
    himself = Copies({pair.target_text: io.read(pair.target_audio) for pair in few})
    found = small_suite.evaluate(himself, limit=3, out=tmp_path)
    path = evaluation_page.write(found, few, tmp_path, 2)
    page = Page(path)
    linked = [str(attributes["src"]) for tag in ("audio", "img") for attributes in page.all(tag)]
    assert len(linked) == 2 * 2 * 4  # sounds and mels; of two pairs the prompt, speech, recording and copy
    assert all((tmp_path / link).is_file() and link.startswith("sounds/") for link in linked)
    heard = Waveform.load(tmp_path / linked[1])
    assert heard.seconds == pytest.approx(io.read(few[0].target_audio).seconds, abs=0.01)
    rate = found.kinds["real"].output.word_error_rate
    assert rate is not None
    at = page.cells.index("word error rate")
    assert page.cells[at + 1].startswith(f"{100 * rate.value:.1f} %") and page.cells[at + 1] == page.cells[at + 2]
    assert few[0].target_text in "".join(page.cells) and few[2].target_text not in "".join(page.cells)
    assert "http" not in path.read_text() and not Page(evaluation_page.write(found, few, tmp_path, 0)).all("audio")


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_silence_is_found_silent_and_not_understood(small_suite: suite.Suite, few: list[Pair], value: float) -> None:
    nobody = Replays(dict.fromkeys((pair.target_text for pair in few), Waveform(torch.full((48_000,), value), 24_000)))
    found = small_suite.evaluate(nobody, limit=2)
    real = found.kinds["real"]
    assert (real.pairs, real.silent) == (2, 2)
    assert real.output.word_error_rate is not None and real.output.word_error_rate.value == 1
    assert real.output.right_voice is not None and real.output.right_voice.value == 0


# Pairs


def test_the_committed_pairs_hold_together(committed: list[Pair]) -> None:
    by_kind = {kind: [pair for pair in committed if pair.kind == kind] for kind in ("real", "synthetic")}
    assert len(by_kind["real"]) >= 40 and len(by_kind["synthetic"]) >= 16
    for pair in committed:
        assert pair.prompt_audio.is_file() and pair.target_audio.is_file() and pair.prompt_audio != pair.target_audio
        assert pair.target_text[0].isupper() and pair.target_text[-1] in ".?!"
    size = sum(path.stat().st_size for path in pairs.BUNDLED.parent.rglob("*") if path.is_file())
    assert size <= 2_500_000


def test_a_short_run_hears_something_of_each_kind(committed: list[Pair]) -> None:
    assert [pair.kind for pair in pairs.thin_out(committed, 6)].count("real") == 3
    assert pairs.thin_out(committed, None) == pairs.thin_out(committed, 1000) == committed


def test_strangers_are_others_and_do_not_depend_on_the_rest_of_the_run(committed: list[Pair]) -> None:
    for pair, other in zip(committed, pairs.strangers(committed), strict=True):
        assert other is not None and other.speaker != pair.speaker and other.kind == pair.kind
    assert pairs.strangers(committed[:1]) == [None]


def _row(speaker: str, i: int, seconds: float = 4.0) -> dict[str, object]:
    return {
        "id": f"{speaker}-{i}",
        "audio": f"{speaker}-{i}.flac",
        "text": f"This is sentence {i} of {speaker}.",
        "speaker": speaker,
        "seconds": seconds,
        "split": "heldout",
    }


def test_pairs_from_a_corpus(tmp_path: Path) -> None:
    rows = [_row(speaker, i) for speaker in ("a", "b", "c") for i in range(4)]
    rows += [_row("lonely", 0), {**_row("seen", 0), "split": "train"}, {**_row("seen", 1), "split": "train"}]
    (tmp_path / "manifest-real.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = pairs.from_corpus(tmp_path, per_kind=6)
    assert sorted(pair.speaker for pair in chosen) == ["a", "a", "b", "b", "c", "c"]
    assert len({pair.target_audio for pair in chosen}) == 6
    assert all(pair.prompt_audio != pair.target_audio and pair.kind == "real" for pair in chosen)
    assert chosen == pairs.from_corpus(tmp_path, per_kind=6) != pairs.from_corpus(tmp_path, per_kind=6, seed=1)
    pairs.write(chosen, tmp_path / "pairs.jsonl")
    assert pairs.read(tmp_path / "pairs.jsonl") == chosen


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "holds no pairs"),
        ("{", "line 1 is no JSON"),
        ("[]", "line 1 holds a list"),
        ('{"id": "x"}', "wrong or missing fields: kind"),
    ],
)
def test_a_wrong_file_of_pairs_is_explained(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "pairs.jsonl").write_text(line)
    with pytest.raises(ValueError, match=message):
        pairs.read(tmp_path / "pairs.jsonl")
    with pytest.raises(ValueError, match="cannot be read"):
        pairs.read(tmp_path / "missing.jsonl")
    with pytest.raises(ValueError, match="no held-out speakers"):
        pairs.from_corpus(tmp_path)


# The command


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pairs", "missing.jsonl"], "missing.jsonl cannot be read: No such file or directory"),
        (["--corpus", "."], "has no held-out speakers"),
        (["--pairs", "a.jsonl", "--corpus", "."], "give --pairs or --corpus, not both"),
        (["--recogniser", "ears"], "there is no Recogniser called 'ears'; choose one of pocketsphinx, whisper"),
        (["--naturalness", "nose"], "there is no Naturalness called 'nose'; choose one of distillmos, dnsmos"),
        (
            ["--recogniser", "pocketsphinx", "--recogniser-model", "base"],
            "pocketsphinx has one model; leave out 'base'",
        ),
        (["--limit", "0"], "limit"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.slow
def test_the_bundled_model_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--limit", "2", "--device", "cpu", "--json", "--out", str(tmp_path)]
    assert main(["evaluate", *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    saved = json.loads((tmp_path / "report.json").read_text())
    assert printed == {key: value for key, value in saved.items() if key != "results"}
    assert [result["kind"] for result in saved["results"]] == ["real", "synthetic"]
    assert len(list((tmp_path / "wavs").iterdir())) == 4
    assert len(Page(tmp_path / "index.html").all("audio")) == 2 * 4
