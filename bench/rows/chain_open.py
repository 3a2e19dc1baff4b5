# SPDX-License-Identifier: Apache-2.0
"""Opening a chain 200 deep of a 64 GiB disk."""
from kit import Result

NAMES = ['chain_open']
SPREADS = [
    ('one', 'each block in one layer', True),
    ('backup', 'all in the bottom, 5 % in each layer above', True),
    ('all', 'a part of each block in each layer', False),
]


def measure(bench):
    for spread, words, is_wanted in SPREADS:
        folder = bench.fresh('open')
        found = bench.program_json('chain_open', folder, '64G', 200, spread, bench.rounds(25))
        bench.drop(folder)
        yield Result('opening a chain 200 deep, 64 GiB, ' + words, '', 'ms',
                     [r['ns'] / 1e6 for r in found['rounds']], ('<=', 20) if is_wanted else None,
                     '%.1f ms of processor at best; %d calls and %.1f MiB read' % (
                         min(r['cpu_ns'] for r in found['rounds']) / 1e6, found['calls'],
                         found['read_bytes'] / 2**20))
        over = found['map_bytes'] - found['expected_map_bytes']
        yield Result('its map, over 8 bytes a block and 8 per further layer', '', 'bytes', [over],
                     ('<=', 8192), '%d bytes in all, %d BAT entries' % (found['map_bytes'], found['held']))
