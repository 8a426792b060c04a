"""IDX files, right and wrong."""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import pytest
from support.memory import peak_below
from support.mnist_files import idx

from mnist_vae.data.idx import parse_idx
from mnist_vae.errors import InputError

VALID = idx(np.zeros((2, 3, 4), np.uint8))


@pytest.mark.parametrize("shape", [(1,), (7,), (1, 1, 1), (3, 28, 28), (2, 3, 5)])
def test_parse_idx_returns_what_was_written(shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    parsed = parse_idx(idx(array))
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with nothing"),
        (b"\0\0\x08", "starts with 00 00 08"),
        (b"<htm", "starts with 3c 68 74 6d"),
        (gzip.compress(VALID), "starts with 1f 8b"),
        (b"\0\0\x0d" + VALID[3:], "must be 00 00 08 01"),  # float32
        (b"\0\0\x08\x00", "must be 00 00 08 01"),
        (b"\0\0\x08\x02" + VALID[4:], "must be 00 00 08 01"),
        (b"\0\0\x08\xff" + VALID[4:], "must be 00 00 08 01"),
        (VALID[:4], "header cut short"),
        (VALID[:15], "header cut short: 15 bytes, must be 16"),
        (VALID[:16], r"promises 2 x 3 x 4 \(40 bytes\), found 16"),
        (VALID[:-1], "found 39 bytes"),
        (VALID + b"\0", "found 41 bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 28, 28), "promises 0 x 28 x 28"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "promises 0 x"),
        (struct.pack("<4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(24), "promises 33554432 x"),
    ],
)
def test_parse_idx_refuses(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_idx(data)


def test_parse_idx_allocates_nothing_for_a_boastful_header() -> None:
    data = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + bytes(784)
    with peak_below(100_000), pytest.raises(InputError, match="promises 4294967295 x 28 x 28"):
        parse_idx(data)
