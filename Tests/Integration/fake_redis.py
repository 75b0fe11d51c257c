"""A server on 127.0.0.1 that gives the same bytes to every command, whatever it is."""

import socket
import threading


class FakeRedis:
    def __init__(self, reply):
        self.reply = reply
        self.answered = 0
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                held, _ = self.listener.accept()
            except OSError:
                return
            self.open.add(held)
            self.threads.append(threading.Thread(target=self.serve, args=(held,), daemon=True))
            self.threads[-1].start()

    def serve(self, held):
        try:
            while held.recv(65536):
                self.answered += 1
                held.sendall(self.reply)
        except OSError:
            pass
        finally:
            self.open.discard(held)
            held.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for held in list(self.open):
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(10)
