"""The drift gate of a ViT-B/32 with random weights on a processor: how much of its process
is ours, beside importing the libraries and loading the model.

    python -m benchmarks.drift [ROUNDS]

Each round is two processes: one imports, loads and takes the fingerprint, one is the
whole gate, `pytest -k drift`. Each figure is the least of the rounds, in seconds that
passed and in seconds of the processor, which a busy machine lengthens less.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypeAlias

from pytest_retrieval_robust.run.commands.init import copy_suite

_ROUNDS = 3
_ARCHITECTURE = "ViT-B-32"
_POLICY = f"""
[models.candidate]
loader = "open_clip"
architecture = "{_ARCHITECTURE}"
checkpoint = "candidate.pt"

[[gate]]
model = "candidate"
drift = {{ max = 1e-3 }}
"""
_MAKE = f"""
import sys, torch, open_clip
torch.manual_seed(0)
torch.save(open_clip.create_model("{_ARCHITECTURE}").state_dict(), sys.argv[1])
"""
_TIMED = f"""
import json, sys, time

def now():
    return time.perf_counter(), time.process_time()

def since(start):
    return [after - before for before, after in zip(start, now())]

start = now()
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models.own_checkpoint import own_entry
options = {{"architecture": "{_ARCHITECTURE}"}}
entry = own_entry("candidate", "open_clip", sys.argv[1], None, options, [])
model = entry.load(LoadRequest(device="cpu"))
figures = {{"load": since(start)}}
start = now()
from pytest_retrieval_robust.measure.drift.taking import fingerprint_of
fingerprint_of(model)
figures["ours"] = since(start)
start = now()
from pytest_retrieval_robust.measure.drift.weights import weights_of
weights_of(model)
figures["weights"] = since(start)
print(json.dumps(figures))
"""
Seconds: TypeAlias = tuple[float, float]
"""Those that passed, and those of the processor."""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        gate = Path(folder) / "gate"
        copy_suite(gate)
        (gate / "robust.toml").write_text(_POLICY)
        checkpoint = gate / "candidate.pt"
        _run(["-c", _MAKE, str(checkpoint)])
        here = ["--tests", str(gate), "--device", "cpu"]
        _run(["-m", "pytest_retrieval_robust", "fingerprint", "candidate", *here])
        figures: dict[str, list[Seconds]] = {}
        for _ in range(rounds):
            printed = _run(["-c", _TIMED, str(checkpoint)])
            for name, seconds in json.loads(printed.splitlines()[-1]).items():
                figures.setdefault(name, []).append(tuple(seconds))
            command = ["-m", "pytest", str(gate), "-k", "drift"]
            figures.setdefault("whole", []).append(_timed(command))
    least = {name: _least(seconds) for name, seconds in figures.items()}
    for name, (passed, used) in least.items():
        print(f"{name:8} {passed:6.2f} s, {used:6.2f} s of the processor")
    ratio = least["ours"][1] / least["load"][1]
    print(
        f"{_ARCHITECTURE}: the fingerprint takes {ratio:.2f}x importing and loading; load"
        f" average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )


def _least(seconds: list[Seconds]) -> Seconds:
    passed, used = zip(*seconds, strict=True)
    return min(passed), min(used)


def _timed(command: list[str]) -> Seconds:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    _run(command)
    passed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return passed, used


def _run(arguments: list[str]) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
