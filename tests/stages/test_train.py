"""One process at a time trains a model."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from support.host import MODEL, OTHER, Host
from support.project import contents, identities, restored

from mnist_vae.files import lock

LOCK = f"checkpoints/.{MODEL}.lock"


def test_a_model_that_another_process_trains_is_left_alone(host: Host, project: Path) -> None:
    with lock.held(project / LOCK, f"training {MODEL}"):
        before = identities(project)
        ended = host.run(project, "train", ("wait_for_nobody",))
        assert identities(project) == before
        assert host.run(project, "train", ("wait_for_nobody",), model=OTHER).code == 0
    line = rf"train.py: error: training {MODEL}: process \d+ on .* is at it; .* \({LOCK}\)\n"
    assert ended.code == 1
    assert re.fullmatch(line, ended.err)


def test_a_training_waits_for_one_that_is_ending(host: Host, project: Path) -> None:
    let_go = threading.Event()

    def hold() -> None:
        with lock.held(project / LOCK, f"training {MODEL}"):
            held.set()
            let_go.wait(60)

    held = threading.Event()
    with restored(*contents(project)):
        before = contents(project)
        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(60)
        host.start(project, "train")
        threading.Timer(0.5, let_go.set).start()
        ended = host.end()
        holder.join()
        assert (ended.code, ended.err) == (0, "")
        assert contents(project) == before


def test_checkpoints_may_lie_elsewhere(host: Host, project: Path, tmp_path: Path) -> None:
    folder = project / "checkpoints"
    aside = folder.rename(project / "aside")
    folder.symlink_to(tmp_path)
    try:
        before = contents(project)
        ended = host.run(project, "train")
        assert (ended.code, ended.err) == (0, "")
        assert contents(project) == before
        assert list(tmp_path.iterdir()) == []
    finally:
        folder.unlink()
        aside.rename(folder)
