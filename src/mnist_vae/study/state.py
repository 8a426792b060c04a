"""Whether a study is as new as the code, the settings and the data that it came from.

DVC records in its lock file what each stage was run with. The page is no stage after the study, or
every edit of the training code would run all of it; so it compares that record itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from mnist_vae.errors import InputError

LOCK = Path("studies/dvc.lock")
PIPELINE = Path("dvc.lock")
"""What the pipeline made, where a clean clone lacks it."""
CLASSIFIER = "data/classifier.safetensors"
SCRIPT = "stages/study.py"
"""Whoever imports this module has, by this name, all that the study's script imports among its code
deps (tools/deps.py): what is said here must be said anew when that code changes."""
Params: TypeAlias = Mapping[str, Any]

NAMED = 3
"""Changes to name; the others are counted."""


def changes(grid: str, params: Params, root: Path = Path()) -> list[str] | None:
    """What differs from when a grid was run: paths and keys of params; None if it never was.

    ``params`` are the sections ``recipes`` and ``study`` of params.yaml as they are now. Data that
    a clean clone lacks count as dvc.lock has them, and as unchanged where it does not. Raises
    InputError for a lock that is damaged.
    """
    try:
        stage = _stages(root / LOCK).get(f"study@{grid}")
        if stage is None or SCRIPT not in stage["cmd"]:
            return None
        files = {entry["path"]: entry["md5"] for entry in [*stage["deps"], *stage["outs"]]}
        keys = stage["params"]["params.yaml"].items()
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise InputError(f"{LOCK}: damaged; delete it and run `make study`") from None
    there = {path: _digest(root / path) for path in files}
    if None in there.values():
        there |= {path: md5 for path, md5 in _made(root).items() if there.get(path, md5) is None}
    changed = [
        path
        for path, md5 in files.items()
        if there[path] != md5 and not (there[path] is None and path.startswith("data/"))
    ]
    return changed + [key for key, value in keys if _param(params, key) != value]


def sentence(grid: str, params: Params, root: Path = Path()) -> str:
    """The state of a grid's results in a sentence for the page."""
    changed = changes(grid, params, root)
    command = "`make study-notebook`" if grid == "notebook" else "`make study`"
    if changed is None:
        return f"Nothing records what this study was made with: {command} makes it again."
    if not changed:
        return "This study was made with the code, settings and data that stand here."
    if changed == [CLASSIFIER]:
        return (
            "This study was made with the code, settings and images that stand here, but its "
            "samples were measured by another classifier, such as another processor trains: "
            "compare its Fréchet distances only within it."
        )
    named, more = changed[:NAMED], len(changed) - NAMED
    if more > 0:
        listed = f"{', '.join(named)} and {more} more"
    else:
        listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    return (
        f"This study is older than what stands here: {listed} changed since it was run. "
        f"{command} brings it up to date."
    )


def _digest(file: Path) -> str | None:
    """The MD5 that DVC records of a file; None where there is none."""
    try:
        return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    except FileNotFoundError:
        return None


def _made(root: Path) -> dict[str, str]:
    """The digests of the data that the pipeline made last, by path; none without its lock."""
    try:
        stages = _stages(root / PIPELINE).values()
        outs = [out for stage in stages for out in stage.get("outs", [])]
        return {out["path"]: out["md5"] for out in outs if out["path"].startswith("data/")}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise InputError(f"{PIPELINE}: damaged; delete it and run `dvc repro`") from None


def _stages(lock: Path) -> Mapping[str, Any]:
    stages: Mapping[str, Any] = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    return stages


def _param(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
