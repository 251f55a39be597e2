"""Measure how well image-text retrieval models find the right report when part of the
image is hidden, when it is acquired otherwise, or when reports are written otherwise.

Everything that a suite, a conftest or a package of your own may import is declared here,
and in `pytest_retrieval_robust.strategies`; other modules may move. Names are imported
on first use, so that the pytest plugin costs nothing to projects that do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core import old_paths

if TYPE_CHECKING:
    from .core.cases import Case as Case
    from .core.cases import Cell as Cell
    from .core.cases import Direction as Direction
    from .core.cases import Family as Family
    from .core.cases import Plan as Plan
    from .core.catalogue import Catalogues as Catalogues
    from .core.costs import CostMeasurement as CostMeasurement
    from .core.counterfactual_outcomes import (
        CounterfactualOutcome as CounterfactualOutcome,
    )
    from .core.counterfactual_outcomes import Counterfactuals as Counterfactuals
    from .core.counterfactual_outcomes import DistractorRecall as DistractorRecall
    from .core.counterfactual_outcomes import WinShare as WinShare
    from .core.counterfactuals import EditedReports as EditedReports
    from .core.counterfactuals import KnowsEdits as KnowsEdits
    from .core.counterfactuals import ReportEdit as ReportEdit
    from .core.drift import DriftOutcome as DriftOutcome
    from .core.errors import ArgumentError as ArgumentError
    from .core.errors import ConfigError as ConfigError
    from .core.errors import CorruptionError as CorruptionError
    from .core.errors import DatasetError as DatasetError
    from .core.errors import EmbeddingError as EmbeddingError
    from .core.errors import MetricError as MetricError
    from .core.errors import ModelError as ModelError
    from .core.errors import NotMeasuredError as NotMeasuredError
    from .core.errors import NotOnThisMachineError as NotOnThisMachineError
    from .core.errors import OcclusionError as OcclusionError
    from .core.errors import RankingError as RankingError
    from .core.errors import RobustError as RobustError
    from .core.errors import UnknownNameError as UnknownNameError
    from .core.errors import UnreadableImageError as UnreadableImageError
    from .core.outcomes import Outcome as Outcome
    from .core.outcomes import Scores as Scores
    from .core.outcomes import Timing as Timing
    from .core.sample_sheets import SampleSheet as SampleSheet
    from .core.searches import BreakingOutcome as BreakingOutcome
    from .core.searches import HeatMap as HeatMap
    from .core.strata import Stratification as Stratification
    from .core.verdict import Verdict as Verdict
    from .corruptions import Corruption as Corruption
    from .corruptions import CorruptionEntry as CorruptionEntry
    from .corruptions.image_corruption import ImageCorruption as ImageCorruption
    from .corruptions.region import Region as Region
    from .datasets.entry import DatasetEntry as DatasetEntry
    from .datasets.retrieval_dataset import KnowsContent as KnowsContent
    from .datasets.retrieval_dataset import KnowsStrata as KnowsStrata
    from .datasets.retrieval_dataset import RetrievalDataset as RetrievalDataset
    from .gate.record import RunRecord as RunRecord
    from .measure.api import dataset_from_lists as dataset_from_lists
    from .measure.api import encoder_from_callables as encoder_from_callables
    from .measure.api import encoder_from_command as encoder_from_command
    from .measure.api import load_corruption as load_corruption
    from .measure.api import load_dataset as load_dataset
    from .measure.api import load_model as load_model
    from .measure.api import load_occluder as load_occluder
    from .measure.api import load_text_noise as load_text_noise
    from .measure.breaking import find_breaking as find_breaking
    from .measure.counterfactual.evaluation import (
        evaluate_counterfactuals as evaluate_counterfactuals,
    )
    from .measure.evaluation import evaluate as evaluate
    from .measure.sensitivity import sensitivity_map as sensitivity_map
    from .measure.timing.occlusion_timer import OcclusionTimer as OcclusionTimer
    from .models import DualEncoder as DualEncoder
    from .models import LoadRequest as LoadRequest
    from .models import ModelCard as ModelCard
    from .models import ModelEntry as ModelEntry
    from .models import Prepared as Prepared
    from .occluders import Occluder as Occluder
    from .occluders import OccluderEntry as OccluderEntry
    from .occluders.area import AreaOccluder as AreaOccluder
    from .occluders.scene import Scene as Scene
    from .occluders.scene import Setting as Setting
    from .occluders.severity import SeverityOccluder as SeverityOccluder
    from .reports import ReportEntry as ReportEntry
    from .reports.loaded_run import SavedRun as SavedRun
    from .reports.loaded_run import load_run as load_run
    from .retrieval.curve import Curve as Curve
    from .retrieval.curves import Curves as Curves
    from .retrieval.metrics import MetricEntry as MetricEntry
    from .retrieval.metrics.recall import recall_at_k as recall_at_k
    from .retrieval.ranking import positive_ranks as positive_ranks
    from .retrieval.ranking import positive_ranks_both as positive_ranks_both
    from .retrieval.ranking import top_k as top_k
    from .run.gate_fixture import GateFixture as GateFixture
    from .run.perturbing import Corrupting as Corrupting
    from .run.perturbing import Noising as Noising
    from .run.perturbing import Sides as Sides
    from .run.properties import Hiding as Hiding
    from .run.properties import Subject as Subject
    from .run.properties import without_traceback as without_traceback
    from .texts.edits.rules import edited_by_rules as edited_by_rules
    from .texts.edits.table import edits_of_table as edits_of_table
    from .texts.noise import TextNoise as TextNoise
    from .texts.noise import TextNoiseEntry as TextNoiseEntry
    from .texts.noise.report_noise import ReportNoise as ReportNoise

__version__ = "0.2.0"

_HOMES = {
    "dataset_from_lists": "measure.api",
    "edited_by_rules": "texts.edits.rules",
    "edits_of_table": "texts.edits.table",
    "encoder_from_callables": "measure.api",
    "encoder_from_command": "measure.api",
    "evaluate": "measure.evaluation",
    "evaluate_counterfactuals": "measure.counterfactual.evaluation",
    "find_breaking": "measure.breaking",
    "load_corruption": "measure.api",
    "load_dataset": "measure.api",
    "load_model": "measure.api",
    "load_occluder": "measure.api",
    "load_run": "reports.loaded_run",
    "load_text_noise": "measure.api",
    "positive_ranks": "retrieval.ranking",
    "positive_ranks_both": "retrieval.ranking",
    "recall_at_k": "retrieval.metrics.recall",
    "sensitivity_map": "measure.sensitivity",
    "top_k": "retrieval.ranking",
    "without_traceback": "run.properties",
    "AreaOccluder": "occluders.area",
    "ArgumentError": "core.errors",
    "BreakingOutcome": "core.searches",
    "Case": "core.cases",
    "Catalogues": "core.catalogue",
    "Cell": "core.cases",
    "ConfigError": "core.errors",
    "Corrupting": "run.perturbing",
    "Corruption": "corruptions",
    "CorruptionEntry": "corruptions",
    "CorruptionError": "core.errors",
    "CostMeasurement": "core.costs",
    "CounterfactualOutcome": "core.counterfactual_outcomes",
    "Counterfactuals": "core.counterfactual_outcomes",
    "Curve": "retrieval.curve",
    "Curves": "retrieval.curves",
    "DatasetEntry": "datasets.entry",
    "DatasetError": "core.errors",
    "Direction": "core.cases",
    "DistractorRecall": "core.counterfactual_outcomes",
    "DriftOutcome": "core.drift",
    "DualEncoder": "models",
    "EditedReports": "core.counterfactuals",
    "EmbeddingError": "core.errors",
    "Family": "core.cases",
    "GateFixture": "run.gate_fixture",
    "HeatMap": "core.searches",
    "Hiding": "run.properties",
    "ImageCorruption": "corruptions.image_corruption",
    "KnowsContent": "datasets",
    "KnowsEdits": "core.counterfactuals",
    "KnowsStrata": "datasets.retrieval_dataset",
    "LoadRequest": "models",
    "MetricEntry": "retrieval.metrics",
    "MetricError": "core.errors",
    "ModelCard": "models",
    "ModelEntry": "models",
    "ModelError": "core.errors",
    "Noising": "run.perturbing",
    "NotMeasuredError": "core.errors",
    "NotOnThisMachineError": "core.errors",
    "Occluder": "occluders",
    "OccluderEntry": "occluders",
    "OcclusionError": "core.errors",
    "OcclusionTimer": "measure.timing.occlusion_timer",
    "Outcome": "core.outcomes",
    "Plan": "core.cases",
    "Prepared": "models",
    "RankingError": "core.errors",
    "Region": "corruptions.region",
    "ReportEdit": "core.counterfactuals",
    "ReportEntry": "reports",
    "ReportNoise": "texts.noise.report_noise",
    "RetrievalDataset": "datasets.retrieval_dataset",
    "RobustError": "core.errors",
    "RunRecord": "gate.record",
    "SampleSheet": "core.sample_sheets",
    "SavedRun": "reports.loaded_run",
    "Scene": "occluders.scene",
    "Scores": "core.outcomes",
    "Setting": "occluders.scene",
    "SeverityOccluder": "occluders.severity",
    "Sides": "run.perturbing",
    "Stratification": "core.strata",
    "Subject": "run.properties",
    "TextNoise": "texts.noise",
    "TextNoiseEntry": "texts.noise",
    "Timing": "core.outcomes",
    "UnknownNameError": "core.errors",
    "UnreadableImageError": "core.errors",
    "Verdict": "core.verdict",
    "WinShare": "core.counterfactual_outcomes",
}
"""Public name -> the module that defines it."""

__all__ = [  # noqa: PLE0604 - written out, the list would say the same three times
    *_HOMES,
]

old_paths.install(__name__)


def __dir__() -> list[str]:
    """The public names alone, for completion: the modules are no part of the interface."""
    return [*__all__, "strategies", "__version__"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "strategies":
        return import_module(".strategies", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
