"""The life of a run in one process: what was selected, what is planned, what is loaded,
what was measured.

A pytest-xdist worker has a session of its own; the controller has one too, but measures nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from ..core.cases import CLEAN, Case, Cell, Json, Plan
from ..core.catalogue import Catalogues
from ..core.config_file import ConfigFile, read_config_file
from ..core.costs import CostMeasurement, ReferenceCost
from ..core.errors import ConfigError, DatasetError, NotOnThisMachineError, RobustError
from ..core.foreign import FOREIGN, described, let_go, without_frames
from ..core.outcomes import Outcome
from ..core.sample_sheets import SampleSheet, hand_over, handed_over
from ..core.searches import BreakingOutcome
from ..gate.arrays import RunStore, case_key, dataset_key
from ..gate.measurements import Identity
from ..gate.plan import baseline_gates
from ..gate.policy import Policy
from ..gate.toml import read_policy
from ..models import LoadRequest, Precision, load_entry
from ..retrieval.curve import Curve
from .options import Settings, beside_arguments, beside_test, read_settings
from .our_tests import MEASURING, Axes, axes_of
from .selection import SelectedModel, Selection, select, selected_model
from .xdist.folder import run_store

if TYPE_CHECKING:
    from ..core.progress import Tell
    from ..datasets import RetrievalDataset
    from ..gate.comparison import Run
    from ..gate.evidence import Evidence
    from ..gate.judge import Judge
    from ..measure.breaking import BreakingResult
    from ..measure.embeddings.store import EmbeddingStore
    from ..measure.sweep.run import Measured, SweepResult
    from ..measure.timing.rounds import Alone, TimedBatch
    from ..models import DualEncoder
    from ..occluders import Occluder
    from ..reports import ReportEntry

T = TypeVar("T")
SEARCHED_IMAGES = 100
SESSION = pytest.StashKey["RobustSession"]()


def session_of(config: pytest.Config) -> RobustSession:
    """The run's state, made on first use; `ConfigError` where options or `robust.toml`
    are wrong.
    """
    if SESSION not in config.stash:
        config.stash[SESSION] = RobustSession(
            read_settings(config), _catalogues(config), run_store(config)
        )
    return config.stash[SESSION]


def _catalogues(config: pytest.Config) -> Catalogues:
    catalogues = Catalogues()
    # Historic: a conftest that pytest loads later is asked as soon as it is there.
    config.hook.pytest_robust_register.call_historic(kwargs={"catalogues": catalogues})
    return catalogues


def session_beside(config: pytest.Config, test_file: Path) -> RobustSession:
    """The run's state, by the `robust.toml` nearest to a test of ours; it must be the
    same one for all of them.

    Where none lies above the test, that of the test arguments counts. Raises
    `ConfigError` where two tests have not the same: what the first one was given has
    been decided by then.
    """
    state = session_of(config)
    if state.settings.config_named:
        return state
    found = beside_test(test_file, config) or beside_arguments(config)
    if state.first_test is None:
        use_policy(config, found)
        state.first_test = test_file
    elif found != state.policy_path:
        ours = ((state.policy_path, state.first_test), (found, test_file))
        one, other = (
            f"{_shown(path, config)} for {_shown(test, config)}" for path, test in ours
        )
        raise ConfigError(
            f"Expected one robust.toml for all tests of a run, got {one} and {other}."
            " Run them apart, or name one with --robust-config."
        )
    return state


def use_policy(config: pytest.Config, path: Path | None) -> None:
    """Take the `robust.toml` at `path`, before anything follows from the one that was
    guessed from the arguments.
    """
    state = session_of(config)
    if path != state.policy_path:
        state.take_policy(
            None if path is None else read_config_file(path), _catalogues(config)
        )


def _shown(path: Path | None, config: pytest.Config) -> str:
    """A path below the rootdir as it stands there, else its last part: folders tell of users."""
    if path is None:
        return "none"
    try:
        return path.resolve().relative_to(config.rootpath.resolve()).as_posix()
    except ValueError:
        return path.name


class RobustSession:
    """Holds a run's state. Everything heavy is loaded on first use, and one model at a time."""

    def __init__(
        self, settings: Settings, catalogues: Catalogues, store: RunStore
    ) -> None:
        self.settings = settings
        self.catalogues = catalogues
        self.policy: Policy = read_policy(settings.config_file)
        self.first_test: Path | None = None
        """The file of the first test of ours, by which the policy was found."""
        self.identity = Identity.new()
        self.store = store
        self._selection: Selection | None = None
        self._planned: dict[tuple[str, str], set[tuple[str, float, int]]] = {}
        self._loaded: tuple[str, DualEncoder] | None = None
        self._copies: tuple[DualEncoder, ...] | None = None
        self._notes: list[str] = []
        self.tell: Tell | None = None
        """Who is told how far a sweep has come."""
        self._failed_loads: dict[str, RobustError] = {}
        self._datasets: dict[str, RetrievalDataset] = {}
        self._swept: dict[tuple[str, str], SweepResult | RobustError] = {}
        self._baseline: Run | None = None
        self.own_failures: set[str] = set()
        self._replayed: Run | None = None
        self._cards: dict[str, Json] = {}
        self._searched: dict[tuple[str, str], BreakingOutcome | RobustError] = {}
        self._timed: tuple[tuple[str, str, int], TimedBatch] | None = None
        self._alone: dict[tuple[str, str, int, int], Alone] = {}
        self._references: dict[
            tuple[str, str, str, int, int], ReferenceCost | None
        ] = {}
        self._outcomes: dict[Case, Outcome] = {}
        self._reported: set[Hashable] = set()
        self._sheets: dict[tuple[str, str, str], SampleSheet] = {}

    @property
    def selection(self) -> Selection:
        if self._selection is None:
            self._selection = select(self.settings, self.catalogues)
        return self._selection

    @property
    def policy_path(self) -> Path | None:
        """Where the `robust.toml` of this run lies."""
        return (
            None
            if self.settings.config_file is None
            else self.settings.config_file.path
        )

    @property
    def judging_policy(self) -> Policy:
        """The policy that judges: none with `--robust-measure-only`, which searches and
        times as the policy says.
        """
        return Policy() if self.settings.measure_only else self.policy

    def take_policy(
        self, config_file: ConfigFile | None, catalogues: Catalogues
    ) -> None:
        """Another `robust.toml`, and catalogues without the models of the one before;
        nothing is loaded yet.
        """
        self.settings = replace(self.settings, config_file=config_file)
        self.policy = read_policy(config_file)
        self.catalogues = catalogues
        self._selection = None

    # Planning: names only

    def values(self, axis: str) -> list[Any]:
        """The values that a fixture of that name is parametrised with, in order."""
        values: dict[str, list[Any]] = {
            "retrieval_model": list(self.selection.models),
            "retrieval_dataset": list(self.selection.datasets),
            "occluder": list(self.selection.occluders),
            "occlusion_level": list(self.settings.levels),
            "occlusion_seed": list(self.settings.seeds),
        }
        return values[axis]

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Note which cells the collected tests will ask for, and check that the policy
        can judge them.
        """
        for item in items:
            axes, fixtures = axes_of(item), getattr(item, "fixturenames", ())
            if axes is not None and not _is_light(fixtures):
                self._plan_item(axes, fixtures)
        self.check_policy(self.whole_plan, levels_typed=self.settings.levels_typed)
        self.check_outputs()  # before the first GPU hour, not after the last
        self.baseline_run()

    @property
    def whole_plan(self) -> Plan:
        """Everything that was asked for, whatever `-k` and the like leave of it."""
        settings, selection = self.settings, self.selection
        names = (
            tuple(selection.models),
            tuple(selection.datasets),
            tuple(selection.occluders),
        )
        return Plan(*names, settings.levels, settings.seeds, settings.ks)

    def check_policy(self, plan: Plan, *, levels_typed: bool) -> None:
        """Raise `ConfigError` for gates that match nothing, contradict each other, or
        name what is not measured.
        """
        from .gate_names import check_names

        check_names(self.policy, plan, self.catalogues, self.settings.config_file)
        self.policy.check(plan, levels_typed=levels_typed)

    def replayed_run(self) -> Run | None:
        """The saved run that `--robust-replay` names, checked against this policy; None
        without one.

        Raises `SavedRunError` or `ConfigError` for what is wrong with the run, the
        policy or the baseline.
        """
        from ..reports.saved.read import load_run
        from .outputs import same_place

        folder, results = self.settings.replay, self.settings.results
        if folder is None or self._replayed is not None:
            return self._replayed
        if results is not None and same_place(results, folder):
            raise ConfigError(
                "Expected another folder for --robust-results than for"
                f" --robust-replay, got {folder.name!r} for both. The saved run stays"
                " as it is: write the new verdicts elsewhere."
            )
        self.check_outputs()
        run = load_run(folder)
        self.check_policy(run.measured.plan, levels_typed=True)
        self.baseline_run()
        self._replayed = run
        return run

    def check_outputs(self) -> None:
        """Raise `ConfigError` where results or reports cannot be written, or would
        destroy another run.
        """
        from .outputs import check_outputs

        self.report_entries()
        settings = self.settings
        if not self.store.is_alone and not self.store.folder.is_dir():
            return  # a worker on another machine, which writes nothing
        check_outputs(
            settings.results, settings.reports, (settings.replay, settings.baseline)
        )

    def report_entries(self) -> dict[Path, ReportEntry]:
        """What writes each file of `--robust-report`; `ConfigError` for a suffix that
        nothing writes.
        """
        return {path: self._report_entry(path) for path in self.settings.reports}

    def _report_entry(self, path: Path) -> ReportEntry:
        suffix, known = (
            path.suffix.removeprefix(".").lower(),
            self.catalogues.reports.names(),
        )
        if suffix not in known:
            raise ConfigError(
                "Expected a file that ends with"
                f" {', '.join(f'.{name}' for name in known)}, got"
                f" --robust-report={path.name!r}. The suffix says which report it is:"
                " choose one of these."
            )
        entry: ReportEntry = self.catalogues.reports.get(suffix)
        return entry

    def baseline_run(self) -> Run | None:
        """The saved run that `--robust-baseline` names; None without one, or where
        there is none yet.

        Raises `ConfigError` for one that is damaged, of a newer version, or that this
        run would overwrite.
        """
        from ..reports.saved.read import SavedRunError, has_run, load_run
        from .outputs import same_place

        folder, results = self.settings.baseline, self.settings.results
        if folder is None or self._baseline is not None:
            return self._baseline
        if results is not None and same_place(results, folder):
            raise ConfigError(
                "Expected a baseline of another run, got the same folder"
                f" {folder.name!r} for --robust-baseline and --robust-results, which"
                " would overwrite it. Write the results elsewhere."
            )
        if not has_run(folder):
            return None
        try:
            self._baseline = load_run(folder)
        except SavedRunError as error:
            problem = str(error)
        else:
            return self._baseline
        raise ConfigError(f"--robust-baseline: {problem}")

    def _plan_item(self, axes: Axes, fixtures: Iterable[str]) -> None:
        model, dataset, occluder = axes.model, axes.dataset, axes.occluder
        if model is None or dataset is None or occluder is None:
            return
        whole = "robustness_curve" in fixtures or "robustness_curves" in fixtures
        levels = self.settings.levels if whole or axes.level is None else (axes.level,)
        seeds = self.settings.seeds if axes.seed is None else (axes.seed,)
        planned = self._planned.setdefault((model, dataset), set())
        planned.update((occluder, level, seed) for level in levels for seed in seeds)

    # Loading

    def model(self, name: str) -> DualEncoder:
        """The loaded model; the one loaded before is let go. A load that failed is not
        tried again.
        """
        if self._loaded is not None and self._loaded[0] == name:
            return self._loaded[1]
        if name in self._failed_loads:
            raise copy(self._failed_loads[name])
        self.release_model()
        try:
            model = self._load(self.selection.models[name])
        except RobustError as error:
            # Its frames would hold what was loaded so far for the rest of the run.
            self._failed_loads[name] = without_frames(error)
        if name in self._failed_loads:
            raise copy(self._failed_loads[name])
        self._loaded = (name, model)
        self._cards[name] = model.card.as_json()
        return model

    def _load(
        self,
        selected: SelectedModel,
        device: str | None = None,
        precision: Precision | None = None,
    ) -> DualEncoder:
        from ..core.device import resolve_device

        reason = selected.absent()
        if reason is not None:
            raise NotOnThisMachineError.because(reason)
        device = device or resolve_device(self.settings.device)
        precision = precision or self.settings.precision
        request = LoadRequest(
            device, precision, selected.may_download, cache_dir=selected.cache_dir
        )
        return load_entry(selected.entry, request)

    def _copies_of(self, name: str) -> tuple[DualEncoder, ...]:
        """The loaded model on the further devices of this machine, let go together with it."""
        from ..core.device import further_devices

        if self._copies is None:
            devices = further_devices(self.settings.device)
            self._copies = tuple(
                copy
                for device in devices
                if (copy := self._copy_on(name, device)) is not None
            )
        return self._copies

    def _copy_on(self, name: str, device: str) -> DualEncoder | None:
        """None where that device is full, or lost: the run goes on without it."""
        try:
            return self._load(self.selection.models[name], device)
        except (RobustError, RuntimeError) as error:
            self._notes.append(
                f"Expected room for {name} on {device}, got {type(error).__name__}: it"
                " was measured without that device. Name one with --robust-device, or"
                " see what else runs there."
            )
            return None

    def has_failed_to_load(self, name: str) -> bool:
        return name in self._failed_loads

    def not_tested(self, name: str | None) -> str | None:
        """Why a model of this run could not be tested, or None."""
        if name is None:
            return None
        if name in self._failed_loads:
            return str(self._failed_loads[name])
        return None if name in self._cards else self.selection.models[name].absent()

    def release_model(self) -> None:
        if self._loaded is None:
            return
        self._loaded = self._timed = self._copies = None
        _give_memory_back()

    def dataset(self, name: str) -> RetrievalDataset:
        if name not in self._datasets:
            dataset = self.selection.datasets[name].load()
            if dataset.name != name:
                raise DatasetError(
                    f"Expected the data set of the entry {name!r} to have that name,"
                    f" got name={dataset.name!r}. Give both the same name: results are"
                    " kept under it."
                )
            self._datasets[name] = dataset
        return self._datasets[name]

    def occluder(self, name: str) -> Occluder:
        return self.selection.occluders[name]

    # Measuring

    def timed_batch(self, model: str, dataset: str, images: int) -> TimedBatch:
        """The prepared batch that the timers of a model and data set share."""
        from ..measure.timing.rounds import prepare_batch

        key = (model, dataset, images)
        if self._timed is None or self._timed[0] != key:
            self._timed = (
                key,
                prepare_batch(self.model(model), self.dataset(dataset), images),
            )
        return self._timed[1]

    def alone(self, model: str, dataset: str, images: int, calls: int) -> Alone:
        """Latency and peak memory of a model with nothing hidden, measured once: every
        level 0 is the same.
        """
        from ..measure.timing.rounds import measure_alone

        key = (model, dataset, images, calls)
        if key not in self._alone:
            self._alone[key] = measure_alone(
                self.model(model), self.timed_batch(model, dataset, images), calls
            )
        return self._alone[key]

    def model_beside(self, case: Case) -> SelectedModel | None:
        """The other model that `cost_relative_to` has this case timed against, at level
        0; None where there is none.
        """
        name = self.policy.reference_of(case.model, case.dataset, case.occluder)
        if name is None or case.level > 0:
            return None
        return selected_model(name, self.selection, self.settings, self.catalogues)

    def reference_cost(
        self, case: Case, images: int, rounds: int
    ) -> ReferenceCost | None:
        """The case's model against `model_beside`, measured once; None without one, or
        where it cannot be loaded.
        """
        other = self.model_beside(case)
        if other is None:
            return None
        key = (case.model, case.dataset, other.entry.name, images, rounds)
        if key not in self._references:
            try:
                self._references[key] = self._measure_beside(
                    other, case, images, rounds
                )
            except RobustError:
                # It does not count as a failed load: where it is tested too, its own
                # first test must say why.
                self._references[key] = None
            _give_memory_back()
        return self._references[key]

    def _measure_beside(
        self, selected: SelectedModel, case: Case, images: int, rounds: int
    ) -> ReferenceCost:
        """The other model is held no longer than this takes, so that it counts in no
        peak memory.
        """
        from ..measure.timing.rounds import rounds_beside

        batch = self.timed_batch(case.model, case.dataset, images)
        other, model = self._load(selected), self.model(case.model)
        timed = rounds_beside(other, model, self.dataset(case.dataset), batch)
        timed.warm_up()
        timed.measure(rounds)
        return ReferenceCost(
            selected.entry.name, timed.baseline_seconds / len(batch.ids), timed.ratios
        )

    def outcome(self, case: Case) -> Outcome:
        """The measured case; the first one of a model and data set measures all that
        are planned for them.
        """
        if case not in self._outcomes:
            self._outcomes[case] = self._outcome(case)
        return self._outcomes[case]

    def _outcome(self, case: Case) -> Outcome:
        from ..measure.api import outcome_of

        found = self._cell(case)
        if isinstance(found, RobustError):
            raise copy(found)  # what is kept holds no frames
        key = case_key(case)
        self.store.save(
            key, image_ranks=found.image_ranks, report_ranks=found.report_ranks
        )
        self._keep_keys(case.model, case.dataset)
        return outcome_of(case, found, key)

    def curves(self, case: Case) -> tuple[Curve, ...]:
        """The curves of a case's model, data set and occluder, one a seed of this run."""
        return tuple(
            self.curve(replace(case, seed=seed)) for seed in self.settings.seeds
        )

    def curve(self, case: Case) -> Curve:
        """The outcomes of a case at every level of this run."""
        return Curve(
            tuple(
                self.outcome(replace(case, level=level))
                for level in self.settings.levels
            )
        )

    def breaking(self, model: str, dataset: str) -> BreakingOutcome:
        """The smallest occlusions that break the model on the data set, searched on first use."""
        if (model, dataset) not in self._searched:
            with self._kept_where_it_fails(self._searched, "search", model, dataset):
                self._searched[model, dataset] = self._search(model, dataset)
        found = self._searched[model, dataset]
        if isinstance(found, RobustError):
            raise copy(found)
        return found

    @contextmanager
    def _kept_where_it_fails(
        self,
        found: MutableMapping[tuple[str, str], Any],
        what: str,
        model: str,
        dataset: str,
    ) -> Iterator[None]:
        """Keeps the error of a sweep or search as what was found, so that it is not
        begun again for each further test.

        Where something from outside ends it, pytest-timeout for one, that goes on its way.
        """
        try:
            yield
        except RobustError as error:
            found[model, dataset] = without_frames(error)
        except FOREIGN as error:
            sentence = (
                f"Expected the {what} of {model} on {dataset} to end, got"
                f" {described(error)}."
            )
            let_go(error)
            found[model, dataset] = RobustError(
                f"{sentence} Fix the model, or the data set's class."
            )
        except pytest.skip.Exception:
            raise  # a loader that skips does so for each test
        except BaseException as error:
            found[model, dataset] = RobustError(
                f"Expected the {what} of {model} on {dataset} to end, but it was"
                f" interrupted ({type(error).__name__}). The first test of a model and"
                " data set measures all of their cells: raise its time-out, or lower"
                " --robust-limit."
            )
            raise

    def _search(self, model: str, dataset: str) -> BreakingOutcome:
        from ..measure.breaking import breaking_arrays, find_breaking
        from ..measure.pairs import pairs_of

        settings, limit = self.settings, self.policy.breaking_limit(model, dataset)
        k, images, grid = (
            (max(settings.ks), None, None)
            if limit is None
            else (limit.k, limit.images, limit.grid)
        )
        result = find_breaking(
            self.model(model),
            self.dataset(dataset),
            k=k,
            grid=grid or settings.search_grid,
            images=images or settings.search_images or SEARCHED_IMAGES,
            limit=settings.limit,
            batch_size=settings.batch_size,
            tell=self.tell,
        )
        key = f"breaking-{case_key(result.outcome.case)}"
        self.store.save(
            key,
            **breaking_arrays(result, pairs_of(self.dataset(dataset), settings.limit)),
        )
        self._keep_samples(model, dataset, result)
        return replace(result.outcome, arrays_key=key)

    def _cell(self, case: Case) -> Measured | RobustError:
        cell = CLEAN if case.level == 0 else Cell(case.occluder, case.level, case.seed)
        result = self._sweep(case.model, case.dataset, cell)
        return result if isinstance(result, RobustError) else result.cells[cell]

    def _sweep(
        self, model: str, dataset: str, wanted: Cell
    ) -> SweepResult | RobustError:
        result = self._swept.get((model, dataset))
        if result is None or not (
            isinstance(result, RobustError) or wanted in result.cells
        ):
            self._planned.setdefault((model, dataset), set()).add(
                (wanted.occluder, wanted.level, wanted.seed)
            )
            with self._kept_where_it_fails(self._swept, "sweep", model, dataset):
                self._swept[model, dataset] = self._run_sweep(model, dataset)
            result = self._swept[model, dataset]
            if not isinstance(result, RobustError):
                self._note_precision(model, dataset)
                self._keep_samples(model, dataset, result)
            if self.embeddings is not None:
                self.embeddings.prune()
        return result

    def _run_sweep(self, model: str, dataset: str) -> SweepResult:
        from ..measure.pairs import pairs_of
        from ..measure.sweep.run import run_sweep

        hidden = sorted(cell for cell in self._planned[model, dataset] if cell[1] > 0)
        settings = self.settings
        return run_sweep(
            self.model(model),
            pairs_of(self.dataset(dataset), settings.limit),
            [(Cell(*cell), self.occluder(cell[0])) for cell in hidden],
            settings.ks,
            precision=settings.precision,
            batch_size=settings.batch_size,
            store=self.embeddings,
            copies=lambda: self._copies_of(model),
            tell=self.tell,
        )

    # Samples, where they were asked for; what cannot be shown is no error of a test,
    # and is said at the end

    @cached_property
    def wants_samples(self) -> bool:
        """Whether a report of this run is to show images and texts."""
        entries = self.report_entries().values()
        return self.settings.show_samples and any(
            entry.with_samples is not None for entry in entries
        )

    def sample_sheets(self) -> list[SampleSheet]:
        """The samples of this run, in the order of its models and data sets."""
        if not self.wants_samples:
            return []
        sheets = {
            sheet.key: sheet
            for sheet in (*handed_over(self.store.folder), *self._sheets.values())
        }
        places = [
            list(names)
            for names in (
                self.selection.models,
                self.selection.datasets,
                ("hidden", "breaking"),
            )
        ]

        def place(sheet: SampleSheet) -> list[int]:
            return [
                names.index(word) for names, word in zip(places, sheet.key, strict=True)
            ]

        return sorted(sheets.values(), key=place)

    def _keep_samples(
        self, model: str, dataset: str, found: SweepResult | BreakingResult
    ) -> None:
        if not self.wants_samples:
            return
        from ..measure.samples.sheets import SampleSource, sheet_of

        source = SampleSource(
            self.model(model),
            self.dataset(dataset),
            self.selection.occluders,
            self.settings.precision,
            self.settings.batch_size,
            self.settings.limit,
            self.embeddings,
        )
        with suppress(*FOREIGN):  # foreign models and readers raise anything
            sheet = sheet_of(found, source)
            if sheet is not None:
                sheet = replace(sheet, model=model, dataset=dataset)
                self._sheets[sheet.key] = sheet
                if not self.store.is_alone:
                    hand_over(sheet, self.store.folder)

    def _note_precision(self, model: str, dataset: str) -> None:
        """What half precision does to the embeddings, once a model; without room for
        both there is nothing to tell.
        """
        if (
            self.settings.precision == "fp32"
            or "precision_effect" in self._cards[model]
        ):
            return
        from ..measure.half_precision import precision_effect

        effect = None
        with suppress(*FOREIGN):
            half = self.model(model)
            if not hasattr(half, "similarity"):  # its rows are no directions
                exact = self._load(self.selection.models[model], precision="fp32")
                effect = precision_effect(half, exact, self.dataset(dataset))
                del exact  # so that its memory is given back
        self._cards[model]["precision_effect"] = effect
        _give_memory_back()

    @cached_property
    def embeddings(self) -> EmbeddingStore | None:
        """Where embeddings are kept from run to run; None with `--robust-no-cache`."""
        from ..core.atomic_files import cache_folder
        from ..measure.embeddings.store import FOLDER, EmbeddingStore

        settings = self.settings
        if not settings.keeps_embeddings:
            return None
        return EmbeddingStore(
            cache_folder(settings.cache_dir) / FOLDER, settings.cache_limit
        )

    # Judging, for a test; the controller judges the whole run again

    def judge(self, outcomes: Iterable[Outcome]) -> Judge:
        """What judges these outcomes, by their ranks and beside the baseline."""
        from ..gate.comparison import Run, compare
        from ..gate.judge import Judge
        from ..gate.measurements import Measurements, Scope

        swept = (
            result
            for result in self._swept.values()
            if not isinstance(result, RobustError)
        )
        datasets = {result.dataset["name"]: result.dataset for result in swept}
        measured = Measurements(
            self.identity,
            Scope("one test", ""),
            self.settings.limit,
            self.whole_plan,
            tuple(outcomes),
            costs=(),
            breaking=(),
            models=(),
            datasets=tuple(datasets.values()),
            broken=(),
            broken_tests=0,
            notes=(),
        )
        baseline = self.baseline_run()
        comparison = (
            None
            if baseline is None
            else compare(Run(measured, self._evidence), baseline)
        )
        return Judge(
            self.judging_policy,
            self._evidence,
            comparison,
            self._baseline_gates.__getitem__,
        )

    @cached_property
    def _evidence(self) -> Evidence:
        """One for all tests, so that samples are drawn once."""
        from ..gate.evidence import Evidence

        return Evidence(self.store)

    @cached_property
    def _baseline_gates(self) -> Counter[str]:
        """How many gates beside the baseline the policy plans for each model."""
        return baseline_gates(self.policy.planned(self.whole_plan))

    # What a test report carries to the controller

    def record(self, item: pytest.Item, error: BaseException | None = None) -> Json:
        """What is known after a test of ours, as plain data; `error` is what it failed with.

        Outcomes, cards and data sets go once. But what a failed test says is said
        again: other plugins repeat such tests, and may drop their reports.
        """
        axes, values = axes_of(item) or Axes(), getattr(item, "funcargs", {})
        final = error is None
        outcomes = [
            outcome
            for outcome in _outcomes_in(values)
            if self._is_news(outcome.case, final)
        ]
        timer = values.get("occlusion_timer")
        cost: CostMeasurement | None = getattr(timer, "measurement", None)
        breaking = values.get("breaking")
        breaking = breaking if isinstance(breaking, BreakingOutcome) else None
        return {
            "model": axes.model,
            "not_tested": self.not_tested(axes.model),
            "failure": None if error is None else self._told(error),
            "gate_objected": getattr(values.get("gate"), "objected", False),
            "measuring": any(
                name in getattr(item, "fixturenames", ()) for name in MEASURING
            ),
            "outcomes": [outcome.as_json() for outcome in outcomes],
            "costs": [] if cost is None else [cost.as_json()],
            "breaking": None if breaking is None else breaking.as_json(),
            "card": self._card_record(axes.model, final),
            "notes": [
                *self._notes,
                *(() if self.embeddings is None else self.embeddings.notes),
            ],
            **self._dataset_record(
                axes, final, aside=cost is not None or breaking is not None
            ),
        }

    def _card_record(self, model: str | None, final: bool) -> Json | None:
        card = self._cards.get(model or "")
        # A card grows by what is found out of its model later.
        return (
            card if card is not None and self._is_news((model, *card), final) else None
        )

    def _is_news(self, what: Hashable, final: bool) -> bool:
        """Whether something is still to be reported; `final` where this report will do."""
        news = what not in self._reported
        if final:
            self._reported.add(what)
        return news

    def _told(self, error: BaseException) -> str:
        """What may be kept of a failure: our own errors, which name no patient; of
        others what they are called.
        """
        first = (str(error).strip().splitlines() or [""])[0]
        return (
            first
            if first in self.own_failures
            else f"{type(error).__name__} (pytest's output says more)"
        )

    def _dataset_record(self, axes: Axes, final: bool, *, aside: bool) -> Json:
        """What is known of the data set, from the sweep; or by itself, where something
        was measured `aside` of one.
        """
        key = (axes.model or "", axes.dataset or "")
        result = self._swept.get(key)
        nothing = {"dataset": None, "truncated_reports": None}
        if result is not None:
            if isinstance(result, RobustError) or not self._is_news(key, final):
                return nothing
            return {
                "dataset": result.dataset,
                "truncated_reports": result.truncated_reports,
            }
        if not aside or not self._is_news(("aside", key[1]), final):
            return nothing
        from ..measure.pairs import describe, pairs_of

        return {
            **nothing,
            "dataset": describe(
                pairs_of(self.dataset(key[1]), self.settings.limit), self.settings.ks
            ),
        }

    def _keep_keys(self, model: str, dataset: str) -> None:
        """Put the query keys and patient clusters of a data set into the store."""
        from ..measure.query_keys import query_arrays

        result, key = self._swept[model, dataset], dataset_key(dataset)
        if not isinstance(result, RobustError) and self.store.load(key) is None:
            self.store.save(key, **query_arrays(result.pairs))


def _give_memory_back() -> None:
    """Of all devices that may have been used."""
    from ..core.memory import give_memory_back

    for device in ("cuda", "mps"):
        give_memory_back(device)


def _is_light(fixtures: Iterable[str]) -> bool:
    """Whether a test asks for no outcome, so that it needs no sweep."""
    return not any(
        name in fixtures
        for name in (
            "outcome",
            "clean_outcome",
            "robustness_curve",
            "robustness_curves",
        )
    )


def _outcomes_in(values: Mapping[str, Any]) -> Iterator[Outcome]:
    for name in ("outcome", "clean_outcome"):
        if isinstance(values.get(name), Outcome):
            yield values[name]
    for curve in (
        values.get("robustness_curve"),
        *(values.get("robustness_curves") or ()),
    ):
        if isinstance(curve, Curve):
            yield from curve.outcomes


def or_fail(session: RobustSession, model: str | None, action: Callable[[], T]) -> T:
    """What `action` gives; the package's errors become one readable failure without a traceback.

    Weights that only `all` or a glob asked for, and that are not on this machine, are a skip.
    """
    try:
        return action()
    except RobustError as caught:
        error = caught
    # Outside the except block, so that pytest does not print the whole chain behind it.
    asked_in_passing = model is not None and not session.selection.models[model].named
    if isinstance(error, NotOnThisMachineError) and asked_in_passing:
        pytest.skip(f"not tested: {error}")
    sentence = f"{type(error).__name__}: {error}"
    session.own_failures.add(sentence.strip().splitlines()[0])
    pytest.fail(sentence, pytrace=False)
