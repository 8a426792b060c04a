"""The command line: ``mnist-vae``, or ``python -m mnist_vae``."""

from __future__ import annotations

import argparse
import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_vae import process
from mnist_vae.errors import InputError

if TYPE_CHECKING:
    from mnist_vae.api.inputs import Named
    from mnist_vae.api.model import Model

# Commands import what they need when they run: the audit of a loss needs no torch.

MODEL = Path("models/vae16.safetensors")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments of the command line say; raises InputError for what is wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except ValueError as error:  # of an argument that argparse cannot judge
        raise InputError(str(error)) from None


def script() -> None:
    """The command ``mnist-vae``."""
    sys.argv[0] = "mnist-vae"
    process.run(main)


# --- Commands -------------------------------------------------------------------------------------


def _encode(options: argparse.Namespace) -> None:
    from mnist_vae.api import inputs

    model = _load(options)
    images = _images(options, model)
    inputs.write_posterior(options.output, model.encode(images.images), images.names)


def _decode(options: argparse.Namespace) -> None:
    from mnist_vae.api import inputs, sheet
    from mnist_vae.files import store

    model = _load(options)
    pixels = model.decode(inputs.read_latents(options.latents, model.latent_dim))
    if options.output.suffix.lower() == ".png":
        store.write_bytes(options.output, sheet.to_png(sheet.lay_out(pixels)))
        return
    width = len(str(len(pixels) - 1))
    for index, image in enumerate(pixels):
        store.write_bytes(options.output / f"{index:0{width}}.png", sheet.to_png(image))


def _sample(options: argparse.Namespace) -> None:
    from mnist_vae.api import sheet
    from mnist_vae.files import store

    if options.count < 1:
        raise InputError(f"-n: found {options.count}, must be at least 1")
    if options.output.suffix.lower() != ".png":
        raise InputError(f"{options.output}: must end in .png")
    pixels = _load(options).sample(
        options.count, seed=options.seed, label=options.label, prior=options.prior
    )
    store.write_bytes(options.output, sheet.to_png(sheet.lay_out(pixels)))


def _score(options: argparse.Namespace) -> None:
    import numpy as np

    model = _load(options)
    images = _images(options, model)
    score = model.score(images.images, seed=options.seed)
    order = np.argsort(-score.squared_error if score.elbo is None else score.elbo, kind="stable")
    print("squared_error\telbo\timage" if score.elbo is not None else "squared_error\timage")
    for index in order:
        elbo = "" if score.elbo is None else f"{score.elbo[index]:.1f}\t"
        print(f"{score.squared_error[index]:.2f}\t{elbo}{images.names[index]}")


def _export(options: argparse.Namespace) -> None:
    from mnist_vae.api import onnx

    # process.run leaves all that was imported uncollected, which Triton, part of torch's exporter,
    # would call a leak in 30 lines.
    atexit.register(gc.unfreeze)
    for path in onnx.export(_load(options), options.onnx):
        print(path)


def _audit(options: argparse.Namespace) -> None:
    from mnist_vae.measure import reduction

    loss = reduction.Loss(
        weight=options.weight,
        pixels=options.pixels,
        latent_dim=options.latent_dim,
        over_pixels=options.over_pixels,
        over_latents=options.over_latents,
        error=options.loss,
        batch_size=options.batch_size,
    )
    found = reduction.audit_loss(loss, error=options.error, kl=options.kl)
    name = {"squared": "squared error", "half-squared": "½ squared error"}.get(loss.error, "BCE")
    sums = f"{name} + {reduction.effective_weight(loss):.4g} · KL, both summed"
    lines = {"per image": sums}
    if found.implied_variance is not None:
        lines["variance implied"] = f"{found.implied_variance:.3g}"
        lines["variance shown"] = f"{found.calibrated_variance:.3g}"
    calibrated = reduction.calibrated_weight(loss, found)
    lines["calibrated weight"] = f"{calibrated:.4g} in place of {loss.weight:g}"
    for key, value in lines.items():
        print(f"{key:<18} {value}")
    print(found.sentence)


def _load(options: argparse.Namespace) -> Model:
    from mnist_vae.api.model import load

    return load(options.model)


def _images(options: argparse.Namespace, model: Model) -> Named:
    from mnist_vae.api import inputs

    size, channels = model.facts.image_size, model.facts.channels
    return inputs.read_images(options.images, size=size, channels=channels)


# --- Arguments ------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mnist-vae", description="Use a trained model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, do: Callable[[argparse.Namespace], None], text: str, model: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        added.set_defaults(do=do)
        if model:
            added.add_argument("-m", "--model", type=Path, default=MODEL, help=f"default: {MODEL}")
        return added

    def output(added: argparse.ArgumentParser, text: str) -> None:
        added.add_argument("-o", "--output", type=Path, required=True, help=text)

    def images(added: argparse.ArgumentParser) -> None:
        text = "pictures, folders of them, or .npz files"
        added.add_argument("images", type=Path, nargs="+", metavar="IMAGES", help=text)

    def seed(added: argparse.ArgumentParser) -> None:
        added.add_argument("--seed", type=_whole, default=0, help="of what is drawn; default: 0")

    added = command("encode", _encode, "write the posteriors of images")
    images(added)
    output(added, "an .npz: mean, logvar, names")

    added = command("decode", _decode, "write the images of latents")
    added.add_argument("latents", type=Path, help="an .npz with mean, floats [N, D]")
    output(added, "a .png for one sheet, else a folder for a picture each")

    added = command("sample", _sample, "draw images from a prior")
    added.add_argument("-n", "--count", type=int, default=25, help="default: 25")
    added.add_argument("--digit", "--label", dest="label", help="of this class")
    added.add_argument("--prior", help="standard, gaussian, mixture or classes")
    seed(added)
    output(added, "the sheet, a .png")

    added = command("score", _score, "print how well the model knows images, the strangest first")
    images(added)
    seed(added)

    added = command("export", _export, "write encoder.onnx and decoder.onnx")
    added.add_argument("--onnx", type=Path, required=True, metavar="DIR", help="folder to write to")

    added = command("audit", _audit, "say what a KL weight means, of any VAE", model=False)
    added.add_argument("--weight", type=float, required=True, help="of the KL in your loss")
    added.add_argument("--pixels", type=int, required=True, help="height · width · channels")
    added.add_argument("--latent-dim", type=int, required=True, help="size of the latent")
    for name, of in (("--over-pixels", "the error"), ("--over-latents", "the KL")):
        text = f"how your loss reduces {of}; default: sum"
        added.add_argument(name, choices=("sum", "mean"), default="sum", help=text)
    kinds = ("squared", "half-squared", "cross-entropy")
    added.add_argument(
        "--loss", choices=kinds, default=kinds[0], help="the error; default: squared"
    )
    text = "squared error that training reaches, reduced over pixels likewise, per image"
    added.add_argument("--error", type=float, help=text)
    added.add_argument("--kl", type=float, help="KL that it reaches, in nats, likewise; may lack")
    text = "if the error is summed over a batch of so many, and the KL averaged; default: 1"
    added.add_argument("--batch-size", type=int, default=1, help=text)
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


_whole.__name__ = "whole number from 0"  # as argparse calls it

if __name__ == "__main__":
    script()
