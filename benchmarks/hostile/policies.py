"""Policy files with slips and tricks: a usage error, or judged right."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from .children import Ended, run_pytest
from .mutations import mutated
from .projects import POLICY, TOY, project
from .trials import Ground, Row, Trial, tried

_REFUSED = "refused"
"""Exit status 4; the other expectations are beginnings of the last line."""
_PASSED = "RELEASE GATE: PASSED"
_FAILED = "RELEASE GATE: FAILED"
_NOT_JUDGED = "RELEASE GATE: NOT JUDGED"


def _gate(*lines: str) -> str:
    return "\n".join(("[[gate]]", "level = 0.2", *lines, ""))


def _table(name: str, *lines: str) -> str:
    return "\n".join((f"[{name}]", *lines, ""))


_HONEST = _gate("recall = { 10 = 0.3 }")
_HARD = _gate("recall = { 1 = 0.999 }")
_POLICIES: Sequence[tuple[str, str, str]] = (
    ("honest", _HONEST, _PASSED),
    ("hard", _HARD, _FAILED),
    ("a floor of NaN", _gate("recall = { 10 = nan }"), _REFUSED),
    ("a floor of inf", _gate("recall = { 10 = inf }"), _REFUSED),
    ("a floor of -inf", _gate("recall = { 10 = -inf }"), _REFUSED),
    ("a floor below 0", _gate("recall = { 10 = -0.1 }"), _REFUSED),
    ("a floor above 1", _gate("recall = { 10 = 45 }"), _REFUSED),
    ("a floor of text", _gate('recall = { 10 = "0.3" }'), _REFUSED),
    ("a floor of true", _gate("recall = { 10 = true }"), _REFUSED),
    ("a floor of a list", _gate("recall = { 10 = [0.3] }"), _REFUSED),
    ("no floors", _gate("recall = {}"), _REFUSED),
    ("a bare number", _gate("recall = 0.3"), _REFUSED),
    ("k of 0", _gate("recall = { 0 = 0.3 }"), _REFUSED),
    ("k below 0", _gate('recall = { "-1" = 0.3 }'), _REFUSED),
    ("k of a word", _gate("recall = { ten = 0.3 }"), _REFUSED),
    ("k that is not measured", _gate("recall = { 7 = 0.3 }"), _REFUSED),
    ("k with a sign", _gate('recall = { "+10" = 0.3 }'), _REFUSED),
    ("k of other digits", _gate('recall = { "١٠" = 0.3 }'), _REFUSED),
    ("a slip in a key", _gate("recal = { 10 = 0.3 }"), _REFUSED),
    ("a slip in the table's name", _HONEST.replace("[[gate]]", "[[gates]]"), _REFUSED),
    ("a gate in capitals", _HONEST.replace("[[gate]]", "[[Gate]]"), _REFUSED),
    ("a gate that is no list", _HONEST.replace("[[gate]]", "[gate]"), _REFUSED),
    (
        "a gate twice, the second weaker",
        _HARD + _gate("recall = { 1 = 0.0 }"),
        _REFUSED,
    ),
    (
        "a direction that is none",
        _gate('direction = "i2t"', "recall = { 10 = 0.3 }"),
        _REFUSED,
    ),
    ("a model that is none", _gate('model = "tou"', "recall = { 10 = 0.3 }"), _REFUSED),
    (
        "a data set that is none",
        _gate('dataset = "toyset"', "recall = { 10 = 0.3 }"),
        _REFUSED,
    ),
    (
        "an occluder that is none",
        _gate('occluder = "patchs"', "recall = { 10 = 0.3 }"),
        _REFUSED,
    ),
    ("a level of text", '[[gate]]\nlevel = "0.2"\nrecall = { 10 = 0.3 }\n', _REFUSED),
    ("a level of NaN", "[[gate]]\nlevel = nan\nrecall = { 10 = 0.3 }\n", _REFUSED),
    ("a level of 20", "[[gate]]\nlevel = 20\nrecall = { 10 = 0.3 }\n", _REFUSED),
    (
        "a level that is nearly measured",
        "[[gate]]\nlevel = 0.2000001\nrecall = { 10 = 0.3 }\n",
        _PASSED,
    ),
    (
        "a level of another run",
        "[[gate]]\nlevel = 0.3\nrecall = { 10 = 0.3 }\n",
        "not passed",
    ),
    ("retention of NaN", _gate("retention = { 10 = nan }"), _REFUSED),
    (
        "retention at level 0",
        "[[gate]]\nlevel = 0.0\nretention = { 10 = 0.5 }\n",
        "not passed",
    ),
    ("a cost of 0", _gate("relative_cost = 0"), _REFUSED),
    ("a cost of NaN", _gate("relative_cost = nan"), _REFUSED),
    ("a speed of text", _gate('images_per_second = "9"'), _REFUSED),
    (
        "a margin of NaN",
        _gate("not_worse_than_baseline = { k = 10, margin = nan }"),
        _REFUSED,
    ),
    (
        "a margin below 0",
        _gate("not_worse_than_baseline = { k = 10, margin = -0.1 }"),
        _REFUSED,
    ),
    (
        "a margin without k",
        _gate("not_worse_than_baseline = { margin = 0.02 }"),
        _REFUSED,
    ),
    ("decide by a word", _gate("recall = { 10 = 0.3 }", 'decide = "maybe"'), _REFUSED),
    ("a confidence of 0", _gate("recall = { 10 = 0.3 }", "confidence = 0"), _REFUSED),
    ("a confidence of 1", _gate("recall = { 10 = 0.3 }", "confidence = 1.0"), _REFUSED),
    ("a confidence of 95", _gate("recall = { 10 = 0.3 }", "confidence = 95"), _REFUSED),
    (
        "tolerated by a word",
        _gate("recall = { 10 = 0.3 }", 'inconclusive = "fine"'),
        _REFUSED,
    ),
    (
        "a model's slip",
        _HONEST + _table("models.mine", 'loader = "open_clop"', 'checkpoint = "x"'),
        _REFUSED,
    ),
    (
        "a data set's slip",
        _HONEST + _table("datasets.table", 'pth = "x.csv"'),
        _REFUSED,
    ),
    (
        "required that is no boolean",
        _HONEST + _table("models.toy", 'required = "no"'),
        _REFUSED,
    ),
    ("an unknown table", _HONEST + _table("shadow", "x = 1"), _REFUSED),
    (
        "a model shadows a known one",
        _HONEST
        + _table("models.tiny-cxr-clip", 'loader = "transformers"', 'checkpoint = "x"'),
        _REFUSED,
    ),
    ("no TOML", "recall: 10\n", _REFUSED),
    ("a table twice", _table("models.a", 'checkpoint = "x"') * 2, _REFUSED),
    ("not UTF-8", "latin", _REFUSED),
    ("a byte order mark", "mark", "RELEASE GATE: PASSED or refused"),
    ("deep", "x = " + "[" * 5_000 + "]" * 5_000, _REFUSED),
    ("a number of 5,000 digits", "x = " + "9" * 5_000, _REFUSED),
    ("null bytes", "zero", _REFUSED),
    ("endless", "endless", "not passed"),
    ("a folder", "folder", "not passed"),
)


def rows(ground: Ground) -> Iterator[Trial]:
    for name, text, expected in ground.some(_POLICIES, 5):
        yield tried(name, partial(_judged, ground.place(name), text, expected))
    for number in range(ground.count(100, 3)):
        yield tried(f"fuzzed {number}", partial(_fuzzed, ground, number))


def _judged(folder: Path, text: str, expected: str) -> str | None:
    project(folder, policy=None)
    _write(folder / "gate" / "robust.toml", text)
    ended = run_pytest(folder, (*TOY, "gate"), seconds=40)
    if problem := _in_order(ended):
        return problem
    if _ends_as(ended, expected):
        return None
    last_line = ended.last_line or "no line"
    return (
        f"expected {expected}, got status {ended.status},"
        f" {last_line}: {ended.end[-150:]}"
    )


def _ends_as(ended: Ended, expected: str) -> bool:
    refused = ended.status == 4 and "robust.toml" in ended.output
    if expected == _REFUSED:
        return refused
    if expected == "not passed":
        return ended.status != 0 and "PASSED" not in ended.last_line
    passes = ended.last_line.startswith(_PASSED) and ended.status == 0
    if expected.endswith("or refused"):
        return refused or passes
    if expected == _PASSED:
        return passes
    return ended.last_line.startswith(expected) and ended.status == 1


def _write(file: Path, text: str) -> None:
    special = {
        "latin": b"# \xe9\n" + _HONEST.encode(),
        "mark": b"\xef\xbb\xbf" + _HONEST.encode(),
        "zero": b"\0\0" + _HONEST.encode(),
    }
    if text == "endless":
        file.symlink_to("/dev/zero")
    elif text == "folder":
        os.mkdir(file)
    else:
        file.write_bytes(special.get(text) or text.encode())


def _in_order(ended: Ended) -> str | None:
    if ended.timed_out:
        return "hung"
    for word in ("INTERNALERROR", "Traceback (most recent call last)"):
        if word in ended.output:
            return f"{word} in the output: {ended.end}"
    return None


def _fuzzed(ground: Ground, number: int) -> str | None:
    """Chance changes to a policy that fails: whatever they make of it, there is a
    verdict or a usage error.
    """
    folder = project(ground.place("fuzzed"), policy=None)
    content = mutated((POLICY + _HARD).encode(), ground.random("policy", number))
    (folder / "gate" / "robust.toml").write_bytes(content)
    ended = run_pytest(folder, (*TOY, "gate"), seconds=40)
    if problem := _in_order(ended):
        return f"{problem} ({content!r})"
    if ended.status == 4:
        return None
    gates = ended.last_line.startswith((_PASSED, _FAILED, _NOT_JUDGED))
    agrees = (ended.status == 0) == ended.last_line.startswith(_PASSED)
    return (
        None
        if gates and agrees
        else f"status {ended.status}, {ended.last_line or 'no line'} ({content!r})"
    )


ROWS = (
    Row(
        "policies",
        "policy files with slips and tricks: exit status 4, or judged right",
        rows,
    ),
)
