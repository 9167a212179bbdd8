"""Guidance: closed forms, what combines, what is evaluated, and what a person may ask for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Finished
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.backbones import Backbone
from tts_fm.flow import guidance, noise
from tts_fm.flow.guidance import Conditioning, Guidance
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.types import Condition

B, N, C = 2, 5, 3
MODES = plugins.names(Guidance)
STRAIGHT = plugins.load(ProbabilityPath, "cond_ot")
GRID = torch.linspace(0, 1, 9)
NAMES: tuple[Conditioning, ...] = ("all", "text", "prompt", "nothing", "weak")
_DRAWN = torch.randn(5, B, N, C, generator=torch.Generator().manual_seed(0))
VELOCITIES: dict[Conditioning, Tensor] = dict(zip(NAMES, _DRAWN, strict=True))
X_T = torch.randn(B, N, C, generator=torch.Generator().manual_seed(1))
IS_TARGET = torch.arange(N)[None].expand(B, N) >= 2
V, NOTHING = VELOCITIES["all"], VELOCITIES["nothing"]


def guided(modes: Any, strength: float, times: tuple[float, ...] = (0.5,)) -> Tensor:
    """Return the guided velocity at the last of ``times``, all evaluated by one guide."""
    guide = guidance.build(guidance.parse(modes), strength, GRID)

    def fields(x_t: Tensor, t: Tensor, needed: tuple[Conditioning, ...]) -> Mapping[Conditioning, Tensor]:
        return {name: VELOCITIES[name] for name in needed}

    field = guide.guide(fields, STRAIGHT(STRAIGHT.Options()), IS_TARGET)
    return [field(X_T, torch.tensor(t)) for t in times][-1]


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Return the product over the frames that count, ``(b 1 1)``."""
    return (a * b)[:, 2:].sum(dim=(1, 2), keepdim=True)


@pytest.mark.parametrize("modes", [{}, "cfg", "interval", "split", "split.through=prompt"])
@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0])
def test_plain_guidance_extrapolates_from_nothing(modes: Any, strength: float) -> None:
    assert torch.equal(guided(modes, strength), V + strength * (V - NOTHING))
    assert torch.allclose(guided(modes, strength), (1 + strength) * V - strength * NOTHING, atol=1e-5)


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0])
def test_a_weaker_model_is_another_null(strength: float) -> None:
    weak = VELOCITIES["weak"]
    assert torch.allclose(guided("auto", strength), V + strength * (V - weak), atol=1e-6)
    both = guided(f"cfg,auto.strength={strength}", 1.0)
    assert torch.allclose(both, V + (V - NOTHING) + strength * (V - weak), atol=1e-6)


@pytest.mark.parametrize(("text", "speaker"), [(0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (2.0, 2.0)])
def test_text_and_speaker_have_strengths_of_their_own(text: float, speaker: float) -> None:
    strengths = f"split.text={text},split.speaker={speaker}"
    v_text, v_prompt = VELOCITIES["text"], VELOCITIES["prompt"]
    expected = V + text * (v_text - NOTHING) + speaker * (V - v_text)
    assert torch.allclose(guided(strengths, 7.0), expected, atol=1e-5)
    expected = V + text * (V - v_prompt) + speaker * (v_prompt - NOTHING)
    assert torch.allclose(guided(strengths + ",split.through=prompt", 7.0), expected, atol=1e-5)


def test_rescaling_gives_back_the_spread() -> None:
    before, after = guided("cfg", 2.0), guided("rescale.share=1", 2.0)
    for i in range(B):
        assert before[i, 2:].std() != pytest.approx(V[i, 2:].std().item(), rel=0.1)
        assert after[i, 2:].std().item() == pytest.approx(V[i, 2:].std().item(), rel=1e-5)
    assert torch.allclose(guided("rescale.share=0.25", 2.0), 0.25 * after + 0.75 * before, atol=1e-5)


@pytest.mark.parametrize("along", [0.0, 0.5, 1.0])
def test_projection_keeps_its_share_along_the_clean_mel(along: float) -> None:
    clean, t, strength = X_T + 0.5 * V, 0.5, 2.0
    d = (guided(f"apg.along={along},apg.momentum=0", strength, (t,)) - V) / strength
    plain = V - NOTHING
    assert torch.allclose(inner(d, clean), along * inner(plain, clean), atol=1e-4)
    assert torch.allclose(
        d - inner(d, clean) / inner(clean, clean) * clean,
        plain - inner(plain, clean) / inner(clean, clean) * clean,
        atol=1e-5,
    )


def test_momentum_adds_the_former_difference_of_clean_mels() -> None:
    found = guided("apg.along=1,apg.momentum=-0.3", 1.0, (0.25, 0.5))
    first, second = 0.75 * (V - NOTHING), 0.5 * (V - NOTHING)
    assert torch.allclose(found, V + (second - 0.3 * first) / 0.5, atol=1e-5)
    at_the_end = guided("apg", 1.0, (0.9, 1.0))
    assert at_the_end.abs().max() < 10 * V.abs().max(), "no division by 1 - t = 0"


def test_the_difference_of_clean_mels_is_no_longer_than_the_norm() -> None:
    d = 0.5 * (guided("apg.along=1,apg.momentum=0,apg.norm=0.1", 1.0) - V)
    for i in range(B):
        assert d[i, 2:].square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)
    assert torch.allclose(guided("apg.along=1,apg.momentum=0,apg.norm=99", 1.0), guided("cfg", 1.0), atol=1e-5)


def test_the_null_is_scaled_to_its_best_and_the_first_steps_are_still() -> None:
    best = inner(V, NOTHING) / inner(NOTHING, NOTHING)
    assert torch.allclose(guided("cfg_zero", 2.0), V + 2.0 * (V - best * NOTHING), atol=1e-5)
    for t, is_still in ((0.0, True), (0.125, True), (0.25, False)):
        assert (guided("cfg_zero.still_steps=2", 2.0, (t,)) == 0).all().item() == is_still
    assert (guided("cfg_zero.still_steps=99", 2.0, (GRID[-2].item(),)) != 0).all(), "the last step always moves"


@pytest.mark.parametrize("modes", list(itertools.combinations(MODES, 3)))
def test_the_order_of_modes_does_not_matter(modes: tuple[str, ...]) -> None:
    times = (0.2, 0.4, 0.6)
    found = [guided(",".join(order), 2.0, times) for order in itertools.permutations(modes)]
    assert all(torch.allclose(other, found[0], rtol=1e-4, atol=1e-5) for other in found)
    assert not torch.allclose(found[0], V, atol=1e-2)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "cfg_zero"])
def test_strength_0_is_the_field_itself(mode: str) -> None:
    assert torch.equal(guided(mode, 0.0), V)


def test_the_clean_mel_is_that_of_the_path() -> None:
    path, t = STRAIGHT(STRAIGHT.Options(sigma_min=0.1)), torch.tensor(0.3)
    x_0, x_1 = torch.randn(2, B, N, C)
    sample = path.sample(x_0, x_1, t.expand(B))
    point = guidance.Point(sample.x_t, t, path, IS_TARGET)
    assert torch.allclose(point.clean(sample.velocity), x_1, atol=1e-5)
    straight = guidance.Point(X_T, t, STRAIGHT(STRAIGHT.Options()), IS_TARGET)
    assert straight.remaining.item() == pytest.approx(0.7)


class Recorder(Backbone):
    """``v = 1 has_text + 2 has_prompt - x``; notes the rows of each evaluation as (has_text, has_prompt)."""

    def __init__(self) -> None:
        super().__init__(plugins.Options(), C, 10)
        self.scale = torch.nn.Parameter(torch.tensor(1.0))
        self.rows: list[list[tuple[bool, bool]]] = []

    @property
    def token_table(self) -> torch.nn.Embedding:
        raise NotImplementedError

    def prepare(self, condition: Condition, times: Tensor | None = None) -> tuple[Condition, list[float]]:
        assert times is not None
        return condition, times.tolist()

    def velocity(self, x_t: Tensor, t: Tensor, prepared: tuple[Condition, list[float]]) -> Tensor:
        told, times = prepared
        assert t.item() in times, "prepared for the times at which it is asked"
        self.rows.append(list(zip(told.has_text.tolist(), told.has_prompt.tolist(), strict=True)))
        return self.scale * (told.has_text + 2.0 * told.has_prompt)[:, None, None] - x_t


ALL, TEXT, PROMPT, NONE = (True, True), (True, False), (False, True), (False, False)


@pytest.mark.parametrize(
    ("modes", "strength", "expected"),
    [
        ("cfg", 2.0, [[ALL, NONE]] * 4),
        ("cfg", 0.0, [[ALL]] * 4),
        ("interval.start=0.25,interval.end=0.5", 2.0, [[ALL], [ALL, NONE], [ALL, NONE], [ALL]]),
        ("split.text=2,split.speaker=1", 0.0, [[ALL, TEXT, NONE]] * 4),
        ("split.text=0,split.speaker=1", 0.0, [[ALL, TEXT]] * 4),
        ("split.text=1,split.speaker=0", 0.0, [[ALL, TEXT, NONE]] * 4),
        ("split.text=1,split.speaker=0,split.through=prompt", 0.0, [[ALL, PROMPT]] * 4),
        ("split.text=1,split.speaker=1", 0.0, [[ALL, NONE]] * 4),
        ("split.text=0,split.speaker=0", 3.0, [[ALL]] * 4),
        ("cfg_zero.still_steps=2", 1.0, [[ALL, NONE]] * 2),
        ("cfg_zero,interval.end=0.25,apg,rescale", 1.0, [[ALL, NONE], [ALL], [ALL]]),
        ("auto", 1.0, [[ALL]] * 4),
    ],
)
def test_only_what_is_needed_is_evaluated_and_in_one_call(modes: str, strength: float, expected: list) -> None:
    backbone, weak = Recorder(), Recorder()
    options = SamplingOptions(grid="uniform", steps=4, sway=0, guidance=strength, guidance_modes=modes)
    condition = infill.continue_prompt(torch.zeros(2, C), [1, 2], 6)
    Sampler(backbone, options, weak=weak).sample([condition], [3])
    assert backbone.rows == expected
    assert weak.rows == ([[ALL]] * 4 if modes == "auto" else [])


def test_a_sampled_mel_is_that_of_the_split_field() -> None:
    modes = "split.text=2,split.speaker=0.5"
    options = SamplingOptions(grid="uniform", steps=400, sway=0, guidance_modes=modes)
    (mel,) = Sampler(Recorder(), options).sample([infill.continue_prompt(torch.zeros(1, C), [1], 6)], [3])
    x_0, goal = noise.noise(3, 6, C), 3.0 + 2 * 1.0 + 0.5 * 2.0
    assert torch.allclose(mel[1:], (goal + (x_0 - goal) / 2.718281828)[1:], atol=2e-2)


@pytest.mark.parametrize("modes", [*MODES, "apg,rescale,cfg_zero,split.text=3,interval"])
def test_an_utterance_is_guided_alike_alone_and_in_a_batch(modes: str) -> None:
    kind = plugins.load(Backbone, "dit")
    torch.manual_seed(0)
    sizes = dict(dim=32, depth=1, heads=2, head_dim=16, ff_mult=2, text_dim=16, conv_layers=1)
    backbone = kind(kind.Options(**sizes), C, 10).eval()
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    conditions = [infill.continue_prompt(torch.randn(p, C), [1, 2, 3], n) for p, n in ((3, 20), (8, 33))]
    options = SamplingOptions(steps=4, guidance_modes=modes)
    sampler = Sampler(backbone, options, weak=backbone)
    together = sampler.sample(conditions, [1, 2])
    for condition, seed, mel in zip(conditions, (1, 2), together, strict=True):
        assert torch.allclose(sampler.sample([condition], [seed])[0], mel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_one_file_whose_settings_come_back(name: str) -> None:
    kind = plugins.load(Guidance, name)
    assert kind.__doc__ and kind.compares == (kind.terms is not Guidance.terms)
    settings = guidance.parse(name)
    assert settings == {name: kind.Options().model_dump()} and guidance.parse(settings) == settings
    options = SamplingOptions(guidance_modes=name)
    assert SamplingOptions(**json.loads(options.model_dump_json())) == options


@pytest.mark.parametrize(
    ("modes", "line"),
    [
        ("foo", "no Guidance called 'foo'; choose one of apg, auto, cfg,"),
        ("interval.stop=1", "interval has no option 'stop'; it has start, end"),
        ("cfg.x=1", "cfg has no option 'x'; it has none"),
        ("interval.end=soon", "interval.end is 'soon': Input should be a valid number"),
        ("interval.end=1.5", "interval.end is '1.5': Input should be less than or equal to 1"),
        ("interval.start=0.9", "interval.start 0.9 is above interval.end 0.75"),
        ("apg=3", "'apg=3' is no mode; write NAME or NAME.OPTION=VALUE"),
        ("apg.along", "'apg.along' is no mode"),
        ("cfg,,apg", "'' is no mode"),
        (None, "None names no modes; write NAME or NAME.OPTION=VALUE"),
        (True, "True names no modes"),
        ({"interval": {1: 2}}, "interval.1 is 1"),
        ({"apg": 3}, "apg is 3; it takes a mapping of along, momentum, norm"),
    ],
)
def test_a_bad_mode_is_one_clear_line(modes: Any, line: str) -> None:
    with pytest.raises(ValueError) as caught:
        guidance.parse(modes)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_without_a_weaker_model_there_is_no_auto_guidance() -> None:
    with pytest.raises(ValueError, match="leads away from a weaker model"):
        Sampler(Recorder(), SamplingOptions(guidance_modes="auto"))


Command = Callable[..., Finished]


def test_modes_from_the_command_line(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    common = ("synthesize", "Hello you.", "--model", model_folder, "--output", speech, "--json", "-q", "--seed", 0)
    modes = ("--guidance-mode", "interval.end=0.5,rescale", "--guidance-mode", "auto", "--guidance-model", model_folder)
    done = tts_fm_command(*common, *modes)
    assert (done.code, done.stderr) == (0, "")
    found = json.loads(done.stdout)["guidance_modes"]
    assert found == {"interval": {"start": 0.0, "end": 0.5}, "rescale": {"share": 0.7}, "auto": {"strength": None}}


def test_modes_with_a_checkpoint_of_f5(
    tts_fm_command: Command, foreign: Path, voice_file: Path, tmp_path: Path
) -> None:
    model = ("--model", foreign / "model.pt", "--vocab", foreign / "vocab.txt", "--architecture", foreign / "tiny.yaml")
    voice = ("--ref-audio", voice_file, "--ref-text", "some words", "--vocoder", "griffin_lim", "--seed", 0)
    modes = ("--guidance-mode", "split.text=3,split.speaker=0.5,apg,rescale,cfg_zero,interval.end=0.5")
    speech = tmp_path / "speech.wav"
    done = tts_fm_command("synthesize", "hello you", *model, *voice, *modes, "--output", speech, "--json", "-q")
    assert done.code == 0 and speech.exists()
    found = json.loads(done.stdout)["guidance_modes"]
    assert list(found) == ["split", "apg", "rescale", "cfg_zero", "interval"] and found["split"]["text"] == 3


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--guidance-mode foo", "choose one of apg, auto, cfg, cfg_zero, interval, rescale, split"),
        ("--guidance-mode auto", "--guidance-mode auto and --guidance-model MODEL, the weaker model, need each other"),
        ("--guidance-model default", "need each other; give both"),
        ("--guidance-mode auto --guidance-model default", "has another frontend than tiny; give a smaller model"),
    ],
)
def test_mistakes_on_the_command_line(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path, options: str, line: str
) -> None:
    speech = tmp_path / "speech.wav"
    done = tts_fm_command(
        "synthesize", "Hi.", "--model", model_folder, "--output", speech, "--seed", 0, *options.split()
    )
    assert done.code == 2 and line in done.line and not speech.exists()
