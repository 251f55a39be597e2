"""The Python interface: what it shows, and what it says to whoever calls it wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pytest_retrieval_robust
from pytest_retrieval_robust import (
    encoder_from_callables,
    evaluate,
    find_breaking,
    load_dataset,
    load_model,
    load_occluder,
    recall_at_k,
    sensitivity_map,
    top_k,
)
from pytest_retrieval_robust.core.cases import DIRECTIONS, Case
from pytest_retrieval_robust.core.errors import (
    ArgumentError,
    ConfigError,
    CorruptionError,
    NotMeasuredError,
    NotOnThisMachineError,
    OcclusionError,
    RankingError,
    RobustError,
    UnknownNameError,
)
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing
from pytest_retrieval_robust.core.words import ByLevel, known_word
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.gate.curve_statistics import STATISTICS, statistic
from pytest_retrieval_robust.gate.decision import Decision
from pytest_retrieval_robust.gate.evidence import Evidence
from pytest_retrieval_robust.gate.limits import BaselineLimit
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.retrieval.curve import Curve
from pytest_retrieval_robust.strategies import picture, unit_rows

LEVELS = (0.0, 0.1, 0.3)
FROM_IMAGES = {1: (0.9, 0.5, 0.3), 10: (1.0, 0.8, 0.6)}
FROM_REPORTS = {1: (0.8, 0.4, 0.2), 10: (0.95, 0.7, 0.55)}


def _scores(recalls: Mapping[int, tuple[float, ...]], number: int) -> Scores:
    at_level = {k: values[number] for k, values in recalls.items()}
    return Scores(
        queries=100,
        gallery=90,
        chance={1: 1 / 90, 10: 1 / 9},
        recall=at_level,
        recall_interval={
            k: (value - 0.05, value + 0.05) for k, value in at_level.items()
        },
        median_rank=2.0,
        mrr=0.5,
    )


def _curve() -> Curve:
    timing = Timing(100.0, 1.0, 0.1, "cpu", "fp32")
    outcomes = []
    for number, level in enumerate(LEVELS):
        case = Case("ours<b>", "data", "patches", level, 0)
        images = _scores(FROM_IMAGES, number)
        reports = _scores(FROM_REPORTS, number)
        outcomes.append(Outcome(case, level, level, images, reports, timing))
    return Curve(tuple(outcomes))


CURVE = _curve()
OF_DIRECTION: dict[str, Callable[[Any], object]] = {
    "outcome.scores": lambda word: CURVE.clean.scores(word),
    "outcome.recall": lambda word: CURVE.clean.recall(1, word),
    "recall": lambda word: CURVE.recall(1, word),
    "retention": lambda word: CURVE.retention(1, word),
    "area": lambda word: CURVE.area(1, word),
    "half_level": lambda word: CURVE.half_level(1, word),
    "slope": lambda word: CURVE.slope(1, word),
    "above_chance": lambda word: CURVE.above_chance(word),
    "has_something_to_lose": lambda word: CURVE.has_something_to_lose(1, word),
    "as_json": lambda word: CURVE.as_json(word),
    "evidence.recall": (
        lambda word: Evidence(_NoArrays()).recall(CURVE.clean, word, 1, 0.95)
    ),
    "evidence.ranks": lambda word: Evidence(_NoArrays()).ranks(CURVE.clean, word),
    "evidence.query_keys": lambda word: Evidence(_NoArrays()).query_keys("data", word),
    "evidence.clusters": lambda word: Evidence(_NoArrays()).clusters("data", word, 3),
    "evidence.of_curve": (
        lambda word: Evidence(_NoArrays()).of_curve(CURVE, word, 1, "auc", 0.95)
    ),
    "ceiling": lambda word: load_dataset("synthetic-cxr", pairs=3).ceiling(  # type: ignore[attr-defined]
        1, direction=word
    ),
}


class _NoArrays:
    def of_case(self, ranks_key: str) -> None:  # noqa: ARG002 - the protocol gives it
        return None

    def of_dataset(self, name: str) -> None:  # noqa: ARG002 - the protocol gives it
        return None


WORDS = (
    "image-to-text",
    "i2t",
    "t2i",
    "image_to_report",
    "Image-To-Report",
    "image-to-report ",
    "",
    None,
    0,
    True,
    ["x"],
)


@pytest.mark.parametrize("word", WORDS, ids=repr)
@pytest.mark.parametrize("name", sorted(OF_DIRECTION))
def test_an_unknown_direction_is_refused_with_the_known_ones(
    name: str, word: object
) -> None:
    with pytest.raises(
        ValueError, match="'image-to-report', 'report-to-image'"
    ) as caught:
        OF_DIRECTION[name](word)
    assert isinstance(caught.value, RobustError)
    assert repr(word) in str(caught.value)


@pytest.mark.parametrize(
    ("word", "close"),
    [
        ("i2t", "image-to-report"),
        ("image-to-text", "image-to-report"),
        ("image_to_report", "image-to-report"),
        ("t2i", "report-to-image"),
        ("text-to-image", "report-to-image"),
        ("report-to-images", "report-to-image"),
    ],
)
def test_a_direction_of_another_library_leads_to_ours(word: Any, close: str) -> None:
    with pytest.raises(ArgumentError, match=f"Did you mean '{close}'"):
        CURVE.recall(1, word)


@given(st.text() | st.integers() | st.none())
def test_no_other_word_is_taken_for_a_known_one(word: object) -> None:
    if word not in DIRECTIONS:
        with pytest.raises(ArgumentError):
            known_word("direction", word, DIRECTIONS)


def test_the_two_directions_are_told_apart() -> None:
    assert (
        CURVE.recall(10)
        == CURVE.recall(10, "image-to-report")
        == dict(zip(LEVELS, FROM_IMAGES[10], strict=True))
    )
    assert CURVE.recall(10, "report-to-image") == dict(
        zip(LEVELS, FROM_REPORTS[10], strict=True)
    )


OF_K: dict[str, Callable[[Any], object]] = {
    "outcome.recall": lambda k: CURVE.clean.recall(k),
    "recall": lambda k: CURVE.recall(k),
    "retention": lambda k: CURVE.retention(k),
    "area": lambda k: CURVE.area(k),
    "half_level": lambda k: CURVE.half_level(k),
    "slope": lambda k: CURVE.slope(k),
    "has_something_to_lose": lambda k: CURVE.has_something_to_lose(k),
    "evidence.recall": (
        lambda k: Evidence(_NoArrays()).recall(CURVE.clean, "image-to-report", k, 0.95)
    ),
}


@pytest.mark.parametrize("k", [3, 0, -1, 1.0, "1", None, True, [1]], ids=repr)
@pytest.mark.parametrize("name", sorted(OF_K))
def test_a_k_that_was_not_measured_says_which_were(name: str, k: object) -> None:
    with pytest.raises(NotMeasuredError) as caught:
        OF_K[name](k)
    assert str(caught.value).startswith(
        "Expected a k that was measured (1, 10), got k="
    )
    assert isinstance(caught.value, ValueError | KeyError)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, torch.tensor])
def test_a_whole_number_of_another_library_is_a_k(kind: Callable[[int], Any]) -> None:
    assert CURVE.recall(kind(10)) == CURVE.recall(10)


@pytest.mark.parametrize("level", [0.2, 30, "0.3", None, True], ids=repr)
def test_a_level_that_was_not_measured_says_which_were(level: Any) -> None:
    with pytest.raises(NotMeasuredError, match=r"measured \(0, 0.1, 0.3\), got level="):
        CURVE.recall(10)[level]


def test_a_level_is_found_however_it_was_computed() -> None:
    assert CURVE.recall(10)[0.1 + 0.2] == 0.6
    retention = CURVE.retention(10)
    assert retention is not None
    assert retention[0.1 + 0.2] == pytest.approx(0.6)


def test_what_is_looked_up_by_level_travels_as_a_dict() -> None:
    assert json.loads(json.dumps(ByLevel({0.0: 1.0}))) == {"0.0": 1.0}


@pytest.mark.parametrize("name", ["mean", "area", "auc ", "retention@10", ""])
def test_an_unknown_statistic_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match="statistic"):
        statistic(name, LEVELS, np.ones((1, 3)))


def test_each_known_statistic_is_another_number() -> None:
    recalls = np.array([[0.9, 0.5, 0.3]])
    numbers = [float(statistic(name, LEVELS, recalls)[0]) for name in STATISTICS]
    assert len({round(number, 6) for number in numbers}) == len(STATISTICS)


def test_a_policy_made_in_python_knows_its_words() -> None:
    with pytest.raises(ArgumentError, match="over"):
        BaselineLimit(10, 0.02, over="level")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="metric"):
        BaselineLimit(10, 0.02, metric="mrr")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="decide"):
        Decision("bounds", 0.95, False, None)  # type: ignore[arg-type]


# What it shows


def test_completion_shows_the_public_names_alone() -> None:
    assert set(dir(pytest_retrieval_robust)) == {
        *pytest_retrieval_robust.__all__,
        "strategies",
        "__version__",
    }
    assert all(
        hasattr(pytest_retrieval_robust, name) for name in dir(pytest_retrieval_robust)
    )


def test_a_curve_and_an_outcome_are_shown_in_a_line() -> None:
    assert (
        repr(CURVE)
        == "<Curve ours<b> on data, patches, seed 0: Recall@10 1.000 at 0, 0.800 at"
        " 0.1, 0.600 at 0.3>"
    )
    assert (
        repr(CURVE.outcomes[1])
        == "<Outcome ours<b> on data, patches at level 0.1, seed 0: "
        "Recall@10 0.800 image-to-report, 0.700 report-to-image>"
    )


def test_a_printed_curve_is_a_table() -> None:
    title, heads, *rows = str(CURVE).splitlines()
    assert title == "ours<b> on data, patches, seed 0"
    assert heads.split()[-3:] == ["0", "0.1", "0.3"]
    assert [row.split() for row in rows] == [
        ["image-to-report", "Recall@1", "90.0", "50.0", "30.0"],
        ["image-to-report", "Recall@10", "100.0", "80.0", "60.0"],
        ["report-to-image", "Recall@1", "80.0", "40.0", "20.0"],
        ["report-to-image", "Recall@10", "95.0", "70.0", "55.0"],
    ]
    assert len({len(line) for line in (heads, *rows)}) == 1


def test_a_notebook_shows_a_table_without_running_a_name() -> None:
    page = CURVE._repr_html_()
    assert "ours&lt;b&gt; on data" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 5


def test_the_columns_of_a_curve_hold_every_number() -> None:
    columns = json.loads(json.dumps(CURVE.to_dict()))
    assert {len(column) for column in columns.values()} == {2 * 2 * len(LEVELS)}
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    assert [(row["direction"], row["k"], row["level"]) for row in rows] == list(
        product(DIRECTIONS, (1, 10), LEVELS)
    )
    assert [row["recall"] for row in rows] == [
        *FROM_IMAGES[1],
        *FROM_IMAGES[10],
        *FROM_REPORTS[1],
        *FROM_REPORTS[10],
    ]
    assert rows[1]["kept"] == pytest.approx(0.5 / 0.9)
    assert (rows[1]["low"], rows[1]["high"]) == (0.45, 0.55)


def test_a_data_frame_has_the_columns_of_the_dictionary() -> None:
    pandas = pytest.importorskip("pandas")
    frame = CURVE.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("list") == CURVE.to_dict()


def test_a_data_frame_without_pandas_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        NotOnThisMachineError, match=r"pip install .*\[pandas\]"
    ) as caught:
        CURVE.to_dataframe()
    assert caught.value.__context__ is None


def test_the_json_of_a_curve_has_a_direction_of_its_own() -> None:
    assert CURVE.as_json() == CURVE.as_json("image-to-report")
    assert CURVE.as_json()["direction"] == "image-to-report"


def test_a_curve_of_nothing_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least one outcome"):
        Curve(())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("synthetic-cxr(pairs=40)", "<synthetic-cxr(pairs=40): 40 images, 40 reports>"),
        ("synthetic-scenes", "<synthetic-scenes: 500 images, 500 reports>"),
    ],
)
def test_a_data_set_is_shown_by_its_name_and_size(text: str, shown: str) -> None:
    assert repr(load_dataset(text)) == shown


def test_a_notebook_shows_a_model_without_its_folder(model: DualEncoder) -> None:
    page = model._repr_html_()  # type: ignore[attr-defined]
    assert "<caption>tiny-cxr-clip</caption>" in page
    assert "<th>on</th><td>cpu, fp32</td>" in page
    assert "<th>pixels per side</th><td>96</td>" in page
    assert "source" not in page
    mine: Any = encoder_from_callables("<b>", len, len)
    assert "<caption>&lt;b&gt;</caption>" in mine._repr_html_()
    assert "<th>licence" not in mine._repr_html_()


def test_showing_a_large_data_set_writes_no_reports() -> None:
    dataset = SyntheticCxr(pairs=2500, prevalence=0.5)
    assert repr(dataset) == "<synthetic-cxr(pairs=2500,prevalence=0.5): 2500 images>"
    assert "_texts" not in vars(dataset)


# What it is called with

EVALUATED: dict[str, Any] = {"limit": 24, "levels": (0.3,), "ks": (1, 10)}


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (0.3, "sequence of numbers"),
        ("0.3", "sequence of numbers"),
        (np.array(0.3), "sequence of numbers"),
        (["0.3"], "levels that are numbers"),
        ([None], "levels that are numbers"),
        ([True], "levels that are numbers"),
        ((30,), r"Did you mean 0\.3\?"),
        ((-0.1,), "from 0 to 1"),
        ((float("nan"),), "from 0 to 1"),
        ((float("inf"),), "from 0 to 1"),
        ((1.01,), "from 0 to 1"),
    ],
)
def test_levels_that_are_none_are_refused(
    model: DualEncoder, levels: Any, said: str
) -> None:
    with pytest.raises((ArgumentError, OcclusionError), match=said):
        evaluate(
            model,
            load_dataset("synthetic-cxr"),
            load_occluder("patches"),
            levels=levels,
        )


@pytest.mark.parametrize(
    ("severity", "said"),
    [
        (2, r"got severity=2\..* Did you mean 0\.4, the published step 2\?"),
        (2.5, r"got severity=2\.5\. .*[^?]$"),
        (60, r"Did you mean 0\.6\?"),
    ],
)
def test_severities_that_are_none_are_refused(severity: float, said: str) -> None:
    with pytest.raises(CorruptionError, match=said):
        evaluate("tiny-cxr-clip", "synthetic-cxr", "jpeg", severities=[0, severity])


def test_an_unknown_name_of_any_family_is_called_a_name() -> None:
    with pytest.raises(UnknownNameError) as said:
        evaluate("tiny-cxr-clip", "synthetic-cxr", "jpg")
    assert "got name='jpg'. Did you mean 'jpeg'" in str(said.value)


WRONG: list[tuple[str, Any]] = [
    *product(["seed"], [1.5, "0", None, -1, 2**31, True, [], ["0"], [1, 1]]),
    *product(["cache", "progress"], [0, 1, "yes"]),
    *product(["ks"], [0, 10, None, "10", (), [0], [-1], [1.5], [True], ["1"], [None]]),
    *product(["limit", "batch_size"], [0, -1, 1.5, "8", True]),
    *product(["device"], [3, ["cpu"]]),
    *product(["cache_dir"], [3, ["a"]]),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_a_wrong_argument_is_named(model: DualEncoder, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match="Expected .*, got ") as caught:
        evaluate(
            model,
            load_dataset("synthetic-cxr"),
            load_occluder("patches"),
            **{name: value},
        )
    assert name in str(caught.value) or "k=" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [None, 3, object(), int, SimpleNamespace(name="x"), "swapped"],
    ids=["none", "number", "object", "type", "namespace", "swapped"],
)
@pytest.mark.parametrize("place", range(3))
def test_an_object_of_another_kind_is_refused_with_what_it_lacks(
    model: DualEncoder, place: int, wrong: Any
) -> None:
    right: list[Any] = [model, load_dataset("synthetic-cxr"), load_occluder("patches")]
    arguments = [*right]
    arguments[place] = wrong
    if wrong == "swapped":
        arguments[place] = right[(place + 1) % 3]
    kind = ("a model", "a data set", "an occluder")[place]
    with pytest.raises(ArgumentError, match=f"Expected {kind}, got "):
        evaluate(*arguments)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": None}, "Expected name of a _Mine as a text, got None"),
        ({"name": 3}, "Expected name of a _Mine as a text, got a int"),
        ({"device": torch.device("cpu")}, "Expected device .*got a device. Give where"),
        ({"card": {}}, "Expected the card of a _Mine to be a ModelCard, got a dict"),
        ({"prepare": "x"}, "Expected a method prepare of a _Mine, got a str"),
        ({"encode_reports": None}, "a method encode_reports of a _Mine, got None"),
    ],
)
def test_members_of_another_kind_are_named(
    model: DualEncoder, wrong: dict[str, Any], said: str
) -> None:
    mine: Any = _Mine(model, wrong)
    for use in (
        lambda: evaluate(mine, "synthetic-cxr", "patches"),
        lambda: evaluate([model, mine], "synthetic-cxr", "patches"),
        lambda: find_breaking(mine, "synthetic-cxr"),
    ):
        with pytest.raises(ArgumentError, match=said):
            use()


class _Mine:
    """A model with some members of another kind."""

    def __init__(self, model: DualEncoder, wrong: dict[str, Any]) -> None:
        self.__dict__.update(wrong)
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_object_is_refused_before_a_name_is_loaded(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        pytest.fail("loaded")

    for name in ("load_model", "load_dataset", "load_occluder"):
        monkeypatch.setattr(f"pytest_retrieval_robust.measure.api.{name}", load)
    arguments: list[Any] = ["tiny-cxr-clip", "synthetic-cxr", "patches"]
    arguments[place] = 3
    with pytest.raises(ArgumentError):
        evaluate(*arguments)


def test_names_are_loaded_and_give_the_same_numbers(model: DualEncoder) -> None:
    by_name = evaluate(
        "tiny-cxr-clip",
        "synthetic-cxr",
        "patches(fill=mean)",
        device="cpu",
        **EVALUATED,
    )
    loaded = evaluate(
        model,
        load_dataset("synthetic-cxr"),
        load_occluder("patches(fill=mean)"),
        **EVALUATED,
    )
    assert by_name.recall(1) == loaded.recall(1)
    assert by_name.clean.case == loaded.clean.case


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_outcome_has_the_precision_of_its_model(precision: Any) -> None:
    model = load_model("tiny-cxr-clip", precision=precision)
    curve = evaluate(
        model,
        load_dataset("synthetic-cxr"),
        load_occluder("patches"),
        levels=(0, 0.2),
        limit=12,
    )
    assert {outcome.timing.precision for outcome in curve.outcomes} == {precision}


@pytest.mark.parametrize(
    ("names", "close"),
    [
        (("tiny-cxr-clp", "synthetic-cxr", "patches"), "tiny-cxr-clip"),
        (("tiny-cxr-clip", "synthetic-cx", "patches"), "synthetic-cxr"),
        (("tiny-cxr-clip", "synthetic-cxr", "patchs"), "patches"),
        (("tiny-cxr-clip", "synthetic-cxr", "patches(grd=3)"), "grid"),
    ],
)
def test_a_wrong_name_says_what_is_close(
    names: tuple[str, str, str], close: str
) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{close}'"):
        evaluate(*names)


def test_numbers_of_other_libraries_are_taken(model: DualEncoder) -> None:
    arguments: dict[str, Any] = {
        "levels": np.array([0.3]),
        "ks": np.array([10, 1, 10]),
        "seed": np.int64(0),
    }
    arguments["limit"] = np.int64(24)
    curve = evaluate(
        model, load_dataset("synthetic-cxr"), load_occluder("patches"), **arguments
    )
    assert curve.ks == (1, 10)
    assert curve.levels == (0.0, 0.3)


@pytest.mark.parametrize("wrong", [None, 3, "", " ", ["x"], Path("x")], ids=repr)
@pytest.mark.parametrize("load", [load_model, load_dataset, load_occluder])
def test_what_is_loaded_is_named_by_a_text(
    load: Callable[[Any], object], wrong: object
) -> None:
    with pytest.raises(ArgumentError, match="as a text such as"):
        load(wrong)


@pytest.mark.parametrize(
    "path",
    ["table.csv", "/data/patient-7/table.csv", "data/folder", "shards.tar", "a.csv.gz"],
)
def test_a_path_in_place_of_a_data_sets_name_says_how_it_is_opened(path: str) -> None:
    with pytest.raises(
        UnknownNameError, match=r"load_dataset\('table', path="
    ) as caught:
        load_dataset(path)
    assert path not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"precision": "fp8"}, ArgumentError),
        ({"precision": None}, ArgumentError),
        ({"precision": torch.float16}, ArgumentError),
        ({"device": "cuda:x"}, ConfigError),
        ({"device": "cudaa"}, ConfigError),
        ({"device": "cuda:-1"}, ConfigError),
        ({"device": None}, ArgumentError),
        ({"checkpoint": 3}, ArgumentError),
        ({"tokenizer": b"x"}, ArgumentError),
        ({"cache_dir": 3}, ArgumentError),
        ({"chekpoint": "x"}, UnknownNameError),
    ],
)
def test_a_wrong_way_to_load_a_model_is_refused(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match="Expected "):
        load_model("tiny-cxr-clip", **options)


def test_a_device_object_is_taken() -> None:
    device: Any = torch.device("cpu")
    assert load_model("tiny-cxr-clip", device=device).device == "cpu"


def test_callables_are_callable() -> None:
    def encode(batch: Any) -> Any:
        return batch

    wrong: Any = 3
    for arguments in (
        (wrong, encode, encode),
        ("ours", wrong, encode),
        ("ours", encode, None),
    ):
        with pytest.raises(ArgumentError, match="Expected "):
            encoder_from_callables(*arguments)
    with pytest.raises(ArgumentError, match="size"):
        encoder_from_callables("ours", encode, encode, size=0)
    with pytest.raises(ArgumentError, match="prepare"):
        encoder_from_callables("ours", encode, encode, prepare=wrong)


@pytest.mark.parametrize("search", [find_breaking, sensitivity_map])
def test_searches_refuse_what_is_no_model_and_no_data_set(
    search: Callable[..., object], model: DualEncoder
) -> None:
    dataset = load_dataset("synthetic-cxr")
    for arguments in ((3, dataset), (model, None), (dataset, model)):
        with pytest.raises(ArgumentError, match="Expected a "):
            search(*arguments)
    with pytest.raises(UnknownNameError, match="Did you mean 'tiny-cxr-clip'"):
        search("tiny-cxr-clp", dataset)
    for name in ("limit", "batch_size"):
        with pytest.raises(ArgumentError, match=name):
            search("no-such-model", "no-such-data", **{name: 0})


def test_searches_take_names(model: DualEncoder) -> None:
    small: dict[str, Any] = {"grid": 2, "images": 1}
    named = find_breaking("tiny-cxr-clip", "synthetic-cxr(pairs=24)", **small)
    loaded = find_breaking(model, load_dataset("synthetic-cxr", pairs=24), **small)
    assert named.outcome == loaded.outcome
    heat = sensitivity_map("tiny-cxr-clip", "synthetic-cxr(pairs=24)", **small)
    assert heat == loaded.outcome.sensitivity


@pytest.mark.parametrize("rows", [None, [[1.0, 0.0]], "x"], ids=repr)
def test_rows_that_are_no_array_are_refused(rows: Any) -> None:
    with pytest.raises(RankingError, match="torch tensor or a numpy array"):
        top_k(rows, rows, 1)


@pytest.mark.parametrize(
    "ranks",
    [[], [0], [1.0, 2.0], [float("nan")], [[1, 2]], "12", None, [True]],
    ids=repr,
)
def test_ranks_that_are_none_are_refused(ranks: Any) -> None:
    with pytest.raises(ValueError, match="Expected ranks"):
        recall_at_k(ranks, 1)


@pytest.mark.parametrize("k", [0, -1, 1.5, "1", None, True], ids=repr)
def test_recall_at_no_k_is_refused(k: Any) -> None:
    with pytest.raises(ValueError, match="Expected k"):
        recall_at_k(np.array([1, 2]), k)


def test_ranks_may_be_a_list() -> None:
    assert recall_at_k([1, 3], 1) == recall_at_k(np.array([1, 3]), 1) == 0.5


def test_the_interface_is_imported_without_torch() -> None:
    code = (
        "import sys, pytest_retrieval_robust as p; dir(p); assert 'torch' not in"
        " sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pictures_and_rows_of_an_unknown_kind_are_refused() -> None:
    wrong: Any = "flt"
    with pytest.raises(ArgumentError, match="Did you mean 'flat'"):
        picture(3, 3, kind=wrong)
    wrong = "rgb"
    with pytest.raises(ArgumentError, match="mode out of 'L', 'RGB'"):
        picture(3, 3, mode=wrong)
    wrong = "jax"
    with pytest.raises(ArgumentError, match="library out of 'numpy', 'torch'"):
        unit_rows(3, 3, library=wrong)
