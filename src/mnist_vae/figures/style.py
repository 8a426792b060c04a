"""How figures look: settings, colours and sizes, a figure with a title, and its PNG file.

Matplotlib without pyplot: no figure here is global, and the import of pyplot is slow.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypeAlias

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from msgspec import Meta
from PIL import Image

from mnist_vae.figures.palette import colours
from mnist_vae.measure.dataset import noun
from mnist_vae.settings import Settings

Facts: TypeAlias = Mapping[str, Any]

PALETTE = 10  # colours in the settings
WIDTH = 5.0  # inches of a figure, which is shown 340 to 550 pixels wide
LATENT_AXES = "latent dimension 0", "latent dimension 1"
# The ground is that of the page, which is white or nearly black: all colours stand out on both.
INK, ACCENT, BLUE = "#757a80", "#e0452c", "#3f83c8"
COLOURS = ("#3f83c8", "#c77700", "#c03f9e", "#2e9250", "#7f6fd6", "#a06a4a")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Matplotlib's own defaults, not those of whoever runs it: the same arrays give the same bytes.
STYLE = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")} | {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # names of models and classes may hold dollar signs
}


Dpi: TypeAlias = Annotated[int, Meta(ge=50, le=300)]


class FigureSettings(Settings, frozen=True, kw_only=True):
    """How figures look: ``figures`` in params.yaml."""

    dpi: Dpi
    """Pixels per inch; figures are 5 inches wide, sheets and rows of images 10."""
    palette: tuple[str, ...]
    """Colours of the classes on maps; more are sought where there are more classes."""
    colormap: str
    """Matplotlib's name of the colours that images are drawn in."""
    point_size: Annotated[float, Meta(gt=0, le=100)]
    """Area of a point on a map of 10,000, in square points; more where there are fewer."""
    compared: tuple[Annotated[int, Meta(ge=0)], ...]
    """Which of the reconstructed images, counted from 0, stand in the row that compares models."""

    def __post_init__(self) -> None:
        if unknown := [c for c in self.palette if not is_color_like(c)]:
            raise ValueError(f"palette: found {unknown[0]!r}, must be a colour such as '#3f90da'")
        distinct = len({to_rgb(c) for c in self.palette})
        if distinct != PALETTE or len(self.palette) != PALETTE:
            raise ValueError(f"palette: found {distinct} different colours, must be {PALETTE}")
        if self.colormap not in matplotlib.colormaps:
            raise ValueError(f"colormap: found {self.colormap!r}, must be a name such as 'gray'")
        if not self.compared:
            raise ValueError("compared: found none, must be one image or more")


class Classes(NamedTuple):
    """What the classes of the images are called, and how they are drawn."""

    noun: str
    """What one of them is called: a class, or a digit."""
    names: tuple[str, ...]
    colours: tuple[str, ...]
    """One for each name."""

    @property
    def short(self) -> bool:
        """Whether names are as short as digits are, and so few that they may be large."""
        return len(self.names) <= 20 and max(map(len, self.names)) <= 2


def classes_of(settings: FigureSettings, facts: Facts) -> Classes | None:
    """The classes of a data set, whose facts are ``dataset`` and ``classes``; None without any."""
    names = facts["classes"]
    if not names:
        return None
    return Classes(noun(facts["dataset"]), tuple(names), colours(settings.palette, len(names)))


def shorten(name: str, longest: int) -> str:
    """A name in at most so many letters, of its beginning and its end: either may tell it apart."""
    name = " ".join(name.split())
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end].rstrip()}…{name[len(name) - end :].lstrip()}"


def canvas(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of this size in inches."""
    return Figure((width, height), layout="constrained")


def number(value: float, spec: str) -> str:
    """A number as ``format`` writes it, with the minus sign that Matplotlib's own labels have."""
    return format(value, spec).replace("-", "−")


@matplotlib.rc_context(STYLE)
def png(figure: Figure, dpi: int, *, full: bool = False) -> bytes:
    """The PNG file of a figure: the same bytes every time, without a date or a version.

    Transparent where nothing is drawn. In 256 colours chosen for the figure, which halves the file
    and cannot be seen; in ``full`` colour where images have colours of their own.
    """
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    file = io.BytesIO()
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    if not full:
        image = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    image.save(file, format="png")
    return file.getvalue()
