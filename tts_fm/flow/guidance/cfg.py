"""Classifier-free guidance: away from what the model says when it is told nothing."""

from __future__ import annotations

from tts_fm.flow.guidance import Guidance, Term


class ClassifierFree(Guidance):
    """``v_all + strength (v_all - v_nothing)``.

    Ho and Salimans, arXiv 2207.12598, in the form of Voicebox and F5-TTS (there ``cfg_strength``).
    """

    compares = True

    def terms(self) -> tuple[Term, ...]:
        return (Term(self.strength, "all", "nothing"),)
