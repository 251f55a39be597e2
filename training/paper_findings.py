"""Runs the suite and writes, beside the paper's statements, which hold here: `python -m
training.paper_findings`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from training.contact_sheet import DOCS, replace_part

FILLS = {
    "patches": "black",
    "patches(fill=mean)": "image mean",
    "patches(fill=white)": "white",
}
FILLS["patches(fill=noise)"] = "noise"
_K = "10"
# "About in proportion" here: no level's retention is further from 1 - level than this.
_PROPORTIONAL = 0.1
_SENSITIVE = 0.9
# model, occluder: level to one direction's scores
Scores = dict[tuple[str, str], dict[float, Mapping[str, Any]]]


@dataclass(frozen=True)
class Statement:
    """What the paper says, what was found here, and whether it holds."""

    paper: str
    here: str
    verdict: str


def main() -> None:
    """Run the suite, write the part of `docs/paper-findings.md` that follows from it."""
    with TemporaryDirectory() as folder:
        _run_suite(Path(folder))
        run = json.loads((Path(folder) / "run.json").read_text(encoding="utf-8"))
    replace_part(DOCS / "paper-findings.md", "findings", page(scores_of(run)))


def _run_suite(folder: Path) -> None:
    arguments = [
        "suites/",
        "--models",
        "tiny-*",
        "--robust-results",
        str(folder),
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    arguments += ["-k", "recall", "--occluders", ",".join(FILLS)]
    subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=DOCS.parent, check=False
    )


def scores_of(run: Mapping[str, Any], direction: str = "image-to-report") -> Scores:
    """The scores of a saved run by model and occluder, then by level."""
    found: Scores = {}
    for outcome in run["outcomes"]:
        case = outcome["case"]
        found.setdefault((case["model"], case["occluder"]), {})[
            float(case["level"])
        ] = outcome[direction]
    return found


def page(scores: Scores) -> str:
    """The statements, then the recall that they rest on."""
    models = list(dict.fromkeys(model for model, _ in scores))
    lines = ["| the paper | here | |", "| --- | --- | --- |"]
    lines += [
        f"| {found.paper} | {found.here} | {found.verdict} |"
        for found in statements(scores, models)
    ]
    return "\n".join([*lines, "", *_tables(scores, models)])


def statements(scores: Scores, models: list[str]) -> list[Statement]:
    """The paper's four findings, each judged by one rule on what was measured."""
    trained = [
        model for model in models if _above_chance(scores[model, "patches"][0.0])
    ]
    chance = [model for model in models if model not in trained]
    return [
        _sensitive(scores, trained),
        _proportional(scores, trained),
        _flatter(scores, trained),
        _general(scores, chance),
    ]


def retention(scores: Scores, model: str, occluder: str) -> dict[float, float]:
    """Recall@10 at each level over Recall@10 with nothing hidden."""
    recalls = {
        level: found["recall"][_K]
        for level, found in sorted(scores[model, occluder].items())
    }
    return {level: recall / recalls[0.0] for level, recall in recalls.items()}


def _sensitive(scores: Scores, trained: list[str]) -> Statement:
    kept = {model: retention(scores, model, "patches")[0.3] for model in trained}
    but = ", ".join(
        f"`{model}`" for model, value in kept.items() if value >= _SENSITIVE
    )
    shown = ", ".join(f"`{model}` {value:.2f}" for model, value in kept.items())
    return Statement(
        "All four models are highly sensitive to occlusion.",
        f"Share of Recall@10 kept with 30 % hidden, black: {shown}.",
        (
            f"holds for all but {but}, which was trained on hidden pictures"
            if but
            else "holds"
        ),
    )


def _proportional(scores: Scores, trained: list[str]) -> Statement:
    parts, verdicts = [], []
    for occluder, fill in FILLS.items():
        deviations = [
            value - (1 - level)
            for model in trained
            for level, value in retention(scores, model, occluder).items()
            if level > 0
        ]
        verdicts.append(max(map(abs, deviations)) <= _PROPORTIONAL)
        parts.append(f"{fill} {min(deviations):+.2f} to {max(deviations):+.2f}")
    verdict = (
        "holds"
        if all(verdicts)
        else "does not hold"
        if not any(verdicts)
        else "holds for some fills only"
    )
    return Statement(
        "Recall@k falls about in proportion to the hidden area.",
        "Retention minus (1 - level), over models and levels, by fill:"
        f" {'; '.join(parts)}.",
        f"{verdict}: the fill decides, and so does the training",
    )


def _flatter(scores: Scores, trained: list[str]) -> Statement:
    areas = {
        model: sum(retention(scores, model, "patches").values()) for model in trained
    }
    clean = {model: scores[model, "patches"][0.0]["recall"][_K] for model in trained}
    flattest = max(areas, key=lambda model: areas[model])
    behind = max(clean.values()) - clean[flattest]
    return Statement(
        "The flattest curve (MedCLIP) belongs to a model far below the best.",
        f"The flattest is `{flattest}`; its clean Recall@10 is {behind:.3f} below the"
        " best one's.",
        (
            "holds"
            if behind > 0.2
            else "does not hold: flatness was trained, not bought with recall"
        ),
    )


def _general(scores: Scores, chance: list[str]) -> Statement:
    shown = ", ".join(
        f"`{model}` {scores[model, 'patches'][0.0]['recall'][_K]:.3f} "
        f"(chance {scores[model, 'patches'][0.0]['chance'][_K]:.3f})"
        for model in chance
    )
    return Statement(
        "General CLIP is poor on medical data.",
        f"Clean Recall@10: {shown or 'no encoder is at chance'}.",
        "holds: a general encoder is at chance" if chance else "does not hold",
    )


def _above_chance(found: Mapping[str, Any]) -> bool:
    return bool(found["recall"][_K] > 2 * found["chance"][_K])


def _tables(scores: Scores, models: list[str]) -> list[str]:
    lines = []
    for occluder, fill in FILLS.items():
        levels = sorted(scores[models[0], occluder])
        lines += [
            f"Recall@1 / Recall@10, image to report, hidden by {fill} (`{occluder}`):",
            "",
        ]
        lines += [
            "| encoder | " + " | ".join(f"{level:g}" for level in levels) + " |",
            "| --- |" + " --- |" * len(levels),
        ]
        for model in models:
            found = [scores[model, occluder][level]["recall"] for level in levels]
            lines.append(
                f"| `{model}` | "
                + " | ".join(f"{r['1']:.2f} / {r[_K]:.2f}" for r in found)
                + " |"
            )
        lines.append("")
    return lines


if __name__ == "__main__":
    main()
