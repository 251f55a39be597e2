"""The bill of materials (CycloneDX 1.6) of a wheel: what is in it, and what it was tested with.

cyclonedx-py lists an environment. Of its list stay the libraries that the wheel asks for,
with all that these ask for; tools of development go. The embedded encoders are added.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Any

from .source import ReleaseError

Bill = dict[str, Any]
"""A bill of materials, or a part of one, as JSON."""
WEIGHTS = "pytest_retrieval_robust/models/weights/"
LICENCE_OF_WEIGHTS = "Apache-2.0"


def bill_of(wheel: Path, python: Path, pyproject: Path) -> str:
    """The bill of a wheel, as JSON.

    `python` is that of an environment in which the wheel's libraries are installed.
    Raises `ReleaseError` if one of them is missing there, or if the bill is invalid.
    """
    listed = _listed(python, pyproject)
    with zipfile.ZipFile(wheel) as archive:
        metadata = metadata_of(archive)
        encoders = encoders_in(archive, metadata["Version"])
    root = listed["metadata"]["component"]
    root["type"] = "library"
    root["purl"] = f"pkg:pypi/{metadata['Name']}@{metadata['Version']}"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    root["hashes"] = [{"alg": "SHA-256", "content": digest}]
    root["components"] = encoders
    bill = narrowed(listed, required_names(metadata))
    text = json.dumps(without_links(bill), indent=1, sort_keys=True) + "\n"
    _require_valid(text)
    return text


def _listed(python: Path, pyproject: Path) -> Bill:
    """What cyclonedx-py says of an environment."""
    tool = Path(sys.executable).parent / "cyclonedx-py"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "listed.json")
        # As absolute as typed: what a link of the environment leads to has no libraries.
        words = [str(tool), "environment", str(python.absolute()), "--of", "JSON"]
        words += ["--output-reproducible", "--pyproject", str(pyproject)]
        if subprocess.run([*words, "-o", str(file)], check=False).returncode:
            raise ReleaseError(
                f"Expected an environment that cyclonedx-py lists, got {python}, and"
                " what it says above. Run `make gate` to make one."
            )
        listed: Bill = json.loads(file.read_text(encoding="utf-8"))
    return listed


def metadata_of(wheel: zipfile.ZipFile) -> Message:
    """The core metadata of a wheel."""
    (name,) = (
        name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")
    )
    return message_from_bytes(wheel.read(name))


def required_names(metadata: Message) -> frozenset[str]:
    """The canonical names of the libraries that are always needed, by this Python."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    requirements = map(Requirement, metadata.get_all("Requires-Dist", []))
    return frozenset(
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    )


def encoders_in(wheel: zipfile.ZipFile, version: str) -> list[Bill]:
    """The embedded encoders as components, with the hashes of their weights."""
    encoders: list[Bill] = []
    for name in sorted(wheel.namelist()):
        path = PurePosixPath(name)
        if name.startswith(WEIGHTS) and path.suffix == ".safetensors":
            digest = hashlib.sha256(wheel.read(name)).hexdigest()
            encoders.append(
                {
                    "type": "machine-learning-model",
                    "bom-ref": f"encoder:{path.parent.name}",
                    "name": path.parent.name,
                    "version": version,
                    "licenses": [{"license": {"id": LICENCE_OF_WEIGHTS}}],
                    "hashes": [{"alg": "SHA-256", "content": digest}],
                }
            )
    return encoders


def narrowed(bill: Bill, required: Iterable[str]) -> Bill:
    """The bill with the required libraries, and all that they need, alone.

    Raises `ReleaseError` if the environment lacks a required one.
    """
    from packaging.utils import canonicalize_name

    root = bill["metadata"]["component"]["bom-ref"]
    needs: dict[str, list[str]] = {
        entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]
    }
    reference = {
        canonicalize_name(component["name"]): component["bom-ref"]
        for component in bill["components"]
    }
    missing = sorted(set(required) - set(reference))
    if missing:
        raise ReleaseError(
            "Expected an environment with every library that the wheel needs, got none"
            f" of {', '.join(missing)}. Run `make gate` to make one."
        )
    needs[root] = sorted(reference[name] for name in required)
    kept = reached(root, needs)
    components = [part for part in bill["components"] if part["bom-ref"] in kept]
    dependencies = [
        {"ref": name, "dependsOn": needs[name]} if needs.get(name) else {"ref": name}
        for name in sorted(kept)
    ]
    return {**bill, "components": components, "dependencies": dependencies}


def reached(start: str, needs: Mapping[str, list[str]]) -> set[str]:
    """`start` and all that it needs, directly or not."""
    kept: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += needs.get(name, [])
    return kept


def without_links(part: Any) -> Any:
    """The same without links to elsewhere: homepages, registries, chats."""
    if isinstance(part, list):
        return [without_links(each) for each in part]
    if isinstance(part, dict):
        return {
            key: without_links(value)
            for key, value in part.items()
            if key != "externalReferences"
        }
    return part


def _require_valid(text: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ReleaseError(
            f"Expected a bill of materials that fits CycloneDX 1.6, got {problem}."
            " Another version of cyclonedx-bom may have changed its form."
        )
