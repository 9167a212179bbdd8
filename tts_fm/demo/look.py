"""How the page looks: colours, type and spacing, with nothing fetched from elsewhere."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.colors import Color

_TEAL = Color(
    name="sea",
    c50="#eefaf8",
    c100="#d5f2ee",
    c200="#aee5de",
    c300="#7ad1c8",
    c400="#45b5ac",
    c500="#1f978f",
    c600="#137a74",
    c700="#12625e",
    c800="#134f4c",
    c900="#13423f",
    c950="#052725",
)
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Return the page's theme."""
    return gr.themes.Base(
        primary_hue=_TEAL,
        secondary_hue=_TEAL,
        neutral_hue="slate",
        radius_size="lg",
        spacing_size="md",
        font=_FONT,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f6f8f9",
        body_background_fill_dark="#0e1518",
        block_background_fill="white",
        block_background_fill_dark="#162025",
        block_border_color="#e3e9eb",
        block_border_color_dark="#26343a",
        block_shadow="0 1px 2px rgb(15 40 45 / 0.05)",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        body_text_color_subdued="#56676e",
        body_text_color_subdued_dark="#9fb1b8",
        block_info_text_color="#56676e",
        block_info_text_color_dark="#9fb1b8",
        block_title_text_color="#24363c",
        block_title_text_color_dark="#dbe6e9",
        block_label_text_color="#24363c",
        block_label_text_color_dark="#dbe6e9",
        block_label_border_width="0px",
        block_label_text_weight="600",
        block_title_text_weight="600",
        input_background_fill="#fbfcfc",
        input_background_fill_dark="#10191d",
        input_border_width="1px",
        input_border_color="#dde5e7",
        input_border_color_dark="#2c3c43",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="#1c2930",
        button_border_width="1px",
        button_primary_border_color="transparent",
        button_primary_border_color_dark="transparent",
        button_secondary_border_color="#cfd9dc",
        button_secondary_border_color_dark="#2c3c43",
        button_large_padding="12px 22px",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
    )


CSS = """
.gradio-container { width: 100% !important; max-width: 1120px !important; margin: 0 auto !important; }
.gradio-container > main { width: 100%; }
#head { padding: 12px 4px 0; }
#head h1 { font-size: 1.7rem; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
#head p { margin: 4px 0 0; color: var(--body-text-color-subdued); font-size: 1rem; }
.lead p { color: var(--body-text-color-subdued); margin: 0 2px; }
.side h3 { margin: 2px; font-size: 1.02rem; font-weight: 650; }
.gr-group .side { background: var(--block-background-fill); padding: 6px 0 0; }
.dark input[type="range"] { --neutral-200: #33444b; }
footer .divider { display: none !important; }
[id$=-status] .error { display: none; }
footer { width: 100%; justify-content: center; }
footer img { display: none !important; }
.mel { margin: 0; }
.mel .sound { position: relative; border-radius: 10px; overflow: hidden; background: #080820; }
.mel img { display: block; width: 100%; height: 168px; object-fit: fill; margin: 0; }
.mel i { position: absolute; top: 0; bottom: 0; background: rgb(94 234 212 / 0.22);
  border-left: 2px solid #5eead4; border-right: 2px solid #5eead4; }
.mel .ticks { display: flex; justify-content: space-between; margin-top: 3px; font-size: 0.72rem;
  font-variant-numeric: tabular-nums; color: var(--body-text-color-subdued); }
.mel figcaption { font-size: 0.82rem; color: var(--body-text-color-subdued); margin-top: 2px; }
.mel.small img { height: 96px; }
.mel.small figcaption { text-align: center; font-variant-numeric: tabular-nums; }
.row-of-mels { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 8px; }
.row-of-mels + .row-of-mels { margin-top: 12px; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 28px; margin: 2px; }
.facts dt { font-size: 0.75rem; color: var(--body-text-color-subdued); }
.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.note { margin: 2px; color: var(--body-text-color-subdued); }
.note.warning { color: #9a5b00; }
.dark .note.warning { color: #f5bd6a; }
.progress span { font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.progress > div { height: 8px; border-radius: 4px; background: var(--border-color-primary); margin-top: 6px; overflow: hidden; }
.progress i { display: block; height: 100%; background: var(--primary-500); transition: width 0.2s linear; }
.words { line-height: 1.9; font-size: 1.05rem; margin: 2px; overflow-wrap: anywhere; }
.words del { color: #b3382f; background: rgb(220 80 70 / 0.12); border-radius: 4px; padding: 1px 4px; }
.words ins { color: #0b6b52; background: rgb(30 160 120 / 0.16); border-radius: 4px; padding: 1px 4px; text-decoration: none; }
.dark .words del { color: #ff9d94; }
.dark .words ins { color: #74e0bf; }
.words .doubtful { text-decoration: underline wavy #d98a1f; text-underline-offset: 4px; }
.words.timed { max-height: 18em; overflow-y: auto; }
.words.timed:empty { display: none; }
.words.timed span { cursor: pointer; border-radius: 5px; padding: 1px 3px; transition: background 0.1s;
  display: inline-flex; flex-direction: column; margin-right: 3px; line-height: 1.3; }
.words.timed .heard { background: var(--primary-200); }
.dark .words.timed .heard { background: var(--primary-700); }
.live { margin-bottom: 6px; }
.live button { padding: 4px 14px; border: 1px solid var(--border-color-primary); border-radius: 8px; }
.live .clock { margin-left: 8px; font-variant-numeric: tabular-nums; color: var(--body-text-color-subdued); }
.words.timed small { font-size: 0.68rem; font-variant-numeric: tabular-nums; color: var(--body-text-color-subdued); }
.scroll { overflow-x: auto; }
table.plain { width: 100%; border: 0 !important; border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.plain th { text-align: left; font-weight: 600; font-size: 0.78rem; color: var(--body-text-color-subdued); }
table.plain th, table.plain td { padding: 6px 14px 6px 2px; vertical-align: top; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; white-space: nowrap; }
table.plain :is(thead, tbody, tr) { border: 0 !important; }
table.plain td:last-child { white-space: normal; min-width: 6em; overflow-wrap: anywhere; padding-right: 0; }
@media (max-width: 640px) {
  .row-of-mels { grid-template-columns: repeat(4, minmax(0, 1fr)); }
  .tab-container button { padding: 0 9px !important; font-size: 0.88rem; }
  #head h1 { font-size: 1.4rem; }
  .mel img { height: 120px; }
}
"""
