"""Every reader on files that are nearly right: a valid value or InputError, never anything else.

A case starts from a valid file and is altered in a few places, so that what is wrong lies deep;
digests are made again after it, so that they let it through. HYPOTHESIS_PROFILE=fuzz tries 10,000
cases in each test, and pytest's -rP shows how many of them were taken and how many refused.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import math
import operator
import os
import runpy
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pytest
import torch
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from test_mnist import FILES, GOOD, idx, pin

from mnist_vae import evaluation, figures, mnist, params
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.latents import maps, views
from mnist_vae.nets import classifier, devices, weights
from mnist_vae.nets.initialize import initialize
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.weights import load as load_weights
from mnist_vae.nets.weights import save as save_weights
from mnist_vae.params import Range
from mnist_vae.train import loop

ROOT = Path(__file__).resolve().parent.parent
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PARAMS["models"] = {name: PARAMS["models"][name] for name in ("vae2", "ae2", "sigma16")}
del PARAMS["recipes"]["notebook"]
METRICS = {
    name: json.loads((ROOT / f"reports/metrics/{name}.json").read_text())
    for name in PARAMS["models"]
}
Case = TypeVar("Case")


def fuzz(
    cases: st.SearchStrategy[Case],
    read: Callable[[Case], object],
    *escaped: Case,
    where: str | tuple[str, ...] = "",
) -> None:
    """Read many cases: each is taken, and then ``read`` proves it valid, or refused.

    ``escaped`` are cases that once did neither: they are always tried. A refusal names ``where``.
    """
    seen = Counter[str]()

    def run(case: Case) -> None:
        refusal = None
        try:
            read(case)
        except InputError as error:
            refusal = str(error)
        assert refusal is None or refusal.startswith(where)
        seen["taken" if refusal is None else "refused"] += 1

    run_all = given(cases)(run)
    for case in escaped:
        run_all = example(case)(run_all)
    run_all()
    print(f"{seen.total():,} cases: {seen['taken']:,} taken, {seen['refused']:,} refused")
    assert seen.total() >= settings.default.max_examples
    # What alters the files leaves some right and makes some wrong, or it would try nothing.
    assert min(seen["taken"], seen["refused"]) > 0.01 * seen.total(), seen


@pytest.fixture(scope="module", autouse=True)
def unsynced() -> Iterator[None]:
    """Thousands of files one after the other need not wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a case is written."""
    return tmp_path / "case"


# --- How a case differs from a valid file ---------------------------------------------------------

NUMBERS = [0, -1, 10, 2**63, 10**400, 0.5, 1e38, 1e300, math.inf, -math.inf, math.nan]
WORDS = ["", "vae", "ae", "vae2", "\0", "\ud800", "1e-3", "<b>", "../x", "${recipe}"]
scalars = st.sampled_from([None, True, *NUMBERS, *WORDS]) | st.integers() | st.floats() | st.text()
values = scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(), scalars, max_size=2)


def places(tree: Any) -> list[tuple[Any, ...]]:
    """The keys and indices that lead to each node below the root."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = []
    for key, value in inside:
        below = places(value) if isinstance(value, dict | list) else []
        found += [(key,), *((key, *place) for place in below)]
    return found


def twists(value: Any) -> list[Any]:
    """Values that are like this one and yet not it."""
    near: list[Any] = []
    if isinstance(value, int | float):
        near = [value + 1, -value, value * 2]
    elif isinstance(value, str | list):
        near = [value * 2, value[:-1], value[::-1]]
    return [*near, *near, str(value), [value], {"a": value}]


@st.composite
def altered(draw: st.DrawFn, tree: Any, *others: Any) -> Any:
    """A tree with a few nodes changed (perhaps to one of the others), lost, moved or added."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(0, 2))):
        if not (nodes := places(tree)):
            break
        *way, last = draw(st.sampled_from(nodes))
        inside = functools.reduce(operator.getitem, way, tree)
        match draw(st.sampled_from(["twist", "twist", "twist", "new", "moved", "added", "lost"])):
            case "twist":
                inside[last] = draw(st.sampled_from(twists(inside[last])))
            case "new":
                new = draw(st.sampled_from(others) | values if others else values)
                inside[last] = copy.deepcopy(new)  # as it may be altered next
            case "moved" if isinstance(inside, dict):
                inside[draw(st.text(max_size=5))] = inside.pop(last)
            case "added" if isinstance(inside, dict):
                inside[draw(st.text(max_size=5))] = draw(values)
            case _:
                del inside[last]
    return tree


Edits = list[tuple[int, int, bytes]]


def edits(
    size: int, *tokens: bytes, places: Sequence[int] | None = None
) -> st.SearchStrategy[Edits]:
    """Where in so many bytes (or where else), how many to cut out there, and what to put in."""
    start = st.sampled_from(places) if places else st.integers(0, size)
    cut = st.integers(0, 4) | st.just(size)
    return st.lists(
        st.tuples(start, cut, st.sampled_from([b"", *tokens]) | st.binary(max_size=4)), max_size=3
    )


def edit(data: bytes, changes: Edits) -> bytes:
    for start, cut, put in changes:
        data = data[:start] + put + data[start + cut :]
    return data


DTYPES = "bool uint8 int8 uint16 int32 int64 float16 float32 float64".split
SHAPES: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda a: a[:0],
    lambda a: a[:-1],
    lambda a: np.concatenate([a, a]),
    lambda a: a[None],
    lambda a: a[..., None],
    lambda a: a[..., :-1],
    lambda a: a.ravel(),
    lambda a: a.T,
    lambda a: a[0],
]


class Shown(dict[str, np.ndarray]):
    """Arrays of which a failing test shows what they are and not what is in them."""

    def __repr__(self) -> str:
        return repr({name: (array.dtype.name, array.shape) for name, array in self.items()})


@st.composite
def altered_arrays(draw: st.DrawFn, arrays: store.Arrays) -> Shown:
    """Arrays of which one or two have another type, shape or value, or are lost or renamed."""
    arrays = Shown(arrays)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(arrays)))
        array = arrays.pop(name)
        match draw(st.sampled_from(["type", "shape", "value", "value", "moved", "lost"])):
            case "type":
                arrays[name] = cast(array, draw(st.sampled_from(DTYPES())))
            case "shape" if array.ndim and array.size:
                arrays[name] = draw(st.sampled_from(SHAPES))(array)
            case "value" if array.size:
                arrays[name] = array.copy()
                value = draw(st.sampled_from([0, 9, 10, 255, -1, 1e38, math.nan, math.inf]))
                place = draw(st.integers(0, array.size - 1))
                arrays[name].flat[place] = cast(np.array(value), array.dtype)
            case "moved":
                arrays[draw(st.sampled_from([*sorted(arrays), "a"]))] = array
    return arrays


def cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return array.astype(dtype)


# --- IDX ------------------------------------------------------------------------------------------


@st.composite
def idx_files(draw: st.DrawFn) -> bytes:
    """A header of few or huge dimensions with about as many values as it says, then edited."""
    dimension = st.integers(1, 6) | st.integers(0, 2**32 - 1)
    shape = draw(st.sampled_from([[5], [2, 3, 4]]) | st.lists(dimension, max_size=4))
    length = min(math.prod(shape), 300) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    body = bytes([draw(st.integers(0, 255))]) * max(0, length)
    data = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + body
    return edit(data, draw(edits(len(data), b"\x08", b"\xff" * 4)))


def test_idx() -> None:
    def read(data: bytes) -> None:
        array = mnist.parse_idx(data)
        assert array.dtype == np.uint8
        assert array.ndim in (1, 3)
        assert array.size > 0
        assert idx(array) == data

    fuzz(idx_files(), read)


def test_archives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch)
    packed = {name: name.startswith(("tgz", "tar.gz")) for name in GOOD}
    plain = {n: gzip.decompress(d) if packed[n] else d for n, d in GOOD.items()}

    def around(name: str) -> st.SearchStrategy[tuple[str, Edits]]:
        """Changes to an archive, outside the files in it."""
        outside = plain[name]
        for data in FILES.values():
            outside = outside.replace(data, b"\1" * len(data))
        places = [at for at, byte in enumerate(outside) if byte != 1]
        return st.tuples(st.just(name), edits(len(outside), b"\xff" * 4, places=places))

    def read(case: tuple[str, Edits]) -> None:
        name, changes = case
        data = edit(plain[name], changes)
        path.write_bytes(gzip.compress(data, 1) if packed[name] else data)
        assert mnist.read_files(path) == FILES

    before_the_start = [(100, 1, b"")]  # where the directory then says that the first file is
    fuzz(st.sampled_from(sorted(GOOD)).flatmap(around), read, ("zip", before_the_start))


# --- Params ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optics:
    """Settings of every kind that the reader knows."""

    name: str
    lenses: Annotated[int, Range(1, 8)]
    focus: Annotated[float, Range(0, above=True)]
    coating: Literal["none", "single"] = "none"
    filters: tuple[Annotated[int, Range(0, 9)], ...] = ()
    gain: Annotated[float, Range(0)] | None = None


KINDS = [bool, int, float, str, Literal["a", "vae"], int | None, tuple[float, ...], dict[str, int]]
WANTED = {
    "seed": params.Seed,
    "models": dict[str, ModelSettings],
    "recipes.${recipe}": loop.Recipe,
    "encode": views.EncodeSettings,
    "embed": maps.EmbedSettings,
    "classifier": classifier.ClassifierSettings,
    "evaluate": evaluation.EvaluateSettings,
    "data": mnist.DataParams,
    "figures": figures.FigureParams,
}
YAML = """
a: b: [ ] { } , &x *x <<: !!int !!float !!bool !!binary !!set !!omap !!timestamp !t ' " ... - :
%YAML --- # ? > | @ ~ .inf 1e-3 0x 0b_ 1:2 2024-1-1 \ufeff é "\\ud800"
"""


def plain(value: Any) -> Any:
    """A value as YAML would hold it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def assert_valid(value: Any, kind: Any) -> None:
    """What was taken is taken again as it is."""
    assert params.check(plain(value), kind, "again") == value


def test_params_values() -> None:
    optics = altered({"name": "wide", "lenses": 2, "focus": 0.5, "filters": [1, 2]})
    some = values | st.booleans() | st.integers(0) | st.binary() | st.dates() | optics
    kinds = st.sampled_from([*KINDS, dict[str, Optics], params.Seed])

    def read(case: tuple[Any, Any]) -> None:
        assert_valid(params.check(*case, "key"), case[1])

    fuzz(st.tuples(optics, st.just(Optics)) | st.tuples(some, kinds), read, where="key")


def read_params(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = params.load(*WANTED.items(), path=path)
    for value, kind in zip(found, WANTED.values(), strict=True):
        assert_valid(value, kind)


def test_params_tree(path: Path) -> None:
    fuzz(
        altered(PARAMS),
        lambda tree: read_params(path, yaml.safe_dump(tree).encode()),
        where=f"{path}: ",
    )


def test_params_text(path: Path) -> None:
    tokens = [token.encode() for token in [*YAML.split(), "\n", "\n  ", "0x" + "f" * 5000]]
    text = yaml.safe_dump(PARAMS).encode()
    numbers = [at for at, byte in enumerate(text) if byte in b"0123456789"]
    harmless = edits(len(text), b"1", b"2", b"3", b"4", places=numbers)
    cases = edits(len(text), *tokens) | harmless
    fuzz(cases, lambda changes: read_params(path, edit(text, changes)), where=f"{path}: ")


# --- Arrays ---------------------------------------------------------------------------------------

NUMPY = {"U8": "u1", "I8": "i1", "I32": "<i4", "F32": "<f4", "F64": "<f8", "BOOL": "?"}
HEADER = {
    "labels": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
    "mean": {"dtype": "F32", "shape": [2, 3], "data_offsets": [2, 26]},
}
BODY = bytes([3, 7]) + np.linspace(-1, 1, 6, dtype="<f4").tobytes()
NOTE = {"what": "latents", "about": {"model": "vae16", "epochs": 3}}
OTHERS = [*NUMPY, "BF16", "F8_E4M3", "F4", [3, 2], [6], [24], [1, 2, 3], [0, 26], 2**32, 2**62, 26]


def safetensors_of(header: Any, body: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def arrays_of(header: Any, body: bytes) -> store.Arrays | None:
    """What a header makes of the body, if it makes sense."""
    try:
        return {
            name: np.frombuffer(body[slice(*at["data_offsets"])], NUMPY[at["dtype"]]).reshape(
                at["shape"]
            )
            for name, at in sorted(header.items())
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def digest(note: str, arrays: store.Arrays) -> str:
    """The digest that a file of this project carries, by its definition."""
    found = hashlib.sha256(note.encode())
    for name, array in arrays.items():
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return found.hexdigest()


@st.composite
def array_files(draw: st.DrawFn) -> tuple[bytes, store.Arrays | None]:
    """A file altered at one level, its digest made to fit, and the arrays in it if it has any."""
    level = draw(st.sampled_from(["header", "body", "note", "seal", "bytes"]))
    header = draw(altered(HEADER, *OTHERS)) if level == "header" else HEADER
    body = edit(BODY, draw(edits(len(BODY)))) if level == "body" else BODY
    note = json.dumps(draw(altered(NOTE)) if level == "note" else NOTE)
    arrays = arrays_of(header, body)
    seal: Any = [note, digest(note, arrays or {})]
    seal = draw(altered(seal)) if level == "seal" else seal
    data = safetensors_of({"__metadata__": {"mnist_vae": json.dumps(seal)}, **header}, body)
    return (edit(data, draw(edits(len(data)))) if level == "bytes" else data), arrays


def test_arrays(path: Path) -> None:
    def read(case: tuple[bytes, store.Arrays | None]) -> None:
        path.write_bytes(case[0])
        arrays, about = store.read_arrays(path, "latents")
        assert isinstance(about, dict)
        assert sum(array.nbytes for array in arrays.values()) < len(case[0])
        assert case[1] is not None
        assert arrays.keys() == case[1].keys()
        for name, array in arrays.items():
            assert (array.dtype, array.shape) == (case[1][name].dtype, case[1][name].shape)
            assert array.tobytes() == case[1][name].tobytes()

    fuzz(array_files(), read, where=f"{path}: ")


BOASTS = {
    "images": struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + bytes(784),
    "labels": struct.pack(">4BI", 0, 0, 8, 1, 2**32 - 1) + bytes(8),
    "data": safetensors_of({"a": {"dtype": "U8", "shape": [2**32], "data_offsets": [0, 2**32]}}),
    "shape": safetensors_of({"a": {"dtype": "U8", "shape": [2**32], "data_offsets": [0, 4]}}),
    "header": struct.pack("<Q", 2**32) + b"{}",
}


def test_nothing_is_allocated_for_a_boastful_header(tmp_path: Path) -> None:
    for name, data in BOASTS.items():
        (tmp_path / name).write_bytes(data)
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from mnist_vae.files import store
from mnist_vae import errors, mnist
resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
try:
    np.empty(2**32, np.uint8)
except MemoryError:
    print("4 GiB are out of reach")
for path in map(Path, sys.argv[1:]):
    try:
        if path.name in ("images", "labels"):
            mnist.parse_idx(path.read_bytes())
        else:
            store.read_arrays(path, "latents")
    except errors.InputError as error:
        print(error)
"""
    files = [str(tmp_path / name) for name in BOASTS]
    child = [sys.executable, "-c", script, *files]
    said = subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "4 GiB are out of reach"
    for line, file in zip(said[1:], files, strict=True):
        assert "IDX header promises 4294967295" in line or line.startswith(f"{file}: damaged")


# --- Weights --------------------------------------------------------------------------------------

VAE2 = ModelSettings(kind="vae", latent_dim=2, kl_weight=0.001)


@st.composite
def array_cases(draw: st.DrawFn, arrays: store.Arrays, about: Any) -> Any:
    """Arrays and the facts about them, the ones or the others altered."""
    if draw(st.booleans()):
        return draw(altered_arrays(arrays)), about
    taken = {"path", "what", "arrays"}  # names of write_arrays' own arguments
    return Shown(arrays), draw(altered(about).filter(lambda about: not taken & about.keys()))


def test_weights(path: Path) -> None:
    network = build(VAE2)
    initialize(network, "looks_linear", torch.Generator().manual_seed(0), 0.13)
    save_weights(path, network, "vae2", VAE2, epochs=3, device="CPU")
    weights, about = store.read_arrays(path, "weights")

    def read(case: tuple[store.Arrays, dict[str, Any]]) -> None:
        store.write_arrays(path, "weights", case[0], **case[1])
        found, settings, _ = load_weights(path, "vae2")
        assert_valid(settings, ModelSettings)
        assert found.latent_dim == settings.latent_dim == 2
        assert found.state_dict().keys() == case[0].keys()
        for name, weight in found.state_dict().items():
            assert weight.dtype == torch.float32
            assert np.array_equal(weight, cast(case[0][name], np.float32), equal_nan=True)

    fuzz(array_cases(weights, about), read, where=f"{path}: ")


# --- JSON and tables ------------------------------------------------------------------------------


def test_json(path: Path) -> None:
    tokens = [b"NaN", b"1e999", b'"\\ud800"', b"9" * 5000, b"[" * 5000, b'"a": ', b"{", b"}"]
    text = json.dumps({k: METRICS["vae2"][k] for k in ("epochs", "train", "device")}).encode()

    def read(changes: Edits) -> None:
        path.write_bytes(edit(text, changes))
        found = store.read_json(path)
        store.write_json(path, found)
        assert store.read_json(path) == found
        json.dumps(found, ensure_ascii=False).encode()  # all of it can be shown

    fuzz(edits(len(text), *tokens), read, where=f"{path}: ")


def test_tables(path: Path) -> None:
    tokens = [b"\n", b",", b'"', b"nan", b"1e999", b"-1", b"\r", b"9" * 200_000, b"epoch", b"\0"]

    text = b"epoch,loss,kl\n1,20.5,3\n2,9.25,4\n3,1e-3,5\n"

    def read(changes: Edits) -> None:
        path.write_bytes(edit(text, changes))
        table = store.read_table(path, "epoch", "loss")
        assert [*table] == ["epoch", "loss"]
        assert len(table["epoch"]) > 0
        for column in table.values():
            assert column.dtype == np.float64
            assert column.shape == table["epoch"].shape
            assert np.isfinite(column).all()

    fuzz(edits(len(text), *tokens), read, where=f"{path}: ")


# --- What the stages read -------------------------------------------------------------------------


class Reached(Exception):
    """A stage has read all its files and begins to compute."""


def whole(array: np.ndarray, dtype: Any, *shape: int) -> None:
    assert (array.dtype, array.shape) == (dtype, shape)
    assert array.size > 0
    assert np.isfinite(array).all()


def digits(labels: np.ndarray, size: int) -> None:
    whole(labels, np.uint8, size)
    assert labels.max() < 10


def to_train(vae: Any, settings: Any, recipe: Any, images: torch.Tensor, **_: Any) -> None:
    whole(images.numpy(), np.uint8, len(images), 1, 28, 28)


def to_classify(network: Any, settings: Any, images: torch.Tensor, labels: Any, **_: Any) -> None:
    whole(images.numpy(), np.uint8, len(images), 1, 28, 28)
    digits(labels.numpy(), len(images))


def to_explore(vae: Any, images: np.ndarray, labels: np.ndarray, *_: Any) -> None:
    whole(images, np.uint8, len(images), 28, 28)
    digits(labels, len(images))


def to_project(points: np.ndarray, others: np.ndarray, *_: Any) -> None:
    size, dim = points.shape
    whole(points, np.float32, size, dim)
    whole(others, np.float32, 10, dim)


def to_measure(
    vae: Any, settings: Any, network: Any, latents: Any, maps: Any, images: Any, curve: Any, *_: Any
) -> None:
    size, more = len(images), len(latents["train_mean"])
    whole(images, np.uint8, size, 28, 28)
    for name, rows in (("mean", size), ("logvar", size), ("train_mean", more)):
        whole(latents[name], np.float32, rows, settings.latent_dim)
    digits(latents["labels"], size)
    digits(latents["train_labels"], more)
    for name in ("map", "pca"):
        whole(maps[name], np.float32, size, 2)
    for column in ("epoch", "loss", "squared_error", "kl"):
        whole(curve[column], np.float64, len(curve["epoch"]))


def to_draw(_: Any, facts: Any, curve: Any, latents: Any, images: Any, maps: Any) -> None:
    size, dim = latents["mean"].shape
    for name in {"mean", "logvar"} & latents.keys():
        whole(latents[name], np.float32, size, dim)
    digits(latents["labels"], size)
    digits(maps["labels"], size)
    for name, rows in (("map", size), ("pca", size), ("class_map", 10)):
        whole(maps[name], np.float32, rows, 2)
    whole(maps["explained_variance"], np.float32, 2)
    for name in {"originals", "reconstructions", "prior_samples"} & images.keys():
        whole(images[name], np.uint8, 100, 28, 28)
    whole(images["class_digits"], np.uint8, 10, 28, 28)
    steps = len(images["interpolation"])
    whole(images["interpolation"], np.uint8, steps, steps, 28, 28)
    if "manifold" in images:
        rows, columns = len(images["manifold_y"]), len(images["manifold_x"])
        whole(images["manifold"], np.uint8, rows, columns, 28, 28)
        whole(images["manifold_y"], np.float32, rows)
        whole(images["manifold_x"], np.float32, columns)
    if "traversals" in images:
        rows, columns = images["traversals"].shape[:2]
        whole(images["traversals"], np.uint8, rows, columns, 28, 28)
        whole(images["traversal_dims"], np.int64, rows)
        whole(images["traversal_values"], np.float32, rows, columns)
    assert f"{facts['start'] + facts['epochs']} {facts['perplexity']:g}"
    assert len(facts["classes"]) == 4
    assert set(facts["classes"]) <= set(range(10))


TRAIN, TEST = "data/mnist/train.safetensors", "data/mnist/test.safetensors"
WEIGHTS = "models/m.safetensors"
LATENTS, MAPS = "data/latents/m.safetensors", "data/maps/m.safetensors"
CURVE = "reports/curves/m.csv"
STAGES: dict[str, tuple[Any, str, Callable[..., None], list[str]]] = {
    "train": (loop, "train", to_train, [TRAIN]),
    "classify": (classifier, "train", to_classify, [TRAIN, TEST]),
    "encode": (views, "explore", to_explore, [WEIGHTS, TRAIN, TEST]),
    "embed": (maps, "project", to_project, [LATENTS]),
    "evaluate": (evaluation, "measure", to_measure, [LATENTS, MAPS, TEST, CURVE]),
    "draw": (figures, "of_model", to_draw, [LATENTS, "data/images/m.safetensors", MAPS, CURVE]),
}


def main_of(stage: str) -> Callable[[], None]:
    return runpy.run_path(str(ROOT / "stages" / f"{stage}.py"))["main"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that the stages read of an untrained model ``m``, made by them."""
    folder = tmp_path_factory.mktemp("project")
    small = {**PARAMS["encode"], "steps": 2, "manifold_steps": 2}
    tree = {**PARAMS, "models": {"m": dataclasses.asdict(VAE2)}, "encode": small}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MNIST_VAE_DEVICE", "cpu")
        Path("params.yaml").write_text(yaml.safe_dump(tree))
        for split in ("train", "test"):
            with np.load(ROOT / "tests" / "data" / f"{split}.npz") as arrays:
                path = Path(f"data/mnist/{split}.safetensors")
                store.write_arrays(path, "images", dict(arrays), split=split)
        network = build(VAE2)
        initialize(network, "looks_linear", torch.Generator().manual_seed(0), 0.13)
        save_weights(Path(WEIGHTS), network, "m", VAE2, epochs=3, device="CPU")
        classifier.save(Path("data/classifier.safetensors"), classifier.Classifier())
        rows = [{"epoch": e, "loss": 9 / e, "squared_error": 8 / e, "kl": 1} for e in (1, 2, 3)]
        store.write_table(Path(CURVE), rows)
        for stage in ("encode", "embed"):
            patch.setattr(sys, "argv", [stage, "m"])
            main_of(stage)()
        yield folder


@st.composite
def altered_files(draw: st.DrawFn, folder: Path, names: list[str]) -> tuple[str, Any]:
    """One of the files and what to make of it: arrays and facts, or changes to its text."""
    name = draw(st.sampled_from(names))
    if name.endswith(".csv"):
        return name, draw(edits((folder / name).stat().st_size, b"nan", b",", b"\n"))
    return name, draw(array_cases(*contents(folder / name)[1:]))


@functools.cache
def contents(path: Path) -> tuple[str, store.Arrays, dict[str, Any]]:
    """What a file holds, its arrays and the facts about them."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(json.loads(file.metadata()["mnist_vae"])[0])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return header["what"], arrays, header["about"]


@pytest.mark.parametrize("stage", STAGES)
def test_stages(project: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    module, function, check, names = STAGES[stage]

    def stop(*given: Any, **named: Any) -> None:
        check(*given, **named)
        raise Reached

    monkeypatch.setattr(module, function, stop)
    # It would hold for all tests to come, and hypothesis needs the tiny numbers.
    monkeypatch.setattr(devices, "tune_for_training", lambda: None)
    for reader in (params, classifier, *([] if WEIGHTS in names else [weights])):
        monkeypatch.setattr(reader, "load", functools.cache(reader.load))  # of unaltered files
    monkeypatch.setattr(sys, "argv", [stage, *(["m"] if stage != "classify" else [])])
    main = main_of(stage)

    def read(case: tuple[str, Any]) -> None:
        name, change = case
        path = project / name
        kept = path.read_bytes()
        if isinstance(change, list):
            path.write_bytes(edit(kept, change))
        else:
            store.write_arrays(path, contents(path)[0], change[0], **change[1])
        try:
            with pytest.raises(Reached), contextlib.redirect_stdout(io.StringIO()):
                main()
        finally:
            path.write_bytes(kept)

    fuzz(altered_files(project, names), read, where=("data/", "models/", "reports/"))


# --- The page -------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x20"


def to_points(names: list[str], rates: np.ndarray, distortions: np.ndarray) -> None:
    for column in (rates, distortions):
        assert (column.dtype, column.shape) == (np.float64, (len(names),))
        assert np.isfinite(column).all()


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {key: PARAMS[key] for key in ("models", "recipe", "recipes", "seed")}
    trees: dict[str, Any] = {
        "params.yaml": {**tree, "figures": {"dpi": 50}},
        "reports/classifier.json": {"test_accuracy": 99.3, "epochs": 5},
        **{f"reports/metrics/{name}.json": found for name, found in METRICS.items()},
    }
    texts = {
        "requirements.txt": b"torch==2.15.0 \\\n    --hash=sha256:22\n",
        "reports/curves/vae2.csv": b"epoch,loss\n1,9.5\n2,8.5\n",
        "reports/figures/vae2/loss.png": PNG,
    }
    valid = {name: json.dumps(tree).encode() for name, tree in trees.items()} | texts
    valid |= {f"reports/curves/{name}.csv": b"epoch,loss\n1,9.5\n" for name in ("ae2", "sigma16")}
    for name, data in valid.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    written = [tmp_path / "reports" / name for name in ("README.md", "index.html", "curves.csv")]
    monkeypatch.chdir(tmp_path)
    # Drawing takes longer than the rest of the stage by far.
    monkeypatch.setattr(figures, "of_all_models", to_points)
    monkeypatch.setattr(figures, "png", lambda figure, dpi: PNG)
    main = main_of("report")

    def read(case: tuple[str, bytes]) -> None:
        name, data = case
        (tmp_path / name).write_bytes(data)
        try:
            main()
            texts = [path.read_text(encoding="utf-8") for path in written]
            assert all(texts)
        except InputError:
            assert not any(path.exists() for path in written)
            raise
        finally:
            (tmp_path / name).write_bytes(valid[name])
            for path in written:
                path.unlink(missing_ok=True)

    def of_tree(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
        return st.tuples(st.just(name), altered(trees[name]).map(json.dumps).map(str.encode))

    def of_text(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
        data = texts[name]
        changes = edits(len(data), b"\xff", b"1e999", b"\n", b",")
        return st.tuples(st.just(name), changes.map(functools.partial(edit, data)))

    def swapped(name: str, old: str, new: str) -> tuple[str, bytes]:
        assert old.encode() in valid[name]
        return name, valid[name].replace(old.encode(), new.encode(), 1)

    cases = st.sampled_from(sorted(trees)).flatmap(of_tree)
    metrics = "reports/metrics/sigma16.json"
    fuzz(
        cases | st.sampled_from(sorted(texts)).flatmap(of_text),
        read,
        ("params.yaml", json.dumps({**trees["params.yaml"], "models": {}}).encode()),
        swapped("params.yaml", '"kind": "vae"', '"kind": ["vae"]'),
        swapped("params.yaml", '"latent_dim": 2', '"latent_dim": 0x' + "f" * 5000),
        swapped("params.yaml", '"vae2"', '"vae\\0"'),
        swapped(metrics, '"beta": ', '"beta": -'),
        swapped(metrics, '"epochs": ', '"epochs": ' + "9" * 400),
        swapped(metrics, '"device": "', '"device": "\\ud800'),
        ("requirements.txt", b"torch==2\xff"),
        where=("params.yaml: ", "reports/", "'reports/"),
    )
