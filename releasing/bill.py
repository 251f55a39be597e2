"""The bill of materials (CycloneDX 1.6) of a wheel: what is in it, and what it was tested with.

cyclonedx-py lists an environment. Of its list stay the libraries that the wheel needs, with
all that these need; tools of development go. The embedded encoders are added.
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
NAME = "pytest-retrieval-robust"
WEIGHTS = "pytest_retrieval_robust/models/weights/"
LICENCE_OF_WEIGHTS = "Apache-2.0"


def bill_of(wheel: Path, python: Path, pyproject: Path) -> str:
    """The bill of a wheel, as JSON.

    `python` is that of an environment in which the wheel's package is installed. Raises
    `ReleaseError` if it is not, or asks for other libraries there, and if the bill is
    invalid.
    """
    needs = _needs(python)
    with zipfile.ZipFile(wheel) as archive:
        metadata = metadata_of(archive)
        encoders = encoders_in(archive, metadata["Version"])
    _require_same(needs[NAME], required_names(metadata))
    listed = _listed(python, pyproject)
    root = listed["metadata"]["component"]
    root["type"] = "library"
    root["purl"] = f"pkg:pypi/{metadata['Name']}@{metadata['Version']}"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    root["hashes"] = [{"alg": "SHA-256", "content": digest}]
    root["components"] = encoders
    bill = narrowed(listed, needs)
    text = json.dumps(without_links(bill), indent=1, sort_keys=True) + "\n"
    _require_valid(text)
    return text


def _needs(python: Path) -> dict[str, list[str]]:
    """What each library that the package needs itself needs, as `needed.needed` says."""
    script = Path(__file__).with_name("needed.py")
    if not python.exists():
        raise ReleaseError(
            f"Expected the Python of an environment, got environment={str(python)!r},"
            " which does not exist. Run `make gate` to make one."
        )
    done = subprocess.run(
        [str(python), str(script), NAME], capture_output=True, text=True, check=False
    )
    if done.returncode:
        problem = done.stderr.strip().rpartition("\n")[2]
        raise ReleaseError(
            f"Expected an environment in which {NAME} is installed, got {python}:"
            f" {problem} Run `make gate` to make one."
        )
    needs: dict[str, list[str]] = json.loads(done.stdout)
    return needs


def _require_same(installed: Iterable[str], required: Iterable[str]) -> None:
    """The environment may have been made for another version of the package."""
    different = sorted(set(installed) ^ set(required))
    if different:
        raise ReleaseError(
            "Expected an environment whose package needs what the wheel needs, got a"
            f" difference in {', '.join(different)}. Run `make clean` and `make gate`."
        )


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


def narrowed(bill: Bill, needs: Mapping[str, list[str]]) -> Bill:
    """The bill with the package and what it needs alone, by canonical names.

    Raises `ReleaseError` if the bill lacks a library.
    """
    from packaging.utils import canonicalize_name

    reference: dict[str, str] = {
        canonicalize_name(part["name"]): part["bom-ref"] for part in bill["components"]
    }
    reference[NAME] = bill["metadata"]["component"]["bom-ref"]
    missing = sorted(set(needs) - set(reference))
    if missing:
        raise ReleaseError(
            "Expected a bill with every library that the wheel needs, got none of"
            f" {', '.join(missing)}. Another version of cyclonedx-bom may name them"
            " otherwise."
        )
    kept = {reference[name] for name in needs}
    components = [part for part in bill["components"] if part["bom-ref"] in kept]
    dependencies: list[Bill] = []
    for name, names in sorted(needs.items()):
        others = sorted(reference[other] for other in names)
        dependencies.append({"ref": reference[name], "dependsOn": others})
    return {**bill, "components": components, "dependencies": dependencies}


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
