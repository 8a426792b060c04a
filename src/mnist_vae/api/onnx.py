"""Encoder and decoder as ONNX files, for whatever reads these: the extra ``onnx``."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.api.model import Model
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets.vae import VAE

OPSET = 18
"""The version of ONNX's operators: of December 2022, and the one that torch's exporter writes."""


class Encoder(nn.Module):
    """Images [N, C, H, W] in [0, 1] to the posterior's mean and, of a VAE, log-variance [N, D]."""

    def __init__(self, network: VAE) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Encode."""
        return tuple(part for part in self.network.encode(images) if part is not None)


class Decoder(nn.Module):
    """Latents [N, D] to images [N, C, H, W] in [0, 1]."""

    def __init__(self, network: VAE) -> None:
        super().__init__()
        self.network = network

    def forward(self, latents: Tensor) -> Tensor:
        """Decode."""
        return self.network.decode(latents)


def export(model: Model, folder: Path) -> tuple[Path, Path]:
    """Write ``encoder.onnx`` and ``decoder.onnx`` into a folder; returns their paths.

    ``images`` float32 [N, C, H, W] in [0, 1] to ``mean`` and, of a VAE, ``logvar`` [N, D], and
    ``latents`` float32 [N, D] to ``images``, for any N. What the model's file says of it stands in
    the metadata. Raises InputError where the extra ``onnx`` is not installed.
    """
    images = np.zeros((2, model.facts.channels, model.facts.image_size, model.facts.image_size))
    outputs = ["mean", "logvar"] if model.network.variational else ["mean"]
    encoder = _convert(Encoder(model.network), images, "images", outputs, model)
    latents = np.zeros((2, model.latent_dim))
    decoder = _convert(Decoder(model.network), latents, "latents", ["images"], model)
    paths = folder / "encoder.onnx", folder / "decoder.onnx"
    for path, data in zip(paths, (encoder, decoder), strict=True):
        store.write_bytes(path, data)
    return paths


def _convert(
    network: nn.Module, example: np.ndarray, name: str, outputs: list[str], model: Model
) -> bytes:
    device = model.network.mean.weight.device
    try:
        program = torch.onnx.export(
            network.eval(),
            (torch.from_numpy(example).float().to(device),),
            input_names=[name],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except ImportError as error:
        raise InputError(
            f"ONNX needs the package {error.name}: pip install onnx onnxscript"
        ) from None
    assert program is not None
    proto = program.model_proto
    facts = msgspec.to_builtins(model.facts)
    entry = proto.metadata_props.add()
    entry.key, entry.value = "mnist_vae", json.dumps(facts, sort_keys=True)
    return proto.SerializeToString()
