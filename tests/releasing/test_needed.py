"""The bill of materials: what is needed, and nothing that is only installed beside it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from releasing.bill import NAME, bill_of, narrowed, without_links
from releasing.needed import needed
from releasing.source import ReleaseError

Installed = dict[str, list[str]]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install packages that have metadata alone, as name -> requirements."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(packages: Installed) -> None:
        for name, requirements in packages.items():
            folder = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
            folder.mkdir()
            lines = [f"Requires-Dist: {requirement}" for requirement in requirements]
            text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1"])
            (folder / "METADATA").write_text("\n".join([text, *lines, ""]))

    return installed


def test_what_is_needed_of_needed_ones_is_needed(install: Any) -> None:
    install({"rr-a": ["rr-b>=1"], "rr-b": ["rr-c"], "rr-c": [], "rr-beside": []})
    assert needed("rr-a") == {"rr-a": ["rr-b"], "rr-b": ["rr-c"], "rr-c": []}


def test_an_extra_counts_where_it_is_asked_for(install: Any) -> None:
    tool = "rr-tool; extra == 'dev'"
    fast = "rr-fast; extra == 'fast'"
    install(
        {
            "rr-a": ["rr-b[fast]", tool],
            "rr-b": [fast, tool],
            "rr-fast": [],
            "rr-tool": [],
        }
    )
    assert needed("rr-a") == {"rr-a": ["rr-b"], "rr-b": ["rr-fast"], "rr-fast": []}


def test_a_marker_of_another_machine_does_not_count(install: Any) -> None:
    install({"rr-a": ["rr-none; python_version < '3'", "rr-b; python_version > '3'"]})
    install({"rr-b": []})
    assert needed("RR_A") == {"rr-a": ["rr-b"], "rr-b": []}


def test_a_circle_and_an_extra_of_its_own_end(install: Any) -> None:
    own = ["rr-a[x]; extra == 'all'", "rr-b; extra == 'x'"]
    install({"rr-a": own, "rr-b": ["rr-a[all]"]})
    assert needed("rr-b") == {"rr-a": ["rr-b"], "rr-b": ["rr-a"]}


def test_a_library_that_is_missing_is_an_error(install: Any) -> None:
    install({"rr-a": ["rr-missing"]})
    with pytest.raises(PackageNotFoundError, match="rr-missing"):
        needed("rr-a")


def bill(*names: str) -> dict[str, Any]:
    return {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": name, "bom-ref": f"{name}==1"} for name in names],
        "dependencies": [],
    }


def test_a_bill_is_narrowed_to_what_is_needed() -> None:
    small = narrowed(
        bill("Torch_Like", "tool", "deep"),
        {NAME: ["torch-like"], "torch-like": ["deep"], "deep": []},
    )
    assert [part["name"] for part in small["components"]] == ["Torch_Like", "deep"]
    assert {part["ref"]: part["dependsOn"] for part in small["dependencies"]} == {
        "root": ["Torch_Like==1"],
        "Torch_Like==1": ["deep==1"],
        "deep==1": [],
    }


def test_a_bill_that_lacks_a_library_is_refused() -> None:
    with pytest.raises(ReleaseError, match="none of deep"):
        narrowed(bill("tool"), {NAME: ["deep"], "deep": []})


def test_links_go_at_every_depth() -> None:
    links = [{"url": "somewhere"}]
    part = {"a": [{"externalReferences": links, "name": "b"}], "externalReferences": 1}
    assert without_links(part) == {"a": [{"name": "b"}]}


def test_an_environment_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"environment='.*python'.*make gate"):
        bill_of(tmp_path / "p-1.whl", tmp_path / "python", tmp_path / "pyproject.toml")
