"""The measured constants of `plan-run` as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def _milliseconds(seconds: float) -> str:
    """All digits that were kept, such as `1,650`."""
    return f"{1000 * seconds:,.6g}"


def table(measured: dict[str, Any]) -> Iterator[str]:
    """The constants as Markdown."""
    yield (
        f"{measured['hardware']}, no GPU, torch {measured['torch']};"
        f" `{measured['command']}`; the quickest round, in seconds of a core."
    )
    yield ""
    yield "| network (float32) | threads | image, ms of a core | text of 77 tokens, ms |"
    yield "| --- | --- | --- | --- |"
    for row in measured["encoders"]:
        yield (
            f"| {row['architecture']} | {row['threads']} |"
            f" {_milliseconds(row['image_seconds'])} | {_milliseconds(row['text_seconds'])} |"
        )
    yield ""
    yield "| grey file | MB | decode and prepare, ms of a core | hash its bytes, ms |"
    yield "| --- | --- | --- | --- |"
    for row in measured["files"]:
        yield (
            f"| {row['kind']} | {row['bytes'] / 1e6:.2f} |"
            f" {_milliseconds(row['decode_seconds'])} | {_milliseconds(row['digest_seconds'])} |"
        )
    yield ""
    yield "| exact ranks, both directions | width | threads | seconds of a core |"
    yield "| --- | --- | --- | --- |"
    for row in measured["ranks"]:
        yield (
            f"| {row['images']:,} x {row['reports']:,} | {row['width']} |"
            f" {row['threads']} | {row['seconds']:g} |"
        )
