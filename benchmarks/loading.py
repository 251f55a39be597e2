"""Loading checkpoints of the published sizes: peak memory over the weights, and time
over torch.load plus building.

    python -m benchmarks.loading [VARIANT ...]

Each measurement is a process of its own, the two sides in turn, the least of the
rounds. The reference is the plain way: `torch.load` of the file, and the network built
with its random weights; it is not even filled. Ours also hashes the file, checks every
key, and opens the tokenizer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
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
open("/proc/self/clear_refs", "w").write("5")
before, start = resident(), time.perf_counter()
{}
print(json.dumps([time.perf_counter() - start, resident() - before]))
"""
_OURS = """
options = {} if name == "cxr-repair" else {"tokenizer": tokenizer}
model = load_model(name, checkpoint=file, device="cpu", **options)
"""
_PLAIN = """
content = torch.load(file, map_location="cpu", weights_only=True)
recipe = {"medclip": medclip.MEDCLIP, "cxr-clip": cxr_clip.CXR_CLIP, "cxr-repair": openai_clip.CXR_REPAIR}[name]
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
            rounds = [
                (_measured(_OURS, arguments), _measured(_PLAIN, arguments))
                for _ in range(_ROUNDS)
            ]
            _print(variant, file.stat().st_size, rounds)


def _measured(body: str, arguments: list[str]) -> tuple[float, int]:
    command = [sys.executable, "-c", _COMMON.format(body), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def _print(
    variant: str, size: int, rounds: list[tuple[tuple[float, int], tuple[float, int]]]
) -> None:
    ours, plain = (min(side[which][0] for side in rounds) for which in (0, 1))
    peak, plain_peak = (min(side[which][1] for side in rounds) for which in (0, 1))
    print(
        f"{variant}: {size / 1e6:.0f} MB; peak {peak / size:.2f}x the weights (plain"
        f" {plain_peak / size:.2f}x); {ours:.2f} s against {plain:.2f} s,"
        f" {ours / plain:.2f}x",
        flush=True,
    )


if __name__ == "__main__":
    main()
