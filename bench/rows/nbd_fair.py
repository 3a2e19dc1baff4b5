# SPDX-License-Identifier: Apache-2.0
"""A quiet client, one 4 KiB read at a time of a disk of its own, beside eight busy disks and a sequential
reader: the 99th percentile of what it waits, over the same alone. All in one server, from a warm page cache.

The busy ones have eight requests of 4 KiB in flight, at most 1000 a second each; the sequential reader has
four of 1 MiB, at most 500 a second. All of them are one thread of a program of ours, for clients take
processors from a server on the same machine: what is to be seen is how the server shares what it has.
"""
import json
import os
import subprocess

import nbd
from kit import Result, have, ratios

NAMES = ['nbd_fair']
SIZE, BUSY, RATE, STREAM_RATE = 256 << 20, 8, 1000, 500


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


def quiet(bench, disks):
    text = bench.run('fio', '--output-format=json',
                     *nbd.fio_command(disks['quiet'], 'one', 'randread', 1, *nbd.for_a_while(SIZE)))
    job = json.loads(text[text.index('{'):])['jobs'][0]
    return nbd.Told(job['read'], 0).p99_us


def beside(bench, disks, busy):
    words = ['stream:%d:4:%d' % (1 << 20, STREAM_RATE)]
    words += ['busy%d:4096:8:%d' % (i, RATE) for i in range(BUSY)]
    with subprocess.Popen([bench.program('nbd_load'), busy['stream'].path(), str(nbd.FOR_S + 2), *words],
                          stdout=subprocess.PIPE, text=True) as others:
        took = quiet(bench, disks)
        read = [int(line) / (nbd.FOR_S + 2) for line in others.communicate()[0].split()]
    if others.returncode or min(read) < 0.9 * min(RATE, STREAM_RATE):
        bench.say('the others were held up: %s reads a second' % read)
    return took
