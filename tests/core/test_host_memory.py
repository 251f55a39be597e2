"""How much memory is free, from the files in which Linux says so."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pytest_retrieval_robust.core import host_memory
from pytest_retrieval_robust.core.device import SLOT_VARIABLE
from pytest_retrieval_robust.core.host_memory import free_bytes, is_comfortable

MEMINFO = "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:  4000 kB\n"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/meminfo": "nonsense"}, None),
        ({"proc/meminfo": MEMINFO}, 4000 * 1024),
        # A container of which this process sees the inside.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "1000000\n",
                "sys/fs/cgroup/memory.current": "900000\n",
                "sys/fs/cgroup/memory.stat": "anon 5\ninactive_file 300000\n",
            },
            400_000,
        ),
        # The group above is the narrow one, and usage may be above a lowered limit.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/step/memory.max": "max\n",
                "sys/fs/cgroup/job/step/memory.current": "70\n",
                "sys/fs/cgroup/job/memory.max": "50\n",
                "sys/fs/cgroup/job/memory.current": "70\n",
            },
            0,
        ),
        # Version 1.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "5:cpu:/\n4:memory,hugetlb:/docker/a:b\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000\n",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 10\n",
            },
            4010,
        ),
    ],
)
def test_the_narrowest_limit_counts(
    files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    assert free_bytes(machine(tmp_path, files)) == expected


def test_a_limit_of_the_process_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"proc/meminfo": MEMINFO, "proc/self/status": "VmData:  100 kB\n"}
    root = machine(tmp_path, files)

    def limits(kind: int) -> tuple[int, int]:
        most = 150 * 1024 if kind == resource.RLIMIT_DATA else resource.RLIM_INFINITY
        return most, most

    monkeypatch.setattr(resource, "getrlimit", limits)
    assert free_bytes(root) == 50 * 1024


def test_workers_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_memory, "free_bytes", lambda: 1000)
    assert is_comfortable(250)
    assert not is_comfortable(251)
    monkeypatch.setenv(SLOT_VARIABLE, "1/5")
    assert is_comfortable(50)
    assert not is_comfortable(51)
    monkeypatch.setattr(host_memory, "free_bytes", lambda: None)
    assert is_comfortable(2**60)


def test_this_machine_says_something() -> None:
    free = free_bytes()
    assert free is None or free > 0
