# SPDX-License-Identifier: Apache-2.0
"""A quiet client, one 4 KiB read at a time of a disk of its own, beside eight busy disks and a sequential reader:
the 99th percentile of what it waits, over the same alone. All in one server, from a warm page cache.

The busy ones have eight requests of 4 KiB in flight, at most 1000 a second each, so that the processors, which
the clients need too, are not what is waited for; the sequential reader reads 1 MiB at a time as fast as it can.
"""
import json
import os
import subprocess

import nbd
from kit import Result, have, ratios

NAMES = ['nbd_fair']
SIZE, BUSY, RATE = 256 << 20, 8, 1000


def measure(bench):
    missing = have('fio', 'nbdcopy')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    sr = bench.path('sr')
    bench.run(bench.catena(), 'sr', 'create', sr)
    raw = bench.path('disk.raw')
    with open(raw, 'wb') as f:
        for _ in range(SIZE >> 20):
            f.write(os.urandom(1 << 20))
    names = ['quiet', 'stream'] + ['busy%d' % i for i in range(BUSY)]
    for name in names:
        bench.run(bench.catena(), 'vdi', 'import', '--sr', sr, '--name', name, raw)
    bench.drop(raw)
    disks = {name: nbd.catena(bench, sr, name) for name in names}
    with nbd.up(bench, disks['quiet']):
        for name in names:
            bench.run('nbdcopy', disks[name].uri, 'null:')
        rounds = [(quiet(bench, disks), beside_others(bench, disks)) for _ in range(bench.rounds(7))]
    bench.drop(sr)
    yield Result('NBD, one 4 KiB read at a time beside 8 busy disks and a sequential reader: p99', 'alone', '×',
                 ratios([b for _, b in rounds], [a for a, _ in rounds]), ('<=', 2.0),
                 'time; least: alone %.0f µs, beside them %.0f µs' % (min(a for a, _ in rounds),
                                                                    min(b for _, b in rounds)))


def command(server, *options):
    return ['fio', '--output-format=json', *nbd.fio_command(server, *options), *nbd.for_a_while(SIZE)]


def quiet(bench, disks):
    text = bench.run(*command(disks['quiet'], 'one', 'randread', 1))
    job = json.loads(text[text.index('{'):])['jobs'][0]
    return nbd.Told(job['read'], 0).p99_us


def beside_others(bench, disks):
    others = [command(disks['stream'], 'stream', 'read', 4, '--bs=1m')]
    others += [command(disks['busy%d' % i], 'busy', 'randread', 8, '--rate_iops=%d' % RATE)
               for i in range(BUSY)]
    others = [[*each, '--runtime=%d' % (nbd.FOR_S + 2)] for each in others]
    processes = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for each in others]
    try:
        return quiet(bench, disks)
    finally:
        for process in processes:
            process.wait(60)
