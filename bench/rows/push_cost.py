# SPDX-License-Identifier: Apache-2.0
"""What a push writes and how much space it takes while it runs.  Counted, so a busy machine does not matter.

Written is all that goes through write calls and requests, the writes of metadata too, and what parts of pages
the copying of short runs writes; the space is what all files of the run take, looked at after every step.
"""
from kit import Result
from rows.push import MIB, make

NAMES = ['push_cost']
BATCH = 32  # MiB
SHAPES = [
    # what, size, dirty, every
    ('full blocks, 2 GiB', '2G', '2M', '2M'),
    ('64 KiB dirty in every 256 KiB', '512M', '64K', '256K'),
    ('4 KiB dirty in every 64 KiB', '512M', '4K', '64K'),
    ('a block in every 20 GiB of 2040 GiB', '2040G', '2M', '20G'),
]


def measure(bench):
    for what, *shape in SHAPES:
        folder = make(bench, *shape)
        done = bench.program_json('push', 'cost', folder, 2)
        bench.drop(folder)
        yield Result('bytes written, push of %s' % what, 'bytes that had to move', '×',
                     [done['written'] / done['bytes']], ('<=', 1.02),
                     '%.4f of %.1f MiB%s' % (done['written'] / done['bytes'], done['bytes'] / MIB,
                                             ', some of it shared' if done['cloned'] else ''))
        yield Result('extra space at the worst moment of it', '', 'MiB', [done['extra'] / MIB],
                     ('<=', BATCH + 8), 'a batch is %d MiB' % BATCH)
