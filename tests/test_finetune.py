"""Fine-tuning: old tokens stay bit for bit what they were, adapters merge, and what does not fit is said in one line."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Finished
from safetensors.torch import load_file
from tiny_run import in_processes
from torch import Tensor, nn

from tts_fm import checkpoint, config, infill, plugins, strict
from tts_fm.backbones import Backbone
from tts_fm.config import FinetuneOptions, LoraOptions, RunConfig
from tts_fm.errors import ModelError
from tts_fm.frontends import Frontend
from tts_fm.training import finetune, lora
from tts_fm.training.finetune import Start
from tts_fm.training.objective import Objective
from tts_fm.training.optimizer import Average, adamw
from tts_fm.training.team import Team
from tts_fm.types import Batch

GOLDEN = Path(__file__).parent / "data" / "goldens" / "f5_v1.weights.safetensors"
TOKENS = [" ", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?'-:"]  # as many as the golden model has
NEW = [*"ąęż"]
SIZES = {"dim": 64, "depth": 2, "heads": 2, "head_dim": 16, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
BACKBONES = plugins.names(Backbone)
F5 = {"name": "dit", "dim": 64, "depth": 2, "heads": 2, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
Command = Callable[..., Finished]


class Fixture:
    """A run that starts from another model, as ``tts-fm train`` sets it up."""

    def __init__(self, folder: Path, base: Mapping[str, Any], backbone: Mapping[str, Any], **changes: Any) -> None:
        self.vocab = write_vocab(folder / "run" / "vocab.txt", changes.pop("tokens", [*TOKENS, *NEW]))
        self.run = run_config(backbone, base, **changes)
        frontend = self.run.model.frontend.build(Frontend, vocab=self.vocab)
        torch.manual_seed(1)
        self.backbone: Backbone = self.run.model.backbone.build(Backbone, 100, frontend.vocab_size)
        assert self.run.finetune is not None
        self.options: FinetuneOptions = self.run.finetune
        self.start: Start = finetune.load(self.options, self.backbone, self.run.model, frontend)
        finetune.freeze(self.backbone, self.options.freeze)
        if self.options.lora is not None:
            lora.inject(self.backbone, self.options.lora, self.start.extended)

    @property
    def table(self) -> Tensor:
        """The rows of all tokens, after the filler's."""
        (found,) = [m for m in self.backbone.modules() if isinstance(m, nn.Embedding) and len(m.weight) > len(TOKENS)]
        return found.weight

    def plain(self) -> Backbone:
        """Return a backbone of the run without adapters."""
        return self.run.model.backbone.build(Backbone, 100, len(TOKENS) + len(NEW))

    def learn(self, steps: int = 4) -> Average:
        """Do real updates with weight decay, and return the averaged weights."""
        objective, average = Objective(self.run, self.backbone), Average(self.backbone, self.run.training)
        optimizer = adamw(self.backbone, self.run.optimizer, self.start.undecayed)
        for step in range(steps):
            objective(batch(seed=step), step).total.backward()
            optimizer.step()
            optimizer.zero_grad()
            average.follow(step)
        return average


def write_vocab(path: Path, tokens: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


def run_config(backbone: Mapping[str, Any], base: Mapping[str, Any], **changes: Any) -> RunConfig:
    value = {
        "model": {"name": "run", "frontend": "vocab", "backbone": backbone, **changes.pop("model", {})},
        "data": {"manifests": [], "frames_per_batch": 100},
        "finetune": {**base, **changes.pop("finetune", {})},
        "infill": {"drop_text": 0.0, "drop_both": 0.0},
        "optimizer": {"lr": 1e-3, "weight_decay": 0.5, "warmup_updates": 0, **changes.pop("optimizer", {})},
        "training": {"updates": 10, "ema_decay": 0.9},
    }
    return config.parse(RunConfig, value, "run.yaml")


def options_of(name: str) -> dict[str, Any]:
    """Return small sizes for a backbone."""
    fields = plugins.load(Backbone, name).Options.model_fields
    return {"name": name, **{key: value for key, value in SIZES.items() if key in fields}}


def batch(seed: int = 0, n: int = 40) -> Batch:
    """Noise to learn from, in which every token occurs, the new ones at the end."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randperm(len(TOKENS), generator=generator)[:17].tolist()
    new = range(len(TOKENS), len(TOKENS) + len(NEW))
    token_ids = torch.tensor([[*ids, *new], [*new, *ids]])
    return Batch(
        mel=torch.randn(2, n, 100, generator=generator),
        is_valid=torch.ones(2, n, dtype=torch.bool),
        token_ids=token_ids,
        token_frames=torch.full_like(token_ids, 2),
        ids=("a", "b"),
    )


@pytest.fixture(scope="module")
def f5(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What ``finetune`` says to start from the golden checkpoint."""
    folder = tmp_path_factory.mktemp("f5")
    model = config.parse(config.ModelConfig, {"name": "f5", "frontend": "vocab", "backbone": F5}, "f5.yaml")
    (folder / "f5.yaml").write_text(strict.dump(model), encoding="utf-8")
    write_vocab(folder / "vocab.txt", TOKENS)
    return {"model": str(GOLDEN), "vocab": str(folder / "vocab.txt"), "architecture": str(folder / "f5.yaml")}


@pytest.fixture(scope="module", params=BACKBONES)
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """A model folder of random weights for each backbone, as ``finetune`` names it, and its backbone."""
    return {"model": str(write_model(tmp_path_factory.mktemp(request.param), request.param))}, options_of(request.param)


def write_model(folder: Path, backbone: str) -> Path:
    value = {"name": "base", "frontend": "vocab", "backbone": options_of(backbone), "license": "CC0-1.0"}
    model = config.parse(config.ModelConfig, value, "base.yaml")
    torch.manual_seed(0)
    base: Backbone = model.backbone.build(Backbone, 100, len(TOKENS))
    with torch.no_grad():
        for parameter in base.parameters():  # behind a layer of zeros nothing would learn at first
            parameter.add_(0.05 * torch.randn_like(parameter))
    checkpoint.save_model(folder, model, base.state_dict(), vocab=write_vocab(folder / "vocab.txt", TOKENS))
    return folder


# New tokens


def test_a_fine_tune_of_an_f5_checkpoint_keeps_its_old_embeddings(f5: dict[str, str], tmp_path: Path) -> None:
    old = load_file(GOLDEN)["ema_model.transformer.text_embed.text_embed.weight"]
    made = Fixture(tmp_path, f5, F5)
    assert old.shape[0] == 61 and made.table.shape[0] == 64
    assert torch.equal(made.table[:61], old)
    before = {name: value.clone() for name, value in made.backbone.state_dict().items()}
    average = made.learn(5)
    assert torch.equal(made.table[:61], old)
    assert torch.equal(average.weights["text_embedding.embedding.weight"][:61], old)
    assert bool((made.table[61:] != before["text_embedding.embedding.weight"][61:]).all())
    for name, value in made.backbone.state_dict().items():
        assert name == "text_embedding.embedding.weight" or not torch.equal(value, before[name]), name


def test_old_tokens_stay_and_new_ones_learn_in_every_backbone(ours: tuple[dict, dict], tmp_path: Path) -> None:
    base, backbone = ours
    _, source = checkpoint.load_model(Path(base["model"]))
    (old,) = [m.weight for m in source.modules() if isinstance(m, nn.Embedding) and len(m.weight) == len(TOKENS) + 1]
    made = Fixture(tmp_path, base, backbone)
    new = made.table[len(old) :].clone()
    assert torch.equal(made.table[: len(old)], old) and len(new) == len(NEW)
    state = source.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in made.backbone.state_dict().items() if v.shape == state[k].shape)
    average = made.learn()
    (name,) = made.start.undecayed
    assert torch.equal(made.table[: len(old)], old) and torch.equal(average.weights[name][: len(old)], old)
    assert bool((made.table[len(old) :] != new).all())


def test_old_tokens_learn_where_they_are_not_held(f5: dict[str, str], tmp_path: Path) -> None:
    made = Fixture(tmp_path, f5, F5, finetune={"keep_old_tokens": False})
    before = made.table.detach().clone()
    assert made.start.undecayed == frozenset()
    made.learn()
    assert bool((made.table != before).any(dim=1)[1:].all())


def test_without_new_tokens_the_whole_table_learns(f5: dict[str, str], tmp_path: Path) -> None:
    made = Fixture(tmp_path, f5, F5, tokens=TOKENS)
    assert (made.start.extended, made.start.undecayed) == (frozenset(), frozenset())
    assert torch.equal(made.table, load_file(GOLDEN)["ema_model.transformer.text_embed.text_embed.weight"])


def test_processes_that_average_their_gradients_keep_old_tokens(f5: dict[str, str], tmp_path: Path) -> None:
    def work(rank: int) -> None:
        made = Fixture(tmp_path / str(rank), f5, F5)
        old = made.table[:61].clone()
        module = Team("cpu").ddp(Objective(made.run, made.backbone))
        optimizer = adamw(made.backbone, made.run.optimizer, made.start.undecayed)
        for step in range(3):
            module(batch(seed=2 * step + rank), step).total.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert torch.equal(made.table[:61], old)
        torch.save(made.table.detach(), tmp_path / f"{rank}.pt")

    assert in_processes(2, work) == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert torch.equal(first, second)


def test_new_rows_are_spread_as_the_old_ones() -> None:
    old = torch.randn(100, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 9.0) + 3
    table = finetune.with_rows(old, 20_100)
    new, tokens = table[100:], old[1:]
    assert torch.equal(table[:100], old) and torch.equal(table, finetune.with_rows(old, 20_100))
    deviation = tokens.std(dim=0, correction=0)
    assert ((new.mean(dim=0) - tokens.mean(dim=0)).abs() / deviation).max() < 0.03
    assert (new.std(dim=0) / deviation - 1).abs().max() < 0.03


# What does not fit


@pytest.mark.parametrize(
    ("changes", "kind", "line"),
    [
        ({"tokens": ["é"]}, ModelError, "vocab.txt, line 1: the first token is 'é'"),
        (
            {"tokens": [" ", "a", "é", *TOKENS[2:]]},
            ValueError,
            "where line 3 is 'b'; in the run it is on line 4; add new tokens only at the end",
        ),
        ({"tokens": [*TOKENS[:-1], "é"]}, ValueError, "where line 60 is ':'; in the run it is not there"),
        ({"model": {"frontend": "utf8"}}, ValueError, "where line 1 is ' '; in the run it is on line 33"),
        ({"model": {"backbone": {**F5, "dim": 32}}}, ModelError, "backbone.dim is 32 in the run and 64 in the model"),
        ({"model": {"mel": {"hop_length": 200}}}, ValueError, "mel.hop_length is 200 in the run and 256 in the model"),
        (
            {"finetune": {"freeze": ["text_*"]}},
            ValueError,
            "holds text_embedding.embedding.weight, but the run has new",
        ),
        ({"finetune": {"freeze": ["text_embeding.*"]}}, ValueError, "did you mean text_embedding.* or "),
        ({"finetune": {"freeze": ["xyz"]}}, ValueError, "no parameter is called 'xyz'; there are time_embedding.*, "),
        ({"finetune": {"freeze": ["*"]}, "tokens": TOKENS}, ValueError, "finetune.freeze holds every parameter: *"),
        ({"finetune": {"architecture": ""}}, ValueError, "or a YAML file (finetune.architecture)"),
        ({"finetune": {"vocab": ""}}, ValueError, "has no vocab.txt beside it; give one (finetune.vocab)"),
        ({"finetune": {"model": "no.safetensors"}}, ModelError, "there is no file or folder no.safetensors"),
    ],
)
def test_what_does_not_fit_is_one_line(
    f5: dict[str, str], tmp_path: Path, changes: dict[str, Any], kind: type[ValueError], line: str
) -> None:
    with pytest.raises(ValueError) as caught:
        Fixture(tmp_path, f5, F5, **changes)
    assert type(caught.value) is kind and line in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_without_a_vocabulary_needs_its_own_frontend(model_folder: Path, tmp_path: Path) -> None:
    backbone = checkpoint.read_model(model_folder / "config.yaml").backbone
    with pytest.raises(ValueError, match="model.frontend is vocab in the run and utf8 in"):
        Fixture(tmp_path, {"model": str(model_folder)}, strict.plain(backbone))


def test_dropout_may_differ(f5: dict[str, str], tmp_path: Path) -> None:
    assert Fixture(tmp_path, f5, {**F5, "dropout": 0.3}).start.name == str(GOLDEN)


def test_frozen_parameters_stay(f5: dict[str, str], tmp_path: Path) -> None:
    made = Fixture(tmp_path, f5, F5, finetune={"freeze": ["time_*", "blocks.0.*"]})
    before = {name: value.clone() for name, value in made.backbone.state_dict().items()}
    made.learn(2)
    stay = {name for name, value in made.backbone.state_dict().items() if torch.equal(value, before[name])}
    assert stay == {name for name in before if name.startswith(("time_", "blocks.0."))} and len(stay) == 12


# What a person should know


@pytest.mark.parametrize(
    ("parameters", "changes", "line"),
    [
        (100_000_000, {"optimizer": {"lr": 2e-4}}, "optimizer.lr is 0.0002, with which 100 M parameters forget"),
        (100_000_000, {"optimizer": {"lr": 1e-5}}, None),
        (10_000_000, {"optimizer": {"lr": 2e-4}}, None),
        (100_000_000, {"optimizer": {"lr": 3e-4}, "finetune": {"lora": {}}}, None),
        (
            10_000_000,
            {"optimizer": {"lr": 1e-5}, "finetune": {"lora": {}}},
            "adapters usually learn with 0.0001 to 0.001",
        ),
        (1, {"optimizer": {"warmup_updates": 20_000}}, "optimizer.warmup_updates is 20,000 and the run has 10 updates"),
        (
            1,
            {"model": {"frontend": {"name": "vocab", "pinyin": False}}},
            "frontend.pinyin is False in the run and True",
        ),
        (1, {"model": {"mel_scale": {"mean": -2.0}}}, "mel_scale.mean is -2.0 in the run and 0.0 in the model"),
        (1, {"model": {"license": "MIT"}}, "model.license is 'MIT', and base is under CC0-1.0"),
    ],
)
def test_warnings(parameters: int, changes: dict[str, Any], line: str | None) -> None:
    model = {"license": "CC0-1.0", **changes.get("model", {})}
    base = config.parse(
        config.ModelConfig, {"name": "base", "frontend": "vocab", "backbone": F5, "license": "CC0-1.0"}, "base.yaml"
    )
    run = run_config(F5, {"model": "base"}, **{**changes, "model": model})
    found = finetune.warnings_for(run, Start("base", base, "", parameters, frozenset(), frozenset()))
    assert len(found) == (line is not None)
    assert line is None or line in found[0]


def test_characters_that_are_missing_are_named_with_how_often(tmp_path: Path) -> None:
    vocab = write_vocab(tmp_path / "vocab.txt", TOKENS)
    frontend = plugins.build(Frontend, "vocab", plugins.load(Frontend, "vocab").Options(), vocab)
    assert finetune.missing_tokens({"a": 1000, " ": 10}, frontend) == []
    (line,) = finetune.missing_tokens({"a": 1000, "ż": 3, "é": 1200}, frontend)
    assert (
        line.startswith("the corpus has 2 characters that are not in the vocabulary")
        and "'é' (1,200), 'ż' (3);" in line
    )
    (line,) = finetune.missing_tokens({chr(0x400 + i): 100 - i for i in range(14)}, frontend)
    assert "'Љ' (91) and 4 more;" in line


# Adapters

TARGETS = {
    "dit": {"attention.qkv", "attention.out", "feed_forward.expand", "feed_forward.contract"},
    "unet_t": {"attention.qkv", "attention.out", "feed_forward.expand", "feed_forward.contract"},
    "aligned_dit": {"qkv", "proj", "ff.0", "ff.2"},
    "mmdit": {
        f"{stream}.{layer}"
        for stream in ("frames", "tokens")
        for layer in ("attention.qkv", "attention.out", "feed_forward.expand", "feed_forward.contract")
    },
}


def test_adapters_are_on_attention_and_feed_forward(ours: tuple[dict, dict], tmp_path: Path) -> None:
    base, backbone = ours
    made = Fixture(tmp_path, base, backbone, finetune={"lora": {"rank": 4}})
    last = {"tokens.attention.out", "tokens.feed_forward.expand", "tokens.feed_forward.contract"}  # not in mmdit's last
    layers = TARGETS[backbone["name"]]
    expected = {f"blocks.0.{layer}" for layer in layers} | {f"blocks.1.{layer}" for layer in layers - last}
    learns = {name for name, parameter in made.backbone.named_parameters() if parameter.requires_grad}
    adapted = {name.partition(".lora_")[0] for name in learns - made.start.extended}
    assert adapted == expected and learns >= made.start.extended
    assert all(value.shape[0 if ".lora_A" in name else 1] == 4 for name, value in of_adapter(made).items())


def of_adapter(made: Fixture) -> dict[str, Tensor]:
    return {name: v for name, v in lora.adapter_state(made.backbone).items() if ".lora_" in name}


def test_merged_weights_compute_what_adapted_ones_do(ours: tuple[dict, dict], tmp_path: Path) -> None:
    base, backbone = ours
    made = Fixture(tmp_path, base, backbone, finetune={"lora": {"rank": 4, "alpha": 6.0, "dropout": 0.1}})
    old = made.table[: len(TOKENS) + 1].clone()
    frozen = {name: p.clone() for name, p in made.backbone.named_parameters() if not p.requires_grad}
    average = made.learn()
    assert all(torch.equal(made.backbone.get_parameter(name), value) for name, value in frozen.items())
    assert torch.equal(made.table[: len(old)], old)
    large_adapters(made.backbone)
    plain = made.plain()
    for state in (made.backbone.state_dict(), {**made.backbone.state_dict(), **average.weights}):
        made.backbone.load_state_dict(state)
        merged = lora.merged_state(made.backbone, state)
        assert list(merged) == list(plain.state_dict())
        plain.load_state_dict(merged)
        losses = [Objective(made.run, network.eval())(batch(), 3).total for network in (made.backbone, plain)]
        velocities = [velocity_of(network) for network in (made.backbone, plain)]
        assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
        assert (velocities[0] - velocities[1]).abs().max() <= 1e-5 * velocities[0].abs().max()
    adapted, table = set(of_adapter(made)), set(made.start.extended)
    assert set(lora.adapter_state(made.backbone)) == adapted | table and adapted


@torch.no_grad()
def large_adapters(backbone: Backbone) -> None:
    """Make adapters as large as a long training would, so that a mistake of a percent shows."""
    for name, parameter in backbone.named_parameters():
        if ".lora_" in name:
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))


@torch.no_grad()
def velocity_of(backbone: Backbone) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    prompt = torch.randn(9, 100, generator=generator)
    condition = infill.continue_prompt(prompt, batch().token_ids[0].tolist(), 40, [2] * 20)
    return backbone(torch.randn(1, 40, 100, generator=generator), torch.tensor(0.3), condition)


def test_without_adapters_nothing_is_merged(f5: dict[str, str], tmp_path: Path) -> None:
    state = Fixture(tmp_path, f5, F5).backbone.state_dict()
    merged = lora.merged_state(Fixture(tmp_path, f5, F5).backbone, state)
    assert list(merged) == list(state) and all(torch.equal(merged[name], state[name]) for name in state)


def test_a_run_with_adapters_goes_on_from_its_state(ours: tuple[dict, dict], tmp_path: Path) -> None:
    base, backbone = ours
    lora_ = {"lora": {"rank": 2}}
    first, second = (Fixture(tmp_path, base, backbone, finetune=lora_) for _ in range(2))
    first.learn()
    second.backbone.load_state_dict(first.backbone.state_dict())
    for made in (first, second):
        torch.manual_seed(0)
        made.learn(2)
    states = [made.backbone.state_dict() for made in (first, second)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_adapters_learn_under_bfloat16(ours: tuple[dict, dict], tmp_path: Path) -> None:
    base, backbone = ours
    made = Fixture(tmp_path, base, backbone, finetune={"lora": {"rank": 2}})
    with torch.autocast("cpu", torch.bfloat16):
        loss = Objective(made.run, made.backbone)(batch(), 0).total
    loss.backward()
    ups = [
        p for name, p in made.backbone.named_parameters() if ".lora_B." in name
    ]  # the downs wait: B is zero at first
    assert ups and all(p.dtype == torch.float32 and p.grad is not None and bool(p.grad.any()) for p in ups)


def test_without_peft_the_command_that_installs_it_is_named(
    f5: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match=re.escape("finetune.lora needs peft; run: pip install 'tts-fm[train]'")):
        Fixture(tmp_path, f5, F5, finetune={"lora": {}})


@pytest.fixture(scope="module")
def trained(f5: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Fixture, Path]:
    """A fine-tune by adapters with new tokens, and the folder of its adapter."""
    folder = tmp_path_factory.mktemp("trained")
    made = Fixture(folder, f5, F5, finetune={"lora": {"rank": 4}}, model={"license": "CC0-1.0"})
    made.learn()
    lora.save_adapter(folder / "adapter", lora.adapter_state(made.backbone), made.run, made.start, made.vocab)
    return made, folder / "adapter"


def test_an_adapter_is_saved_by_itself(trained: tuple[Fixture, Path]) -> None:
    made, folder = trained
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.safetensors", "adapter.yaml", "vocab.txt"]
    about, weights = lora.load_adapter(folder)
    assert about.model == made.run.model and about.lora == LoraOptions(rank=4)
    assert set(weights) == {
        "text_embedding.embedding.weight",
        *(f"{layer}.lora_{part}.weight" for layer in lora.targets(made.plain()) for part in "AB"),
    }


def test_convert_lora_makes_a_model_of_base_and_adapter(
    tts_fm_command: Command, trained: tuple[Fixture, Path], tmp_path: Path
) -> None:
    made, folder = trained
    done = tts_fm_command("convert", "lora", folder, tmp_path / "whole")
    assert done.code == 0, done.stderr
    config_, backbone = checkpoint.load_model(tmp_path / "whole")
    merged, state = lora.merged_state(made.backbone, made.backbone.state_dict()), backbone.state_dict()
    assert config_ == made.run.model
    assert all(torch.equal(state[name], merged[name]) for name in merged) and state.keys() == merged.keys()
    assert (tmp_path / "whole" / "vocab.txt").read_bytes() == made.vocab.read_bytes()
    again = tts_fm_command("convert", "lora", folder, tmp_path / "whole")
    assert again.code == 2 and again.line.endswith("exists already; name a new folder")


def test_convert_lora_takes_the_same_base_in_another_form_and_no_other_base(
    tts_fm_command: Command, trained: tuple[Fixture, Path], f5: dict[str, str], model_folder: Path, tmp_path: Path
) -> None:
    _, folder = trained
    source = ("--vocab", f5["vocab"], "--architecture", f5["architecture"])
    assert tts_fm_command("convert", "f5", f5["model"], tmp_path / "base", *source).code == 0
    assert tts_fm_command("convert", "lora", folder, tmp_path / "a", "--model", tmp_path / "base").code == 0
    done = tts_fm_command("convert", "lora", folder, tmp_path / "b", "--model", model_folder)
    assert (
        done.code == 4 and f"{model_folder} is not the base of this adapter: its weights have the SHA-256" in done.line
    )
    assert not (tmp_path / "b").exists()
    done = tts_fm_command("convert", "lora", folder, tmp_path / "b", *source)
    assert done.code == 2 and done.line.endswith("--vocab and --architecture go with --model; name the base, too")


@pytest.mark.parametrize("name", ["adapter.yaml", "adapter.safetensors"])
def test_a_damaged_adapter_is_one_line(
    tts_fm_command: Command, trained: tuple[Fixture, Path], tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "adapter"
    shutil.copytree(trained[1], broken)
    (broken / name).write_bytes((broken / name).read_bytes()[:100])
    done = tts_fm_command("convert", "lora", broken, tmp_path / "out")
    assert done.code == 4 and name in done.line
    (broken / name).unlink()
    done = tts_fm_command("convert", "lora", broken, tmp_path / "out")
    assert done.code == 4 and f"is no adapter: it has no {name}" in done.line
