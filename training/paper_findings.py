"""Runs the suite and writes which of the paper's statements hold here.

`python -m training.paper_findings`
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
    "patches(fill=noise)": "noise",
}
_K = "10"
_PROPORTIONAL = 0.1
"""About in proportion: no level's retention is further from 1 - level than this."""
_SENSITIVE = 0.9
"""A model is sensitive if 30 % hidden leaves it less than this share of its recall."""
_FAR_BELOW = 0.2
"""A clean Recall@10 this much below the best one is far below."""
Scores = dict[tuple[str, str], dict[float, Mapping[str, Any]]]
"""Model and occluder -> level -> one direction's scores."""


@dataclass(frozen=True)
class Statement:
    """What the paper says, what was measured, and whether it holds."""

    paper: str
    measured: str
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
    scores: Scores = {}
    for outcome in run["outcomes"]:
        case = outcome["case"]
        by_level = scores.setdefault((case["model"], case["occluder"]), {})
        by_level[float(case["level"])] = outcome[direction]
    return scores


def page(scores: Scores) -> str:
    """The statements, then the recall that they rest on."""
    models = list(dict.fromkeys(model for model, _ in scores))
    lines = ["| the paper | here | |", "| --- | --- | --- |"]
    lines += [
        f"| {statement.paper} | {statement.measured} | {statement.verdict} |"
        for statement in statements(scores, models)
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
    clean = scores[model, occluder][0.0]["recall"][_K]
    return {
        level: at_level["recall"][_K] / clean
        for level, at_level in sorted(scores[model, occluder].items())
    }


def _sensitive(scores: Scores, trained: list[str]) -> Statement:
    shares = {model: retention(scores, model, "patches")[0.3] for model in trained}
    robust = [f"`{model}`" for model, share in shares.items() if share >= _SENSITIVE]
    verdict = "holds"
    if robust:
        names = ", ".join(robust)
        verdict = f"holds for all but {names}, which was trained on hidden pictures"
    listed = ", ".join(f"`{model}` {share:.2f}" for model, share in shares.items())
    return Statement(
        "All four models are highly sensitive to occlusion.",
        f"Share of Recall@10 kept with 30 % hidden, black: {listed}.",
        verdict,
    )


def _proportional(scores: Scores, trained: list[str]) -> Statement:
    ranges = []
    proportional = []
    for occluder, fill in FILLS.items():
        deviations = _deviations(scores, trained, occluder)
        proportional.append(max(map(abs, deviations)) <= _PROPORTIONAL)
        ranges.append(f"{fill} {min(deviations):+.2f} to {max(deviations):+.2f}")
    if all(proportional):
        verdict = "holds"
    elif any(proportional):
        verdict = "holds for some fills only"
    else:
        verdict = "does not hold"
    return Statement(
        "Recall@k falls about in proportion to the hidden area.",
        "Retention minus (1 - level), over models and levels, by fill:"
        f" {'; '.join(ranges)}.",
        f"{verdict}: the fill decides, and so does the training",
    )


def _deviations(scores: Scores, models: list[str], occluder: str) -> list[float]:
    """How far each model's retention is from 1 - level, at each level with hiding."""
    deviations = []
    for model in models:
        for level, share in retention(scores, model, occluder).items():
            if level > 0:
                deviations.append(share - (1 - level))
    return deviations


def _flatter(scores: Scores, trained: list[str]) -> Statement:
    areas = {
        model: sum(retention(scores, model, "patches").values()) for model in trained
    }
    clean = {model: scores[model, "patches"][0.0]["recall"][_K] for model in trained}
    flattest = max(areas, key=lambda model: areas[model])
    behind = max(clean.values()) - clean[flattest]
    verdict = "does not hold: flatness was trained, not bought with recall"
    if behind > _FAR_BELOW:
        verdict = "holds"
    return Statement(
        "The flattest curve (MedCLIP) belongs to a model far below the best.",
        f"The flattest is `{flattest}`; its clean Recall@10 is {behind:.3f} below the"
        " best one's.",
        verdict,
    )


def _general(scores: Scores, chance: list[str]) -> Statement:
    recalls = []
    for model in chance:
        clean = scores[model, "patches"][0.0]
        recall = clean["recall"][_K]
        recalls.append(f"`{model}` {recall:.3f} (chance {clean['chance'][_K]:.3f})")
    listed = ", ".join(recalls) or "no encoder is at chance"
    verdict = "does not hold"
    if chance:
        verdict = "holds: a general encoder is at chance"
    return Statement(
        "General CLIP is poor on medical data.", f"Clean Recall@10: {listed}.", verdict
    )


def _above_chance(scores: Mapping[str, Any]) -> bool:
    return bool(scores["recall"][_K] > 2 * scores["chance"][_K])


def _tables(scores: Scores, models: list[str]) -> list[str]:
    lines = []
    for occluder, fill in FILLS.items():
        levels = sorted(scores[models[0], occluder])
        head = " | ".join(f"{level:g}" for level in levels)
        lines += [
            f"Recall@1 / Recall@10, image to report, hidden by {fill} (`{occluder}`):",
            "",
            f"| encoder | {head} |",
            "| --- |" + " --- |" * len(levels),
        ]
        for model in models:
            recalls = [scores[model, occluder][level]["recall"] for level in levels]
            cells = [f"{recall['1']:.2f} / {recall[_K]:.2f}" for recall in recalls]
            lines.append(f"| `{model}` | {' | '.join(cells)} |")
        lines.append("")
    return lines


if __name__ == "__main__":
    main()
