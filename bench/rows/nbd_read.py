# SPDX-License-Identifier: Apache-2.0
"""4 KiB random reads over NBD by one client with a warm page cache: beside qemu-nbd and nbdkit on a raw file,
and through 30 layers beside one, and beside qemu-nbd on a qcow2 chain of the same shape."""
import os
import random

import nbd
from kit import Result, have, ratios
from rows import qcow2_read

NAMES = ['nbd_read']
SIZE, PAGE, BLOCK, DEPTH = 512 << 20, 4096, 2 << 20, 30
DEPTHS_OF_QUEUE = (1, 32)


def measure(bench):
    missing = have('fio', 'qemu-nbd', 'nbdkit', 'nbdcopy')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    yield from beside_others(bench)
    for each, words, options in ((BLOCK, 'each 2 MiB block in a random layer', []),
                                 (PAGE, 'each 4 KiB in a random layer',
                                  ['-o', 'extended_l2=on,cluster_size=128k'])):
        yield from through_layers(bench, each, words, options)


def read(bench):
    def one(server, process):
        bench.run('nbdcopy', server.uri, 'null:')
        return [nbd.fio(bench, process, server, 'randread', depth, *nbd.for_a_while(SIZE))
                for depth in DEPTHS_OF_QUEUE]
    return one


def per_s(got, name, i):
    return [round_[i].per_s for round_ in got[name]]


def best_of(got, names, i):
    return [max(each) for each in zip(*(per_s(got, name, i) for name in names))]


def make_flat(bench):
    """A raw file and a VDI with the same bytes."""
    raw, sr = bench.path('flat.raw'), bench.path('flat')
    with open(raw, 'wb') as f:
        for _ in range(SIZE >> 20):
            f.write(os.urandom(1 << 20))
    bench.run(bench.catena(), 'sr', 'create', sr)
    bench.run(bench.catena(), 'vdi', 'import', '--sr', sr, '--name', 'disk', raw)
    return raw, sr


def beside_others(bench):
    raw, sr = make_flat(bench)
    ours = nbd.catena(bench, sr, 'disk')
    others = [nbd.qemu_nbd(bench, raw, 'raw'), nbd.nbdkit(bench, raw)]
    got = nbd.turns(bench, bench.rounds(7), [ours, *others], read(bench))
    names = [other.name for other in others]
    for i, depth, wanted in ((0, 1, 1.0), (1, 32, 1.2)):
        yield Result('NBD, 4 KiB random reads, queue depth %d' % depth,
                     'the better of qemu-nbd raw, nbdkit file', '×',
                     ratios(per_s(got, 'catena', i), best_of(got, names, i)), ('>=', wanted),
                     'requests a second; best: ' + ', '.join(
                         '%s %.0f' % (name, max(per_s(got, name, i))) for name in got))
    cpu = {name: [round_[1].cpu_us for round_ in got[name]] for name in got}
    yield Result('NBD, processor of the server for a 4 KiB read at queue depth 32', 'qemu-nbd raw', '×',
                 ratios(cpu['catena'], cpu[names[0]]), ('<=', 1.0), 'least: ' + ', '.join(
                     '%s %.1f µs' % (name, min(cpu[name])) for name in cpu))
    bench.drop(raw, sr)


def make_layers(bench, sr, depth, each, size=SIZE, is_held=lambda at: True):
    """A VDI whose pieces lie in random layers, as qcow2_read makes its own."""
    dice, by_layer = random.Random(11), [[] for _ in range(depth)]
    for at in filter(is_held, range(0, size, each)):
        by_layer[dice.randrange(depth)].append(at)
    bench.run(bench.catena(), 'sr', 'create', sr)
    bench.run(bench.catena(), 'vdi', 'create', '--sr', sr, '--name', 'disk', '--size', size)
    server = nbd.catena(bench, sr, 'disk')
    with nbd.up(bench, server):
        for i, places in enumerate(by_layer):
            if i:
                bench.run(bench.catena(), 'vdi', 'snapshot', '--sr', sr, 'disk', '--name', 's%d' % i)
            bench.run('qemu-io', '-f', 'raw', server.uri, stdin=''.join(
                'write -q -P %d %d %d\n' % (at // PAGE % 255 + 1, at, each) for at in places))
    return server


def through_layers(bench, each, words, options):
    bench.say('making chains: ' + words)
    folder = bench.fresh('qcow2')
    one = make_layers(bench, bench.path('one'), 1, each)
    deep = make_layers(bench, bench.path('deep'), DEPTH, each)
    qcow2 = nbd.qemu_nbd(bench, qcow2_read.make(bench, folder, DEPTH, each, options), 'qcow2')
    one.name, deep.name = 'depth 1', 'depth 30'
    got = nbd.turns(bench, bench.rounds(7), [one, deep, qcow2], read(bench))
    for i, queue, wanted in ((0, 1, 2), (1, 32, 3.5)):
        what = 'NBD, 4 KiB random reads, queue depth %d, 30 layers, %s' % (queue, words)
        yield Result(what, 'depth 1', '×', ratios(per_s(got, 'depth 30', i), per_s(got, 'depth 1', i)),
                     ('>=', 0.95), 'requests a second')
        yield Result(what, 'qemu-nbd, an equal qcow2 chain', '×',
                     ratios(per_s(got, 'depth 30', i), per_s(got, qcow2.name, i)), ('>=', wanted),
                     'requests a second; best: %.0f, qemu-nbd %.0f' % (max(per_s(got, 'depth 30', i)),
                                                                       max(per_s(got, qcow2.name, i))))
    bench.drop(folder, bench.path('one'), bench.path('deep'))
