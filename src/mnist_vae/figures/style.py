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

COLOURS = 10  # in the palette of the settings
WIDTH = 8.0  # inches of a figure: shown 800 pixels wide, 10 pt text is 14 pixels high
NARROW = 5.0  # inches of one that is shown half as wide as the page
LATENT_AXES = "latent dimension 0", "latent dimension 1"
DARK, ACCENT, BLUE, PALE = "#222222", "#bd1f01", "#3f90da", "#c8cdd0"
# Matplotlib's own defaults, not those of whoever runs it: the same arrays give the same bytes.
STYLE = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")} | {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 12,
    "figure.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # names of models and classes may hold dollar signs
}


Dpi: TypeAlias = Annotated[int, Meta(ge=50, le=300)]


class FigureSettings(Settings, frozen=True, kw_only=True):
    """How figures look: ``figures`` in params.yaml."""

    dpi: Dpi
    """Pixels per inch; figures are 8 inches wide, or 5."""
    palette: tuple[str, ...]
    """Colours of the classes on maps; more are sought where there are more classes."""
    colormap: str
    """Matplotlib's name of the colours that images are drawn in."""
    point_size: Annotated[float, Meta(gt=0, le=100)]
    """Area of a point on a map of 10,000, in square points; more where there are fewer."""
    last_epochs: Annotated[int, Meta(ge=2, le=10_000)]
    """Epochs in the second panel of the loss curve."""

    def __post_init__(self) -> None:
        if unknown := [c for c in self.palette if not is_color_like(c)]:
            raise ValueError(f"palette: found {unknown[0]!r}, must be a colour such as '#3f90da'")
        distinct = len({to_rgb(c) for c in self.palette})
        if distinct != COLOURS or len(self.palette) != COLOURS:
            raise ValueError(f"palette: found {distinct} different colours, must be {COLOURS}")
        if self.colormap not in matplotlib.colormaps:
            raise ValueError(f"colormap: found {self.colormap!r}, must be a name such as 'gray'")


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


def titled_figure(
    facts: Facts, title: str, height: float, width: float = WIDTH, **grid: Any
) -> tuple[Figure, Any]:
    """A figure whose title says which model it shows, and its Axes: one, or an array of them.

    ``facts`` hold model and epochs, ``height`` and ``width`` are in inches, ``grid`` goes to
    Figure.subplots.
    """
    epochs = f"{facts['epochs']} epoch{'' if facts['epochs'] == 1 else 's'}"
    head = f"{facts['model']} · {epochs}"
    figure = Figure((width, height), layout="constrained")
    figure.suptitle(
        f"{head} · {title}" if len(head) + len(title) < 10.5 * width else f"{head}\n{title}"
    )
    return figure, figure.subplots(**grid)


def number(value: float, spec: str) -> str:
    """A number as ``format`` writes it, with the minus sign that Matplotlib's own labels have."""
    return format(value, spec).replace("-", "−")


@matplotlib.rc_context(STYLE)
def png(figure: Figure, dpi: int, *, full: bool = False) -> bytes:
    """The PNG file of a figure: the same bytes every time, without a date or a version.

    In 256 colours chosen for the figure, which halves the file and cannot be seen; in ``full``
    colour where images have colours of their own.
    """
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    file = io.BytesIO()
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if not full:
        image = image.quantize(256, dither=Image.Dither.NONE)
    image.save(file, format="png")
    return file.getvalue()
