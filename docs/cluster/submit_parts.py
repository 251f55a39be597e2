"""Encodes what a suite needs on a cluster, and then judges it: `python submit_parts.py`.

submitit starts the parts as an array on Slurm, and as processes where there is no Slurm.
What follows the script's options is what pytest is given for the suite.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass

import submitit
from submitit.helpers import DelayedSubmission


@dataclass
class Command:
    """A command as a job, begun again after a preemption or a time limit."""

    words: list[str]

    def __call__(self) -> None:
        subprocess.run([sys.executable, "-m", *self.words], check=True)

    def checkpoint(self) -> DelayedSubmission:
        # The embedding store keeps what was done.
        return DelayedSubmission(self)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--cluster", choices=("slurm", "local"))
    parser.add_argument("--gpus", type=int, default=1, help="per part")
    parser.add_argument("--minutes", type=int, default=240, help="per part")
    parsed, suite = parser.parse_known_args()
    executor = submitit.AutoExecutor("submitit-logs", cluster=parsed.cluster)
    executor.update_parameters(
        timeout_min=parsed.minutes, gpus_per_node=parsed.gpus, cpus_per_task=8
    )
    encode = ["pytest_retrieval_robust", "encode", *suite, "--steal"]
    # One array of jobs.
    with executor.batch():
        jobs = [
            executor.submit(Command([*encode, f"--part={number}/{parsed.parts}"]))
            for number in range(1, parsed.parts + 1)
        ]
    for job in jobs:
        job.result()
    judging = executor.submit(Command(["pytest", *suite, "--robust-results=results"]))
    judging.wait()
    print(judging.stdout())
    # Raises where a gate is not met.
    judging.result()


if __name__ == "__main__":
    main()
