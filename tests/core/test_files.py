"""Files that would block or never end are refused at once; foreign errors are described
without their texts.
"""

from __future__ import annotations

import os
import socket
import traceback
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.files import (
    NotRegularError,
    TooLargeError,
    is_regular,
    open_regular,
    read_at_most,
)
from pytest_retrieval_robust.core.foreign import SHOW_VARIABLE, described, let_go


def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotRegularError, match="a FIFO where a file is expected"):
        open_regular(tmp_path / "fifo")
    assert not is_regular(tmp_path / "fifo")


def test_devices_sockets_and_folders_are_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        for path, kind in (
            (link, "a device"),
            (tmp_path, "a folder"),
            (tmp_path / "socket", "a socket"),
        ):
            with pytest.raises(NotRegularError, match=kind):
                open_regular(path)


def test_a_regular_file_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"abc"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_a_stream_is_read_up_to_its_limit(data: bytes, limit: int) -> None:
    if len(data) <= limit:
        assert read_at_most(BytesIO(data), limit) == data
    else:
        with pytest.raises(TooLargeError, match=f"more than {limit} bytes"):
            read_at_most(BytesIO(data), limit)


def _failing(text: str) -> ValueError:
    def embed() -> None:
        held = bytearray(8)
        raise ValueError(f"cannot tokenise {text!r} {held!r}")

    try:
        embed()
    except ValueError as error:
        return error
    raise AssertionError


def test_a_foreign_error_is_described_by_its_class_and_place() -> None:
    told = described(_failing("Mr Doe"))
    assert told.startswith(
        "ValueError at tests/core/test_files.py:"
    ) or told.startswith("ValueError at test_files.py:")
    assert " in embed (its text is withheld" in told
    assert "Doe" not in told


def test_its_text_is_shown_where_that_was_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SHOW_VARIABLE, "1")
    assert "cannot tokenise 'Mr Doe'" in described(_failing("Mr Doe"))


def test_an_error_lets_go_of_what_its_frames_hold() -> None:
    error = _failing("x")
    let_go(error)
    frames = [
        frame
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "embed"
    ]
    assert [frame.f_locals for frame in frames] == [{}]
