"""A TCP proxy in front of a real server, that a test opens and closes."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Forwards what comes in on `port`; closed, it refuses, and has cut what was open.

    Held, it takes everything and answers nothing.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self._closing = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self.port = 0
        self.open()

    def open(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def hold(self) -> None:
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self.release()
        with self._closing:
            if self._listening is not None:
                # A blocked accept() ends by this, and not by close().
                with contextlib.suppress(OSError):
                    self._listening.shutdown(socket.SHUT_RDWR)
                self._listening.close()
                self._listening = None
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            self._sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with self._closing:
                if self._listening is not listening:
                    client.close()
                    return
                server = socket.create_connection(self._target)
                self._sockets |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
