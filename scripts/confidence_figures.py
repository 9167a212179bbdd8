"""Whether a flow knows which of its words will be misheard: the AUROC of what it tells of each word, beside the aligner's.

python -m scripts.confidence_figures runs/confidence.jsonl --hard 40 --pairs 16 --takes 2 --recogniser whisper

Every text is said ``--takes`` times. A word counts as misheard where the recogniser hears another one. What is known of it:

- ``aligner``: how little forced alignment likes it (what ``--verify`` goes by);
- ``seeds``: how far the log-mels of the takes lie apart over its frames;
- ``guidance``: how far the velocities with text and without anything lie apart there, at the same point of the path;
- ``misfit``: how badly the velocity that is told the words leads to what was said;
- ``gain``: how much worse it does without the words (with its sign turned): the gain in likelihood that the words give.

The three of the flow are means over draws of noise at two times. What has been measured is kept in the file of rows, and
running it again goes on. Figures are of words; their intervals are over texts, drawn anew. The last line is a logistic
regression of all that the flow tells, learned on every other text and measured on the rest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from scripts.heard_words import hard_sentences, misheard
from tts_fm import Prompt, Speech, Synthesizer, Waveform, plugins
from tts_fm.alignment import words_heard
from tts_fm.doubts import faults
from tts_fm.evaluation import pairs
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.flow.noise import noise
from tts_fm.timing import Passage
from tts_fm.types import Condition

TIMES, DRAWS = (0.3, 0.6), 2
FLOW = ("seeds", "guidance", "misfit", "gain")
WORST = 200.0
"""Of a word that the aligner does not find at all."""
LEAST = 10
"""Words that are misheard, and that are not, below which a share says nothing."""


@dataclass(frozen=True)
class Text:
    """What is said, in which voice (the model's own if None)."""

    id: str
    group: str
    text: str
    prompt: Prompt | None


@dataclass(frozen=True)
class Row:
    """A word of a take, whether ``--verify`` would doubt it, and what is known of it: more is worse."""

    text: str
    group: str
    take: int
    place: int
    word: str
    heard: str
    """All that the recogniser heard in the take."""
    is_doubted: bool
    aligner: float
    seeds: float
    guidance: float
    misfit: float
    gain: float


@dataclass(frozen=True)
class Word:
    """A row, and whether the recogniser heard something else there."""

    row: Row
    is_misheard: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="JSON lines; what is in it is not measured again")
    parser.add_argument("--model", default="default")
    parser.add_argument("--hard", type=int, default=40, help="hard sentences, in the model's own voice")
    parser.add_argument("--pairs", type=int, default=16, help="of the evaluation, in other voices")
    parser.add_argument("--takes", type=int, default=2)
    parser.add_argument("--recogniser", default="whisper")
    parser.add_argument("--recogniser-model")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = texts(given.hard, given.pairs)
    rows = read(given.rows)
    missing = [one for one in chosen if one.id not in {row.text for row in rows}]
    if missing:
        synthesizer = Synthesizer.load(given.model)
        judge = plugins.build(Recogniser, given.recogniser, [one.text for one in missing], given.recogniser_model)
    for number, one in enumerate(missing, 1):
        made = list(measured(synthesizer, judge, one, given.takes))
        with given.rows.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in made)
        rows += made
        print(f"{number} of {len(missing)}: {one.text}", flush=True)
    known = {one.id for one in chosen}
    for line in figures(judged([row for row in rows if row.text in known])):
        print(line)


def texts(hard: int, n_pairs: int) -> list[Text]:
    """Return what is said: texts that are hard, and those of speakers whom the model does not know."""
    own = [Text(f"hard {text}", kind, text, None) for kind, text in hard_sentences(hard)] if hard else []
    if not n_pairs:
        return own
    chosen = pairs.thin_out(pairs.read(pairs.BUNDLED), n_pairs)
    return own + [
        Text(one.id, "pairs", one.target_text, Prompt.load(one.prompt_audio, one.prompt_text)) for one in chosen
    ]


def read(path: Path) -> list[Row]:
    """Return the rows that are kept already."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Row(**json.loads(line)) for line in lines]


@torch.inference_mode()
def measured(synthesizer: Synthesizer, judge: Recogniser, one: Text, takes: int) -> Iterator[Row]:
    """Say a text several times, and yield the words of every take."""
    speeches = [synthesizer.speak(one.text, one.prompt, seed=seed) for seed in range(takes)]
    for take, speech in enumerate(speeches):
        words = [word for passage in speech.passages for word in passage.text.split()]
        heard = judge.transcribe(speech.waveform)
        apart = [(speech.mel - other.mel).abs().mean(-1) for i, other in enumerate(speeches) if i != take]
        frames = {"seeds": torch.stack(apart).mean(0), **told_by_flow(synthesizer, one.prompt, speech, seed=take)}
        placed = zip(spans(synthesizer, speech), aligned(speech), words, strict=True)
        for place, (frames_of, (cost, is_doubted), word) in enumerate(placed):
            means = {name: round(float(values[frames_of].mean()), 5) for name, values in frames.items()}
            yield Row(one.id, one.group, take, place, word, heard, is_doubted, cost, **means)


def told_by_flow(
    synthesizer: Synthesizer, prompt: Prompt | None, speech: Speech, seed: int
) -> dict[str, Float[Tensor, " n"]]:
    """Return what the velocities say of every frame of a speech."""
    teller, voice = synthesizer.teller, synthesizer.listen(prompt)
    parts: list[Tensor] = []
    start = 0
    for passage in speech.passages:
        condition = teller.to_speak(voice, passage.text, synthesizer.frontend.tokens(passage.text))
        end = start + condition.is_valid.shape[1] - len(voice.mel)
        said = synthesizer.config.mel_scale.scaled(speech.mel[start:end].to(synthesizer.device))
        parts.append(_by_velocity(synthesizer, condition, torch.cat([voice.mel, said]), seed)[:, len(voice.mel) :])
        start = end
    return dict(zip(("guidance", "misfit", "gain"), torch.cat(parts, dim=1), strict=True))


def _by_velocity(
    synthesizer: Synthesizer, condition: Condition, x_1: Float[Tensor, "n c"], seed: int
) -> Float[Tensor, "3 n"]:
    """Return for every frame how far guidance leads, how wrong the velocity is, and how much less than without words."""
    wordless = replace(condition, has_text=torch.zeros_like(condition.has_text))
    told = Condition.stack([condition, wordless, condition.empty()]).to(synthesizer.device)
    times = torch.tensor(TIMES, device=synthesizer.device)
    dtype = synthesizer.dtype
    autocast = nullcontext() if dtype == torch.float32 else torch.autocast(synthesizer.device.type, dtype=dtype)
    found: list[Tensor] = []
    with autocast:
        prepared = synthesizer.backbone.prepare(told, times)
        for i, t in enumerate(times.repeat(DRAWS)):
            x_0 = noise(1000 + DRAWS * len(TIMES) * seed + i, *x_1.shape).to(x_1)[None]
            point = synthesizer.path.sample(x_0, x_1[None], t[None])
            velocity = synthesizer.backbone.velocity(point.x_t.expand(3, -1, -1), t, prepared).float()
            wrong = (velocity - point.velocity).square().mean(-1)
            apart = (velocity[0] - velocity[2]).square().mean(-1)
            found.append(torch.stack([apart, wrong[0], wrong[0] - wrong[1]]))
    return torch.stack(found).mean(0).cpu()


def spans(synthesizer: Synthesizer, speech: Speech) -> Iterator[slice]:
    """Yield the frames of each word, at least one."""
    rate, start = synthesizer.config.mel.frame_rate, 0
    for passage in speech.passages:
        if passage.spans is None:
            raise SystemExit("the model does not tell when its words are heard")
        for span in passage.spans:
            first = start + int(span.start * rate)
            yield slice(first, max(first + 1, start + round(span.end * rate)))
        start += round((passage.end - passage.start) * rate)


def aligned(speech: Speech) -> Iterator[tuple[float, bool]]:
    """Yield how little the aligner likes each word, and whether it is doubted."""
    for passage in speech.passages:
        sound = _sound(speech.waveform, passage)
        words = words_heard(sound, passage.text)
        doubted = {i for fault in faults(sound, words) for i in fault.words}
        yield from ((round(min(-word.score, WORST), 2), i in doubted) for i, word in enumerate(words))


def _sound(waveform: Waveform, passage: Passage) -> Waveform:
    rate = waveform.sample_rate
    return Waveform(waveform.samples[round(passage.start * rate) : round(passage.end * rate)], rate)


def judged(rows: Sequence[Row]) -> list[Word]:
    """Compare what was to be said with what was heard, take by take."""
    takes: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        takes.setdefault((row.text, row.take), []).append(row)
    return [
        Word(row, wrong)
        for own in takes.values()
        for row, wrong in zip(own, misheard([row.word for row in own], own[0].heard).words, strict=True)
    ]


def figures(words: Sequence[Word]) -> Iterator[str]:
    """Yield the lines of the report."""
    for group in (None, *dict.fromkeys(word.row.group for word in words)):
        own = [word for word in words if group in (None, word.row.group)]
        wrong = sum(word.is_misheard for word in own)
        yield f"\n{'all' if group is None else group}: {wrong} of {len(own)} words misheard ({wrong / len(own):.1%})"
        doubted = [word for word in own if word.row.is_doubted]
        yield f"  {len(doubted)} are doubted, {sum(word.is_misheard for word in doubted)} of them rightly"
        if min(wrong, len(own) - wrong) >= LEAST:
            for name in ("aligner", *FLOW):
                yield f"  {name:9s} AUROC {_auroc(own, name)}"
    disputed = _disputed(words)
    yield f"\nwords that are misheard in some takes only: {len(disputed)}"
    if len(disputed) >= LEAST:
        for name in ("aligner", *(name for name in FLOW if name != "seeds")):  # which is the same for two takes
            yield f"  {name:9s} AUROC {_auroc(disputed, name)}"
    yield from _regression(words)


def _disputed(words: Sequence[Word]) -> list[Word]:
    """Return the words that are heard in one take and misheard in another: there the text says nothing."""
    outcomes: dict[tuple[str, int], set[bool]] = {}
    for word in words:
        outcomes.setdefault((word.row.text, word.row.place), set()).add(word.is_misheard)
    return [word for word in words if len(outcomes[word.row.text, word.row.place]) == 2]


def _auroc(words: Sequence[Word], name: str, draws: int = 500) -> str:
    """Return an AUROC with its interval of 95 %."""
    labels, values = _arrays(words, [name])
    by_text: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        by_text.setdefault(word.row.text, []).append(i)
    places, random = [np.array(own) for own in by_text.values()], np.random.default_rng(0)
    drawn = []
    for _ in range(draws):
        at = np.concatenate([places[i] for i in random.integers(len(places), size=len(places))])
        if 0 < labels[at].sum() < len(at):
            drawn.append(auroc(labels[at], values[at, 0]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{auroc(labels, values[:, 0]):.3f} ({low:.3f}-{high:.3f})"


def auroc(labels: np.ndarray, values: np.ndarray) -> float:
    """Return how often a word of those that are true has the greater value than one of those that are not."""
    n_true = int(labels.sum())
    n_false = len(labels) - n_true
    return float((rankdata(values)[labels].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))


def _regression(words: Sequence[Word]) -> Iterator[str]:
    """Yield how well all that the flow tells predicts together, and how honest its probabilities are, on unseen texts."""
    order = {text: i for i, text in enumerate(dict.fromkeys(word.row.text for word in words))}
    learned, unseen = ([word for word in words if order[word.row.text] % 2 == k] for k in (0, 1))
    base = np.mean([word.is_misheard for word in learned])
    yield f"\nlogistic regression, {len(learned)} words to learn from, {len(unseen)} others:"
    for title, names in (("aligner", ["aligner"]), ("flow", list(FLOW)), ("both", ["aligner", *FLOW])):
        labels, values = _arrays(learned, names)
        scale = StandardScaler().fit(values)
        model = LogisticRegression().fit(scale.transform(values), labels)
        labels, values = _arrays(unseen, names)
        likely = model.predict_proba(scale.transform(values))[:, 1]
        brier, least = np.square(likely - labels).mean(), np.square(base - labels).mean()
        yield f"  {title:9s} AUROC {auroc(labels, likely):.3f}, Brier {brier:.4f} ({least:.4f} by the share alone)"


def _arrays(words: Sequence[Word], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([word.is_misheard for word in words])
    return labels, np.array([[getattr(word.row, name) for name in names] for word in words])


if __name__ == "__main__":
    main()
