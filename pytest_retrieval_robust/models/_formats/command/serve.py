"""Serves an encoder to pytest-retrieval-robust, from an environment of its own.

Fill in `load`, `embed_images` and `embed_texts`. Then name this file in `robust.toml`:

    [models.our-candidate]
    loader = "command"
    command = ["/envs/ours/bin/python", "serve.py"]

It needs Python 3.8 or later and numpy. `python serve.py --try` loads the model and encodes
two pictures and two texts, without pytest-retrieval-robust.
"""

import os
import sys

if __name__ == "__main__":
    # First of all: what libraries print must not come between the messages. They get
    # standard error for standard output, and an empty standard input.
    REQUESTS = os.dup(0)
    ANSWERS = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

# ---------------------------------------------------------------- yours: fill this in


def load(device, precision):
    """Load your model. Called once; everything heavy is imported here.

    `device` is what the run asks for: "cpu", "cuda:0" or "mps"; `precision` is "fp32",
    "bf16" or "fp16". Returns what is said of the model, of which `size` and `width` are
    needed:

    * `size`: pixels per side of the square that it takes.
    * `width`: numbers of a row.
    * `device`: where it computes; `precision`: of its weights.
    * `weights`: files or folders. Their hash is what embeddings are stored by: without
      it none is stored.
    * `preprocessing`: how an image becomes the square. `resize` is "shortest", "longest",
      "exact" or "pad"; `interpolation` is "bicubic", "bilinear", "lanczos" or "nearest".
      `resize_to` is the length that the side is resized to if that is not `size`, and
      `"grey": True` makes the image grey first.
    * `batch`: the most inputs of one call. `context_length`: the most tokens of a text.
    * `source` and `licence`: texts for the model's card.
    """
    raise NotImplementedError("fill in load()")
    return {
        "size": 224,
        "width": 512,
        "device": device,
        "precision": precision,
        "weights": ["weights.pt"],
        "preprocessing": {"resize": "shortest", "interpolation": "bicubic"},
    }


def embed_images(pixels):
    """(B, 3, size, size) float32 on the 0..1 scale -> (B, width) rows.

    Subtract the mean and divide by the standard deviation of your model here. The array
    is yours: it may be changed.
    """
    raise NotImplementedError("fill in embed_images()")


def embed_texts(texts):
    """A list of B texts -> (B, width) rows, none of which depends on the other texts."""
    raise NotImplementedError("fill in embed_texts()")


# Optional: the number of tokens of each text before it is cut, as a list. Then texts of
# one length come together, and those that are cut are counted.
count_tokens = None

# ------------------------------------------------- the protocol: nothing to change here

import hashlib  # noqa: E402
import json  # noqa: E402
import queue  # noqa: E402
import signal  # noqa: E402
import struct  # noqa: E402
import sysconfig  # noqa: E402
import threading  # noqa: E402
import traceback  # noqa: E402

import numpy as np  # noqa: E402

PROTOCOL = 1
MAGIC = b"RRC1"
LENGTHS = struct.Struct("<IQ")
READ_AHEAD = 1
# Frames of this file that say nothing of the user's code.
OWN = ("main", "answer_to", "rows_of", "greeting", "serve")


def serve(requests, answers):
    """Answer requests until there are no more, or `bye`."""
    waiting = queue.Queue(READ_AHEAD)
    reader = threading.Thread(target=read_requests, args=(requests, waiting))
    reader.daemon = True
    reader.start()
    while True:
        header, array = waiting.get()
        if header["type"] == "bye":
            return
        try:
            answer, rows = answer_to(header, array)
        except Exception as error:
            if header["type"] == "hello":
                # Nothing can be served. The traceback goes to standard error.
                raise
            answer = described(error)
            rows = None
        del array
        answer["id"] = header.get("id")
        write_frame(answers, answer, rows)


def read_requests(requests, waiting):
    """Read ahead while the encoder works, so that it never waits for the pipe."""
    while True:
        start = read_exactly(requests, len(MAGIC) + LENGTHS.size)
        header_length, array_length = LENGTHS.unpack(start[len(MAGIC) :])
        header = json.loads(bytes(read_exactly(requests, header_length)).decode())
        waiting.put((header, read_exactly(requests, array_length)))


def read_exactly(requests, count):
    """That many bytes. Where the other side is gone, everything ends here and now."""
    content = bytearray(count)
    room = memoryview(content)
    while len(room):
        read = os.readv(requests, [room])
        if read == 0:
            end_group()
        room = room[read:]
    return content


def end_group():
    """End this process and all that it has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def write_frame(answers, header, rows):
    pieces = []
    if rows is not None:
        header["dtype"] = rows.dtype.name
        header["shape"] = list(rows.shape)
        pieces.append(memoryview(rows.reshape(-1)).cast("B"))
    written = json.dumps(header).encode("ascii")
    lengths = LENGTHS.pack(len(written), sum(len(piece) for piece in pieces))
    for piece in (memoryview(MAGIC + lengths + written), *pieces):
        while len(piece):
            piece = piece[os.write(answers, piece) :]


def answer_to(header, array):
    """(header, rows or None) of the answer to a request."""
    set_threads(header.get("threads"))
    if header["type"] == "hello":
        return greeting(header), None
    if header["type"] == "images":
        pixels = np.frombuffer(array, dtype="<f4").reshape(header["shape"])
        return {"type": "rows"}, rows_of(embed_images(pixels))
    if header["type"] == "texts":
        return {"type": "rows"}, rows_of(embed_texts(header["texts"]))
    if header["type"] == "count":
        lengths = [int(length) for length in count_tokens(header["texts"])]
        return {"type": "lengths", "lengths": lengths}, None
    raise ValueError("a request of an unknown type")


def greeting(header):
    """What is said of the model."""
    said = dict(load(header["device"], header["precision"]))
    weights = said.pop("weights", None)
    if weights:
        said["weights_sha256"] = digest_of(files_in(weights))
    said.setdefault("device", header["device"])
    said["counts_tokens"] = count_tokens is not None
    said["code_sha256"] = digest_of(own_code())
    said["libraries"] = libraries()
    said["type"] = "hello"
    said["protocol"] = PROTOCOL
    return said


def rows_of(output):
    """Rows as an array of float32 or float64, in memory of their own order."""
    if hasattr(output, "detach"):
        output = output.detach().float().cpu().numpy()
    rows = np.asarray(output)
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"rows of dtype {rows.dtype}")
    kind = "<f8" if rows.dtype == np.float64 else "<f4"
    return np.ascontiguousarray(rows, dtype=kind)


def set_threads(count):
    """Use as many threads as the run does: its processes share the cores out."""
    torch = sys.modules.get("torch")
    if torch is not None and count and torch.get_num_threads() != count:
        torch.set_num_threads(count)


def described(error):
    """What is said of an error: its text is shown to nobody who did not ask for it."""
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        is_own = frame.filename == __file__ and frame.name in OWN
        if not is_own and not is_library(frame.filename):
            name = os.path.basename(frame.filename)
            frames.append(f"{name}:{frame.lineno} in {frame.name}")
    text = str(error)
    memory = isinstance(error, MemoryError) or "out of memory" in text.lower()
    return {
        "type": "error",
        "class": type(error).__name__,
        "places": frames[::-1],
        "out_of_memory": memory,
        "text": text,
    }


def files_in(paths):
    """All files of files and folders, always in the same order."""
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    files = []
    for path in paths:
        path = os.fspath(path)
        if not os.path.isdir(path):
            files.append(path)
        for folder, folders, names in os.walk(path):
            folders.sort()
            files += [os.path.join(folder, name) for name in sorted(names)]
    return files


def digest_of(files):
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            for chunk in iter(lambda: stream.read(2**20), b""):
                digest.update(chunk)
    return digest.hexdigest()


def own_code():
    """The files of all modules that are neither installed nor Python's own."""
    files = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and os.path.isfile(file) and not is_library(file):
            files.add(os.path.abspath(file))
    return sorted(files)


def is_library(file):
    # Any folder of either may be a symbolic link.
    real_file = os.path.realpath(file)
    for name in (file, real_file):
        if "site-packages" in name or "dist-packages" in name:
            return True
    return real_file.startswith(os.path.realpath(sysconfig.get_path("stdlib")) + os.sep)


def libraries():
    """The versions of all that is installed: other ones may give other numbers."""
    from importlib.metadata import distributions

    versions = {"python": sys.version.split()[0]}
    for distribution in distributions():
        versions[str(distribution.metadata["Name"])] = distribution.version
    return dict(sorted(versions.items()))


def main():
    if "--try" not in sys.argv:
        serve(REQUESTS, ANSWERS)
        return
    said = greeting({"device": "cpu", "precision": "fp32"})
    size = said["size"]
    pixels = np.random.RandomState(0).rand(2, 3, size, size).astype(np.float32)
    print("images:", rows_of(embed_images(pixels)).shape)
    print("texts:", rows_of(embed_texts(["No acute process.", "Edema."])).shape)
    print("said:", {name: said[name] for name in said if name != "libraries"})


if __name__ == "__main__":
    main()
