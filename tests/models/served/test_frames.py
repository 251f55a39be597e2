"""Frames come out as they went in, however they are cut; what a process wrote is shown in part."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import repeat
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.models._formats.command import frames
from pytest_retrieval_robust.models._formats.command.frames import (
    MAGIC,
    MOST_ARRAY,
    FrameReader,
    Message,
    array_in,
    frame_of,
)
from pytest_retrieval_robust.models._formats.command.last_words import LastWords

HEADERS = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)
ARRAYS = st.none() | st.lists(st.floats(width=32), min_size=1, max_size=40).map(
    lambda numbers: np.array(numbers, dtype=np.float32).reshape(1, -1)
)


def read(content: bytes, cuts: Iterator[int]) -> list[Message]:
    reader = FrameReader()
    messages: list[Message] = []
    while content:
        room = reader.room()
        count = min(len(room), len(content), next(cuts))
        room[:count] = content[:count]
        content = content[count:]
        messages.extend(reader.add(room, count))
    assert not reader.is_within_a_frame
    return messages


@given(st.lists(st.tuples(HEADERS, ARRAYS), max_size=4), st.randoms())
def test_frames_come_out_as_they_went_in(
    sent: list[tuple[Any, Any]], chance: Random
) -> None:
    content = b"".join(
        bytes(piece)
        for header, array in sent
        for piece in frame_of({**header, "type": "any"}, array)
    )
    messages = read(content, iter(lambda: chance.randint(1, 30), 0))
    assert len(messages) == len(sent)
    for message, (header, array) in zip(messages, sent, strict=True):
        assert {**message.header, **header, "type": "any"} == message.header
        if array is not None:
            read_again = array_in(message)
            assert not isinstance(read_again, str)
            assert read_again.tobytes() == array.tobytes()


def test_an_array_that_outgrows_its_first_memory_comes_out_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "_FIRST_ROOM", 16)
    array = np.arange(37, dtype=np.float32).reshape(1, -1)
    content = b"".join(bytes(piece) for piece in frame_of({"type": "rows"}, array))
    (message,) = read(content, repeat(11))
    read_again = array_in(message)
    assert not isinstance(read_again, str)
    assert read_again.tobytes() == array.tobytes()


def test_no_memory_is_taken_for_an_array_that_does_not_come() -> None:
    header = b'{"type": "rows"}'
    claimed = MAGIC + struct.pack("<IQ", len(header), MOST_ARRAY) + header
    reader = FrameReader()
    while claimed:
        room = reader.room()
        count = min(len(room), len(claimed))
        room[:count] = claimed[:count]
        claimed = claimed[count:]
        assert list(reader.add(room, count)) == []
    assert len(reader.room()) <= MOST_ARRAY // 100


TRACEBACK = b"""Traceback (most recent call last):
  File "/home/jane roe/serve.py", line 3, in embed_texts
    return table[text]
           ~~~~~^^^^^^
KeyError: 'Jane Roe, small effusion'
"""
WITHHELD = r"\(what it wrote to standard error is withheld"


@pytest.mark.parametrize(
    ("was_given_data", "written", "expected"),
    [
        (False, b"", r"\A\Z"),
        (True, b"no traceback", r"\A\(What it wrote to standard error is withheld"),
        (True, TRACEBACK, rf"\AIt wrote of KeyError at serve.py:3 in embed_texts {WITHHELD}"),
        (True, b"ModuleNotFoundError: No module named 'a.b'", "No module named 'a.b' "),
        (False, b"no /data/jane/w.pt or '/my dir/x.pt'", r"It wrote: no w.pt or 'x.pt'\."),
        (False, b"a\xff\x1b[31mred\n" * 9, r"It wrote: (a\ufffdred( \| )?){6}\.\Z"),
    ],
)  # fmt: skip
def test_what_is_shown_of_what_a_process_wrote(
    was_given_data: bool, written: bytes, expected: str
) -> None:
    words = LastWords()
    words.add(written)
    shown = words.shown(was_given_data=was_given_data)
    assert re.search(expected, shown), shown
    assert "small effusion" not in shown
    assert "jane roe" not in shown
