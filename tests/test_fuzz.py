"""Readers on files that are nearly right: a valid value or InputError, never anything else.

What strangers send (IDX, archives), what people edit (params.yaml), and what lies between stages.
A case starts from a valid file and is altered in a few places, so that what is wrong lies deep.
HYPOTHESIS_PROFILE=fuzz tries 10,000 cases a test; -rP shows how many were taken and refused.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.mnist_files import ARCHIVES, FILES, PINNED, idx
from support.project import ROOT

from mnist_vae.data.archives import read_files
from mnist_vae.data.dataset import DataSettings
from mnist_vae.data.idx import parse_idx
from mnist_vae.data.npz import read_npz
from mnist_vae.data.pictures import read_pictures
from mnist_vae.errors import InputError
from mnist_vae.figures.style import FigureSettings
from mnist_vae.files import store
from mnist_vae.files.latents import LATENTS
from mnist_vae.latents.maps import EmbedSettings
from mnist_vae.latents.views import EncodeSettings
from mnist_vae.measure.evaluate import EvaluateSettings
from mnist_vae.nets.model import ModelSettings
from mnist_vae.settings import Seed, check, read_params
from mnist_vae.train.classify import ClassifierSettings
from mnist_vae.train.recipe import Recipe

Case = TypeVar("Case")


def fuzz(
    cases: st.SearchStrategy[Case],
    read: Callable[[Case], object],
    *escaped: Case,
    begins: str = "",
) -> None:
    """Read many cases: each is taken, and then ``read`` proves it valid, or refused.

    ``escaped`` are cases that once did neither: they are always tried. A refusal ``begins`` so.
    """
    seen = Counter[str]()

    def run(case: Case) -> None:
        refusal = None
        try:
            read(case)
        except InputError as error:
            refusal = str(error)
        assert refusal is None or refusal.startswith(begins)
        seen["taken" if refusal is None else "refused"] += 1

    run_all = given(cases)(run)
    for case in escaped:
        run_all = example(case)(run_all)
    run_all()
    print(f"{seen.total():,} cases: {seen['taken']:,} taken, {seen['refused']:,} refused")
    assert seen.total() >= settings().max_examples
    # What alters the files leaves some right and makes some wrong, or it would try nothing.
    assert min(seen["taken"], seen["refused"]) > 0.01 * seen.total(), seen


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where cases are written, one after the other, without waiting for the disk each time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return tmp_path / "case"


# --- How a case differs from a valid file ---------------------------------------------------------

Edits = list[tuple[int, int, bytes]]


def edits(
    size: int, *tokens: bytes, places: Sequence[int] | None = None
) -> st.SearchStrategy[Edits]:
    """Where in so many bytes (or where else), how many to cut out there, and what to put in."""
    start = st.sampled_from(places) if places else st.integers(0, size)
    cut = st.integers(0, 4) | st.just(size)
    put = st.sampled_from([b"", *tokens]) | st.binary(max_size=4)
    return st.lists(st.tuples(start, cut, put), max_size=3)


def edit(data: bytes, changes: Edits) -> bytes:
    for start, cut, put in changes:
        data = data[:start] + put + data[start + cut :]
    return data


# --- What a stranger sends ------------------------------------------------------------------------


@st.composite
def idx_files(draw: st.DrawFn) -> bytes:
    """A header of few or huge dimensions with about as many values as it says, then edited."""
    dimension = st.integers(1, 6) | st.integers(0, 2**32 - 1)
    shape = draw(st.sampled_from([[5], [2, 3, 4]]) | st.lists(dimension, max_size=4))
    length = min(math.prod(shape), 300) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    body = bytes([draw(st.integers(0, 255))]) * max(0, length)
    data = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + body
    return edit(data, draw(edits(len(data), b"\x08", b"\xff" * 4)))


def picture_file(image: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def test_idx() -> None:
    def read(data: bytes) -> None:
        array = parse_idx(data)
        assert array.dtype == np.uint8
        assert array.ndim in (1, 3)
        assert array.size > 0
        assert idx(array) == data

    fuzz(idx_files(), read)


def test_archives(path: Path) -> None:
    packed = {name: name.startswith(("tgz", "tar.gz")) for name in ARCHIVES}
    plain = {n: gzip.decompress(d) if packed[n] else d for n, d in ARCHIVES.items()}

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
        assert read_files(path, PINNED) == FILES

    before_the_start = [(100, 1, b"")]  # where the directory then says that the first file is
    fuzz(st.sampled_from(sorted(ARCHIVES)).flatmap(around), read, ("zip", before_the_start))


# Small files of each form, as people have them.
PICTURES = [
    picture_file(image, suffix)
    for image in (Image.new("L", (9, 7), 30), Image.linear_gradient("L").resize((8, 8)))
    for suffix in ("png", "jpeg", "webp", "gif", "bmp")
]


def test_pictures(path: Path) -> None:
    cases = st.sampled_from(PICTURES).flatmap(
        lambda data: st.tuples(st.just(data), edits(len(data), b"\xff" * 4))
    )

    def read(case: tuple[bytes, Edits]) -> None:
        path.write_bytes(edit(*case))
        images, _, _ = read_pictures([str(path)], 8, 3, skip=False)
        assert images.dtype == np.uint8
        assert images.shape == (1, 3, 8, 8)

    fuzz(cases, read, begins=f"{path}: ")


def test_npz(path: Path) -> None:
    arrays = {"images": np.zeros((4, 8, 8), np.uint8), "labels": np.array(["a", "b", "a", "c"])}
    written = []
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        write(file, **arrays)  # type: ignore[arg-type]
        written.append(file.getvalue())
    cases = st.sampled_from(written).flatmap(
        lambda data: st.tuples(st.just(data), edits(len(data), b"(", b"O", b"\xff" * 4))
    )

    def read(case: tuple[bytes, Edits]) -> None:
        path.write_bytes(edit(*case))
        for split in read_npz(path).values():
            for name, array in split.items():
                assert array.dtype.kind in ("u" if "images" in name else "iuU")

    fuzz(cases, read)


# --- What a person edits --------------------------------------------------------------------------

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PARAMS["models"] = {name: PARAMS["models"][name] for name in ("vae2", "ae2", "sigma16")}
del PARAMS["recipes"]["notebook"]
WANTED = {
    "seed": Seed,
    "models": dict[str, ModelSettings],
    "recipes.${recipe}": Recipe,
    "encode": EncodeSettings,
    "embed": EmbedSettings,
    "classifier": ClassifierSettings,
    "evaluate": EvaluateSettings,
    "data": DataSettings,
    "figures": FigureSettings,
}
SCALARS = r"""
true null vae ae2 ${recipe} 0 -1 9 10 0.5 1.5 128 1e-3 1.0e-3 1.0e+38 1e999 .inf .nan 0x1F 0b_ 1:2
2024-13-01 '' "\ud800" "\0" '#000000' [] {} [1,2] [0,1,2,3] {a:1} &x *x <<: !!int !!set !t é
"""
TOKENS = [token.encode() for token in ("\n", "\n  ", "---", *"[]{}:,-#?>|@~'\"%", *SCALARS.split())]
scalars = st.sampled_from(SCALARS.split()) | (st.integers() | st.floats() | st.text()).map(str)


@st.composite
def params(draw: st.DrawFn) -> bytes:
    """All settings, with a value or two changed, a line lost, doubled, misspelt or moved in."""
    lines = yaml.safe_dump(PARAMS).splitlines()
    for number in draw(st.lists(st.integers(0, len(lines) - 1), max_size=2)):
        key, _, value = (line := lines[number]).partition(": ")
        changed = [f"{key}: {draw(scalars)}", f"{key}x: {value}", f"{line}\n{line}", f"  {line}"]
        lines[number] = draw(st.sampled_from([*changed[:1] * 4, *changed, "", f"{line}0"]))
    return "\n".join(lines).encode(errors="surrogatepass")


def test_params(path: Path) -> None:
    """What is taken is taken again as it is."""
    text = yaml.safe_dump(PARAMS).encode()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        taken = read_params(*WANTED.items(), path=path)
        for value, kind in zip(taken, WANTED.values(), strict=True):
            assert check(msgspec.to_builtins(value), kind, "again") == value

    edited = edits(len(text), *TOKENS).map(lambda changes: edit(text, changes))
    huge = text.replace(b"seed: 0", b"seed: 0x" + b"f" * 5000)
    fuzz(params() | edited, read, huge, begins=f"{path}: ")


# --- What lies between stages ---------------------------------------------------------------------

NUMBER = np.linspace(-1, 1, 24, dtype=np.float32).reshape(12, 2)
ARRAYS: store.Arrays = {
    "mean": NUMBER,
    "logvar": -NUMBER,
    "labels": np.array([*range(10), 3, 7], np.uint8),
    "class_latents": NUMBER[:10],
    "train_mean": NUMBER[2:7],
    "train_logvar": -NUMBER[2:7],
    "train_labels": np.full(5, 9, np.uint8),
}
FACTS: dict[str, Any] = {
    **{"model": "vae2", "weights": "0" * 64, "seed": 0, "epochs": 3},
    **{"dataset": "d", "classes": ["a"]},
}
CHANGES: list[Callable[[np.ndarray], np.ndarray]] = [
    np.copy,
    np.transpose,
    lambda array: array[:-1],
    lambda array: array[None],
    lambda array: array[..., :0],
    lambda array: array.astype(np.float64),
    lambda array: array + array.dtype.type(1),
    lambda array: np.where(array == array.max(), np.nan, array).astype(array.dtype),
]


@st.composite
def latents(draw: st.DrawFn) -> tuple[store.Arrays, dict[str, Any], Edits]:
    """Arrays and facts about them, perhaps altered before the file is sealed, and edits to it."""
    arrays, facts = dict(ARRAYS), dict(FACTS)
    for name in draw(st.lists(st.sampled_from(sorted(ARRAYS)), max_size=2, unique=True)):
        with np.errstate(invalid="ignore"):
            array = draw(st.sampled_from(CHANGES))(arrays.pop(name))
        if new_name := draw(st.sampled_from([name, name, name, "a", ""])):
            arrays[new_name] = array
    for name in draw(st.lists(st.sampled_from([*FACTS, "more"]), max_size=1)):
        facts[name] = draw(st.none() | st.integers() | st.text() | st.floats() | st.just([3]))
    return arrays, facts, draw(st.just([]) | edits(1500))


def test_files(path: Path) -> None:
    """A file that is damaged, or was written as something else, is refused by its name."""

    def read(case: tuple[store.Arrays, dict[str, Any], Edits]) -> None:
        arrays, facts, changes = case
        store.write_arrays(path, "latents", arrays, **facts)
        path.write_bytes(edit(path.read_bytes(), changes))
        found, found_facts = LATENTS.read(path, model="vae2")
        optional = {"classes": facts.get("classes", [])}
        assert json.loads(msgspec.json.encode(found_facts)) == facts | optional
        assert found.keys() == arrays.keys()
        (size, dim), more = found["mean"].shape, len(found["train_mean"])
        classes = len(found.get("class_latents", ()))
        for name, array in found.items():
            rows = more if name.startswith("train_") else size
            rows = classes if name == "class_latents" else rows
            assert array.shape == ((rows,) if "labels" in name else (rows, dim))
            assert array.dtype == (np.uint8 if "labels" in name else np.float32)
            assert array.size > 0
            assert array.tobytes() == arrays[name].tobytes()
            assert np.isfinite(array).all()
            assert "labels" not in name or array.max() < classes

    fuzz(latents(), read, begins=f"{path}: ")
