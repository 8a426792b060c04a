"""The wheel alone, with what it asks for and nothing else of the pipeline."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.models import write_model
from support.project import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from a copy, because setuptools leaves folders beside the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "wheel", ".", *options, "--wheel-dir", str(target)]
    subprocess.run(command, cwd=source, check=True)
    (found,) = target.iterdir()
    return found


def requirements(lines: list[str]) -> list[str]:
    """Names of what these lines ask for here without extras, and of all that those ask for."""
    found: dict[str, None] = {}
    queue = list(lines)
    while queue:
        asked = Requirement(queue.pop())
        name = re.sub(r"[-_.]+", "-", asked.name).lower()
        if name not in found and (not asked.marker or asked.marker.evaluate({"extra": ""})):
            found[name] = None
            queue += distribution(name).requires or []
    return list(found)


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as pip would fill it: the wheel, and links to what it asks for."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (metadata,) = site.glob("*.dist-info/METADATA")
    lines = re.findall("^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE)
    names = requirements(lines)
    assert {"torch", "numpy", "safetensors", "msgspec", "pillow"} <= {*names}
    assert not {"dvc", "torchvision", "opentsne", "matplotlib", "scipy", "onnx"} & {*names}
    for name in names:
        here = distribution(name)
        for top in {file.parts[0] for file in here.files or [] if file.parts[0] != ".."}:
            place = Path(str(here.locate_file(top)))
            if place.exists() and not (site / top).exists():
                (site / top).symlink_to(place)
    return site


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from mnist_vae import load
from mnist_vae.__main__ import main
model = load(sys.argv[2])
images = np.zeros((2, 28, 28), np.uint8)
print(model.decode(model.encode(images).mean).shape, model.sample(3).shape)
print(model.score(images).elbo.shape)
main(["sample", "-m", sys.argv[2], "-o", sys.argv[3]])
for name in ("dvc", "scipy", "torchvision", "matplotlib"):
    try:
        __import__(name)
    except ImportError:
        print("no", name)
"""


def test_a_model_is_used_where_nothing_of_the_pipeline_is(site: Path, tmp_path: Path) -> None:
    model, sheet = tmp_path / "a.safetensors", tmp_path / "sheet.png"
    write_model(model)
    done = subprocess.run(
        # -I and -S: of this Python nothing but its own library.
        [sys.executable, "-I", "-S", "-c", SCRIPT, str(site), str(model), str(sheet)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == [
        "(2, 1, 28, 28) (3, 1, 28, 28)",
        "(2,)",
        *(f"no {name}" for name in ("dvc", "scipy", "torchvision", "matplotlib")),
    ], done.stderr
    assert sheet.exists()


def test_the_wheel_has_the_command_and_all_that_is_no_code(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "mnist-vae = mnist_vae.__main__:script" in archive.read(entry).decode()
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    expected = {name for name in files if "__pycache__" not in name and ".egg-info" not in name}
    assert expected <= {*names}
