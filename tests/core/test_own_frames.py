"""The end of a foreign traceback: lines of the user's own code, and no value of any."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from copy import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_retrieval_robust
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.core.foreign import SHOW_VARIABLE, traced
from pytest_retrieval_robust.core.own_frames import (
    MOST_LINES,
    CodePlace,
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


@pytest.mark.parametrize(
    ("folder", "file", "is_library"),
    [
        (Path(sysconfig.get_path("stdlib")), "json/decoder.py", True),
        (Path(pytest_retrieval_robust.__file__).parent, "core/calling.py", False),
        (Path(pytest.__file__).parents[1], "pytest/__init__.py", True),
    ],
)
def test_a_folder_may_be_a_link(
    tmp_path: Path, folder: Path, file: str, is_library: bool
) -> None:
    (tmp_path / "link").symlink_to(folder)
    place = CodePlace(tmp_path / "link" / file, 1, "function")
    assert not place.is_own
    assert place.is_of_a_library == is_library


def test_a_package_whose_folder_is_a_link_is_not_the_users(tmp_path: Path) -> None:
    """Python finds it through the link, and its frames name that."""
    root = Path(pytest_retrieval_robust.__file__).parents[1]
    (tmp_path / "link").symlink_to(root)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'link')!r})\n"
        "from pytest_retrieval_robust.core import own_frames, words\n"
        "assert '/link/' in words.__file__\n"
        "try:\n    words.known_word('kind', 1, ['a'])\n"
        "except Exception as error:\n    print(own_frames.traceback_lines(error))"
    )
    command = [sys.executable, "-I", "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout == "[]\n"


def test_the_users_file_behind_a_link_is_shown_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real")
    place = CodePlace(tmp_path / "link" / "tests" / "conftest.py", 3, "load")
    assert place.is_own
    assert str(place) == "tests/conftest.py:3 in load"


def test_a_name_that_no_file_can_have_is_no_error() -> None:
    assert CodePlace(Path("made\0up.py"), 1, "function").is_own


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
