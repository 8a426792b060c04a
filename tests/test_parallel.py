"""Several processes that train together, against one that trains alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from support.project import ROOT, edit, write_images
from torch import Tensor

from mnist_vae import parallel
from mnist_vae.files import curves
from mnist_vae.nets import weights

MODELS = {
    "vae": {"kind": "vae", "latent_dim": 2, "kl_weight": 0.01},
    # Its cost depends on the error of the whole batch.
    "sigma": {"kind": "vae", "latent_dim": 2, "kl_weight": 1, "likelihood": "gaussian"},
}


def test_one_process_alone_has_it_all() -> None:
    rows = torch.arange(4.0)
    assert (parallel.count(), parallel.is_first()) == (1, True)
    assert parallel.own_rows([rows])[0] is rows
    assert parallel.mean(rows) == 1.5
    assert torch.equal(parallel.add_up(rows.clone()), rows)
    assert parallel.from_first("value", [rows]) == "value"
    with parallel.together(torch.device("cpu")):
        assert parallel.count() == 1


def train(folder: Path, name: str, processes: int, *, epochs: int = 3) -> subprocess.Popen[str]:
    """A training of a model in a folder of its own."""
    for part in ("src", "stages"):
        shutil.copytree(ROOT / part, folder / part, dirs_exist_ok=True)
    shutil.copy(ROOT / "params.yaml", folder)
    write_images(folder)

    def change(tree: dict[str, Any]) -> None:
        tree["models"] = MODELS
        # 400 images in batches of 63, the last of 22: no two processes get as many of each.
        tree["recipes"]["fast"] |= {
            "epochs": epochs,
            "least_images": 1,
            "batch_size": 63,
            "last_batch_size": 63,
            "precision": "float32",
            "optimizer": "adam",
            "learning_rate": 0.0005,  # rounding grows with it
            "initialization": "he",
        }

    edit(folder / "params.yaml", change)
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen(
        [*command, "stages/train.py", name],
        cwd=folder,
        env=os.environ | {"MNIST_VAE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def result(folder: Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, Tensor]]:
    """Curve and weights."""
    network, _ = weights.load(folder / f"models/{name}.safetensors", name)
    return curves.read(folder / f"reports/curves/{name}.csv"), network.state_dict()


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs Gloo")
@pytest.mark.parametrize("name", MODELS)
def test_two_processes_learn_what_one_does_and_one_of_them_writes(
    tmp_path: Path, name: str
) -> None:
    for processes in (1, 2):
        with train(tmp_path / str(processes), name, processes) as training:
            printed, _ = training.communicate()
        assert training.returncode == 0, printed
        assert printed.count("epoch 3/3") == 1
        assert not list((tmp_path / str(processes) / "checkpoints").glob("*"))
    (curve, values), (together, values_together) = (result(tmp_path / n, name) for n in "12")
    for term, numbers in curve.items():
        np.testing.assert_allclose(together[term], numbers, rtol=1e-4)
    for key, value in values.items():
        torch.testing.assert_close(values_together[key], value, rtol=1e-2, atol=1e-3)


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs Gloo")
def test_two_processes_go_on_where_they_were_killed(tmp_path: Path) -> None:
    for folder in ("whole", "killed"):
        killed = folder == "killed"
        with train(tmp_path / folder, "vae", 2, epochs=4) as training:
            assert training.stdout is not None
            for line in training.stdout:
                if killed and "epoch 1/4" in line:
                    parent = psutil.Process(training.pid)
                    for process in (parent, *parent.children(recursive=True)):
                        process.kill()
        if killed:
            assert list((tmp_path / folder / "checkpoints").iterdir())
            with train(tmp_path / folder, "vae", 2, epochs=4) as again:
                printed, _ = again.communicate()
            assert again.returncode == 0, printed
            assert printed.count("going on after epoch") == 1
    (curve, values), (resumed, values_resumed) = (
        result(tmp_path / folder, "vae") for folder in ("whole", "killed")
    )
    for term, numbers in curve.items():
        np.testing.assert_array_equal(resumed[term], numbers)
    for key, value in values.items():
        assert torch.equal(values_resumed[key], value)
