# SPDX-License-Identifier: Apache-2.0
"""How long it takes from the command to the first bytes of a point over NBD: the server's start, its key, its
index, a client's start, and one chunk that is fetched and checked."""
import signal
import subprocess
import time

import vault
from kit import Result, have

NAMES = ['vault_nbd']
SIZE, ROUNDS = 4 << 30, 7


def first_byte(bench, ours, socket):
    words = ['vault', 'nbd', *ours.open, ours.points[-1]['point'], '--unix', socket]
    began = time.monotonic()
    with subprocess.Popen([bench.catena(), *words], stdout=subprocess.PIPE, env=bench.environment) as server:
        server.stdout.readline()
        bench.run('qemu-io', '-r', '-f', 'raw', '-c', 'read 0 4k', 'nbd+unix:///?socket=' + socket)
        took = time.monotonic() - began
        server.send_signal(signal.SIGTERM)
    return took * 1000


def measure(bench):
    missing = have('qemu-io')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    raw, socket = bench.path('disk.raw'), bench.path('sock')
    vault.make_disk(bench, raw, bench.scaled(SIZE))
    ours = vault.Ours(bench)
    ours.put(raw)
    took = []
    for _ in range(ROUNDS):
        took.append(first_byte(bench, ours, socket))
        bench.drop(socket)
    yield Result('vault nbd, to the first byte', 'a command and a client that start', 'ms', took, ('<=', 200),
                 'qemu-io reads 4 KiB')
    ours.drop()
    bench.drop(raw)
