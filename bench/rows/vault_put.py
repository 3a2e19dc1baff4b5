# SPDX-License-Identifier: Apache-2.0
"""A disk of real files into a new vault, durable when it is over; then a day later what changed of it; then
the disk back into a file. Beside borg and restic, which have no list of what changed and read all; and dd,
which only copies."""
import os
import time

import vault
from kit import Result, have, ratios

NAMES = ['vault_put', 'vault_get', 'vault_add']
SIZE = 4 << 30


def timed(action):
    os.sync()
    began = time.monotonic()
    action()
    return time.monotonic() - began


class Peers:
    """A fresh repository of each for a round; those that are installed."""

    def __init__(self, bench, raw):
        self.bench, self.raw = bench, raw
        self.kinds = [vault.Ours] + [kind for kind in (vault.Borg, vault.Restic) if not have(kind.name)]
        self.took = {action: {kind.name: [] for kind in self.kinds} for action in ('put', 'get', 'add')}
        self.took['get']['dd'] = []

    def note(self, action, name, seconds):
        self.took[action][name].append(seconds)
        self.bench.say('%s: %s %.2f s' % (action, name, seconds))

    def one(self, kind, day, changed):
        bench, out = self.bench, self.bench.path('out')
        them = kind(bench)
        self.note('put', them.name, timed(lambda: them.put(self.raw)))
        self.note('get', them.name, timed(lambda: them.get(out)))
        bench.run('cmp', self.raw, out)
        bench.drop(out)
        self.note('add', them.name, timed(lambda: them.put(day, changed) if kind is vault.Ours
                                          else them.put(day)))
        them.drop()

    def round(self, r, day, changed):
        for i in range(len(self.kinds)):
            self.one(self.kinds[(r + i) % len(self.kinds)], day, changed)
        out = self.bench.path('out')
        self.note('get', 'dd', timed(lambda: self.bench.run('dd', 'if=' + self.raw, 'of=' + out, 'bs=1M',
                                                            'conv=fsync,sparse', 'status=none')))
        self.bench.drop(out)


def measure(bench):
    raw, size = bench.path('disk.raw'), bench.scaled(SIZE)
    day = os.path.join(bench.fresh('day'), 'disk.raw')  # of the same name: it is the same disk
    vault.make_disk(bench, raw, size)
    bench.run('cp', '--sparse=always', raw, day)
    changed = vault.another_day(day, size, 1)
    peers = Peers(bench, raw)
    for r in range(bench.rounds(3)):
        peers.round(r, day, changed)
    took = peers.took
    wanted = {'put': {'borg': 3, 'restic': 2.5}, 'get': {'borg': 2.5, 'restic': 3.5, 'dd': 0.7},
              'add': {'borg': 20, 'restic': 20}}
    texts = {'put': 'vault, first put of 4 GiB of real files, encrypted, zstd 1',
             'get': 'vault, restore of it to raw, hashed',
             'add': 'vault, put of a day, 1 % of the chunks changed'}
    for action in ('put', 'get', 'add'):
        for name in took[action]:
            if name != 'catena':
                yield Result(texts[action], name, '×', ratios(took[action][name], took[action]['catena']),
                             ('>=', wanted[action][name]), 'speed; best: %.2f s, %s %.2f s' % (
                                 min(took[action]['catena']), name, min(took[action][name])))
    bench.drop(raw, os.path.dirname(day))
