"""How probable a model finds a recording, told these words or those, and told none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.audio import prompt as prompts
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.flow import likelihood, time_grid
from tts_fm.flow.likelihood import LogLikelihood
from tts_fm.flow.noise import noise
from tts_fm.flow.solvers import Solver
from tts_fm.plugins import Options
from tts_fm.sampler import OnStep
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.clean import check
from tts_fm.text.normalize import normalize

CAUTION = (
    "such a number tells how usual a mel is to this model, not how good it sounds or whether every word is right: silence "
    "and smooth sounds can score above speech; compare texts on one recording, never recordings or models"
)
_LEAST_NOISE = 0.05  # a trained flow is not to be trusted nearer to its end


@dataclass(frozen=True)
class Figure:
    """Nats per dimension (frame and mel channel); ``error`` is the standard error that the probes leave."""

    nats: float
    error: float
    per_frame: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """A recording's likelihood with each text, without any, and how much each text adds."""

    with_text: tuple[Figure, ...]
    without_text: Figure
    gain: tuple[Figure, ...]


class ScoreOptions(Options):
    """How a recording is scored.

    ``noise`` is mixed into the mel first, as the flow's path does at ``t = 1 - noise``: real mels lie a little beside
    those that a model makes, and nearer to the end that outweighs what the text can tell. The ODE is solved backwards from
    there by ``steps`` steps of the midpoint method, its divergence estimated by ``probes`` (Hutchinson).
    """

    noise: float = Field(default=0.4, ge=_LEAST_NOISE, lt=1)
    steps: int = Field(default=16, ge=1, le=1000)
    probes: int = Field(default=4, ge=2, le=1000)


def score(
    synthesizer: Synthesizer,
    recording: Waveform,
    texts: Sequence[str],
    *,
    options: ScoreOptions | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Score:
    """Return how probable the model of ``synthesizer`` finds ``recording`` with each of ``texts``, and with none.

    The model is given nothing of the voice, and does not guide. One that must be told when each token sounds is told
    its own prediction, stretched to the recording. Noise and probes are the same for every text, so their errors mostly
    cancel in what a text adds.

    Raises:
        InputError: a text or a recording that nothing can be done with.
        ValueError: the model is held in another precision than float32, in which derivatives say nothing.
    """
    if synthesizer.precision != "float32":
        raise ValueError(
            f"a likelihood is computed in float32, not {synthesizer.precision}; load the model in that precision"
        )
    options = ScoreOptions() if options is None else options
    mel = _listen(synthesizer, recording, texts[0])
    n, c = mel.shape
    for text in texts:
        check(text)
    conditions = [synthesizer.teller.to_score(normalize(text), n) for text in texts]
    condition = infill.collate([*conditions, conditions[0].empty()]).to(mel.device)
    end = torch.full((1,), 1 - options.noise, device=mel.device)
    x_t = synthesizer.path.sample(noise(seed, n, c).to(mel.device)[None], mel[None], end).x_t
    solver, grid = plugins.build(Solver, "midpoint"), end * time_grid.build("uniform", options.steps).to(mel.device)
    with torch.no_grad():
        prepared = synthesizer.backbone.prepare(condition, solver.times(grid.flip(0)))
    result = likelihood.log_likelihood(
        lambda x_t, t: synthesizer.backbone.velocity(x_t, t, prepared).float(),
        x_t.expand(len(condition), n, c),
        solver,
        grid,
        likelihood.rademacher(seed, options.probes, n, c).to(mel.device),
        on_step,
    )
    *with_text, without_text = (result.of(i) for i in range(len(condition)))
    return Score(
        with_text=tuple(_figure(one, c) for one in with_text),
        without_text=_figure(without_text, c),
        gain=tuple(_figure(one.minus(without_text), c) for one in with_text),
    )


def _listen(synthesizer: Synthesizer, recording: Waveform, words: str) -> Float[Tensor, "n c"]:
    """Return the scaled mel of the recording, trimmed and levelled as a prompt is."""
    config = synthesizer.config
    most = min(config.limits.max_total_seconds, prompts.MAX_SECONDS)
    if recording.seconds > most:
        raise InputError(f"the recording lasts {recording.seconds:.1f} s; this model takes {most:g} s, so cut it")
    prepared = prompts.prepare(Prompt(recording, words), config.mel.sample_rate, most)
    samples = prepared.waveform.samples
    return synthesizer.teller.mel(samples)[: len(samples) // config.mel.hop_length]


def _figure(result: LogLikelihood, channels: int) -> Figure:
    """Return nats per dimension, of one utterance."""
    per_frame = result.per_frame[0] / channels
    error = result.standard_error.item() / per_frame.numel() / channels
    return Figure(per_frame.mean().item(), error, tuple(per_frame.tolist()))
