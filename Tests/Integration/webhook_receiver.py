"""A receiver of alerts that counts, and misbehaves as it is told."""

import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "T0secret-B0secret"


class Receiver:
    """What came, in order: (when, path, headers, JSON). `status` is the answer; `delay` comes before it;
    `hangs`: there is none; `on_alert` is called with what came before it is answered."""

    def __init__(self, certificate=None):
        self.received, self.lock = [], threading.Lock()
        self.status, self.delay, self.hangs = 200, 0, False
        self.on_alert = None
        self.asked = 0
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self, json.loads(body))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, certificate))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request, alert):
        self.asked += 1
        if self.hangs:
            self.ended.wait(60)
            return
        if self.delay:
            self.ended.wait(self.delay)
        if self.status == 200:
            with self.lock:
                self.received.append((time.monotonic(), request.path, dict(request.headers), alert))
            if self.on_alert:
                self.on_alert(alert)
        with contextlib.suppress(OSError):
            request.send_response(self.status)
            request.send_header("Content-Length", "0")
            request.end_headers()

    @property
    def alerts(self):
        with self.lock:
            return [alert for _, _, _, alert in self.received]

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
