"""Pictures as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def save(folder: Path, pictures: np.ndarray, names: Sequence[str], suffix: str = "png") -> None:
    """Write each of ``pictures`` [N, H, W] or [N, H, W, 3] below a folder of its name."""
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        path = folder / name / f"{number:05}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
