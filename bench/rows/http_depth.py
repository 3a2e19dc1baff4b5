# SPDX-License-Identifier: Apache-2.0
"""A VHD of a disk of 4 GiB that is half full, over HTTP to curl: through a chain of 30, each 2 MiB in a
random layer, beside the same disk in one file. Both from a warm page cache."""
import daemon
from kit import Result, have, ratios
from rows import nbd_read

NAMES = ['http_depth']
SIZE, DEPTH, BLOCK = 4 << 30, 30, 2 << 20


def is_held(at):
    return at // daemon.RUN % 2 == 0


def measure(bench):
    missing = have('curl', 'qemu-io')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    srs = [(depth, bench.path('deep%d' % depth)) for depth in (1, DEPTH)]
    for depth, sr in srs:
        nbd_read.make_layers(bench, sr, depth, BLOCK, bench.scaled(SIZE), is_held)
    with daemon.up(bench, srs[0][1], name='one') as one, daemon.up(bench, srs[1][1], name='deep') as deep:
        subjects = [(name, lambda d=d: d.curl_s(d.export(d.vdi()), '-o', '/dev/null'))
                    for name, d in (('depth 1', one), ('depth 30', deep))]
        for _, warm in subjects:
            warm()
        took = bench.turns(bench.rounds(7), subjects)
    yield Result('HTTP, VHD of 4 GiB with 2 GiB of data, 30 layers, to curl', 'depth 1', '×',
                 ratios(took['depth 1'], took['depth 30']), ('>=', 0.95),
                 'speed; best: %.2f s, depth 1 %.2f s' % (min(took['depth 30']), min(took['depth 1'])))
    bench.drop(*(sr for _, sr in srs))
