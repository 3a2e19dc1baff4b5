# SPDX-License-Identifier: Apache-2.0
"""A push of a child into its parent beside dd, qemu-img commit and what the device can do; and a run in one
pass beside layer by layer.

All files are out of the page cache when the clock starts, and what was moved is durable when it stops. What
each reads as is compared once. Giving the child's bytes back is told beside, as it depends on the file system
alone: an rm of the child takes as long, and no peer does it.
"""
import os

from kit import Result, have, ratios

NAMES = ['push']
FULL, MIB = 2 << 30, 1 << 20
SPARSE = '512M'
LAYERS = 30


def make(bench, size, dirty, every, layers=2, overlap=100):
    folder = bench.fresh('push')
    bench.run(bench.program('push'), 'make', folder, size, dirty, every, layers, overlap)
    return folder


def check(bench, size, dirty, every, layers=2, overlap=100):
    """A fast push has to be a push."""
    folder = make(bench, size, dirty, every, layers, overlap)
    before = bench.program_json('push', 'sum', folder, layers)
    bench.program_json('push', 'push', folder, layers, 'one')
    if bench.program_json('push', 'sum', folder, layers) != before:
        raise RuntimeError('a push changed what the disk reads as')


class Pushes:
    """Pushes of one kind: how long each took until all was durable, and its punches."""

    def __init__(self, bench, *shape, way='one', layers=2, overlap=100):
        self.bench, self.shape, self.way, self.layers, self.overlap = bench, shape, way, layers, overlap
        self.punches, self.bytes = [], 0

    def __call__(self):
        folder = make(self.bench, *self.shape, self.layers, self.overlap)
        done = self.bench.program_json('push', 'push', folder, self.layers, self.way)
        self.bench.drop(folder)
        self.punches.append(done['punch_ns'] / 1e9)
        self.bytes = done['bytes']
        return (done['ns'] - done['punch_ns']) / 1e9

    def note(self, took):
        return 'best: %.0f MiB/s; the punches beside: %.2f s (least)' % (
            self.bytes / MIB / min(took), min(self.punches))


def dd(bench, source, n):
    """Seconds that dd takes for n bytes."""
    copy = bench.path('copy.raw')
    took = bench.seconds('dd', 'if=' + source, 'of=' + copy, 'bs=2M', 'count=%d' % (n // (2 * MIB)),
                         'iflag=direct', 'oflag=direct', 'conv=fsync')
    bench.drop(copy)
    return took


def commit(bench, source):
    """Seconds of qemu-img commit; it leaves the bytes in the overlay (-d): emptying it is no part of this."""
    base, top = bench.path('base.qcow2'), bench.path('top.qcow2')
    if not os.path.exists(top):
        bench.run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', source, top)
    bench.drop(base)
    bench.run('qemu-img', 'create', '-q', '-f', 'qcow2', base, FULL)
    bench.run('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', base, top)
    for path in (base, top):
        bench.run('dd', 'of=' + path, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0')
    return bench.seconds('qemu-img', 'commit', '-q', '-d', '-t', 'none', top)


def full_blocks(bench, dense):
    pushes = Pushes(bench, FULL, '2M', '2M')
    subjects = [('push', pushes), ('dd', lambda: dd(bench, dense, FULL))]
    if not have('qemu-img'):
        subjects.append(('commit', lambda: commit(bench, dense)))
    took = bench.turns(bench.rounds(5), subjects)
    yield Result('push, full blocks, 2 GiB', 'dd O_DIRECT of the same bytes', '×',
                 ratios(took['dd'], took['push']), ('>=', 0.90), 'speed; ' + pushes.note(took['push']))
    if 'commit' in took:
        yield Result('the same', 'qemu-img commit -t none of an equal qcow2 pair', '×',
                     ratios(took['commit'], took['push']), ('>=', 1.3),
                     'speed; best: %.0f MiB/s' % (FULL / MIB / min(took['commit'])))


def some_dirty(bench, dense):
    pushes = Pushes(bench, SPARSE, '64K', '256K')
    took = bench.turns(bench.rounds(5), [('push', pushes), ('dd', lambda: dd(bench, dense, 128 * MIB))])
    yield Result('push, 64 KiB dirty in every 256 KiB', 'dd O_DIRECT, per byte moved', '×',
                 ratios(took['dd'], took['push']), ('>=', 0.5), 'speed; ' + pushes.note(took['push']))


def little_dirty(bench):
    pushes = Pushes(bench, SPARSE, '4K', '64K')

    def bound():
        folder = bench.fresh('bound')
        done = bench.program_json('push', 'bound', folder, SPARSE, '4K', '64K')
        bench.drop(folder)
        return done['ns'] / 1e9

    took = bench.turns(bench.rounds(5), [('push', pushes), ('bound', bound)])
    yield Result('push, 4 KiB dirty in every 64 KiB',
                 'the same reads and writes on plain files, O_DIRECT, 32 at a time', '×',
                 ratios(took['bound'], took['push']), ('>=', 0.8),
                 'speed; ' + pushes.note(took['push']))


def one_pass(bench):
    shape = ('128M', '2M', '2M')
    one = Pushes(bench, *shape, way='one', layers=LAYERS, overlap=90)
    pairs = Pushes(bench, *shape, way='pairs', layers=LAYERS, overlap=90)
    took = bench.turns(bench.rounds(3), [('one pass', one), ('pairs', pairs)])
    yield Result('one pass over %d layers, 90 %% overlapping' % LAYERS,
                 '%d pairwise pushes' % (LAYERS - 1), '×', ratios(took['pairs'], took['one pass']), ('>=', 8),
                 'speed; %.0f MiB moved instead of %.0f' % (one.bytes / MIB, pairs.bytes / MIB))


def make_dense(bench):
    dense = bench.path('dense.raw')
    with open(dense, 'wb') as f:
        for _ in range(FULL // (64 * MIB)):
            f.write(os.urandom(64 * MIB))
        f.flush()
        os.fsync(f.fileno())
    return dense


def measure(bench):
    if have('dd'):
        raise LookupError('dd is not installed')
    dense = make_dense(bench)
    check(bench, '64M', '4K', '64K', 4, 50)
    yield from full_blocks(bench, dense)
    yield from some_dirty(bench, dense)
    bench.drop(dense, bench.path('base.qcow2'), bench.path('top.qcow2'))
    yield from little_dirty(bench)
    yield from one_pass(bench)
