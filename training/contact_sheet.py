"""Draws the documentation's pictures of the embedded data set.

`python -m training.contact_sheet`
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.masks import ORGANS, masks
from pytest_retrieval_robust.datasets.synthetic_cxr.render import render
from pytest_retrieval_robust.datasets.synthetic_cxr.studies import (
    NORMAL,
    SLOTS,
    Study,
    states_with,
)

DOCS = Path(__file__).parents[1] / "docs"
_CELL = 200
_COLUMNS = 8
_CAPTION = 26
"""Pixels above each picture, for two lines of words."""
_COLOURS = (
    (70, 130, 230),
    (230, 80, 80),
    (80, 200, 80),
    (240, 220, 60),
    (220, 90, 230),
    (80, 220, 220),
)
_TITLE = "synthetic-cxr: procedural pictures, no patients"
# Every state once or nearly so, alone: what a reader compares with radiographs.
SINGLE: tuple[dict[str, str], ...] = (
    {},
    {},
    {"effusion_right": "small"},
    {"effusion_left": "moderate"},
    {"effusion_right": "large"},
    {"pneumothorax": "right small"},
    {"pneumothorax": "left large"},
    {"consolidation_right": "upper"},
    {"consolidation_right": "middle"},
    {"consolidation_right": "lower"},
    {"consolidation_left": "upper"},
    {"consolidation_left": "lower"},
    {"heart": "mild"},
    {"heart": "severe"},
    {"oedema": "mild"},
    {"oedema": "severe"},
    {"nodule": "right upper", "nodule_size": "small"},
    {"nodule": "left lower", "nodule_size": "large"},
    {"atelectasis": "right"},
    {"atelectasis": "both"},
    {"diaphragm": "right"},
    {"diaphragm": "left"},
    {"scoliosis": "right"},
    {"volumes": "low"},
    {"volumes": "high"},
    {"pacemaker": "left"},
    {"tube": "good"},
    {"tube": "low"},
    {"line": "right jugular"},
    {"line": "left subclavian"},
    {"picc": "left"},
    {"gastric_tube": "present", "wires": "present"},
)


def main() -> None:
    """Write the sheet of 48 studies, the sheet of masks, and 12 studies with their reports."""
    images = DOCS / "images"
    images.mkdir(parents=True, exist_ok=True)
    data = SyntheticCxr()
    studies = [
        Study(5, number, states_with(**states)) for number, states in enumerate(SINGLE)
    ]
    studies += data.studies[:16]
    contact_sheet(studies).save(images / "synthetic-cxr-48.png", optimize=True)
    mask_sheet(list(data.studies[20:26])).save(
        images / "synthetic-cxr-masks.png", optimize=True
    )
    lines = ["| synthetic radiograph | its report |", "| --- | --- |"]
    for number in range(12):
        name = f"synthetic-cxr-{number:02d}.png"
        data.image(number).save(images / name, optimize=True)
        lines.append(
            f"| ![synthetic radiograph](images/{name}) | {data.reports[number]} |"
        )
    replace_part(DOCS / "synthetic-cxr.md", "reports", "\n".join(lines))


def contact_sheet(studies: list[Study]) -> Image.Image:
    """Rows of captioned pictures under a title."""
    rows = -(-len(studies) // _COLUMNS)
    sheet = Image.new(
        "L", (_COLUMNS * (_CELL + 4), rows * (_CELL + _CAPTION) + 20), 255
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    pen.text((4, 2), _TITLE, fill=0, font=ImageFont.load_default(14))
    for number, study in enumerate(studies):
        row, column = divmod(number, _COLUMNS)
        left = column * (_CELL + 4)
        top = row * (_CELL + _CAPTION) + 20
        picture = Image.fromarray(render(study, _CELL, _CELL))
        sheet.paste(picture, (left, top + _CAPTION))
        for line, words in enumerate(_wrapped(caption(study), font)):
            pen.text((left + 2, top + 12 * line), words, fill=0, font=font)
    return sheet


def mask_sheet(studies: list[Study]) -> Image.Image:
    """Each study plain, with its organs, and with its findings in colour."""
    colours = np.array(_COLOURS)
    columns = []
    for study in studies:
        grey = render(study, _CELL, _CELL)
        plain = np.repeat(grey[..., None], 3, axis=2).astype(np.float64)
        organs = plain.copy()
        findings = plain.copy()
        for number, (name, mask) in enumerate(masks(study, _CELL, _CELL).items()):
            painted = findings
            if name in ORGANS:
                painted = organs
            painted[mask] = 0.55 * painted[mask] + 0.45 * colours[number % len(colours)]
        columns.append(np.concatenate([plain, organs, findings]))
    return Image.fromarray(np.concatenate(columns, axis=1).astype(np.uint8))


def caption(study: Study) -> str:
    """The abnormal states in words."""
    if study.states == NORMAL:
        return "normal"
    words = [
        f"{slot.name} {study[slot.name]}" for slot in SLOTS if study.has(slot.name)
    ]
    return ", ".join(words).replace(" present", "")


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[str]:
    """At most two lines that fit a cell; the rest is cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= _CELL - 4:
            lines[-1] = longer
        elif len(lines) == 2:
            lines[-1] += " …"
            break
        else:
            lines.append(word)
    return lines


def replace_part(page: Path, name: str, text: str) -> None:
    """Put `text` between the two comments that bear `name`."""
    begin = f"<!-- {name}: generated -->"
    end = f"<!-- {name}: end -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
