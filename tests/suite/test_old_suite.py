"""A suite that an earlier version has copied still runs, and says what to import now."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")
OLD_FILES = sorted((Path(__file__).parent / "of_version_0_1").glob("*.txt"))


@pytest.mark.parametrize("file", OLD_FILES, ids=lambda file: file.stem)
def test_old_imports_work_and_warn_where_they_are(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    code = compile(tree, "copied.py", "exec", dont_inherit=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(code, {"__name__": "copied"})
    ours = [
        warning
        for warning in caught
        if "pytest_retrieval_robust" in str(warning.message)
    ]
    assert ours
    assert {warning.category for warning in ours} == {DeprecationWarning}
    assert {warning.filename for warning in ours} == {"copied.py"}
    assert all(" has moved. Import " in str(warning.message) for warning in ours)


def test_an_old_suite_still_runs(pytester: pytest.Pytester) -> None:
    for file in OLD_FILES:
        (pytester.path / f"{file.stem}.py").write_text(file.read_text(encoding="utf-8"))
    result = pytester.runpytest_inprocess(
        "--robust-models=tiny-cxr-clip",
        "--robust-datasets=synthetic-cxr(pairs=24)",
        "--robust-levels=0.3",
        "--robust-device=cpu",
        "--robust-measure-only",
        "-p",
        "no:cacheprovider",
        "-W",
        "always::DeprecationWarning",
    )
    # Eight properties, recall and timing at two levels, one curve; without a policy no
    # gate asks for a search or a baseline.
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["skipped"]) == (13, 2)
    assert "failed" not in outcomes
    result.stdout.fnmatch_lines(
        ["*DeprecationWarning: pytest_retrieval_robust.*has moved*"]
    )
