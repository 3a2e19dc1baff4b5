# SPDX-License-Identifier: Apache-2.0
"""The same reads by qemu-img bench on a qcow2 chain of the same shape: what depth costs others.

Layers are made without a backing file, so that nothing is copied up, and then linked. Where each 4 KiB lies
in a random layer, clusters have subclusters of 4 KiB. qemu-img bench reads at a fixed step, which is chosen
so that it jumps about the whole disk.
"""
import random
import re

from kit import Result, have, ratios

NAMES = ['qcow2_read']
SIZE, PAGE, BLOCK = 512 << 20, 4096, 2 << 20
DEPTHS = (1, 30, 200)
STEP = (int(SIZE * 0.6180339887) // PAGE | 1) * PAGE  # odd in pages, so that it meets each of them
READS = 20000
SPREADS = [
    ('block', BLOCK, [], 'each 2 MiB block in a random layer'),
    ('page', PAGE, ['-o', 'extended_l2=on,cluster_size=128k'], 'each 4 KiB in a random layer'),
]


def make(bench, folder, depth, each, options):
    dice, by_layer, below = random.Random(11), [[] for _ in range(depth)], None
    for at in range(0, SIZE, each):
        by_layer[dice.randrange(depth)].append(at)
    for i, places in enumerate(by_layer):
        path = '%s/%d-%d.qcow2' % (folder, depth, i)
        bench.run('qemu-img', 'create', '-q', '-f', 'qcow2', *options, path, SIZE)
        bench.run('qemu-io', '-f', 'qcow2', '-t', 'unsafe', path,
                  stdin=''.join('write -q -P %d %d %d\n' % (at // PAGE % 255 + 1, at, each) for at in places))
        if below:
            bench.run('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', below, path)
        below = path
    return below


def read(bench, path):
    text = bench.run('qemu-img', 'bench', '-f', 'qcow2', '-c', READS, '-d', 1, '-s', PAGE, '-S', STEP, '-t',
                     'writeback', path)
    return float(re.search(r'completed in ([0-9.]+) seconds', text).group(1))


def measure(bench):
    missing = have('qemu-img', 'qemu-io')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    for spread, each, options, words in SPREADS:
        folder = bench.fresh('qcow2-' + spread)
        bench.say('making qcow2 chains: ' + words)
        tops = {depth: make(bench, folder, depth, each, options) for depth in DEPTHS}
        for top in tops.values():
            read(bench, top)
        took = bench.turns(bench.rounds(7), [(str(d), lambda d=d: read(bench, tops[d])) for d in DEPTHS])
        bench.drop(folder)
        for depth in DEPTHS[1:]:
            yield Result('qemu-img bench on qcow2, 4 KiB, depth %d, %s' % (depth, words), 'depth 1', '×',
                         ratios(took[str(depth)], took['1']), None,
                         'time; %.1f µs a read at best, at depth 1 %.1f' % (
                             min(took[str(depth)]) / READS * 1e6, min(took['1']) / READS * 1e6))
