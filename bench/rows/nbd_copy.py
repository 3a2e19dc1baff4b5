# SPDX-License-Identifier: Apache-2.0
"""nbdcopy of a disk of 4 GiB, of which every second 8 MiB holds data, to nowhere; beside nbdkit file with the
same bytes in a sparse raw file. Both from a warm page cache."""
import os
import time

import nbd
from kit import Result, have, ratios

NAMES = ['nbd_copy']
SIZE, RUN = 4 << 30, 8 << 20


def make_raw(path):
    with open(path, 'wb') as f:
        piece = os.urandom(RUN)
        for at in range(0, SIZE, 2 * RUN):
            f.seek(at)
            f.write(piece)
        f.truncate(SIZE)


def measure(bench):
    missing = have('nbdkit', 'nbdcopy')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    raw, sr = bench.path('disk.raw'), bench.path('sr')
    make_raw(raw)
    bench.run(bench.catena(), 'sr', 'create', sr)
    bench.run(bench.catena(), 'vdi', 'import', '--sr', sr, '--name', 'disk', raw)
    servers = [nbd.catena(bench, sr, 'disk'), nbd.nbdkit(bench, raw)]

    def copy(server):
        with nbd.up(bench, server) as process:
            bench.run('nbdcopy', server.uri, 'null:')
            before, began = nbd.cpu_s(process), time.monotonic()
            bench.run('nbdcopy', server.uri, 'null:')
            cpu[server.name].append(nbd.cpu_s(process) - before)
            return time.monotonic() - began

    cpu = {server.name: [] for server in servers}
    took = bench.turns(bench.rounds(7), [(s.name, lambda s=s: copy(s)) for s in servers])
    yield Result('nbdcopy of 4 GiB with 2 GiB of data to null:', servers[1].name, '×',
                 ratios(took[servers[1].name], took['catena']), ('>=', 1.0),
                 'speed; best: %.2f s, %s %.2f s; processor of the server %.2f s and %.2f s' % (
                     min(took['catena']), servers[1].name, min(took[servers[1].name]), min(cpu['catena']),
                     min(cpu[servers[1].name])))
    bench.drop(raw, sr)
