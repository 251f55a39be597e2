"""No message of a reader repeats an id, a text, or the name of a file or folder of the data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.datasets._files.choice import Choice
from pytest_retrieval_robust.datasets._files.records import (
    ImageRow,
    Sections,
    SourceData,
    reports_in_memory,
)
from pytest_retrieval_robust.datasets.open_i.report_xml import Report
from pytest_retrieval_robust.datasets.webdataset.samples import Member
from pytest_retrieval_robust.measure.image_checks import check_images
from pytest_retrieval_robust.measure.pairs import pairs_of

from .test_archives import png, shard
from .trees import open_i, open_i_xml, save, write_table

NAME = "CANARYdoe"
"""Stands in every name, id and text of the data."""


def own_table(rows: list[tuple[Any, ...]], **options: Any) -> Callable[[Path], Any]:
    def opened(folder: Path) -> Any:
        for number, row in enumerate(rows):
            if row[0].endswith("whole.png"):
                save(folder / row[0], number)
        table = write_table(
            folder / "table.csv", ["image", "report", "id", "study", "mark"], rows
        )
        return load_dataset("table", path=table, **options)

    return opened


def row(
    image: str = f"{NAME}/whole.png",
    report: str = f"{NAME} one.",
    key: str = NAME,
    study: str = NAME,
) -> tuple[Any, ...]:
    return (image, report, key, study, NAME)


def shards(members: list[tuple[str, bytes]], **options: Any) -> Callable[[Path], Any]:
    return lambda folder: load_dataset(
        "webdataset", path=shard(folder / f"{NAME}.tar", members), **options
    )


def reports(files: dict[str, bytes]) -> Callable[[Path], Any]:
    def opened(folder: Path) -> Any:
        of_reports, images = open_i(folder)
        for name, content in files.items():
            (of_reports / name).write_bytes(content)
        return load_dataset("open-i", reports=of_reports, images=images)

    return opened


SAMPLE = [(f"{NAME}/a.png", png(0)), (f"{NAME}/a.txt", f"{NAME}.".encode())]
BROKEN: dict[str, Callable[[Path], Any]] = {
    "missing": own_table([row(f"{NAME}/{NAME}.png")]),
    "climbing": own_table([row(f"../{NAME}/a.png")]),
    "absolute": own_table([row(f"/{NAME}/a.png")]),
    "blank": own_table([row("")]),
    "ids": own_table([row(), row(f"{NAME}/b-whole.png")], id="id"),
    "ids of captions": own_table([row(), row(key=f"{NAME}2")], id="id"),
    "groups": own_table(
        [row(), row(f"{NAME}/b-whole.png", f"{NAME} two.")], group="study"
    ),
    "marks": own_table(
        [row(), row(f"{NAME}/b-whole.png")],
        label_columns="mark;study",
        relevance="same-labels",
    ),
    "column": own_table([row()], image="imge"),
    "fields": own_table([row(), (NAME,)]),
    "repeated key": shards([*SAMPLE, ("b.png", png(1)), ("b.txt", b"x"), *SAMPLE]),
    "no image": shards([SAMPLE[1]]),
    "no text": shards([SAMPLE[0]]),
    "text": shards([SAMPLE[0], (f"{NAME}/a.txt", b"\xff\xfe" + NAME.encode())]),
    "json": shards(
        [SAMPLE[0], (f"{NAME}/a.json", f'{{"c": "{NAME}'.encode())], text="c"
    ),
    "json field": shards(
        [SAMPLE[0], (f"{NAME}/a.json", json.dumps({NAME: 1}).encode())], text="c"
    ),
    "broken image": shards([(f"{NAME}/a.png", b"x"), SAMPLE[1]]),
    "several images": shards([SAMPLE[0], (f"{NAME}/a.jpg", png(1)), SAMPLE[1]]),
    "odd kind": shards([(f"{NAME}.{NAME}.gif", b"x")]),
    "climbing member": shards([(f"../{NAME}.png", b"x")]),
    "xml": reports({f"{NAME}.xml": f"<{NAME}".encode()}),
    "xml again": reports({f"{NAME}.xml": open_i_xml(1, NAME, NAME, [f"CXR1_{NAME}"])}),
    "xml image": reports({f"{NAME}.xml": open_i_xml(9, NAME, NAME, [f"CXR9_{NAME}"])}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_messages_name_rows_alone(tmp_path: Path, kind: str) -> None:
    said: list[str] = []
    try:
        dataset = BROKEN[kind](tmp_path)
        for number in range(len(dataset.image_ids)):
            try:
                dataset.image(number)
            except RobustError as error:
                said.append(_all_of(error))
    except RobustError as error:
        said.append(_all_of(error))
    assert said
    assert not [one for one in said if NAME.lower() in one.lower()]


def _all_of(error: BaseException) -> str:
    """What Python prints of an error, those that led to it included."""
    if error.__cause__ is not None or error.__context__ is not None:
        return f"{error} {error.__cause__} {error.__context__}"
    return str(error)


def test_a_failed_load_holds_no_frames_of_its_readers(tmp_path: Path) -> None:
    """pytest --showlocals prints the local variables of every frame, and readers' are rows."""
    with pytest.raises(RobustError) as caught:
        BROKEN["groups"](tmp_path)
    frames = [
        Path(entry.path).name
        for entry in caught.traceback
        if not entry.ishidden(caught)
    ]
    assert "table.py" not in frames
    assert "_captions.py" not in frames
    for entry in caught.traceback:
        if "pytest_retrieval_robust" in str(entry.path):
            assert NAME not in str(entry.frame.f_locals)


def test_reprs_hold_no_content(tmp_path: Path) -> None:
    one = ImageRow(NAME, NAME, NAME, "", NAME, 3)
    found = SourceData(
        NAME[:2],
        "all",
        [one],
        reports_in_memory({NAME: Sections(NAME, NAME, NAME, (NAME, NAME))}),
        None,
    )
    dataset = own_table([row()])(tmp_path)
    things = [
        one,
        Sections(NAME, NAME, NAME, (NAME,)),
        found,
        Choice("full", subset=Path(NAME), masks=Path(NAME)),
        Report(NAME, Sections(NAME), (NAME,), frozenset([NAME])),
        Member(NAME, NAME, 1, 2),
        dataset,
        dataset.source,
        dataset.source.locate,
        pairs_of(dataset),
    ]
    assert not [thing for thing in things if NAME in repr(thing)]


def test_a_failing_test_with_local_variables_shows_no_row(
    pytester: pytest.Pytester,
) -> None:
    save(pytester.path / NAME / "whole.png")
    write_table(
        pytester.path / "table.csv",
        ["image", "report", "study"],
        [(f"{NAME}/whole.png", f"{NAME}.", NAME)] * 2,
    )
    (pytester.path / "table.csv").open("a").write(f"{NAME}/b.png,other {NAME},{NAME}\n")
    pytester.makepyfile("""
        from pytest_retrieval_robust import load_dataset

        def test_it():
            load_dataset("table", path="table.csv", group="study")
        """)
    result = pytester.runpytest("--showlocals", "-vv", "--tb=long", "-rA")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Expected one report per group*row 3 of its table*"])
    assert NAME not in result.stdout.str()


def test_absolute_paths_inside_the_root_are_read(tmp_path: Path) -> None:
    root = tmp_path / "data"
    files = [save(root / f"{number}.png", number) for number in range(2)]
    rows = [(str(files[0]), "One."), ("1.png", "Two.")]
    dataset = load_dataset(
        "table", path=write_table(root / "a.csv", ["image", "report"], rows)
    )
    assert list(dataset.image_ids) == ["0.png", "1.png"]
    assert dataset.image(0).size == (32, 40)
    (tmp_path / "link").symlink_to(root)
    for given, written in ((tmp_path / "link", root), (root, tmp_path / "link")):
        table = write_table(
            tmp_path / "b.csv", ["image", "report"], [(str(written / "0.png"), "One.")]
        )
        assert load_dataset("table", path=table, root=given).image(0).size == (32, 40)
    outside = write_table(
        root / "c.csv", ["image", "report"], [(str(save(tmp_path / "x.png")), "One.")]
    )
    with pytest.raises(
        RobustError,
        match="lies outside of root='data' in row 1 of its table. Give root=FOLDER",
    ):
        load_dataset("table", path=outside)


def test_files_that_are_written_another_way_are_found(tmp_path: Path) -> None:
    save(tmp_path / "images" / "o\u0308.png")  # as macOS writes it
    rows = [("images\\\u00f6.png".replace("\\", "/"), "One.")]
    dataset = load_dataset(
        "table", path=write_table(tmp_path / "a.csv", ["image", "report"], rows)
    )
    assert dataset.image(0).size == (32, 40)
    save(tmp_path / "images" / "b.png")
    windows = write_table(
        tmp_path / "b.csv", ["image", "report"], [("images\\b.png", "One.")]
    )
    assert load_dataset("table", path=windows).image(0).size == (32, 40)


def test_a_fifo_as_an_image_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    dataset = load_dataset(
        "table",
        path=write_table(tmp_path / "a.csv", ["image", "report"], [("a.png", "One.")]),
    )
    with pytest.raises(
        RobustError, match="a FIFO where a file is expected: row 1 of its table"
    ):
        dataset.image(0)


def test_what_is_checked_of_images_of_ones_own() -> None:
    class Odd:
        name = fingerprint = split = text = relevance = "x"
        image_ids = patients = ("a", "b", "c")

        def image(self, _index: int) -> Any:
            raise ValueError(NAME)

    checked = check_images(Odd())  # type: ignore[arg-type]
    assert checked.unreadable == 3
    assert NAME not in str(checked.lines)
