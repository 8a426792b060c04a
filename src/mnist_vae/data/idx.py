"""The IDX format, in which MNIST and its successors are published."""

from __future__ import annotations

import math
import struct

import numpy as np

from mnist_vae.errors import InputError


def parse_idx(data: bytes) -> np.ndarray:
    """Read an IDX file of unsigned bytes: images uint8 [N, H, W] or labels uint8 [N].

    The format is a magic number (two zeros, the type 8, the number of dimensions), the big-endian
    dimensions and the values, the last dimension fastest
    (http://yann.lecun.com/exdb/mnist/). The array is a read-only view of ``data``. Raises
    InputError unless the three agree to the byte.
    """
    if data[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise InputError(
            f"not an IDX file of bytes: starts with {data[:4].hex(' ') or 'nothing'}, "
            "must be 00 00 08 01 (labels) or 00 00 08 03 (images)"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise InputError(f"IDX header cut short: {len(data)} bytes, must be {header}")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    size = header + math.prod(shape)
    if len(data) != size or 0 in shape:
        promised = " x ".join(map(str, shape))
        raise InputError(f"IDX header promises {promised} ({size} bytes), found {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
