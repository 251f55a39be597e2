"""A Ray cluster: started on this machine, or one that runs already. Nothing else imports Ray.

Ray is told to send no usage statistics, to start no dashboard, and to print nothing of
what actors print.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ...core.device import usable_cores
from ...core.errors import RobustError
from .actor import EncodingActor
from .layout import Layout, Node
from .messages import Launch

_ANSWER_SECONDS = 10.0
"""In which a cluster has to accept a connection."""
_JOIN_SECONDS = 90.0
"""In which a cluster has to let a process join it."""


class Cluster:
    """A connection to a cluster. One that was started for it ends with it.

    Raises `RobustError` for an address at which no cluster answers.
    """

    def __init__(self, address: str | None) -> None:
        # Read by Ray when it starts.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self._ray: Any = ray
        self._is_own = not ray.is_initialized()
        """A test, or a conftest, may have begun already."""
        if self._is_own:
            _begin(ray, address)

    def nodes(self) -> list[Node]:
        """What each node has, those that are busy included."""
        return [
            Node(
                int(node["Resources"].get("CPU", 0)),
                int(node["Resources"].get("GPU", 0)),
            )
            for node in self._ray.nodes()
            if node["Alive"]
        ]

    def actor(self, layout: Layout, launch: Launch) -> Any:
        """A new actor, which begins once there is room for it."""
        kind = self._ray.remote(EncodingActor).options(
            num_cpus=layout.cores,
            num_gpus=layout.gpus,
            # Another actor takes the place of one that is gone: it has to be told anew
            # what to do.
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        return kind.remote(launch)

    def put(self, value: object) -> Any:
        """A reference to a value that several actors will ask for."""
        return self._ray.put(value)

    def wait(self, references: Sequence[Any], seconds: float) -> list[Any]:
        """Those that are there; waits for the first, but no longer than `seconds`."""
        if not references:
            return []
        ready, _ = self._ray.wait(
            list(references), num_returns=1, timeout=seconds, fetch_local=False
        )
        return list(ready)

    def value(self, reference: Any) -> Any:
        """The value of a reference that is there. Raises `ActorLostError`."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            lost = ActorLostError(type(error).__name__, _last_line(error))
        raise lost

    def kill(self, actor: Any) -> None:
        self._ray.kill(actor)

    def close(self) -> None:
        if self._is_own:
            self._ray.shutdown()


class ActorLostError(Exception):
    """An actor does not answer any more; the text is the class of Ray's error.

    Attributes:
        detail: The last line of that error. It may quote what the actor had at hand, so
            that it may be shown only of an actor that had nothing yet.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind)
        self.detail = detail


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _begin(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        _begin_here(ray, quiet)
        return
    _require_answer(address)
    _or_error(address, lambda: ray.init(address=address, **quiet))


def _begin_here(ray: Any, quiet: dict[str, Any]) -> None:
    """Start a cluster on this machine."""
    try:
        ray.init(
            address="local",
            num_cpus=usable_cores(),
            include_dashboard=False,
            **quiet,
        )
    except Exception as error:
        reason = type(error).__name__
    else:
        return
    raise RobustError(
        f"Expected Ray to start on this machine, got {reason}. Its folder has to be"
        " writable and its path short: RAY_TMPDIR names another one than the temporary"
        " folder. See whether `ray start --head` works."
    )


def _require_answer(address: str) -> None:
    """Raise `RobustError` unless a cluster lets a process join it in bounded time.

    Ray itself may wait for minutes, and may end the process that waits.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        except (OSError, OverflowError) as error:
            reason = type(error).__name__
        else:
            reason = ""
        if reason:
            raise _no_answer(address, reason)
    code = (
        "import logging, ray;"
        f" ray.init({address!r}, log_to_driver=False, logging_level=logging.FATAL)"
    )
    try:
        joined = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            timeout=_JOIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _no_answer(address, f"no answer in {_JOIN_SECONDS:g} s") from None
    if joined.returncode:
        said = joined.stderr.decode(errors="replace").strip().splitlines()
        raise _no_answer(address, said[-1] if said else f"exit {joined.returncode}")


def _or_error(address: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:
        reason = type(error).__name__
    else:
        return
    raise _no_answer(address, reason)


def _no_answer(address: str, reason: str) -> RobustError:
    return RobustError(
        f"Expected a Ray cluster at --robust-ray-address={address!r}, got: {reason}."
        " Start one (`ray start --head`), with the Ray and Python versions and the"
        " RAY_AUTH_MODE of this process, or leave the option out for one on this"
        " machine."
    )
