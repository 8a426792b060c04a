"""A page as a browser without a network shows it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=127.0.0.1:9",  # nothing leaves this machine, whatever is asked for
    "--virtual-time-budget=4000",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1600,1000",
    "--dump-dom",
)
# The page tells the page around it what it looks like: a frame may be narrower than a window.
PROBE = """<script>
addEventListener("load", async () => {
  const images = [...document.images];
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  await Promise.all(images.map(i => new Promise(done => {
    i.onload = i.onerror = done;
    i.loading = "eager";  // as if a reader had come to it
    if (i.complete) done();
  })));
  parent.postMessage({
    width: innerWidth, needed: document.documentElement.scrollWidth,
    lost: images.filter(i => !i.naturalWidth).map(i => i.src)}, "*");
});
</script>"""
FRAME = """<!DOCTYPE html><title>frame</title><pre></pre><script>
addEventListener("message", e => document.querySelector("pre").append(JSON.stringify(e.data)));
</script><iframe src="index.html" style="width:{width}px;height:900px;border:0"></iframe>"""


def browse(reports: Path, scratch: Path, width: int) -> tuple[dict[str, Any], list[str], list[str]]:
    """What the page says of itself in a frame, the console, and the addresses it asked for."""
    (scratch / "net").mkdir(parents=True)
    copied = shutil.copytree(reports, scratch / "reports")
    page = (copied / "index.html").read_text().replace("<head>", f"<head>{PROBE}")
    (copied / "index.html").write_text(page)
    (copied / "frame.html").write_text(FRAME.format(width=width))
    log = scratch / "net" / "log.json"
    folders = (f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log}")
    done = subprocess.run(
        [str(CHROMIUM), *OPTIONS, *folders, (copied / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    layout = json.loads(done.stdout.partition("<pre>")[2].partition("</pre>")[0])
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    events = json.loads(log.read_text())["events"]
    starts = (event["params"] for event in events if "initiator" in event.get("params", {}))
    # What the browser asks for itself (the time, its updates) has no page that began it.
    return layout, console, [p["url"] for p in starts if p["initiator"] != "not an origin"]
