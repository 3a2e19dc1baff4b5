# SPDX-License-Identifier: Apache-2.0
"""What serving many large disks takes: 100 VDIs of 2040 GiB, of each every tenth block allocated, each with
one client connected that has read a little."""
import os
import shutil
import socket
import struct
import uuid

import nbd
from kit import Result

NAMES = ['nbd_memory']
EXPORTS, SIZE = 100, '2040G'


def measure(bench):
    sr = bench.fresh('sr')
    bench.run(bench.catena(), 'sr', 'create', sr)
    names = [str(uuid.UUID(int=i + 1, version=4)) for i in range(EXPORTS)]
    first = os.path.join(sr, names[0] + '.vhd')
    bench.say('making %d disks' % EXPORTS)
    bench.run(bench.program('make_vhd'), first, SIZE, 10)
    for name in names[1:]:
        bench.run('cp', '--sparse=always', first, os.path.join(sr, name + '.vhd'))
    server = nbd.catena(bench, sr)
    with nbd.up(bench, server) as process:
        empty = resident(process)
        clients = [connect(server, name) for name in names]
        took = resident(process)
        for client in clients:
            client.close()
    shutil.rmtree(sr)
    yield Result('memory for an export of 2040 GiB, 10 % allocated, with one client', '', 'MiB',
                 [(took - empty) / EXPORTS / 2**20], ('<=', 12),
                 'resident; %d of them, and the server without any %.0f MiB' % (EXPORTS, empty / 2**20))


def resident(process):
    with open('/proc/%d/statm' % process.pid, encoding='utf-8') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def connect(server, name):
    """A client of few words: EXPORT_NAME, then 64 reads at once of which all are awaited."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(server.path())
    take(client, 18)
    client.sendall(struct.pack('>I', 3) + b'IHAVEOPT' + struct.pack('>II', 1, len(name)) + name.encode())
    take(client, 10)
    for i in range(64):
        client.sendall(struct.pack('>IHHQQI', 0x25609513, 0, 0, i, i << 21, 4096))
    take(client, 64 * (16 + 4096))
    return client


def take(client, n):
    while n:
        got = client.recv(n)
        if not got:
            raise RuntimeError('the server is gone')
        n -= len(got)
