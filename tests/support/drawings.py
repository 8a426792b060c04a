"""What the tests of figures draw: a made-up model, settings, and what a reader of a file sees."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image

from mnist_vae.figures.style import Classes, FigureSettings
from mnist_vae.settings import check

TAB10 = [to_hex(colour) for colour in matplotlib.color_sequences["tab10"]]
CLASSES = Classes("digit", tuple("0123456789"), tuple(TAB10))
SETTINGS: dict[str, Any] = {"dpi": 50, "palette": TAB10, "colormap": "gray", "point_size": 3}
SETTINGS |= {"compared": [0, 5, 7]}


def make_settings(**changed: object) -> FigureSettings:
    settings: FigureSettings = check({**SETTINGS, **changed}, FigureSettings, "figures")
    return settings


def make_digits(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 1, 28, 28), np.uint8)


def make_model(
    latent_dim: int = 4, kind: str = "vae", points: int = 200
) -> dict[str, dict[str, Any]]:
    """What the stages before save about a model, as the arguments of ``of_model``."""
    rng = np.random.default_rng(0)
    labels = (np.arange(points) % 10).astype(np.uint8)
    around = rng.normal(0, 3, (10, latent_dim))
    mean = (around[labels] + rng.normal(size=(points, latent_dim))).astype(np.float32)
    centres = np.stack([mean[labels == digit].mean(0) for digit in range(10)])
    images = {"originals": make_digits(100), "reconstructions": make_digits(100)}
    images |= {"class_digits": make_digits(10), "interpolation": make_digits(11, 11)}
    priors = ("gaussian", "mixture", "classes")
    samples = {name: make_digits(100) for name in ("real", *priors)}
    samples |= {"made": make_digits(10), "nearest": make_digits(10), "rows": make_digits(10, 10)}
    samples["class_digits_read"] = np.arange(10, dtype=np.uint8)
    if kind == "vae":
        samples["standard"] = make_digits(100)
    if latent_dim == 2:
        x = np.linspace(-4, 4, 20, dtype=np.float32)
        images |= {"manifold": make_digits(20, 20), "manifold_x": x, "manifold_y": x[::-1].copy()}
    plane, class_plane = (np.pad(a, ((0, 0), (0, 1)))[:, :2] for a in (mean, centres))
    maps = {"map": plane, "class_map": class_plane, "pca": plane, "labels": labels}
    maps["explained_variance"] = np.array([0.5, 0.25], np.float32)
    method = "t-SNE" if latent_dim > 2 else "latent plane"
    facts: dict[str, Any] = {"method": method, "dataset": "MNIST", "classes": tuple("0123456789")}
    facts |= {"start": 200, "corners": (2, 4, 5, 6)}
    return {"facts": facts, "images": images, "maps": maps, "samples": samples}


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels of what must be a PNG."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return image.size


def texts(drawn: Iterable[Text]) -> list[str]:
    return [text.get_text() for text in drawn]
