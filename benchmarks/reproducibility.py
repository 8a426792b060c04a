"""How far one training's results differ between threads, precisions and devices.

Usage: python benchmarks/reproducibility.py. Needs data/mnist, which `make reproduce` leaves, and
writes reports/reproducibility.json. Every training is a process of its own with one seed; what
differs is named in the first column. Two runs of the same kind come first: they must be identical.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import yaml

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.latents import views
from mnist_vae.nets import devices, weights
from mnist_vae.train import objective

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("vae16", "vae2")
FASTEST = "bfloat16" if devices.has_bfloat16(torch.device("cpu")) else "float32"
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    f"2 threads, {FASTEST}": (FASTEST, {"OMP_NUM_THREADS": "2"}),
    "the same again": (FASTEST, {"OMP_NUM_THREADS": "2"}),
    f"1 thread, {FASTEST}": (FASTEST, {"OMP_NUM_THREADS": "1"}),
    "2 threads, float32": ("float32", {"OMP_NUM_THREADS": "2"}),
}
if torch.cuda.is_available():
    KINDS |= {
        f"CUDA, {precision}": (precision, {"MNIST_VAE_DEVICE": "cuda"})
        for precision in ("bfloat16", "float32")
    }


def measure(name: str, precision: str, env: dict[str, str]) -> dict[str, object]:
    """Train a model and measure it on the test set, from its posterior means."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "stages", copy / "stages")
        (copy / "data").symlink_to(ROOT / "data")
        tree = yaml.safe_load((ROOT / "params.yaml").read_text())
        tree["recipes"][tree["recipe"]]["precision"] = precision
        (copy / "params.yaml").write_text(yaml.safe_dump(tree))
        subprocess.run(
            (sys.executable, "stages/train.py", name),
            cwd=copy,
            env={**os.environ, "MNIST_VAE_DEVICE": "cpu", **env},
            check=True,
        )
        path = copy / f"models/{name}.safetensors"
        vae, _, _ = weights.load(path, name)
        digest = hashlib.sha256()
        for value in vae.state_dict().values():
            digest.update(value.numpy().tobytes())
        curve = store.read_table(copy / f"reports/curves/{name}.csv", "loss")
    test, _ = store.read_arrays(Path("data/mnist/test.safetensors"), "images", "images")
    mean, _ = views.encode(vae, test["images"])
    images = torch.from_numpy(test["images"])[:, None] / 255
    with torch.inference_mode():
        error = objective.squared_error(images, vae.decode(torch.from_numpy(mean)))
    return {
        "weights_sha256": digest.hexdigest(),
        "final_training_loss": float(curve["loss"][-1]),
        "test_squared_error": float(error.mean()),
    }


def main() -> None:
    os.chdir(ROOT)
    found = {name: {kind: measure(name, *how) for kind, how in KINDS.items()} for name in MODELS}
    store.write_json(
        Path("reports/reproducibility.json"),
        {
            "torch": torch.__version__,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            **found,
        },
    )
    for name, kinds in found.items():
        for kind, values in kinds.items():
            print(
                f"| {name} | {kind} | {values['final_training_loss']:.4f} | "
                f"{values['test_squared_error']:.4f} | `{str(values['weights_sha256'])[:8]}` |"
            )


if __name__ == "__main__":
    process.run(main)
