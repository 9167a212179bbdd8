"""Weights and their config: what is saved comes back, and what does not fit is refused in one line."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tts_fm import checkpoint, tensors, torch_files
from tts_fm.config import ModelConfig
from tts_fm.errors import ModelError

SMALL = {"name": "aligned_dit", "dim": 16, "depth": 1, "heads": 2, "text_dim": 8, "text_layers": 1, "prompt_dim": 8}


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(name="tiny", frontend="phonemes", backbone=SMALL, vocoder="griffin_lim")
    frontend = checkpoint.load_frontend(config, checkpoint.Path("nowhere"))
    torch.manual_seed(0)
    return config, config.backbone.build(checkpoint.Backbone, config.mel.n_mels, frontend.vocab_size)


@pytest.fixture
def folder(model, tmp_path):
    config, backbone = model
    checkpoint.save_model(tmp_path / "tiny", config, backbone.state_dict(), card="# tiny\n")
    return tmp_path / "tiny"


def refused(folder):
    with pytest.raises(ModelError) as caught:
        checkpoint.load_model(folder)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400 and str(folder) in message
    return message


def change(folder, **changes):
    state = load_file(folder / "model.safetensors")
    state.update({key: value for key, value in changes.items() if value is not None})
    save_file(
        {key: value for key, value in state.items() if changes.get(key, value) is not None},
        folder / "model.safetensors",
    )
    return state


def test_what_is_saved_is_loaded(model, folder):
    config, backbone = checkpoint.load_model(folder)
    assert config == model[0] and not backbone.training
    for name, value in model[1].state_dict().items():
        assert torch.equal(backbone.state_dict()[name], value), name
    assert sorted(os.listdir(folder)) == ["README.md", "config.yaml", "model.safetensors"]


def test_half_precision_halves_the_file_and_loads_as_float32(model, folder, tmp_path):
    config, backbone = model
    checkpoint.save_model(tmp_path / "half", config, backbone.state_dict(), dtype=torch.float16)
    sizes = [(place / "model.safetensors").stat().st_size for place in (folder, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = checkpoint.load_model(tmp_path / "half")[1].state_dict()
    for name, value in backbone.state_dict().items():
        assert loaded[name].dtype == value.dtype and torch.allclose(loaded[name], value, rtol=1e-3, atol=1e-6)
    assert next(checkpoint.load_model(folder, dtype=torch.bfloat16)[1].parameters()).dtype == torch.bfloat16


def test_a_vocabulary_travels_with_the_model(model, tmp_path):
    (tmp_path / "words.txt").write_text(" \na\n")
    config, backbone = model
    checkpoint.save_model(tmp_path / "m", config, backbone.state_dict(), vocab=tmp_path / "words.txt")
    assert (tmp_path / "m" / "vocab.txt").read_text() == " \na\n"


def test_missing_files(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    assert "no model.safetensors" in refused(folder)
    assert "no config.yaml" in refused(tmp_path)


def test_a_wrong_config_is_a_model_error(folder):
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("depth:", "dpeth:"))
    assert "dpeth" in refused(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_truncated_weights(folder, kept):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    assert "no whole safetensors file" in refused(folder)


def test_missing_unknown_and_wrong_weights(folder):
    state = change(folder)
    name = "out.bias"
    change(folder, **{name: None})
    assert "lacks 1 weight such as 'out.bias'" in refused(folder)
    change(folder, **{name: state[name], "zzz": torch.zeros(1)})
    assert "unknown 1 weight such as 'zzz'" in refused(folder)
    save_file({**state, name: torch.zeros(3)}, folder / "model.safetensors")
    message = refused(folder)
    assert "'out.bias'" in message and "(3,)" in message


def test_a_wrong_vocabulary_says_both_numbers(model, folder):
    vocab_size = model[1].vocab_size
    state = change(folder)
    rows = [name for name, value in state.items() if value.dim() == 2 and 0 <= len(value) - vocab_size <= 1]
    assert rows
    extra = len(state[rows[0]]) - vocab_size
    save_file({**state, rows[0]: torch.zeros(41 + extra, state[rows[0]].shape[1])}, folder / "model.safetensors")
    message = refused(folder)
    assert "41 tokens" in message and f"has {vocab_size};" in message


def test_weights_that_are_not_finite_are_not_saved(folder):
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="'a' is not finite"):
        tensors.write_tensors(folder / "model.safetensors", {"a": torch.tensor([float("nan")])})
    with pytest.raises(ValueError, match="'a' is not finite"):  # too large for float16
        tensors.write_tensors(folder / "model.safetensors", {"a": torch.tensor([1e30])}, dtype=torch.float16)
    assert (folder / "model.safetensors").read_bytes() == before


def test_tensors_that_share_memory_are_saved(tmp_path):
    value = torch.arange(6.0).reshape(2, 3)
    tensors.write_tensors(tmp_path / "a.safetensors", {"a": value, "b": value.T, "c": value[0]})
    back = tensors.read_tensors(tmp_path / "a.safetensors")
    assert torch.equal(back["b"], value.T) and torch.equal(back["c"], value[0])


def test_int8_rounds_each_row_to_its_own_127_steps_and_does_so_once(tmp_path):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(5, 3, 7, generator=generator) * torch.tensor([1e-6, 1.0, 0.0, 30.0, 1e4])[:, None, None]
    state = {"matrix": matrix, "vector": torch.randn(3, generator=generator), "count": torch.tensor([[7, 300]])}
    path, again = tmp_path / "a.safetensors", tmp_path / "again.safetensors"
    tensors.write_tensors(path, state, dtype=torch.int8)
    back = tensors.read_tensors(path)
    assert back.keys() == state.keys()
    half_a_step = matrix.abs().amax(dim=(1, 2)) / 254
    assert ((back["matrix"] - matrix).abs().amax(dim=(1, 2)) <= half_a_step * 1.0001).all()
    assert torch.equal(back["vector"], state["vector"].half()) and torch.equal(back["count"], state["count"])
    tensors.write_tensors(again, back, dtype=torch.int8)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("most", [63, 127])
def test_rows_along_any_axis_are_rounded_to_whole_numbers_to_the_bit(axis, most):
    draw = np.random.default_rng(0)
    matrix = (draw.normal(size=(6, 5, 4)) * 10.0 ** draw.integers(-6, 4, (6, 5, 4))).astype(np.float32)
    np.moveaxis(matrix, axis, 0)[0] = 0
    # Whole steps of a row's scale, and halves, which go to the even one.
    np.moveaxis(matrix, axis, 0)[1] = most * 2.0**-10
    np.moveaxis(matrix, axis, 0)[1].flat[:3] = np.float32([0.5, 1.5, -2.5]) * 2.0**-10
    whole, scale = tensors.to_int8(torch.tensor(matrix), axis, most)
    others = tuple({0, 1, 2} - {axis})
    expected = np.maximum(np.abs(matrix).max(axis=others, keepdims=True) / np.float32(most), np.float32(1e-30))
    assert (scale.numpy() == expected).all() and scale.flatten()[1] == 2.0**-10
    rounded = np.rint(matrix / expected)
    assert whole.dtype == torch.int8 and (whole.numpy() == rounded).all()
    assert np.moveaxis(whole.numpy(), axis, 0)[1].flat[:3].tolist() == [0, 2, -2]


def test_int8_weights_that_are_not_finite_are_not_saved_and_scales_alone_not_read(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match="'a' is not finite"):
        tensors.write_tensors(path, {"a": torch.tensor([[1.0, float("inf")]])}, dtype=torch.int8)
    assert not path.exists()
    save_file({"a:scale": torch.ones(1, 1)}, path)
    with pytest.raises(ModelError, match="no whole safetensors file"):
        tensors.read_tensors(path)


def test_an_interrupted_save_leaves_the_old_model(model, folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tensors.write_tensors(folder / "model.safetensors", {"a": torch.zeros(1)})
    assert (folder / "model.safetensors").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["README.md", "config.yaml", "model.safetensors"]


def test_training_states_are_kept_and_found(tmp_path):
    assert torch_files.states(tmp_path / "none") == []
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(2, 2)}}
    rng = torch.Generator().manual_seed(5).get_state()
    for update in (1, 2, 10, 1000):
        state = {
            "update": update,
            "optimizer": {"state": moments, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.99)}]},
        }
        torch_files.save_state(torch_files.state_path(tmp_path, update), {**state, "rng": rng}, keep=2)
    assert sorted(os.listdir(tmp_path)) == ["update-00000010.pt", "update-00001000.pt"]
    older, newest = torch_files.states(tmp_path)
    assert (torch_files.updates_of(older), torch_files.updates_of(newest)) == (10, 1000)
    back = torch_files.load_state(newest)
    assert back["update"] == 1000 and torch.equal(back["rng"], rng)
    assert back["optimizer"]["param_groups"] == state["optimizer"]["param_groups"]
    assert torch.equal(back["optimizer"]["state"][0]["exp_avg"], moments[0]["exp_avg"])


def test_a_pickle_that_would_run_code_does_not(tmp_path):
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    for i, write in enumerate((lambda p: torch.save({"a": Evil()}, p), lambda p: p.write_bytes(pickle.dumps(Evil())))):
        path = tmp_path / f"{i}.pt"
        write(path)
        with pytest.raises(ModelError) as caught:
            torch_files.load_state(path)
        assert "\n" not in str(caught.value)
    assert not canary.exists()


@pytest.mark.parametrize("content", [b"", b"text and no state", b"PK\x03\x04 half a zip"])
def test_damaged_states_are_one_line(tmp_path, content):
    path = tmp_path / "update-00000001.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        torch_files.load_state(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(ModelError):
        torch_files.load_state(tmp_path / "missing.pt")


def test_a_killed_save_never_spoils_the_latest(tmp_path):
    code = f"""
import torch
from pathlib import Path
from tts_fm import checkpoint, tensors, torch_files
folder = Path({str(tmp_path)!r})
for update in range(1, 100000):
    state = {{"update": update, "w": torch.ones(20000) * update}}
    torch_files.save_state(torch_files.state_path(folder, update), state, keep=2)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=checkpoint.Path(__file__).parents[1])
    deadline = time.monotonic() + 60
    while not torch_files.states(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    for _ in range(15):  # what is called a state is one, at any moment
        newest = torch_files.states(tmp_path)[-1]
        try:
            state = torch_files.load_state(newest)
        except ModelError as error:
            assert "No such file" in str(error), error  # removed by `keep` in between
            continue
        assert torch.equal(state["w"], torch.ones(20000) * state["update"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert torch_files.load_state(torch_files.states(tmp_path)[-1])["update"] > 0
