"""Guidance: maps from velocity fields to a velocity field, freely combined; each other file here is one of them.

All have the form ``v = v_all + sum of strength * (v_toward - v_away)``. One guidance says what is compared, another when,
another reshapes a difference, or what came out; so their order does not matter.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import ValidationError
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.paths import Path
from tts_fm.plugins import Options, Plugin
from tts_fm.types import VelocityField

Conditioning = Literal["all", "text", "prompt", "nothing", "weak"]
"""What a field is conditioned on: all, its text alone, its prompt alone, nothing; or all, but in a weaker model."""

Fields = Callable[[Tensor, Tensor, tuple[Conditioning, ...]], Mapping[Conditioning, Tensor]]
"""``(x_t, t, conditionings) -> velocities``: one ``(b n c)`` for each of ``conditionings``."""


@dataclass(frozen=True)
class Term:
    """``strength * (v_toward - v_away)``."""

    strength: float
    toward: Conditioning
    away: Conditioning


@dataclass(frozen=True, eq=False)
class Point:
    """Where a field is guided; ``is_target`` tells which frames count in means and products of an utterance."""

    x_t: Float[Tensor, "b n c"]
    t: Float[Tensor, ""]
    path: Path
    is_target: Bool[Tensor, "b n"]

    @property
    def remaining(self) -> Float[Tensor, ""]:
        """How far the end moves with the velocity, ``d x_1 / d v``: on the straight path ``1 - t``."""
        return self.path.sigma(self.t) / self._determinant

    def clean(self, velocity: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Return the ``x_1`` to which ``velocity`` points: on the straight path ``x_t + (1 - t) v``."""
        return self.remaining * velocity - self.path.d_sigma(self.t) / self._determinant * self.x_t

    def product(self, a: Float[Tensor, "b n c"], b: Float[Tensor, "b n c"]) -> Float[Tensor, "b 1 1"]:
        """Return the inner product of each utterance."""
        return (a * b * self.is_target[..., None]).sum(dim=(1, 2), keepdim=True)

    @property
    def _determinant(self) -> Float[Tensor, ""]:
        path, t = self.path, self.t
        return path.sigma(t) * path.d_alpha(t) - path.d_sigma(t) * path.alpha(t)


class Guidance(Plugin, ABC):
    """One idea of guidance; what it does not define leaves the field as it is. It serves one solution of one ODE.

    Args:
        options: its own settings.
        strength: the strength asked for; 0 is no guidance.
        grid: where the solver steps.
    """

    compares: ClassVar[bool] = False
    """Whether it says what is compared; where nobody does, it is all with nothing (``cfg``)."""

    def __init__(self, options: Options, strength: float, grid: Float[Tensor, " k"]) -> None:
        self.options, self.strength, self.grid = options, strength, grid

    def terms(self) -> tuple[Term, ...]:
        """Return what is compared, and how strongly."""
        return ()

    def is_on(self, t: float) -> bool:
        """Return whether anything is compared at ``t``."""
        return True

    def is_still(self, t: float) -> bool:
        """Return whether the flow stands still at ``t``."""
        return False

    def away(self, v_away: Tensor, v_toward: Tensor, point: Point) -> Tensor:
        """Return the velocity to lead away from."""
        return v_away

    def difference(self, difference: Tensor, term: Term, v_all: Tensor, point: Point) -> Tensor:
        """Return the difference of ``term``, reshaped."""
        return difference

    def result(self, guided: Tensor, v_all: Tensor, point: Point) -> Tensor:
        """Return the guided velocity, reshaped."""
        return guided


class Guide:
    """Several guidances as one map. Make a new one for each ODE: some remember what they saw."""

    def __init__(self, modes: Sequence[Guidance]) -> None:
        self.modes = tuple(modes)
        self._terms = tuple(term for mode in modes for term in mode.terms() if term.strength != 0)

    def needed(self, t: float) -> tuple[Conditioning, ...]:
        """Return which velocities are needed at ``t``: ``all`` first, and none where the flow stands still."""
        if any(mode.is_still(t) for mode in self.modes):
            return ()
        return tuple(dict.fromkeys(["all", *(one for term in self._at(t) for one in (term.toward, term.away))]))

    def guide(self, fields: Fields, path: Path, is_target: Bool[Tensor, "b n"]) -> VelocityField:
        """Return the guided field."""

        def field(x_t: Tensor, t: Tensor) -> Tensor:
            needed = self.needed(float(t))
            if not needed:
                return torch.zeros_like(x_t)
            velocities, terms = fields(x_t, t, needed), self._at(float(t))
            v_all = velocities["all"]
            return self._guided(velocities, terms, Point(x_t, t, path, is_target)) if terms else v_all

        return field

    def _at(self, t: float) -> tuple[Term, ...]:
        return self._terms if all(mode.is_on(t) for mode in self.modes) else ()

    def _guided(self, velocities: Mapping[Conditioning, Tensor], terms: tuple[Term, ...], point: Point) -> Tensor:
        guided = v_all = velocities["all"]
        for term in terms:
            away = velocities[term.away]
            for mode in self.modes:
                away = mode.away(away, velocities[term.toward], point)
            difference = velocities[term.toward] - away
            for mode in self.modes:
                difference = mode.difference(difference, term, v_all, point)
            guided = guided + term.strength * difference
        for mode in self.modes:
            guided = mode.result(guided, v_all, point)
        return guided


def build(modes: Mapping[str, Mapping[str, Any]], strength: float, grid: Float[Tensor, " k"]) -> Guide:
    """Return the guidances called ``modes``, with their settings, as one; see :func:`parse`."""
    kinds = {name: plugins.load(Guidance, name) for name in modes}
    if not any(kind.compares for kind in kinds.values()):
        kinds = {"cfg": plugins.load(Guidance, "cfg"), **kinds}
    return Guide([kind(kind.Options(**modes.get(name, {})), strength, grid) for name, kind in kinds.items()])


def parse(value: Any) -> dict[str, dict[str, Any]]:
    """Return every mode's name with all of its settings.

    ``value`` is that already, or a list (or a text with commas) of ``NAME`` and ``NAME.OPTION=VALUE``.

    Raises:
        ValueError: no such mode, option or value.
    """
    given: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
    if not isinstance(value, str | Mapping | list | tuple):
        raise ValueError(f"{value!r} names no modes; write NAME or NAME.OPTION=VALUE, several with commas, or a list")
    items = value.split(",") if isinstance(value, str) else [] if isinstance(value, Mapping) else value
    for item in items:
        where, is_set, setting = str(item).strip().partition("=")
        name, has_option, option = where.partition(".")
        if not name or bool(is_set) != bool(has_option and option):
            raise ValueError(f"{item!r} is no mode; write NAME or NAME.OPTION=VALUE, such as interval.end=0.7")
        given.setdefault(name, {}).update({option: setting} if is_set else {})
    return {name: _settings(name, settings) for name, settings in given.items()}


def _settings(name: str, settings: Any) -> dict[str, Any]:
    kind = plugins.load(Guidance, name)
    settings = {} if settings is None else settings
    if not isinstance(settings, Mapping):
        raise ValueError(f"{name} is {settings!r}; it takes a mapping of {_listed(kind)}")
    try:
        return kind.Options.model_validate(dict(settings)).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ValueError(f"{name} has no option {option!r}; it has {_listed(kind)}") from None
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{name}.{option} is {first['input']!r}: {message}" if option else message) from None


def _listed(kind: type[Guidance]) -> str:
    options = ", ".join(kind.Options.model_fields)
    return options if options else "none"
