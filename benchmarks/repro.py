"""`dvc repro` from downloaded data, and with nothing to do."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from copies import copy, python
from machine import spread

CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"


def measure(
    project: Path, models: Sequence[str], targets: Sequence[str], repeat: int
) -> dict[str, object]:
    """Seconds of `dvc repro` with some models, up to the target stages (all of them if none).

    With nothing to do, ``repeat`` times, beside DVC's own time for as many stages that only make a
    file.
    """

    def change(tree: dict[str, Any]) -> None:
        tree["models"] = {name: tree["models"][name] for name in models}
        tree["made"] = {name: tree["made"][name] for name in models if name in tree["made"]}

    with tempfile.TemporaryDirectory() as mine, tempfile.TemporaryDirectory() as empty:
        for folder in map(Path, (mine, empty)):
            (folder / ".dvc").mkdir()
            (folder / ".dvc" / "config").write_text(CONFIG)
        copy(project, Path(mine), change)
        (Path(mine) / "data").mkdir()
        for split in ("train", "test"):
            shutil.copy2(project / f"data/{split}.safetensors", Path(mine) / "data")
        _dvc(mine, "repro", "settings")
        _dvc(mine, "commit", "--force", "download")
        whole = _dvc(mine, "repro", *targets)
        stages = len(yaml.safe_load((Path(mine) / "dvc.lock").read_text())["stages"])
        made = {f"s{i}": {"cmd": f"touch {i}", "outs": [str(i)]} for i in range(stages)}
        (Path(empty) / "dvc.yaml").write_text(yaml.safe_dump({"stages": made}))
        _dvc(empty, "repro")
        turns = [(_dvc(mine, "repro", *targets), _dvc(empty, "repro")) for _ in range(repeat)]
    nothing, floor = zip(*turns, strict=True)
    return {
        "models": list(models),
        "stages": stages,
        "seconds": whole,
        "nothing_to_do_seconds": spread(nothing),
        "as_many_empty_stages_seconds": spread(floor),
        "nothing_to_do_ratio": statistics.fmean(nothing) / statistics.fmean(floor),
    }


def _dvc(folder: str, *command: str) -> float:
    """Seconds of a command of DVC's."""
    start = time.perf_counter()
    python(Path(folder), "-m", "dvc", *command, DVC_SITE_CACHE_DIR=f"{folder}/.dvc/tmp/site")
    return time.perf_counter() - start
