"""Loading checkpoints of the published sizes: peak memory over the weights, and time
over torch.load plus building.

    python -m benchmarks.loading [VARIANT ...]

Each measurement is a process of its own. The two sides take turns, and each figure is
the least of the rounds. The reference is the plain way: `torch.load` of the file, and
the network built with its random weights, which are not even filled. Ours also hashes
the file, checks every key, and opens the tokenizer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.models import published

_ROUNDS = 3
_COMMON = """
import json, resource, sys, time, torch, transformers, open_clip, torchvision
from pytest_retrieval_robust.models._formats import cxr_clip, medclip, openai_clip
from pytest_retrieval_robust import load_model

file, name, tokenizer = sys.argv[1:]

def resident():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024

# Libraries are imported: forget the peak so far.
open("/proc/self/clear_refs", "w").write("5")
before = resident()
start = time.perf_counter()
{}
print(json.dumps([time.perf_counter() - start, resident() - before]))
"""
_OURS = """
options = {} if name == "cxr-repair" else {"tokenizer": tokenizer}
model = load_model(name, checkpoint=file, device="cpu", **options)
"""
_PLAIN = """
content = torch.load(file, map_location="cpu", weights_only=True)
recipes = {
    "medclip": medclip.MEDCLIP,
    "cxr-clip": cxr_clip.CXR_CLIP,
    "cxr-repair": openai_clip.CXR_REPAIR,
}
recipe = recipes[name]
network = recipe.network(recipe.tensors(content))
"""
_NAMES = {"medclip": "medclip", "cxrclip": "cxr-clip", "cxr": "cxr-repair"}


def main() -> None:
    variants = sys.argv[1:] or published.VARIANTS
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            file = published.save(variant, Path(folder))
            tokenizer = published.save_tokenizer(Path(folder) / "tokenizer")
            arguments = [str(file), _NAMES[variant.partition("_")[0]], str(tokenizer)]
            ours = []
            plain = []
            # In turns, so that a busy machine slows both sides alike.
            for _ in range(_ROUNDS):
                ours.append(_measured(_OURS, arguments))
                plain.append(_measured(_PLAIN, arguments))
            _print(variant, file.stat().st_size, least(ours), least(plain))


@dataclass(frozen=True)
class Cost:
    """What a load took: seconds, and the bytes by which memory grew at its peak."""

    seconds: float
    peak: int


def least(costs: list[Cost]) -> Cost:
    """The least seconds and the least peak of several rounds."""
    return Cost(min(cost.seconds for cost in costs), min(cost.peak for cost in costs))


def _measured(body: str, arguments: list[str]) -> Cost:
    command = [sys.executable, "-c", _COMMON.format(body), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return Cost(seconds, peak)


def _print(variant: str, size: int, ours: Cost, plain: Cost) -> None:
    print(
        f"{variant}: {size / 1e6:.0f} MB; peak {ours.peak / size:.2f}x the weights"
        f" (plain {plain.peak / size:.2f}x); {ours.seconds:.2f} s against"
        f" {plain.seconds:.2f} s, {ours.seconds / plain.seconds:.2f}x",
        flush=True,
    )


if __name__ == "__main__":
    main()
