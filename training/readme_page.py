"""Writes the sample output of the README, from a run of the suite that `init` copies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from training.contact_sheet import replace_part

ROOT = Path(__file__).parent.parent
FIRST, LAST = "retrieval robustness", "RELEASE GATE: "
"""What the first and the last line of the summary hold."""


def main() -> None:
    """Run the suite in an empty folder and put its summary into `README.md`."""
    with tempfile.TemporaryDirectory() as folder:
        replace_part(
            ROOT / "README.md",
            "sample",
            f"```text\n{summary_of_a_run(Path(folder))}\n```",
        )


def summary_of_a_run(folder: Path) -> str:
    """What `pytest gate/` prints of the embedded encoders, without pytest's own lines."""
    python = [sys.executable, "-m"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "80",
    }
    made = [*python, "pytest_retrieval_robust", "init", "gate"]
    subprocess.run(made, cwd=folder, env=environment, check=True, capture_output=True)
    run = [*python, "pytest", "gate", "-p", "no:cacheprovider", "-p", "no:randomly"]
    found = subprocess.run(
        run, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    lines = found.stdout.splitlines()
    first = next(
        number
        for number, line in enumerate(lines)
        if FIRST in line and line.startswith("=")
    )
    last = next(number for number, line in enumerate(lines) if line.startswith(LAST))
    return "\n".join(line.rstrip() for line in lines[first : last + 1])


if __name__ == "__main__":
    main()
