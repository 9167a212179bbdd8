"""A light HiFi-GAN learns the waveforms of a whole one: for a mel there is but one, so plain regression teaches it.

The student begins with the teacher's own weights, less the residual blocks that it has not; its first stages stay the
teacher's. What they and the teacher make of a piece of mel is made once, and learned from in several updates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm import hub, strict, vocoder_folder
from tts_fm.audio.mel import log_mel
from tts_fm.training.recordings import Recordings
from tts_fm.training.team import Team
from tts_fm.training.vocoder import VocoderLearner
from tts_fm.training.vocoder_run import TeacherOptions, VocoderRun
from tts_fm.vocoders.hifigan import HiFiGAN, Stage


@dataclass(frozen=True)
class Lesson:
    """One piece: what the shared stages make of its mel, and what the teacher says at the end."""

    features: Float[Tensor, "1 m d"]
    waveform: Float[Tensor, "1 s"]


class VocoderStudent(VocoderLearner):
    """As :class:`VocoderLearner`, of what a teacher says in place of recordings.

    Raises:
        ValueError: the teacher is no HiFi-GAN, has not what the student has, or a crop has nothing between its margins.
        ModelError: there is no vocoder in the teacher's folder.
    """

    generator: HiFiGAN
    average: HiFiGAN

    def __init__(self, run: VocoderRun, team: Team, say: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(run, team, say)
        assert run.teacher is not None
        self.teacher = _read(run.teacher, run).to(self.device)
        if not run.start:
            for whole in (self.generator, self.average):
                inherit(whole, self.teacher)
        _check_shared(self.generator, self.teacher, run.teacher)
        for part in _shared(self.generator, run.teacher.kept):
            part.requires_grad_(False)
        self.lessons = Lessons(self.teacher, run.teacher, self.recordings, team, self.options.seed)
        self.margin = self.generator.sees(run.teacher.kept) * run.mel.hop_length
        if run.data.crop <= 2 * self.margin:
            raise ValueError(
                f"data.crop is {run.data.crop}: {self.margin} samples at either end hear what is not there; set it to "
                f"{2 * self.margin + 8192} or so"
            )

    def _speak(self, update: int, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = self.lessons.draw(update, size, rng)
        features, real = (torch.cat(parts) for parts in zip(*((x.features, x.waveform) for x in drawn), strict=True))
        with self.team.autocast():
            fake = self.generator.finish(features, self.lessons.options.kept)
        inner = slice(self.margin, real.shape[1] - self.margin)
        return real[:, inner], fake[:, inner]

    def _as_it_should_be(self, samples: Tensor, mel: Tensor) -> Tensor:
        return self.teacher.decode(mel)


class Lessons:
    """The last so many pieces, of which each update brings ``fresh`` new ones: the same in a run that goes on."""

    def __init__(
        self, teacher: HiFiGAN, options: TeacherOptions, recordings: Recordings, team: Team, seed: int
    ) -> None:
        self.teacher, self.options, self.recordings, self.team, self.seed = teacher, options, recordings, team, seed
        self._held: dict[int, Lesson] = {}

    def draw(self, update: int, size: int, rng: torch.Generator) -> list[Lesson]:
        """Return ``size`` of the pieces that belong to ``update``."""
        first = update * self.options.fresh
        wanted = range(first, first + self.options.lessons)
        self._held = {number: self._held.get(number) or self._make(number) for number in wanted}
        return [self._held[first + int(i)] for i in torch.randint(len(wanted), (size,), generator=rng)]

    @torch.no_grad()
    def _make(self, number: int) -> Lesson:
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        samples = self.recordings.crops(1, rng).to(self.team.device)
        mel = log_mel(samples, self.teacher.mel)
        strength, chance = torch.rand(2, generator=rng).tolist()
        if chance < self.options.blurred:
            mel = torch.lerp(mel, _smooth(mel), strength)
        with self.team.autocast():
            features = self.teacher.begin(mel, self.options.kept)
            return Lesson(features, self.teacher.finish(features, self.options.kept))


def inherit(student: HiFiGAN, teacher: HiFiGAN) -> None:
    """Give ``student`` the teacher's weights; of each stage's residual blocks, those that it has.

    Raises:
        ValueError: the teacher has not all that the student has.
    """
    ours, theirs = student.options, teacher.options
    for i, (mine, whole) in enumerate(zip(student.stages, teacher.stages, strict=True)):
        assert isinstance(mine, Stage) and isinstance(whole, Stage)
        if missing := [block for block in ours.blocks(i) if block not in theirs.blocks(i)]:
            kernel, dilations = missing[0]
            raise ValueError(
                f"stage {i + 1} of the vocoder has a block of kernel {kernel} and dilations {dilations}, its teacher has none"
            )
        kept = [theirs.blocks(i).index(block) for block in ours.blocks(i)]
        for block, place in zip(mine.blocks, kept, strict=True):
            block.load_state_dict(whole.blocks[place].state_dict())
        mine.upsample.load_state_dict(whole.upsample.state_dict())
    student.conv_in.load_state_dict(teacher.conv_in.state_dict())
    student.conv_out.load_state_dict(teacher.conv_out.state_dict())


def _read(options: TeacherOptions, run: VocoderRun) -> HiFiGAN:
    about, teacher = vocoder_folder.read(hub.vocoder_folder(options.vocoder))
    if not isinstance(teacher, HiFiGAN) or run.vocoder.name != "hifigan":
        raise ValueError(
            f"a teacher and its student are vocoders hifigan, here they are {about.vocoder.name} and {run.vocoder.name}"
        )
    if options.kept >= (n := len(teacher.stages)):
        raise ValueError(
            f"teacher.kept is {options.kept}: of the teacher's {n} stages the last has to learn; set it to less than {n}"
        )
    own = ("stage_kernel_sizes", "precision")
    theirs, ours = ({"mel": x.mel, **x.vocoder.options.model_dump(exclude={*own})} for x in (about, run))
    if changed := strict.differences(strict.plain(theirs), strict.plain(ours), "vocoder"):
        raise ValueError(f"the teacher in {options.vocoder} is another vocoder than this run's: {changed[0]}")
    return teacher


def _check_shared(student: HiFiGAN, teacher: HiFiGAN, options: TeacherOptions) -> None:
    for mine, whole in zip(_shared(student, options.kept), _shared(teacher, options.kept), strict=True):
        same = mine.state_dict().keys() == whole.state_dict().keys()
        if not same or any(not torch.equal(a, b) for a, b in zip(mine.parameters(), whole.parameters(), strict=True)):
            raise ValueError(
                f"teacher.kept is {options.kept}, but the first stages are not the teacher's; give them all its blocks in "
                "vocoder.stage_kernel_sizes, or set teacher.kept to 0"
            )


def _shared(vocoder: HiFiGAN, stages: int) -> list[nn.Module]:
    return [vocoder.conv_in, *vocoder.stages[:stages]]


def _smooth(mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
    """Return the mean of three frames and three channels: a flow's mels are smoother than those of recordings."""
    padded = F.pad(mel[:, None], (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(padded, 3, 1)[:, 0]
