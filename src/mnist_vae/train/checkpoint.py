"""Where a killed training goes on: checkpoints outside DVC's outputs, named by what decides them.

DVC deletes a stage's outputs before it runs the stage, so what must survive a kill lies elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.store import Arrays
from mnist_vae.settings import Settings, check

KEPT = 2  # the newest, and one to fall back on if that one is damaged


class _Facts(Settings, frozen=True, kw_only=True):
    """What stands beside a state."""

    key: str
    epochs: tuple[tuple[int, dict[str, float]], ...]

    def __post_init__(self) -> None:
        """Refuse epochs that are not all there."""
        numbers = [number for number, _ in self.epochs]
        if not numbers or numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"epochs are {numbers}, must be counted from 1")


class Checkpoints:
    """The newest states of one training, in a folder that several trainings share.

    ``decides`` names everything that decides the result (params, data, code, versions, device): a
    training that differs in any of it has another key, and never goes on from this one's state.
    """

    path: Path | None
    """Of the newest intact checkpoint, if there is one."""
    state: Arrays
    """Of that one; empty where there is none."""
    epochs: Sequence[tuple[int, Mapping[str, float]]]
    """The number and the means of each epoch behind that state."""

    def __init__(self, folder: Path, name: str, decides: Mapping[str, Any]) -> None:
        key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
        self.folder, self.name, self.key = folder, name, f"{name}.{key}"
        self.path, self.state, self.epochs = None, {}, ()
        for path in reversed(self._kept()):
            try:
                self.state, facts = store.read_arrays(path, "checkpoint", key=self.key)
                self.epochs = check(facts, _Facts, f"{path}: facts").epochs
            except InputError as error:
                self.state = {}
                print(f"checkpoint left out: {error}", flush=True)
                path.unlink(missing_ok=True)
            else:
                self.path = path
                print(f"going on after epoch {len(self.epochs)}, from {path}", flush=True)
                break

    def save(self, state: Arrays, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Keep a state after the last of ``epochs``, and drop all but the newest two."""
        path = self.folder / f"{self.key}.{len(epochs):06d}.safetensors"
        store.write_arrays(path, "checkpoint", state, key=self.key, epochs=list(epochs))
        for old in self._kept()[:-KEPT]:
            old.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all checkpoints of this model, those of other settings and cut-off ones too.

        The folder stays: another training may be about to write there.
        """
        for pattern in (f"{self.name}.*.safetensors", f".{self.name}.*.part"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _kept(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.key}.*.safetensors"))
