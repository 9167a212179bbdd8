"""The synthesizer: one path from text and prompt to speech."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tts_fm.audio.io import Waveform
from tts_fm.audio.mel import MelScale
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError, ModelError
from tts_fm.loading import pick_device, pick_dtype
from tts_fm.sampler import SamplingOptions
from tts_fm.synthesizer import Synthesizer


@pytest.fixture(scope="module")
def tiny(model_folder) -> Synthesizer:
    return Synthesizer.load(str(model_folder), device="cpu")


@pytest.fixture(scope="module")
def prompt(voice_file) -> Prompt:
    return Prompt.load(voice_file, "A voice that buzzes.")


def test_the_same_seed_is_the_same_speech_and_another_is_not(tiny, prompt):
    one, same, other = (tiny.synthesize("Some words to say.", prompt, seed=seed).samples for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_several_threads_give_what_one_gives(tiny, prompt):
    texts = [f"This is sentence {i} of them." for i in range(4)]
    alone = [tiny.synthesize(text, prompt, seed=i).samples for i, text in enumerate(texts)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: tiny.synthesize(pair[1], prompt, seed=pair[0]).samples, enumerate(texts)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_seconds_and_speed_set_the_length(tiny, prompt):
    assert tiny.synthesize("Some words to say.", prompt, seconds=2.0).seconds == pytest.approx(2.0, abs=0.03)
    normal, fast = (tiny.synthesize("Some more words to say now.", prompt, speed=speed).seconds for speed in (1.0, 2.0))
    assert fast == pytest.approx(normal / 2, abs=0.05)


def test_long_text_is_spoken_in_pieces_and_nothing_is_lost(tiny, prompt):
    text = " ".join(
        f"Here comes sentence number {word}, which says nothing new." for word in "one two three four five six".split()
    )
    speech = tiny.speak(text * 3, prompt)
    assert len(speech.chunks) > 1
    assert "".join(speech.chunks).replace(" ", "") == speech.text.replace(" ", "")


def test_the_mel_has_no_frame_of_the_prompt(tiny, prompt):
    speech = tiny.speak("Some words to say.", prompt, seconds=1.0)
    assert speech.mel.shape == (94, 100)


def test_steps_are_reported(tiny, prompt):
    seen = []
    tiny.synthesize("Some words.", prompt, on_step=lambda done, steps: seen.append((done, steps)))
    assert seen == [(1, 2), (2, 2)]


def test_unknown_characters_and_the_text_as_read_are_told(foreign, prompt):
    synthesizer = Synthesizer.load(
        str(foreign / "model.pt"),
        vocab=str(foreign / "vocab.txt"),
        architecture=str(foreign / "tiny.yaml"),
        device="cpu",
    )
    speech = synthesizer.speak("it costs $2 é", prompt)
    assert speech.text == "it costs two dollars é" and "é" in speech.unknown


def test_a_model_with_a_voice_of_its_own_needs_no_prompt(tiny, foreign):
    assert tiny.synthesize("Some words.").seconds > 0.4
    voiceless = Synthesizer(tiny.config, tiny.backbone, tiny.frontend, tiny.vocoder)
    with pytest.raises(InputError, match="the model tiny has no voice of its own; give a reference recording"):
        voiceless.synthesize("Some words.")


def test_a_vocoder_for_another_mel_is_refused(tiny):
    from tts_fm.types import MelSpec
    from tts_fm.vocoders.griffin_lim import GriffinLim

    other = GriffinLim(GriffinLim.Options(), MelSpec(n_mels=80))
    with pytest.raises(ValueError, match=r"made for MelSpec\(.*n_mels=80.*the model for MelSpec\(.*n_mels=100"):
        Synthesizer(tiny.config, tiny.backbone, tiny.frontend, other)


def test_another_configuration_shares_the_weights_and_leaves_this_one_as_it_is(tiny, prompt):
    text, steps = "Some words to say.", tiny.config.sampling.steps
    before = tiny.synthesize(text, prompt).samples
    finer = tiny.config.model_copy(update={"sampling": SamplingOptions(steps=2 * steps)})
    other = tiny.with_config(finer)
    assert other.backbone is tiny.backbone and other.vocoder is tiny.vocoder
    assert torch.equal(
        other.synthesize(text, prompt).samples, tiny.synthesize(text, prompt, sampling=finer.sampling).samples
    )
    assert tiny.config.sampling.steps == steps and torch.equal(tiny.synthesize(text, prompt).samples, before)
    with pytest.raises(ValueError, match="mel_scale is .*, the weights were made for .*; load another model for that"):
        tiny.with_config(tiny.config.model_copy(update={"mel_scale": MelScale()}))


def test_copying_keeps_length_and_level(tiny, voice_file):
    original = Waveform.load(voice_file)
    copy = tiny.copy(original)
    assert copy.seconds == pytest.approx(original.seconds, abs=0.03)


def test_devices_and_precisions_are_checked():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32
    with pytest.raises(ValueError, match="there is no device 'tpu'; choose one of auto, cpu, cuda, mps"):
        pick_device("tpu")
    with pytest.raises(ValueError, match="there is no precision 'int4'"):
        pick_dtype("int4", torch.device("cpu"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="this machine has no cuda device; use auto or cpu"):
            pick_device("cuda")


def test_a_model_that_is_not_there_is_a_model_error(tmp_path):
    with pytest.raises(ModelError):
        Synthesizer.load(str(tmp_path / "nothing"))


def test_the_bundled_voice_speaks_at_half_precision_too():
    text = "Flow matching turns noise into speech."
    full, half = (
        Synthesizer.load("default", device="cpu", precision=p).synthesize(text) for p in ("float32", "bfloat16")
    )
    assert full.seconds == half.seconds and 1.5 < full.seconds < 6
    assert 0.01 < full.samples.square().mean().sqrt() < 0.5 and full.samples.abs().max() <= 1
