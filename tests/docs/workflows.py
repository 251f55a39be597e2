"""The workflows of the pages: their steps, and what linters object to."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Linter = Callable[[Path], str]


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def steps(workflow: Path) -> list[dict[str, Any]]:
    """All steps of all jobs."""
    return [
        step
        for job in loaded(workflow.read_text())["jobs"].values()
        for step in job["steps"]
    ]


def step(workflow: Path, name: str) -> dict[str, Any]:
    (found,) = (one for one in steps(workflow) if one["name"] == name)
    return found


def tool(name: str, *arguments: str | Path) -> str:
    """What a tool of this environment objects to: "" where it exits 0."""
    command = [str(Path(sysconfig.get_path("scripts"), name)), *map(str, arguments)]
    environment = {
        name: text for name, text in os.environ.items() if "TOKEN" not in name
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False
    )
    return (
        ""
        if done.returncode == 0
        else (done.stdout + done.stderr or f"exit {done.returncode}")
    )


def schema(name: str) -> Linter:
    return lambda path: tool("check-jsonschema", "--builtin-schema", name, path)


def zizmor(path: Path) -> str:
    return tool(
        "zizmor",
        "--offline",
        "--no-config",
        "--no-progress",
        "--strict-collection",
        "--persona",
        "auditor",
        path,
    )


def scripts(path: Path) -> Iterator[str]:
    yield from (step["run"] for step in steps(path) if "run" in step)


def shellcheck(path: Path) -> str:
    objections = []
    for number, script in enumerate(scripts(path)):
        file = path.with_name(f"{path.stem}-{number}.sh")
        file.write_text(script)
        objections.append(tool("shellcheck", "--norc", "--shell=bash", file))
    return "".join(objections)


def bash_syntax(path: Path) -> str:
    done = [
        subprocess.run(
            ["bash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        for script in scripts(path)
    ]
    return "".join(
        one.stderr or f"exit {one.returncode}" for one in done if one.returncode
    )


LINTERS: Mapping[str, Linter] = {
    "zizmor": zizmor,
    "schema": schema("vendor.github-workflows"),
    "timeouts": schema("custom.github-workflows-require-timeout"),
    "shellcheck": shellcheck,
    "bash -n": bash_syntax,
}
