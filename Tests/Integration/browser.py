"""Headless Chromium, driven over a pipe: no driver, no port, no package.

    with Browser(tmp_path) as browser:
        browser.visit("http://127.0.0.1:9464/")
        browser.until("document.querySelectorAll('tbody tr').length > 0")

A message of the DevTools protocol is JSON with a NUL behind it; Chromium reads them from its
descriptor 3 and writes them to its descriptor 4.
"""

import base64
import json
import os
import selectors
import shutil
import signal
import subprocess
import time

# Debian's name, and what there is on other systems.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable")
LONG = 60  # seconds: a browser starts slowly on a busy machine


class Browser:
    """One Chromium with one page."""

    def __init__(self, directory, width=1280, height=900, scheme="light"):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        assert program, "chromium is missing: deploy/install-packages test"
        self.events, self.last_id, self.unread = [], 0, b""
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()
        self.log = open(directory / "chromium.log", "wb")
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", program,
             "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run",
             "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--password-store=basic", "--force-color-profile=srgb",
             # Every name but the own machine's is unknown: nothing is loaded from elsewhere.
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             f"--user-data-dir={directory / 'chromium'}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            pass_fds=(to_browser, from_browser), start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        self.session = None
        try:
            self._attach(width, height, scheme)
        except BaseException:
            self.close()
            raise

    def _attach(self, width, height, scheme):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)
        self.prefer(scheme)

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)

    def prefer(self, scheme):
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def send(self, method, timeout=LONG, **params):
        """Sends a command and returns its result; events that come meanwhile are kept."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(deadline, method)
            if answer.get("id") == self.last_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _receive(self, deadline, what):
        with selectors.DefaultSelector() as selector:
            selector.register(self.input, selectors.EVENT_READ)
            while b"\0" not in self.unread:
                left = deadline - time.monotonic()
                assert left > 0 and selector.select(left), f"{what}: no answer from chromium"
                data = os.read(self.input, 1 << 20)
                assert data, f"{what}: chromium is gone"
                self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        result = self.send("Page.navigate", url=url)
        assert "errorText" not in result, f"{url}: {result}"
        self.until("document.readyState === 'complete'")

    def visit(self, url):
        """Opens a page and forgets what the one before it did and complained about."""
        # That one goes first: it may still ask a server that has ended.
        self.open("about:blank")
        self.events.clear()
        self.open(url)

    def value(self, expression):
        """What an expression is in the page; a promise is waited for."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def until(self, expression, timeout=LONG):
        """Asks until the expression is truthy in the page, and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.value(expression)
            if value:
                return value
            assert time.monotonic() < deadline, \
                f"not within {timeout} s: {expression}; the page: {self.text()!r}"
            time.sleep(0.02)

    def text(self):
        return self.value("document.body.innerText")

    def type(self, text):
        self.send("Input.insertText", text=text)

    def press(self, key, **more):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def picture(self, path, whole=False):
        """A PNG of what is seen, or of the whole page."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def complaints(self):
        """What the page's console, its policy and its requests complained about so far."""
        self.value("0")
        return [e for e in self.events if e.get("method") in
                ("Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed")]

    def requested(self):
        """The addresses that were asked for so far."""
        self.value("0")
        return [e["params"]["request"]["url"] for e in self.events
                if e.get("method") == "Network.requestWillBeSent"]

    def close(self):
        for descriptor in (self.output, self.input):
            os.close(descriptor)
        # Its own session: the processes that it started go with it.
        with_it = self.process.pid
        if self.process.poll() is None:
            os.killpg(with_it, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
