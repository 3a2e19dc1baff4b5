# SPDX-License-Identifier: Apache-2.0
"""vhd convert of a raw disk of 4 GiB with 2 GiB of data, beside qemu-img convert and dd.

Both sides in three ways, each synced before the clock stops: as they come; through the page cache; past it
on both ends. dd copies the same bytes without the holes: a dense file of 2 GiB, in blocks of 2 MiB.
"""
import os
import random
import time

from kit import Result, have, ratios

NAMES = ['convert']
SIZE, DATA, PAGE = 4 << 30, 2 << 30, 4096
MODES = [
    # name, ours, qemu-img's, dd's
    ('as they come', [], [], ['oflag=direct']),
    ('cached', ['--cached'], ['-t', 'writeback', '-T', 'writeback'], []),
    ('direct', ['--direct'], ['-t', 'none', '-T', 'none'], ['iflag=direct', 'oflag=direct']),
]


def run_length(dice):
    """4 KiB to 16 MiB, as many short as long."""
    return int(2 ** dice.uniform(0, 12)) * PAGE


def make(sparse_path, dense_path):
    """Runs of random bytes of mixed size with holes between, half of all; and the same without the holes."""
    dice, pool = random.Random(1), random.Random(2).randbytes(64 << 20)
    place = done = 0
    with open(sparse_path, 'wb') as sparse, open(dense_path, 'wb') as dense:
        sparse.truncate(SIZE)
        while place < SIZE and done < DATA:
            n = min(run_length(dice), SIZE - place, DATA - done)
            at = dice.randrange((len(pool) - n) // PAGE) * PAGE
            sparse.seek(place)
            sparse.write(pool[at:at + n])
            dense.write(pool[at:at + n])
            done += n
            # No hole may use up room that the data still needs.
            place += n + min(run_length(dice), max(0, (SIZE - place - n) - (DATA - done)))
        for f in (sparse, dense):
            f.flush()
            os.fsync(f.fileno())


def warm(path):
    with open(path, 'rb') as f:
        while f.read(1 << 22):
            pass


def timed(bench, target, source, *command):
    warm(source)
    began = time.monotonic()
    bench.run(*command)
    with open(target, 'rb+') as f:
        os.fsync(f.fileno())
    took = time.monotonic() - began
    bench.drop(target)
    return took


def measure(bench):
    missing = have('qemu-img', 'dd')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    sparse, dense = bench.path('sparse.raw'), bench.path('dense.raw')
    ours, theirs, copy = bench.path('ours.vhd'), bench.path('theirs.vhd'), bench.path('copy.raw')
    bench.say('making 2 GiB of data')
    make(sparse, dense)
    bench.run(bench.catena(), 'vhd', 'convert', sparse, ours)
    bench.run('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', sparse, ours)  # a fast copy has to be a copy
    bench.drop(ours)
    for name, our_flags, their_flags, dd_flags in MODES:
        took = bench.turns(bench.rounds(5), [
            ('catena', lambda f=our_flags: timed(bench, ours, sparse, bench.catena(), 'vhd', 'convert', *f,
                                                 sparse, ours)),
            ('qemu-img', lambda f=their_flags: timed(bench, theirs, sparse, 'qemu-img', 'convert', '-f',
                                                     'raw', '-O', 'vpc', *f, sparse, theirs)),
            ('dd', lambda f=dd_flags: timed(bench, copy, dense, 'dd', 'if=' + dense, 'of=' + copy, 'bs=2M',
                                            'conv=fsync', *f)),
        ])
        best = ', '.join('%s %.2f s' % (who, min(s)) for who, s in took.items())
        wanted = name != 'as they come'
        yield Result('vhd convert, 4 GiB with 2 GiB of data, ' + name, 'qemu-img convert -O vpc', '×',
                     ratios(took['qemu-img'], took['catena']), ('>=', 2.5) if wanted else None,
                     'speed; best: ' + best)
        yield Result('vhd convert, the same, ' + name, 'dd of the same bytes', '×',
                     ratios(took['dd'], took['catena']), ('>=', 0.8) if wanted else None, 'speed')
