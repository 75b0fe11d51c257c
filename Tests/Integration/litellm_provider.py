"""A fake provider of LLMs on loopback: OpenAI's API as far as a LiteLLM proxy asks it.

The path says which deployment was meant (`/d1/v1/chat/completions`), words of the last message what
is to happen: `tokens=30` (how many the answer has), `wait=0.5` (seconds), `fail=d1` (500 from that
deployment), `cut` (a stream ends in the middle)."""

import json
import re
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import websockets_by_hand


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    # Fifty at once are the point of a test.
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Provider:
    """Serves until `close`; `asked` lists (deployment, path) of each request."""

    def __init__(self):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                provider.answer(self, body)

            def do_GET(self):
                if self.headers.get("Upgrade"):
                    provider.converse(self)
                else:
                    provider.answer(self, {})

            def log_message(self, *_):
                pass

        self.asked, self.released = [], threading.Event()
        self.begun = int(time.time())
        self.server = Listener(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def base(self, deployment):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{deployment}/v1"

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, body):
        _, deployment, path = handler.path.split("/", 2)
        self.asked.append((deployment, path))
        words = json.dumps(body.get("messages", body.get("input", "")))
        tokens = int((re.search(r"tokens=(\d+)", words) or [0, 5])[1])
        if waiting := re.search(r"wait=([\d.]+)", words):
            time.sleep(float(waiting[1]))
        if f"fail={deployment}" in words:
            send(handler, 500, {"error": {"message": "it failed", "type": "server_error"}})
        elif "embeddings" in path:
            send(handler, 200, {
                "object": "list", "model": body["model"], "usage": usage(0),
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]})
        elif "responses" in path:
            send(handler, 200, responses_answer(body, tokens))
        elif "images" in path:
            send(handler, 200, {"created": 1, "data": [{"url": "http://x/y.png"}]})
        elif "files" in path:
            # What a batch has written: two answers.
            line = {"id": "r", "custom_id": "c", "response": {"status_code": 200, "body": {
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
                "choices": [], "usage": usage(5)}}}
            send(handler, 200, line, line)
        elif "batches" in path:
            send(handler, 200, {
                "id": path.rsplit("/", 1)[1], "object": "batch", "status": "completed",
                "endpoint": "/v1/chat/completions", "input_file_id": "f", "created_at": 1,
                "completed_at": self.begun, "completion_window": "24h", "output_file_id": "o"})
        elif body.get("stream"):
            self.stream(handler, body, words, tokens)
        else:
            send(handler, 200, {
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1,
                "model": body.get("model", "m"), "usage": usage(tokens),
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": "hello"}}]})

    def converse(self, handler):
        """A realtime session: each `response.create` is answered by a turn of 10 tokens in and 5 out."""
        _, deployment, path = handler.path.split("?")[0].split("/", 2)
        self.asked.append((deployment, path))
        handler.close_connection = True
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        accepted = websockets_by_hand.accept(handler.headers["Sec-WebSocket-Key"])
        handler.send_header("Sec-WebSocket-Accept", accepted)
        handler.end_headers()
        out = handler.wfile
        with suppress(OSError):
            websockets_by_hand.write(out, {
                "type": "session.created", "event_id": "e0",
                "session": {"id": "s", "object": "realtime.session", "model": "gpt-4o-realtime"}})
            while message := websockets_by_hand.read(handler.rfile):
                if message["type"] != "response.create":
                    continue
                details = {"text_tokens": 10, "audio_tokens": 0, "cached_tokens": 0}
                websockets_by_hand.write(out, {
                    "type": "response.done", "event_id": "e1", "response": {
                        "id": "r", "object": "realtime.response", "status": "completed",
                        "output": [], "usage": {
                            "total_tokens": 15, "input_tokens": 10, "output_tokens": 5,
                            "input_token_details": details,
                            "output_token_details": {"text_tokens": 5, "audio_tokens": 0}}}})
            websockets_by_hand.write(out, 1000, websockets_by_hand.CLOSE)

    def stream(self, handler, body, words, tokens):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

        def chunk(**fields):
            value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                     "model": body["model"], "choices": [], **fields}
            data = f"data: {json.dumps(value)}\n\n".encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()

        try:
            for place in range(4):
                chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "word "}}])
                if "cut" in words and place == 2:
                    handler.close_connection = True
                    handler.connection.close()
                    return
                if "linger" in words:
                    time.sleep(0.2)
            chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
            chunk(usage=usage(tokens))
            data = b"data: [DONE]\n\n"
            handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
        except (BrokenPipeError, ConnectionError):
            handler.close_connection = True


def usage(tokens):
    return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}


def responses_answer(body, tokens):
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
        "model": body["model"], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "output": [{"type": "message", "id": "m", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}]}],
        "usage": {"input_tokens": 10, "output_tokens": tokens, "total_tokens": 10 + tokens,
                  "input_tokens_details": {"cached_tokens": 0},
                  "output_tokens_details": {"reasoning_tokens": 0}}}


def send(handler, status, *values):
    data = "\n".join(map(json.dumps, values)).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
