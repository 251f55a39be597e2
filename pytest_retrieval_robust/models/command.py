"""`loader = "command"`: a model that a process of the user's own serves, as a catalogue entry."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import NotOnThisMachineError
from . import DualEncoder, LoadRequest, ModelEntry, Prepared
from ._files.attempt import shown_path

if TYPE_CHECKING:
    from PIL.Image import Image

LOADER = "command"
DEFAULT_TIMEOUT = 600.0
"""Seconds that the start, and each answer, may take."""
HELPER = Path(__file__).parent / "_formats" / "command" / "serve.py"
"""Their side of the protocol: a file to be copied."""


def command_entry(
    name: str,
    arguments: tuple[str, ...],
    folder: Path,
    timeout: float,
    prepare: Callable[[Image], Prepared] | None = None,
) -> ModelEntry:
    """The entry of a command; relative paths in it lead from `folder`.

    `prepare` replaces the way to prepare images that the command asks for.
    """

    def load(request: LoadRequest) -> DualEncoder:
        from ._formats.command import load_command
        from ._formats.command.process import Command

        reason = missing(request)
        # For callers that did not call `missing` first.
        if reason is not None:
            raise NotOnThisMachineError.because(reason)
        command = Command(arguments, folder, timeout)
        return load_command(name, command, request, prepare)

    def missing(_: LoadRequest) -> str | None:
        return _missing_program(name, arguments[0], folder)

    return ModelEntry(
        name,
        f"the encoder that {shown_path(arguments[-1])} serves",
        load,
        missing,
        fetchable=False,
    )


def _missing_program(name: str, program: str, folder: Path) -> str | None:
    """The sentence for a program that is not there or may not be run, or None."""
    expanded = os.path.expanduser(program)
    if os.sep in expanded:
        expanded = str(folder / expanded)
    if shutil.which(expanded) is not None:
        return None
    problem = "is not there"
    if os.path.exists(expanded):
        problem = "may not be executed"
    return (
        f"the command of {name} begins with a program that {problem}:"
        f" {shown_path(program)}; fix command in [models.{name}], whose relative paths"
        " lead from the folder of its file"
    )
