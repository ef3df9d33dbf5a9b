# SPDX-License-Identifier: ISC
"""A headless Chromium, driven over WebDriver: what a person would see and do on a page, for the tests of view.py.

    with Browser() as browser:
        browser.open(Path("page.html"))
        browser.press("ArrowDown")
        browser.run("return document.title")
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from .host import HostError

SECONDS = 60.0  # for one command
DRIVERS = ("chromedriver",)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# No sandbox: in a container, or as root, there is none to be had; what is opened are pages of our own.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--force-device-scale-factor=1",
         "--force-color-profile=srgb")
# WebDriver's names of keys that type no character.
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Escape": "\ue00c", "End": "\ue010", "Home": "\ue011", "ArrowLeft": "\ue012",
        "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}


def _tool(names: tuple[str, ...]) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise HostError(f"there is no {' or '.join(names)} on this machine; setup.sh --tests brings it")


class Browser:
    """One browser with one window, from `with` to its end."""

    def __init__(self, width: int = 1200, height: int = 900) -> None:
        self.size = (width, height)
        self.session = ""

    def __enter__(self) -> Browser:
        program, driver = _tool(BROWSERS), _tool(DRIVERS)
        self.profile = tempfile.mkdtemp(prefix="hatlab-browser-")
        self.driver = subprocess.Popen([driver, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, start_new_session=True, env=dict(os.environ, HOME=self.profile))
        try:
            self.url = f"http://127.0.0.1:{self._port()}/session"
            self._begin(program)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", "")
        except (OSError, HostError):
            pass  # it is ended all the same
        finally:
            self._end()

    def _port(self) -> int:
        said = []
        for line in self.driver.stdout:
            said.append(line)
            if "started successfully on port" in line:
                return int(line.rsplit(" ", 1)[1].strip(" .\n"))
        raise HostError(f"chromedriver does not start: {''.join(said).strip()}")

    def _begin(self, program: str) -> None:
        width, height = self.size
        options = {"binary": program, "args": [*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self.profile}/profile"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        answer = self._call("POST", "", capabilities={"alwaysMatch": wanted})
        self.session = "/" + answer["sessionId"]
        self.resize(width, height)
        self._call("POST", "/url", url="about:blank")  # away from the page that a browser starts with,
        self.requests()  # and forget what that one has asked for

    def _end(self) -> None:
        """The whole group, since a browser is many processes."""
        try:
            os.killpg(self.driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _call(self, method: str, path: str, **body: object):
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + self.session + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the machine has: this is local
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise HostError(f"browser: {value['error']}: {value['message'].splitlines()[0]}") from None

    # what a person does

    def open(self, page: Path) -> None:
        self._call("POST", "/url", url=page.resolve().as_uri())

    def press(self, *keys: str) -> None:
        """Keys by name, or characters, one after the other, to whatever has the focus; "Shift+Tab" holds one."""
        actions = []
        for key in keys:
            *held, last = [KEYS.get(part, part) for part in (key.split("+") if len(key) > 1 else [key])]
            actions += [{"type": "keyDown", "value": k} for k in (*held, last)] + [{"type": "keyUp", "value": k} for k in (last, *held)]
        self._call("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def write(self, text: str) -> None:
        self.press(*text)

    # what is seen

    def run(self, script: str, *args: object):
        """What a piece of script returns in the page."""
        return self._call("POST", "/execute/sync", script=script, args=list(args))

    def accessible(self, selector: str) -> tuple[str, str]:
        """Role and name of an element, as a screen reader is told them."""
        element = next(iter(self._call("POST", "/element", using="css selector", value=selector).values()))
        return self._call("GET", f"/element/{element}/computedrole"), self._call("GET", f"/element/{element}/computedlabel")

    def resize(self, width: int, height: int) -> None:
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, medium: str = "screen", **features: str) -> None:
        """media("print"), media(prefers_color_scheme="dark")"""
        self.devtools("Emulation.setEmulatedMedia", media=medium,
                      features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def picture(self) -> bytes:
        """What is in the window, as PNG."""
        return base64.b64decode(self._call("GET", "/screenshot"))

    def paper(self) -> bytes:
        """The page as it would be printed, as PDF."""
        return base64.b64decode(self._call("POST", "/print", background=False))

    def requests(self) -> list[str]:
        """The addresses of all that was asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._call("POST", "/se/log", type="performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the page's script has stumbled over since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", type="browser") if entry["level"] == "SEVERE"]

    def devtools(self, command: str, **params: object):
        return self._call("POST", "/goog/cdp/execute", cmd=command, params=params)
