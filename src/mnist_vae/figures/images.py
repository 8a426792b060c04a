"""Images that a model decoded, drawn as the tiles of one sheet.

Images that are not uint8 or of the wrong shape raise ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import ACCENT, DIGITS, LATENT_AXES, number


def draw_reconstructions(
    ax: Axes, originals: np.ndarray, reconstructions: np.ndarray, start: int, cmap: str
) -> None:
    """Pairs of images uint8 [10 n, H, W], ten a row; the first has the index ``start``."""
    check_shape("originals", originals, None, None, None)
    check_shape("reconstructions", reconstructions, *originals.shape)
    left, right = (_rgba(_rows_of_ten(images), cmap) for images in (originals, reconstructions))
    divider = np.full((*left.shape[:3], 1, 4), 255, np.uint8)
    rows, columns = _draw_sheet(ax, np.concatenate([left, divider, right], 3), gap=7)
    step = (left.shape[3] + 1) / 2
    middles = np.stack([columns - step, columns + step], 1).ravel()
    ax.set_xticks(middles, ["orig.", "rec."] * 10, fontsize=8.5)
    ax.set_yticks(rows, [str(start + 10 * row) for row in range(len(rows))])


def draw_digits(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """One image of each digit, uint8 [10, H, W], in a row with the digits above."""
    check_shape("digits", images, DIGITS, None, None)
    _, columns = _draw_sheet(ax, _rgba(images[None], cmap), gap=2)
    ax.set_xticks(columns, [str(digit) for digit in range(DIGITS)])


def draw_samples(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """Images uint8 [10 n, H, W], ten a row."""
    check_shape("samples", images, None, None, None)
    _draw_sheet(ax, _rgba(_rows_of_ten(images), cmap), gap=2)


def draw_interpolation(ax: Axes, images: np.ndarray, classes: Sequence[int], cmap: str) -> None:
    """Images uint8 [S, S, H, W] between four classes a, b, c, d.

    Row and column run over α₁ and α₂ from 0 to 1 in (α₁a + (1−α₁)b)·α₂ + (1−α₂)·(α₁c + (1−α₁)d).
    """
    steps = len(images)
    check_shape("interpolation", images, steps, steps, None, None)
    a, b, c, d = classes
    rows, columns = _draw_sheet(ax, _rgba(images, cmap))
    alpha = np.linspace(0, 1, steps)
    ax.set_xticks(*_round_ticks(alpha, columns))
    ax.set_yticks(*_round_ticks(alpha, rows))
    ax.xaxis.tick_bottom()
    ax.set_xlabel("α₂")
    ax.set_ylabel("α₁", rotation=0, ha="right")
    for digit, x, y in ((d, 0, 1), (b, 1, 1), (c, 0, 0), (a, 1, 0)):
        text = ax.text(
            1.01 if x else -0.01, 1.01 if y else -0.01, str(digit), transform=ax.transAxes
        )
        text.set(fontsize=18, fontweight="bold", color=ACCENT)
        text.set(ha="left" if x else "right", va="baseline" if y else "top")


def draw_manifold(ax: Axes, images: np.ndarray, x: np.ndarray, y: np.ndarray, cmap: str) -> None:
    """Images uint8 [R, C, H, W] of the latents at x [C] and y [R], the first row on top."""
    check_shape("manifold", images, len(y), len(x), None, None)
    rows, columns = _draw_sheet(ax, _rgba(images, cmap))
    ax.set_xticks(*_round_ticks(x, columns))
    ax.set_yticks(*_round_ticks(y, rows))
    ax.xaxis.tick_bottom()
    ax.set_xlabel(LATENT_AXES[0])
    ax.set_ylabel(LATENT_AXES[1])


def draw_traversals(
    ax: Axes, images: np.ndarray, dims: np.ndarray, values: np.ndarray, cmap: str
) -> None:
    """Images uint8 [R, C, H, W]: in each row one of ``dims`` [R] takes the ``values`` [R, C]."""
    check_shape("traversals", images, len(dims), None, None, None)
    check_shape("traversal values", values, *images.shape[:2])
    rows, _ = _draw_sheet(ax, _rgba(images, cmap), gap=2)
    ends = [[number(value, ".1f") for value in row[[0, -1]]] for row in values]
    names = [f"{dim}:  {low} to {high}" for dim, (low, high) in zip(dims, ends, strict=True)]
    ax.set_yticks(rows, names)
    ax.set_xlabel(
        "rows: latent dimension, the most active first, and its values from left to right"
    )
    ax.xaxis.set_label_position("bottom")


def _rows_of_ten(images: np.ndarray) -> np.ndarray:
    """Images [10 n, H, W] as rows [n, 10, H, W]."""
    if len(images) % 10 or not len(images):
        raise ValueError(f"found {len(images)} images, must be a multiple of 10")
    return images.reshape(-1, 10, *images.shape[1:])


def _rgba(images: np.ndarray, cmap: str) -> np.ndarray:
    """Images uint8 [..., H, W] as RGBA uint8 [..., H, W, 4]."""
    if images.dtype != np.uint8:
        raise ValueError(f"images: found {images.dtype}, must be uint8")
    return matplotlib.colormaps[cmap](images / 255, bytes=True)


def _draw_sheet(ax: Axes, tiles: np.ndarray, gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw tiles RGBA [R, C, H, W, 4] as one image; return the middles of its rows and columns."""
    rows, columns, height, width, channels = tiles.shape
    sheet = np.full((rows, height + gap, columns, width + gap, channels), 255, np.uint8)
    sheet[:, :height, :, :width] = tiles.swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + gap), columns * (width + gap), channels)
    ax.imshow(sheet[: len(sheet) - gap, : sheet.shape[1] - gap], interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    down, right = np.arange(rows) * (height + gap), np.arange(columns) * (width + gap)
    return down + (height - 1) / 2, right + (width - 1) / 2


def _round_ticks(values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Places and texts of round numbers on an axis where ``values`` [n] stand at ``places`` [n]."""
    low, high = values.min(), values.max()
    ticks = MaxNLocator(10).tick_values(low, high)
    ticks = ticks[(ticks > low - 1e-6) & (ticks < high + 1e-6)]
    order = np.argsort(values)
    return np.interp(ticks, values[order], places[order]), [number(tick, "g") for tick in ticks]
