"""The pipeline from the file of images to the page, on images that are not MNIST's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.datasets import SHAPES, write_shapes
from support.host import Host
from support.pages import Reader
from support.project import STAGES, edit, smallest

from mnist_vae.files import store

MODELS = ("vae16", "vae2", "ae2")
SETS: dict[str, dict[str, Any]] = {
    # Of 36 pixels, a map of 9 gets halved; there are fewer images than a batch has.
    "colour": {"size": 36, "counts": (60, 15), "colour": True, "labelled": False},
    "grey": {"size": 8, "counts": (150, 24), "colour": False, "labelled": True},
}
OF_CLASSES = {"class_digits", "interpolation", "latent_map_classes"}


def run_stages(host: Host, project: Path, *names: str) -> None:
    """Run these stages, or all but the download; nothing may be said on stderr."""
    for stage in names or [name for name in STAGES if name != "download"]:
        for model in MODELS if "${key}" in STAGES[stage]["cmd"] else MODELS[:1]:
            ended = host.run(project, stage, model=model)
            assert (ended.code, ended.err) == (0, ""), (stage, model, ended)


@pytest.fixture(scope="module", params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shapes(name: str, host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that ran to the end on one of the data sets."""
    project = smallest(tmp_path_factory.mktemp(name), MODELS)
    write_shapes(project, **SETS[name])
    if name == "grey":  # one of the models is of linear layers
        linear = {"architecture": "mlp", "widths": [9, 8]}
        edit(project / "params.yaml", lambda tree: tree["models"]["vae2"].update(linear))
    run_stages(host, project)
    return project


def test_what_is_measured(name: str, shapes: Path) -> None:
    labelled = SETS[name]["labelled"]
    for model in MODELS:
        metrics = store.read_json(shapes / f"reports/metrics/{model}.json")
        assert ("latent" in metrics) == labelled
        samples = store.read_json(shapes / f"reports/metrics/{model}.samples.json")["samples"]
        assert ("standard" in samples) == (model != "ae2")
        assert ("classes" in samples) == ("frechet" in samples["mixture"]) == labelled
        assert {"too_near", "too_near_rebuilt"} <= samples["mixture"].keys()
        made = store.read_json(shapes / f"reports/metrics/{model}.made.json")["made"]
        assert ("test_accuracy" in made) == labelled
        assert {"distortion", "map", "pca"} <= metrics.keys()
        assert ("likelihood" in metrics) == (model != "ae2")
    classifier = store.read_json(shapes / "reports/classifier.json")
    assert ("test_accuracy" in classifier) == labelled
    train, test = SETS[name]["counts"]
    data = classifier["data"]
    assert (data["train_images"], data["test_images"]) == (train, test)
    assert (data["image_size"], data["channels"]) == (SETS[name]["size"], 1 if labelled else 3)
    assert data["classes"] == (list(SHAPES) if labelled else [])


def test_what_is_drawn(name: str, shapes: Path) -> None:
    for model in MODELS:
        drawn = {path.stem for path in shapes.glob(f"reports/figures/{model}/*.png")}
        of_classes = OF_CLASSES if model == "vae16" else {"class_digits"}  # others are planes
        assert drawn & OF_CLASSES == (of_classes if SETS[name]["labelled"] else set())
        assert {"originals", "reconstructed", "reconstructions", "samples", "latent_map"} <= drawn
        with Image.open(shapes / f"reports/figures/{model}/reconstructions.png") as picture:
            pixels = np.asarray(picture.convert("RGBA"))[..., :3].astype(int)
        assert (np.ptp(pixels, axis=2).max() > 50) == SETS[name]["colour"]


def test_what_the_page_says(name: str, shapes: Path) -> None:
    text = Reader((shapes / "reports/index.html").read_text()).text
    assert "Variational autoencoders on shapes" in text
    for word in ("digit", "60,000", "784 ", "⁷⁸⁴", "5,000 images", "{", "}"):
        assert word not in text
    settings = text.index("The settings that it was made with")
    assert "MNIST" not in text[:settings]
    labelled = SETS[name]["labelled"]
    assert ("These images have no labels." in text) != labelled
    assert ("ln 3 = 1.10" in text) == labelled
    assert ("linear probe" in text) == ("The classifier" in text) == labelled
    assert ("Fréchet distance, Gaussian" in text) == labelled
    images = "24 for test, 8 x 8 pixels, grey, in 3 classes"
    if not labelled:
        images = "15 for test, 36 x 36 pixels, in colour, without labels"
    assert images in text
    dimensions = "64 pixels in 0 to 1" if labelled else "1,296 pixels, 3 colours each, in 0 to 1"
    assert f"Summed over {dimensions}" in text


def test_it_stays_the_same_when_it_runs_again(host: Host, shapes: Path) -> None:
    files = [*shapes.glob("reports/**/*.*"), *shapes.glob("data/*/*.safetensors")]
    before = {path: path.read_bytes() for path in files}
    after_training = [name for name in STAGES if name not in ("download", "train")]
    run_stages(host, shapes, *after_training)
    assert {path: path.read_bytes() for path in files} == before


def test_images_that_are_all_alike_end_in_one_line(
    host: Host, name: str, shapes: Path, tmp_path: Path
) -> None:
    project = smallest(tmp_path, MODELS)
    for split in ("train", "test"):
        arrays, facts = store.read_arrays(shapes / f"data/{split}.safetensors", "images")
        arrays["images"] = np.full_like(arrays["images"], 90)
        store.write_arrays(project / f"data/{split}.safetensors", "images", arrays, **facts)
    run_stages(host, project, "classify", "train", "encode")
    ended = host.run(project, "embed", model="vae16")
    assert ended.code == 1
    assert re.fullmatch(r"embed\.py: error: all images have the same latent.*\n", ended.err)


def test_widths_are_a_key_of_the_model(host: Host, name: str, shapes: Path, tmp_path: Path) -> None:
    project = smallest(tmp_path, MODELS)
    write_shapes(project, **SETS[name])
    widths = [4, 6, 8, 10] if name == "colour" else [4, 10]
    edit(project / "params.yaml", lambda tree: tree["models"]["ae2"].update(widths=widths))
    assert host.run(project, "train", model="ae2").code == 0
    assert host.run(project, "encode", model="ae2").code == 0
    edit(project / "params.yaml", lambda tree: tree["models"]["ae2"].update(widths=[1, 2, 3, 4, 5]))
    ended = host.run(project, "train", model="ae2")
    assert ended.code == 1
    assert ended.err.startswith("train.py: error: the model does not fit the images: widths has 5 ")
