# SPDX-License-Identifier: Apache-2.0
"""A wire between a client and a server that breaks at any byte."""
import select
import socket
import struct
import threading
from urllib.parse import urlsplit


class Limit:
    """Lets the head of a message pass, and so many bytes of what follows; or so many of all."""

    def __init__(self, n, counts_head):
        self.left, self.head = n, None if counts_head else b''

    def take(self, data):
        """What may pass of that."""
        if self.left is None:
            return data
        passes = b''
        if self.head is not None:
            self.head += data
            if b'\r\n\r\n' not in self.head:
                return data
            n = len(self.head) - self.head.index(b'\r\n\r\n') - 4  # that are behind the head
            passes, data, self.head = data[:len(data) - n], data[len(data) - n:], None
        passes += data[:self.left]
        self.left -= min(self.left, len(data))
        return passes

    def is_reached(self):
        return self.left == 0 and self.head is None


class Wire:
    """For one connection after another: down to the client, up to the server, as much passes as cut() said;
    then both ends see a reset, or an end that looks like any other."""

    def __init__(self, url):
        where = urlsplit(url)
        self.server = where.hostname, where.port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = '%s://127.0.0.1:%d' % (where.scheme, self.listener.getsockname()[1])
        self.cut()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def cut(self, down=None, up=None, counts_head=False, is_reset=True):
        self.down, self.up, self.counts_head, self.is_reset = down, up, counts_head, is_reset

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # it is not far ahead of the cut
            server.connect(self.server)
            with client, server:
                try:
                    self.carry(client, server)
                except OSError:
                    pass

    def carry(self, client, server):
        flows = {server: (client, Limit(self.down, self.counts_head)),
                 client: (server, Limit(self.up, self.counts_head))}
        while flows:
            for source in select.select(list(flows), [], [])[0]:
                to, limit = flows[source]
                data = source.recv(65536)
                to.sendall(limit.take(data))
                if limit.is_reached():
                    self.end(client, server)
                    return
                if not data:
                    to.shutdown(socket.SHUT_WR)
                    del flows[source]

    def end(self, *both):
        for each in both if self.is_reset else ():
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
