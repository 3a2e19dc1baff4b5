# SPDX-License-Identifier: Apache-2.0
"""A snapshot of a 2040 GiB disk with every block allocated: its file I/O, and its time beside the syncs."""
from kit import Result

NAMES = ['snapshot']
KINDS = [('closed', 'nobody has it open'), ('live', 'open for writing')]


def measure(bench):
    for kind, words in KINDS:
        folder = bench.fresh('snapshots')
        rounds = bench.program_json('snapshot', folder, '2040G', kind, bench.rounds(9))['rounds']
        bench.drop(folder)
        yield Result('snapshot of a 2040 GiB disk, %s: file I/O' % words, '', 'MiB',
                     [(r['read_bytes'] + r['written_bytes']) / 2**20 for r in rounds], ('<=', 10),
                     'read and written, the catalog too')
        yield Result('snapshot of a 2040 GiB disk, %s: time beside the syncs' % words, '', 'ms',
                     [(r['ns'] - r['sync_ns']) / 1e6 for r in rounds], ('<=', 20),
                     '%.1f ms of processor at best; %d syncs took %.0f ms at best' % (
                         min(r['cpu_ns'] - r['sync_cpu_ns'] for r in rounds) / 1e6, rounds[0]['syncs'],
                         min(r['sync_ns'] for r in rounds) / 1e6))
