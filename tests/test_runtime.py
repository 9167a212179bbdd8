"""What speaks without torch says what the model says: noise, flow, spectrum, the graphs, and no torch on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_backbones import build, utterance

from tts_fm import export, infill
from tts_fm.audio.mel import log_mel
from tts_fm.backbones.aligned_dit import AlignedDiT
from tts_fm.errors import ModelError
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.interop import onnx_graphs, onnx_int8
from tts_fm.runtime import flow, manifest
from tts_fm.runtime.manifest import Manifest, VoiceEntry
from tts_fm.runtime.speaker import Speaker, session
from tts_fm.runtime.windows import Windows
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.text.lexicon import Entry, Lexicon
from tts_fm.text.normalize import read
from tts_fm.text.pronunciation import SYMBOLS
from tts_fm.types import DECIBELS, FILLER, Condition, MelSpec
from tts_fm.vocoders.hifigan import HiFiGAN

WITHOUT_TORCH = """
import runpy, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchaudio", "librosa", "scipy"):
            raise ImportError(name + " is not to be imported")

sys.meta_path.insert(0, Refusing())
sys.argv = ["runtime", *sys.argv[1:]]
runpy.run_module("tts_fm.runtime", run_name="__main__")
"""
TEXT = "It was cold, and 3 boats lay there. Nobody came.\n\nThe end."


def run_without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def about(sampling: SamplingOptions, **changes: object) -> Manifest:
    values = {
        **{"name": "tiny", "license": "", "language": "en-us", "filler": FILLER, "symbols": ("a", "b")},
        **{"sample_rate": 22050, "hop_length": 256, "n_mels": 8, "patch": 2, "mel_mean": 0.0, "mel_std": 1.0},
        **{
            "match_prompt": 0.0,
            "times": tuple(sampling.times().tolist()),
            "settling": (1.0,),
            "guidance": sampling.guidance,
            "temperature": 1.0,
        },
        **{"is_leaping": sampling.leap, "follows_prompt": sampling.follow_prompt, "sigma_min": 0.0},
        **{
            "floor_frames": 1,
            "leading_frames": 4,
            "pause": 0.2,
            "paragraph_pause": 0.4,
            "mark_pauses": {",": (0.1, 0.35), ".": (0.35, 0.45)},
            "raising": Windows(64, 12, 8),
            "sounding": Windows(64, 15, 32),
            "voices": {"anna": VoiceEntry("anna.f32", 1.0, 1.0, 100, (0.5, -0.25))},
        },
    }
    return Manifest(**{**values, **changes})


@pytest.mark.parametrize("shape", [(100, 80), (7, 3), (5, 4), (1, 16)])
def test_the_noise_is_that_of_torch(shape: tuple[int, int]) -> None:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(2**32 - 5)).numpy()
    assert np.abs(flow.noise(2**32 - 5, *shape) - drawn).max() < 1e-6


@pytest.mark.parametrize(
    "how",
    [{"guidance": 2.0, "follow_prompt": True}, {"guidance": 2.0}, {"guidance": 0.0}, {"leap": True, "guidance": 0.0}],
)
@pytest.mark.parametrize(("match_prompt", "settle_from"), [(0.0, 0.5), (0.8, 1.0), (0.8, 0.5)])
def test_the_flow_is_the_samplers(how: dict, match_prompt: float, settle_from: float) -> None:
    torch.manual_seed(0)
    options = AlignedDiT.Options(
        dim=16,
        depth=1,
        heads=2,
        patch=2,
        text_dim=8,
        text_layers=1,
        prompt_dim=8,
        refine_dim=8,
        refine_layers=1,
        leaps=True,
    )
    backbone = AlignedDiT(options, n_mels=8, vocab_size=5).eval()
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    condition = infill.continue_prompt(torch.randn(10, 8), [FILLER, 1, 2, 3], 31, [10, 7, 8, 6])
    sampling = SamplingOptions(steps=3, grid="uniform", **how)
    sampler = Sampler(backbone, sampling, match_prompt=match_prompt, settle_from=settle_from)
    (expected,) = sampler.sample([condition], [7])
    told = [condition, condition.empty()][: 2 if sampling.guidance > 0 else 1]
    prepared = [backbone.prepare(one) for one in told]

    def velocities(x_t: np.ndarray, t: np.float32, until: np.float32) -> list[np.ndarray]:
        x, at, end = (torch.tensor(np.asarray(value))[None] for value in (x_t, t, until))
        with torch.inference_mode():
            return [backbone.mean_velocity(x, at, end, one)[0].numpy() for one in prepared]

    mel = flow.sample(
        velocities,
        flow.noise(7, 31, 8),
        condition.prompt_mel[0].numpy(),
        condition.is_prompt[0].numpy(),
        condition.is_valid[0].numpy(),
        about(
            sampling,
            match_prompt=match_prompt,
            times=tuple(sampler.making.tolist()),
            settling=tuple(sampler.settling.tolist()),
        ),
    )
    assert np.abs(mel - expected.numpy()).max() < 1e-4
    assert np.abs(mel[10:]).max() > 0.1


@torch.no_grad()
def test_an_exported_model_is_told_a_voice_that_was_heard_before() -> None:
    backbone = build("aligned_dit", speaker_rate=1.2)
    assert isinstance(backbone, AlignedDiT) and backbone.speaker is not None
    told = utterance(160, 12, 100, seed=3)
    together = backbone.prepare(Condition.stack([told, told.empty()]))
    heard = backbone.speaker.hear(told.prompt_mel, told.is_prompt)
    encoded = backbone.text(told.token_ids)
    inputs, voices = onnx_graphs.Preparation(backbone)(
        encoded, told.token_ids, told.token_frames, told.prompt_mel, told.is_prompt, told.is_valid, heard
    )
    torch.testing.assert_close(inputs, together.input)
    torch.testing.assert_close(voices, together.voice)
    assert float((voices[0] - voices[1]).abs().max()) > 0.1 < float(backbone.speaker(heard).abs().max())


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    written, mel = about(SamplingOptions(steps=2)), np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    manifest.write(tmp_path, written, {"anna": mel})
    assert manifest.read(tmp_path) == written
    assert np.array_equal(manifest.read_mel(tmp_path, written, "anna"), mel)
    with pytest.raises(ValueError, match="no voice 'bob'; choose one of anna"):
        manifest.read_mel(tmp_path, written, "bob")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"format": 99}),
        json.dumps({"format": 3, "voices": {}}),
        json.dumps({"format": manifest.FORMAT}),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / manifest.NAME).write_text(content)
    with pytest.raises(ModelError, match="export"):
        manifest.read(tmp_path)


def test_mistakes_are_one_line_and_need_no_torch(tmp_path: Path) -> None:
    ran = run_without_torch(tmp_path / "nothing", "Hello.")
    assert (ran.returncode, ran.stderr.count("\n")) == (4, 1)
    assert "tts-fm export onnx" in ran.stderr


def test_matrices_read_from_int8_are_stored_without_loss(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    draw = np.random.default_rng(0)
    whole = draw.integers(-127, 128, (48, 32)).astype(np.float32)
    whole[:, 0] = 127
    matrix = (whole * draw.uniform(0.001, 0.1, (48, 1)).astype(np.float32)).T.copy()  # as an exporter turns it round
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 32])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 48])],
        [onnx.numpy_helper.from_array(matrix, "w")],
    )
    onnx_int8.to_int8(graph)
    assert {tensor.data_type for tensor in graph.initializer} == {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT}
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "product.onnx").write_bytes(model.SerializeToString())
    x = draw.normal(size=(1, 32)).astype(np.float32)
    assert np.abs(session(tmp_path / "product.onnx", threads=1).run(None, {"x": x})[0] - x @ matrix).max() < 1e-5


@pytest.mark.parametrize("least", [0.0, 1e-13])
def test_a_convolution_in_bytes_is_off_by_the_steps_of_what_it_makes(tmp_path: Path, least: float) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    draw, helper = np.random.default_rng(0), onnx.helper
    whole = draw.integers(-63, 64, (16, 16, 3)).astype(np.float32)
    whole[:, 0, 0] = 63
    weight = whole * draw.uniform(0.001, 0.002, (16, 1, 1)).astype(np.float32)
    weight[3], bias = least * whole[3], np.zeros(16, np.float32)  # a channel that is all, or all but, its bias
    bias[3] = 0.75
    x = ((draw.integers(0, 256, (1, 16, 1, 40)) - 51) * np.float32(2.5 / 255)).astype(np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["layer.weight", "axis"], ["image"]),
        helper.make_node(
            "Conv", ["x", "image", "layer.bias"], ["y"], pads=[0, 2, 0, 2], dilations=[1, 2], kernel_shape=[1, 3]
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 16, 1, None])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 16, 1, None])],
        [
            onnx.numpy_helper.from_array(weight, "layer.weight"),
            onnx.numpy_helper.from_array(bias, "layer.bias"),
            onnx.numpy_helper.from_array(np.array([2]), "axis"),
        ],
    )
    made = []
    for ranges in ({}, {"layer": onnx_int8.Range(-0.5, 2.0, 1.5)}):
        onnx_int8.compute_in_bytes(graph, ranges)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        (tmp_path / "line.onnx").write_bytes(model.SerializeToString())
        made += session(tmp_path / "line.onnx", threads=1).run(None, {"x": x})
    assert "QLinearConv" in {node.op_type for node in graph.node} and "Unsqueeze" not in {n.op_type for n in graph.node}
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} - used == {"axis"}  # onnxruntime complains of what nobody uses
    exact, step = made[0].clip(-128 * 1.5 / 127, 1.5), 1.5 / 127
    assert np.abs(made[1] - exact).max() <= 0.51 * step and np.abs(made[1] - exact).max() > 0.4 * step


@pytest.mark.parametrize("n_frames", [5, 64, 200])
def test_the_vocoder_in_windows_is_the_vocoder_whole(n_frames: int) -> None:
    torch.manual_seed(0)
    spec = MelSpec(22050, 256, 24, 256, 8, "hifigan")
    options = HiFiGAN.Options(
        upsample_rates=(4, 3, 2), upsample_kernel_sizes=(8, 7, 4), upsample_initial_channel=16, resblock="1"
    )
    vocoder = HiFiGAN(options, spec).eval().requires_grad_(False)
    for parameter in vocoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    raising, sounding = onnx_graphs.windows(vocoder)
    lines = onnx_graphs.in_lines(vocoder)

    def run(network: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: network(torch.from_numpy(x)).numpy()

    mel = torch.randn(1, n_frames, 8)
    whole = vocoder.decode(mel).numpy()
    for raise_by, sound_by in (({}, {}), ({"step": 20}, {"step": 50})):
        raised = replace(raising, **raise_by).run(run(onnx_graphs.Raised(lines)), mel.numpy(), axis=1)
        sound = replace(sounding, **sound_by).run(run(onnx_graphs.Sound(lines)), raised, axis=3)
        assert sound.shape == whole.shape == (1, 24 * n_frames)
        assert np.abs(sound - whole).max() < 1e-4
    if n_frames == 200:  # a shorter reach would not do
        raised = replace(raising, step=20, reach=raising.reach - 4).run(
            run(onnx_graphs.Raised(lines)), mel.numpy(), axis=1
        )
        assert np.abs(sounding.run(run(onnx_graphs.Sound(lines)), raised, axis=3) - whole).max() > 1e-4


@pytest.mark.parametrize("name", ["cases/readings.tsv", "neighbours.tsv", "normalize.tsv"])
def test_texts_have_the_tokens_that_the_model_is_told(name: str) -> None:
    reader = Speaker.__new__(Speaker)  # a speaker without its graphs
    reader.manifest = about(SamplingOptions(steps=2), symbols=SYMBOLS)
    reader._id = {symbol: i for i, symbol in enumerate(SYMBOLS)}
    frontend = Phonemes(Phonemes.Options(language="en-us"))
    lexicon = Lexicon((Entry("Dr.", "doc"),))
    column = 0 if name.startswith("normalize") else 1
    lines = (Path(__file__).parent / "data" / name).read_text(encoding="utf-8").splitlines()[1:]
    for text in [line.split("\t")[column] for line in lines if line.strip()][:60]:
        for own in (None, lexicon):
            reading = read(text, own)
            expected = [frontend.ids(frontend.tokens(paragraph)) for paragraph in reading.paragraphs]
            assert [reader.ids(paragraph) for paragraph in reader.read(text, lexicon=own).paragraphs] == expected


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled voice, as the command exports it."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported") / "speaker"
    command = [sys.executable, "-m", "tts_fm.commands", "export", "onnx", "default", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "dB" in ran.stderr
    return folder


@pytest.mark.slow
def test_the_bundled_voice_says_the_same_without_torch(exported: Path, tmp_path: Path) -> None:
    from tts_fm import Synthesizer
    from tts_fm.audio import io

    assert sum(path.stat().st_size for path in exported.iterdir()) < 30e6
    synthesizer = Synthesizer.load("default", device="cpu", precision="float32")
    ours, theirs = synthesizer.speak(TEXT, seed=3, speed=1.2), Speaker(exported).speak(TEXT, seed=3, speed=1.2)
    assert ours.text == theirs.text
    assert ours.mel.shape == theirs.mel.shape
    assert DECIBELS * np.sqrt(np.square(ours.mel.numpy() - theirs.mel).mean()) < 0.1
    ran = run_without_torch(exported, TEXT, "--seed", 3, "--speed", 1.2, "--output", tmp_path / "speech.wav")
    assert ran.returncode == 0, ran.stderr
    assert np.abs(io.read(tmp_path / "speech.wav").samples.numpy() - theirs.samples).max() < 1e-4
    assert io.read_metadata(tmp_path / "speech.wav")["is_generated"] == "True"


@pytest.mark.slow
def test_a_damaged_graph_is_one_line(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes((exported / "model.json").read_bytes())
    (tmp_path / "text.onnx").write_bytes(b"no graph")
    ran = run_without_torch(tmp_path, "Hello.")
    assert (ran.returncode, ran.stderr.count("\n")) == (4, 1)


def test_sounds_are_apart_by_their_mels_and_the_worst_text_counts() -> None:
    """Half as loud is 6.02 dB in every channel; a phase is none, where the difference of waveforms is as loud as they are."""
    spec = MelSpec()
    tone = 0.3 * torch.sin(2 * torch.pi * 1000 * torch.arange(24_000) / 24_000) + 0.01 * torch.randn(24_000)
    assert export.apart(log_mel(tone, spec), log_mel(tone / 2, spec)) == pytest.approx(6.02, abs=0.01)
    assert export.apart(log_mel(tone, spec), log_mel(-tone, spec)) < 1e-3
    worst = export.Distance(0.02, 40.0, 1.0).worse(export.Distance(0.01, 12.0, 2.0))
    assert worst == export.Distance(0.02, 12.0, 2.0)
