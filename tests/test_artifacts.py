"""Files between stages: what is written comes back the same, or is refused."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_vae.errors import InputError
from mnist_vae.files import store

DTYPES = "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64".split
ARRAYS = {
    "mean": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "labels": np.array([3, 7], np.uint8),
}
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
texts = st.text(max_size=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "latents" / "vae16.safetensors"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A path for hundreds of files one after the other, without waiting for the disk each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield tmp_path_factory.mktemp("scratch") / "any"


def same(found: dict[str, np.ndarray], written: dict[str, np.ndarray]) -> bool:
    """Whether names, types, shapes and every bit are the same."""
    return found.keys() == written.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in ((found[name], written[name]) for name in found)
    )


def folder_of(path: Path) -> list[str]:
    """What lies beside a file, it included."""
    return sorted(entry.name for entry in path.parent.iterdir())


# --- Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES())
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_come_back(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    store.write_arrays(path, "latents", {"a": array})
    found, about = store.read_arrays(path, "latents")
    assert same(found, {"a": array})
    assert about == {}


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24).reshape(4, 6)[::2, ::-3],
        np.arange(24).reshape(2, 3, 4).T,
        np.broadcast_to(np.float32(3), (2, 5)),
        np.arange(5, dtype=">i4"),
        np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    ],
    ids=["strided", "transposed", "broadcast", "big-endian", "special"],
)
def test_arrays_come_back_however_they_lie_in_memory(path: Path, array: np.ndarray) -> None:
    store.write_arrays(path, "latents", {"a": array})
    found = store.read_arrays(path, "latents")[0]["a"]
    np.testing.assert_array_equal(found, array)
    assert found.flags.c_contiguous
    assert found.flags.writeable


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name != "__metadata__"
        ),
        hnp.arrays(st.sampled_from(DTYPES()), hnp.array_shapes(min_dims=0, min_side=0)),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(["model", "split", "β"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    ),
)
def test_any_arrays_and_facts_come_back(
    scratch: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]
) -> None:
    store.write_arrays(scratch, "latents", arrays, **about)
    found, facts = store.read_arrays(scratch, "latents", **about)
    assert same(found, arrays)
    assert facts == about


def test_the_same_contents_are_the_same_bytes(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16", epochs=7)
    first = path.read_bytes()
    turned = dict(reversed(ARRAYS.items()))
    store.write_arrays(path, "latents", turned, epochs=7, model="vae16")
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("what", "names", "expected", "message"),
    [
        ("maps", [], {}, "holds latents, must hold maps"),
        ("latents", ["mean", "logvar"], {}, "lacks logvar"),
        ("latents", [], {"model": "vae2"}, "made for model 'vae16', must be 'vae2'"),
        ("latents", [], {"split": "test"}, "made for split None, must be 'test'"),
    ],
)
def test_a_file_of_something_else(
    path: Path, what: str, names: list[str], expected: dict[str, str], message: str
) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    assert store.read_arrays(path, "latents", "mean", "labels", model="vae16")
    with pytest.raises(InputError) as error:
        store.read_arrays(path, what, *names, **expected)
    assert str(error.value) == f"{path}: {message}; delete it and run `dvc repro`"


# --- Damage ---------------------------------------------------------------------------------------


def unharmed_or_refused(path: Path, content: bytes) -> bool:
    """Whether a file with this content is refused, or gives the arrays that were written."""
    path.write_bytes(content)
    try:
        found, about = store.read_arrays(path, "latents")
    except InputError as error:
        return str(error).startswith(f"{path}: ")
    return same(found, ARRAYS) and about == {"model": "vae16"}


def test_one_bit_changed_anywhere(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        assert unharmed_or_refused(path, damaged), place


@pytest.mark.parametrize("byte", [b"", b"9", b'"'], ids=["lost", "digit", "quote"])
def test_one_byte_lost_or_replaced_anywhere(path: Path, byte: bytes) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    content = path.read_bytes()
    for place in range(len(content)):
        assert unharmed_or_refused(path, content[:place] + byte + content[place + 1 :]), place


def test_cut_off_anywhere(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    content = path.read_bytes()
    for size in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match="damaged"):
            store.read_arrays(path, "latents")


def test_every_byte_of_the_data_matters(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS)
    content = path.read_bytes()
    for place in range(1, 1 + sum(array.nbytes for array in ARRAYS.values())):
        damaged = bytearray(content)
        damaged[-place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="do not match their digest"):
            store.read_arrays(path, "latents")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"dtype":"U8"', b'"dtype":"I8"'),
        (b'"dtype":"F32"', b'"dtype":"I32"'),
        (b"[2,3]", b"[3,2]"),
        (b"[2,3]", b"[1,6]"),
        (b'"labels":', b'"label2":'),
        (b"vae16", b"vae17"),
    ],
)
def test_a_header_changed_without_a_sign(path: Path, old: bytes, new: bytes) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match="do not match their digest"):
        store.read_arrays(path, "latents")


def safetensors_of(header: Any, body: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


NOTE = {"__metadata__": {"mnist_vae": json.dumps(['{"what": "latents", "about": {}}', "0" * 64])}}
LISTED = [note := '{"what": "latents", "about": []}', hashlib.sha256(note.encode()).hexdigest()]
LYING: list[tuple[str, bytes]] = [
    ("other project's", safetensors_of({"__metadata__": {"format": "pt"}})),
    ("no metadata", safetensors_of({})),
    ("no header", struct.pack("<Q", 0)),
    ("metadata no JSON", safetensors_of({"__metadata__": {"mnist_vae": "{"}})),
    ("metadata a number", safetensors_of({"__metadata__": {"mnist_vae": "3"}})),
    ("metadata deep", safetensors_of({"__metadata__": {"mnist_vae": "[" * 100_000}})),
    ("header no text", safetensors_of({"__metadata__": {"mnist_vae": "[1, 2]"}})),
    ("wrong digest", safetensors_of(NOTE)),
    ("facts no mapping", safetensors_of({"__metadata__": {"mnist_vae": json.dumps(LISTED)}})),
    ("header longer than file", struct.pack("<Q", 10**6) + b"{}"),
    ("header of 4 EiB", struct.pack("<Q", 2**62) + b"{}"),
    (
        "data longer than file",
        safetensors_of(NOTE | {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}),
    ),
    (
        "shape of 1 EiB",
        safetensors_of(
            NOTE | {"a": {"dtype": "U8", "shape": [2**60], "data_offsets": [0, 4]}}, b"abcd"
        ),
    ),
    (
        "shape that overflows",
        safetensors_of(NOTE | {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}}),
    ),
    (
        "type that numpy lacks",
        safetensors_of(
            NOTE | {"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"ab"
        ),
    ),
]


@pytest.mark.parametrize(
    "content", [c for _, c in LYING], ids=[name.replace(" ", "_") for name, _ in LYING]
)
def test_a_header_that_lies(path: Path, content: bytes) -> None:
    store.write_bytes(path, content)
    with pytest.raises(InputError, match="damaged"):
        store.read_arrays(path, "latents")


# --- What arrays must be --------------------------------------------------------------------------

KINDS = ("mean float32 N D", "labels uint8<10 N")
PAIR = ("x float32 N", "y int64 N")


@pytest.mark.parametrize(
    ("wanted", "more"),
    [
        ((), {}),
        (("mean", "labels"), {}),
        (KINDS, {}),
        (("mean float32 2 3", "labels uint8<8 2"), {}),
        (("mean float32 N D", "square uint8 D D"), {"square": np.zeros((3, 3), np.uint8)}),
        (("one float64",), {"one": np.float64(1)}),
        ((PAIR,), {}),
        (("mean float32 N D", PAIR), {"x": np.ones(2, np.float32), "y": np.arange(2)}),
    ],
)
def test_arrays_that_are_what_they_must_be(path: Path, wanted: Any, more: dict[str, Any]) -> None:
    store.write_arrays(path, "latents", ARRAYS | more)
    assert same(store.read_arrays(path, "latents", *wanted)[0], ARRAYS | more)


@pytest.mark.parametrize(
    ("wanted", "changed", "message"),
    [
        (("logvar",), {}, "lacks logvar"),
        (("logvar float32 N D",), {}, "lacks logvar"),
        (("mean float64 N D",), {}, "mean is float32 (2, 3), must be float64 (2, 3)"),
        (("mean float32 N",), {}, "mean is float32 (2, 3), must be float32 (2)"),
        (("mean float32 N D E",), {}, "mean is float32 (2, 3), must be float32 (2, 3, E)"),
        (("mean float32 N 2",), {}, "mean is float32 (2, 3), must be float32 (2, 2)"),
        (("mean float32 N N",), {}, "mean is float32 (2, 3), must be float32 (2, 2)"),
        (KINDS, {"labels": np.zeros(3, np.uint8)}, "labels is uint8 (3,), must be uint8 (2)"),
        (KINDS, {"labels": np.array([3, 10], np.uint8)}, "labels holds 10, must be below 10"),
        (
            KINDS,
            {"mean": np.zeros((0, 3), np.float32)},
            "mean is float32 (0, 3), must be float32 (N, 3)",
        ),
        *(
            (KINDS, {"mean": np.array([[1, x]], np.float32)}, "mean holds a number that is not")
            for x in (np.nan, np.inf, -np.inf)
        ),
        ((PAIR,), {"x": np.ones(2, np.float32)}, "lacks y"),
        ((PAIR,), {"x": np.ones(2, np.float32), "y": np.arange(3)}, "y is int64 (3,), must be"),
    ],
)
def test_arrays_that_are_not(
    path: Path, wanted: Any, changed: dict[str, np.ndarray], message: str
) -> None:
    store.write_arrays(path, "latents", ARRAYS | changed)
    with pytest.raises(InputError) as error:
        store.read_arrays(path, "latents", *wanted)
    assert str(error.value).startswith(f"{path}: {message}")


# --- Writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [RuntimeError("half-way"), KeyboardInterrupt(), OSError(28, "No space left")]
)
def test_a_failure_half_way_leaves_the_old_file(path: Path, error: BaseException) -> None:
    store.write_bytes(path, b"old")
    with pytest.raises(type(error)), store.replacing(path) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert folder_of(path) == [path.name]


def test_success_replaces_the_file_and_what_a_killed_process_left(path: Path) -> None:
    store.write_bytes(path, b"old")
    with store.replacing(path) as part:
        part.write_bytes(b"a long left-over")
        left = part.name
    (path.parent / left).write_bytes(b"a long left-over")
    store.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert folder_of(path) == [path.name]


def test_readers_see_the_old_file_until_the_new_one_is_whole(path: Path) -> None:
    store.write_bytes(path, b"old")
    with store.replacing(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_arrays_that_cannot_be_kept_leave_the_old_file(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS)
    old = path.read_bytes()
    for wrong in (np.array(["text"]), np.array([None])):
        with pytest.raises(Exception, match="dtype"):
            store.write_arrays(path, "latents", {"a": wrong})
    assert path.read_bytes() == old
    assert folder_of(path) == [path.name]


@pytest.mark.parametrize(
    "write",
    [
        "store.write_bytes(path, bytes(100_000))",
        "store.write_arrays(path, 'latents', {'a': np.ones(10**5)})",
        "store.write_json(path, {'a': 'b' * 10**5})",
        "store.write_table(path, [{'a': 0.1}] * 10**5)",
    ],
)
def test_a_disk_that_takes_no_more(tmp_path: Path, write: str) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    # The shell's own limit on the size of a file stands in for a full disk.
    script = f"""
import resource, signal
from pathlib import Path
import numpy as np
from mnist_vae.files import store
from mnist_vae import process
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path({str(path)!r})
process.run(lambda: {write})
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    line = f"-c: error: {path}: larger than the file-size limit of this shell (ulimit -f)\n"
    assert (ended.returncode, ended.stderr) == (1, line)
    assert path.read_bytes() == b"old"
    assert folder_of(tmp_path / "out") == ["out"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file") as error:
        store.write_bytes(tmp_path / "file" / "out", b"new")
    assert error.value.filename


def test_a_target_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(IsADirectoryError) as error:
        store.write_bytes(tmp_path / "out", b"new")
    assert error.value.filename == str(tmp_path / "out")
    assert folder_of(tmp_path / "out") == ["out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as error:
            store.write_bytes(tmp_path / "out", b"new")
    finally:
        tmp_path.chmod(0o700)
    assert error.value.filename == str(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"old"


# --- Files that are not there ---------------------------------------------------------------------

READERS: dict[str, Callable[[Path], Any]] = {
    "arrays": lambda path: store.read_arrays(path, "latents"),
    "json": store.read_json,
    "table": lambda path: store.read_table(path, "loss"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
class TestFileThatIsNoFile:
    def test_missing(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        with pytest.raises(InputError, match="out: not found; `dvc repro` makes it"):
            read(tmp_path / "out")

    def test_folder(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        with pytest.raises(InputError, match="is a folder, must be a file"):
            read(tmp_path)

    def test_below_a_file(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(NotADirectoryError) as error:
            read(tmp_path / "file" / "out")
        assert error.value.filename == str(tmp_path / "file" / "out")

    def test_no_name(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        with pytest.raises(InputError, match="no name that a file can have"):
            read(tmp_path / "out\0")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
    def test_without_permission(self, tmp_path: Path, read: Callable[[Path], Any]) -> None:
        (tmp_path / "out").touch(0o000)
        with pytest.raises(PermissionError) as error:
            read(tmp_path / "out")
        assert error.value.filename == str(tmp_path / "out")

    @pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff\xfe\xfa" * 40])
    def test_nothing_of_use(
        self, tmp_path: Path, read: Callable[[Path], Any], content: bytes
    ) -> None:
        (tmp_path / "out").write_bytes(content)
        with pytest.raises(InputError, match=r"out: .*; delete it and run `dvc repro`"):
            read(tmp_path / "out")


# --- JSON -----------------------------------------------------------------------------------------


@given(st.dictionaries(texts, numbers | texts | st.dictionaries(texts, numbers, max_size=3)))
def test_json_comes_back(scratch: Path, value: dict[str, Any]) -> None:
    store.write_json(scratch, value)
    assert store.read_json(scratch) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_such_number(tmp_path: Path, number: float) -> None:
    path = tmp_path / "metrics.json"
    store.write_json(path, {"loss": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(path, {"loss": number})
    assert store.read_json(path) == {"loss": 1.5}
    path.write_text(json.dumps({"loss": number}))
    with pytest.raises(InputError, match="not valid JSON"):
        store.read_json(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"loss": 1.5', "not valid JSON"),
        ('{"loss": 1.5} {}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"loss": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"loss": 1e999}', "not valid JSON"),
        ('{"device": "\\ud800"}', "not valid JSON"),
        ("[1]", "must hold a JSON object"),
        ("null", "must hold a JSON object"),
    ],
    ids=["cut", "two", "deep", "huge", "infinite", "surrogate", "list", "null"],
)
def test_json_of_another_kind(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=message):
        store.read_json(tmp_path / "metrics.json")


# --- Tables ---------------------------------------------------------------------------------------


@given(
    st.lists(st.fixed_dictionaries({"epoch": st.integers(1, 2**53), "loss": numbers}), min_size=1)
)
def test_a_table_comes_back(scratch: Path, rows: list[dict[str, float]]) -> None:
    store.write_table(scratch, rows)
    for name, column in store.read_table(scratch, "loss", "epoch").items():
        assert column.dtype == np.float64
        assert column.tolist() == [float(row[name]) for row in rows]


def test_a_table_is_plain_csv(tmp_path: Path) -> None:
    store.write_table(tmp_path / "curve.csv", [{"epoch": 1, "loss": 0.1}])
    assert (tmp_path / "curve.csv").read_bytes() == b"epoch,loss\n1,0.1\n"


@pytest.mark.parametrize(
    "text",
    [
        "epoch,loss\n",
        "epoch\n1\n",
        "epoch,loss\n1\n",
        "epoch,loss\n1,\n",
        "epoch,loss\n1,high\n",
        "epoch,loss\n1,nan\n",
        "epoch,loss\n1,1e999\n",
        'epoch,loss\n1,"0.5',
        "epoch,loss\n1,0\0\n",
        "epoch,loss\n1," + "9" * 200_000 + "\n",
    ],
    ids=["empty", "lacks", "short", "blank", "text", "nan", "inf", "quote", "null", "huge"],
)
def test_a_table_of_another_kind(tmp_path: Path, text: str) -> None:
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(InputError, match="must"):
        store.read_table(tmp_path / "curve.csv", "loss")
