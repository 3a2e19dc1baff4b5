# SPDX-License-Identifier: Apache-2.0
"""What a guest feels of a coalesce: the 99th percentile of 4 KiB requests, one after another, beside the same
when nothing is moved.

On a machine that others use too the slowest requests are theirs: only a quiet one tells anything here.
"""
from kit import Result

NAMES = ['guest']
KINDS = [('read', 'random reads'), ('flush', 'random writes, each flushed')]
SIZE, GUEST = '8G', '1G'


def measure(bench):
    for kind, words in KINDS:
        folder = bench.fresh('guest')
        phases = bench.program_json('guest', folder, SIZE, GUEST, kind, 12, bench.rounds(2))['phases']
        bench.drop(folder)
        for phase, how, most in (('off', 'full speed', 3), ('on', 'as guests allow it', 1.5)):
            pairs = [(beside, idle) for idle, beside in of_one_round(phases, phase)]
            yield Result('guest, %s: p99 while a coalesce runs, %s' % (words, how), 'idle', '×',
                         [beside['p99_ns'] / idle['p99_ns'] for beside, idle in pairs], ('<=', most),
                         'idle %.1f ms at best; %.0f MiB/s moved at most' % (
                             min(idle['p99_ns'] for _, idle in pairs) / 1e6,
                             max(p['moved_bytes'] * 1e9 / p['ns'] / 2**20 for p, _ in pairs)))


def of_one_round(phases, wanted):
    """Each phase of that name with the idle one before it."""
    idle = None
    for phase in phases:
        if phase['phase'] == 'idle':
            idle = phase
        elif phase['phase'] == wanted:
            yield idle, phase
