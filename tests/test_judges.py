"""Who judges: recognisers and models of opinions by name, on real recordings and on sounds that are known to be bad."""

from __future__ import annotations

import hashlib
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from test_evaluation import Copies
from test_gallery import Page
from test_hub import SHA, cache, put  # noqa: F401 (a fixture)

from tts_fm import hub, plugins, whisper_files
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.errors import ModelError
from tts_fm.evaluation import evaluation_page, judges, naturalness, pairs, recognisers, report
from tts_fm.evaluation.judges import Choice, Judges
from tts_fm.evaluation.naturalness import Naturalness
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.recognisers import Recogniser, whisper
from tts_fm.evaluation.report import Judgement
from tts_fm.evaluation.similarity import voice_encoder
from tts_fm.evaluation.suite import Suite

FILES = {"config.json": "{}", "model.bin": "weights", "tokenizer.json": "{}", "vocabulary.txt": "a\n"}
RATINGS = plugins.names(Naturalness)


@pytest.fixture(scope="module")
def few() -> list[Pair]:
    return [pair for pair in pairs.read(pairs.BUNDLED) if pair.kind == "real"][:2]


class Knows(Recogniser):
    """Hears what it was told that a sound of so many samples says."""

    is_open = True
    about = "somebody who knows"

    def __init__(self, texts=(), model=None) -> None:
        self.said: dict[int, str] = {}

    @classmethod
    def is_ready(cls) -> bool:
        return True

    def transcribe(self, waveform: Waveform) -> str:
        return self.said.get(len(waveform.samples), "")


class Rates(Naturalness):
    """Rates a sound by its length."""

    about = "somebody who counts"
    headings = {"dnsmos_overall": "DNSMOS overall"}  # noqa: RUF012

    def __init__(self) -> None: ...

    @classmethod
    def is_ready(cls) -> bool:
        return True

    def score(self, waveform: Waveform) -> dict[str, float]:
        return {"dnsmos_overall": 1 + waveform.seconds / 10}


# Words


def test_whispers_normaliser_writes_numbers_as_digits_and_american() -> None:
    pytest.importorskip("whisper_normalizer")
    told = 'Twenty-one colours, Mr. Brown, aren\'t "three"!'
    assert recognisers.english(told) == "21 colors mister brown are not 3".split()
    assert recognisers.english("21 colors mister brown are not 3") == recognisers.english(told)


def test_without_its_package_the_normaliser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    recognisers._normaliser.cache_clear()
    with pytest.raises(ValueError, match=r"need whisper-normalizer; run: pip install 'tts-fm\[eval\]'"):
        recognisers.english("Words.")


# Whisper


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder laid out as a Whisper for CTranslate2."""
    (tmp_path / "small").mkdir()
    for name, text in FILES.items():
        (tmp_path / "small" / name).write_text(text)
    return tmp_path / "small"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What faster-whisper was asked for; it hears "Some words.", in two segments."""
    found: list[dict[str, object]] = []

    class WhisperModel:
        def __init__(self, folder: str, **how: object) -> None:
            found.append({"folder": folder, **how})

        def transcribe(self, samples, **how: object):
            found.append({"samples": len(samples), **how})
            return iter([SimpleNamespace(text=" Some "), SimpleNamespace(text=" words.")]), None

    module = ModuleType("faster_whisper")
    module.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    monkeypatch.setattr(whisper, "find_spec", lambda name: name)
    monkeypatch.setattr(whisper, "version", lambda name: "1.2")
    return found


def test_whisper_is_asked_for_english_in_the_same_way_every_time(model: Path, asked: list[dict[str, object]]) -> None:
    heard = whisper.Whisper([], str(model))
    assert asked == [{"folder": str(model), "device": "cpu", "compute_type": "int8", "cpu_threads": 1}]
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert heard.about == f"whisper small, sha256 {digest} (faster-whisper 1.2, int8, beam 5)"
    assert heard.transcribe(Waveform(torch.full((24_000,), 0.1), 24_000)) == "Some words."
    assert asked[1] == {
        "samples": 16_000,
        "language": "en",
        "beam_size": 5,
        "temperature": 0.0,
        "without_timestamps": True,
        "condition_on_previous_text": False,
    }
    for silence in (torch.zeros(0), torch.zeros(8_000)):
        assert heard.transcribe(Waveform(silence, 16_000)) == "" and len(asked) == 2


def test_a_whisper_that_is_not_there_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"whisper is not installed; run: pip install 'tts-fm\[asr\]'"):
        whisper.Whisper([])
    (model / "model.bin").unlink()
    with pytest.raises(ModelError, match=r"is no Whisper for CTranslate2: it has no model.bin; give its folder, hf://"):
        whisper_files.folder(str(model))
    with pytest.raises(ModelError, match=r"'?bse'? is no Whisper .*one of tiny, base, small"):
        whisper_files.folder("bse")


def test_a_size_comes_from_the_hub(cache: Path, monkeypatch, asked: list[dict[str, object]]) -> None:  # noqa: F811
    assert not whisper_files.is_cached("base") and not whisper.Whisper.is_ready()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError) as caught:
        whisper_files.folder("base")
    assert str(caught.value).endswith("run: tts-fm models download hf://Systran/faster-whisper-base")
    snapshot = put(cache, "Systran/faster-whisper-base", FILES)
    assert whisper_files.folder("base") == snapshot and whisper.Whisper.is_ready()
    assert hub.download("hf://Systran/faster-whisper-base").folder == snapshot
    assert whisper.Whisper([]).about == f"whisper base at {SHA[:12]} (faster-whisper 1.2, int8, beam 5)"
    assert Path(str(asked[0]["folder"])) == snapshot


# Who is chosen


def test_without_a_name_it_is_whisper_where_its_model_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper.Whisper, "is_ready", classmethod(lambda cls: False))
    assert Choice()._recogniser() == "pocketsphinx"
    assert Choice(recogniser_model="base")._recogniser() == "whisper"
    monkeypatch.setattr(whisper.Whisper, "is_ready", classmethod(lambda cls: True))
    assert Choice()._recogniser() == "whisper" and Choice("pocketsphinx")._recogniser() == "pocketsphinx"


def test_those_who_rate_are_those_installed_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_ready(name: str, answer: bool) -> None:
        monkeypatch.setattr(plugins.load(Naturalness, name), "is_ready", classmethod(lambda cls: answer))

    for name in RATINGS:
        is_ready(name, False)
    assert Choice()._naturalness() == []
    is_ready("dnsmos", True)
    assert Choice()._naturalness() == ["dnsmos"] and Choice(naturalness=["none"])._naturalness() == []
    assert Choice(naturalness=["distillmos", "dnsmos", "distillmos"])._naturalness() == ["distillmos", "dnsmos"]
    with pytest.raises(ValueError, match=r"distillmos is not installed; run: pip install 'tts-fm\[judges\]'"):
        plugins.build(Naturalness, "distillmos")


def test_a_published_list_is_heard_by_somebody_who_may_hear_any_word() -> None:
    assert Choice().for_a_list() == Choice("whisper", "large-v3")
    assert Choice(recogniser_model="base").for_a_list() == Choice("whisper", "base")
    with pytest.raises(ValueError, match="pocketsphinx knows the texts, and a published list is heard without"):
        Choice("pocketsphinx").for_a_list()


# Naturalness


@pytest.mark.parametrize("name", RATINGS)
def test_a_recording_is_rated_above_the_same_with_noise_and_silence_is_rated_too(name: str, few: list[Pair]) -> None:
    judge_class = plugins.load(Naturalness, name)
    if not judge_class.is_ready():
        pytest.skip("the extra judges is not installed")
    before = torch.get_rng_state()
    judge = plugins.build(Naturalness, name)
    assert torch.equal(torch.get_rng_state(), before)  # who trains draws the same whether it is there or not
    clean = io.read(few[0].target_audio)
    noise = 0.1 * torch.randn(len(clean.samples), generator=torch.Generator().manual_seed(0))
    rated = judge.score(clean)
    noisy = judge.score(Waveform(clean.samples + noise, clean.sample_rate))
    assert list(rated) == list(judge.headings) and all(naturalness.heading(score) for score in rated)
    assert all(1 < noisy[score] < rated[score] - 0.2 < 4.8 for score in rated)
    assert judge.score(clean) == rated
    for samples in (torch.zeros(0), torch.full((16_000,), 3.0)):
        found = judge.score(Waveform(samples, 16_000))
        assert all(0.5 < value < 5.5 for value in found.values())


def test_dnsmos_is_that_of_the_package(few: list[Pair]) -> None:
    if not plugins.load(Naturalness, "dnsmos").is_ready():
        pytest.skip("the extra judges is not installed")
    from speechmos import dnsmos

    sound = io.read(few[1].target_audio).resampled(16_000)
    theirs = dnsmos.run(sound.samples.clamp(-1, 1).numpy(), 16_000)
    ours = plugins.build(Naturalness, "dnsmos").score(sound)
    assert ours["dnsmos_overall"] == pytest.approx(theirs["ovrl_mos"], abs=1e-4)
    assert ours["dnsmos_p808"] == pytest.approx(theirs["p808_mos"], abs=1e-4)


def test_distillmos_is_that_of_the_package(few: list[Pair]) -> None:
    distillmos = pytest.importorskip("distillmos")
    sound = io.read(few[1].target_audio).resampled(16_000)
    with torch.inference_mode():
        theirs = distillmos.ConvTransformerSQAModel().eval()(sound.samples[None])
    ours = plugins.build(Naturalness, "distillmos").score(sound)
    assert ours["distillmos"] == pytest.approx(float(theirs), abs=1e-4)


# Judging


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.25])
def test_the_silence_before_speech_is_measured(seconds: float) -> None:
    speech = 0.3 * torch.sin(torch.arange(16_000) * 0.3)
    samples = torch.cat([torch.zeros(round(16_000 * seconds)), speech])
    assert judges.leading_silence(Waveform(samples, 16_000)) == pytest.approx(seconds, abs=0.02)


def test_of_silence_all_is_before_speech() -> None:
    assert judges.leading_silence(Waveform(torch.zeros(8_000), 16_000)) == 0.5
    assert judges.leading_silence(Waveform(torch.zeros(0), 16_000)) == 0


def test_a_sound_is_judged_by_all(few: list[Pair]) -> None:
    sound = io.read(few[0].target_audio)
    knows = Knows()
    knows.said[len(sound.samples)] = "some other WORDS"
    judge = Judges(knows, lambda text: text.lower().split(), (Rates(),))
    own = voice_encoder().embed(sound)
    judged = judge.judge(sound, "Some words", own)
    assert (judged.heard, judged.errors, judged.words, judged.to_stranger) == ("some other WORDS", 1, 2, None)
    assert judged.to_prompt == pytest.approx(1, abs=1e-5)
    assert judged.naturalness == {"dnsmos_overall": pytest.approx(1 + sound.seconds / 10)}
    with pytest.raises(ValueError, match="has no words to count"):
        judge.judge(sound, " ", own)
    broken = judge.judge(Waveform(torch.full((16_000,), math.nan), 16_000), "Some words", own)
    assert (broken.heard, broken.errors, broken.to_prompt, broken.leading_silence) == ("", 2, 0, 1)  # as silence


def test_scores_of_naturalness_are_means_with_intervals() -> None:
    judged = [Judgement("a", 0, 1, 0.5, None, 1.0, s, {"dnsmos_overall": v}) for s, v in ((0.1, 2.0), (0.3, 3.0))]
    found = report.scores([*judged, None, Judgement("a", 0, 1, 0.5, None, 1.0, 0.8)])
    assert found.leading_silence == report.Silence(0.3, 0.8)
    figure = found.naturalness["dnsmos_overall"]
    assert (figure.value, figure.low, figure.high) == (2.5, 2.0, 3.0)
    ((title, figures, show),) = report.rows([found, report.Scores(None, None, None, None)])[-1:]
    assert (title, figures, show(figure)) == ("DNSMOS overall", [figure, None], "2.50 (2.00-3.00)")


def test_table_and_page_show_who_judged_and_what_they_said(
    few: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows = Knows()
    sounds = {pair.target_text: io.read(pair.target_audio) for pair in few}
    knows.said = {len(sound.samples): text for text, sound in sounds.items()}
    monkeypatch.setattr(Choice, "open", lambda self, texts: Judges(knows, recognisers.english, (Rates(),)))
    suite = Suite(few, Choice("whisper", "base"))
    found = suite.evaluate(Copies(sounds), out=tmp_path)
    assert found.kinds["real"].output == found.kinds["real"].recording == found.kinds["real"].copied
    assert report.judged_by(found.facts["judges"]) == (
        "words: somebody who knows; voices: Resemblyzer 0.1.4's encoder; sound: somebody who counts"
    )
    page = Page(evaluation_page.write(found, few, tmp_path, 1))
    mean = 1 + sum(sound.seconds for sound in sounds.values()) / 20
    assert page.cells[page.cells.index("DNSMOS overall") + 1].startswith(f"{mean:.2f}")
    assert report.SILENCE in page.cells
    text = (tmp_path / "index.html").read_text()
    assert "sound: somebody who counts" in text and "hear noise and blur better than they hear prosody" in text
    assert text.count("DNSMOS overall 1.") == 3  # of the one pair that is shown: speech, recording, copy
    assert report.table(found).row_count == 9
