"""Images that a model decoded, drawn as the tiles of one sheet.

Images that are not uint8 or of the wrong shape raise ValueError.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import ACCENT, LATENT_AXES, number, shorten

TEN = 10  # images in a row
LARGE = 64  # pixels across, from which on pairs need more room


def draw_reconstructions(
    ax: Axes, originals: np.ndarray, reconstructions: np.ndarray, start: int, cmap: str
) -> None:
    """Pairs of images uint8 [N, C, H, W] in rows; the first has the index ``start``."""
    check_shape("originals", originals, None, None, None, None)
    check_shape("reconstructions", reconstructions, *originals.shape)
    pairs = pairs_in_row(originals)
    left, right = (_in_rows(_rgba(images, cmap), pairs) for images in (originals, reconstructions))
    divider = np.zeros((*left.shape[:3], 1, 4), np.uint8)
    rows, _ = _draw_sheet(ax, np.concatenate([left, divider, right], 3), gap=7)
    ax.set_yticks(rows, [str(start + pairs * row) for row in range(len(rows))])


def draw_row(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """Images uint8 [N, C, H, W] side by side."""
    check_shape("images", images, None, None, None, None)
    _draw_sheet(ax, _rgba(images, cmap)[None], gap=2)


def draw_classes_decoded(
    ax: Axes,
    images: np.ndarray,
    names: Sequence[str],
    cmap: str,
    read: np.ndarray | None = None,
) -> None:
    """One image of each class, uint8 [K, C, H, W], ten a row with their names above.

    ``read`` [K] is the class that the classifier sees in each; one that differs stands below.
    """
    check_shape("class images", images, len(names), None, None, None)
    tiles = _in_rows(_rgba(images, cmap), min(TEN, len(images)))
    height = tiles.shape[2]
    shown = [shorten(name, 10) for name in names]
    misread = misread_classes(names, read)
    below = 0 if len(tiles) == 1 else height // 3 * (4 if misread else 2)
    rows, columns = _draw_sheet(ax, tiles, gap=2, below=below)
    short = max(map(len, shown)) <= 2
    font: dict[str, Any] = {"fontsize": 10 if short else 8}
    for label, other in misread.items():
        row, column = divmod(label, len(columns))
        place = columns[column], rows[row] + 0.55 * height
        text = f"read\n{shorten(other, 10)}"
        ax.text(*place, text, ha="center", va="top", fontsize=9 if short else 7, color=ACCENT)
    if len(tiles) == 1:
        ax.set_xticks(columns, shown, **font)
        return
    places = itertools.product(rows - 0.55 * height, columns)
    for name, (y, x) in zip(shown, places, strict=False):
        ax.text(x, y, name, ha="center", va="bottom", **font)


def misread_classes(names: Sequence[str], read: np.ndarray | None) -> dict[int, str]:
    """What classes that are read as another are read as, by their label."""
    if read is None:
        return {}
    check_shape("classes read", read, len(names))
    return {label: names[other] for label, other in enumerate(read) if other != label}


def draw_samples(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """Images uint8 [N, C, H, W], ten a row."""
    check_shape("samples", images, None, None, None, None)
    _draw_sheet(ax, _in_rows(_rgba(images, cmap), TEN), gap=2)


def draw_rows(ax: Axes, images: np.ndarray, names: Sequence[str], cmap: str) -> None:
    """Images uint8 [K, S, C, H, W], a row for each of the classes with these names."""
    check_shape("rows of classes", images, len(names), None, None, None, None)
    rows, _ = _draw_sheet(ax, _rgba(images, cmap), gap=2)
    ax.set_yticks(rows, [shorten(name, 12) for name in names])


def draw_interpolation(ax: Axes, images: np.ndarray, names: Sequence[str], cmap: str) -> None:
    """Images uint8 [S, S, C, H, W] between four classes a, b, c, d with these names.

    Row and column run over α₁ and α₂ from 0 to 1 in (α₁a + (1−α₁)b)·α₂ + (1−α₂)·(α₁c + (1−α₁)d).
    """
    steps = len(images)
    check_shape("interpolation", images, steps, steps, None, None, None)
    a, b, c, d = names
    rows, columns = _draw_sheet(ax, _rgba(images, cmap))
    alpha = np.linspace(0, 1, steps)
    ax.set_xticks(*_round_ticks(alpha, columns))
    ax.set_yticks(*_round_ticks(alpha, rows))
    ax.xaxis.tick_bottom()
    ax.set_xlabel("α₂")
    ax.set_ylabel("α₁", rotation=0, ha="right")
    corners = ((d, 0, 1), (b, 1, 1), (c, 0, 0), (a, 1, 0))
    if max(map(len, names)) <= 2:
        for name, x, y in corners:
            text = ax.text(1.01 if x else -0.01, 1.01 if y else -0.01, name, transform=ax.transAxes)
            text.set(fontsize=16, fontweight="bold", color=ACCENT)
            text.set(ha="left" if x else "right", va="baseline" if y else "top")
        return
    for name, x, y in corners:  # above and below the sheet, where there is room for words
        text = ax.text(x, 1.01 if y else -0.07, shorten(name, 18), transform=ax.transAxes)
        text.set(fontsize=12, fontweight="bold", color=ACCENT)
        text.set(ha="right" if x else "left", va="baseline" if y else "top")


def draw_manifold(ax: Axes, images: np.ndarray, x: np.ndarray, y: np.ndarray, cmap: str) -> None:
    """Images uint8 [Y, X, C, H, W] of the latents at x [X] and y [Y], the first row on top."""
    check_shape("manifold", images, len(y), len(x), None, None, None)
    rows, columns = _draw_sheet(ax, _rgba(images, cmap))
    ax.set_xticks(*_round_ticks(x, columns))
    ax.set_yticks(*_round_ticks(y, rows))
    ax.xaxis.tick_bottom()
    ax.set_xlabel(LATENT_AXES[0])
    ax.set_ylabel(LATENT_AXES[1])


def pairs_in_row(images: np.ndarray) -> int:
    """How many pairs of images [N, C, H, W] stand in a row: half as many of large ones."""
    return min(len(images), TEN if images.shape[3] <= LARGE else TEN // 2)


def _in_rows(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Tiles RGBA [N, H, W, 4] as rows [R, columns, H, W, 4], the last filled up with nothing."""
    missing = -len(tiles) % columns
    nothing = np.zeros((missing, *tiles.shape[1:]), np.uint8)
    return np.concatenate([tiles, nothing]).reshape(-1, columns, *tiles.shape[1:])


def _rgba(images: np.ndarray, cmap: str) -> np.ndarray:
    """Images uint8 [..., C, H, W] as RGBA uint8 [..., H, W, 4], grey ones in a colormap."""
    if images.dtype != np.uint8:
        raise ValueError(f"images: found {images.dtype}, must be uint8")
    if images.shape[-3] == 1:
        return matplotlib.colormaps[cmap](images[..., 0, :, :] / 255, bytes=True)
    rgb = np.moveaxis(images, -3, -1)
    return np.concatenate([rgb, np.full((*rgb.shape[:-1], 1), 255, np.uint8)], -1)


def _draw_sheet(
    ax: Axes, tiles: np.ndarray, gap: int = 0, below: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw tiles RGBA [R, C, H, W, 4] as one image; return the middles of its rows and columns.

    They stand ``gap`` pixels apart, rows ``below`` more.
    """
    rows, columns, height, width, channels = tiles.shape
    down, right = height + gap + below, width + gap  # from one tile to the next
    sheet = np.zeros((rows, down, columns, right, channels), np.uint8)
    sheet[:, :height, :, :width] = tiles.swapaxes(1, 2)
    sheet = sheet.reshape(rows * down, columns * right, channels)
    sheet = sheet[: len(sheet) - gap - below, : sheet.shape[1] - gap]
    ax.imshow(sheet)  # pixels stay sharp where each is shown as three or more
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    return np.arange(rows) * down + (height - 1) / 2, np.arange(columns) * right + (width - 1) / 2


def _round_ticks(values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Places and texts of round numbers on an axis where ``values`` [n] stand at ``places`` [n]."""
    low, high = values.min(), values.max()
    ticks = MaxNLocator(7, steps=(1, 2, 5, 10)).tick_values(low, high)
    ticks = ticks[(ticks > low - 1e-6) & (ticks < high + 1e-6)]
    order = np.argsort(values)
    return np.interp(ticks, values[order], places[order]), [number(tick, "g") for tick in ticks]
