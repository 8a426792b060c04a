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
from safetensors import safe_open

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.store import Arrays

BITS = (8, 16, 32, 64)
DTYPES = ["bool", *(f"{sign}int{n}" for sign in ("", "u") for n in BITS)]
DTYPES += ["float16", "float32", "float64"]
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 0, 3), (2, 3, 4))
ARRAYS: Arrays = {
    "mean": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "labels": np.array([3, 7], np.uint8),
}
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
texts = st.text(max_size=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "latents" / "vae16.safetensors"


@pytest.fixture
def written(path: Path) -> bytes:
    """What stands in the file of ARRAYS at ``path``."""
    store.write_arrays(path, "latents", ARRAYS, model="vae16")
    return path.read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A path for hundreds of files one after the other, without waiting for the disk each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield tmp_path_factory.mktemp("scratch") / "any"


def same(ours: Arrays, theirs: Arrays) -> bool:
    """Whether names, types, shapes and every bit are the same."""
    return ours.keys() == theirs.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in ((ours[name], theirs[name]) for name in ours)
    )


def beside(path: Path) -> list[str]:
    """What lies in the folder of a file, it included."""
    return sorted(entry.name for entry in path.parent.iterdir())


# --- Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapped", [0, 2**30], ids=["mapped", "copied"])
def test_arrays_of_every_type_and_shape_come_back(
    path: Path, mapped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAPPED", mapped)
    arrays = {
        f"{dtype} {shape}": np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        for dtype in DTYPES
        for shape in SHAPES
    }
    store.write_arrays(path, "latents", arrays)
    read, facts = store.read_arrays(path, "latents")
    assert same(read, arrays)
    assert facts == {}
    before = path.read_bytes()
    for array in read.values():
        array[...] = 1
    assert path.read_bytes() == before


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
    read = store.read_arrays(path, "latents")[0]["a"]
    np.testing.assert_array_equal(read, array)
    assert read.flags.c_contiguous
    assert read.flags.writeable


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name != "__metadata__"
        ),
        hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, min_side=0)),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(["model", "split", "β"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    ),
)
def test_any_arrays_and_facts_come_back(
    scratch: Path, arrays: Arrays, facts: dict[str, Any]
) -> None:
    store.write_arrays(scratch, "latents", arrays, **facts)
    read, facts_read = store.read_arrays(scratch, "latents", **facts)
    assert same(read, arrays)
    assert facts_read == facts


def test_the_same_contents_are_the_same_bytes(path: Path) -> None:
    store.write_arrays(path, "latents", ARRAYS, model="vae16", epochs=7)
    first = path.read_bytes()
    turned = dict(reversed(ARRAYS.items()))
    store.write_arrays(path, "latents", turned, epochs=7, model="vae16")
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("what", "expected", "message"),
    [
        ("latents", {"model": "vae16"}, None),
        ("maps", {}, "holds latents, must hold maps"),
        ("latents", {"model": "vae2"}, "made for model 'vae16', must be 'vae2'"),
        ("latents", {"split": "test"}, "made for split None, must be 'test'"),
    ],
)
@pytest.mark.usefixtures("written")
def test_a_file_is_of_what_is_expected_or_refused(
    path: Path, what: str, expected: dict[str, str], message: str | None
) -> None:
    if message is None:
        assert same(store.read_arrays(path, what, **expected)[0], ARRAYS)
        return
    with pytest.raises(InputError) as error:
        store.read_arrays(path, what, **expected)
    assert str(error.value) == f"{path}: {message}; delete it and run `dvc repro`"


# --- Damage ---------------------------------------------------------------------------------------


def flip(content: bytes, place: int, bit: int = 0) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content, place: flip(content, place, place % 8),
        lambda content, place: content[:place] + content[place + 1 :],
        lambda content, place: content[:place] + b"9" + content[place + 1 :],
        lambda content, place: content[:place] + b'"' + content[place + 1 :],
    ],
    ids=["bit", "lost", "digit", "quote"],
)
def test_a_byte_changed_anywhere_is_refused_or_does_no_harm(
    path: Path, written: bytes, damage: Callable[[bytes, int], bytes]
) -> None:
    for place in range(len(written)):
        path.write_bytes(damage(written, place))
        refusal = None
        try:
            arrays, facts = store.read_arrays(path, "latents")
        except InputError as error:
            refusal = str(error)
        if refusal is None:
            assert same(arrays, ARRAYS), place
            assert facts == {"model": "vae16"}, place
        else:
            assert refusal.startswith(f"{path}: "), place


def test_every_byte_of_the_data_matters(path: Path, written: bytes) -> None:
    for place in range(1, 1 + sum(array.nbytes for array in ARRAYS.values())):
        path.write_bytes(flip(written, -place))
        with pytest.raises(InputError, match="do not match their digest"):
            store.read_arrays(path, "latents")


def test_the_digest_is_what_others_can_compute(path: Path) -> None:
    """Of the header, then of each array by name: its type, its shape, its bytes."""
    arrays: Arrays = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a": np.empty((0, 4), np.uint8),
    }
    store.write_arrays(path, "latents", arrays, model="vae16")
    with safe_open(path, framework="numpy") as file:
        header, digest = json.loads(file.metadata()["mnist_vae"])
    read = header.encode() + b"a |u1 (0, 4)\n" + b"b <f4 (2, 3)\n" + arrays["b"].tobytes()
    assert digest == hashlib.sha256(read).hexdigest()


def test_cut_off_anywhere(path: Path, written: bytes) -> None:
    for size in [*range(0, len(written), 7), len(written) - 1]:
        path.write_bytes(written[:size])
        with pytest.raises(InputError, match="damaged"):
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
def test_a_header_changed_without_a_sign(
    path: Path, written: bytes, old: bytes, new: bytes
) -> None:
    assert written.count(old) == 1
    path.write_bytes(written.replace(old, new))
    with pytest.raises(InputError, match="do not match their digest"):
        store.read_arrays(path, "latents")


def safetensors_of(header: Any, body: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def sealed(seal: str) -> dict[str, Any]:
    return {"__metadata__": {"mnist_vae": seal}}


def holding(dtype: str, shape: list[int], size: int, body: bytes = b"") -> bytes:
    """A file of one array of which its header says all this."""
    array = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    return safetensors_of(NOTE | {"a": array}, body)


NOTE = sealed(json.dumps(['{"what": "latents", "about": {}}', "0" * 64]))
LISTED = [note := '{"what": "latents", "about": []}', hashlib.sha256(note.encode()).hexdigest()]
LYING = {
    "other_projects": safetensors_of({"__metadata__": {"format": "pt"}}),
    "no_metadata": safetensors_of({}),
    "no_header": struct.pack("<Q", 0),
    "metadata_no_JSON": safetensors_of(sealed("{")),
    "metadata_a_number": safetensors_of(sealed("3")),
    "metadata_deep": safetensors_of(sealed("[" * 100_000)),
    "header_no_text": safetensors_of(sealed("[1, 2]")),
    "wrong_digest": safetensors_of(NOTE),
    "facts_no_mapping": safetensors_of(sealed(json.dumps(LISTED))),
    "header_longer_than_file": struct.pack("<Q", 10**6) + b"{}",
    "header_of_4_EiB": struct.pack("<Q", 2**62) + b"{}",
    "data_longer_than_file": holding("F32", [9], 36),
    "shape_of_1_EiB": holding("U8", [2**60], 4, b"abcd"),
    "shape_that_overflows": holding("F32", [2**62, 4], 0),
    "type_that_numpy_lacks": holding("BF16", [1], 2, b"ab"),
}


@pytest.mark.parametrize("content", LYING.values(), ids=LYING.keys())
def test_a_header_that_lies(path: Path, content: bytes) -> None:
    store.write_bytes(path, content)
    with pytest.raises(InputError, match="damaged"):
        store.read_arrays(path, "latents")


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
    assert beside(path) == [path.name]


def test_a_file_is_replaced_and_not_written_over(path: Path) -> None:
    """Whoever reads the old one meanwhile reads it to its end."""
    store.write_bytes(path, b"the old contents")
    with open(path, "rb", buffering=0) as reader:
        start = reader.read(4)
        store.write_bytes(path, b"NEW CONTENTS")
        assert start + reader.read() == b"the old contents"
    assert path.read_bytes() == b"NEW CONTENTS"


def test_a_file_is_on_the_disk_before_it_has_its_name(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noting(name: str, do: Callable[..., None]) -> Callable[..., None]:
        def call(*given: Any) -> None:
            order.append(name)
            do(*given)

        return call

    monkeypatch.setattr(os, "fsync", noting("sync", os.fsync))
    monkeypatch.setattr(os, "replace", noting("name", os.replace))
    store.write_bytes(path, b"contents")
    assert order == ["sync", "name"]


def test_success_replaces_the_old_file_once_the_new_one_is_whole(path: Path) -> None:
    store.write_bytes(path, b"old")
    with store.replacing(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    part.write_bytes(b"a long left-over of a process that was killed")
    store.write_bytes(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert beside(path) == [path.name]


@pytest.mark.parametrize("wrong", [np.array(["text"]), np.array([None])])
def test_arrays_that_cannot_be_kept_leave_the_old_file(
    path: Path, written: bytes, wrong: np.ndarray
) -> None:
    with pytest.raises(Exception, match="dtype"):
        store.write_arrays(path, "latents", {"a": wrong})
    assert path.read_bytes() == written
    assert beside(path) == [path.name]


@pytest.mark.parametrize(
    "write",
    [
        "store.write_bytes(path, bytes(100_000))",
        "store.write_arrays(path, 'latents', {'a': np.ones(10**5)})",
        "store.write_json(path, {'a': 'b' * 10**5})",
        "store.write_table(path, ['a'], [{'a': 0.1}] * 10**5)",
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
    command = [sys.executable, "-c", script]
    source = os.environ | {"PYTHONPATH": str(Path(store.__file__).parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=source)
    line = f"-c: error: {path}: larger than the file-size limit of this shell (ulimit -f)\n"
    assert (ended.returncode, ended.stderr) == (1, line)
    assert path.read_bytes() == b"old"
    assert beside(path) == ["out"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file") as error:
        store.write_bytes(tmp_path / "file" / "out", b"new")
    assert error.value.filename


def test_a_target_that_is_a_folder(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as error:
        store.write_bytes(path, b"new")
    assert error.value.filename == str(path)
    assert beside(path) == [path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_a_folder_without_permission(path: Path) -> None:
    store.write_bytes(path, b"old")
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as error:
            store.write_bytes(path, b"new")
    finally:
        path.parent.chmod(0o700)
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"


# --- Files that are not there ---------------------------------------------------------------------


@pytest.fixture(params=["arrays", "json", "table"])
def read(request: pytest.FixtureRequest) -> Callable[[Path], Any]:
    """Each way to read a file."""
    readers: dict[str, Callable[[Path], Any]] = {
        "arrays": lambda path: store.read_arrays(path, "latents"),
        "json": store.read_json,
        "table": lambda path: store.read_table(path, "loss"),
    }
    return readers[request.param]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out", "out: not found; `dvc repro` makes it"),
        ("", "is a folder, must be a file"),
        ("out\0", r"out\\x00': no name that a file can have"),
    ],
)
def test_what_is_no_file(
    tmp_path: Path, read: Callable[[Path], Any], name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


def test_a_file_below_a_file(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError) as error:
        read(tmp_path / "file" / "out")
    assert error.value.filename == str(tmp_path / "file" / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_without_permission(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "out").touch(0o000)
    with pytest.raises(PermissionError) as error:
        read(tmp_path / "out")
    assert error.value.filename == str(tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff\xfe\xfa" * 40])
def test_nothing_of_use(tmp_path: Path, read: Callable[[Path], Any], content: bytes) -> None:
    (tmp_path / "out").write_bytes(content)
    with pytest.raises(InputError, match=r"out: .*; delete it and run `dvc repro`"):
        read(tmp_path / "out")


# --- JSON -----------------------------------------------------------------------------------------


@given(st.dictionaries(texts, numbers | texts | st.dictionaries(texts, numbers, max_size=3)))
def test_json_comes_back(scratch: Path, value: dict[str, Any]) -> None:
    store.write_json(scratch, value)
    assert store.read_json(scratch) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_such_number(path: Path, number: float) -> None:
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
def test_json_of_another_kind(path: Path, text: str, message: str) -> None:
    store.write_bytes(path, text.encode())
    with pytest.raises(InputError, match=message):
        store.read_json(path)


# --- Tables ---------------------------------------------------------------------------------------


@given(
    st.lists(st.fixed_dictionaries({"epoch": st.integers(1, 2**53), "loss": numbers}), min_size=1)
)
def test_a_table_comes_back(scratch: Path, rows: list[dict[str, float]]) -> None:
    store.write_table(scratch, ["epoch", "loss"], rows)
    table = store.read_table(scratch, "loss", "epoch", length=len(rows))
    for name, column in table.items():
        assert column.dtype == np.float64
        assert column.tolist() == [float(row[name]) for row in rows]


def test_json_is_indented_for_a_persons_eyes(path: Path) -> None:
    store.write_json(path, {"a": {"b": 1.5}})
    assert path.read_text() == '{\n  "a": {\n    "b": 1.5\n  }\n}\n'


def test_all_columns_that_a_table_must_have_are_named(path: Path) -> None:
    store.write_bytes(path, b"epoch\n1\n")
    with pytest.raises(InputError, match="must be a CSV of numbers in epoch, loss; delete it"):
        store.read_table(path, "epoch", "loss")


def test_a_table_is_plain_csv(path: Path) -> None:
    store.write_table(path, ["epoch", "loss"], [{"epoch": 1, "loss": 0.1}, {"epoch": 2}])
    assert path.read_bytes() == b"epoch,loss\n1,0.1\n2,\n"


def test_a_table_may_have_no_rows(path: Path) -> None:
    store.write_table(path, ["a", "b"], [])
    assert path.read_bytes() == b"a,b\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,loss\n", "must hold at least one row"),
        ("epoch\n1\n", "must be a CSV of numbers in loss"),
        ("epoch,loss\n1\n", "must be a CSV"),
        ("epoch,loss\n1,\n", "must be a CSV"),
        ("epoch,loss\n1,high\n", "must be a CSV"),
        ("epoch,loss\n1,nan\n", "must hold at least one row of finite numbers"),
        ("epoch,loss\n1,1e999\n", "must hold at least one row of finite numbers"),
        ('epoch,loss\n1,"0.5', "must be a CSV"),
        ("epoch,loss\n1,0\0\n", "must be a CSV"),
        pytest.param("epoch,loss\n1," + "9" * 200_000 + "\n", "must be a CSV", id="huge"),
        ("epoch,loss\n1,0.55\n2,0.5", "its last line is cut short"),
        ("epoch,loss\n1,0.5\n", "found 1 rows, must be 2"),
        ("epoch,loss\n1,0.5\n2,0.4\n3,0.3\n", "found 3 rows, must be 2"),
    ],
)
def test_a_table_of_another_kind(path: Path, text: str, message: str) -> None:
    store.write_bytes(path, text.encode())
    with pytest.raises(InputError, match=message):
        store.read_table(path, "loss", length=2)
