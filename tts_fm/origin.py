"""What a synthesizer is loaded from, in plain values that mean the same in other processes and on other machines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tts_fm import hub, plugins
from tts_fm.synthesizer import Synthesizer
from tts_fm.vocoders import Vocoder


@dataclass(frozen=True)
class Origin:
    """What :meth:`Synthesizer.load` is given, under its names."""

    model: str = "default"
    vocab: str | None = None
    architecture: str | None = None
    vocoder: str | None = None
    device: str = "auto"
    precision: str = "auto"

    def anywhere(self) -> Origin:
        """Return it so that it names the same files whatever folder a process runs in: paths from the root on."""
        return replace(
            self,
            model=whole(self.model, hub.DEFAULT, *(one.name for one in hub.published())),
            vocab=None if self.vocab is None else whole(self.vocab),
            architecture=None if self.architecture is None else whole(self.architecture),
            vocoder=None if self.vocoder is None else whole(self.vocoder, hub.BUNDLED, *plugins.names(Vocoder)),
        )

    def load(self) -> Synthesizer:
        """Return the model. Raises as :meth:`Synthesizer.load`."""
        return Synthesizer.load(**vars(self))


def whole(name: str, *known: str) -> str:
    """Return ``name``; where it is none of the ``known`` but a file or a folder, its whole path."""
    return str(Path(name).absolute()) if name not in known and Path(name).exists() else name
