"""A TCP connection's way over loopback that can be cut, or fall silent; needs no root."""

from __future__ import annotations

import contextlib
import socket
import threading

CHUNK_BYTES = 65_536


class TcpRelay:
    """Carries connections from a port of its own to another."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.is_cut = False
        self.carries = threading.Event()
        self.carries.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        with self.lock:
            self.is_cut = True
            for end in self.open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Carry nothing, and tell nobody: connections stay."""
        self.carries.clear()

    def heal(self) -> None:
        self.is_cut = False
        self.carries.set()

    def close(self) -> None:
        self.cut()
        self.carries.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to_port))
            except ConnectionRefusedError:  # nobody listens there at the moment
                near.close()
                continue
            except OSError:
                return
            with self.lock:
                self.open |= {near, far}
                if self.is_cut:
                    near.shutdown(socket.SHUT_RDWR)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                self.carries.wait()
                to.sendall(data)
        # The other direction ends with this one, and closes what both have shut down.
        with self.lock:
            for end in (source, to):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            if to not in self.open:
                source.close()
                to.close()
            self.open -= {source, to}
