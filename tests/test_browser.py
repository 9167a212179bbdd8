"""The web page in a real browser: what a visitor does, and what he hears."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from browser_page import LONGEST_START, Server, Visitor

from tts_fm.audio import io

pytestmark = pytest.mark.browser
pytest_plugins = ["browser_page"]

TABS = ["Speak", "Story", "Edit", "Compare", "Voices"]
TEXT = "Every morning the old man walked down to the river."
LONG = " ".join([TEXT] * 20)
MISHEARD = 0.2  # share of words; speech of the bundled voice has 0.06 on average, noise about 1


def test_the_page_comes_whole_and_asks_nobody_else(visitor: Visitor, server: Server) -> None:
    print(f"tts-fm demo answered after {server.seconds_to_start:.1f} s")
    assert server.seconds_to_start < LONGEST_START
    assert "speech" in visitor.page.title().lower()
    for tab in TABS:
        visitor.open(tab)
        visitor[f"tab-{tab.lower()}"].wait_for()
    assert visitor.hosts <= {"127.0.0.1", "the page itself"}
    assert visitor.complaints == []


def clone(visitor: Visitor, recording: tuple[Path, str]) -> None:
    """Give a recording and its words, but no consent."""
    visitor["speak-source"].get_by_text("A new recording").click()
    visitor.upload("speak-recording", recording[0])
    visitor.type("speak-transcript", recording[1])
    visitor["speak-recording"].locator("audio, canvas, #waveform").first.wait_for(state="attached")


def settle(visitor: Visitor, steps: int | None = None) -> None:
    """Keep the seed, which is 0, and take so many steps."""
    visitor["speak-settings"].locator("button").first.click()
    visitor["speak-seed-lock"].locator("input").check()
    if steps is not None:
        visitor["speak-steps"].locator("input[type=number]").fill(str(steps))
        visitor["speak-steps"].locator("input[type=number]").press("Tab")


def says(visitor: Visitor, tab: str, words: str, timeout: float = 120) -> None:
    """Wait until the status of a tab says these words."""
    visitor[f"{tab}-status"].get_by_text(words).first.wait_for(timeout=1000 * timeout)


def test_a_cloned_voice_says_the_text(
    visitor: Visitor, recording: tuple[Path, str], hears: Callable[[Path, str], float]
) -> None:
    clone(visitor, recording)
    settle(visitor)
    visitor.type("speak-text", TEXT)
    visitor["speak-generate"].click()
    assert "consent" in visitor.error()
    visitor["speak-consent"].locator("input").check()
    visitor["speak-generate"].click()
    says(visitor, "speak", "Done")
    speech = visitor.download("speak-audio")
    assert hears(speech, TEXT) <= MISHEARD
    assert soundfile.info(speech).subtype == "PCM_16"
    assert 1.5 < io.read(speech).seconds < 8
    facts = io.read_metadata(speech)
    assert (facts["software"], facts["seed"]) == ("tts-fm", "0")
    assert facts["model"] in visitor["speak-facts"].inner_text()
    assert visitor["speak-mel"].locator("img").evaluate("image => image.naturalWidth") > 100
    assert visitor.complaints == []


def test_cancel_stops_at_once_and_the_next_one_works(visitor: Visitor) -> None:
    settle(visitor, steps=64)
    visitor.type("speak-text", LONG)
    visitor["speak-generate"].click()
    visitor["speak-status"].get_by_text("step").wait_for()
    began = time.monotonic()
    visitor["speak-cancel"].click()
    says(visitor, "speak", "Cancelled", timeout=5)
    visitor.type("speak-text", TEXT)
    visitor["speak-steps"].locator("input[type=number]").fill("4")
    visitor["speak-generate"].click()
    says(visitor, "speak", "Done", timeout=40)
    print(f"from cancelling to the next speech: {time.monotonic() - began:.1f} s")
    assert io.read(visitor.download("speak-audio")).seconds < 8
