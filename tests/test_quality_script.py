"""Rows of settings and weights: kept as lines, told as a table, drawn against hours."""

import json
from dataclasses import asdict

import numpy as np
from PIL import Image

from scripts.quality import Row, draw, parsed
from tts_fm.evaluation.report import Figure


def row(hours, value):
    names = ("cosine", "dnsmos_overall", "distillmos")
    figures = {name: Figure(value, value - 0.25, value + 0.25) for name in names}
    return Row("0123", "part 1", ["match_prompt=0.6"], [24, 4], hours, figures)


def test_a_row_comes_back_from_its_line_and_is_told_with_its_settings_and_intervals():
    one = row(1.5, 0.75)
    assert parsed(json.dumps(asdict(one))) == one
    cell = "0.750 (0.500–1.000)"
    assert one.line() == f"| part 1, `match_prompt=0.6` | {cell} | {cell} | {cell} |"


def test_only_rows_with_hours_are_drawn_and_the_last_of_each(tmp_path):
    pictures = []
    for rows in (
        [row(1.0, 2.0), row(2.0, 3.0)],
        [row(2.0, 9.0), row(None, 5.0), row(2.0, 3.0), row(1.0, 2.0)],
        [row(1.0, 2.0)],
    ):
        draw(rows, tmp_path / "a.png")
        pictures.append(np.asarray(Image.open(tmp_path / "a.png")))
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
