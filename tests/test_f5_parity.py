"""What the public F5-TTS package computed is what we compute: every file in a folder of goldens.

The folder is ``tests/data/goldens`` or the one named by the environment variable ``TTS_FM_GOLDENS``; its README says
how it was made. Architectures, shapes and settings are read from it.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.audio.mel import log_mel
from tts_fm.backbones import Backbone
from tts_fm.flow import time_grid
from tts_fm.frontends import Frontend
from tts_fm.interop import f5_tts
from tts_fm.nn import int8
from tts_fm.nn.precision import hold
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.text.chunk import f5_chunks
from tts_fm.types import DECIBELS, Condition, MelSpec

FOLDER = Path(os.environ.get("TTS_FM_GOLDENS", Path(__file__).parent / "data" / "goldens"))
META: Mapping[str, Any] = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))
MODELS = sorted(path.name.removesuffix(".weights.safetensors") for path in FOLDER.glob("*.weights.safetensors"))
SEED = META.get("seed", 7)
SAMPLE = re.compile(r"sample\.(?P<solver>\w+)\.steps(?P<steps>\d+)\.cfg(?P<cfg>[\d.]+)\.sway(?P<sway>None|-?[\d.]+)")


@cache
def golden(name: str) -> dict[str, Tensor]:
    return load_file(FOLDER / f"{name}.golden.safetensors")


@cache
def model(name: str) -> Backbone:
    arch = META["models"][name]
    choice = f5_tts.backbone_options(arch)
    backbone = choice.build(Backbone, arch["mel_dim"], arch["text_num_embeds"])
    backbone.load_state_dict(f5_tts.load_f5(FOLDER / f"{name}.weights.safetensors", backbone))
    return backbone.eval()


def keys(prefix: str) -> list[tuple[str, str]]:
    return [(name, key) for name in MODELS for key in sorted(golden(name)) if key.startswith(prefix)]


def options(solver: str, steps: str, cfg: str, sway: str) -> SamplingOptions:
    return SamplingOptions(
        solver=solver, grid="epss", steps=int(steps), guidance=float(cfg), sway=0.0 if sway == "None" else float(sway)
    )


def utterance(prompt: Tensor, text: Tensor, frames: int) -> Condition:
    return infill.continue_prompt(prompt, text[text != -1].tolist(), frames)


def test_the_folder_holds_goldens() -> None:
    assert MODELS and set(MODELS) <= set(META["models"])
    assert keys("forward.") and keys("sample.") and keys("batch.alone.")


@pytest.mark.parametrize(("name", "key"), keys("forward."))
@torch.inference_mode()
def test_one_evaluation(name: str, key: str) -> None:
    g, what = golden(name), key.removeprefix("forward.")
    b, n, _ = g["x"].shape
    told = {"cond": (True, True), "uncond": (False, False), "drop_audio": (True, False), "drop_text": (False, True)}
    has_text, has_prompt = told[what]
    condition = Condition(
        prompt_mel=g["cond"],
        is_prompt=g["cond"].abs().sum(dim=-1) > 0,
        is_valid=torch.ones(b, n, dtype=torch.bool),
        token_ids=g["text"],
        token_frames=None,
        has_text=torch.full((b,), has_text),
        has_prompt=torch.full((b,), has_prompt),
    )
    velocity = model(name)(g["x"], g["time"], condition)
    assert (velocity - g[key]).abs().max() <= 1e-5 * g[key].abs().max()


@pytest.mark.parametrize(("name", "key"), [pair for pair in keys("sample.") if SAMPLE.fullmatch(pair[1])])
def test_sampling(name: str, key: str) -> None:
    g, match = golden(name), SAMPLE.fullmatch(key)
    assert match is not None
    condition = utterance(g["sample.prompt"][0], g["text"][0], g[key].shape[1])
    sampler = Sampler(model(name), options(**{"cfg": "0", **match.groupdict()}))
    (mel,) = sampler.sample([condition], [SEED])
    assert (mel - g[key][0]).abs().max() <= 1e-4


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_a_lower_precision_stays_near(name: str, precision: str) -> None:
    if precision == "int8" and not int8.is_fast(torch.device("cpu")):
        pytest.skip("this processor does not multiply bytes")
    g = golden(name)
    key = max((key for key in g if SAMPLE.fullmatch(key)), key=lambda key: "cfg2" in key)
    match = SAMPLE.fullmatch(key)
    assert match is not None
    held = copy.deepcopy(model(name))
    if precision == "int8":
        int8.hold(held, set(held.adaptable_layers()), torch.bfloat16)
    hold(held, torch.bfloat16, held.float32_parts)
    condition = utterance(g["sample.prompt"][0], g["text"][0], g[key].shape[1])
    sampling = options(**{"cfg": "0", **match.groupdict()})
    mel, other = (Sampler(held, sampling, torch.bfloat16).sample([condition], [seed])[0] for seed in (SEED, SEED + 1))
    distance, of_seeds = (DECIBELS * float((one - g[key][0]).square().mean().sqrt()) for one in (mel, other))
    print(f"{name}, {key}: {precision} is {distance:.3f} dB from float32, another seed {of_seeds:.1f} dB")
    assert 0 < distance < 0.02 * of_seeds


@pytest.mark.parametrize("name", [name for name in MODELS if "batch.text" in golden(name)])
def test_a_batch_gives_what_each_utterance_gives_alone(name: str) -> None:
    g = golden(name)
    conditions = [
        utterance(prompt[:length], text, frames)
        for prompt, length, text, frames in zip(
            g["batch.prompt"], g["batch.lens"].tolist(), g["batch.text"], g["batch.duration"].tolist(), strict=True
        )
    ]
    sampler = Sampler(model(name), options("euler", "8", "2.0", "-1.0"))
    mels = sampler.sample(conditions, [SEED] * len(conditions))
    for i, mel in enumerate(mels):
        assert (mel - g[f"batch.alone.{i}"][0]).abs().max() <= 1e-4


def mel_flavours() -> list[str]:
    return sorted(key.removeprefix("mel.") for key in golden("mel") if key.startswith("mel."))


@pytest.mark.parametrize("flavour", mel_flavours())
def test_mel(flavour: str) -> None:
    expected = golden("mel")[f"mel.{flavour}"].mT  # b n c
    spec = MelSpec(n_mels=expected.shape[-1], flavour=flavour)  # type: ignore[arg-type]
    assert (log_mel(golden("mel")["wav"], spec) - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("case", META["text"]["pinyin"], ids=lambda case: case["text"][:30])
def test_tokens(case: dict[str, Any], tmp_path: Path) -> None:
    if any("\u3100" <= character <= "\u9fff" for character in case["text"]):
        pytest.importorskip("rjieba")
        pytest.importorskip("pypinyin")
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("\n".join([" ", *sorted(set(case["tokens"]) - {" "})]) + "\n", encoding="utf-8")
    kind = plugins.load(Frontend, "vocab")
    frontend = kind(kind.Options(), vocab)
    assert frontend.tokens(case["text"]) == case["tokens"]
    assert frontend.unknown(case["tokens"]) == []


@pytest.mark.parametrize("case", META["text"]["chunk"], ids=lambda case: f"{case['max_chars']} {case['text'][:20]}")
def test_chunks(case: dict[str, Any]) -> None:
    assert f5_chunks(case["text"], case["max_chars"]) == case["chunks"]


@pytest.mark.parametrize("steps", sorted(META["text"]["epss"], key=int))
def test_epss_grid(steps: str) -> None:
    assert time_grid.epss(int(steps)).tolist() == META["text"]["epss"][steps]
