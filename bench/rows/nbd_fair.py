# SPDX-License-Identifier: Apache-2.0
"""A quiet client, one 4 KiB read at a time of a disk of its own, beside eight busy disks and a sequential
reader: the 99th percentile of what it waits, over the same alone. All in one server, from a warm page cache.

The busy ones have eight requests of 4 KiB in flight, at most 1000 a second each; the sequential reader reads
1 MiB at a time as fast as it can. All clients are on this machine, and would have its processors before the
server has: so they are nicer than it and the quiet one are, as clients elsewhere would be.
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
    names = ['quiet', 'stream'] + ['busy%d' % i for i in range(BUSY)]
    ours, other = make(bench, 'one', names), make(bench, 'other', names)
    with nbd.up(bench, ours['quiet']), nbd.up(bench, other['quiet']):
        for name in names:
            bench.run('nbdcopy', ours[name].uri, 'null:')
            bench.run('nbdcopy', other[name].uri, 'null:')
        rounds = [(quiet(bench, ours), beside(bench, ours, ours), beside(bench, ours, other))
                  for _ in range(bench.rounds(7))]
    bench.drop(bench.path('one'), bench.path('other'))
    alone, same, elsewhere = zip(*rounds)
    what = 'NBD, one 4 KiB read at a time beside 8 busy disks and a sequential reader: p99'
    yield Result(what, 'alone', '×', ratios(same, alone), ('<=', 2.0),
                 'time; least: alone %.0f µs, beside them %.0f µs' % (min(alone), min(same)))
    yield Result(what, 'the same clients on the same machine, but at another server', '×',
                 ratios(same, elsewhere), None, 'time; least: %.0f µs' % min(elsewhere))


def make(bench, folder, names):
    """An SR with a disk of each name, to be served on a socket of its own."""
    sr, raw = bench.path(folder), bench.path('disk.raw')
    bench.run(bench.catena(), 'sr', 'create', sr)
    with open(raw, 'wb') as f:
        for _ in range(SIZE >> 20):
            f.write(os.urandom(1 << 20))
    for name in names:
        bench.run(bench.catena(), 'vdi', 'import', '--sr', sr, '--name', name, raw)
    bench.drop(raw)
    return {name: nbd.catena(bench, sr, name, folder + '.sock') for name in names}


def command(server, *options):
    return ['fio', '--output-format=json', *nbd.fio_command(server, *options), *nbd.for_a_while(SIZE)]


def quiet(bench, disks):
    text = bench.run(*command(disks['quiet'], 'one', 'randread', 1))
    job = json.loads(text[text.index('{'):])['jobs'][0]
    return nbd.Told(job['read'], 0).p99_us


def beside(bench, disks, busy):
    others = [command(busy['stream'], 'stream', 'read', 4, '--bs=1m')]
    others += [command(busy['busy%d' % i], 'busy', 'randread', 8, '--rate_iops=%d' % RATE)
               for i in range(BUSY)]
    others = [['nice', '-n', '10', *each, '--runtime=%d' % (nbd.FOR_S + 2)] for each in others]
    processes = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for each in others]
    try:
        return quiet(bench, disks)
    finally:
        for process in processes:
            process.wait(60)
