"""What pytest and a debugger print of our objects.

`--showlocals`, `-vv` and failed assertions call `repr`.
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
from pytest_retrieval_robust.core.searches import HeatMap
from pytest_retrieval_robust.measure.pairs import pairs_of

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
    """Every class that the package defines, each once."""
    for info in pkgutil.walk_packages(
        pytest_retrieval_robust.__path__, "pytest_retrieval_robust."
    ):
        inside = info.name.removeprefix("pytest_retrieval_robust.")
        if inside.startswith(("_suite", *PLAIN)):
            continue
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == info.name:
                yield value


def _shown_content(cls: type) -> Iterator[str]:
    """Fields with content that the generated representation of a dataclass prints."""
    if not dataclasses.is_dataclass(cls) or cls.__name__ in HARMLESS:
        return
    if not cls.__dataclass_params__.repr:  # type: ignore[attr-defined]
        return
    for field in dataclasses.fields(cls):
        is_content = field.name in CONTENT or "Path" in str(field.type)
        # A number of texts, or the place of one, says nothing of them.
        is_number = str(field.type).startswith(("int", "Count"))
        if field.repr and is_content and not is_number:
            yield f"{cls.__name__}.{field.name}"


def test_no_generated_representation_holds_content() -> None:
    leaks = [leak for cls in _classes() for leak in _shown_content(cls)]
    assert leaks == []


def test_a_count_of_one_agrees_with_its_noun() -> None:
    dataset = pytest_retrieval_robust.load_dataset("synthetic-cxr(pairs=1)")
    assert repr(dataset) == "<synthetic-cxr(pairs=1): 1 image, 1 report>"
    assert repr(pairs_of(dataset)) == "<Pairs of 1 image and 1 report>"
    assert repr(HeatMap(1, ((0.5,),))) == "<HeatMap of 1 image, 1 row>"


CANARY = "CANARY"
SUITE = """
def test_mine(
    outcome,
    clean_outcome,
    gate,
    retrieval_dataset,
    robustness_curve,
    robustness_curves,
    request,
):
    from pytest_retrieval_robust.measure.pairs import pairs_of
    from pytest_retrieval_robust.run.session import session_of

    session = session_of(request.config)
    pairs = pairs_of(retrieval_dataset)
    settings = session.settings
    selection = session.selection
    policy = session.policy
    tables = settings.config_file
    shown = (outcome, gate, pairs, settings)
    assert shown == (clean_outcome, robustness_curve, retrieval_dataset, session)
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
