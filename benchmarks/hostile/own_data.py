"""Data sets of one's own that break the protocol: right numbers, or a refusal.

A refusal names no text and no id.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from pytest_retrieval_robust import evaluate, load_occluder
from pytest_retrieval_robust.core.errors import RobustError

from .children import in_children, run_pytest
from .projects import CONFTEST, TOY, project
from .toy import ToyDataset, ToyEncoder
from .trials import Check, Ground, Row, Trial, tried

CANARY = "CANARYDOE"
_PAIRS = 40


class Own(ToyDataset):
    """Honest, with the canary in every id, text and patient."""

    def __init__(self) -> None:
        super().__init__(_PAIRS)
        self.image_ids = [f"{CANARY}-{number}" for number in range(_PAIRS)]
        self.reports = [f"{CANARY} pattern {number}" for number in range(_PAIRS)]
        self.patients = [f"{CANARY} {number}" for number in range(_PAIRS)]
        self.image_groups = np.arange(_PAIRS)
        self.report_groups = np.arange(_PAIRS)

    patients: Any = ()


Break = Callable[[Any], None]


def _set(name: str, value: Callable[[Any], Any]) -> Break:
    return lambda data: setattr(data, name, value(getattr(data, name)))


def _first(value: Any) -> Callable[[Any], Any]:
    return lambda listed: [value, *listed[1:]]


def _image(value: Callable[[Image.Image], Any]) -> Break:
    def change(data: Any) -> None:
        honest = data.image
        data.image = lambda index: value(honest(index))

    return change


def _raises(error: Callable[[], BaseException]) -> Callable[[Any], Any]:
    def raising(_: Any) -> Any:
        raise error()

    return raising


def _without(name: str) -> Break:
    """An attribute that is not there."""

    def change(data: Any) -> None:
        kind = type(data)

        def get(self: Any, attribute: str) -> Any:
            if attribute == name:
                raise AttributeError(name)
            return object.__getattribute__(self, attribute)

        data.__class__ = type("Lacking", (kind,), {"__getattribute__": get})

    return change


_MEMBERS = (
    "name",
    "fingerprint",
    "split",
    "text",
    "relevance",
    "image_ids",
    "reports",
    "image_groups",
    "report_groups",
    "patients",
    "image",
)
# Must be refused.
_REFUSED: Mapping[str, Break] = {
    "no images": _set("image_ids", lambda _: []),
    "no reports": _set("reports", lambda _: []),
    "an id of None": _set("image_ids", _first(None)),
    "an id of int": _set("image_ids", _first(7)),
    "an empty id": _set("image_ids", _first("")),
    "an id twice": _set("image_ids", lambda ids: [ids[1], *ids[1:]]),
    "ids of bytes": _set("image_ids", lambda ids: [name.encode() for name in ids]),
    "ids too few": _set("image_ids", lambda ids: ids[1:]),
    "a text of None": _set("reports", _first(None)),
    "a text of NaN": _set("reports", _first(float("nan"))),
    "a text of int": _set("reports", _first(3)),
    "a text of a list": _set("reports", _first([CANARY])),
    "texts too few": _set("reports", lambda texts: texts[1:]),
    "patients too few": _set("patients", lambda patients: patients[1:]),
    "a patient of None": _set("patients", _first(None)),
    "groups too few": _set("image_groups", lambda groups: groups[1:]),
    "groups of texts": _set("image_groups", lambda groups: [CANARY] * len(groups)),
    "groups of floats": _set("image_groups", lambda groups: groups + 0.5),
    "groups of two dimensions": _set("image_groups", lambda groups: groups[:, None]),
    "groups of None": _set("report_groups", lambda _: None),
    "report groups too few": _set("report_groups", lambda groups: groups[1:]),
    "an image without a report": _set("image_groups", lambda groups: groups + 1000),
    "an image of None": _image(lambda _: None),
    "an image as an array": _image(np.asarray),
    "an image as bytes": _image(lambda image: image.tobytes()),
    "an image of 0 by 0": _image(lambda _: Image.new("L", (0, 0))),
    "an image that raises": _image(_raises(lambda: ValueError(CANARY))),
    "an image that raises OSError": _image(
        _raises(lambda: OSError(2, CANARY, f"/data/{CANARY}.png"))
    ),
    "an image that exits": _image(_raises(lambda: SystemExit(0))),
    "an image that stops": _image(_raises(lambda: StopIteration(CANARY))),
    **{f"without {name}": _without(name) for name in _MEMBERS},
}
# Odd, but with right numbers; a refusal is right too.
_ODD: Mapping[str, Break] = {
    "groups as lists": _set("image_groups", lambda groups: groups.tolist()),
    "groups of int32": _set("image_groups", lambda groups: groups.astype(np.int32)),
    "ids as a tuple": _set("image_ids", tuple),
    "ids as an array": _set("image_ids", np.array),
    "texts as a tuple": _set("reports", tuple),
    "texts as an array": _set("reports", np.array),
    "a lone surrogate in an id": _set(
        "image_ids", lambda ids: ["\ud800" + ids[0], *ids[1:]]
    ),
    "a null byte in an id": _set("image_ids", lambda ids: ["\0" + ids[0], *ids[1:]]),
    "a long id": _set("image_ids", lambda ids: ["x" * 100_000, *ids[1:]]),
    "pictures in colour": _image(lambda image: image.convert("RGB")),
    "pictures with transparency": _image(lambda image: image.convert("RGBA")),
    "pictures of other sizes": _image(
        lambda image: image.resize((64, 64), Image.Resampling.NEAREST)
    ),
    "patients all alike": _set(
        "patients", lambda patients: [patients[0]] * len(patients)
    ),
}
_LOADS = "\n\ndef load(**_):\n    return "


def _bad(body: str) -> str:
    """A class of the conftest that derives from the honest data set, and its loader."""
    indented = textwrap.indent(textwrap.dedent(body), "    ")
    return f"class Bad(toy.ToyDataset):\n{indented}{_LOADS}Bad()\n"


_SHOWS = f"""
def __repr__(self):
    return {CANARY!r}
def image(self, index):
    raise ValueError({CANARY!r})
"""
_CLOSES = """
def image(self, index):
    import sys
    sys.stdout.close()
    raise OSError
"""
_REGISTERED: Mapping[str, str] = {
    "load raises": f"def load(**_):\n    raise ValueError({CANARY!r})\n",
    "load exits": "def load(**_):\n    raise SystemExit(0)\n",
    "load wants an argument": "def load(request):\n    return None\n",
    "load returns None": f"{_LOADS}None\n",
    "load returns a class": f"{_LOADS}toy.ToyDataset\n",
    "load is no function": "load = 3\n",
    "ids raise": _bad(
        f"@property\ndef image_ids(self):\n    raise KeyError({CANARY!r})\n"
    ),
    "a repr that shows": _bad(_SHOWS),
    "texts of None": _bad("@property\ndef reports(self):\n    return [None] * 120\n"),
    "another name": _bad("name = 'another'\n"),
    "a name of None": _bad("name = None\n"),
    "an image that exits": _bad("def image(self, index):\n    raise SystemExit(0)\n"),
    "an image that closes standard output": _bad(_CLOSES),
    "missing members": f"class Bad:\n    name = 'bad'\n{_LOADS}Bad()\n",
    "only three": f"{_LOADS}toy.ToyDataset(3)\n",
    "honest": _bad("name = 'mine'\n"),
}
_REGISTER = """
from pytest_retrieval_robust.datasets import DatasetEntry

@pytest.hookimpl(optionalhook=True, specname="pytest_robust_register")
def pytest_robust_register_mine(catalogues):
    catalogues.datasets.add(DatasetEntry("mine", "own", load))
"""


def rows(ground: Ground) -> Iterator[Trial]:
    checks: list[tuple[str, Check]] = [
        (name, partial(_measured, change, True)) for name, change in _REFUSED.items()
    ]
    checks += [
        (name, partial(_measured, change, False)) for name, change in _ODD.items()
    ]
    yield from in_children(ground.some(checks, 10), chunk=4)
    for name, code in ground.some(_REGISTERED.items(), 2):
        yield tried(f"registered: {name}", partial(_registered, ground, name, code))


def _measured(change: Break, refused: bool) -> str | None:
    expected = _recalls(Own())
    data = Own()
    change(data)
    try:
        recalls = _recalls(data)
    except RobustError as error:
        if CANARY in str(error):
            return f"names an id or quotes a text: {error}"
        if error.__cause__ is not None or error.__context__ is not None:
            return "the error carries a foreign one"
        if not str(error).startswith("Expected"):
            return f"not a sentence of ours: {error}"
        return None
    if refused:
        return "it was taken"
    if not _are_near(recalls, expected):
        return f"other numbers: {recalls} instead of {expected}"
    return None


def _are_near(recalls: list[Any], expected: list[Any]) -> bool:
    """Alike but for one image: another id has other masks."""
    for by_level, expected_by_level in zip(recalls, expected, strict=True):
        for level, value in expected_by_level.items():
            if abs(by_level[level] - value) > 1 / _PAIRS + 1e-9:
                return False
    return True


def _recalls(data: Any) -> list[Any]:
    curve = evaluate(ToyEncoder(), data, load_occluder("patches"), levels=(0, 0.2))
    return [curve.recall(1), curve.recall(10, "report-to-image")]


def _registered(ground: Ground, name: str, code: str) -> str | None:
    folder = project(
        ground.place(name), files={"conftest.py": CONFTEST + code + _REGISTER}
    )
    ended = run_pytest(
        folder, (TOY[0], "--robust-datasets=mine", *TOY[2:], "gate"), seconds=40
    )
    if ended.timed_out:
        return "hung"
    for word in ("INTERNALERROR", "Traceback (most recent call last)", CANARY):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    passes = ended.status == 0 and "PASSED" in ended.last_line
    if name == "honest":
        return None if passes else f"status {ended.status}: {ended.end}"
    if passes or ended.status not in (1, 4):
        return f"status {ended.status}, {ended.last_line}"
    return None if "Expected" in ended.output else f"no sentence of ours: {ended.end}"


ROWS = (
    Row(
        "own-data",
        "data sets of one's own that break the protocol: right numbers or a sentence",
        rows,
    ),
)
