"""What the embedded encoders do under every corruption, text noise and edit:
`python -m training.perturbations`, and with `--from-figures` from the figures alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_retrieval_robust import Curves, evaluate, evaluate_counterfactuals
from pytest_retrieval_robust.core.cases import Family
from pytest_retrieval_robust.core.catalogue import Catalogues
from training.contact_sheet import DOCS, replace_part
from training.figures import FIGURES

ENCODERS = ("tiny-cxr-clip", "tiny-cxr-clip-robust", "tiny-cxr-openclip")
DATASET = "synthetic-cxr"
SEVERITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
KS = (1, 10)
FILE = FIGURES / "perturbations.json"


@dataclass(frozen=True)
class Row:
    """Recall of one encoder under one perturbation."""

    encoder: str
    family: Family
    name: str
    recall: dict[str, list[float]]
    """k -> image-to-report Recall@k at each of `SEVERITIES`, in [0, 1]."""


@dataclass(frozen=True)
class EditRow:
    """How often an encoder prefers a report to its edits of one kind."""

    encoder: str
    kind: str
    edits: int
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Distractors:
    """Recall of an encoder on clean pictures, without and with all edits in the gallery."""

    encoder: str
    gallery: int
    without_edits: dict[str, float]
    with_edits: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """Everything that the page shows."""

    rows: tuple[Row, ...]
    edits: tuple[EditRow, ...]
    distractors: tuple[Distractors, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, unless told not to, and write the generated part of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from-figures", action="store_true")
    if not parser.parse_args(arguments).from_figures:
        write(measured(ENCODERS))
    text = "\n\n".join(page(read()))
    replace_part(DOCS / "perturbations.md", "perturbations", text)


def measured(encoders: Sequence[str], limit: int | None = None) -> Figures:
    """Every corruption and text noise of the catalogues, and every kind of edit."""
    catalogues = Catalogues()
    names = [*catalogues.corruptions.names(), *catalogues.text_noise.names()]
    curves = evaluate(
        list(encoders),
        DATASET,
        names,
        severities=SEVERITIES,
        ks=KS,
        limit=limit,
        device="cpu",
        cache=False,
    )
    assert isinstance(curves, Curves)
    rows = [
        Row(
            encoder=curve.outcomes[0].case.model,
            family=curve.outcomes[0].case.family,
            name=curve.outcomes[0].case.occluder,
            recall={str(k): list(curve.recall(k).values()) for k in KS},
        )
        for curve in curves
    ]
    edits: list[EditRow] = []
    distractors: list[Distractors] = []
    for encoder in encoders:
        clean = evaluate_counterfactuals(
            encoder, DATASET, ks=KS, limit=limit, device="cpu"
        ).clean
        shares = [*clean.kinds, *([clean.overall] if clean.overall else [])]
        edits += [
            EditRow(encoder, share.kind, share.edits, share.share, share.interval)
            for share in shares
        ]
        crowded = clean.with_distractors
        distractors.append(
            Distractors(
                encoder=encoder,
                gallery=crowded.gallery,
                without_edits={str(k): crowded.without_edits[k] for k in KS},
                with_edits={str(k): crowded.recall[k] for k in KS},
            )
        )
    return Figures(tuple(rows), tuple(edits), tuple(distractors))


def write(figures: Figures, file: Path = FILE) -> None:
    file.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")


def read(file: Path = FILE) -> Figures:
    """The figures that `write` wrote."""
    data = json.loads(file.read_text(encoding="utf-8"))
    return Figures(
        tuple(Row(**row) for row in data["rows"]),
        tuple(
            EditRow(**{**row, "interval": tuple(row["interval"])})
            for row in data["edits"]
        ),
        tuple(Distractors(**row) for row in data["distractors"]),
    )


def page(figures: Figures) -> Iterator[str]:
    """The generated part of the page, paragraph by paragraph."""
    encoders = list(dict.fromkeys(row.encoder for row in figures.rows))
    for family, heading in (
        ("corruption", "## Corruptions"),
        ("text-noise", "## Noise of reports"),
    ):
        yield heading
        for encoder in encoders:
            yield f"### `{encoder}`, {family.replace('-', ' ')}"
            rows = [
                row
                for row in figures.rows
                if (row.encoder, row.family) == (encoder, family)
            ]
            yield "\n".join(_recall_table(rows))
    yield "## Edited reports"
    yield "\n".join(_edit_table(figures.edits, encoders))
    yield "\n".join(_distractor_table(figures.distractors))


def _recall_table(rows: Sequence[Row]) -> Iterator[str]:
    """Recall@1 by severity, the most harmful perturbation first."""
    columns = " | ".join(f"{severity:g}" for severity in SEVERITIES)
    yield f"| Recall@1 in %, severity | {columns} | Recall@10 at 1 |"
    yield "| --- " * (len(SEVERITIES) + 2) + "|"
    for row in sorted(rows, key=lambda row: (_mean_harm(row), row.name)):
        recalls = " | ".join(f"{100 * recall:.1f}" for recall in row.recall["1"])
        yield f"| `{row.name}` | {recalls} | {100 * row.recall['10'][-1]:.1f} |"


def _mean_harm(row: Row) -> float:
    """Recall@1 summed over the severities: the smaller, the more harm."""
    return sum(row.recall["1"])


def _edit_table(edits: Sequence[EditRow], encoders: Sequence[str]) -> Iterator[str]:
    """Win shares by kind of edit."""
    names = " | ".join(f"`{encoder}`" for encoder in encoders)
    yield f"| own report beats its edit, in % | edits | {names} |"
    yield "| --- " * (len(encoders) + 2) + "|"
    kinds = dict.fromkeys(row.kind for row in edits)
    for kind in kinds:
        own = {row.encoder: row for row in edits if row.kind == kind}
        count = max(row.edits for row in own.values())
        cells = " | ".join(_share(own[encoder]) for encoder in encoders)
        yield f"| {kind} | {count:,} | {cells} |"


def _share(row: EditRow) -> str:
    low, high = (100 * bound for bound in row.interval)
    return f"{100 * row.share:.1f} ({low:.0f} to {high:.0f})"


def _distractor_table(rows: Sequence[Distractors]) -> Iterator[str]:
    """Recall without and with all edits in the gallery."""
    yield (
        "| encoder | gallery with all edits | Recall@1 without | with | Recall@10 without"
        " | with |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        cells = " | ".join(
            f"{100 * recalls[str(k)]:.1f}"
            for k in KS
            for recalls in (row.without_edits, row.with_edits)
        )
        yield f"| `{row.encoder}` | {row.gallery:,} | {cells} |"


if __name__ == "__main__":
    main()
