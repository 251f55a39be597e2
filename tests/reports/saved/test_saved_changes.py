"""A saved run that was changed, by accident or by hand: refused, or judged as before,
never greener.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import DIRECTIONS, Case
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.arrays import case_key
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.saved.read import (
    SavedRunError,
    content_digest,
    load_run,
)

from ...saved_runs import Made, make_run, with_search
from ..records import timed

Data = dict[str, Any]
Arrays = dict[str, Any]
GATES = """
[[gate]]
recall = { 1 = 0.9, 10 = 0.6 }
retention = { 10 = 0.95 }
relative_cost = 1.01
breaking_share = { k = 10, quantile = 0.5, min = 0.5 }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run that meets none of the gates, with everything that a run may hold."""
    run = make_run(
        tmp_path_factory.mktemp("store"), 60, models=("ours", "theirs"), studies=2
    )
    record = judge_run(run.run, Policy(), Against())
    costs = tuple(replace(cost, rounds=len(cost.ratios)) for cost in timed(record))
    return with_search(run.measured(costs=costs), "ours")


@pytest.fixture(scope="module")
def whole(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.save(tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    file = tmp_path_factory.mktemp("policy") / "robust.toml"
    file.write_text(GATES)
    return read_policy(read_config_file(file))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def change(folder: Path, edit: Callable[[Data], Any], *, sealed: bool = False) -> None:
    """Change `run.json`; `sealed` as whoever knows of its digest would."""
    data = json.loads((folder / "run.json").read_text())
    edit(data)
    if sealed:
        data["run"]["content_sha256"] = content_digest(data)
    (folder / "run.json").write_text(json.dumps(data))


def change_arrays(folder: Path, edit: Callable[[Arrays], Any]) -> None:
    """Change the arrays, and put their new digest and that of the content into `run.json`."""
    with np.load(folder / "ranks.npz") as opened:
        arrays = {name: opened[name] for name in opened.files}
    edit(arrays)
    with (folder / "ranks.npz").open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    take_ranks(folder)


def take_ranks(folder: Path) -> None:
    digest = hashlib.sha256((folder / "ranks.npz").read_bytes()).hexdigest()
    change(folder, lambda data: data["run"].update(ranks_sha256=digest), sealed=True)


def verdicts(run: RunRecord) -> list[tuple[Case, str, str]]:
    return [(one.case, str(one.gate), one.verdict) for one in run.verdicts]


def objections(run: RunRecord) -> list[tuple[Case, str, bool]]:
    return [(one.case, str(one.gate), one.objects) for one in run.verdicts]


def test_a_run_that_was_not_changed_is_read(
    whole: Path, policy: Policy, made: Made
) -> None:
    read = judge_run(load_run(whole), policy, Against())
    assert verdicts(read) == verdicts(judge_run(made.run, policy, Against()))
    assert {verdict.verdict for verdict in read.verdicts} >= {"fail"}
    assert read.warnings == judge_run(made.run, policy, Against()).warnings


def test_another_indentation_is_no_change(folder: Path) -> None:
    data = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(data, indent=7))
    load_run(folder)


def test_a_run_without_a_digest_is_read_and_a_note_says_so(
    folder: Path, whole: Path, policy: Policy
) -> None:
    change(folder, lambda data: data["run"].pop("content_sha256"))
    read = judge_run(load_run(folder), policy, Against())
    assert verdicts(read) == verdicts(judge_run(load_run(whole), policy, Against()))
    assert any("no digest of its content" in note for note in read.warnings)


# Edits whose author computed the digest of the content again: something else contradicts them


def hidden(data: Data) -> list[Data]:
    return [outcome for outcome in data["outcomes"] if outcome["case"]["level"] > 0]


def perfect(data: Data) -> None:
    for outcome in data["outcomes"]:
        for direction in DIRECTIONS:
            scores = outcome[direction]
            scores["recall"] = dict.fromkeys(scores["recall"], 1.0)


def perfect_without_ranks(data: Data) -> None:
    perfect(data)
    for outcome in data["outcomes"]:
        outcome["ranks_key"] = None


def ranks_of_level_0(data: Data) -> None:
    """Scores and ranks of level 0 under the names of other levels."""
    for outcome in hidden(data):
        clean = next(
            one
            for one in data["outcomes"]
            if one["case"]["level"] == 0
            and one["case"]["model"] == outcome["case"]["model"]
        )
        case = outcome["case"]
        outcome.update(deepcopy(clean))
        outcome["case"] = case


def exchange(field: str, one: Any, other: Any) -> Callable[[Data], None]:
    def edit(data: Data) -> None:
        for outcome in data["outcomes"]:
            value = outcome["case"][field]
            outcome["case"][field] = {one: other, other: one}.get(value, value)

    return edit


def renamed_with_its_key(data: Data) -> None:
    for outcome in data["outcomes"]:
        if outcome["case"]["level"] == 0.4:
            outcome["case"]["level"] = 0.3
            outcome["ranks_key"] = case_key(Case.from_json(outcome["case"]))


def another_seed(data: Data) -> None:
    for outcome in data["outcomes"]:
        outcome["case"]["seed"] = 7


def removed_cells(data: Data) -> None:
    data["outcomes"] = [
        outcome for outcome in data["outcomes"] if outcome["case"]["level"] == 0
    ]


def removed_cells_and_levels(data: Data) -> None:
    removed_cells(data)
    data["run"]["plan"]["levels"] = [0.0]
    data["run"]["partial"] = "-k"


def removed_model(data: Data) -> None:
    for name in ("outcomes", "costs"):
        data[name] = [one for one in data[name] if one["case"]["model"] != "theirs"]
    data["models"] = [model for model in data["models"] if model["name"] != "theirs"]
    data["run"]["plan"]["models"] = ["ours"]


def scores(name: str, value: Any) -> Callable[[Data], None]:
    def edit(data: Data) -> None:
        for outcome in data["outcomes"]:
            for direction in DIRECTIONS:
                number = outcome[direction][name]
                outcome[direction][name] = (
                    dict.fromkeys(number, value) if isinstance(number, dict) else value
                )

    return edit


def of_run(**values: Any) -> Callable[[Data], None]:
    return lambda data: data["run"].update(values)


def of_each(part: str, **values: Any) -> Callable[[Data], None]:
    def edit(data: Data) -> None:
        for one in data[part]:
            one.update(values)

    return edit


EDITS: Mapping[str, Callable[[Data], None]] = {
    "perfect recall": perfect,
    "perfect recall, no ranks": perfect_without_ranks,
    "level 0 for every level": ranks_of_level_0,
    "levels exchanged": exchange("level", 0.0, 0.4),
    "models exchanged": exchange("model", "ours", "theirs"),
    "a model renamed": exchange("model", "theirs", "a better one"),
    "a data set renamed": exchange("dataset", "d", "e"),
    "an occluder renamed": exchange("occluder", "patches", "box"),
    "a level renamed, with its key": renamed_with_its_key,
    "another seed": another_seed,
    "hidden cells removed": removed_cells,
    "hidden cells removed from the plan too": removed_cells_and_levels,
    "a model removed": removed_model,
    "no outcomes": lambda data: data.update(outcomes=[]),
    "no data sets": lambda data: data.update(datasets=[]),
    "no models": lambda data: data.update(models=[]),
    "a cell twice": lambda data: data["outcomes"].append(data["outcomes"][-1]),
    "a cost twice": lambda data: data["costs"].append(data["costs"][-1]),
    "a search twice": lambda data: data["breaking"].append(data["breaking"][-1]),
    "a model twice": lambda data: data["models"].append(data["models"][-1]),
    "a data set twice": lambda data: data["datasets"].append(data["datasets"][-1]),
    "no queries": scores("queries", 0),
    "fewer queries": scores("queries", 59),
    "a smaller gallery": scores("gallery", 20),
    "no chance": scores("chance", 0.0),
    "a small chance": scores("chance", 0.01),
    "a wide interval": scores("recall_interval", [0.0, 1.0]),
    "a better median rank": scores("median_rank", 1),
    "a better reciprocal rank": scores("mrr", 1.0),
    "fewer images": of_each("datasets", images=20),
    "no digest of pixels": of_each("datasets", pixel_digest=None),
    "a limit that was not kept": of_run(limit=10),
    "no digest of ranks": of_run(ranks_sha256=None),
    "broken tests without a sentence": of_run(broken_tests=3),
    "sentences without broken tests": of_run(broken=["test_x: it broke"]),
    "a model that was not tested": of_each(
        "models", status="not tested", reason="gone"
    ),
    "a lower cost": of_each("costs", relative_cost=1.0),
    "no time": of_each("costs", occluded_seconds=0),
    "fewer rounds": of_each("costs", rounds=2),
    "greater breaking shares": (
        lambda data: data["breaking"][0].update(shares=[0.9] * 20)
    ),
    "no breaking shares": lambda data: data["breaking"][0].update(shares=[]),
    "a search of another": lambda data: data["breaking"][0].update(model="theirs"),
    "a search without masks": of_each("breaking", arrays_key=None),
    "no search": lambda data: data.update(breaking=[]),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_refused_although_the_digest_was_computed_again(
    folder: Path, name: str
) -> None:
    change(folder, EDITS[name], sealed=True)
    with pytest.raises(SavedRunError, match=r"^Expected .* got:? .*\. "):
        load_run(folder)


@pytest.mark.parametrize(
    "edit",
    [of_run(partial="-k"), of_run(id="0" * 16), of_each("costs", clean_seconds=9.0)],
)
def test_what_nothing_else_contradicts_is_refused_by_the_digest(
    folder: Path, edit: Callable[[Data], None]
) -> None:
    change(folder, edit)
    with pytest.raises(SavedRunError, match="changed after it was written"):
        load_run(folder)


# Any single value


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in inside:
        yield from places_in(inner, (*path, key))
    if path:
        yield path


VALUES: st.SearchStrategy[Any] = (
    st.sampled_from(["deleted", None, 0, 1, 0.5, 1.0, True, "x", "", [], {}])
    | st.floats(0, 1)
    | st.integers(0, 99)
)


def alter(data: Data, draw: st.DataObject, places: list[tuple[Any, ...]]) -> bool:
    """Change or delete one value; whether that is another value now."""
    *above, last = draw.draw(st.sampled_from(places))
    parent = reduce(lambda value, key: value[key], above, data)
    before, value = parent[last], draw.draw(VALUES)
    if value == "deleted":
        del parent[last]
        return True
    parent[last] = value
    return json.dumps(before) != json.dumps(value)


@settings(max_examples=200)
@given(st.data())
def test_no_single_value_can_be_changed(
    whole: Path, made: Made, policy: Policy, draw: st.DataObject
) -> None:
    data = json.loads((whole / "run.json").read_text())
    is_other = alter(data, draw, list(places_in(data)))
    with damaged(whole) as folder:
        (folder / "run.json").write_text(json.dumps(data))
        run = data.get("run")
        lost_its_digest_alone = isinstance(run, dict) and "content_sha256" not in run
        if is_other and not lost_its_digest_alone:
            with pytest.raises(SavedRunError, match="^Expected "):
                load_run(folder)
        else:
            read = judge_run(load_run(folder), policy, Against())
            assert verdicts(read) == verdicts(judge_run(made.run, policy, Against()))


@settings(max_examples=200)
@given(st.data())
def test_without_the_digest_no_value_of_a_cell_makes_it_greener(
    whole: Path, made: Made, policy: Policy, draw: st.DataObject
) -> None:
    data = json.loads((whole / "run.json").read_text())
    parts = ("outcomes", "models", "datasets", "breaking")
    alter(data, draw, [place for place in places_in(data) if place[0] in parts])
    with damaged(whole) as folder:
        del data["run"]["content_sha256"]
        (folder / "run.json").write_text(json.dumps(data))
        try:
            read = judge_run(load_run(folder), policy, Against())
        except SavedRunError:
            return
    # A search at another k is inconclusive, which stops a release as a gate that is not met does.
    assert objections(read) == objections(judge_run(made.run, policy, Against()))
    assert read.failures


@settings(max_examples=100)
@given(st.data())
def test_any_byte_of_the_ranks_counts(whole: Path, draw: st.DataObject) -> None:
    content = bytearray((whole / "ranks.npz").read_bytes())
    place = draw.draw(st.integers(0, len(content) - 1))
    content[place] ^= draw.draw(st.integers(1, 255))
    with damaged(whole) as folder:
        (folder / "ranks.npz").write_bytes(content)
        with pytest.raises(
            SavedRunError,
            match=r"^Expected the ranks\.npz .* cut off, changed or mixed",
        ):
            load_run(folder)
        take_ranks(folder)
        try:
            load_run(folder)
        except SavedRunError:
            return
        assert same_arrays(folder, whole)


def same_arrays(one: Path, other: Path) -> bool:
    with np.load(one / "ranks.npz") as mine, np.load(other / "ranks.npz") as theirs:
        return all(np.array_equal(mine[name], theirs[name]) for name in theirs.files)


@contextmanager
def damaged(whole: Path) -> Iterator[Path]:
    """A copy of a run for one example."""
    folder = whole.parent / "damaged"
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    yield folder
    shutil.rmtree(folder)


# Arrays, whose author computed both digests again


def of_ranks(make: Callable[[Any], Any]) -> Callable[[Arrays], None]:
    def edit(arrays: Arrays) -> None:
        for name in arrays:
            if name.endswith("_ranks"):
                arrays[name] = make(arrays[name])

    return edit


def without(word: str) -> Callable[[Arrays], None]:
    def edit(arrays: Arrays) -> None:
        for name in [name for name in arrays if word in name]:
            del arrays[name]

    return edit


ARRAY_EDITS: Mapping[str, Callable[[Arrays], Any]] = {
    "ranks of 1": of_ranks(np.ones_like),
    "ranks of 0": of_ranks(np.zeros_like),
    "negative ranks": of_ranks(lambda ranks: -ranks),
    "ranks beyond the gallery": of_ranks(
        lambda ranks: ranks + (ranks == ranks.max()) * 1000
    ),
    "fractions": of_ranks(lambda ranks: ranks.astype(float)),
    "texts": of_ranks(lambda ranks: ranks.astype(str)),
    "truth values": of_ranks(lambda ranks: ranks > 0),
    "narrow numbers": of_ranks(lambda ranks: ranks.astype(np.int32)),
    "complex numbers": of_ranks(lambda ranks: ranks.astype(complex)),
    "objects": of_ranks(lambda ranks: ranks.astype(object)),
    "records": of_ranks(lambda ranks: ranks.view([("a", "<i8")])),
    "two dimensions": of_ranks(lambda ranks: ranks[:, None]),
    "a scalar": of_ranks(lambda ranks: ranks[0]),
    "none": of_ranks(lambda ranks: ranks[:0]),
    "too few": of_ranks(lambda ranks: ranks[:-1]),
    "too many": of_ranks(lambda ranks: np.append(ranks, 1)),
    "ranks of one direction": without("report_ranks"),
    "no ranks": without("_ranks"),
    "no query keys": without("_query_key"),
    "no patients": without("cluster"),
    "other patients": lambda arrays: arrays.update(
        {"d/cluster": np.zeros(60, dtype=np.int64)}
    ),
    "no masks": without("breaking"),
    "other masks": lambda arrays: arrays.update(
        {
            name: np.ones_like(arrays[name])
            for name in arrays
            if name.endswith("breaking_mask")
        }
    ),
    "more right answers": lambda arrays: arrays.update(
        {"d/image_right": np.full(60, 2)}
    ),
    "no right answers": lambda arrays: arrays.update(
        {"d/image_right": np.zeros(60, dtype=np.int64)}
    ),
    "nothing": lambda arrays: arrays.clear(),
    "something else": lambda arrays: arrays.update(other=np.arange(3)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ARRAY_EDITS)
def test_changed_arrays_are_refused_although_all_digests_were_computed_again(
    folder: Path, name: str
) -> None:
    change_arrays(folder, ARRAY_EDITS[name])
    with pytest.raises(SavedRunError, match=r"^Expected .* got:? .*\. "):
        load_run(folder)


def test_runs_without_numbers_of_right_answers_are_read(folder: Path) -> None:
    change_arrays(folder, without("_right"))
    load_run(folder)


# Archives that expand, claim or wait without end


def head(shape: str, kind: str = "<i8") -> bytes:
    text = (
        f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(
            117
        )
        + b"\n"
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def first_member(folder: Path) -> str:
    with zipfile.ZipFile(folder / "ranks.npz") as archive:
        return archive.namelist()[0]


def replace_member(folder: Path, content: bytes, **about: Any) -> None:
    """Give the first array of the archive another content, and `about` other facts."""
    name = first_member(folder)
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(folder / "ranks.npz") as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            new.writestr(
                member.filename,
                content if member.filename == name else old.read(member),
            )
    raw = bytearray(stream.getvalue())
    if "flags" in about:
        place = raw.index(b"PK\x01\x02")
        raw[place + 8 : place + 10] = struct.pack("<H", about["flags"])
    (folder / "ranks.npz").write_bytes(raw)
    take_ranks(folder)


@pytest.mark.parametrize(
    "content",
    [
        head("(1000000000000,)"),
        head("(60,)") + bytes(300_000_000),
        head("(-1,)"),
        head("(60, 0)"),
        head("(60,)", "|O") + b"cposix\nsystem\n(S'true'\ntR.",
        head("(60,)", "<U4") + bytes(960),
        b"\x93NUMPY\x09\x00" + bytes(200),
        b"",
        b"PK",
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{" * 200_000,
    ],
    ids=[
        "terabytes",
        "a bomb",
        "negative",
        "two dimensions",
        "objects",
        "texts",
        "version",
        "nothing",
        "zip",
        "a head",
    ],
)
def test_an_array_that_is_not_what_run_json_says_is_not_read(
    folder: Path, content: bytes
) -> None:
    replace_member(folder, content)
    with pytest.raises(SavedRunError, match=r"^Expected the ranks\.npz "):
        load_run(folder)


@pytest.mark.parametrize("flags", [1, 0x20, 0x40, 0x2041])
def test_odd_flags_of_an_archive_are_refused(folder: Path, flags: int) -> None:
    with zipfile.ZipFile(folder / "ranks.npz") as archive:
        content = archive.read(first_member(folder))
    replace_member(folder, content, flags=flags)
    with pytest.raises(SavedRunError, match=r"^Expected the ranks\.npz "):
        load_run(folder)


def test_terabytes_of_queries_are_not_asked_for(folder: Path) -> None:
    def claim(data: Data) -> None:
        for outcome in data["outcomes"]:
            for direction in DIRECTIONS:
                outcome[direction].update(queries=10**12, gallery=10**12)
        data["datasets"][0].update(images=10**12, reports=10**12)

    change(folder, claim, sealed=True)
    with pytest.raises(SavedRunError, match=r"of which at most \d+ are read"):
        load_run(folder)


def to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.skipif(os.name != "posix", reason="FIFOs")
@pytest.mark.parametrize("file", ["run.json", "ranks.npz"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, to_zero, to_itself])
def test_what_is_no_file_is_refused_without_waiting(
    folder: Path, file: str, make: Callable[[Path], None]
) -> None:
    (folder / file).unlink()
    make(folder / file)
    with pytest.raises(SavedRunError, match=r"^Expected .* got"):
        load_run(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is no JSON"),
        (b"[]", "without a schema_version"),
        (b"[" * 200_000, "nested without end"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested without end"),
        (b'{"schema_version": ' + b"9" * 6_000 + b"}", "beyond all bounds"),
        (b'{"schema_version": 1e999}', "beyond all bounds"),
        (b'{"schema_version": 1, "schema_version": 2}', "stands twice"),
        (b'{"schema_version": true}', "without a schema_version"),
        (b'{"schema_version": 1, "x": "\\ud800"}', "not UTF-8"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_text_that_no_run_has_is_refused_in_a_sentence(
    folder: Path, text: bytes, told: str
) -> None:
    (folder / "run.json").write_bytes(text)
    with pytest.raises(SavedRunError, match=told) as caught:
        load_run(folder)
    assert caught.value.__context__ is None  # its text would be printed behind ours


def test_a_run_json_without_end_is_not_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_retrieval_robust.reports.saved.read._MOST_BYTES", 1000)
    with pytest.raises(SavedRunError, match="more than 1000 bytes"):
        load_run(folder)
