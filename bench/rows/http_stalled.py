# SPDX-License-Identifier: Apache-2.0
"""What 500 clients cost who each asked for an export of one disk of 4 GiB and then do not read, TLS off and
on: the daemon's resident memory, and what the kernel holds for sockets, both beyond what they were while it
was idle.

The clients are on the same machine, so that what waits in their sockets is counted too.
"""
import socket
import time

import daemon
from kit import Result

NAMES = ['http_stalled']
SIZE, CLIENTS = 4 << 30, 500


def measure(bench):
    raw, sr, n = bench.path('disk.raw'), bench.path('sr'), bench.scaled(CLIENTS)
    daemon.make_raw(raw, bench.scaled(SIZE))
    daemon.make_disk(bench, sr, raw)
    bench.drop(raw)
    for tls in (False, True):
        words = 'HTTP%s, %d stalled exports of one disk: ' % ('S' if tls else '', n)
        took = [once(bench, sr, tls, n) for _ in range(bench.rounds(3))]
        yield Result(words + 'resident', 'idle', 'MiB', [memory for memory, _ in took], ('<=', 64),
                     'beyond it')
        yield Result(words + 'sockets', 'idle', 'MiB', [kernel for _, kernel in took], ('<=', 300),
                     'beyond it; of the kernel, both ends')
    bench.drop(sr)


def once(bench, sr, tls, n):
    with daemon.up(bench, sr, tls) as ours:
        path, clients = ours.export(ours.vdi()), []
        settled(ours.process)
        before = daemon.resident(ours.process), daemon.sockets()
        try:
            for _ in range(n):
                clients.append(ask(ours, path))
            settled(ours.process)
            took = daemon.resident(ours.process) - before[0], daemon.sockets() - before[1]
            for client in clients:
                if not client.recv(64).startswith(b'HTTP/1.1 200'):
                    raise RuntimeError('an export was refused')
        finally:
            for client in clients:
                client.close()
    bench.say('resident %.1f MiB, sockets %.1f MiB' % tuple(each / 2**20 for each in took))
    return took[0] / 2**20, took[1] / 2**20


def ask(ours, path):
    client = socket.create_connection(('127.0.0.1', ours.port), timeout=60)
    if ours.is_tls:
        client = daemon.anyone().wrap_socket(client)
    client.sendall(('GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n' % path).encode())
    return client


def settled(process):
    """Until neither number has grown for three seconds."""
    most, since, until = (0, 0), time.monotonic(), time.monotonic() + 120
    while time.monotonic() < min(since + 3, until):
        now = daemon.resident(process), daemon.sockets()
        if now[0] > most[0] or now[1] > most[1]:
            most, since = tuple(map(max, now, most)), time.monotonic()
        time.sleep(0.1)
