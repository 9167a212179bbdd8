"""Foreign checkpoints and architecture files: what fits is read exactly, what does not is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tts_fm import config
from tts_fm.backbones import Backbone
from tts_fm.errors import ModelError
from tts_fm.interop import f5_tts

CONFIGS = Path(__file__).parents[1] / "configs"
N_MELS, VOCAB = 20, 12
SIZES: dict[str, Any] = {"dim": 32, "depth": 2, "heads": 2, "dim_head": 8, "ff_mult": 2}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "DiT": {**SIZES, "text_dim": 16, "conv_layers": 1, "long_skip_connection": True, "qk_norm": "rms_norm"},
    "UNetT": {**SIZES, "conv_layers": 1, "pe_attn_head": 1},
    "MMDiT": {**SIZES, "qk_norm": "rms_norm", "text_mask_padding": True},
}


def build(kind: str = "DiT", seed: int = 0, vocab_size: int = VOCAB, **overrides: Any) -> Backbone:
    choice = f5_tts.backbone_options({**ARCHITECTURES[kind], **overrides}, kind)
    torch.manual_seed(seed)
    return choice.build(Backbone, N_MELS, vocab_size).eval()


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def as_published(backbone: Backbone) -> dict[str, Tensor]:
    mel = {f"ema_model.mel_spec.mel_stft.{name}": torch.ones(3) for name in ("mel_scale.fb", "spectrogram.window")}
    return {**f5_tts.to_f5(backbone), **mel}


def write_safetensors(folder: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, folder / "model.safetensors")
    return folder / "model.safetensors"


def write_pickle(folder: Path, tensors: dict[str, Tensor]) -> Path:
    other = {key.removeprefix("ema_model."): torch.zeros_like(value) for key, value in tensors.items()}
    value = {"model_state_dict": other, "optimizer_state_dict": {}, "ema_model_state_dict": tensors, "update": 7}
    torch.save(value, folder / "model.pt")
    return folder / "model.pt"


def write_old_pickle(folder: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save({"ema_model_state_dict": tensors, "step": 7}, folder / "old.pt", _use_new_zipfile_serialization=False)
    return folder / "old.pt"


def write_without_prefix(folder: Path, tensors: dict[str, Tensor]) -> Path:
    return write_safetensors(folder, {key.removeprefix("ema_model."): value for key, value in tensors.items()})


def write_bare(folder: Path, tensors: dict[str, Tensor]) -> Path:
    stem = "ema_model.transformer."
    return write_safetensors(folder, {k.removeprefix(stem): v for k, v in tensors.items() if k.startswith(stem)})


WRITERS = [write_safetensors, write_pickle, write_old_pickle, write_without_prefix, write_bare]


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("write", WRITERS)
def test_every_form_of_a_checkpoint_is_read(kind: str, write: Callable[..., Path], tmp_path: Path) -> None:
    trained = build(kind, seed=1)
    state = f5_tts.load_f5(write(tmp_path, as_published(trained)), build(kind, seed=2))
    assert same(state, dict(trained.state_dict()))


def test_weights_that_are_not_averaged_can_be_asked_for(tmp_path: Path) -> None:
    path = write_pickle(tmp_path, as_published(build()))
    assert all((value == 0).all() for value in f5_tts.load_f5(path, build(), prefers_ema=False).values())


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    halves = {key: value.half() if value.is_floating_point() else value for key, value in as_published(build()).items()}
    state = f5_tts.load_f5(write_safetensors(tmp_path, halves), build())
    assert {value.dtype for value in state.values()} == {torch.float32}


def damaged(kind: str, folder: Path) -> Path:
    """Write a checkpoint with the fault called ``kind``."""
    tensors = as_published(build())
    keys = [key for key in tensors if ".attn." in key]
    if kind == "missing":
        return write_safetensors(folder, {k: v for k, v in tensors.items() if k not in keys})
    if kind == "unknown":
        return write_safetensors(folder, {**tensors, "ema_model.transformer.surprise.weight": torch.ones(2)})
    if kind == "vocabulary":
        return write_safetensors(folder, as_published(build(vocab_size=VOCAB + 5)))
    if kind == "width":
        return write_safetensors(folder, as_published(build(ff_mult=4)))
    if kind == "empty mapping":
        return write_safetensors(folder, {"initted": torch.ones(1)})
    if kind == "no file":
        return folder / "model.safetensors"
    path = (write_safetensors if "safetensors" in kind else write_pickle)(folder, tensors)
    content = path.read_bytes()
    path.write_bytes(b"" if "empty" in kind else content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", ["20 missing (transformer_blocks.0.attn.k_norm.weight", "...", "name the right one"]),
        ("unknown", ["1 unknown (surprise.weight)", "name the right one"]),
        ("vocabulary", ["a vocabulary of 17 tokens", "the one given has 12", "give the vocab.txt"]),
        ("width", ["(128, 32)", "(64, 32)", "name the right one"]),
        ("empty mapping", ["is no F5-TTS or E2-TTS checkpoint", "initted"]),
        ("no file", ["does not exist"]),
        ("truncated safetensors", ["model.safetensors", "again"]),
        ("empty safetensors", ["model.safetensors", "again"]),
        ("truncated pickle", ["model.pt is truncated or no checkpoint", "again"]),
        ("empty pickle", ["model.pt is truncated or no checkpoint", "again"]),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(kind: str, words: list[str], tmp_path: Path) -> None:
    path = damaged(kind, tmp_path)
    with pytest.raises(ModelError) as caught:
        f5_tts.load_f5(path, build())
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


class Malice:
    """Unpickling it would make a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("form", ["torch", "plain"])
def test_code_in_a_pickle_is_never_run(form: str, tmp_path: Path) -> None:
    path, value = tmp_path / "model.pt", {"model_state_dict": Malice(tmp_path / "trace")}
    if form == "torch":
        torch.save(value, path)
    else:
        path.write_bytes(pickle.dumps(value))
    with pytest.raises(ModelError, match=r"model\.pt") as caught:
        f5_tts.load_f5(path, build())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trace").exists()


YAML = """
hydra:
  run:
    dir: ckpts/${model.name}_${model.tokenizer}/${now:%Y-%m-%d}
datasets: {name: Emilia_ZH_EN, batch_size_per_gpu: 38400}
optim: {epochs: 11, learning_rate: 7.5e-5}
model:
  name: Mine
  tokenizer: custom
  tokenizer_path: ./vocab.txt
  backbone: DiT
  arch:
    dim: 512
    depth: 6
    heads: 8
    ff_mult: 2
    text_dim: 256
    text_mask_padding: True
    qk_norm: rms_norm  # null | rms_norm
    conv_layers: 3
    pe_attn_head: 2
    attn_backend: flash_attn
    attn_mask_enabled: False
    checkpoint_activations: False
  mel_spec:
    target_sample_rate: 24000
    n_mel_channels: 80
    hop_length: 256
    win_length: 1024
    n_fft: 1024
    mel_spec_type: vocos
  vocoder: {is_local: False, local_path: null}
ckpts:
  save_dir: ckpts/${model.name}
"""


def test_the_packages_yaml_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(YAML, encoding="utf-8")
    model = f5_tts.architecture(tmp_path / "mine.yaml")
    options = model.backbone.options.model_dump()
    expected = {"dim": 512, "depth": 6, "heads": 8, "ff_mult": 2.0, "text_dim": 256, "conv_layers": 3, "rope_heads": 2}
    assert {key: options[key] for key in expected} == expected
    assert options["qk_norm"] and options["text_mask_padding"] and not options["long_skip"]
    assert (model.name, model.mel.n_mels, model.duration.rule) == ("Mine", 80, "f5_bytes")
    assert (model.sampling.steps, model.sampling.guidance, model.sampling.sway) == (32, 2.0, -1.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("DiT", "Mamba", "backbone is 'Mamba'; choose one of DiT, UNetT, MMDiT"),
        ("custom", "phone", "tokenizer is 'phone'; choose one of"),
        ("conv_layers: 3", "conv_layer: 3", "DiT has no argument 'conv_layer'"),
        ("rms_norm  #", "layer_norm  #", "qk_norm is 'layer_norm'"),
        ("dim: 512", "dim: -1", "dim is -1"),
    ],
)
def test_an_architecture_that_we_do_not_know_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(YAML.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.yaml") as caught:
        f5_tts.architecture(tmp_path / "mine.yaml")
    assert words in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no architecture called 'F6TTS'; choose one of F5TTS_v1_Base, F5TTS_Base"):
        f5_tts.architecture("F6TTS")


@pytest.mark.parametrize("name", f5_tts.PUBLISHED)
def test_the_published_models_are_in_configs(name: str) -> None:
    written = config.read_model(CONFIGS / f"{name}.yaml")
    assert written == f5_tts.architecture(name) == f5_tts.architecture(CONFIGS / f"{name}.yaml")
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    blocks = [line.split(":")[0] for line in text.splitlines() if line and line[0].isalpha()]
    assert blocks == list(config.ModelConfig.model_fields), "complete, in the order of the configuration"
    assert {"sigma_min", "dropout", "head_dim", "floor_seconds"} <= {
        line.strip().split(":")[0] for line in text.splitlines()
    }


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("F5TTS_v1_Base", 335.8),
        ("F5TTS_Base", 335.8),
        ("F5TTS_v1_Small", 157.9),
        ("F5TTS_Small", 157.9),
        ("E2TTS_Base", 333.2),
        ("E2TTS_Small", 156.9),
    ],
)
def test_the_published_models_have_their_size(name: str, millions: float) -> None:
    """The papers count without the table of tokens, which depends on the vocabulary."""
    with torch.device("meta"):
        model = config.read_model(CONFIGS / f"{name}.yaml")
        backbone = model.backbone.build(Backbone, model.mel.n_mels, 2545)
    counts = {key: p.numel() for key, p in backbone.named_parameters()}
    tokens = counts.pop("text_embedding.embedding.weight")
    assert tokens == 2546 * (512 if name.startswith("F5") else 100)
    assert sum(counts.values()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_foreign_model_is_loaded_whole(foreign: Path) -> None:
    model, backbone, frontend = f5_tts.load(foreign / "model.pt", foreign / "vocab.txt", str(foreign / "tiny.yaml"))
    assert model.name == "foreign" and frontend.vocab_size == backbone.vocab_size == 27 and not backbone.training
    stored = torch.load(foreign / "model.pt", weights_only=True)["ema_model_state_dict"]
    assert same({**f5_tts.to_f5(backbone)}, stored)
    assert all(p.requires_grad and not p.is_meta for p in backbone.parameters())


def test_what_we_write_is_what_the_package_published() -> None:
    folder = Path(os.environ.get("TTS_FM_GOLDENS", Path(__file__).parent / "data" / "goldens"))
    for name, arch in json.loads((folder / "golden.json").read_text(encoding="utf-8"))["models"].items():
        backbone = f5_tts.backbone_options(arch).build(Backbone, arch["mel_dim"], arch["text_num_embeds"])
        backbone.load_state_dict(f5_tts.load_f5(folder / f"{name}.weights.safetensors", backbone))
        published = load_file(folder / f"{name}.weights.safetensors")
        ours = {**f5_tts.to_f5(backbone), "step": published["step"]}
        assert same(ours, published)
