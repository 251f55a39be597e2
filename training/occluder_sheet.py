"""Draws the pictures and writes the tables of `docs/occluders.md`.

`python -m training.occluder_sheet`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from pytest_retrieval_robust import (
    encoder_from_callables,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.core.encoding import unit_scale
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.datasets import RetrievalDataset
from pytest_retrieval_robust.measure.batches import sampled_images, setting_of
from pytest_retrieval_robust.measure.pairs import Pairs, pairs_of
from pytest_retrieval_robust.measure.sweep.run import Measured, run_sweep
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.occluders import WHOLE, Occluder
from pytest_retrieval_robust.occluders.area import visible_level
from pytest_retrieval_robust.occluders.fills import FILLS
from pytest_retrieval_robust.occluders.scene import Scene, Setting
from pytest_retrieval_robust.retrieval.ranking import positive_ranks
from training.contact_sheet import DOCS, replace_part

PAGE = DOCS / "occluders.md"
AREA = ("patches", "box", "boxes", "blobs", "grid", "border", "side")
DRAWN = ("pacemaker", "ecg-leads", "lines", "burned-in-text", "marker")
REGIONS = ("regions", "regions(region=heart)", "regions(region=mediastinum)")
GUIDED = ("salient", "non-salient", "worst")
MEASURED = ("tiny-cxr-clip", "tiny-cxr-clip-robust")
GUIDE = "tiny-cxr-clip-robust"
FILM = (2544, 3056)
"""Width and height of a usual film of a computed radiograph."""
_MANY = 200
"""Images that the tables take their means over."""
_SHOWN = 11
"""The number of the image in the pictures.

It has consolidation and a nodule on the right, no devices, no black rim.
"""
_GREYS = 64
"""What is left of 256 grey levels in the pictures, for the sake of their size."""
_GAP = 3
_CAPTION = 13
_LABEL = 96


@dataclass(frozen=True)
class Sheet:
    """Rows of captioned tiles, each row under its own words at the left."""

    tile: int
    heads: Sequence[str]
    """One above each group of columns of equal width."""
    label: int = _LABEL
    rows: list[tuple[str, list[tuple[str, Image.Image]]]] = field(default_factory=list)

    def draw(self) -> Image.Image:
        columns = max(len(tiles) for _, tiles in self.rows)
        head = 18 if self.heads else 0
        down = self.tile + _CAPTION + _GAP
        across = self.tile + _GAP
        width = self.label + columns * across
        sheet = Image.new("L", (width, head + len(self.rows) * down), 255)
        pen = ImageDraw.Draw(sheet)
        small = ImageFont.load_default(11)
        large = ImageFont.load_default(13)
        for number, words in enumerate(self.heads):
            first_column = number * columns // len(self.heads)
            left = self.label + first_column * across
            pen.text((left, 1), words, fill=0, font=large)
        for row, (label, tiles) in enumerate(self.rows):
            top = head + row * down
            middle = (2, top + _CAPTION + self.tile // 2 - 10)
            pen.multiline_text(middle, label, fill=0, font=large, spacing=2)
            for column, (caption, picture) in enumerate(tiles):
                left = self.label + column * across
                pen.text((left + 1, top), caption, fill=0, font=small)
                size = (self.tile, self.tile)
                tile = picture.resize(size, Image.Resampling.BOX)
                sheet.paste(tile, (left, top + _CAPTION))
        return sheet


def main() -> None:
    """Write four pictures and the tables: the last ones take minutes."""
    data = load_dataset("synthetic-cxr")
    pictures = {
        "area": area_sheet(data),
        "severity": severity_sheet(data),
        "fills": fill_sheet(data),
        "guided": guided_sheet(data),
    }
    for name, picture in pictures.items():
        save(picture, name)
    replace_part(PAGE, "shares", shares_table(data))
    replace_part(PAGE, "crop", crop_table(data))
    replace_part(PAGE, "recall", recall_tables(data))


def save(sheet: Image.Image, name: str) -> None:
    """As a small greyscale PNG."""
    steps = [round(grey * (_GREYS - 1) / 255) for grey in range(256)]
    coarse = sheet.point([round(step * 255 / (_GREYS - 1)) for step in steps])
    coarse.save(DOCS / "images" / f"occluders-{name}.png", optimize=True)


def scene_of(data: RetrievalDataset, numbers: Sequence[int], side: int = 224) -> Scene:
    """Images of a data set as they are, for occluders that ask no model."""
    plain = _plain(side)
    setting = Setting(plain, data, torch.zeros(1, 1), np.zeros(1, dtype=np.int64))
    prepared = [plain.prepare(data.image(number)).pixels for number in numbers]
    pixels = unit_scale(np.stack(prepared), "cpu")
    ids = [data.image_ids[number] for number in numbers]
    frames = [WHOLE] * len(ids)
    groups = data.image_groups[np.array(numbers)]
    return Scene(setting, numbers, ids, pixels, frames, groups)


def _plain(side: int) -> DualEncoder:
    """Prepares as most models do: short side to the square, the middle kept. It has no
    network.
    """

    def no_network(_: Any) -> Any:
        raise NotImplementedError

    return encoder_from_callables("plain", no_network, no_network, size=side)


def hidden(
    scene: Scene, occluder: Occluder, level: float, seed: int = 0
) -> Image.Image:
    """The scene's one image under a bound occluder."""
    pixels = occluder.occlude(scene.pixels, scene.ids, level, seed, scene.frames)
    greys = (pixels[0, 0].clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(greys.numpy())


def area_sheet(data: RetrievalDataset) -> Image.Image:
    """The area occluders on one radiograph, in two layouts."""
    scene = scene_of(data, [_SHOWN])
    levels = (0.1, 0.3, 0.5, 0.8)
    sheet = Sheet(112, ["seed 0", "seed 1"], label=66)
    for name in AREA:
        occluder = load_occluder(name)
        tiles = [
            (f"{level:g}", hidden(scene, occluder, level, seed))
            for seed in (0, 1)
            for level in levels
        ]
        sheet.rows.append((name, tiles))
    return sheet.draw()


def severity_sheet(data: RetrievalDataset) -> Image.Image:
    """The drawn occluders and the regions, with the share that each hides."""
    scene = scene_of(data, [_SHOWN])
    levels = (0.1, 0.3, 0.6, 1.0)
    sheet = Sheet(112, ["seed 0", "seed 1"])
    for name in (*DRAWN, *REGIONS):
        occluder = load_occluder(name).bind(scene)
        tiles = []
        for seed in (0, 1):
            for level in levels:
                share = occluder.shares(scene.ids, level, seed)[0]
                caption = f"{level:g}: {100 * share:.1f} %"
                tiles.append((caption, hidden(scene, occluder, level, seed)))
        sheet.rows.append((name.replace("(region=", "\n(region=\n"), tiles))
    return sheet.draw()


def fill_sheet(data: RetrievalDataset) -> Image.Image:
    """Every fill under the same patches."""
    scene = scene_of(data, [_SHOWN])
    tiles = [("nothing hidden", hidden(scene, load_occluder("patches"), 0))]
    for fill in FILLS:
        occluder = load_occluder(f"patches(fill={fill})").bind(scene)
        tiles.append((f"fill={fill}", hidden(scene, occluder, 0.3)))
    sheet = Sheet(224, [], label=0)
    for start in range(0, len(tiles), 3):
        sheet.rows.append(("", tiles[start : start + 3]))
    return sheet.draw()


def guided_sheet(data: RetrievalDataset) -> Image.Image:
    """The model-guided occluders on one radiograph, with the rank of its report."""
    model = load_model(GUIDE, device="cpu")
    pairs = pairs_of(data)
    setting = setting_of(model, pairs)
    sample = Pairs(data, np.array([_SHOWN]), pairs.reports)
    scene = next(sampled_images(setting, model, sample, 1))
    # The pictures are larger than what the model sees.
    larger = scene_of(data, [_SHOWN])
    sheet = Sheet(160, [], label=88)
    for name in GUIDED:
        occluder = load_occluder(name).bind(scene)
        tiles = []
        for level in (0, 0.1, 0.2, 0.3, 0.5):
            rows = model.encode_images(
                occluder.occlude(scene.pixels, scene.ids, level, 0, scene.frames)
            )
            rank = positive_ranks(
                rows, setting.reports, scene.groups, setting.report_groups
            )[0]
            caption = f"{level:g}: report at rank {rank}"
            tiles.append((caption, hidden(larger, occluder, level)))
        sheet.rows.append((name, tiles))
    return sheet.draw()


def shares_table(data: RetrievalDataset) -> str:
    """What the severity occluders hide, over many images."""
    # Shares do not depend on the picture's size: a small one is quick.
    scene = scene_of(data, range(_MANY), side=8)
    names = (*DRAWN, *REGIONS)
    bound = [load_occluder(name).bind(scene) for name in names]
    rows = {}
    for level in (0.1, 0.3, 0.5, 1.0):
        shares = [mean(occluder.shares(scene.ids, level, 0)) for occluder in bound]
        rows[f"{level:g}"] = [f"{100 * share:.1f}" for share in shares]
    return _table("severity", names, rows)


def crop_table(data: RetrievalDataset) -> str:
    """What a model that keeps the middle of a film sees hidden, over many images."""
    ids = data.image_ids[:_MANY]
    frame = _plain(224).prepare(Image.new("L", FILM)).frame
    rows = {}
    for level in (0.1, 0.2, 0.3, 0.5):
        masks = [load_occluder(name).mask(ids, level, 0, 224, frame) for name in AREA]
        rows[f"{level:g}"] = [f"{visible_level(mask, frame):.2f}" for mask in masks]
    return _table("level", AREA, rows)


def recall_tables(data: RetrievalDataset) -> str:
    """Recall@10 of embedded encoders under area occluders, fills, severity occluders."""
    fills = [load_occluder(f"patches(fill={fill})").name for fill in FILLS]
    parts = (
        ("level 0.3", AREA, 0.3),
        ("level 0.3", fills, 0.3),
        ("severity 1", (*DRAWN, *REGIONS), 1.0),
    )
    cells = {
        Cell(name, level, 0): load_occluder(name)
        for _, names, level in parts
        for name in names
    }
    measured = {}
    for model_name in MEASURED:
        model = load_model(model_name, device="cpu")
        sweep = run_sweep(model, pairs_of(data), list(cells.items()), [10])
        measured[model_name] = sweep.cells
    tables = []
    for first, names, level in parts:
        rows = {}
        for model_name in MEASURED:
            of_model = measured[model_name]
            rows[f"`{model_name}`"] = [
                _recall(of_model[Cell(name, level, 0)]) for name in names
            ]
        tables.append(_table(first, names, rows))
    return "\n\n".join(tables)


def _recall(measured: Measured | RobustError) -> str:
    if isinstance(measured, RobustError):
        raise measured
    return f"{measured.image_to_report.recall[10]:.2f}"


def _table(first: str, names: Sequence[str], rows: dict[str, list[str]]) -> str:
    """Occluders from left to right, of a family's parameters only the value."""
    heads = []
    for name in names:
        value = name.removeprefix("patches(").removeprefix("regions(").removesuffix(")")
        heads.append(f"`{value}`")
    lines = [f"| {first} | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for row, cells in rows.items():
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
