"""Writes the curves of every training seed: `python -m training.encoders_page`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from training.contact_sheet import DOCS, replace_part
from training.figures import LEVELS, OCCLUDERS, Figures, read_figures
from training.recipes import RECIPES

_KS = (1, 10)


def main() -> None:
    """Write the generated part of `docs/encoders.md`."""
    parts = [_overview(), *(_curves(name) for name in RECIPES)]
    replace_part(DOCS / "encoders.md", "curves", "\n\n".join(parts))


def _overview() -> str:
    lines = [
        (
            "| encoder | on | Recall@1 | Recall@5 | Recall@10 | report to image"
            " Recall@1 | pairs seen | CPU minutes |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, recipe in RECIPES.items():
        seeds = read_figures(name)
        minutes = " / ".join(f"{seed.cpu_minutes:.0f}" for seed in seeds)
        for dataset in seeds[0].curves:
            columns = " | ".join(_clean_recalls(seeds, dataset))
            lines.append(
                f"| `{name}` | `{dataset}` | {columns} | {recipe.pairs:,} | {minutes} |"
            )
    return "\n".join(lines)


def _clean_recalls(seeds: Sequence[Figures], dataset: str) -> list[str]:
    """Recall@1, 5 and 10 with nothing hidden, and Recall@1 in the other direction."""
    cells = []
    for k in (1, 5, 10):
        cells.append(_spread([seed.recall(dataset, k)[0] for seed in seeds]))
    back = [seed.recall(dataset, 1, "report-to-image")[0] for seed in seeds]
    return [*cells, _spread(back)]


def _spread(values: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def _curves(name: str) -> str:
    levels = " | ".join(f"{level:g}" for level in LEVELS)
    lines = [f"### `{name}`", "", f"| occluder | k | seed | {levels} |"]
    lines.append("| --- | --- | --- |" + " --- |" * len(LEVELS))
    seeds = read_figures(name)
    dataset = str(seeds[0].recipe["source"])
    for occluder in OCCLUDERS:
        for k in _KS:
            lines += [_row(seed, dataset, occluder, k) for seed in seeds]
    return "\n".join([*lines, "", f"Image to report on `{dataset}`."])


def _row(figures: Figures, dataset: str, occluder: str, k: int) -> str:
    recalls = figures.recall(dataset, k, occluder=occluder)
    columns = " | ".join(f"{recall:.3f}" for recall in recalls)
    return f"| `{occluder}` | {k} | {figures.seed} | {columns} |"


if __name__ == "__main__":
    main()
