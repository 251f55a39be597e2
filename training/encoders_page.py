"""Writes the curves of every training seed: `python -m training.encoders_page`."""

from __future__ import annotations

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
        found = read_figures(name)
        minutes = " / ".join(f"{one.cpu_minutes:.0f}" for one in found)
        for dataset in found[0].curves:
            clean = [[one.recall(dataset, k)[0] for one in found] for k in (1, 5, 10)]
            back = [one.recall(dataset, 1, "report-to-image")[0] for one in found]
            columns = " | ".join(_spread(values) for values in [*clean, back])
            lines.append(
                f"| `{name}` | `{dataset}` | {columns} | {recipe.pairs:,} | {minutes} |"
            )
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    return (
        f"{mean(values):.3f} ± {stdev(values):.3f}"
        if len(values) > 1
        else f"{values[0]:.3f}"
    )


def _curves(name: str) -> str:
    lines = [
        f"### `{name}`",
        "",
        "| occluder | k | seed | "
        + " | ".join(f"{level:g}" for level in LEVELS)
        + " |",
    ]
    lines.append("| --- | --- | --- |" + " --- |" * len(LEVELS))
    found = read_figures(name)
    dataset = str(found[0].recipe["source"])
    for occluder in OCCLUDERS:
        for k in _KS:
            lines += [_row(one, dataset, occluder, k) for one in found]
    return "\n".join([*lines, "", f"Image to report on `{dataset}`."])


def _row(one: Figures, dataset: str, occluder: str, k: int) -> str:
    shown = " | ".join(
        f"{recall:.3f}" for recall in one.recall(dataset, k, occluder=occluder)
    )
    return f"| `{occluder}` | {k} | {one.seed} | {shown} |"


if __name__ == "__main__":
    main()
