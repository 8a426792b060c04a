"""The stage draw: all figures of a model, or none."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from support.drawings import SETTINGS, make_model, make_settings, png_size

from mnist_vae import artifacts
from mnist_vae.errors import InputError
from mnist_vae.figures.model import of_model

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and what is known of the model ``vae``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["draw.py", "vae"])
    Path("params.yaml").write_text(f"figures: {SETTINGS}".replace("'", '"'))
    model = make_model()
    epoch, loss = model["curve"].values()
    rows = [{"epoch": int(e), "loss": value} for e, value in zip(epoch, loss, strict=True)]
    artifacts.write_table(Path("reports/curves/vae.csv"), rows)
    for folder, what in (("latents", "latents"), ("images", "images of a model"), ("maps", "maps")):
        path = Path(f"data/{folder}/vae.safetensors")
        artifacts.write_arrays(path, what, model[folder], **model["facts"])
    return tmp_path


def draw() -> None:
    runpy.run_path(str(ROOT / "stages/draw.py"))["main"]()


def test_every_figure_is_written(project: Path) -> None:
    draw()
    widths = {path.name: png_size(path.read_bytes())[0] for path in project.glob("reports/*/vae/*")}
    drawn = of_model(make_settings(), **make_model())
    assert widths == {f"{name}.png": 400 for name, _ in drawn}


@pytest.mark.parametrize("lost", ["reports/curves/vae.csv", "data/maps/vae.safetensors"])
def test_nothing_is_written_when_a_file_is_lost(project: Path, lost: str) -> None:
    (project / lost).unlink()
    with pytest.raises(InputError, match=f"{lost}: not found"):
        draw()
    assert not (project / "reports/figures").exists()


def test_files_of_another_model_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["draw.py", "vae3"])
    with pytest.raises(InputError, match=r"latents/vae3\.safetensors: not found"):
        draw()
    for path in project.glob("*/*/vae.*"):
        path.rename(path.with_stem("vae3"))
    with pytest.raises(InputError, match="made for model 'vae', must be 'vae3'"):
        draw()
