"""Declared kinds of files: what fits comes back, what does not is neither written nor read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.files.kind import Kind
from mnist_vae.files.latents import LATENTS, LatentsFacts
from mnist_vae.files.maps import MAPS, MapsFacts
from mnist_vae.files.priors import PRIORS, PriorsFacts
from mnist_vae.files.real import REAL, RealFacts
from mnist_vae.files.samples import SAMPLES, SamplesFacts
from mnist_vae.files.store import Arrays
from mnist_vae.files.views import VIEWS, ViewsFacts
from mnist_vae.settings import Settings

DECLARED: list[tuple[Kind[Any], Settings]] = [
    (IMAGES, ImagesFacts(split="train", dataset="MNIST")),
    (LATENTS, LatentsFacts(model="vae", weights="ab", seed=0, epochs=3, dataset="MNIST")),
    (VIEWS, ViewsFacts(model="vae", epochs=3, corners=(2, 4, 5, 6), start=200)),
    (PRIORS, PriorsFacts(model="vae", weights="ab", seed=0, components=10)),
    (REAL, RealFacts(dataset="MNIST")),
    (SAMPLES, SamplesFacts(model="vae", weights="ab")),
    (MAPS, MapsFacts(model="vae", method="t-SNE", perplexity=30.0)),
]
each_kind = pytest.mark.parametrize(("kind", "facts"), DECLARED, ids=[k.what for k, _ in DECLARED])


def filled(forms: Mapping[str, str]) -> Arrays:
    """Arrays of these forms, a size of its own for each letter."""
    arrays = {}
    for name, form in forms.items():
        dtype, *letters = form.split()
        shape = [int(x) if x.isdigit() else 2 + ord(x) % 11 for x in letters]
        numbers = 9 - np.arange(np.prod(shape, dtype=int)) % 10
        arrays[name] = numbers.reshape(shape).astype(dtype.partition("<")[0])
    return arrays


def misfits(kind: Kind[Any]) -> Iterator[tuple[Arrays, str]]:
    """Arrays of another form than a kind's, each with the reason."""
    whole = filled(kind.arrays)
    yield whole | {"more": np.zeros(1)}, f"holds more, which {kind.what} do not"
    for group in ({}, *kind.optional):
        arrays = whole | filled(group)
        for name, form in (group or kind.arrays).items():
            rest = {other: array for other, array in arrays.items() if other != name}
            if group.keys() != {name}:
                yield rest, f"lacks {name}"
            array = arrays[name]
            yield rest | {name: array.astype(np.int16)}, f"{name} is int16"
            yield rest | {name: array[None]}, f"{name} is {array.dtype} {array[None].shape}"
            yield rest | {name: array[:0]}, f" is {array.dtype} (0"


def nonsense(kind: Kind[Any]) -> Iterator[tuple[Arrays, str]]:
    """Arrays of a kind's form with numbers that cannot be, each with the reason."""
    whole = filled(kind.arrays)
    for group in ({}, *kind.optional):
        arrays = whole | filled(group)
        for name, form in (group or kind.arrays).items():
            numbers: dict[float, str] = {}
            if arrays[name].dtype.kind == "f":
                numbers = dict.fromkeys((np.nan, np.inf, -np.inf), "a number that is not finite")
                numbers |= {
                    sign * 1.1e9: f"{sign * 1.1e9:g}, must be from -1e+09" for sign in (1, -1)
                }
            for bound in (10, 30):
                if form.partition(" ")[0].endswith(f"<{bound}"):
                    numbers[bound] = f"{bound}, must be below {bound}"
            for number, reason in numbers.items():
                for place in (0, -1):
                    spoilt = arrays[name].copy()
                    spoilt.flat[place] = number
                    yield arrays | {name: spoilt}, f"{name} holds {reason}"


@each_kind
def test_what_fits_comes_back(tmp_path: Path, kind: Kind[Any], facts: Settings) -> None:
    path = tmp_path / "file"
    for groups in ({}, *kind.optional, {n: f for group in kind.optional for n, f in group.items()}):
        arrays = filled({**kind.arrays, **groups})
        kind.write(path, arrays, facts)
        read, facts_read = kind.read(path, needs=groups)
        assert facts_read == facts
        assert read.keys() == arrays.keys()
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            np.testing.assert_array_equal(read[name], array)


@each_kind
def test_what_does_not_fit_is_refused(tmp_path: Path, kind: Kind[Any], facts: Settings) -> None:
    path = tmp_path / "file"
    cases: list[tuple[type[Exception], str, Arrays, str]] = [
        *((ValueError, f"not {kind.what}", *case) for case in misfits(kind)),
        *((InputError, "not written", *case) for case in nonsense(kind)),
    ]
    for refusal, words, arrays, reason in cases:
        with pytest.raises(refusal) as refused:
            kind.write(path, arrays, facts)
        assert str(refused.value).startswith(f"{path}: {words}: ")
        assert reason in str(refused.value)
        assert not path.exists()
        store.write_arrays(path, kind.what, arrays, **msgspec.to_builtins(facts))
        with pytest.raises(InputError) as error:
            kind.read(path)
        assert str(error.value).startswith(f"{path}: ")
        assert reason in str(error.value)
        assert str(error.value).endswith("; delete it and run `dvc repro`")
        path.unlink()


class Facts(Settings, frozen=True, kw_only=True):
    """What stands beside the arrays of PAIRS."""

    model: str


PAIRS = Kind(
    "pairs",
    Facts,
    {"mean": "float32 N D", "square": "float32 D D", "labels": "uint8<10 N", "one": "float64"},
    ({"x": "float32 N", "y": "int64 2"},),
)
FITTING: Arrays = {
    "mean": np.zeros((4, 3), np.float32),
    "square": np.zeros((3, 3), np.float32),
    "labels": np.full(4, 9, np.uint8),
    "one": np.array(1.0),
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, None),
        ({"x": np.zeros(4, np.float32), "y": np.arange(2)}, None),
        ({"mean": np.zeros((4, 3))}, "mean is float64 (4, 3), must be float32 (4, 3)"),
        ({"mean": np.zeros(4, np.float32)}, "mean is float32 (4,), must be float32 (4, D)"),
        ({"mean": np.zeros((0, 3), np.float32)}, "mean is float32 (0, 3), must be float32 (N, 3)"),
        ({"mean": np.zeros((4, 2), np.float32)}, "square is float32 (3, 3), must be float32 (2, 2"),
        ({"square": np.zeros((3, 4), np.float32)}, "square is float32 (3, 4), must be float32"),
        ({"labels": np.zeros(3, np.uint8)}, "labels is uint8 (3,), must be uint8 (4)"),
        ({"labels": np.full(4, 10, np.uint8)}, "labels holds 10, must be below 10"),
        ({"one": np.ones(1)}, "one is float64 (1,), must be float64 ()"),
        ({"x": np.zeros(4, np.float32)}, "lacks y"),
        ({"x": np.zeros(4, np.float32), "y": np.arange(3)}, "y is int64 (3,), must be int64 (2)"),
    ],
)
def test_letters_stand_for_the_same_size_everywhere(
    tmp_path: Path, changed: Arrays, message: str | None
) -> None:
    path, arrays = tmp_path / "file", FITTING | changed
    store.write_arrays(path, "pairs", arrays, model="vae")
    if message is None:
        assert PAIRS.read(path)[0].keys() == arrays.keys()
        return
    with pytest.raises(InputError) as error:
        PAIRS.read(path)
    assert str(error.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(("label", "fits"), [(2, True), (3, False)])
def test_a_letter_may_be_a_bound(tmp_path: Path, label: int, fits: bool) -> None:
    of_classes = Kind("classes", Facts, {"middles": "float32 K D", "labels": "uint8<K N"})
    labels = np.array([0, label], np.uint8)
    arrays: Arrays = {"middles": np.zeros((3, 2), np.float32), "labels": labels}
    store.write_arrays(tmp_path / "file", "classes", arrays, model="vae")
    if fits:
        assert of_classes.read(tmp_path / "file")[0].keys() == arrays.keys()
        return
    with pytest.raises(InputError, match="labels holds 3, must be below 3"):
        of_classes.read(tmp_path / "file")


def test_the_largest_number_fits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    mean = np.array([[-1e9], [1e9]], np.float32)
    rest = {"square": np.zeros((1, 1), np.float32), "labels": np.zeros(2, np.uint8)}
    PAIRS.write(path, FITTING | rest | {"mean": mean}, Facts(model="vae"))
    assert np.array_equal(PAIRS.read(path)[0]["mean"], mean)


def test_readers_may_ask_for_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    PAIRS.write(path, FITTING, Facts(model="vae"))
    assert PAIRS.read(path, needs=["mean"], sizes={"N": 4, "D": 3}, model="vae")
    requests: list[tuple[dict[str, Any], str]] = [
        ({"needs": ["x"]}, "lacks x"),
        ({"sizes": {"N": 5}}, r"mean is float32 \(4, 3\), must be float32 \(5, 3\)"),
        ({"model": "ae"}, "made for model 'vae', must be 'ae'"),
    ]
    for request, message in requests:
        with pytest.raises(InputError, match=f"file: {message}; delete it"):
            PAIRS.read(path, **request)


@pytest.mark.parametrize(
    ("kind", "facts", "message"),
    [
        (PAIRS, {}, "facts.model: missing"),
        (PAIRS, {"model": 3}, "facts.model: found 3, must be text"),
        (PAIRS, {"model": "vae", "epochs": 3}, "facts.epochs: unknown key"),
        (IMAGES, {"split": "validation"}, "facts.split: found 'validation', must be one of train"),
        (
            LATENTS,
            {"model": "vae", "weights": "ab", "seed": 0, "epochs": 1.5},
            "facts.epochs: found 1.5, must be a whole",
        ),
        (
            VIEWS,
            {"model": "vae", "epochs": 1, "corners": [2, 4, 5, 100], "start": 0},
            "facts.corners[3]: found 100, must be from 0 to 99",
        ),
    ],
)
def test_facts_are_checked_too(
    tmp_path: Path, kind: Kind[Any], facts: dict[str, Any], message: str
) -> None:
    path = tmp_path / "file"
    store.write_arrays(path, kind.what, filled(kind.arrays), **facts)
    with pytest.raises(InputError) as error:
        kind.read(path)
    assert str(error.value).startswith(f"{path}: {message}")
