"""How well a model's score tells images of another data set from those that it was trained on.

Usage: python benchmarks/unlike.py [MODEL ...]. Needs models/ and data/, which `make reproduce`
leaves, and Debian's package of Fashion-MNIST, which it fetches; writes reports/unlike.json. The
AUROC is the chance that an image of Fashion-MNIST's test set gets the worse score of a pair with
one of MNIST's: 0.5 is guessing, 1 is never wrong.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from mnist_vae import Model, load
from mnist_vae.data.fetch import fetch_files
from mnist_vae.data.idx import parse_splits
from mnist_vae.data.published import read_source
from mnist_vae.files import store
from mnist_vae.files.split import read_split


def auroc(usual: np.ndarray, unlike: np.ndarray) -> float:
    """The chance that of a pair ``unlike`` has the larger number."""
    truth = np.repeat([0, 1], [len(usual), len(unlike)])
    return float(roc_auc_score(truth, np.concatenate([usual, unlike])))


def measure(model: Model, usual: np.ndarray, unlike: np.ndarray) -> dict[str, float]:
    """The AUROC of each score that a model has."""
    ours, theirs = model.score(usual), model.score(unlike)
    found = {"squared_error": auroc(ours.squared_error, theirs.squared_error)}
    if ours.elbo is not None and theirs.elbo is not None:
        found["elbo"] = auroc(-ours.elbo, -theirs.elbo)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="names; all that there are, if left out")
    there = sorted(path.stem for path in (ROOT / "models").glob("*.safetensors"))
    names = parser.parse_args().models or [name for name in there if "." not in name]
    usual = read_split("test", folder=ROOT / "data").images
    _, files = fetch_files(read_source(ROOT / "datasets/fashion-mnist"), ("debian",), 300)
    unlike = parse_splits(files)["test"]["images"]
    # What no model is needed for: clothes have more ink than digits.
    ink = auroc(usual.mean((1, 2, 3)), unlike.mean((1, 2)))
    print(f"mean of the pixels alone {ink:.4f}", flush=True)
    results = {}
    for name in names:
        results[name] = measure(load(Path(ROOT / f"models/{name}.safetensors")), usual, unlike)
        print(name, *(f"{key} {value:.4f}" for key, value in results[name].items()), flush=True)
    store.write_json(ROOT / "reports/unlike.json", {"auroc": results, "auroc_of_pixel_mean": ink})


if __name__ == "__main__":
    run(main)
