"""Arrays in .npz files, right and wrong."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.memory import peak_below
from support.mnist_files import crowded

from mnist_vae.data.npz import read_npz
from mnist_vae.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 8), np.uint8)
LABELS = np.arange(6)


def write(path: Path, compressed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_what_is_written_is_read(tmp_path: Path, compressed: bool) -> None:
    arrays = {"images": IMAGES, "labels": LABELS, "test_images": IMAGES[:2], "test_labels": [0, 1]}
    splits = read_npz(write(tmp_path / "a.npz", compressed, **arrays))
    np.testing.assert_array_equal(splits["train"]["images"], IMAGES)
    np.testing.assert_array_equal(splits["train"]["labels"], LABELS)
    np.testing.assert_array_equal(splits["test"]["images"], IMAGES[:2])
    np.testing.assert_array_equal(splits["test"]["labels"], [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_become_bytes(tmp_path: Path, dtype: type) -> None:
    path = write(tmp_path / "a.npz", images=(IMAGES / 255).astype(dtype))
    np.testing.assert_allclose(
        read_npz(path)["train"]["images"], IMAGES, atol=1 if dtype is np.float16 else 0
    )


class Harmful:
    """Pickled, it would write a file when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("was-unpickled", "w")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.array([Harmful()], object)}, "images holds Python objects"),
        ({"images": IMAGES, "labels": np.array([1, "a"], object)}, "labels holds Python objects"),
        ({"images": IMAGES, "extra": LABELS}, "holds 'extra'; known arrays: images, labels,"),
        ({"images": IMAGES.astype(np.int32)}, "images is int32, must be uint8 or floats"),
        ({"images": IMAGES / 2}, "images holds 0 to 127.5, must be 0 to 1"),
        ({"images": IMAGES / 255 - 0.5}, "must be 0 to 1"),
        ({"images": np.where(IMAGES > 9, np.nan, 0)}, "images holds nan to nan, must be 0 to 1"),
        ({"images": IMAGES[0]}, r"images is \(9, 8\), must be \(N, H, W\) or"),
        ({"images": IMAGES[..., None, None]}, "must be"),
        ({"images": np.zeros((6, 9, 8, 4), np.uint8)}, r"images is \(6, 9, 8, 4\), must be"),
        ({"images": IMAGES[:0]}, r"images is \(0, 9, 8\), must be"),
        ({"images": IMAGES, "labels": LABELS[:, None]}, r"labels is int64 \(6, 1\), must be"),
        ({"images": IMAGES, "labels": LABELS / 1}, "labels is float64"),
        ({"images": IMAGES, "labels": LABELS > 2}, "labels is bool"),
        (
            {"images": IMAGES, "labels": np.array([0x110000], np.uint32).view("U1")},
            "labels holds numbers that are no characters",
        ),
    ],
)
def test_wrong_arrays_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        read_npz(write(tmp_path / "a.npz", **arrays))
    assert not Path("was-unpickled").exists()


def member(data: bytes, packing: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("images.npy", data)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


WHOLE = npy(IMAGES)
HUGE = WHOLE.replace(b"(6, 9, 8), }" + b" " * 8, b"(99999999, 9, 8), }"[:20].ljust(20))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        WHOLE,
        member(b""),
        member(WHOLE[:-1]),
        member(WHOLE + b"\0"),
        member(b"\x93NUMPY\x09\0" + WHOLE[8:]),
        member(HUGE),
        member(WHOLE)[:-30],
        member(WHOLE).replace(IMAGES.tobytes()[:9], bytes(9)),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with peak_below(2_000_000), pytest.raises(InputError, match=r"damaged, or not an \.npz"):
        read_npz(path)


def test_an_archive_of_very_many_arrays_is_refused_before_they_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(crowded(".npy"))
    with peak_below(25_000_000), pytest.raises(InputError, match="lists members in more than 1 M"):
        read_npz(tmp_path / "a.npz")
