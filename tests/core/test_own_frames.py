"""The end of a foreign traceback: lines of the user's own code, and no value of any."""

from __future__ import annotations

import json
from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.core.foreign import SHOW_VARIABLE, traced
from pytest_retrieval_robust.core.own_frames import (
    MOST_LINES,
    innermost_place,
    traceback_lines,
)


def _raised(source: str, name: str) -> BaseException:
    """What code of a file of that name raises."""
    try:
        exec(compile(source, name, "exec"), {})
    except Exception as error:
        return error
    raise AssertionError


CHAIN = """
def split(text):
    return {}[text]

def embed(text):
    try:
        split(text)
    except KeyError as error:
        raise RuntimeError(text) from error

embed("Jane Doe")
"""


def test_lines_of_an_error_and_of_what_caused_it() -> None:
    lines = traceback_lines(_raised(CHAIN, "/mine/encoder.py"))
    assert lines == [
        "encoder.py:7 in embed",
        "encoder.py:3 in split: KeyError",
        f"{_here(lines)} in _raised",
        "encoder.py:11 in <module>",
        "encoder.py:9 in embed: RuntimeError",
    ]


def _here(lines: list[str]) -> str:
    return lines[2].removesuffix(" in _raised")


@given(st.integers(1, 40), st.text("abcXYZ", min_size=8))
def test_no_more_than_a_few_lines_and_no_text(depth: int, text: str) -> None:
    source = (
        f"def fall(depth):\n    if depth:\n        fall(depth - 1)\n"
        f"    raise ValueError({text!r})\nfall({depth})"
    )
    lines = traceback_lines(_raised(source, "deep.py"))
    assert len(lines) == min(depth + 3, MOST_LINES)
    assert lines[-1] == "deep.py:4 in fall: ValueError"
    assert text not in "".join(lines)


@pytest.mark.parametrize(
    "file",
    [
        json.__file__,
        "/other/lib/python3.9/site-packages/torch/nn.py",
        "/usr/lib/python3/dist-packages/cv2/io.py",
        "<frozen importlib._bootstrap>",
        "<string>",
    ],
)
def test_libraries_and_code_that_was_made_are_not_the_users(file: str) -> None:
    error = _raised("1 / 0", file)
    lines = traceback_lines(error)
    assert len(lines) == 1
    assert "test_own_frames.py" in lines[0]
    place = innermost_place(error)
    assert place is not None
    assert place.function == "_raised"


def test_where_nothing_is_the_users_the_line_of_the_library_is_named() -> None:
    error: BaseException = ValueError()
    try:
        json.loads("{")
    except ValueError as raised:
        error = raised.with_traceback(
            raised.__traceback__ and raised.__traceback__.tb_next
        )
    (line,) = traceback_lines(error)
    assert line.startswith("json/decoder.py:")
    assert line.endswith("raw_decode: JSONDecodeError")


def test_a_prompt_and_a_notebook_are_the_users() -> None:
    lines = traceback_lines(_raised("1 / 0", "<ipython-input-3-0>"))
    assert lines[-1] == "<ipython-input-3-0>:1 in <module>: ZeroDivisionError"


def test_a_copy_shows_the_lines_too_and_its_message_has_none() -> None:
    ours = copy(traced(ModelError("It failed."), _raised(CHAIN, "/mine/encoder.py")))
    assert str(ours) == "It failed."
    assert ours.shown.splitlines()[1].endswith("(newest last):")
    assert ours.shown.endswith("encoder.py:9 in embed: RuntimeError")
    assert "Doe" not in ours.shown


def test_the_whole_of_it_is_shown_where_that_was_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SHOW_VARIABLE, "full")
    ours = traced(ModelError("It failed."), _raised(CHAIN, "/mine/encoder.py"))
    assert "KeyError: 'Jane Doe'" in ours.shown
    assert "RuntimeError: Jane Doe" in ours.shown
