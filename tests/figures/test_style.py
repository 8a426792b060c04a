"""Settings that are wrong, and colours that a colour-blind reader can tell apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from support.drawings import TAB10, make_settings

from mnist_vae.errors import InputError
from mnist_vae.figures import style
from mnist_vae.figures.palette import contrast
from mnist_vae.figures.style import FigureSettings
from mnist_vae.settings import read_params

ROOT = Path(__file__).parents[2]
# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
# fmt: off
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
RGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])
# fmt: on


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("palette", [*TAB10[:9], *tenth]) for tenth in ([], [TAB10[0]], ["C9000"])),
        *(("colormap", "grey-ish"), ("dpi", 20), ("point_size", 0), ("compared", [])),
    ],
)
def test_wrong_settings_are_named(key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"figures.*{key}.*found.*must be"):
        make_settings(**{key: value})


def lab(colours: Sequence[str], vision: str) -> np.ndarray:
    """CIELAB (D65) of sRGB colours as seen with a kind of vision."""
    srgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ VISION[vision].T, 0, 1)
    xyz = seen @ RGB_TO_XYZ.T / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def nearest(colours: Sequence[str], vision: str) -> float:
    """The smallest CIE 1976 distance between two of the colours."""
    pairs = itertools.combinations(lab(colours, vision), 2)
    return min(float(np.linalg.norm(a - b)) for a, b in pairs)


@pytest.mark.parametrize("vision", VISION)
def test_the_simulation_of_vision_is_right(vision: str) -> None:
    white_and_black = np.array([[100, 0, 0], [0, 0, 0]])
    assert lab(["white", "black"], vision) == pytest.approx(white_and_black, abs=0.1)
    if vision in ("protanopia", "deuteranopia"):
        red_and_olive = ["#d62728", "#6b6b00"]
        assert nearest(red_and_olive, vision) < nearest(red_and_olive, "normal") / 2


@pytest.mark.parametrize("vision", VISION)
def test_the_ten_colours_of_the_pipeline_are_told_apart(vision: str) -> None:
    (settings,) = read_params(("figures", FigureSettings), path=ROOT / "params.yaml")
    assert nearest(settings.palette, vision) > 17
    assert np.linalg.norm(lab(settings.palette, "normal")[:, 1:], axis=1).min() > 30  # no grey
    for pair in ((4, 9), (7, 9), (3, 5), (3, 8), (5, 8)):  # digits that lie close on a map
        assert nearest([settings.palette[digit] for digit in pair], vision) > 30, pair


def test_all_colours_stand_out_on_a_light_and_on_a_dark_page() -> None:
    (settings,) = read_params(("figures", FigureSettings), path=ROOT / "params.yaml")
    used = [*settings.palette, *style.COLOURS, style.ACCENT, style.BLUE, style.INK]
    assert contrast(np.array([to_rgb(colour) for colour in used])).min() >= 3
    assert contrast(np.array([to_rgb(style.INK)])) > 4  # of text
    for ground in ("#ffffff", "#14181b"):
        assert contrast(np.array([to_rgb(ground)])).tolist() == [1]
    css = (ROOT / "src/mnist_vae/report/templates/style.css").read_text()
    assert all(f"--paper: {ground}" in css for ground in ("#fff;", "#14181b;"))
