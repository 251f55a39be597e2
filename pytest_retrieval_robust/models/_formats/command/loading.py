"""Starts the command of a model, and makes its card of what it says."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ....core.errors import ConfigError
from ... import LoadRequest, ModelCard, Prepared
from ..._files.checkpoint import sha256_of
from .encoder import CommandEncoder, CountingCommandEncoder
from .hello import Hello
from .process import Command
from .server import Server

_NOT_OF_THE_NUMBERS = ("source", "licence")
"""Fields of the greeting that no number follows from."""


def load_command(
    name: str,
    command: Command,
    request: LoadRequest,
    prepare: Callable[[Image.Image], Prepared] | None = None,
) -> CommandEncoder:
    """The encoder that a command serves, once it has greeted.

    Raises:
        ModelError: It does not start, or does not greet as the protocol says.
        ConfigError: It has not the precision that was asked for.
    """
    files = digests_of(command)
    server = Server(name, command, request.device, request.precision)
    hello = server.hello
    if hello.precision != request.precision:
        server.close()
        raise ConfigError(
            f"Expected {name} in the precision that its command has"
            f" ({hello.precision}), got precision={request.precision!r}. Ask for that"
            " one, or have the command say the one that it is asked for."
        )
    kind = CountingCommandEncoder if hello.counts_tokens else CommandEncoder
    return kind(name, server, _card(hello, files), prepare)


def digests_of(command: Command) -> list[str]:
    """What stands for each argument of a command: the digest of a file, or its text.

    So the same files under other folders, on another machine, are the same command.
    """
    digests = []
    for argument in command.arguments:
        file = command.folder / os.path.expanduser(argument)
        digests.append(str(sha256_of([file])) if _is_file(file) else argument)
    return digests


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _card(hello: Hello, files: list[str]) -> ModelCard:
    decides: Mapping[str, Any] = {
        "command": files,
        "hello": {
            name: value
            for name, value in hello.said.items()
            if name not in _NOT_OF_THE_NUMBERS
        },
    }
    written = json.dumps(decides, sort_keys=True).encode()
    return ModelCard(
        source=hello.source or "command",
        sha256=hello.weights_sha256,
        licence=hello.licence,
        input_size=hello.size,
        context_length=hello.context_length,
        inputs_sha256=hashlib.sha256(written).hexdigest(),
    )
