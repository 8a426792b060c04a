"""Measure a model on the test set. Usage: python stages/evaluate.py MODEL"""

from __future__ import annotations

from pathlib import Path

from mnist_vae import artifacts, device, errors, evaluation, model, params


def main() -> None:
    name = errors.argument("MODEL")
    (seed,) = params.load(("seed", params.Seed))
    vae, settings, _ = model.load(Path(f"models/{name}.safetensors"), name)
    latents, _ = artifacts.read_arrays(
        Path(f"data/latents/{name}.safetensors"), "latents", "mean", model=name
    )
    data, _ = artifacts.read_arrays(
        Path("data/mnist/test.safetensors"), "images", "images", "labels", split="test"
    )
    columns = ["epoch", "loss", "squared_error", *(["kl"] if settings.kind == "vae" else [])]
    curve = artifacts.read_table(Path(f"reports/curves/{name}.csv"), *columns)
    vae.to(device.pick())

    measured = evaluation.measure(vae, latents, data["images"], curve, seed)
    artifacts.write_json(Path(f"reports/metrics/{name}.json"), measured)


if __name__ == "__main__":
    errors.run(main)
