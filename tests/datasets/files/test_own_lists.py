"""Data sets of one's own: from lists, and by a class or function, with every mistake as
a sentence.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_retrieval_robust import (
    dataset_from_lists,
    evaluate,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import (
    DatasetError,
    RobustError,
    UnreadableImageError,
)
from pytest_retrieval_robust.datasets import (
    DatasetEntry,
    KnowsContent,
    RetrievalDataset,
)
from pytest_retrieval_robust.measure.from_text import dataset_from_text
from pytest_retrieval_robust.measure.pairs import pairs_of

from .trees import picture, save, write_table

REPORTS = ["Clear.", "Effusion.", "Edema."]


def test_lists_are_what_a_table_of_them_is(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{number}.png", number) for number in range(3)]
    rows = [
        (file.name, report, f"p{number // 2}")
        for number, (file, report) in enumerate(zip(files, REPORTS, strict=True))
    ]
    table = write_table(tmp_path / "a.csv", ["image", "report", "patient"], rows)
    expected = load_dataset("table", path=table, patient="patient")
    dataset = dataset_from_lists(
        "table(patient=patient)",
        files,
        REPORTS,
        ["p0", "p0", "p1"],
        ids=[file.name for file in files],
    )
    assert isinstance(dataset, RetrievalDataset)
    assert isinstance(dataset, KnowsContent)
    assert dataset.fingerprint == expected.fingerprint
    assert dataset.patients == expected.patients
    for number in range(3):
        assert np.array_equal(
            np.asarray(dataset.image(number)), np.asarray(expected.image(number))
        )


@pytest.mark.parametrize("form", ["path", "text", "pillow", "bytes", "array"])
def test_images_of_every_form_are_the_same_picture(tmp_path: Path, form: str) -> None:
    file = save(tmp_path / "a.png", 3)
    forms: dict[str, Any] = {
        "path": file,
        "text": str(file),
        "pillow": Image.open(file),
        "bytes": file.read_bytes(),
        "array": np.asarray(picture(3)),
    }
    image = forms[form]
    dataset: Any = dataset_from_lists("ours", [image], ["A text."])
    assert np.array_equal(np.asarray(dataset.image(0)), np.asarray(picture(3)))
    assert dataset.content_digest(0) == dataset.content_digest(0)


def test_a_picture_in_memory_is_upright_as_its_file_is(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(1).save(tmp_path / "a.png", exif=turned)
    of_path = dataset_from_lists("ours", [tmp_path / "a.png"], ["x"]).image(0)
    of_memory = dataset_from_lists(
        "ours", [Image.open(tmp_path / "a.png")], ["x"]
    ).image(0)
    assert of_path.size == (40, 32)
    assert np.array_equal(np.asarray(of_memory), np.asarray(of_path))


def test_pictures_in_memory_are_copies() -> None:
    mine = picture(1)
    dataset: Any = dataset_from_lists("ours", [mine], ["A text."])
    digest = dataset.content_digest(0)
    mine.paste(0, (0, 0, 8, 8))
    dataset.image(0).paste(0, (0, 0, 8, 8))
    assert np.array_equal(np.asarray(dataset.image(0)), np.asarray(picture(1)))
    assert dataset.content_digest(0) == digest


def test_lists_are_evaluated() -> None:
    images = [picture(number, (64, 64)) for number in range(8)]
    captions = [[f"First {number}.", f"Second {number}."] for number in range(8)]
    dataset = dataset_from_lists(
        "ours", images, captions, patients=[number // 2 for number in range(8)]
    )
    curve = evaluate(
        load_model("tiny-cxr-clip"),
        dataset,
        load_occluder("patches"),
        levels=(0.3,),
        ks=(1, 5),
        device="cpu",
    )
    outcome = curve.outcomes[0]
    assert (outcome.image_to_report.queries, outcome.image_to_report.gallery) == (8, 16)
    assert (outcome.report_to_image.queries, outcome.report_to_image.gallery) == (16, 8)
    assert outcome.case.dataset == "ours"


def test_labels_and_studies() -> None:
    options: dict[str, Any] = {
        "studies": ["s", "s", "t"],
        "labels": [["edema"], {"edema"}, None],
    }
    dataset: Any = dataset_from_lists(
        "ours", ["a.png"] * 3, ["x", "x", "y"], relevance="same-labels", **options
    )
    assert dataset.image_groups.tolist() == [0, 0, 1]
    assert dataset.report_groups.tolist() == [0, 1]


def test_strata_follow_the_images_that_are_used() -> None:
    dataset: Any = dataset_from_lists(
        "ours",
        [picture()] * 4,
        ["x", None, "y", "z"],
        strata={"sex": ("F", "F", None, "M"), "age": np.array([70, 71, 72, 73])},
    )
    assert dataset.strata == {"sex": ("F", "", "M"), "age": ("70", "72", "73")}
    assert dataset_from_lists("ours", [picture()], ["x"]).strata == {}  # type: ignore[attr-defined]


def test_a_notebook_shows_counts_of_a_data_set_alone() -> None:
    dataset: Any = dataset_from_lists(
        "<b>ours",
        [picture()] * 3,
        [SECRET, None, "y"],
        patients=[f"{SECRET} 1", f"{SECRET} 1", f"{SECRET} 2"],
        ids=[f"{SECRET} {number}" for number in range(3)],
        strata={"sex": [SECRET, "F", "M"]},
    )
    page = dataset._repr_html_()
    assert SECRET not in page
    assert "<caption>&lt;b&gt;ours</caption>" in page
    for fact in ("images used</th><td>2", "patients</th><td>2", "strata</th><td>sex"):
        assert f"<th>{fact}</td>" in page


@pytest.mark.parametrize("name", ["synthetic-cxr(pairs=9)", "synthetic-scenes"])
def test_a_notebook_shows_a_drawn_data_set(name: str) -> None:
    page = load_dataset(name)._repr_html_()  # type: ignore[attr-defined]
    assert f"<caption>{name}</caption>" in page
    assert "<th>pixels</th><td>224 x 224</td>" in page


SECRET = "Mr Doe"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": 3}, "Expected images as a list with one item per image, got a int"),
        (
            {"images": [picture()]},
            "Expected reports of the same length as images, got 3 for 1 image in ours",
        ),
        (
            {"images": [SECRET, None, b""]},
            "bytes of image files or arrays, got None for item 1 of its lists",
        ),
        (
            {"images": [np.zeros((2, 2))] * 3},
            r"in uint8, got shape=\(2, 2\), dtype=float64 for item 0",
        ),
        ({"images": [np.zeros((3, 8, 8), np.uint8)] * 3}, r"got shape=\(3, 8, 8\)"),
        (
            {"images": [Image.new("I;16", (4, 4))] * 3},
            "of 8 bits per channel and at least 1 x 1 pixels, got mode='I;16'",
        ),
        ({"images": [Image.new("L", (0, 4))] * 3}, r"size=\(0, 4\)"),
        (
            {"reports": "abc"},
            "Expected reports as a list with one item per image, got a str",
        ),
        (
            {"reports": ["x", 5, "y"]},
            "a text or a list of texts as reports, got a number in item 1",
        ),
        ({"reports": [{"text": SECRET}] * 3}, "got an object in item 0"),
        (
            {"reports": [None, " ", float("nan")]},
            "Expected images with reports in ours, got none",
        ),
        (
            {"patients": ["p"]},
            "Expected patients of the same length as images, got 1 for 3",
        ),
        (
            {"patients": [[SECRET]] * 3},
            "Expected a text or a number as patients, got a list in item 0",
        ),
        (
            {"ids": ["a", "b", "a"]},
            "Expected each id once, got that of item 0 .* again in item 2",
        ),
        (
            {"ids": ["a", None, "b"]},
            "Expected an id of each image, got none for item 1",
        ),
        (
            {"labels": [1, 2, 3]},
            "Expected labels as a list of words per image, got a int for item 0",
        ),
        (
            {"studies": ["s"] * 3},
            (
                "Expected one report per group, got another one for the same studies in"
                " item 1"
            ),
        ),
        ({"strata": ["F"] * 3}, "Expected strata as lists by name, got a list"),
        (
            {"strata": {"sex": ["F"]}},
            "Expected strata sex of the same length as images, got 1 for 3",
        ),
        ({"strata": {3: ["F"] * 3}}, "a text as the name of a stratum, got a int"),
        ({"strata": {"sex": "FMF"}}, r"Expected strata\['sex'\] as a list"),
        (
            {"strata": {"sex": [[SECRET]] * 3}},
            r"a text or a number as strata\['sex'\], got a list in item 0",
        ),
        ({"relevance": "same"}, "Did you mean 'same-text'"),
        ({"relevance": "same-labels"}, "Expected labels for relevance='same-labels'"),
        ({"on_error": "ignore"}, "Known: fail, skip"),
        ({"name": ""}, "Expected name as a text"),
        ({"split": None}, "Expected split as a text, got None"),
    ],
)
def test_mistakes_in_lists(given: dict[str, Any], said: str) -> None:
    options = {"name": "ours", "images": [picture()] * 3, "reports": REPORTS, **given}
    with pytest.raises(RobustError, match=said) as caught:
        dataset_from_lists(**options)
    assert SECRET not in str(caught.value)


def test_a_missing_file_of_a_list_is_named_by_its_place() -> None:
    dataset = dataset_from_lists("ours", [f"/nowhere/{SECRET}.png"], ["x"])
    with pytest.raises(
        UnreadableImageError, match="no such file: item 0 of its lists"
    ) as caught:
        dataset.image(0)
    assert SECRET not in str(caught.value)


@dataclass
class Own:
    """A data set as a user may write it; its repr shows content."""

    name: Any = "ours"
    fingerprint: Any = "ab12"
    split: Any = "test"
    text: Any = "full"
    relevance: Any = "strict-id"
    image_ids: Any = field(default_factory=lambda: ["a", "b", SECRET])
    reports: Any = field(default_factory=lambda: ["One.", "Two.", SECRET])
    image_groups: Any = field(default_factory=lambda: np.arange(3))
    report_groups: Any = field(default_factory=lambda: np.arange(3))
    patients: Any = field(default_factory=lambda: ["p", "q", SECRET])

    def image(self, index: int) -> Image.Image:
        return picture(index, (64, 64))


def test_a_whole_one_is_taken() -> None:
    pairs = pairs_of(Own())
    assert len(pairs.images) == 3
    assert SECRET not in repr(pairs)


GROUPS: NDArray[Any] = np.arange(3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": None}, "Expected name of a Own as a text, got None"),
        (
            {"fingerprint": b"x"},
            "Expected fingerprint of ours as a text, got a bytes. Give a hash",
        ),
        (
            {"image_ids": ["a", "b", "a"]},
            "id of ours once, got that of image number 0 again for number 2",
        ),
        (
            {"image_ids": ["a", None, "b"]},
            "Expected texts as image_ids of ours, got None for image number 1",
        ),
        (
            {"image_ids": ["a", "", "b"]},
            "Expected an id of each image of ours, got an empty text for image number 1",
        ),
        (
            {"image_ids": np.array(["a", "b", "c"])},
            "Expected image_ids of ours as a list of texts, got a ndarray",
        ),
        (
            {"image_ids": [1, 2, 3]},
            "Expected texts as image_ids of ours, got a number for image number 0",
        ),
        (
            {"reports": ["a", "b", 3.5]},
            "Expected texts as reports of ours, got a number for report number 2",
        ),
        (
            {"reports": ["a", "b\ud800", "c"]},
            "got half of a surrogate pair for report number 1",
        ),
        (
            {"image_ids": ["a", "\udfff", "c"]},
            "got half of a surrogate pair for image number 1",
        ),
        ({"reports": "abc"}, "Expected reports of ours as a list of texts, got a str"),
        ({"reports": None}, "Expected reports of ours as a list of texts, got None"),
        (
            {"patients": ["p"]},
            "Expected a patient for each of the 3 images of ours, got 1",
        ),
        (
            {"patients": [1, 2, 3]},
            "Expected texts as patients of ours, got a number for image number 0",
        ),
        (
            {"image_groups": [0, 1, 2]},
            "Expected image_groups of ours as a numpy array of whole numbers, got a list",
        ),
        (
            {"image_groups": GROUPS[:2]},
            r"with one number for each of its 3 images, got shape=\(2,\)",
        ),
        (
            {"report_groups": GROUPS[:, None]},
            r"for each of its 3 reports, got shape=\(3, 1\)",
        ),
        (
            {"report_groups": GROUPS.astype(float)},
            "report_groups of ours as a numpy array .* got an array of float64",
        ),
        ({"report_groups": GROUPS > 0}, "got an array of bool"),
        ({"image": 3}, r"Expected a method image\(index\) of ours, got a value"),
        (
            {
                "image_ids": [],
                "reports": [],
                "image_groups": GROUPS[:0],
                "report_groups": GROUPS[:0],
                "patients": [],
            },
            "Expected a data set with images and reports, got images=0",
        ),
    ],
)
def test_mistakes_in_a_data_set(wrong: dict[str, Any], said: str) -> None:
    dataset = Own()
    for member, value in wrong.items():
        setattr(dataset, member, value)
    for use in (
        pairs_of,
        lambda one: evaluate(
            load_model("tiny-cxr-clip"), one, load_occluder("patches"), device="cpu"
        ),
    ):
        with pytest.raises(DatasetError, match=said) as caught:
            use(dataset)
        assert SECRET not in str(caught.value)


def test_missing_members_are_all_named_at_once() -> None:
    class Few:
        name = "ours"
        reports = ("a",)

    said = (
        "with fingerprint, split, text, relevance, image_ids, patients, image_groups,"
        " report_groups, image as ours"
    )
    with pytest.raises(
        DatasetError, match=f"{said}, got a Few without.*dataset_from_lists"
    ):
        pairs_of(Few())  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="got a NoneType without"):
        pairs_of(None)  # type: ignore[arg-type]


def test_a_member_that_raises() -> None:
    class Raising(Own):
        @property
        def split(self) -> str:
            raise AttributeError(SECRET)

        @split.setter
        def split(self, value: str) -> None:
            pass

    with pytest.raises(
        DatasetError,
        match=r"Expected split of ours, got AttributeError at .*test_own_lists.py",
    ) as caught:
        pairs_of(Raising())
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def entry_of(load: Callable[..., Any], **options: Any) -> Any:
    catalogues = Catalogues()
    catalogues.datasets.add(DatasetEntry("mine", "mine", load, **options))
    return dataset_from_text("mine", {}, catalogues.datasets)


def _asks_for_two(which: object, other: object) -> Any:
    raise AssertionError(which, other)


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (
            _asks_for_two,
            (
                "Expected load of the data set mine to take .* or one request, got one"
                " that takes which, other. Write"
            ),
        ),
        (
            lambda: None,
            "Expected a data set with name, .* as mine, got a NoneType without",
        ),
        (
            lambda: replace(Own(), patients=["p"]),
            "Expected a patient for each of the 3 images of mine, got 1",
        ),
        (
            lambda: _raise(ValueError(SECRET)),
            r"Expected load of the data set mine to open it, got ValueError at .*\.py",
        ),
        (lambda: _raise(SystemExit(SECRET)), "got SystemExit"),
        (lambda: _raise(TypeError(SECRET)), "got TypeError"),
        (lambda: _raise(DatasetError("Expected this.")), "^Expected this.$"),
    ],
)
def test_mistakes_in_what_opens_a_data_set(load: Callable[..., Any], said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        entry_of(load).load()
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_an_entry_is_given_its_parameters() -> None:
    entry = entry_of(
        lambda **_: Own(),
        parameters={"view": str},
        canonical_name=lambda **_: "mine(view)",
    )
    assert entry.load().name == "ours"


def test_what_opens_a_data_set_in_a_run(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(f"""
        import pytest
        from pytest_retrieval_robust import dataset_from_lists
        from pytest_retrieval_robust.datasets import DatasetEntry

        def load(request, other):
            return dataset_from_lists("ours", ["{SECRET}.png"], ["{SECRET}"])

        @pytest.hookimpl(optionalhook=True)
        def pytest_robust_register(catalogues):
            catalogues.datasets.add(DatasetEntry("ours", "our test set", load))
        """)
    pytester.makepyfile("def test_it(outcome):\n    pass\n")
    result = pytester.runpytest(
        "--robust-models=tiny-cxr-clip",
        "--robust-datasets=ours",
        "--robust-levels=0",
        "--showlocals",
        "-vv",
    )
    result.stdout.fnmatch_lines(
        ["*Expected load of the data set ours to take the data set's parameters*"]
    )
    assert "Traceback" not in result.stdout.str()
    assert SECRET not in result.stdout.str()


def test_bytes_are_read_as_files_are() -> None:
    buffer = io.BytesIO()
    picture(2).save(buffer, "TIFF")
    assert dataset_from_lists("ours", [buffer.getvalue()], ["x"]).image(0).size == (
        32,
        40,
    )
    with pytest.raises(UnreadableImageError, match="item 0 of its lists"):
        dataset_from_lists("ours", [b"no picture"], ["x"]).image(0)
