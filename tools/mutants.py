"""Make known mistakes one at a time in a copy, and see that a test fails. Usage: make mutants

Each once lived: the code was wrong and all tests passed. `python tools/mutants.py WORD` makes only
those whose names hold a word. Beside this, `make mutate` makes mistakes of mutmut's own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SRC = "src/mnist_vae"


class Mutant(NamedTuple):
    """A mistake, and the tests that have to see it."""

    name: str
    file: str
    """Below src/mnist_vae; its tests have the same place in tests/."""
    right: str
    """What stands in the file, once."""
    wrong: str
    only: str = ""
    """Of its tests, those with this word in their names."""


def key_without(name: str, value: str) -> Mutant:
    """The checkpoint's key without something that decides a training."""
    line = f'        "{name}": {value},\n'
    return Mutant(
        f"checkpoint's key without {name}", "train/autoencode.py", line, "", "checkpoints"
    )


EARLY = ("(settings.early_iterations - early, 12, 0.8)", "(early, 3, 0.8)")
SHIFTS = "torch.randint(-SHIFT, SHIFT + 1, (count, 2), generator=generator)"
FRECHET = "frechet_distance(real.features, seen.features)"
MUTANTS = (
    Mutant(
        "Nesterov's look-ahead dropped",
        "train/optimizer.py",
        "grad.lerp(mean, self.beta1)",
        "mean.clone()",
    ),
    Mutant("rate of a step's start", "train/recipe.py", "(step + 0.5) / steps", "step / steps"),
    Mutant("rate of a step's end", "train/recipe.py", "(step + 0.5) / steps", "(step + 1) / steps"),
    Mutant("epoch's generator shifted", "train/loop.py", '"epoch", epoch)', '"epoch", epoch + 1)'),
    Mutant(
        "no check of weights",
        "train/loop.py",
        "elif not optimizer.master.isfinite().all():",
        "elif False:",
    ),
    Mutant(
        "no shuffle",
        "train/loop.py",
        "torch.randperm(len(task.examples[0]), generator=generator)",
        "torch.arange(len(task.examples[0]))",
    ),
    key_without("settings", "msgspec.to_builtins(settings)"),
    key_without("recipe", "msgspec.to_builtins(recipe)"),
    key_without("seed", "seed"),
    key_without("binarise", "binarise"),
    key_without("shape", "list(images.shape)"),
    key_without("images", "hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest()"),
    key_without("code", "[hashlib.sha256(file.read_bytes()).hexdigest() for file in code]"),
    key_without("torch", "torch.__version__"),
    key_without("device", "devices.describe(device)"),
    key_without("instructions", "devices.instructions(device)"),
    key_without("precision", "str(loop.pick_dtype(recipe, device))"),
    key_without("processes", "parallel.count()"),
    Mutant(
        "copy in place of a rename",
        "files/store.py",
        "os.replace(part, path)",
        "path.write_bytes(part.read_bytes())",
    ),
    Mutant("half the spread of first biases", "nets/initialize.py", "std=2 * std", "std=std"),
    Mutant("one neighbour", "measure/separability.py", "k: int = 5", "k: int = 1"),
    Mutant(
        "probe scaled by the test set",
        "measure/separability.py",
        "x.mean(0), x.std(0)",
        "y.mean(0), y.std(0)",
    ),
    Mutant(
        "test set scaled by itself",
        "measure/separability.py",
        "(y - center) / scale",
        "(y - y.mean(0)) / y.std(0)",
    ),
    Mutant("truth beside itself", "measure/quality.py", FRECHET, FRECHET.replace("seen", "real")),
    Mutant("samples alone", "measure/quality.py", FRECHET, FRECHET.replace("real", "seen")),
    Mutant(
        "floor of the truth with itself",
        "measure/quality.py",
        "frechet_floor(features, others.features, rng)",
        "frechet_floor(features, features, rng)",
    ),
    Mutant("no exaggeration", "latents/maps.py", EARLY[0], EARLY[0].replace("12", "1")),
    Mutant("no second exaggeration", "latents/maps.py", EARLY[1], EARLY[1].replace("3", "1")),
    Mutant("exaggeration to the end", "latents/maps.py", "iterations, 1, s", "iterations, 2, s"),
    Mutant("less early momentum", "latents/maps.py", EARLY[0], EARLY[0].replace("0.8", "0.5")),
    Mutant("less momentum then", "latents/maps.py", EARLY[1], EARLY[1].replace("0.8", "0.5")),
    Mutant("momentum not as set", "latents/maps.py", "1, settings.momentum", "1, 0.8"),
    Mutant(
        "no shifts",
        "train/classify.py",
        SHIFTS,
        "torch.zeros((count, 2), dtype=torch.int64)",
    ),
    Mutant("shifts one way", "train/classify.py", SHIFTS, SHIFTS.replace("-SHIFT", "0")),
    Mutant("a bar wider than its terminal", "train/progress.py", "if len(text) <= room", "if True"),
    Mutant("left by Ctrl-C", "process.py", "    remove_unfinished()\n", "", "half_written"),
    Mutant(
        "made before it is named",
        "files/lock.py",
        """        process.unfinished.add(part)
        if (file := _take(part)) is not None:
""",
        """        if (file := _take(part)) is not None:
            process.unfinished.add(part)
""",
        "instructions",
    ),
)


def tests_of(mutant: Mutant) -> list[str]:
    """What to tell pytest."""
    path = Path("tests", mutant.file)
    return [str(path.with_name(f"test_{path.name}")), "-k", mutant.only]


def copy(target: Path) -> None:
    """Copy what Git tracks."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())


def lives(mutant: Mutant, copied: Path) -> bool:
    """Whether the mutant's tests pass, though the code is wrong."""
    path = copied / SRC / mutant.file
    text = path.read_text()
    if text.count(mutant.right) != 1:
        sys.exit(f"{mutant.name}: {mutant.file} has no such place, or more: {mutant.right!r}")
    path.write_text(text.replace(mutant.right, mutant.wrong))
    command = [sys.executable, "-m", "pytest", "-x", "-q", *tests_of(mutant)]
    done = subprocess.run(command, cwd=copied, capture_output=True, text=True, check=False)
    path.write_text(text)
    if done.returncode not in (0, 1):
        sys.exit(f"{mutant.name}: {done.stdout}{done.stderr}")
    return done.returncode == 0


def main() -> None:
    words = sys.argv[1:]
    wanted = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        copy(Path(folder))
        for mutant in wanted:
            if lives(mutant, Path(folder)):
                alive.append(mutant.name)
            print(f"{'LIVES' if mutant.name in alive else 'seen':6} {mutant.name}", flush=True)
    if alive:
        sys.exit(f"{len(alive)} of {len(wanted)} mistakes pass all tests")


if __name__ == "__main__":
    main()
