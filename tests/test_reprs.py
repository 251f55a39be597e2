"""What pytest and a debugger print of our objects: `--showlocals`, `-vv` and failed
assertions call `repr`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import pytest_retrieval_robust

CONTENT = {
    "path",
    "folder",
    "root",
    "text",
    "texts",
    "ids",
    "id",
    "image_ids",
    "patients",
    "reports",
    "checkpoint",
}
"""Names of fields that hold the user's data or places on their machine."""
PLAIN = ("retrieval.ranking", "reports")
"""Rows of numbers, and what a report shows anyway, are no secret."""
HARMLESS = {"Recipe", "Columns", "Reader"}
"""Their `texts` and `text` say how texts are cut and where they stand, not what they say."""


def _classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(
        pytest_retrieval_robust.__path__, "pytest_retrieval_robust."
    ):
        inside = found.name.removeprefix("pytest_retrieval_robust.")
        if inside.startswith(("_suite", *PLAIN)):
            continue
        module = importlib.import_module(found.name)
        yield from (
            one
            for one in vars(module).values()
            if inspect.isclass(one) and one.__module__ == found.name
        )


def test_no_generated_representation_holds_content() -> None:
    shown = {
        f"{one.__name__}.{field.name}"
        for one in _classes()
        if dataclasses.is_dataclass(one)
        and one.__repr__ is not object.__repr__
        and one.__name__ not in HARMLESS
        for field in dataclasses.fields(one)
        if one.__dataclass_params__.repr  # type: ignore[attr-defined]
        and field.repr
        and not str(field.type).startswith("int")
        if field.name in CONTENT or "Path" in str(field.type)
    }
    assert shown == set()


CANARY = "CANARY"
SUITE = """
def test_mine(outcome, clean_outcome, gate, retrieval_dataset, robustness_curve, robustness_curves, request):
    from pytest_retrieval_robust.measure.pairs import pairs_of
    from pytest_retrieval_robust.run.session import session_of

    session = session_of(request.config)
    pairs = pairs_of(retrieval_dataset)
    settings, selection, policy = session.settings, session.selection, session.policy
    tables = settings.config_file
    assert (outcome, gate, pairs, settings) == (clean_outcome, robustness_curve, retrieval_dataset, session)
"""


@pytest.mark.parametrize("style", ["long", "short", "auto"])
def test_local_variables_of_a_failed_test_show_no_content(
    pytester: pytest.Pytester, style: str
) -> None:
    data = pytester.mkdir(f"{CANARY}-folder")
    rows = ["image,report,patient"]
    for number in range(12):
        Image.new("L", (64, 64), 20 * number).save(data / f"{CANARY}-{number}.png")
        rows.append(
            f"{CANARY}-{number}.png,{CANARY} report number"
            f" {number}.,{CANARY}-patient-{number}"
        )
    (data / "table.csv").write_text("\n".join(rows))
    Path("robust.toml").write_text(
        f"# {CANARY} comment\n[datasets.mine]\nloader = 'table'\npath ="
        f" '{data.name}/table.csv'\n[[gate]]\nmodel = 'tiny-cxr-clip'\nrecall = {{ 1 ="
        " 0.5 }\n"
    )
    pytester.makepyfile(SUITE)
    options = [
        "--robust-models=tiny-cxr-clip",
        "--robust-datasets=mine",
        "--robust-levels=0.3",
        "--robust-k=1",
    ]
    result = pytester.runpytest_inprocess(
        *options, "-vv", "--showlocals", f"--tb={style}", "-rA", "--no-header"
    )
    assert "Error" in result.stdout.str() or "assert" in result.stdout.str()
    leaking = [line for line in (*result.outlines, *result.errlines) if CANARY in line]
    assert leaking == []
