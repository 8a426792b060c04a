"""ONNX files against torch, run by onnxruntime."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx as reader
import onnxruntime
import pytest
from support.models import write_model
from support.project import ROOT, environment

from mnist_vae import load
from mnist_vae.api import onnx
from mnist_vae.api.model import Model
from mnist_vae.errors import InputError


def by_function(model: Model, folder: Path) -> tuple[Path, Path]:
    return onnx.export(model, folder)


def by_command(model: Model, folder: Path) -> tuple[Path, ...]:
    """The command says which files it wrote, and nothing else."""
    path = folder.with_name("a.safetensors")
    command = [sys.executable, "-m", "mnist_vae", "export", "-m", str(path), "--onnx", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(ROOT))
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(Path(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("kind", "size", "channels", "export"),
    [("vae", 28, 1, by_function), ("ae", 36, 3, by_command)],
)
def test_both_halves_give_what_torch_gives_for_any_batch(
    tmp_path: Path,
    kind: str,
    size: int,
    channels: int,
    export: Callable[[Model, Path], tuple[Path, ...]],
) -> None:
    path, folder = tmp_path / "a.safetensors", tmp_path / "out"
    weight = 0.1 if kind == "vae" else None
    write_model(path, size=size, channels=channels, kind=kind, kl_weight=weight)
    model = load(path)
    files = export(model, folder)
    assert files == (folder / "encoder.onnx", folder / "decoder.onnx")
    assert sorted(folder.iterdir()) == sorted(files)
    encoder, decoder = (
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in files
    )
    rng = np.random.default_rng(0)
    for count in (1, 2, 7):
        images = rng.random((count, channels, size, size), np.float32)
        latents = rng.standard_normal((count, 3)).astype(np.float32)
        expected = [part for part in model.encode(images) if part is not None]
        found = encoder.run(None, {"images": images})
        (pixels,) = decoder.run(None, {"latents": latents})
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
        np.testing.assert_allclose(pixels, model.decode(latents), atol=1e-5)
    names = [output.name for output in encoder.get_outputs()]
    assert names == (["mean", "logvar"] if kind == "vae" else ["mean"])
    for file in files:
        proto = reader.load(file)
        assert [(used.domain, used.version) for used in proto.opset_import] == [("", onnx.OPSET)]
        facts = json.loads({entry.key: entry.value for entry in proto.metadata_props}["mnist_vae"])
        assert (facts["dataset"], facts["image_size"]) == ("pets", size)


def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    write_model(path)
    model = load(path)

    def fail(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")

    monkeypatch.setattr("torch.onnx.export", fail)
    with pytest.raises(InputError, match="the package onnxscript: pip install onnx"):
        onnx.export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
