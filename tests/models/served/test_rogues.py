"""Servers that break the agreement: an error in one sentence, in time, and nothing left."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import (
    DualEncoder,
    EmbeddingError,
    ModelError,
    NotOnThisMachineError,
    encoder_from_command,
    load_dataset,
)
from pytest_retrieval_robust.core.errors import ArgumentError, ConfigError
from pytest_retrieval_robust.core.foreign import SHOW_VARIABLE

from .servers import FUNCTIONS, SIZE, bare_file, helper_file, started
from .test_served import ends, is_gone, pid_of

SECRET = "patient Jane Roe"

AT_THE_START = {
    "exits": (
        "sys.exit('no licence')",
        "its end with exit status 1. It wrote: no lice",
    ),
    "raises": ("open('/data/jane/w.pt')", "FileNotFoundError: .* directory: 'w.pt'"),
    "lacks a module": ("import medklip", "No module named 'medklip'"),
    "is killed": ("os.kill(os.getpid(), 9)", r"its end by a signal \(Killed\)"),
    "prints": (
        "print('loading', flush=True)\ntime.sleep(9)",
        "begin no message on its",
    ),
    "is silent": ("time.sleep(60)", "got none within 0.7 seconds. Look at what it wai"),
    "is silent, and chatters": (
        "while True: print('still busy', file=sys.stderr, flush=True)",
        "got none within 0.7 seconds",
    ),
    "closes its output": (
        "os.close(1)\ntime.sleep(60)",
        "the end of its standard outp",
    ),
    "speaks another version": (
        "greet(protocol=2)",
        "got protocol=2, not 1. Write the h",
    ),
    "says no width": ("greet(width=None)", "got width=None in its greeting. Only mess"),
    "says true": ("greet(size=True)", "got size=True in its greeting"),
    "says a long word": (
        "greet(precision='x' * 99)",
        r"precision='x+\.\.\. in its gree",
    ),
    "asks to pad otherwise": (
        "greet(preprocessing={'padding': 1})",
        "got an unknown 'padding' in preprocessing",
    ),
    "says half a hash": ("greet(weights_sha256='ab')", "that has not 64 hex digits"),
    "sends an error": ("receive()\nsend({'type': 'error', 'class': 'Oh'})", "got Oh. "),
    "sends a long header": (
        "sys.stdout.buffer.write(b'RRC1' + b'\\xff' * 12)\nsys.stdout.flush()\n"
        "time.sleep(9)",
        "got a header of 4294967295 bytes",
    ),
    "sends no object": (
        "sys.stdout.buffer.write(b'RRC1' + struct.pack('<IQ', 2, 0) + b'[]')\n"
        "sys.stdout.flush()\ntime.sleep(9)",
        "got a header that is no JSON object with a type",
    ),
    "says two greetings": ("greet()\nsend({'type': 'hello'})", ""),
}


@pytest.mark.parametrize(
    "kind", [kind for kind in AT_THE_START if AT_THE_START[kind][1]]
)
def test_a_server_that_does_not_start(kind: str, tmp_path: Path) -> None:
    code, expected = AT_THE_START[kind]
    begun = time.monotonic()
    timeout = 0.7 if kind.startswith("is silent") else 20
    with pytest.raises(ModelError, match=expected) as raised:
        started(bare_file(tmp_path, code), timeout=timeout)
    assert time.monotonic() - begun < 8
    assert "Expected an answer from the command of ours, got " in str(raised.value)
    assert "jane" not in str(raised.value)


IN_A_BATCH = {
    "of another shape": ("answer(shape=[1, 6])", r"got shape=\(1, 6\)"),
    "one row short": (
        "answer(shape=[1, 3])",
        r"got 24 bytes for shape=\(1, 3\) of floa",
    ),
    "of no shape": ("answer(shape='2x3')", "got shape='2x3'"),
    "of another type": ("answer(dtype='int32')", "got dtype='int32'"),
    "of a request that was not": ("answer(id=7)", "got one with another id"),
    "with NaN": (
        "header, _ = receive()\nsend({'type': 'rows', 'id': 0, 'dtype': 'float32',"
        " 'shape': [2, 3]}, struct.pack('<6f', 1, 2, 3, float('nan'), 5, 6))",
        "got rows with NaN or infinite numbers",
    ),
}


@pytest.mark.parametrize("kind", IN_A_BATCH)
def test_rows_that_are_none(kind: str, tmp_path: Path) -> None:
    code, expected = IN_A_BATCH[kind]
    good = "\nwhile True:\n    answer()\n"
    once = "import os.path\nif not os.path.exists('asked'):\n    open('asked', 'w')\n"
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    encoder = started(bare_file(tmp_path, f"greet()\n{once}{indented}{good}"))
    with pytest.raises(EmbeddingError, match=expected):
        encoder.encode_reports(["a", "b"])
    # The next batch starts another process.
    assert encoder.encode_reports(["a", "b"]).shape == (2, 3)


def test_a_process_that_ends_in_every_batch_is_given_up(tmp_path: Path) -> None:
    encoder = started(bare_file(tmp_path, "greet()\nreceive()\nsys.exit(5)"))
    for _ in range(2):
        with pytest.raises(ModelError, match="got its end with exit status 5"):
            encoder.encode_reports(["a"])
    with pytest.raises(ModelError, match="got none: it ended 4 times, and is not sta"):
        encoder.encode_reports(["a"])


def test_a_hang_ends_in_time_with_all_that_was_begun(tmp_path: Path) -> None:
    child = "\nimport subprocess\nCHILD = subprocess.Popen(['sleep', '60'])\n"
    write = "open('child', 'w').write(str(CHILD.pid))\n"
    hang = "\n\ndef embed_texts(texts):\n    import time\n    time.sleep(60)\n"
    file = helper_file(tmp_path, FUNCTIONS + child + write + hang)
    # Its start has to be done in that time too, beside other tests.
    encoder = started(file, timeout=5)
    pid = pid_of(encoder)
    with pytest.raises(ModelError, match="got none within 5 seconds"):
        encoder.encode_reports(["a"])
    assert is_gone(pid)
    child_pid = int((tmp_path / "child").read_text())
    assert ends(lambda: is_gone(child_pid))


def test_a_child_that_holds_its_output_hides_no_end(tmp_path: Path) -> None:
    fork = "greet()\nreceive()\nif os.fork():\n    os._exit(4)\ntime.sleep(60)\n"
    encoder = started(bare_file(tmp_path, fork), timeout=30)
    begun = time.monotonic()
    with pytest.raises(ModelError, match="exit status 4"):
        encoder.encode_reports(["a"])
    assert time.monotonic() - begun < 10


def test_neither_side_waits_for_the_other_to_read(tmp_path: Path) -> None:
    """Answers and noise larger than a pipe, before the request was read."""
    code = """
    def noise():
        sys.stderr.write("n" * 3_000_000)
        sys.stderr.flush()


    greet(width=300_000, batch=1)
    rows = struct.pack("<300000f", *range(1, 300001))
    described = {"type": "rows", "dtype": "float32", "shape": [1, 300000]}
    noise()
    for number in range(4):
        send({**described, "id": number}, rows)
        noise()
    while True:
        receive()
    """
    encoder = started(bare_file(tmp_path, code), timeout=20)
    rows = encoder.encode_images(torch.rand(4, 3, 512, 512))
    assert torch.equal(rows[0], rows[3])


@pytest.mark.parametrize("shows", [False, True])
def test_no_text_of_the_data_is_shown_unless_asked_for(
    shows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHOW_VARIABLE, str(int(shows)))
    fails = (
        "\n\ndef embed_texts(texts):\n    if texts[0] == 'end':\n"
        f"        sys.stderr.write('{SECRET}')\n        sys.stderr.flush()\n"
        "        os._exit(1)\n    return {}[texts[0]]\n"
    )
    encoder = started(helper_file(tmp_path, FUNCTIONS + fails))
    with pytest.raises(
        ModelError, match=r"got KeyError at serve.py:\d+ in embed_t"
    ) as a:
        encoder.encode_reports([SECRET])
    with pytest.raises(ModelError, match="exit status 1") as b:
        encoder.encode_reports(["end"])
    for raised in (a, b):
        assert (SECRET in str(raised.value)) == shows
        assert ("withheld" in str(raised.value)) != shows


def test_memory_that_runs_out_there_halves_the_batch(tmp_path: Path) -> None:
    from pytest_retrieval_robust.core.calling import encode_images

    short = (
        "\n\ndef embed_images(pixels):\n    if len(pixels) > 3:\n"
        "        raise RuntimeError('CUDA out of memory')\n"
        "    return pixels.reshape(len(pixels), -1)[:, :64] - 0.5\n"
    )
    encoder = started(helper_file(tmp_path, FUNCTIONS + short))
    encoded = encode_images(encoder, torch.rand(8, 3, SIZE, SIZE))
    assert encoded.rows.shape == (8, 64)
    assert not encoded.whole


def test_an_interrupt_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder: Any = started(helper_file(tmp_path))
    pid = pid_of(encoder)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    process = encoder._server._process
    monkeypatch.setattr(type(process._incoming), "room", interrupt)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_reports(["a"])
    assert is_gone(pid)
    monkeypatch.undo()
    assert encoder.encode_reports(["a"]).shape == (1, 64)


def test_a_program_that_is_not_there_or_may_not_be_executed(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("")
    for program, problem in (
        ("nowhere", "is not there"),
        ("serve.py", "may not be exe"),
    ):
        with pytest.raises(NotOnThisMachineError, match=f"{problem}.*: {program}; fix"):
            encoder_from_command("ours", [str(tmp_path / program)])
    text = tmp_path / "text"
    text.write_text("no program\n")
    text.chmod(0o755)
    with pytest.raises(ModelError, match=r"could not be started \(Exec format error\)"):
        encoder_from_command("ours", [str(text)])


def test_another_greeting_after_a_restart_is_an_error(tmp_path: Path) -> None:
    file = bare_file(tmp_path, "greet(source=str(time.time()))\nanswer()\nreceive()")
    encoder = started(file)
    encoder.encode_reports(["a"])
    with pytest.raises(ModelError, match="got another greeting from the process that"):
        encoder.encode_reports(["a"])


def test_a_precision_that_it_has_not_is_refused(tmp_path: Path) -> None:
    file = bare_file(tmp_path, "greet()\nanswer()")
    with pytest.raises(
        ConfigError, match=r"its command has \(fp32\), got precision='b"
    ):
        encoder_from_command(
            "ours", [sys.executable, str(file)], precision="bf16", device="cpu"
        )


@pytest.mark.parametrize("command", [[], "serve.py", [1], ["a", ""], ["a\0"], None])
def test_a_command_is_a_list_of_words(command: Any) -> None:
    with pytest.raises(
        ArgumentError, match="Expected a program and its arguments, got"
    ):
        encoder_from_command("ours", command)


TABLES = {
    'loader = "command"': "line 1: expected command = .* got command=None",
    'loader = "command"\ncommand = []': "line 3: expected command = ",
    'loader = "command"\ncommand = ["a", 1]': r"line 3: .*got command=a value of type list",
    'loader = "command"\ncommand = "a"': "line 3: expected a list, got command='a'",
    'command = ["a"]': 'line 2: expected loader = "command" beside command, got load',
    'loader = "command"\ncommand = ["a"]\ncheckpoint = "c"': "line 4: expected no chec",
    'loader = "command"\ncommand = ["a"]\nanswer_timeout = 0': "line 4: expected seconds",
    'loader = "command"\ncommand = ["a"]\ntimeout = "1"': "line 4: expected seconds",
    'checkpoint = "a"\nanswer_timeout = 5': "line 3: expected answer_timeout beside co",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_wrong(table: str, tmp_path: Path) -> None:
    from pytest_retrieval_robust.core.config_file import read_config_file

    file = tmp_path / "robust.toml"
    file.write_text(f"[models.ours]\n{table}\n")
    with pytest.raises(ConfigError, match=TABLES[table]):
        read_config_file(file)


def test_keys_follow_what_is_served(tmp_path: Path) -> None:
    from pytest_retrieval_robust.measure.embeddings.keys import model_identity

    def identity(folder: str, functions: str) -> Any:
        (tmp_path / folder).mkdir()
        encoder: DualEncoder = started(helper_file(tmp_path / folder, functions))
        return model_identity(encoder, "fp32")

    load_dataset("synthetic-cxr", pairs=1)
    first = identity("a", FUNCTIONS)
    # The same file elsewhere is the same model; one that differs is another.
    assert first == identity("b", FUNCTIONS)
    assert first != identity("c", FUNCTIONS + "\n# changed\n")
    unhashed = re.sub('"weights": .*?], ', "", FUNCTIONS)
    assert identity("d", unhashed) is None
