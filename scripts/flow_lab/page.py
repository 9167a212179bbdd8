"""The lab's page: lessons with their pictures, flows that move, and tables; it needs nothing but the pictures beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape

import torch

from scripts.flow_lab import table
from scripts.flow_lab.data import DATA
from scripts.flow_lab.lessons import LESSONS, Lesson
from scripts.flow_lab.measure import REFERENCE, Figures, Judge, waypoints
from scripts.flow_lab.pictures import COLOURS, EXTENT
from scripts.flow_lab.train import METHODS, Net, Settings
from tts_fm.flow import time_grid

POINTS, STEPS = 300, 16  # of the flows that move
ONCE = "training"  # the picture that shows all data sets at once

Ways = Mapping[str, str]


def encode_ways(nets: Mapping[str, Net]) -> Ways:
    """Return for each network where some noise is at 17 times, as bytes in base64: x and y of each point by turns."""
    x_0 = torch.randn(POINTS, 1, 2, generator=torch.Generator().manual_seed(7))
    grid, encoded = time_grid.build("uniform", STEPS), {}
    for key, net in nets.items():
        scaled = (waypoints(net, x_0, grid) / EXTENT + 1) * 127.5
        encoded[key] = base64.b64encode(scaled.clamp(0, 255).byte().numpy().tobytes()).decode()
    return encoded


def render(
    figures: Mapping[str, Mapping[str, Figures]],
    judges: Mapping[str, Judge],
    ways: Mapping[str, Ways],
    settings: Settings,
    samples: int,
) -> str:
    """Return the page."""
    names = list(figures)
    tabs = "".join(f'<button data-of="{name}">{escape(DATA[name].title)}</button>' for name in names)
    canvases = "".join(
        f'<figure><figcaption style="color:{COLOURS[key]}">{escape(method.title)}</figcaption>'
        f'<canvas width="440" height="440" data-method="{key}" role="img" '
        f'aria-label="points flowing from noise to data, {escape(method.title)}"></canvas></figure>'
        for key, method in METHODS.items()
    )
    solvers = "".join(
        f'<div class="of" data-of="{name}">{table.solvers(figures[name]).as_html()}</div>' for name in names
    )
    shown = {"points": POINTS, "times": STEPS + 1, "colours": COLOURS, "ways": ways}
    replaced = {
        "STYLE": _STYLE,
        "TABS": tabs,
        "CANVASES": canvases,
        "LESSONS": "".join(_lesson(lesson, names) for lesson in LESSONS),
        "OVERVIEW": table.overview(figures, judges).as_html(),
        "SOLVERS": solvers,
        "NOTES": _notes(settings, samples),
        "DATA": json.dumps(shown),
        "SCRIPT": _SCRIPT,
    }
    html = _PAGE
    for name, value in replaced.items():
        html = html.replace(f"[{name}]", value)
    return html


def _lesson(lesson: Lesson, names: list[str]) -> str:
    """Return a lesson with its pictures; of those of several data sets one is seen at a time."""
    files = [(ONCE, "")] if lesson.picture == ONCE else [(f"{lesson.picture}-{name}", name) for name in names]
    pictures = "".join(
        f'<div class="{"of wide" if of else "wide"}" data-of="{of}">'
        f'<img src="pictures/{file}.webp" loading="lazy" alt="{escape(lesson.title)}{", " + DATA[of].title if of else ""}">'
        "</div>"
        for file, of in files
    )
    where = ", ".join(f"<code>{escape(name)}</code>" for name in lesson.files)
    tested = ", ".join(f"<code>{escape(name)}</code>" for name in lesson.tests)
    return (
        f"<section><h2>{escape(lesson.title)}</h2><p>{lesson.text}</p>{pictures}"
        f'<p class="see"><b>What to see.</b> {lesson.see}</p>'
        f'<p class="where">In this repository: {where}. Tested by {tested}.</p></section>\n'
    )


def _notes(settings: Settings, samples: int) -> str:
    """Return how each column was measured."""
    notes = (
        (
            "updates",
            f"of Adam (rate {settings.lr:g}) on batches of {settings.batch} in {settings.seconds:g} s of CPU time, one thread; "
            f"the same network everywhere, three hidden layers of width {settings.width}, with averaged weights. Pairing by "
            "optimal transport and solving count, measuring does not. How many fit depends on the machine and its load.",
        ),
        (
            "s to floor",
            "CPU seconds until the samples come as near to the data as new points of the data do; looked at each time the "
            "seconds have grown by 1.4.",
        ),
        (
            "energy distance",
            f"between {samples:,} samples (RK4, 32 steps, from evenly spread noise, so that a lucky or unlucky draw is not what "
            f"is measured) and {REFERENCE * samples:,} points of the data, over all pairs. Its floor, <i>new points of the "
            f"data</i>, is the mean over ten draws of {samples:,} more points: what chance alone makes.",
        ),
        ("sliced Wasserstein", "how far points have to be moved along a line, mean over 64 directions; same samples."),
        (
            "bend",
            "mean of |v &minus; (x<sub>1</sub> &minus; x<sub>0</sub>)|&sup2; along the flow, over the mean of |x<sub>1</sub> "
            "&minus; x<sub>0</sub>|&sup2;: 0 is straight and at one pace.",
        ),
        (
            "nats missing",
            f"mean log density of {samples:,} held-out points under the law they were drawn from (a closed form; for the moons "
            "an integral over the angle, by quadrature) minus the flow's own (exact divergence, RK4, 32 steps), with its "
            "standard error: the Kullback-Leibler divergence from the data to the model.",
        ),
    )
    return "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in notes)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flow-matching lab</title>
<style>[STYLE]</style>
</head>
<body>
<header>
<h1>Flow-matching lab</h1>
<p>Four ways to learn a flow from noise to data in the plane, with the same network and the same time.</p>
<nav aria-label="data">[TABS]</nav>
</header>
<main>
<section class="stage">
<div class="flows">[CANVASES]</div>
<div class="controls"><button id="play" aria-label="play or pause">pause</button>
<input id="time" type="range" min="0" max="1" step="0.001" value="0" aria-label="t"><output>t = 0.00</output></div>
</section>
[LESSONS]
<section><h2>In figures</h2>
[OVERVIEW]
<dl>[NOTES]</dl>
<h3>Energy distance at 8 evaluations, by every solver</h3>
<p>Where a solver makes another number of them, the nearest one, in brackets. The data are chosen at the top of the page.</p>
[SOLVERS]
</section>
</main>
<footer>Made by <code>python -m scripts.flow_lab</code>; all figures are in <code>results.json</code> beside this page.</footer>
<script type="application/json" id="data">[DATA]</script>
<script>[SCRIPT]</script>
</body>
</html>
"""

_SCRIPT = """
const shown = JSON.parse(document.getElementById("data").textContent);
const slider = document.getElementById("time"), play = document.getElementById("play");
const canvases = [...document.querySelectorAll("canvas")];
const bytes = {};
for (const [name, ways] of Object.entries(shown.ways))
  for (const [method, text] of Object.entries(ways))
    bytes[name + "/" + method] = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

let chosen = Object.keys(shown.ways)[0];
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches, clock = 0, before = null;

function choose(name) {
  chosen = name;
  for (const button of document.querySelectorAll("nav button"))
    button.setAttribute("aria-pressed", button.dataset.of === name);
  for (const part of document.querySelectorAll(".of")) part.hidden = part.dataset.of !== name;
  draw();
}

function draw() {
  const t = Number(slider.value), place = t * (shown.times - 1);
  const frame = Math.min(Math.floor(place), shown.times - 2), share = place - frame;
  document.querySelector("output").textContent = "t = " + t.toFixed(2);
  for (const canvas of canvases) {
    const method = canvas.dataset.method, way = bytes[chosen + "/" + method];
    const pen = canvas.getContext("2d"), size = canvas.width, row = 2 * shown.points;
    pen.clearRect(0, 0, size, size);
    pen.fillStyle = shown.colours[method];
    for (let i = 0; i < row; i += 2) {
      const [x, y] = [0, 1].map(k => {
        const from = way[frame * row + i + k], to = way[(frame + 1) * row + i + k];
        return (from + share * (to - from)) / 255 * size;
      });
      pen.beginPath();
      pen.arc(x, size - y, 4.5, 0, 2 * Math.PI);
      pen.globalAlpha = 0.75;
      pen.fill();
    }
  }
}

function advance(now) {
  if (before !== null && playing) {
    clock = (clock + (now - before) / 4500) % 1;
    slider.value = Math.min(1, Math.max(0, clock * 1.6 - 0.15));
    draw();
  }
  before = now;
  requestAnimationFrame(advance);
}

function show() { play.textContent = playing ? "pause" : "play"; }
play.addEventListener("click", () => { playing = !playing; clock = (Number(slider.value) + 0.15) / 1.6; show(); });
slider.addEventListener("input", () => { playing = false; show(); draw(); });
for (const button of document.querySelectorAll("nav button"))
  button.addEventListener("click", () => choose(button.dataset.of));
if (!playing) slider.value = 1;
show();
choose(chosen);
requestAnimationFrame(advance);
"""

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #22252b; --faint: #646b77; --rule: #e4e2dd; --accent: #3b6ea5;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181d; --card: #1d2027; --ink: #e6e7ea; --faint: #98a0ad; --rule: #30343d; --accent: #7fb0e6; }
}
* { box-sizing: border-box; }
[hidden] { display: none; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; }
header, main, footer { max-width: 1040px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { margin: 0; font-size: 28px; line-height: 1.2; }
h2 { margin: 0 0 8px; font-size: 20px; line-height: 1.3; }
h3 { margin: 28px 0 4px; font-size: 16px; }
header p { margin: 6px 0 14px; color: var(--faint); }
section { margin: 18px 0; padding: 20px 24px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; }
section p { max-width: 72ch; margin: 0 0 12px; }
.see { padding-left: 12px; border-left: 3px solid var(--accent); }
.where, footer, dl, h3 + p { color: var(--faint); font-size: 14px; }
.where { margin: 0; overflow-wrap: anywhere; }
code { font-size: 0.92em; }
nav { display: flex; flex-wrap: wrap; gap: 8px; }
button {
  padding: 6px 14px; border: 1px solid var(--rule); border-radius: 999px;
  background: var(--card); color: var(--ink); font: inherit; cursor: pointer;
}
button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--paper); }
.flows { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; }
figure { margin: 0; }
figcaption { font-weight: 600; font-size: 14px; }
canvas { display: block; width: 100%; height: auto; border: 1px solid var(--rule); border-radius: 8px; }
.controls { display: flex; gap: 12px; align-items: center; margin-top: 14px; }
.controls button { min-width: 84px; }
.controls input { flex: 1; min-width: 0; accent-color: var(--accent); }
output { min-width: 4.6em; font-variant-numeric: tabular-nums; color: var(--faint); }
.wide { overflow-x: auto; margin: 12px 0; }
.wide img { display: block; width: 100%; min-width: 620px; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th { font-weight: 500; } thead th { color: var(--faint); }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 16px 0 0; }
dt { color: var(--ink); } dd { margin: 0; }
footer { padding-bottom: 32px; }
@media (max-width: 640px) {
  header, main, footer { padding-left: 12px; padding-right: 12px; }
  section { padding: 16px 14px; }
  .flows { grid-template-columns: repeat(2, 1fr); }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; }
  th:first-child { white-space: normal; min-width: 120px; }
}
"""
