"""What training lets a model say from time to time, and how well it is understood: evaluation inside of training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from tts_fm import loading
from tts_fm.audio import io
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.cli.terminal import Report
from tts_fm.config import ModelConfig
from tts_fm.data.utterances import Utterance
from tts_fm.errors import InputError, ModelError
from tts_fm.evaluation import judges
from tts_fm.evaluation import pairs as sets
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.similarity import voice_encoder
from tts_fm.synthesizer import Synthesizer
from tts_fm.training import gallery
from tts_fm.training.assemble import Assembled
from tts_fm.training.loggers import Loggers
from tts_fm.vocoders import Vocoder


class Samples:
    """Speaks held-out texts with the averaged weights, judges them, and adds them to the run's gallery.

    Every process calls it, for the weights may be shared between them; one of them speaks.
    """

    def __init__(self, assembled: Assembled, folder: Path, report: Report) -> None:
        self.learner, self.frontend, self.folder = assembled.learner, assembled.frontend, folder
        config = self.learner.config
        self.pairs = choose(assembled.held_out, config.training.sample_pairs)
        if not self.pairs:
            report.warn("no held-out speaker has two recordings of fitting lengths, so no samples are spoken")
        if not self.pairs or not self.learner.team.is_main:
            return
        self.backbone: Backbone = config.model.backbone.build(
            Backbone, config.model.mel.n_mels, self.frontend.vocab_size
        )
        self.vocoder = _vocoder(config.model)
        texts = [text for pair in self.pairs for text in (pair.target_text, pair.prompt_text)]
        self.judges = judges.Choice().open(texts)
        gallery.add_prompts(folder, [_wanted(pair) for pair in self.pairs])

    def __call__(self, update: int, log: Loggers) -> Mapping[str, float]:
        """Return the word error rate, the mean cosine to the prompts and naturalness after ``update`` updates."""
        if not self.pairs:
            return {}
        weights = self.learner.weights()
        if not self.learner.team.is_main:
            return {}
        self.backbone.load_state_dict(weights)
        device = self.learner.team.device
        synthesizer = Synthesizer(
            self.learner.config.model,
            self.backbone.to(device).eval(),
            self.frontend,
            self.vocoder.to(device),
            loading.pick_dtype("auto", device),
        )
        spoken = [sample for i, pair in enumerate(self.pairs) if (sample := self._speak(synthesizer, pair, i))]
        if not spoken:
            return {}
        gallery.add_samples(self.folder, update, spoken, self.judges.about())
        for sample in spoken:
            log.mel(update, sample.id, sample.mel)
            log.sound(update, sample.id, sample.waveform)
        return gallery.figures(spoken)

    def _speak(self, synthesizer: Synthesizer, pair: Pair, seed: int) -> gallery.Sample | None:
        try:
            prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
            speech = synthesizer.speak(pair.target_text, prompt, seed=seed)
        except InputError as error:
            warnings.warn(f"the sample {pair.id} was not spoken: {error}", stacklevel=2)
            return None
        judged = self.judges.judge(speech.waveform, pair.target_text, voice_encoder().embed(prompt.waveform))
        return gallery.Sample(
            id=pair.id,
            waveform=speech.waveform,
            mel=speech.mel,
            heard=judged.heard,
            errors=judged.errors,
            words=judged.words,
            similarity=judged.to_prompt,
            naturalness=judged.naturalness,
        )


def choose(held_out: list[Utterance], n: int) -> list[Pair]:
    """Return ``n`` pairs of held-out recordings that can be read, speakers in turn; the same ones every time."""
    rows = [
        {"id": u.id, "audio": str(u.audio.resolve()), "text": u.text, "speaker": u.speaker, "seconds": u.seconds}
        for u in held_out
        if u.speaker
    ]
    return [pair for pair in sets.choose(rows, "real", Path("/"), 2 * n) if _can_be_read(pair)][:n]


def _can_be_read(pair: Pair) -> bool:
    try:
        for path in (pair.prompt_audio, pair.target_audio):
            io.read(path)
    except InputError:
        return False
    return True


def _vocoder(model: ModelConfig) -> Vocoder:
    """The model's vocoder, or Griffin-Lim where it would have to be downloaded: samples need no network."""
    try:
        return loading.load_vocoder(model, None).eval()
    except ModelError as error:
        warnings.warn(f"{error}; samples are made audible by griffin_lim", stacklevel=2)
        return loading.load_vocoder(model, None, "griffin_lim").eval()


def _wanted(pair: Pair) -> gallery.Wanted:
    return gallery.Wanted(
        pair.id, pair.speaker, pair.target_text, pair.prompt_text, pair.prompt_audio, pair.target_audio
    )
