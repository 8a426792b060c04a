"""Figures of a model: arrays in, drawings on Axes that the caller supplies.

NumPy and Matplotlib only, and no pyplot: no figure here is global, and its import is slow.
``of_model`` composes all figures of one model, ``png`` turns a figure into the bytes of a file.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from mnist_vae.params import Range

Arrays: TypeAlias = Mapping[str, np.ndarray]
Facts: TypeAlias = Mapping[str, Any]
Named: TypeAlias = Iterator[tuple[str, Figure]]

DIGITS = 10
WIDTH = 8.0  # inches of every figure: shown 800 pixels wide, 10 pt text is 14 pixels high
ACTIVE = 0.01  # variance of the posterior mean above which a unit is active (Burda et al. 2016)
PLANE = "latent dimension 0", "latent dimension 1"
DARK, ACCENT, PALE = "#222222", "#bd1f01", "#c8cdd0"
# Matplotlib's own defaults, not those of whoever runs it: the same arrays give the same bytes.
STYLE = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")} | {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 12,
    "figure.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FigureParams:
    """How figures look: ``figures`` in params.yaml."""

    dpi: Annotated[int, Range(50, 300)]
    """Pixels per inch; every figure is 8 inches wide."""
    palette: tuple[str, ...]
    """Colours of the digits 0 to 9 on maps."""
    colormap: str
    """Matplotlib's name of the colours that images are drawn in."""
    point_size: Annotated[float, Range(0, 100, above=True)]
    """Area of a point on a map, in square points."""
    last_epochs: Annotated[int, Range(2, 10_000)]
    """Epochs in the second panel of the loss curve."""

    def __post_init__(self) -> None:
        if unknown := [c for c in self.palette if not is_color_like(c)]:
            raise ValueError(f"palette: found {unknown[0]!r}, must be a colour such as '#3f90da'")
        distinct = len({to_rgb(c) for c in self.palette})
        if distinct != DIGITS or len(self.palette) != DIGITS:
            raise ValueError(f"palette: found {distinct} different colours, must be {DIGITS}")
        if self.colormap not in matplotlib.colormaps:
            raise ValueError(f"colormap: found {self.colormap!r}, must be a name such as 'gray'")


# ---- All figures of one model -------------------------------------------------------------------


@matplotlib.rc_context(STYLE)
def of_model(
    settings: FigureParams,
    facts: Facts,
    curve: Arrays,
    latents: Arrays,
    images: Arrays,
    maps: Arrays,
) -> list[tuple[str, Figure]]:
    """Names and figures of one model, from the arrays and facts that earlier stages saved.

    ``facts`` hold model, epochs, start, classes, method and perplexity. What a model lacks (an
    autoencoder its log-variance and prior, all but a 2-d one their latent plane) has no figure.
    Raises ValueError for an array of the wrong shape.
    """
    return [
        *_of_curve(settings, facts, curve),
        *_of_images(settings, facts, images),
        *_of_maps(settings, facts, maps),
        *(_of_posterior(settings, facts, latents) if "logvar" in latents else ()),
    ]


@matplotlib.rc_context(STYLE)
def of_all_models(names: Sequence[str], rates: np.ndarray, distortions: np.ndarray) -> Figure:
    """The one figure with all models in it: their rates [M] and distortions [M]."""
    figure = Figure((WIDTH, 4.6), layout="constrained")
    draw_rate_distortion(figure.subplots(), names, rates, distortions)
    return figure


@matplotlib.rc_context(STYLE)
def png(figure: Figure, dpi: int) -> bytes:
    """The PNG file of a figure: the same bytes every time, without a date or a version.

    In 256 colours chosen for the figure, which halves the file and cannot be seen.
    """
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    file = io.BytesIO()
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    drawn.quantize(256, dither=Image.Dither.NONE).save(file, format="png")
    return file.getvalue()


def _of_curve(settings: FigureParams, facts: Facts, curve: Arrays) -> Named:
    epoch, loss = curve["epoch"], curve["loss"]
    _shaped("loss", loss, len(epoch))
    what = f"training loss, ending at {_number(loss[-1], '.4g')}"
    if len(epoch) > settings.last_epochs:
        figure, (whole, last) = _page(facts, what, 3.5, ncols=2)
        draw_loss(last, epoch[-settings.last_epochs :], loss[-settings.last_epochs :])
        whole.set_title("whole run")
        last.set_title(f"last {settings.last_epochs} epochs")
    else:
        figure, whole = _page(facts, what, 3.5)
    draw_loss(whole, epoch, loss)
    yield "loss", figure


def _of_images(settings: FigureParams, facts: Facts, images: Arrays) -> Named:
    cmap, start, pairs = settings.colormap, facts["start"], len(images["originals"])
    figure, ax = _page(facts, f"reconstructions of test images {start}–{start + pairs - 1}", 4.75)
    draw_reconstructions(ax, images["originals"], images["reconstructions"], start, cmap)
    yield "reconstructions", figure

    whose = "a draw from the mean posterior" if "prior_samples" in images else "the mean latent"
    figure, ax = _page(facts, f"{whose} of each class, decoded", 1.42)
    draw_digits(ax, images["class_digits"], cmap)
    yield "class_digits", figure

    figure, ax = _page(facts, "decoded between the latents of four classes", 8.3)
    draw_interpolation(ax, images["interpolation"], facts["classes"], cmap)
    yield "interpolation", figure

    if "prior_samples" in images:
        figure, ax = _page(facts, "decoded samples from the prior", 8.3)
        draw_samples(ax, images["prior_samples"], cmap)
        yield "prior_samples", figure

    if "manifold" in images:
        figure, ax = _page(facts, "latent plane, decoded", 8.3)
        draw_manifold(ax, images["manifold"], images["manifold_x"], images["manifold_y"], cmap)
        yield "manifold", figure

    if "traversals" in images:
        rows, columns = images["traversals"].shape[:2]
        height = 1 + 0.77 * WIDTH * rows / columns  # beside the names of the rows
        what = f"one latent dimension moved, the others as in the mean of a {facts['classes'][0]}"
        figure, ax = _page(facts, what, height)
        dims, values = images["traversal_dims"], images["traversal_values"]
        draw_traversals(ax, images["traversals"], dims, values, cmap)
        yield "traversals", figure


def _of_maps(settings: FigureParams, facts: Facts, maps: Arrays) -> Named:
    palette, size, labels = settings.palette, settings.point_size, maps["labels"]
    plane = facts["method"] == "latent plane"
    of = "" if plane else f"{facts['method']} (perplexity {facts['perplexity']:g}) of the "
    axes = PLANE if plane else None

    figure, ax = _page(facts, f"{of}latents of {len(labels):,} test images", 6.8)
    draw_map(ax, maps["map"], labels, palette, size, axes)
    draw_names(ax, maps["map"], labels)
    yield "latent_map", figure

    figure, ax = _page(facts, f"{of}latents, and one of each class", 6.8)
    draw_map(ax, maps["map"], labels, palette, size, axes)
    draw_classes(ax, maps["class_map"], palette)
    yield "latent_map_classes", figure

    parts = [f"{part:.1%} of the variance" for part in maps["explained_variance"]]
    axes = (f"first principal component, {parts[0]}", f"second component, {parts[1]}")
    figure, ax = _page(
        facts, f"principal components of the latents of {len(labels):,} test images", 6.8
    )
    draw_map(ax, maps["pca"], labels, palette, size, axes)
    draw_names(ax, maps["pca"], labels)
    yield "latent_pca", figure


def _of_posterior(settings: FigureParams, facts: Facts, latents: Arrays) -> Named:
    mean, logvar, labels = latents["mean"], latents["logvar"], latents["labels"]
    # KL from the prior in closed form, as in metrics.rate but without the import of SciPy.
    rate = 0.5 * np.mean(mean**2 + np.expm1(logvar) - logvar, axis=0)
    figure, ax = _page(facts, f"rate of each latent dimension, {rate.sum():.1f} nats in all", 3.8)
    draw_rate(ax, rate, mean.var(0) > ACTIVE)
    yield "rate", figure

    # One draw from each image's posterior: the means alone are narrower than what is decoded.
    noise = np.random.default_rng(0).standard_normal(mean.shape, np.float32)
    samples = mean + np.exp(0.5 * logvar) * noise
    what = "posterior of all test images together, and the prior"
    if mean.shape[1] == 2:
        figure, ax = _page(facts, what, 6.8)
        draw_aggregate_plane(ax, samples, labels, settings.palette, settings.point_size)
    else:
        most = np.argsort(-rate, kind="stable")[:6]
        columns = min(3, len(most))
        rows = -(-len(most) // columns)
        # The same scales in all, so that the one prior looks the same in all.
        shared = {"sharex": True, "sharey": True}
        figure, grid = _page(facts, what, 0.9 + 2.2 * rows, nrows=rows, ncols=columns, **shared)
        axes = np.atleast_1d(grid).ravel()
        span = max(4.0, float(np.quantile(np.abs(samples[:, most]), 0.999)))
        for ax, dim in zip(axes, most, strict=False):
            draw_aggregate(ax, samples[:, dim], span)
            ax.set_title(f"latent dimension {dim}: {rate[dim]:.1f} nats")
        for ax in axes[len(most) :]:
            ax.set_axis_off()
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    yield "posterior", figure


def _page(facts: Facts, what: str, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure with a title that says which model it shows, and its Axes (an array of several)."""
    epochs = f"{facts['epochs']} epoch{'' if facts['epochs'] == 1 else 's'}"
    head = f"{facts['model']} · {epochs}"
    figure = Figure((WIDTH, height), layout="constrained")
    figure.suptitle(f"{head} · {what}" if len(head) + len(what) < 84 else f"{head}\n{what}")
    return figure, figure.subplots(**grid)


# ---- Training -----------------------------------------------------------------------------------


def draw_loss(ax: Axes, epoch: np.ndarray, loss: np.ndarray) -> None:
    """The loss per image [E] over epochs [E], on a log scale where it falls to a tenth."""
    _shaped("loss", loss, len(epoch))
    ax.plot(epoch, loss, color=ACCENT, marker="o", markersize=4 if len(epoch) <= 40 else 0)
    if 0 < 10 * loss.min() < loss.max():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    ax.set(xlabel="epoch", ylabel="loss per image")


# ---- Images -------------------------------------------------------------------------------------


def draw_reconstructions(
    ax: Axes, originals: np.ndarray, reconstructions: np.ndarray, start: int, cmap: str
) -> None:
    """Pairs of images uint8 [10 n, H, W], ten a row; the first has the index ``start``."""
    _shaped("originals", originals, None, None, None)
    _shaped("reconstructions", reconstructions, *originals.shape)
    left, right = (_colour(_tens(images), cmap) for images in (originals, reconstructions))
    line = np.full((*left.shape[:3], 1, 4), 255, np.uint8)
    rows, columns = _imshow(ax, np.concatenate([left, line, right], 3), gap=7)
    step = (left.shape[3] + 1) / 2
    both = np.stack([columns - step, columns + step], 1).ravel()
    ax.set_xticks(both, ["orig.", "rec."] * 10, fontsize=8.5)
    ax.set_yticks(rows, [str(start + 10 * row) for row in range(len(rows))])


def draw_digits(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """One image of each digit, uint8 [10, H, W], in a row with the digits above."""
    _shaped("digits", images, DIGITS, None, None)
    _, columns = _imshow(ax, _colour(images[None], cmap), gap=2)
    ax.set_xticks(columns, [str(digit) for digit in range(DIGITS)])


def draw_samples(ax: Axes, images: np.ndarray, cmap: str) -> None:
    """Images uint8 [10 n, H, W], ten a row."""
    _shaped("samples", images, None, None, None)
    _imshow(ax, _colour(_tens(images), cmap), gap=2)


def draw_interpolation(ax: Axes, images: np.ndarray, classes: Sequence[int], cmap: str) -> None:
    """Images uint8 [S, S, H, W] between four classes a, b, c, d.

    Row and column run over α₁ and α₂ from 0 to 1 in (α₁a + (1−α₁)b)·α₂ + (1−α₂)·(α₁c + (1−α₁)d).
    """
    steps = len(images)
    _shaped("interpolation", images, steps, steps, None, None)
    a, b, c, d = classes
    rows, columns = _imshow(ax, _colour(images, cmap))
    alpha = np.linspace(0, 1, steps)
    ax.set_xticks(*_ticks(alpha, columns))
    ax.set_yticks(*_ticks(alpha, rows))
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
    _shaped("manifold", images, len(y), len(x), None, None)
    rows, columns = _imshow(ax, _colour(images, cmap))
    ax.set_xticks(*_ticks(x, columns))
    ax.set_yticks(*_ticks(y, rows))
    ax.xaxis.tick_bottom()
    ax.set_xlabel(PLANE[0])
    ax.set_ylabel(PLANE[1])


def draw_traversals(
    ax: Axes, images: np.ndarray, dims: np.ndarray, values: np.ndarray, cmap: str
) -> None:
    """Images uint8 [R, C, H, W]: in each row one of ``dims`` [R] takes the ``values`` [R, C]."""
    _shaped("traversals", images, len(dims), None, None, None)
    _shaped("traversal values", values, *images.shape[:2])
    rows, _ = _imshow(ax, _colour(images, cmap), gap=2)
    ends = [[_number(value, ".1f") for value in row[[0, -1]]] for row in values]
    names = [f"{dim}:  {low} to {high}" for dim, (low, high) in zip(dims, ends, strict=True)]
    ax.set_yticks(rows, names)
    ax.set_xlabel(
        "rows: latent dimension, the most active first, and its values from left to right"
    )
    ax.xaxis.set_label_position("bottom")


# ---- Maps ---------------------------------------------------------------------------------------


def draw_map(
    ax: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[str],
    size: float,
    names: tuple[str, str] | None = None,
) -> None:
    """Points [N, 2] in the colours of their labels [N], with a legend beside the Axes.

    ``names`` are what the two axes mean; without them the map has no scale (t-SNE).
    """
    _shaped("points", points, None, 2)
    _shaped("labels", labels, len(points))
    colours = np.array([to_rgb(colour) for colour in palette])[labels]
    x, y = points.T
    # Hard edges: smoothed ones only make the file several times as large.
    ax.scatter(x, y, size, colours, linewidths=0, antialiaseds=False, rasterized=True)
    _square(ax, points)
    if names is None:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    else:
        ax.set(xlabel=names[0], ylabel=names[1])
    dots: list[Artist] = [
        Line2D([], [], color=colour, marker="o", markersize=11, linestyle="", label=str(digit))
        for digit, colour in enumerate(palette)
    ]
    legend = ax.legend(handles=dots, title="digit", handletextpad=0.2, frameon=False)
    legend.set_loc("center left")
    legend.set_bbox_to_anchor((1, 0.5))


def draw_names(ax: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """The digit of each class in the middle of its points [N, 2], whose labels are [N]."""
    _shaped("points", points, None, 2)
    _shaped("labels", labels, len(points))
    digits = np.unique(labels)
    middles = np.array([_middle(points[labels == digit]) for digit in digits])
    # Where two classes share their middle, their digits stand side by side.
    for digit, place in zip(digits, _spread(middles, 0.05 * _extent(ax)), strict=True):
        _text(ax, place, str(digit))


def draw_classes(ax: Axes, points: np.ndarray, palette: Sequence[str]) -> None:
    """A point [10, 2] of its colour for each class on a map already drawn, its digit beside it."""
    _shaped("class points", points, DIGITS, 2)
    places = _spread(points, 0.06 * _extent(ax), beside=True)
    x, y = points.T
    for size, colour in ((130, "white"), (90, "black")):  # a ring around each
        ax.scatter(x, y, size, c=colour, linewidths=0, zorder=4, rasterized=True)
    ax.scatter(x, y, 40, c=list(palette), linewidths=0, zorder=4, rasterized=True)
    for digit, (point, place) in enumerate(zip(points, places, strict=True)):
        (leader,) = ax.plot(*zip(point, place, strict=True), color="black", linewidth=1, zorder=3)
        leader.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        _text(ax, place, str(digit))


# ---- Posterior and prior ------------------------------------------------------------------------


def draw_rate(ax: Axes, rate: np.ndarray, active: np.ndarray) -> None:
    """The rate in nats of each latent dimension [D], largest first, and which are active [D]."""
    _shaped("active", active, len(rate))
    order = np.argsort(-rate, kind="stable")
    places = np.arange(len(rate))
    for mask, colour, name in ((active, "#3f90da", "active"), (~active, PALE, "not active")):
        label = f"{name} ({mask.sum()} of {len(rate)})" if mask.any() else None
        ax.bar(
            places,
            np.where(mask, rate, 0)[order],
            min(0.8, len(rate) / 8),
            color=colour,
            label=label,
        )
    if len(rate) <= 32:
        ax.set_xticks(places, [str(dim) for dim in order])
    ax.set(xlabel="latent dimension, largest rate first", ylabel="rate in nats")
    ax.margins(y=0.2)  # room for the legend above the bars
    ax.legend(frameon=False, loc="upper right", ncols=2)


def draw_aggregate(ax: Axes, samples: np.ndarray, span: float) -> None:
    """Density of one latent dimension over posterior samples [N], with the prior N(0, 1).

    From ``-span`` to ``span``.
    """
    _shaped("samples", samples, None)
    density, edges = np.histogram(samples, 80, (-span, span), density=True)
    z = np.linspace(-span, span, 400)
    ax.stairs(density, edges, fill=True, color="#3f90da", label="posterior of all images")
    ax.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color=DARK, label="prior")
    ax.set(xlim=(-span, span), ylim=(0, None), yticks=[])
    ax.spines["left"].set_visible(False)


def draw_aggregate_plane(
    ax: Axes, samples: np.ndarray, labels: np.ndarray, palette: Sequence[str], size: float
) -> None:
    """Posterior samples [N, 2] of a 2-d model, with circles at 1, 2 and 3 sigma of the prior."""
    draw_map(ax, samples, labels, palette, size, PLANE)
    for sigma in (1, 2, 3):
        ax.add_patch(Circle((0, 0), sigma, fill=False, color=DARK, linewidth=1.5))
    _square(ax, np.concatenate([samples, [[-3, -3], [3, 3]]]))
    _text(ax, (0, -3 - 0.03 * _extent(ax)), "prior at 1, 2, 3σ", fontsize=11, fontweight="normal")


def draw_rate_distortion(
    ax: Axes, names: Sequence[str], rates: np.ndarray, distortions: np.ndarray
) -> None:
    """Each model as a point: rate in nats [M] and distortion, squared error per image [M]."""
    _shaped("rates", rates, len(names))
    _shaped("distortions", distortions, len(names))
    ax.scatter(rates, distortions, s=45, color=ACCENT, zorder=3, clip_on=False)
    ax.margins(0.2)
    for name, rate, distortion in zip(names, rates, distortions, strict=True):
        label = ax.annotate(name, (rate, distortion), (7, 7), textcoords="offset points")
        label.set_parse_math(False)
    ax.grid(alpha=0.3)
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.set(
        xlabel="rate: KL in nats per image", ylabel="distortion: squared error of a draw, per image"
    )


# ---- Parts --------------------------------------------------------------------------------------


def _shaped(name: str, array: np.ndarray, *shape: int | None) -> None:
    """Raise ValueError unless the array has this shape, in which None is any size."""
    fits = [wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=False)]
    if array.ndim != len(shape) or not all(fits):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: found the shape {array.shape}, must be ({wanted})")


def _tens(images: np.ndarray) -> np.ndarray:
    """Images [10 n, H, W] as rows [n, 10, H, W]."""
    if len(images) % 10 or not len(images):
        raise ValueError(f"found {len(images)} images, must be a multiple of 10")
    return images.reshape(-1, 10, *images.shape[1:])


def _colour(images: np.ndarray, cmap: str) -> np.ndarray:
    """Images uint8 [..., H, W] as RGBA uint8 [..., H, W, 4]."""
    if images.dtype != np.uint8:
        raise ValueError(f"images: found {images.dtype}, must be uint8")
    return matplotlib.colormaps[cmap](images / 255, bytes=True)


def _imshow(ax: Axes, tiles: np.ndarray, gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
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


def _ticks(values: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Places and texts of round numbers on an axis where ``values`` [n] stand at ``places`` [n]."""
    low, high = values.min(), values.max()
    ticks = MaxNLocator(10).tick_values(low, high)
    ticks = ticks[(ticks > low - 1e-6) & (ticks < high + 1e-6)]
    order = np.argsort(values)
    return np.interp(ticks, values[order], places[order]), [_number(tick, "g") for tick in ticks]


def _number(value: float, how: str) -> str:
    """A number with the minus sign that Matplotlib's own labels have."""
    return format(value, how).replace("-", "−")


def _middle(points: np.ndarray) -> np.ndarray:
    """The one of points [N, 2] nearest to their median, so that it lies where they are."""
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return points[distance.argmin()]


def _text(ax: Axes, place: Sequence[float] | np.ndarray, text: str, **font: Any) -> None:
    """Bold text at a place in the data, with a halo that lifts it off the points below."""
    font = {"fontsize": 16, "fontweight": "bold", **font}
    label = ax.text(place[0], place[1], text, zorder=5, **font)
    label.set(ha="center", va="center", path_effects=[withStroke(linewidth=3, foreground="white")])


def _square(ax: Axes, points: np.ndarray) -> None:
    """Show a square with the same scale in both directions, just large enough for the points."""
    low, high = points.min(0), points.max(0)
    half = 0.52 * max((high - low).max(), 1e-6)
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def _extent(ax: Axes) -> float:
    """The side of the square that is shown, in data coordinates."""
    left, right = ax.get_xlim()
    return right - left


def _spread(points: np.ndarray, apart: float, *, beside: bool = False) -> np.ndarray:
    """Places [N, 2] for the labels of points [N, 2], pushed until they are ``apart``.

    With ``beside`` they keep that distance from the points too, and start on the outer side.
    """
    turn = 2 * np.pi * np.arange(len(points)) / len(points)
    outward = points - points.mean(0) + 1e-3 * apart * np.stack([np.cos(turn), np.sin(turn)], 1)
    outward *= apart / np.linalg.norm(outward, axis=1, keepdims=True)
    places = points + (outward if beside else 1e-3 * outward)
    for _ in range(500):
        others = np.concatenate([places, points]) if beside else places
        between = places[:, None] - others
        distance = np.linalg.norm(between, axis=2)
        short = np.clip(apart - distance, 0, None)
        np.fill_diagonal(short, 0)
        if short.max() < 0.01 * apart:
            break
        places = places + 0.5 * (between * (short / (distance + 1e-9))[..., None]).sum(1)
    return places
