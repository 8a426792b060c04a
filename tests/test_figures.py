"""What the figures show, that they are the same every time, and that anyone can tell them apart."""

from __future__ import annotations

import itertools
import runpy
import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_vae import figures, params
from mnist_vae.errors import InputError
from mnist_vae.files import store

ROOT = Path(__file__).parents[1]
TAB10 = [
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
]
SETTINGS = {
    "dpi": 50,
    "palette": TAB10,
    "colormap": "gray",
    "point_size": 3,
    "last_epochs": 30,
}
ALWAYS = {
    "loss", "reconstructions", "class_digits", "interpolation",
    "latent_map", "latent_map_classes", "latent_pca",
}  # fmt: skip


def settings(**changed: object) -> figures.FigureParams:
    return params.check({**SETTINGS, **changed}, figures.FigureParams, "figures")


def digits(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 28, 28), np.uint8)


def known(
    latent_dim: int = 4, kind: str = "vae", epochs: int = 3, points: int = 200
) -> dict[str, dict]:
    """What the stages before save about a model, as the arguments of ``figures.of_model``."""
    rng = np.random.default_rng(0)
    labels = (np.arange(points) % 10).astype(np.uint8)
    around = rng.normal(0, 3, (10, latent_dim))
    mean = (around[labels] + rng.normal(size=(points, latent_dim))).astype(np.float32)
    centres = np.stack([mean[labels == digit].mean(0) for digit in range(10)])
    latents = {"mean": mean, "labels": labels, "class_latents": centres}
    images = {
        "originals": digits(100),
        "reconstructions": digits(100),
        "class_digits": digits(10),
        "interpolation": digits(11, 11),
    }
    if kind == "vae":
        latents["logvar"] = rng.normal(-2, 0.1, mean.shape).astype(np.float32)
        images["prior_samples"] = digits(100)
    if latent_dim == 2:
        x = np.linspace(-4, 4, 20, dtype=np.float32)
        images |= {"manifold": digits(20, 20), "manifold_x": x, "manifold_y": x[::-1].copy()}
    plane, class_plane = (np.pad(a, ((0, 0), (0, 1)))[:, :2] for a in (mean, centres))
    maps = {
        "map": plane,
        "class_map": class_plane,
        "pca": plane,
        "explained_variance": np.array([0.5, 0.25], np.float32),
        "labels": labels,
    }
    epoch = np.arange(1.0, epochs + 1)
    facts = {
        "model": "vae",
        "epochs": epochs,
        "classes": [2, 4, 5, 6],
        "start": 200,
        "method": "t-SNE" if latent_dim > 2 else "latent plane",
        "perplexity": 30.0,
    }
    curve = {"epoch": epoch, "loss": 6 + 40 / epoch}
    return {"facts": facts, "curve": curve, "latents": latents, "images": images, "maps": maps}


def pixels(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


# ---- All figures of one model


@pytest.mark.parametrize(
    ("latent_dim", "kind", "more"),
    [
        (40, "vae", {"prior_samples", "rate", "posterior"}),
        (4, "ae", set()),
        (2, "vae", {"prior_samples", "rate", "posterior", "manifold"}),
        (1, "vae", {"prior_samples", "rate", "posterior"}),
    ],
)
def test_a_model_has_the_figures_of_what_it_has(latent_dim: int, kind: str, more: set[str]) -> None:
    drawn = dict(figures.of_model(settings(), **known(latent_dim, kind)))
    assert drawn.keys() == ALWAYS | more
    for name, figure in drawn.items():
        width, height = pixels(figures.png(figure, 50))
        assert width == 8 * 50, name
        assert 50 < height < 9 * 50, name
        assert "vae · 3 epochs" in figure.get_suptitle()


def test_traversals_are_drawn_where_there_are_some() -> None:
    given = known()
    given["images"] |= {
        "traversals": digits(3, 7),
        "traversal_dims": np.array([3, 0, 1]),
        "traversal_values": np.linspace([-3, 0, 1], [3, 9, 12], 7, axis=1),
    }
    traversals = dict(figures.of_model(settings(), **given))["traversals"].axes[0]
    rows = [text.get_text() for text in traversals.get_yticklabels()]
    assert rows == ["3:  −3.0 to 3.0", "0:  0.0 to 9.0", "1:  1.0 to 12.0"]


def test_files_are_the_same_every_time_whatever_the_reader_has_set() -> None:
    once = [figures.png(figure, 50) for _, figure in figures.of_model(settings(), **known(1))]
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        again = [figures.png(figure, 50) for _, figure in figures.of_model(settings(), **known(1))]
    assert once == again
    # No text chunk: neither the day nor Matplotlib's version is in them.
    assert not any(chunk in png for png in once for chunk in (b"tEXt", b"iTXt", b"tIME"))


def test_other_settings_give_other_files() -> None:
    base = dict(figures.of_model(settings(), **known()))
    other = dict(figures.of_model(settings(point_size=9, colormap="viridis"), **known()))
    for name in ("latent_map", "class_digits"):
        assert figures.png(base[name], 50) != figures.png(other[name], 50)


def test_a_map_of_the_test_images_is_a_small_file() -> None:
    drawn = dict(figures.of_model(settings(), **known(points=10_000)))
    assert len(figures.png(drawn["latent_map"], 150)) < 400_000


def test_latents_that_are_all_the_same_can_be_drawn() -> None:
    given = known()
    for name in ("map", "class_map", "pca"):
        given["maps"][name] = np.zeros_like(given["maps"][name])
    drawn = dict(figures.of_model(settings(), **given))
    for name in ("latent_map", "latent_map_classes", "latent_pca"):
        figures.png(drawn[name], 50)


@pytest.mark.parametrize(
    ("part", "name", "shape"),
    [
        ("curve", "loss", (2,)),
        ("images", "reconstructions", (99, 28, 28)),
        ("images", "class_digits", (9, 28, 28)),
        ("images", "interpolation", (11, 10, 28, 28)),
        ("images", "prior_samples", (95, 28, 28)),
        ("images", "manifold", (20, 19, 28, 28)),
        ("images", "manifold_x", (19,)),
        ("maps", "map", (200, 3)),
        ("maps", "class_map", (9, 2)),
        ("maps", "labels", (199,)),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(
    part: str, name: str, shape: tuple[int, ...]
) -> None:
    given = known(2)
    given[part][name] = np.zeros(shape, given[part][name].dtype)
    with pytest.raises(ValueError, match="must be"):
        figures.of_model(settings(), **given)


def test_images_that_are_not_bytes_are_refused(ax: Axes) -> None:
    with pytest.raises(ValueError, match="float64, must be uint8"):
        figures.draw_digits(ax, digits(10) / 255, "gray")


# ---- Settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("palette", SETTINGS["palette"][:9]),
        ("palette", [*SETTINGS["palette"][:9], SETTINGS["palette"][0]]),
        ("palette", [*SETTINGS["palette"][:9], "C9000"]),
        ("colormap", "grey-ish"),
        ("dpi", 20),
        ("point_size", 0),
        ("last_epochs", 1),
    ],
)
def test_wrong_settings_are_named(key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"figures.*{key}.*found.*must be"):
        settings(**{key: value})


# ---- Colours that a colour-blind reader can tell apart

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colours: list[str], vision: str) -> np.ndarray:
    """CIELAB (D65) of sRGB colours as seen with a kind of vision."""
    srgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    x, y, z = (seen @ np.transpose(to_xyz) / [0.95047, 1, 1.08883]).T
    f = [
        np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29) for t in (x, y, z)
    ]
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])], 1)


def nearest(colours: list[str], vision: str) -> float:
    """The smallest CIE 1976 distance between two of the colours."""
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab(colours, vision), 2))


def palette() -> list[str]:
    (chosen,) = params.load(("figures", figures.FigureParams), path=ROOT / "params.yaml")
    return list(chosen.palette)


@pytest.mark.parametrize("vision", VISION)
def test_the_simulation_of_vision_is_right(vision: str) -> None:
    assert lab(["white", "black"], vision) == pytest.approx(
        np.array([[100, 0, 0], [0, 0, 0]]), abs=0.1
    )
    if vision in ("protanopia", "deuteranopia"):
        assert (
            nearest(["#d62728", "#6b6b00"], vision) < nearest(["#d62728", "#6b6b00"], "normal") / 2
        )


@pytest.mark.parametrize("vision", VISION)
def test_the_ten_colours_are_told_apart(vision: str) -> None:
    assert nearest(palette(), vision) > 17


def test_the_ten_colours_are_better_than_the_default_ones() -> None:
    worst = min(nearest(palette(), vision) for vision in VISION)
    assert worst > 3 * min(nearest(TAB10, vision) for vision in VISION)


@pytest.mark.parametrize("pair", [(4, 9), (7, 9), (3, 5), (3, 8), (5, 8)])
def test_digits_that_lie_close_have_the_most_different_colours(pair: tuple[int, int]) -> None:
    two = [palette()[digit] for digit in pair]
    assert min(nearest(two, vision) for vision in VISION) > 30


# ---- Single drawings


@pytest.mark.parametrize(
    ("epochs", "panels"), [(1, [1]), (2, [2]), (30, [30]), (31, [31, 30]), (300, [300, 30])]
)
def test_a_long_loss_has_a_second_panel_with_its_end(epochs: int, panels: list[int]) -> None:
    figure = dict(figures.of_model(settings(), **known(epochs=epochs)))["loss"]
    assert figure.get_suptitle().endswith(f"ending at {6 + 40 / epochs:.4g}")
    assert len(figure.axes) == len(panels)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == (["whole run", "last 30 epochs"] if len(panels) == 2 else [""])
    for ax, shown in zip(figure.axes, panels, strict=True):
        (line,) = ax.lines
        assert list(line.get_xdata()) == list(range(epochs - shown + 1, epochs + 1))


@pytest.mark.parametrize(
    ("loss", "scale"), [((70, 20, 6), "log"), ((50, 20, 6), "linear"), ((50, 6, -3), "linear")]
)
def test_the_loss_has_a_log_scale_where_it_helps(
    ax: Axes, loss: tuple[float, ...], scale: str
) -> None:
    figures.draw_loss(ax, np.arange(3), np.array(loss))
    assert ax.get_yscale() == scale


def test_pairs_stand_closer_than_their_neighbours(ax: Axes) -> None:
    black = np.zeros((20, 28, 28), np.uint8)
    figures.draw_reconstructions(ax, black, black, 200, "gray")
    row = np.asarray(ax.images[0].get_array())[5, :, 0]
    edges = np.flatnonzero(np.diff(np.concatenate([[255], row, [255]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    gaps = starts[1:] - ends[:-1]
    assert len(starts) == 20
    assert set(gaps[::2]) == {1}
    assert min(gaps[1::2]) > 4
    assert [text.get_text() for text in ax.get_yticklabels()] == ["200", "210"]
    middles = (starts + ends - 1) / 2
    assert list(ax.get_xticks()) == list(middles)


def test_an_interpolation_names_its_corners(ax: Axes) -> None:
    images = digits(11, 11)
    figures.draw_interpolation(ax, images, [2, 4, 5, 6], "gray")
    corners = {
        (text.get_position()[0] > 0.5, text.get_position()[1] > 0.5): text.get_text()
        for text in ax.texts
    }
    # α₁ grows downwards and α₂ to the right: a=2 where both are 1, d=6 where both are 0.
    assert corners == {
        (True, False): "2",
        (True, True): "4",
        (False, False): "5",
        (False, True): "6",
    }
    sheet = np.asarray(ax.images[0].get_array())[..., 0]
    assert sheet.shape == (11 * 28, 11 * 28)
    assert np.allclose(sheet[:28, -28:], images[0, 10], atol=1)
    assert np.allclose(sheet[-28:, :28], images[10, 0], atol=1)


def test_the_latent_plane_has_its_coordinates_on_the_axes(ax: Axes) -> None:
    x, y = np.linspace(-1, 1, 5), np.linspace(6, -6, 7)
    figures.draw_manifold(ax, digits(7, 5), x, y, "gray")
    down = dict(
        zip([text.get_text() for text in ax.get_yticklabels()], ax.get_yticks(), strict=True)
    )
    across = dict(
        zip([text.get_text() for text in ax.get_xticklabels()], ax.get_xticks(), strict=True)
    )
    assert down["6"] == pytest.approx(13.5)
    assert down["−6"] == pytest.approx(13.5 + 6 * 28)
    assert across["−1"] == pytest.approx(13.5)
    assert across["0"] == pytest.approx(13.5 + 2 * 28)


def test_a_map_colours_points_by_label_beside_a_legend(ax: Axes) -> None:
    points, labels = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 10
    figures.draw_map(ax, points, labels, SETTINGS["palette"], 3)
    (dots,) = ax.collections
    assert dots.get_rasterized()
    assert np.allclose(dots.get_offsets(), points)
    for colour, label in zip(dots.get_facecolors(), labels, strict=True):
        assert matplotlib.colors.to_hex(colour) == SETTINGS["palette"][label]
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 > ax.get_window_extent().x1


def test_a_class_is_named_where_its_points_are(ax: Axes) -> None:
    # Class 0 is a ring: its mean and its median lie in the hole, where class 1 is.
    turn = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    ring = 10 * np.stack([np.cos(turn), np.sin(turn)], 1)
    points, labels = np.concatenate([ring, np.zeros((5, 2))]), np.repeat([0, 1], [50, 5])
    figures.draw_map(ax, points, labels, SETTINGS["palette"], 3)
    figures.draw_names(ax, points, labels)
    places = {text.get_text(): np.array(text.get_position()) for text in ax.texts}
    assert places.keys() == {"0", "1"}
    assert np.linalg.norm(ring - places["0"], axis=1).min() < 0.5
    assert np.linalg.norm(places["1"]) < 0.5


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 30.0])
def test_labels_of_class_points_do_not_collide(ax: Axes, scale: float) -> None:
    rng = np.random.default_rng(0)
    figures.draw_map(
        ax, rng.uniform(-50, 50, (500, 2)), np.arange(500) % 10, SETTINGS["palette"], 3
    )
    points = scale * rng.normal(size=(10, 2))
    figures.draw_classes(ax, points, SETTINGS["palette"])
    colours = [matplotlib.colors.to_hex(c) for c in ax.collections[-1].get_facecolors()]
    assert colours == SETTINGS["palette"]
    places = np.array([text.get_position() for text in ax.texts])
    assert [text.get_text() for text in ax.texts] == [str(digit) for digit in range(10)]
    apart = 0.95 * 0.06 * 100
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2)) > apart
    assert np.linalg.norm(places[:, None] - points, axis=2).min() > apart


def test_rates_are_sorted_and_active_units_counted(ax: Axes) -> None:
    rate, active = np.array([0.0, 5.0, 0.1, 7.0]), np.array([False, True, False, True])
    figures.draw_rate(ax, rate, active)
    heights = np.array([[bar.get_height() for bar in bars] for bars in ax.containers])
    assert heights.tolist() == [[7, 5, 0, 0], [0, 0, 0.1, 0]]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "1", "2", "0"]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["active (2 of 4)", "not active (2 of 4)"]


def test_samples_of_the_prior_fill_the_area_under_it(ax: Axes) -> None:
    figures.draw_aggregate(ax, np.random.default_rng(0).standard_normal(100_000), 4.0)
    density, edges, _ = ax.patches[0].get_data()
    z, prior = ax.lines[0].get_data()
    assert (density * np.diff(edges)).sum() == pytest.approx(1, abs=1e-3)
    assert np.trapezoid(prior, z) == pytest.approx(1, abs=1e-3)
    middle = (edges[:-1] + edges[1:]) / 2
    assert density == pytest.approx(np.interp(middle, z, prior), abs=0.02)


def test_the_prior_of_a_plane_has_three_circles(ax: Axes) -> None:
    samples = np.random.default_rng(0).uniform(size=(100, 2))
    figures.draw_aggregate_plane(ax, samples, np.arange(100) % 10, SETTINGS["palette"], 3)
    assert [circle.get_radius() for circle in ax.patches] == [1, 2, 3]
    assert ax.get_xlim()[1] > 3
    assert ax.get_ylim()[0] < -3


def test_models_are_named_on_the_plane_of_rate_and_distortion(ax: Axes) -> None:
    figures.draw_rate_distortion(ax, ["a", "b"], np.array([120.0, 20.0]), np.array([6.0, 15.0]))
    assert {text.get_text(): text.xy for text in ax.texts} == {"a": (120, 6), "b": (20, 15)}
    with pytest.raises(ValueError, match="distortions"):
        figures.draw_rate_distortion(ax, ["a", "b"], np.zeros(2), np.zeros(3))


def test_neither_torch_nor_pyplot_is_imported() -> None:
    code = "import sys, mnist_vae.figures; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "matplotlib.figure" in loaded
    assert not {"torch", "matplotlib.pyplot", "scipy", "sklearn", "pandas"} & set(loaded)


# ---- The stage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and what is known of the model ``vae``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["draw.py", "vae"])
    Path("params.yaml").write_text(f"figures: {SETTINGS}".replace("'", '"'))
    given = known()
    epoch, loss = given["curve"].values()
    rows = [{"epoch": int(e), "loss": value} for e, value in zip(epoch, loss, strict=True)]
    store.write_table(Path("reports/curves/vae.csv"), rows)
    for folder, what in (("latents", "latents"), ("images", "images of a model"), ("maps", "maps")):
        path = Path(f"data/{folder}/vae.safetensors")
        store.write_arrays(path, what, given[folder], **given["facts"])
    return tmp_path


def draw() -> None:
    runpy.run_path(str(ROOT / "stages/draw.py"))["main"]()


def test_the_stage_writes_every_figure(project: Path) -> None:
    draw()
    written = sorted(project.glob("reports/figures/vae/*"))
    assert {path.stem for path in written} == ALWAYS | {"prior_samples", "rate", "posterior"}
    assert {pixels(path.read_bytes())[0] for path in written} == {400}


@pytest.mark.parametrize("lost", ["reports/curves/vae.csv", "data/maps/vae.safetensors"])
def test_the_stage_writes_nothing_when_a_file_is_lost(project: Path, lost: str) -> None:
    (project / lost).unlink()
    with pytest.raises(InputError, match=f"{lost}: not found"):
        draw()
    assert not (project / "reports/figures").exists()


def test_the_stage_refuses_files_of_another_model(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["draw.py", "vae3"])
    with pytest.raises(InputError, match=r"latents/vae3\.safetensors: not found"):
        draw()
    for path in project.glob("*/*/vae.*"):
        path.rename(path.with_stem("vae3"))
    with pytest.raises(InputError, match="made for model 'vae', must be 'vae3'"):
        draw()
