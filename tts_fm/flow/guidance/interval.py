"""Guidance on an interval of t alone; outside it nothing is compared, and that costs less."""

from __future__ import annotations

from pydantic import Field, model_validator

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance


class Interval(Guidance):
    """Guides where ``start <= t <= end``, Kynkäänniemi et al., arXiv 2404.07724."""

    class Options(plugins.Options):
        """The interval; 0 is noise, 1 is speech."""

        start: float = Field(default=0.0, ge=0, le=1)
        end: float = Field(default=0.75, ge=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Interval.Options:
            if self.start > self.end:
                raise ValueError(f"interval.start {self.start:g} is above interval.end {self.end:g}; turn them round")
            return self

    options: Options

    def is_on(self, t: float) -> bool:
        return self.options.start <= t <= self.options.end
