"""A page in a browser that a test holds by Chrome's DevTools Protocol: keys, pointers, pictures."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import websocket

from support.browser import CHROMIUM

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",  # nothing leaves this machine, whatever is asked for
    "--remote-debugging-port=0",
)
PATIENCE = 120  # seconds: a busy machine takes a while


class Browser:
    """A headless Chromium; ``close`` ends it."""

    def __init__(self, scratch: Path) -> None:
        profile = scratch / "profile"
        self.process = subprocess.Popen(
            [str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        said = profile / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE
        while not (said.is_file() and said.read_text().count("\n") == 1):
            assert self.process.poll() is None, "chromium did not start"
            assert time.monotonic() < end, "chromium did not start in time"
            time.sleep(0.05)
        port, path = said.read_text().split()
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}{path}",
            timeout=PATIENCE,
            suppress_origin=True,
            http_no_proxy=["127.0.0.1"],
        )
        self.number = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(PATIENCE)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """What the browser answers; what it tells meanwhile is kept in ``events``."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(
        self,
        page: Path,
        width: int = 1200,
        *,
        dark: bool = False,
        script: bool = True,
        ready: str = "document.documentElement?.dataset.ready === 'true'",
    ) -> Tab:
        """A page as a person sees it first: once it is ``ready``, or without any ``script``."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        answer = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, answer["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme, motion])
        tab.call("Emulation.setScriptExecutionDisabled", value=not script)
        tab.call("Page.navigate", url=page.as_uri())
        if script:
            tab.wait(ready)
        return tab


class Tab:
    """One page."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **params)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, of a promise what it comes to."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until a condition holds."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            assert time.monotonic() < end, f"still not: {condition}; {self.complaints()}"
            time.sleep(0.05)

    def frames(self) -> None:
        """Until what waits for a frame has been drawn."""
        twice = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)))"
        self.evaluate(f"new Promise((done) => {twice})")

    def complaints(self) -> list[str]:
        """What the console says, errors that nobody caught included."""
        kinds = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
        return [json.dumps(event["params"]) for event in self._events(kinds)]

    def requests(self) -> list[str]:
        """What the page asked for, but for itself and what stands in it."""
        sent = [event["params"] for event in self._events({"Network.requestWillBeSent"})]
        asked = [params["request"]["url"] for params in sent if params["type"] != "Document"]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def _events(self, kinds: set[str]) -> list[dict[str, Any]]:
        self.evaluate("0")  # whatever was told before this answer has arrived
        events = self.browser.events
        return [e for e in events if e["method"] in kinds and e.get("sessionId") == self.session]

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, which is brought into view."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.evaluate(f"{found}.getBoundingClientRect().toJSON()")
        return box["left"], box["top"], box["width"], box["height"]

    def drag(self, selector: str, *places: tuple[float, float], touch: bool = False) -> None:
        """Press at the first place, move through the others and let go: fractions of an element."""
        left, top, width, height = self.box(selector)
        points = [(left + x * width, top + y * height) for x, y in places]
        if touch:
            for n, (x, y) in enumerate(points):
                kind = "touchMove" if n else "touchStart"
                self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            held = {"button": "left", "clickCount": 1}
            (x, y), last = points[0], points[-1]
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
            self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **held)
            for x, y in points[1:]:
                self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left")
            x, y = last
            self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **held)
        self.frames()

    def hover(self, selector: str, x: float, y: float) -> None:
        left, top, width, height = self.box(selector)
        place = {"x": left + x * width, "y": top + y * height}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        self.frames()

    def press(self, key: str) -> None:
        """A key, to whatever has the focus."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)
        self.frames()

    def screenshot(self, whole: bool = True) -> bytes:
        """A PNG of the page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])
