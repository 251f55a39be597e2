"""How workers of pytest-xdist tell their controller of their sweeps: through small files."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ...core.atomic_files import whole_file
from ...core.progress import Progress

WORKER_SECONDS = 1.0
"""The least time between two words of a worker."""
_FILES = "progress-*.json"
_SENTENCE = "said.txt"


class WorkerProgress:
    """Writes down how far the sweep of a worker has come."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._file = _file_of(folder, worker)
        self._sentence = folder / _SENTENCE
        self._latest = float("-inf")

    def tell(self, progress: Progress) -> None:
        """Called by a sweep after each batch; its end is always written."""
        now = time.monotonic()
        is_early = now - self._latest < WORKER_SECONDS
        if is_early and progress.done < progress.total:
            return
        self._latest = now
        with suppress(OSError), whole_file(self._file) as part:
            part.write_text(json.dumps(asdict(progress)), encoding="utf-8")

    def say(self, sentence: str) -> None:
        """Have the controller show a sentence. Workers say the same: the last one stays."""
        with suppress(OSError), whole_file(self._sentence) as part:
            part.write_text(sentence, encoding="utf-8")


def forget_worker(folder: Path, worker: str) -> None:
    """Remove what a worker wrote: nothing more is shown of it."""
    with suppress(OSError):
        _file_of(folder, worker).unlink(missing_ok=True)


def read_progress(folder: Path) -> list[Progress]:
    """The sweeps that workers last told of, in the workers' order."""
    sweeps = []
    for file in sorted(folder.glob(_FILES)):
        with suppress(OSError, ValueError, TypeError):
            fields = json.loads(file.read_text(encoding="utf-8"))
            sweeps.append(Progress(**fields))
    return sweeps


def read_sentence(folder: Path) -> str | None:
    """What a worker had to say; None as long as none had."""
    try:
        return (folder / _SENTENCE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _file_of(folder: Path, worker: str) -> Path:
    return folder / f"progress-{worker}.json"
