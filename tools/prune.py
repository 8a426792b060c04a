"""Remove what stages made for models and grids that params.yaml no longer names.

Usage: python tools/prune.py [--dry]

After an experiment with a new model, or when a model is taken out of params.yaml, its files stay:
neither Git nor DVC knows of them any more. The page's stage reads whole folders, so it counts as
changed because of them. DVC's cache keeps what was ever recorded.
"""

from __future__ import annotations

import argparse
import shutil
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import ends
from dvc.dvcfile import Lockfile
from dvc.repo import Repo


def orphans(repo: Repo) -> tuple[list[Path], dict[str, list[str]]]:
    """Paths that no stage makes, in the folders where stages have a file or folder for each key,
    and the entries of each lock file that are of no stage; both sorted."""
    root = Path(repo.root_dir)
    folders: set[Path] = set()  # with an entry for each key
    made: set[Path] = set()  # all outputs, and the folders that they are in
    stages: dict[str, set[str]] = defaultdict(set)
    for stage in repo.index.stages:
        stages[str(Path(stage.path).with_suffix(".lock"))].add(stage.name)
        _, _, key = stage.name.partition("@")
        for out in stage.outs:
            path = Path(out.fs_path)
            made |= {path, *path.parents}
            of_key = (each for each in (path, *path.parents) if each.name.split(".")[0] == key)
            if key and (entry := next(of_key, None)):  # the deepest: a model may be called `data`
                folders.add(entry.parent)
    paths = [
        path
        for folder in folders
        if root in folder.parents and folder.is_dir()
        for path in folder.iterdir()
        if path not in made and not path.name.startswith(".")
    ]
    entries = {}
    for lock, names in stages.items():
        if Path(lock).exists():
            locked = Lockfile(repo, lock).load().get("stages", {})
            if unknown := sorted(locked.keys() - names):
                entries[lock] = unknown
    return sorted(path.relative_to(root) for path in paths), entries


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="only say what would be removed")
    dry = parser.parse_args().dry
    with Repo() as repo:
        paths, entries = orphans(repo)
        for path in paths:
            print(f"{'would remove' if dry else 'removed'} {path}")
            if not dry:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for lock, names in entries.items():
            shown = f"{', '.join(names)} of {Path(lock).relative_to(repo.root_dir)}"
            print(f"{'would remove' if dry else 'removed'} {shown}")
            for name in () if dry else names:
                Lockfile(repo, lock).remove_stage(SimpleNamespace(name=name))
    if not paths and not entries:
        print("nothing to remove: every file belongs to a model or grid of params.yaml")
    return 0


if __name__ == "__main__":
    ends.run(main)
