# SPDX-License-Identifier: Apache-2.0
"""4 KiB random chain_read with a warm page cache, at depth 1, 30 and 200."""
from kit import Result, ratios

NAMES = ['chain_read']
DEPTHS = (1, 30, 200)
SPREADS = [('block', 'each 2 MiB block in a random layer'), ('page', 'each 4 KiB in a random layer')]


def of(rounds, depth, key):
    return [r[key] for r in rounds if r['depth'] == depth]


def measure(bench):
    for spread, words in SPREADS:
        bench.say('making chains: ' + words)
        folder = bench.fresh('chains')
        rounds = bench.program_json('chain_read', folder, '1G', spread, bench.rounds(25), 100000,
                                    *DEPTHS)['rounds']
        bench.drop(folder)
        for depth in DEPTHS[1:]:
            plain = ratios(of(rounds, depth, 'plain_ns'), of(rounds, 1, 'plain_ns'))
            own = {d: sorted(a - b for a, b in zip(of(rounds, d, 'cpu_ns'), of(rounds, d, 'plain_cpu_ns')))
                   for d in (1, depth)}
            yield Result('4 KiB random chain_read, depth %d, %s' % (depth, words), 'depth 1', '×',
                         ratios(of(rounds, depth, 'ns'), of(rounds, 1, 'ns')), ('<=', 1.10),
                         'time; %.0f ns a read at best. Plain pread of the same bytes: %.2f× (median). Ours '
                         'beside it: %.0f ns of processor, at depth 1 %.0f' % (
                             min(of(rounds, depth, 'ns')), sorted(plain)[len(plain) // 2],
                             own[depth][len(own[depth]) // 2], own[1][len(own[1]) // 2]))
