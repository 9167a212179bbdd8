"""Model folders that are broken or hostile: each is refused with a typed error, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tts_fm import checkpoint, hub, loading, strict, tensors
from tts_fm.audio import io
from tts_fm.audio.library import VoiceLibrary
from tts_fm.errors import InputError, ModelError
from tts_fm.interop import f5_architecture, f5_tts

ALIASES = "a: &a [" + ", ".join("x" * 9) + "]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 9)}]\n" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)  # fmt: skip
CONFIGS = {
    "aliases": ALIASES,
    "an alias in a value": ALIASES + "name: *i\n",
    "an alias of itself": "name: &a [*a]\n",
    "deep": "name: " + "[" * 20_000,
    "deep in blocks": "- " * 20_000,
    "tag bool": "name: !!bool abc\n",
    "tag int": "name: !!int abc\n",
    "tag timestamp": "name: !!timestamp x\n",
    "tag python": "name: !!python/object/apply:os.system [true]\n",
    "key 1": "1: 2\n",
    "key on": "on: 2\n",
    "key list": "? [a]\n: b\n",
    "huge": "name: " + "x" * 2_000_000,
    "huge number": "name: " + "9" * 6_000,
    "NUL": "name: \0\n",
    "nothing": "",
}


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def load(folder: Path) -> None:
    source = hub.resolve(str(folder))
    config, _, _ = loading.load_model(source, torch.device("cpu"))
    checkpoint.load_grids(folder)
    loading.load_vocoder(config, folder)
    loading.own_voice(folder)


def refused(folder: Path, seconds: float = 3.0) -> str:
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError) as caught:
        load(folder)
    assert time.process_time() - began < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1_000
    return str(caught.value)


def edit(folder: Path, **fields: object) -> None:
    value = yaml.safe_load((folder / "config.yaml").read_text())
    for name, new in fields.items():
        *blocks, last = name.split("__")
        inner = value
        for block in blocks:
            inner = inner[block]
        inner[last] = new
    (folder / "config.yaml").write_text(yaml.safe_dump(value))


@pytest.mark.parametrize("kind", CONFIGS)
def test_yaml_that_is_no_configuration(folder: Path, kind: str) -> None:
    (folder / "config.yaml").write_text(CONFIGS[kind])
    refused(folder)


def test_aliases_that_stay_small_are_read() -> None:
    assert strict.load_yaml("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}") == {
        "a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"mel__n_mels": -1},
        {"mel__n_mels": 10**9},
        {"mel__n_fft": 2**40},
        {"mel__hop_length": 0},
        {"mel__win_length": 4096},
        {"mel__sample_rate": 10**18},
        {"backbone__dim": 1_600_000_000},
        {"backbone__dim": 16_384},  # a gigabyte that the file does not hold
        {"backbone__depth": 10**9},
        {"backbone__depth": 256},
        {"backbone__heads": 10**9},
        {"backbone__ff_mult": 1e18},
        {"backbone__text_dim": 10**12},
        {"backbone__conv_layers": 10**9},
        {"vocoder__iterations": 10**12},
        {"limits__max_total_seconds": 1e12},
        {"vocoder_source": "v" * 5_000},
        {"vocoder_source": "a\0b"},
        {"vocoder_source": "/".join("v" * 150)},
        {"vocoder": {"name": "vocos", "layers": 10**9}},
        {"vocoder": {"name": "vocos", "dim": 16_384, "intermediate_dim": 65_536, "layers": 256}, "vocoder_source": ""},
        {"vocoder": {"name": "hifigan", "upsample_initial_channel": 2**40}},
        {"name": "n" * 100_000},
        {"frontend": {"name": ["vocab"] * 1000}},
        {"mel_scale__std": 1e-300},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_sizes_have_bounds_and_take_no_memory(folder: Path, fields: dict[str, object]) -> None:
    edit(folder, **fields)
    refused(folder)


def test_a_vocabulary_of_a_million_lines(folder: Path) -> None:
    edit(folder, frontend={"name": "vocab"})
    (folder / "vocab.txt").write_text(" \n" + "\n".join(map(str, range(1_000_000))))
    assert "vocabulary has at most" in refused(folder)


@pytest.mark.parametrize("kind", ["missing", "folder", "latin-1", "long", "pipe"])
def test_the_words_of_the_voice(folder: Path, kind: str) -> None:
    words = folder / "voice.txt"
    words.unlink()
    if kind == "folder":
        words.mkdir()
    elif kind == "pipe":
        os.mkfifo(words)
    elif kind != "missing":
        words.write_bytes("Grüße".encode("latin-1") if kind == "latin-1" else b"word " * 1_000_000)
    assert "the model's own voice is damaged" in refused(folder)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        "3",
        '{"4": [0, 1]}',
        '{"1": [0, 1e999]}',
        '{"x": []}',
        '{"1": [0, NaN]}',
        '{"1": null}',
        '{"2": [0, ' + "9" * 400 + ", 1]}",
        json.dumps({"1": [0, 1] * 1_000_000}),
        "\xff",
    ],
    ids=lambda text: text[:20],
)
def test_grids(folder: Path, text: str) -> None:
    (folder / "grid.json").write_bytes(text.encode("latin-1"))
    assert "holds no time grids" in refused(folder)


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "voice.txt", "vocab.txt", "inner/secret"])
def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    path, outside = folder / name, tmp_path / "outside"
    path.parent.mkdir(exist_ok=True)
    outside.write_bytes(path.read_bytes() if path.exists() else b"secret")
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    assert "is a link out of the folder" in refused(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(folder)


def test_links_within_the_folder_and_into_a_hubs_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "kept.txt").write_text((folder / "voice.txt").read_text())
    (folder / "voice.txt").unlink()
    (folder / "voice.txt").symlink_to("kept.txt")
    load(folder)
    (tmp_path / "linked").symlink_to(folder)
    load(tmp_path / "linked")
    repository = tmp_path / "models--me--voice"
    (repository / "blobs").mkdir(parents=True)
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        shutil.copyfile(path, repository / "blobs" / path.name)
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    load(snapshot)
    (snapshot / "vocab.txt").symlink_to("/etc/hostname")
    assert "is a link out of the folder" in refused(snapshot)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(folder: Path, number: float) -> None:
    state = load_file(folder / "model.safetensors")
    state["out.bias"][3] = number
    save_file(state, folder / "model.safetensors")
    assert "the weight 'out.bias' is not finite everywhere" in refused(folder)


def test_scales_that_would_blow_a_matrix_up(folder: Path) -> None:
    row, column = torch.zeros(1, 200_000, dtype=torch.int8), torch.ones(200_000, 1)
    save_file({"out.weight": row, "out.weight:scale": column}, folder / "model.safetensors")
    refused(folder)
    with pytest.raises(ModelError, match="are not one a row"):
        tensors.read_tensors(folder / "model.safetensors")


def mutate(folder: Path, draw: random.Random) -> None:
    """Change one file of a model as an accident or an enemy would."""
    path = draw.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    data = bytearray(path.read_bytes())
    kind = draw.choice(("flip", "cut", "repeat", "remove", "folder", "value", "token"))
    if kind == "remove":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind in ("value", "token"):
        lines = (folder / "config.yaml").read_text().splitlines()
        at = draw.randrange(len(lines))
        strange = [
            "-1",
            "1000000000",
            "1e308",
            ".nan",
            "[]",
            "{}",
            "null",
            "!!bool x",
            "*a",
            "&a [*a]",
            "'" + "x" * 9_000 + "'",
        ]
        lines[at] = lines[at].split(":")[0] + (": " if kind == "value" else "") + draw.choice(strange)
        (folder / "config.yaml").write_text("\n".join(lines))
    else:
        at = draw.randrange(min(len(data), 4_000))
        if kind == "flip":
            data[at] = draw.randrange(256)
        path.write_bytes(data[:at] if kind == "cut" else data[:at] * 20 if kind == "repeat" else data)


def try_mutations(model_folder: Path, tmp_path: Path, seeds: range) -> int:
    """Return how many of the mutated folders were refused; whatever is raised must be one of the kinds with a code."""
    n_refused = 0
    for seed in seeds:
        folder = Path(shutil.copytree(model_folder, tmp_path / str(seed)))
        mutate(folder, random.Random(seed))
        began = time.process_time()
        try:
            load(folder)
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 1_500, seed
            n_refused += 1
        assert time.process_time() - began < 3, seed
        shutil.rmtree(folder)
    return n_refused


def test_mutated_folders_are_refused_with_a_line(model_folder: Path, tmp_path: Path) -> None:
    assert try_mutations(model_folder, tmp_path, range(60)) > 20


@pytest.mark.slow
def test_many_mutated_folders_are_refused_with_a_line(model_folder: Path, tmp_path: Path) -> None:
    assert try_mutations(model_folder, tmp_path, range(1_000, 3_000)) > 700


BYTES = st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"RIFF\x40\0\0\0WAVEfmt " + tail)


def check_sound(data: bytes) -> None:
    import io as streams

    try:
        io.read(streams.BytesIO(data))
    except InputError as error:
        assert "\n" not in str(error)


@given(BYTES)
@example(b"")
@settings(max_examples=100, deadline=2_000)
def test_bytes_are_a_sound_or_an_input_error(data: bytes) -> None:
    check_sound(data)


@pytest.mark.slow
@given(BYTES)
@settings(max_examples=5_000, deadline=2_000)
def test_many_bytes_are_a_sound_or_an_input_error(data: bytes) -> None:
    check_sound(data)


NAMES = st.text(max_size=80) | st.sampled_from(["..", "../x", "/etc/passwd", "a/../b", "a\0b", ".", "con", "a" * 5_000])


@given(NAMES)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_reads_or_writes_outside_the_library(tmp_path: Path, name: str) -> None:
    library = VoiceLibrary(tmp_path / "voices")
    try:
        path = library.path(name)
    except ValueError:
        return
    assert path.resolve().parent == (tmp_path / "voices").resolve()


@given(st.text(max_size=60) | st.sampled_from(["hf://a/b/../../c", "hf://a", "x" * 5_000, "\0", "~nobody/x"]))
@settings(max_examples=100, deadline=2_000)
def test_no_name_of_a_model_ends_in_another_error(name: str) -> None:
    try:
        hub.resolve(name)
    except ValueError as error:
        assert len(str(error)) < 12_000


# Foreign checkpoints, in the ways in which trainings leave them

CASES = {
    "module": lambda bare: {"model_state_dict": {f"module.{k}": v for k, v in bare.items()}},
    "orig_mod": lambda bare: {"model_state_dict": {f"_orig_mod.{k}": v for k, v in bare.items()}},
    "both": lambda bare: {"model_state_dict": {f"module._orig_mod.transformer.{k}": v for k, v in bare.items()}},
    "lightning": lambda bare: {"state_dict": bare, "epoch": 3},
    "lightning model": lambda bare: {"state_dict": {f"model.transformer.{k}": v for k, v in bare.items()}},
    "deepspeed": lambda bare: {"module": bare},
    "nested": lambda bare: {"checkpoint": {"state_dict": bare}},
    "blocks compiled": lambda bare: {
        "state_dict": {k.replace(".attn.", "._orig_mod.attn."): v for k, v in bare.items()}
    },
    "bare": lambda bare: dict(bare),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_checkpoint_is_loaded_whatever_wraps_its_names(foreign: Path, tmp_path: Path, kind: str) -> None:
    whole = f5_tts.read_checkpoint(foreign / "model.pt")
    path = tmp_path / "model.ckpt"
    torch.save(CASES[kind](whole), path)
    again = f5_tts.read_checkpoint(path)
    assert again.keys() == whole.keys() and all(torch.equal(again[name], whole[name]) for name in whole)


def test_of_two_networks_the_averaged_one_is_taken_unless_the_other_is_asked_for(foreign: Path, tmp_path: Path) -> None:
    bare = f5_tts.read_checkpoint(foreign / "model.pt")
    path = tmp_path / "two.ckpt"
    both = {f"model.{k}": v + 1 for k, v in bare.items()} | {f"ema_model.module.{k}": v for k, v in bare.items()}
    torch.save({"state_dict": both}, path)
    name = "proj_out.bias"
    assert torch.equal(f5_tts.read_checkpoint(path)[name], bare[name])
    assert torch.equal(f5_tts.read_checkpoint(path, prefers_ema=False)[name], bare[name] + 1)


@pytest.mark.parametrize(
    "model",
    [
        "arch: 3",
        "arch: {dim: 1000000000000}",
        "arch: {}\n  tokenizer: [a]",
        "arch: {}\n  mel_spec: [1]",
        "arch: {}\n  backbone: [x]",
        "arch: {}\n  backbone: DiT\n  mel_spec: {n_mel_channels: -1}",
        "arch: {1: 2}",
    ],
)
def test_a_foreign_architecture_is_refused_with_a_line(tmp_path: Path, model: str) -> None:
    path = tmp_path / "arch.yaml"
    path.write_text(f"model:\n  {model}\n")
    with pytest.raises(ValueError) as caught:
        f5_architecture.architecture(path)
    assert "\n" not in str(caught.value)


# What a process leaves, and where it speaks


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tts_fm.commands", *map(str, arguments)]


def test_espeak_leaves_no_copy_of_its_library(tmp_path: Path) -> None:
    code = (
        "from tts_fm.frontends.phonemes import Phonemes; import os, signal\n"
        "print(len(Phonemes(Phonemes.Options()).tokens('Hello there.')), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == -15 and int(done.stdout) > 10
    assert not list(tmp_path.rglob("*.so*")) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_without_a_standard_error_the_sound_is_still_sound(model_folder: Path, tmp_path: Path, closed: str) -> None:
    out = tmp_path / "speech.wav"
    words = " ".join(command("synthesize", "Hello.", "-m", model_folder, "-o", "-").__iter__())
    done = subprocess.run(f"{words} {closed} > {out}", shell=True)
    assert done.returncode == 0 and out.read_bytes()[:4] == b"RIFF" and io.read(out).seconds > 0.2


def test_without_a_standard_output_it_is_said(model_folder: Path) -> None:
    words = " ".join(command("synthesize", "Hello.", "-m", model_folder, "-o", "-"))
    done = subprocess.run(f"{words} >&-", shell=True, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "the standard output is closed" in done.stderr
