"""The page that a person opens: every metric and every figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# What each figure shows, in the order of the page.
FIGURES = {
    "loss": "Training loss",
    "reconstructions": "Test images, each beside its reconstruction",
    "latent_map": "Map of the latents of the test images",
    "latent_pca": "The two principal axes of the latents",
    "class_digits": "One digit decoded from each class's mean posterior",
    "latent_map_classes": "The same map with the ten class latents",
    "interpolation": "Interpolation between four class latents",
    "prior_samples": "Samples from the prior",
    "manifold": "The latent plane, decoded",
    "rate": "Rate of each latent dimension",
    "posterior": "Aggregated posterior against the prior",
    "traversals": "Traversals of the most active dimensions",
}


def markdown(recipe: str, models: Mapping[str, Mapping[str, Any]], drawn: set[str]) -> str:
    """A page that GitHub renders, from each model's metrics and the figures there are.

    ``models`` maps names to what evaluation.measure gave; ``drawn`` holds ``MODEL/FIGURE``.
    """
    rows = {name: _flatten(metrics) for name, metrics in models.items()}
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = [
        "# Results",
        "",
        f"Made by `dvc repro` with the recipe `{recipe}`. Squared errors are sums over the 784",
        "pixels and KL is in nats, both means over images; `train.loss_per_batch_of_512` is the",
        "notebook's unit.",
        "",
        "| metric | " + " | ".join(rows) + " |",
        "| --- |" + " ---: |" * len(rows),
    ]
    for key in keys:
        cells = [f"{row[key]:,.6g}" if key in row else "–" for row in rows.values()]
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    for name in rows:
        lines += ["", f"## {name}"]
        for figure, caption in FIGURES.items():
            if f"{name}/{figure}" in drawn:
                lines += [
                    "",
                    f"### {caption}",
                    "",
                    f"![{name}: {caption}](figures/{name}/{figure}.png)",
                ]
    return "\n".join(lines) + "\n"


def long_table(curves: Mapping[str, Mapping[str, np.ndarray]]) -> list[dict[str, float | str]]:
    """The loss curves of all models as rows of model, epoch and loss, for one chart of them all."""
    return [
        {"model": name, "epoch": int(epoch), "loss": float(loss)}
        for name, curve in curves.items()
        for epoch, loss in zip(curve["epoch"], curve["loss"], strict=True)
    ]


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
