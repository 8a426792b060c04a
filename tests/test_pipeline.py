"""dvc.yaml against the code: exact dependencies, exact params, exactly the affected stages."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "mnist_vae"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
MODULES = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def body(stage: str) -> dict:
    return STAGES[stage].get("do", STAGES[stage])


def script(stage: str) -> Path:
    return ROOT / body(stage)["cmd"].split()[1]


def outs(stage: str) -> list[str]:
    """Paths of all that a stage writes."""
    written = [out for kind in ("outs", "metrics", "plots") for out in body(stage).get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in written]


@cache
def imports(path: Path) -> frozenset[str]:
    """Names of the package's modules that a file imports itself, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("mnist_vae.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "mnist_vae":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mnist_vae."):
            found.add(node.module.split(".")[1])
    return frozenset(found)


def reachable(path: Path) -> set[str]:
    todo, seen = set(imports(path)), set()
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= imports(PACKAGE / f"{module}.py") - seen
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_exactly_the_imports(stage: str) -> None:
    code = {dep for dep in body(stage)["deps"] if dep.endswith(".py")}
    wanted = {f"src/mnist_vae/{module}.py" for module in reachable(script(stage))}
    assert code == wanted | {"stages/start.py", str(script(stage).relative_to(ROOT))}


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_exactly_the_keys_read(stage: str) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(script(stage).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "params.load"
    ]
    assert len(calls) <= 1, "one call reads the params"
    keys = set()
    for wanted in calls[0].args if calls else []:
        assert isinstance(wanted, ast.Tuple)
        key = wanted.elts[0]
        if isinstance(key, ast.JoinedStr):  # f"models.{name}"; dvc.yaml calls the name ${key}
            keys.add(
                "".join(v.value if isinstance(v, ast.Constant) else "${key}" for v in key.values)
            )
        else:
            assert isinstance(key, ast.Constant)
            keys.add(key.value)
    assert set(body(stage).get("params", [])) == keys


@pytest.mark.parametrize("stage", STAGES)
def test_files_read_and_written_are_declared(stage: str) -> None:
    """Each path that a stage script names is one of the stage's deps or outs."""
    declared = {*outs(stage), *(dep for dep in body(stage)["deps"] if not dep.endswith(".py"))}
    declared = {re.sub(r"\$\{\w+\}", "*", path) for path in declared}
    for node in ast.walk(ast.parse(script(stage).read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Path":
            path = re.sub(r"\{\w+\}", "*", ast.unparse(node.args[0]).lstrip("f").strip("'"))
            inside = any(path.startswith(f"{folder}/") for folder in declared)
            assert inside or fnmatch.filter(declared, path), path


LAYERS = [  # a module imports only from lines above its own
    {"errors"},
    {"params", "artifacts", "layers", "page"},
    {"mnist", "device", "checkpoint", "model", "metrics", "audit", "optimizer"},
    {"objective", "latent", "classifier", "projection", "figures"},
    {"training", "evaluation", "report"},
    {"progress"},
]


def test_every_module_has_a_layer() -> None:
    assert set().union(*LAYERS) == MODULES


@pytest.mark.parametrize("level", range(len(LAYERS)))
def test_layers_import_only_downwards(level: int) -> None:
    below = set().union(*LAYERS[:level])
    for module in LAYERS[level]:
        assert imports(PACKAGE / f"{module}.py") <= below, module


def test_stages_do_not_import_each_other() -> None:
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"start"}
    for path in (ROOT / "stages").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & scripts
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in scripts | {"stages"}


@pytest.mark.parametrize(
    ("stage", "heavy"),
    [
        ("draw", {"torch", "sklearn", "matplotlib.pyplot", "torchvision"}),
        ("report", {"torch", "sklearn", "matplotlib.pyplot", "torchvision"}),
        ("embed", {"torch", "matplotlib", "torchvision", "openTSNE"}),
        ("train", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("encode", {"torchvision", "matplotlib", "sklearn", "pandas", "openTSNE"}),
        ("download", {"torch", "torchvision", "matplotlib"}),
    ],
)
def test_stages_import_nothing_heavy_that_they_do_not_need(stage: str, heavy: set[str]) -> None:
    code = f"import sys; sys.path.insert(0, 'stages'); import {stage}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not heavy & set(done.stdout.split())
