"""Variational autoencoders on MNIST, trained, measured and drawn.

``load`` gives a trained model with NumPy in and out. It is imported when it is first used, so that
importing the package alone imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_vae.api.model import Model, load

__all__ = ["Model", "load"]


def __getattr__(name: str) -> object:
    """Import what is public when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mnist_vae.api import model

    return getattr(model, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
