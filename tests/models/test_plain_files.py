"""Published files that are fetched once, checked and found again."""

from __future__ import annotations

import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError, NotOnThisMachineError
from pytest_retrieval_robust.models import LoadRequest
from pytest_retrieval_robust.models._files.plain_files import (
    PlainFile,
    check_published,
    local_file,
    path_of,
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def test_a_plain_file_is_fetched_once_checked_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").write_bytes(b"published")
    server = HTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = PlainFile(
        "weights.pt",
        "a page",
        f"http://127.0.0.1:{server.server_port}/weights.pt",
        sha256="0" * 64,
    )
    request = LoadRequest(cache_dir=tmp_path / "cache")
    with pytest.raises(
        NotOnThisMachineError,
        match=r"--robust-download.*weights\.pt from a page.*weights/",
    ):
        local_file(
            "ours", file, LoadRequest(may_download=False, cache_dir=tmp_path / "cache")
        )
    assert local_file("ours", file, request).read_bytes() == b"published"
    server.shutdown()
    server.server_close()
    assert local_file("ours", file, request) == path_of(
        file, request
    )  # no second request: the server is gone
    with pytest.raises(ModelError, match="sha256=0000"):
        check_published(file, "1" * 64)
    path_of(file, request).unlink()
    with pytest.raises(NotOnThisMachineError, match="copy the file to weights/"):
        local_file("ours", file, request)
    assert list((tmp_path / "cache/weights").iterdir()) == []


def test_a_cache_folder_elsewhere_is_shown_by_its_last_name_alone(
    tmp_path: Path,
) -> None:
    """A saved run holds the sentence, and folders may be named after people."""
    cache = tmp_path / "a person" / "store"
    request = LoadRequest(may_download=False, cache_dir=cache)
    with pytest.raises(NotOnThisMachineError, match="cache folder, store ") as caught:
        local_file("ours", PlainFile("weights.pt", "a page"), request)
    assert "a person" not in str(caught.value)


def test_offline_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in (
        "medclip",
        "medclip-vit",
        "cxr-clip",
        "cxr-clip-r50",
        "cxr-repair",
        "chexzero",
    ):
        with pytest.raises(
            NotOnThisMachineError,
            match=rf"weights of {name} are not on this machine; .*download \S+ from ",
        ):
            load_model(name, cache_dir=tmp_path)
