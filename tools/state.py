"""Keep DVC's own state in the project, where only its owner may enter. Usage: make state

DVC unpickles that state, and keeps it where everybody on the machine can write unless it is told
otherwise. This tells it, whatever was there: a setting that names another folder, as it does after
the project was moved; none; a folder that others can write, as DVC makes one. What lies in such a
folder is removed: DVC looks at files again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import ends
from configobj import ConfigObj, ConfigObjError  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ".dvc/config.local"
STATE = ".dvc/tmp/site"


def set_folder(root: Path) -> None:
    """Name the folder in DVC's settings, unless they name it; other settings stay.

    `dvc config` cannot write a name that is not ASCII.
    """
    path, wanted = root / CONFIG, str(root / STATE)
    # Without interpolation, which would take a part of a name such as %(a)s for a reference.
    config = ConfigObj(str(path), encoding="utf-8", interpolation=False)
    core = config.setdefault("core", {})
    if core.get("site_cache_dir") == wanted:
        return
    core["site_cache_dir"] = wanted
    whole = root / STATE / "config.local"
    with whole.open("wb") as file:
        config.write(file)
    if path.exists():
        shutil.copymode(path, whole)
    whole.replace(path)


def close(folder: Path) -> None:
    """Make a folder that only its owner may enter, anew where others could write in it."""
    if folder.is_dir() and folder.stat().st_mode & 0o022:
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def main() -> int:
    close(ROOT / STATE)
    try:
        set_folder(ROOT)
    except (ConfigObjError, UnicodeDecodeError) as error:
        print(f"error: {CONFIG}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ends.run(main)
