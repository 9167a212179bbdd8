"""The configuration: strict, complete, one line per mistake."""

from pathlib import Path

import pytest
import yaml

from tts_fm import config, strict

MODEL = {"name": "x", "frontend": "phonemes", "backbone": {"name": "dit", "dim": 64, "depth": 1, "heads": 2}}


def test_what_is_written_is_what_is_read():
    model = config.parse(config.ModelConfig, MODEL, "here")
    assert config.parse(config.ModelConfig, yaml.safe_load(strict.dump(model)), "there") == model


def test_a_choice_carries_its_own_options():
    model = config.parse(config.ModelConfig, MODEL, "here")
    assert (model.backbone.name, model.backbone.options.dim) == ("dit", 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling": {"stepz": 3}}, "sampling has no field 'stepz'; did you mean 'steps'?"),
        ({"sampling": {"steps": 0}}, "sampling.steps is 0: Input should be greater than or equal to 1"),
        (
            {"sampling": {"solver": "rk9"}},
            "sampling.solver: there is no Solver called 'rk9'; choose one of ab2, ab3, dopri5, euler, heun, midpoint, rk4",
        ),
        ({"backbone": {"name": "dit", "dimm": 3}}, "backbone: dit has no field 'dimm'; did you mean 'dim'?"),
        (
            {"backbone": "gru"},
            "backbone: there is no Backbone called 'gru'; choose one of aligned_dit, dit, mmdit, unet_t",
        ),
        ({"backbone": 3}, "backbone: needs a 'name', one of aligned_dit"),
        ({"mel": {"hop": 3}}, "mel has no field 'hop'; it has sample_rate, n_fft, hop_length"),
        ({"vocodr": 3}, "the file has no field 'vocodr'; did you mean 'vocoder'?"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(change, message):
    with pytest.raises(ValueError) as caught:
        config.parse(config.ModelConfig, MODEL | change, "model.yaml")
    assert str(caught.value).startswith(f"model.yaml: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_block_is_named():
    with pytest.raises(ValueError, match=r"model.yaml: backbone: Field required"):
        config.parse(config.ModelConfig, {"name": "x", "frontend": "phonemes"}, "model.yaml")


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "\x00"])
def test_a_file_that_is_no_configuration_is_one_line(tmp_path: Path, text: str):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="bad.yaml") as caught:
        config.read_model(path)
    assert "\n" not in str(caught.value)


def test_every_run_in_configs_can_be_read():
    folder = Path(__file__).parents[1] / "configs"
    runs = [path for path in folder.glob("*.yaml") if "\nmodel:\n" in path.read_text()]
    assert runs
    for path in runs:
        config.read_run(path)


def test_a_model_of_0_1_loads_with_the_old_name_of_default_leaps():
    aligned = {**MODEL, "backbone": {"name": "aligned_dit", "leaps": True}}
    old = config.parse(config.ModelConfig, {**aligned, "leaps": 3}, "here")
    assert old.default_leaps == 3 and old.default_sampling.steps == 3 and "leaps" not in strict.plain(old)
    with pytest.raises(ValueError, match="has no field 'leaps'"):
        config.parse(config.ModelConfig, {**strict.plain(old), "leaps": 2}, "here")
