"""Remove what DVC was killed while writing, where DVC then refuses to start. Exits 1 if nothing is.

DVC writes dvc.lock, studies/dvc.lock and .dvc/tmp/rwlock in place, and cannot read one that was cut
off. Without them nothing is lost that ran here: DVC takes it from its run cache, and a study its
trainings from data/study. A file that Git could not merge is left to a person.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import ends
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid


def check_lock(text: str) -> None:
    COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(text) or {})


STUDY = Path("studies/dvc.lock")
CUT: dict[Path, Callable[[str], object]] = {
    Path("dvc.lock"): check_lock,
    STUDY: check_lock,
    Path(".dvc/tmp/rwlock"): json.loads,
}

CONFLICT = "holds conflict markers of a merge; take one side, git checkout --ours {}, run again"

NOTE = {STUDY: f"; of what ran elsewhere the committed one knows: git checkout {STUDY}"}


def main() -> int:
    mended = False
    for path, check in CUT.items():
        text = ""
        try:
            text = path.read_text(encoding="utf-8")
            check(text)
        except FileNotFoundError:
            pass
        except (ValueError, yaml.YAMLError, Invalid):
            if re.search("^(<{7}|={7}|>{7})( |$)", text, re.MULTILINE):
                print(f"error: {path}: {CONFLICT.format(path)}", file=sys.stderr)
                return 1
            path.unlink()
            note = NOTE.get(path, "")
            print(f"{path}: cut off when DVC was killed; removed, DVC makes it again{note}")
            mended = True
    return 0 if mended else 1


if __name__ == "__main__":
    ends.run(main)
