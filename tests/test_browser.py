"""The web page in a real browser: who comes, speaks with a voice, changes his mind, waits for another, has a small screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from browser_page import LONGEST_START, MISHEARD, TABS, TEXT, Server, Visitor

from tts_fm.audio import io

pytestmark = pytest.mark.browser

STEPS = 64  # the most that the page takes
LONG, PIECES, LEAST = " ".join([TEXT] * 64), 6, 15.0
"""Two and a half minutes of speech in at least so many pieces, of :data:`STEPS` steps each: on the fastest machine that takes
more seconds than the last number, and what the page itself costs is little beside it."""
BUTTONS = ["Generate", "Tell it", "Dub it", "Make the change", "Compare", "Keep this voice"]
"""What is written on the main button of each tab."""


def test_the_page_comes_whole_and_asks_nobody_else(visitor: Visitor, server: Server) -> None:
    print(f"tts-fm demo answered after {server.seconds_to_start:.1f} s")
    assert server.seconds_to_start < LONGEST_START
    assert "speech" in visitor.page.title().lower()
    assert [tab.inner_text() for tab in visitor.page.get_by_role("tab").locator("visible=true").all()] == TABS
    for tab in TABS:
        visitor.open(tab)
        visitor[f"tab-{tab.lower()}"].wait_for()
    assert visitor.hosts <= {"127.0.0.1", "the page itself"}
    assert visitor.complaints == []


def test_a_cloned_voice_says_the_text(
    visitor: Visitor, recording: tuple[Path, str], hears: Callable[[Path, str], float]
) -> None:
    visitor["speak-source"].get_by_text("A new recording").click()
    visitor.upload("speak-recording", recording[0])
    visitor.type("speak-transcript", recording[1])
    visitor.type("speak-text", TEXT)
    visitor.settle("speak")
    visitor["speak-generate"].click()
    assert "consent" in visitor.error()
    visitor.tick("speak-consent")
    visitor.finish("speak")
    speech = visitor.download("speak-audio")
    assert hears(speech, TEXT) <= MISHEARD
    assert soundfile.info(speech).subtype == "PCM_16"
    assert 1.5 < io.read(speech).seconds < 8
    facts = io.read_metadata(speech)
    assert (facts["software"], facts["seed"]) == ("tts-fm", "0")
    assert facts["model"] in visitor["speak-facts"].inner_text()
    assert visitor["speak-mel"].locator("img").evaluate("image => image.naturalWidth") > 100
    assert visitor.complaints == []


def test_cancel_stops_between_two_steps_and_the_next_one_works(visitor: Visitor) -> None:
    step = visitor.begin("speak", LONG, STEPS)
    began = time.monotonic()
    visitor["speak-cancel"].click()
    visitor.wait("speak", "Cancelled", timeout=20)
    visitor.type("speak-text", TEXT)
    visitor.set("speak-steps", 2)
    visitor.page.wait_for_timeout(500)  # gradio takes a click in the very moment of an end for a double click
    visitor.finish("speak")
    waited = time.monotonic() - began
    print(f"a step takes {step:.2f} s; from Cancel to the next speech: {waited:.1f} s")
    assert waited < max(LEAST, 0.8 * PIECES * STEPS * step)  # without Cancel, nearly all of them come first
    assert io.read(visitor.download("speak-audio")).seconds < 8


def test_a_second_visitor_waits_his_turn(visitor: Visitor, other: Visitor) -> None:
    for each, steps in ((visitor, 48), (other, 24)):
        each.settle("speak", steps)
        each.type("speak-text", TEXT)
    visitor["speak-generate"].click()
    visitor.wait("speak", "of 48")
    other["speak-generate"].click()
    other.wait("speak", "queue: 1/1")
    assert "of 48" in visitor["speak-status"].inner_text()  # the first is not done, and the second has not begun
    assert other["speak-status"].get_by_role("progressbar").count() == 0
    other.wait("speak", "of 24")
    visitor.wait("speak", "Done", timeout=5)
    other.wait("speak", "Done")
    first, second = (io.read(each.download("speak-audio")).seconds for each in (visitor, other))
    assert first == second > 1.5  # the length does not depend on the steps


def test_who_leaves_stops_what_he_began(visitor: Visitor, other: Visitor) -> None:
    visitor.settle("speak", 2)
    visitor.type("speak-text", TEXT)
    step = other.begin("speak", LONG, STEPS)
    began = time.monotonic()
    other.page.close()
    visitor.finish("speak")
    waited = time.monotonic() - began
    print(f"a step takes {step:.2f} s; from leaving to the next one's speech: {waited:.1f} s")
    assert waited < max(LEAST, 0.8 * PIECES * STEPS * step)


def test_a_narrow_screen_shows_every_tab(other: Visitor) -> None:
    buttons = dict(zip(TABS, BUTTONS, strict=True))
    for tab in [*TABS, *reversed(TABS)]:
        other.open(tab)
        content = other[f"tab-{tab.lower()}"]
        content.wait_for()
        shown = [name for name in TABS if other[f"tab-{name.lower()}"].is_visible()]
        assert shown == [tab]
        button = content.get_by_role("button", name=buttons[tab], exact=True)
        button.scroll_into_view_if_needed()
        place = button.bounding_box()
        assert place is not None and place["x"] >= 0 and place["x"] + place["width"] <= 400
        assert other.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert other.complaints == []
