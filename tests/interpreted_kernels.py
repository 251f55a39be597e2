"""Triton's kernels on the processor, run by its interpreter in a fork of this process."""

from __future__ import annotations

import os
from pathlib import Path

from . import forked_commands
from .forked_commands import Ended

ROOT = Path(__file__).parents[1]
# Triton chooses between compiler and interpreter when it is imported, so its modules and
# those with kernels are imported once more. Its library of C++ cannot be.
AGAIN = """
import runpy, sys, warnings
for name in list(sys.modules):
    package = name.partition(".")[0]
    is_ours = package in ("pytest_retrieval_robust", "tests")
    if is_ours or (package == "triton" and not name.startswith("triton._C")):
        del sys.modules[name]
warnings.simplefilter("error")
runpy.run_module(sys.argv[1], run_name="__main__")
"""


def run(module: str, folder: Path) -> Ended:
    """What `TRITON_INTERPRET=1 python -W error -m MODULE` does; a folder for its cache."""
    chosen = {"TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(folder)}
    command = ["python", "-c", AGAIN, module]
    return forked_commands.run(command, ROOT, {**os.environ, **chosen})
