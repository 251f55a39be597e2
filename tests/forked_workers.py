"""Workers of pytest-xdist that are forked instead of started: real processes and messages,
without the nine seconds in which a new one imports torch and transformers.

`run/xdist/test_workers.py` starts some, too.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import torch
from execnet.gateway_base import Popen2IO


class ForkedIO(Popen2IO):
    """In place of execnet's `Popen2IOMaster`: the pipes to a worker, and its process."""

    remoteaddress: str

    def __init__(self, args: list[str], execmodel: Any) -> None:
        assert args[0] == sys.executable
        for_worker, to_worker = os.pipe()
        from_worker, for_us = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            _serve(for_worker, for_us, (to_worker, from_worker))
        os.close(for_worker)
        os.close(for_us)
        writer, reader = os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb")
        super().__init__(writer, reader, execmodel=execmodel)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])

    def kill(self) -> None:
        os.kill(self._process, signal.SIGKILL)


def _serve(stdin: int, stdout: int, others: tuple[int, int]) -> None:
    """What `python -c` with execnet's line does, and then nothing else of this process."""
    status = 1
    try:
        for descriptor in others:
            os.close(descriptor)
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        sys.stdin, sys.stdout = (
            os.fdopen(0, closefd=False),
            os.fdopen(1, "w", closefd=False),
        )
        # A fork has none of the threads by which OpenMP would share work out. (Nor that of
        # pytest's `faulthandler_timeout`, with which a failing test would wait for ever.)
        torch.set_num_threads(1)
        exec(eval(sys.stdin.readline()), {"__name__": "__main__"})
        status = 0
    finally:
        os._exit(status)
