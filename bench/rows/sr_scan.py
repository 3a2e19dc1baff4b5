# SPDX-License-Identifier: Apache-2.0
"""A scan of an SR of 1000 files, warm."""
from kit import Result

NAMES = ['sr_scan']


def measure(bench):
    folder = bench.fresh('sr')
    found = bench.program_json('sr_scan', folder, 1000, 10, bench.rounds(15))
    command = [bench.catena(), 'sr', 'scan', folder]
    bench.run(*command)
    took = [bench.seconds(*command) for _ in range(bench.rounds(15))]
    bench.drop(folder)
    rounds = found['rounds']
    yield Result('catena sr scan, 1000 files, warm: the whole command', '', 's', took, ('<=', 0.2),
                 'all of it: opening, scanning, looking for garbage')
    yield Result('the scan by itself, of an SR that is open', '', 's', [r['ns'] / 1e9 for r in rounds],
                 ('<=', 0.2),
                 '%.0f ms of processor at best; %d calls' % (min(r['cpu_ns'] for r in rounds) / 1e6,
                                                             found['calls']))
    yield Result('opening that SR, scan and catalog', '', 's', [r['open_ns'] / 1e9 for r in rounds])
