"""Which figures a model has, that they are the same every time, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from support.drawings import make_model, make_settings, png_size, texts

from mnist_vae.figures.model import of_model
from mnist_vae.figures.style import png

ALWAYS = "reconstructions originals reconstructed class_digits samples latent_map"
LAID = f"{ALWAYS} interpolation latent_map_classes"
PLANE = f"{ALWAYS} manifold"


@pytest.mark.parametrize(
    ("latent_dim", "kind", "names"),
    [(40, "vae", LAID), (4, "ae", LAID), (2, "vae", PLANE), (2, "ae", PLANE)],
)
def test_a_model_has_the_figures_of_what_it_has(latent_dim: int, kind: str, names: str) -> None:
    drawn = dict(of_model(make_settings(), **make_model(latent_dim, kind)))
    assert drawn.keys() == set(names.split())
    for name, figure in drawn.items():
        width, height = png_size(png(figure, 50))
        assert width == (500 if name in ("originals", "reconstructed") else 250), name
        assert 30 < height < 9 * 50, name
        assert not figure.get_suptitle()  # the page says what it is


def test_a_single_dimension_has_a_map_and_an_interpolation() -> None:
    assert dict(of_model(make_settings(), **make_model(1))).keys() == {
        *ALWAYS.split(),
        "interpolation",
    }


def test_without_classes_none_is_drawn() -> None:
    model = make_model()
    model["facts"]["classes"] = ()
    del model["maps"]["labels"], model["maps"]["class_map"], model["samples"]["classes"]
    drawn = dict(of_model(make_settings(), **model))
    assert drawn.keys() == {*ALWAYS.split()} - {"class_digits"}


def test_the_prior_of_a_vae_is_on_its_plane() -> None:
    for kind, circles in (("vae", [1, 2, 3]), ("ae", [])):
        figure: Any = dict(of_model(make_settings(), **make_model(2, kind)))["latent_map"]
        assert [patch.get_radius() for patch in figure.axes[0].patches] == circles


def test_samples_of_each_prior_stand_beside_real_images() -> None:
    names = ["real test images", "a Gaussian", "a mixture of Gaussians", "a digit a row, as asked"]
    copies = "samples, and below\ntheir nearest\ntraining images"
    for kind in ("vae", "ae"):
        figure: Any = dict(of_model(make_settings(), **make_model(kind=kind)))["samples"]
        titles = [ax.get_title() for ax in figure.axes]
        standard = ["N(0, I)"] if kind == "vae" else []
        empty = [] if kind == "vae" else [""]
        assert titles == [names[0], *standard, *names[1:], copies, *empty]


def test_the_row_that_compares_models_has_the_images_of_the_settings() -> None:
    model = make_model()
    for name, key in (("originals", "originals"), ("reconstructed", "reconstructions")):
        settings = make_settings(compared=[7, 99, 1000])
        figure: Any = dict(of_model(settings, **model))[name]
        sheet = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
        for place, index in enumerate((7, 99)):  # there are 100: the last stands for all beyond
            tile = sheet[:, 30 * place : 30 * place + 28]
            np.testing.assert_allclose(tile, model["images"][key][index, 0], atol=1)


def test_a_class_that_is_read_as_another_says_so() -> None:
    model = make_model()
    model["samples"]["class_digits_read"][4] = 9
    figure: Any = dict(of_model(make_settings(), **model))["class_digits"]
    assert texts(figure.axes[0].texts) == ["read\n9"]


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


@pytest.mark.parametrize("dims", [2, 4])
def test_latents_that_are_all_the_same_can_be_drawn(dims: int) -> None:
    model = make_model(dims)
    for name in ("map", "class_map"):
        model["maps"][name] = np.zeros_like(model["maps"][name])
    drawn = dict(of_model(make_settings(), **model))
    for name in {"latent_map", "latent_map_classes"} & drawn.keys():
        assert png_size(png(drawn[name], 50)) == (250, 250)


@pytest.mark.parametrize(
    ("part", "name", "shape"),
    [
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
    model = make_model(4 if name == "interpolation" else 2)
    model[part][name] = np.zeros(shape, model[part][name].dtype)
    with pytest.raises(ValueError, match="must be"):
        of_model(make_settings(), **model)


def test_neither_torch_nor_pyplot_is_imported() -> None:
    code = "import sys, mnist_vae.figures.model, mnist_vae.figures.comparison; print(*sys.modules)"
    command, source = [sys.executable, "-c", code], Path(__file__).parents[2] / "src"
    imported = subprocess.check_output(command, cwd=source, text=True).split()
    assert "matplotlib.figure" in imported
    assert not {"torch", "matplotlib.pyplot", "scipy", "sklearn", "pandas"} & set(imported)
