"""Auto-guidance: away from what a weaker model says of the same condition."""

from __future__ import annotations

from pydantic import Field

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance, Term


class Auto(Guidance):
    """``v_all + strength (v_all - v_weak)``, Karras et al., arXiv 2406.02507."""

    class Options(plugins.Options):
        """Its strength; None is that of the guidance as a whole."""

        strength: float | None = Field(default=None, ge=0, le=20)

    options: Options
    compares = True

    def terms(self) -> tuple[Term, ...]:
        return (Term(self.strength if self.options.strength is None else self.options.strength, "all", "weak"),)
