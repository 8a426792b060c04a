"""Which figures a model has, that they are the same every time, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from support.drawings import make_digits, make_model, make_settings, png_size, texts

from mnist_vae.figures.model import of_model
from mnist_vae.figures.style import png

SAMPLED = "samples labelled_rows nearest"
ALWAYS = "loss reconstructions class_digits interpolation latent_map latent_map_classes latent_pca"
ALWAYS = f"{ALWAYS} {SAMPLED}"
VAE = f"{ALWAYS} rate posterior"


@pytest.mark.parametrize(
    ("latent_dim", "kind", "names"),
    [(40, "vae", VAE), (4, "ae", ALWAYS), (2, "vae", f"{VAE} manifold"), (1, "vae", VAE)],
)
def test_a_model_has_the_figures_of_what_it_has(latent_dim: int, kind: str, names: str) -> None:
    drawn = dict(of_model(make_settings(), **make_model(latent_dim, kind)))
    assert drawn.keys() == set(names.split())
    for name, figure in drawn.items():
        width, height = png_size(png(figure, 50))
        assert width == (5 if name in SAMPLED.split() else 8) * 50, name
        assert 50 < height < 9 * 50, name
        assert "vae · 3 epochs" in figure.get_suptitle()


def test_samples_of_each_prior_stand_beside_real_images() -> None:
    names = ["real test images", "a Gaussian", "a mixture of Gaussians", "a mixture of each class"]
    for kind in ("vae", "ae"):
        figure: Any = dict(of_model(make_settings(), **make_model(kind=kind)))["samples"]
        titles = [ax.get_title() for ax in figure.axes]
        expected = [names[0], "N(0, I)", *names[1:], ""] if kind == "vae" else names
        assert titles == expected


def test_a_class_that_is_read_as_another_says_so() -> None:
    model = make_model()
    model["samples"]["class_digits_read"][4] = 9
    figure: Any = dict(of_model(make_settings(), **model))["class_digits"]
    assert texts(figure.axes[0].texts) == ["read 9"]


def test_traversals_are_drawn_where_there_are_some() -> None:
    model = make_model()
    model["images"] |= {
        "traversals": make_digits(3, 7),
        "traversal_dims": np.array([3, 0, 1]),
        "traversal_values": np.linspace([-3, 0, 1], [3, 9, 12], 7, axis=1),
    }
    ax = dict(of_model(make_settings(), **model))["traversals"].axes[0]
    assert texts(ax.get_yticklabels()) == ["3:  −3.0 to 3.0", "0:  0.0 to 9.0", "1:  1.0 to 12.0"]


@pytest.mark.parametrize(
    ("epochs", "panels"), [(1, [1]), (2, [2]), (30, [30]), (31, [31, 30]), (300, [300, 30])]
)
def test_a_long_loss_has_a_second_panel_with_its_end(epochs: int, panels: list[int]) -> None:
    figure: Any = dict(of_model(make_settings(), **make_model(epochs=epochs)))["loss"]
    assert figure.get_suptitle().endswith(f"ending at {6 + 40 / epochs:.4g}")
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == (["whole run", "last 30 epochs"] if len(panels) == 2 else [""])
    for ax, shown in zip(figure.axes, panels, strict=True):
        (line,) = ax.lines
        assert list(line.get_xdata()) == list(range(epochs - shown + 1, epochs + 1))


def test_rates_are_those_of_the_posterior() -> None:
    """A mean of ±m with variance 1 costs m²/2 nats; a collapsed dimension is not active."""
    model = make_model()
    model["latents"]["mean"] = np.outer(np.resize([-1, 1], 200), [1, 4, 0, 2]).astype(np.float32)
    model["latents"]["logvar"] = np.zeros((200, 4), np.float32)
    rate: Any = dict(of_model(make_settings(), **model))["rate"]
    assert rate.get_suptitle().endswith("10.5 nats in all")
    heights = [[bar.get_height() for bar in bars] for bars in rate.axes[0].containers]
    assert heights == [[8, 2, 0.5, 0], [0, 0, 0, 0]]
    legend = texts(rate.axes[0].get_legend().get_texts())
    assert legend == ["active (3 of 4)", "not active (1 of 4)"]


def test_files_are_the_same_every_time_whatever_the_reader_has_set() -> None:
    def files() -> list[bytes]:
        return [png(figure, 50) for _, figure in of_model(make_settings(), **make_model(1))]

    once = files()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        assert files() == once
    # No text chunk: neither the day nor Matplotlib's version is in them.
    assert not any(chunk in file for file in once for chunk in (b"tEXt", b"iTXt", b"tIME"))


def test_other_settings_give_other_files() -> None:
    base = dict(of_model(make_settings(), **make_model()))
    other = dict(of_model(make_settings(point_size=9, colormap="viridis"), **make_model()))
    for name in ("latent_map", "class_digits"):
        assert png(base[name], 50) != png(other[name], 50)


def test_a_map_of_the_test_images_is_a_small_file() -> None:
    drawn = dict(of_model(make_settings(), **make_model(points=10_000)))
    assert len(png(drawn["latent_map"], 150)) < 400_000


def test_latents_that_are_all_the_same_can_be_drawn() -> None:
    model = make_model()
    for name in ("map", "class_map", "pca"):
        model["maps"][name] = np.zeros_like(model["maps"][name])
    drawn = dict(of_model(make_settings(), **model))
    for name in ("latent_map", "latent_map_classes", "latent_pca"):
        assert png_size(png(drawn[name], 50)) == (400, 340)


@pytest.mark.parametrize(
    ("part", "name", "shape"),
    [
        ("curve", "loss", [2]),
        ("images", "reconstructions", [99, 1, 28, 28]),
        ("images", "class_digits", [9, 1, 28, 28]),
        ("images", "interpolation", [11, 10, 1, 28, 28]),
        ("samples", "mixture", [100, 28, 28]),
        ("samples", "rows", [9, 10, 1, 28, 28]),
        ("samples", "class_digits_read", [9]),
        ("images", "manifold", [20, 19, 1, 28, 28]),
        ("images", "manifold_x", [19]),
        ("maps", "map", [200, 3]),
        ("maps", "class_map", [9, 2]),
        ("maps", "labels", [199]),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(part: str, name: str, shape: list[int]) -> None:
    model = make_model(2)
    model[part][name] = np.zeros(shape, model[part][name].dtype)
    with pytest.raises(ValueError, match="must be"):
        of_model(make_settings(), **model)


def test_neither_torch_nor_pyplot_is_imported() -> None:
    code = "import sys, mnist_vae.figures.model, mnist_vae.figures.comparison; print(*sys.modules)"
    command, source = [sys.executable, "-c", code], Path(__file__).parents[2] / "src"
    imported = subprocess.check_output(command, cwd=source, text=True).split()
    assert "matplotlib.figure" in imported
    assert not {"torch", "matplotlib.pyplot", "scipy", "sklearn", "pandas"} & set(imported)
