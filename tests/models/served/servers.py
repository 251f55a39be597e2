"""Files that serve: the helper with functions filled in, and servers written without it."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

from pytest_retrieval_robust import DualEncoder, encoder_from_command
from pytest_retrieval_robust.models.command import HELPER

WIDTH = 64
SIZE = 32
FUNCTIONS = """
def load(device, precision):
    print("this goes to standard error")
    return {"size": 32, "width": 64, "weights": [__file__], "device": device}


def embed_images(pixels):
    os.system("echo a child prints")
    return pixels.reshape(len(pixels), -1)[:, :64] - 0.5


def embed_texts(texts):
    return [[len(text) % (n + 2) + 0.1 for n in range(64)] for text in texts]


def count_tokens(texts):
    return [len(text.split()) for text in texts]
"""
"""As `callables` does in this process."""
BY_THE_PAGE = """
    import json
    import os
    import struct
    import sys
    import time


    def read(count):
        content = b""
        while len(content) < count:
            content += sys.stdin.buffer.read(count - len(content))
        return content


    def receive():
        assert read(4) == b"RRC1"
        header_length, array_length = struct.unpack("<IQ", read(12))
        header = json.loads(read(header_length))
        return header, read(array_length)


    def send(header, array=b""):
        text = json.dumps(header).encode()
        start = b"RRC1" + struct.pack("<IQ", len(text), len(array))
        sys.stdout.buffer.write(start + text + array)
        sys.stdout.buffer.flush()


    def greet(**more):
        receive()
        send({"type": "hello", "protocol": 1, "size": 32, "width": 3, **more})


    def answer(**more):
        header, _ = receive()
        rows = header["shape"][0] if header["type"] == "images" else len(header["texts"])
        numbers = struct.pack(f"<{3 * rows}f", *range(1, 3 * rows + 1))
        shape = {"dtype": "float32", "shape": [rows, 3]}
        send({"type": "rows", "id": header["id"], **shape, **more}, numbers)

"""
"""A server that was written from the page alone; what follows uses its functions."""


def helper_file(folder: Path, functions: str = FUNCTIONS) -> Path:
    """The helper with these functions in place of those to fill in."""
    template = HELPER.read_text(encoding="utf-8")
    before, own, protocol = template.split("\n# -----")
    # What is defined last counts.
    filled = "\n# -----".join((before, own + functions, protocol))
    file = folder / "serve.py"
    file.write_text(filled, encoding="utf-8")
    return file


def bare_file(folder: Path, ending: str) -> Path:
    """A server that was written from the page alone, with what it does at the end."""
    file = folder / "bare.py"
    file.write_text(dedent(BY_THE_PAGE) + dedent(ending), encoding="utf-8")
    return file


def started(file: Path, *, timeout: float = 30, name: str = "ours") -> DualEncoder:
    """The encoder that a file serves, by this Python."""
    return encoder_from_command(
        name,
        [sys.executable, "-S", file.name] if "bare" in file.name else served(file),
        folder=file.parent,
        device="cpu",
        answer_timeout=timeout,
    )


def served(file: Path) -> list[str]:
    return [sys.executable, file.name]
