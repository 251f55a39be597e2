"""What users may import: one list, written out here, so that no name goes or comes unseen."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import pytest_retrieval_robust
from pytest_retrieval_robust import strategies

SUITE = Path(__file__).parents[1] / "suites"
PACKAGE = pytest_retrieval_robust.__name__
PUBLIC = frozenset(
    [
        "dataset_from_lists",
        "encoder_from_callables",
        "encoder_from_command",
        "evaluate",
        "edited_by_rules",
        "edits_of_table",
        "evaluate_counterfactuals",
        "find_breaking",
        "load_dataset",
        "load_corruption",
        "load_model",
        "load_text_noise",
        "load_occluder",
        "load_run",
        "positive_ranks",
        "positive_ranks_both",
        "recall_at_k",
        "sensitivity_map",
        "top_k",
        "without_traceback",
        "ArgumentError",
        "ConfigError",
        "DatasetError",
        "EmbeddingError",
        "ModelError",
        "NotMeasuredError",
        "NotOnThisMachineError",
        "OcclusionError",
        "RankingError",
        "RobustError",
        "UnknownNameError",
        "UnreadableImageError",
        "AreaOccluder",
        "BreakingOutcome",
        "Case",
        "Catalogues",
        "Cell",
        "Corruption",
        "CorruptionEntry",
        "CorruptionError",
        "Corrupting",
        "CostMeasurement",
        "CounterfactualOutcome",
        "Counterfactuals",
        "DistractorRecall",
        "EditedReports",
        "KnowsEdits",
        "ReportEdit",
        "WinShare",
        "Curve",
        "Curves",
        "DatasetEntry",
        "Direction",
        "DriftOutcome",
        "DualEncoder",
        "EditedReports",
        "Family",
        "GateFixture",
        "HeatMap",
        "Hiding",
        "ImageCorruption",
        "KnowsContent",
        "KnowsStrata",
        "LoadRequest",
        "MetricEntry",
        "MetricError",
        "ModelCard",
        "ModelEntry",
        "Noising",
        "Occluder",
        "OccluderEntry",
        "OcclusionTimer",
        "Outcome",
        "Plan",
        "Prepared",
        "Region",
        "ReportEdit",
        "ReportEntry",
        "ReportNoise",
        "RetrievalDataset",
        "RunRecord",
        "SampleSheet",
        "SavedRun",
        "Scene",
        "Scores",
        "Setting",
        "SeverityOccluder",
        "Sides",
        "Stratification",
        "Subject",
        "TextNoise",
        "TextNoiseEntry",
        "Timing",
        "Verdict",
    ]
)

TYPE_ALIASES = {"Direction", "Family"}
"""They are there, but no object of Python's can hold a text for them."""


def test_the_public_names_are_those_of_the_list() -> None:
    assert set(pytest_retrieval_robust.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - TYPE_ALIASES))
def test_a_public_name_is_there_and_has_a_docstring(name: str) -> None:
    # Read from the object itself: a class may inherit the text of another.
    value = getattr(pytest_retrieval_robust, name)
    assert value.__doc__
    assert value.__doc__.strip()


@pytest.mark.filterwarnings("error::DeprecationWarning")
@pytest.mark.parametrize(("name", "home"), pytest_retrieval_robust._HOMES.items())
def test_a_public_name_is_taken_from_the_module_that_defines_it(
    name: str, home: str
) -> None:
    value = getattr(import_module(f"{PACKAGE}.{home}"), name)
    module = getattr(value, "__module__", "")
    assert name in TYPE_ALIASES or module.startswith(f"{PACKAGE}.{home}")


def imports_from_the_package(file: Path) -> set[tuple[str, str]]:
    """(module, name) of each import of the package in a file."""
    imports: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imports.update((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            imports.update((module, alias.name) for alias in node.names)
    return {item for item in imports if item[0].partition(".")[0] == PACKAGE}


@pytest.mark.parametrize("file", sorted(SUITE.glob("*.py")), ids=lambda file: file.name)
def test_the_shipped_suite_imports_public_names_alone(file: Path) -> None:
    imports = imports_from_the_package(file)
    public = {(PACKAGE, name) for name in PUBLIC}
    public |= {(strategies.__name__, name) for name in strategies.__all__}
    assert imports
    assert imports <= public
