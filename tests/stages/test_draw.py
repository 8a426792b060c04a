"""The stage draw: all figures of a model, or none."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import pytest
from support.drawings import png_size
from support.host import MODEL
from support.project import ROOT

from mnist_vae.errors import InputError

NOTEBOOKS = {
    *("reconstructions", "reconstructed", "originals", "latent_map", "class_digits"),
    *("samples", "manifold"),
}


@pytest.fixture
def alone(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and what is known of a small model of two dimensions."""
    shutil.copy(project / "params.yaml", tmp_path)
    for folder in ("data/latents", "data/images", "data/maps", "data/samples"):
        (tmp_path / folder).mkdir(parents=True)
        for path in (project / folder).glob(f"{MODEL}.*"):
            shutil.copy(path, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["draw.py", MODEL])
    return tmp_path


def draw() -> None:
    runpy.run_path(str(ROOT / "stages/draw.py"))["main"]()


def test_every_figure_is_written(alone: Path) -> None:
    draw()
    drawn = list(alone.glob(f"reports/figures/{MODEL}/*.png"))
    assert {path.stem for path in drawn} >= NOTEBOOKS
    # 5 inches of 50 dots, and 10 of rows
    assert {png_size(path.read_bytes())[0] for path in drawn} == {250, 500}


@pytest.mark.parametrize("lost", ["data/samples/{}.safetensors", "data/maps/{}.safetensors"])
def test_nothing_is_written_when_a_file_is_lost(alone: Path, lost: str) -> None:
    lost = lost.format(MODEL)
    (alone / lost).unlink()
    with pytest.raises(InputError, match=f"{lost}: not found"):
        draw()
    assert not (alone / "reports/figures").exists()


def test_files_of_another_model_are_refused(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["draw.py", "other"])
    with pytest.raises(InputError, match=r"latents/other\.safetensors: not found"):
        draw()
    for path in alone.glob(f"*/*/{MODEL}.*"):
        path.rename(path.with_stem("other"))
    with pytest.raises(InputError, match=f"made for model '{MODEL}', must be 'other'"):
        draw()
