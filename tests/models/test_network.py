"""A hub that cannot be reached is asked once; messages advise what can help."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import open_clip
import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import NotOnThisMachineError
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models._files import network
from pytest_retrieval_robust.models._files.plain_files import PlainFile, missing_file

from .hub_cache import use_only_hub_cache

ENDPOINT = "http://127.0.0.1:9"
NEEDS_SIGLIP_2 = pytest.mark.skipif(
    "ViT-B-16-SigLIP2" not in open_clip.list_models(),
    reason="this open_clip does not know SigLIP 2",
)
SIGLIP_2 = pytest.param("siglip2", marks=NEEDS_SIGLIP_2)
NAMES = ("hf:someone/clip", "keep", "plip", "whyxrayclip", "biovil-t", SIGLIP_2)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An empty cache, and a hub that may be asked."""
    use_only_hub_cache(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return monkeypatch


def absent(name: str, **options: Any) -> str:
    """The message for a model that is not on this machine."""
    with pytest.raises(NotOnThisMachineError) as caught:
        load_model(name, device="cpu", **options)
    return str(caught.value)


class Request:
    def __init__(self, url: str) -> None:
        self.url = url


class ConnectError(Exception):
    """As the hub's client raises it."""

    def __init__(self, url: str) -> None:
        super().__init__("no route")
        self.request = Request(url)


def switch() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@pytest.fixture
def asked(hub: pytest.MonkeyPatch) -> list[str]:
    """What is asked of a hub that cannot be reached: every function of its client."""
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    questions: list[str] = []

    def ask(repository: str, *_: Any, **options: Any) -> Any:
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError("no")
        if switch():
            raise OfflineModeIsEnabled("no")
        questions.append(repository)
        try:
            raise ConnectError(f"{constants.ENDPOINT}/api/models/{repository}")
        except ConnectError as error:
            raise LocalEntryNotFoundError("no") from error

    for function in ("list_repo_files", "snapshot_download", "hf_hub_download"):
        hub.setattr(f"huggingface_hub.{function}", ask)
    return questions


def test_a_hub_that_cannot_be_reached_is_asked_once(asked: list[str]) -> None:
    names = ("keep", "whyxrayclip", "biovil-t", "bmc-longclip", "keep")
    for name in names:
        message = absent(name)
        assert "`hf download " in message
        assert "--robust-download" not in message
        assert "HF_HUB_OFFLINE" not in message
    assert asked == ["Astaxanthin/KEEP"]
    assert not switch()  # outside of a load, the user's own questions are asked


def test_a_connection_may_come_back(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        absent("keep")
    monkeypatch.setattr(network, "_REMEMBERED_SECONDS", 0.0)
    absent("keep")
    assert len(asked) == 2


def failing(name: str, url: str) -> Exception:
    kind = type(name, (ConnectError,), {})
    error: Exception = kind(url)
    return error


def test_only_a_failed_connection_to_the_hub_counts() -> None:
    from huggingface_hub import constants

    for error in (
        type("RepositoryNotFoundError", (Exception,), {})("404"),
        type("GatedRepoError", (Exception,), {})("403"),
        ConnectionRefusedError("a server of the user's own"),
        ConnectError("http://127.0.0.1:8000/embed"),
    ):
        network.note_failure(error)
        assert not network.is_unreachable()
    for kind in ("ConnectError", "ConnectTimeout", "ProxyError"):
        network.forget_failure()
        network.note_failure(failing(kind, f"{constants.ENDPOINT}/a/b"))
        assert network.is_unreachable()


def test_the_hubs_own_client_is_understood(hub: pytest.MonkeyPatch) -> None:
    """Whatever library the installed release of huggingface_hub asks with."""
    from huggingface_hub import snapshot_download

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    hub.setattr("huggingface_hub.constants.ENDPOINT", ENDPOINT)
    with pytest.raises(Exception, match=r".") as caught:
        snapshot_download("someone/clip", endpoint=ENDPOINT)
    network.note_failure(caught.value)
    assert network.is_unreachable()


@pytest.mark.parametrize("name", NAMES)
def test_the_hubs_switch_is_named_where_it_decides(
    name: str, hub: pytest.MonkeyPatch
) -> None:
    hub.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = absent(name)
    assert "HF_HUB_OFFLINE" in message
    assert "`hf download " in message
    assert "--robust-download" not in message


def test_downloads_are_not_advised_where_the_switch_forbids_them(
    hub: pytest.MonkeyPatch,
) -> None:
    assert "Allow downloads" in absent("hf:someone/clip", download=False)
    hub.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = absent("hf:someone/clip", download=False)
    assert "Allow downloads" not in message
    assert "Unset HF_HUB_OFFLINE, or run `hf download someone/clip`" in message


@pytest.mark.parametrize("name", ["keep", "plip", SIGLIP_2])
def test_downloads_are_advised_to_those_who_did_not_allow_them(
    name: str, hub: pytest.MonkeyPatch
) -> None:
    assert hub
    message = absent(name, download=False)
    assert "--robust-download" in message


def test_a_plain_file_is_not_fetched_under_the_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PlainFile("weights.pt", "a page", "https://example.org/weights.pt")
    request = LoadRequest(cache_dir=tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "unset HF_HUB_OFFLINE, or" in str(missing_file("ours", file, request))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert "--robust-download" in str(missing_file("ours", file, request))
