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
SCRIPT = "stages/study.py"
"""Whoever imports this module has, by this name, all that the study's script imports among its code
deps (tools/deps.py): what is said here must be said anew when that code changes."""
Params: TypeAlias = Mapping[str, Any]

NAMED = 3
"""Changes to name; the others are counted."""


def changes(grid: str, params: Params, root: Path = Path()) -> list[str] | None:
    """What differs from when a grid was run: paths and keys of params; None if it never was.

    ``params`` are the sections ``recipes`` and ``study`` of params.yaml as they are now. Data that
    a clean clone lacks count as unchanged. Raises InputError for a lock that is damaged.
    """
    try:
        stages = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))["stages"]
        stage = stages.get(f"study@{grid}")
        if stage is None or SCRIPT not in stage["cmd"]:
            return None
        files = {entry["path"]: entry["md5"] for entry in [*stage["deps"], *stage["outs"]]}
        keys = stage["params"]["params.yaml"].items()
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise InputError(f"{LOCK}: damaged; delete it and run `make study`") from None
    changed = [path for path, md5 in files.items() if _differs(root / path, path, md5)]
    return changed + [key for key, value in keys if _param(params, key) != value]


def sentence(grid: str, params: Params, root: Path = Path()) -> str:
    """The state of a grid's results in a sentence for the page."""
    changed = changes(grid, params, root)
    command = "`make study-notebook`" if grid == "notebook" else "`make study`"
    if changed is None:
        return f"Nothing records what this study was made with: {command} makes it again."
    if not changed:
        return "This study was made with the code, settings and data that stand here."
    named, more = changed[:NAMED], len(changed) - NAMED
    if more > 0:
        listed = f"{', '.join(named)} and {more} more"
    else:
        listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    return (
        f"This study is older than what stands here: {listed} changed since it was run. "
        f"{command} brings it up to date."
    )


def _differs(file: Path, path: str, md5: str) -> bool:
    try:
        return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5
    except FileNotFoundError:
        return not path.startswith("data/")


def _param(params: Params, key: str) -> Any:
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
