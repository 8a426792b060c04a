"""What each stage script says to params and files that do not fit: nothing is written.

Damaged, missing and misplaced files are in test_faults.py.
"""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.project import ROOT, write_images

from mnist_vae.errors import InputError
from mnist_vae.nets import weights
from mnist_vae.nets.initialize import initialize
from mnist_vae.nets.model import ModelSettings, build

VAE2 = ModelSettings(kind="vae", latent_dim=2, kl_weight=0.001)
WEIGHTS = "models/vae2.safetensors"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the params, a small part of MNIST and untrained weights of vae2."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_images(tmp_path)
    network = build(VAE2)
    initialize(network, "looks_linear", torch.Generator().manual_seed(0), 0.13)
    weights.save(tmp_path / WEIGHTS, network, "vae2", VAE2, epochs=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_VAE_DEVICE", "cpu")
    return tmp_path


def run(stage: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [f"{stage}.py", *arguments])
    runpy.run_path(str(ROOT / "stages" / f"{stage}.py"))["main"]()


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / file).read_text()
        assert old in text
        (project / file).write_text(text.replace(old, new, 1))

    return change


def weights_of(settings: ModelSettings) -> Callable[[Path], None]:
    return lambda project: weights.save(project / WEIGHTS, build(VAE2), "vae2", settings, epochs=1)


def other_split(project: Path) -> None:
    shutil.copy(project / "data/mnist/train.safetensors", project / "data/mnist/test.safetensors")


WIDE = ModelSettings(kind="vae", latent_dim=3, kl_weight=0.001)
TEST = "data/mnist/test.safetensors"
BAD = {
    "a misspelt key": (
        ["train", "vae16"],
        replace("params.yaml", "    kind: vae", "    knd: vae"),
        r"params.yaml: models.vae\w+.knd: unknown key; did you mean kind",
    ),
    "a number that YAML reads as text": (
        ["train", "vae2"],
        replace("params.yaml", "kl_weight: 0.0009765625", "kl_weight: 1e-3"),
        "models.vae2.kl_weight: found '1e-3', must be a finite number",
    ),
    "out of range": (
        ["embed", "vae2"],
        replace("params.yaml", "perplexity: 30", "perplexity: 1"),
        "embed.perplexity: found 1.0, must be from 2 to 1000",
    ),
    "no such recipe": (
        ["train", "vae2"],
        replace("params.yaml", "recipe: fast", "recipe: fats"),
        "no key 'fats'; did you mean fast",
    ),
    "no such model": (["train", "vae9"], lambda project: None, "models: no key 'vae9'"),
    "an unusual name": (["train", "../x"], lambda project: None, "must be letters, digits"),
    "no name": (["train"], lambda project: None, "takes one argument, MODEL; found 0"),
    "the other split": (["encode", "vae2"], other_split, f"{TEST}: made for split 'train'"),
    "weights that do not fit": (
        ["encode", "vae2"],
        weights_of(WIDE),
        f"{WEIGHTS}: weights do not fit the model: decoder.0.weight",
    ),
    "pairs beyond the images": (
        ["encode", "vae2"],
        replace("params.yaml", "first_pair: 200", "first_pair: 201"),
        "encode.first_pair: found 201, must be at most 200",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_nothing_is_written(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    command, change, said = BAD[name]
    change(project)
    before = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    with pytest.raises(InputError, match=said):
        run(command[0], monkeypatch, *command[1:])
    assert {path for path in project.rglob("*") if "__pycache__" not in path.parts} == before


def test_good_input_passes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("encode", monkeypatch, "vae2")
    assert (project / "data/latents/vae2.safetensors").exists()


def test_a_user_sees_one_line(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "stages" / "train.py", "vae9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("train.py: error: params.yaml: models: no key 'vae9'")
    assert done.stderr.count("\n") == 1
