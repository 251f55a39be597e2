"""What a trained encoder reaches, measured through the package as a user would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pytest_retrieval_robust import evaluate, load_dataset, load_model, load_occluder
from pytest_retrieval_robust.models import DualEncoder

FIGURES = Path(__file__).parent / "figures"
CUTS = (1, 5, 10)
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
OCCLUDERS = ("patches", "patches(fill=mean)", "patches(fill=white)", "patches(grid=10)")
DIRECTIONS: tuple[Literal["image-to-report"], Literal["report-to-image"]] = (
    "image-to-report",
    "report-to-image",
)
Curves = dict[str, dict[str, dict[str, dict[str, list[float]]]]]
"""Data set, occluder, direction, k -> recall at each of `LEVELS`."""


@dataclass(frozen=True)
class Figures:
    """One training run: what it was, what it cost, what it reached on 500 test pairs of
    each data set.
    """

    name: str
    seed: int
    recipe: Mapping[str, str | int | float]
    parameters: int
    tokens: int
    cpu_minutes: float
    threads: int
    curves: Curves = field(default_factory=dict)

    def recall(
        self,
        dataset: str,
        k: int,
        direction: str = "image-to-report",
        occluder: str = "patches",
    ) -> list[float]:
        """Recall@k (0..1) at each of `LEVELS`."""
        return self.curves[dataset][occluder][direction][str(k)]

    def write(self, folder: Path = FIGURES) -> Path:
        """Write NAME-seedN.json into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}-seed{self.seed}.json"
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return file


def read_figures(name: str, folder: Path = FIGURES) -> list[Figures]:
    """The figures of every seed of `name`, in the order of the seeds."""
    files = sorted(folder.glob(f"{name}-seed*.json"))
    figures = [
        Figures(**json.loads(file.read_text(encoding="utf-8"))) for file in files
    ]
    return sorted(figures, key=lambda run: run.seed)


def measure(
    folder: Path, datasets: tuple[str, ...], limit: int | None = None
) -> Curves:
    """Recall of the saved encoder in `folder` on each data set, at each of `LEVELS`."""
    model = load_model(f"local-dir:{folder}", device="cpu")
    curves: Curves = {}
    for dataset in datasets:
        curves[dataset] = {}
        for occluder in OCCLUDERS:
            curves[dataset][occluder] = _curve(model, dataset, occluder, limit)
    return curves


def _curve(
    model: DualEncoder, dataset: str, occluder: str, limit: int | None
) -> dict[str, dict[str, list[float]]]:
    curve = evaluate(
        model,
        load_dataset(dataset),
        load_occluder(occluder),
        levels=LEVELS,
        ks=CUTS,
        limit=limit,
    )
    recalls: dict[str, dict[str, list[float]]] = {}
    for direction in DIRECTIONS:
        recalls[direction] = {}
        for k in CUTS:
            values = curve.recall(k, direction).values()
            recalls[direction][str(k)] = [round(value, 4) for value in values]
    return recalls
