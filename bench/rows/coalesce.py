# SPDX-License-Identifier: Apache-2.0
"""A guest on a disk that is coalesced under it, beside the same guest on the same disk when nothing else goes
on; and what is said of the time that a coalesce will take.

Every round has a fresh disk, all of which lies in its leaf, over an emptied base; the guest is idle-timed
before the coalesce in one round and after it in the next.
"""
import statistics

from kit import Result

NAMES = ['coalesce']
PRIORITIES = [('full', 'at full speed', 3)]  # gc's; with what the p99 may grow by


def guest(bench, size, kind, priority, rounds):
    found = []
    for r in range(rounds):
        folder = bench.fresh('sr')
        found.append(bench.program_json('coalesce', 'guest', folder, size, kind, ('first', 'last')[r % 2],
                                        priority))
        bench.drop(folder)
        bench.say('round %d of %d: %s, %.1f s' % (r + 1, rounds, kind, found[-1]['coalesce_ns'] / 1e9))
    return found


def latency(bench, priority, words, wanted):
    found = guest(bench, '1G', 'mixed', priority, bench.rounds(5))
    for kind in ('read', 'write'):
        key = kind + '_p99_ns'
        idle = statistics.median(r['idle'][key] for r in found)
        yield Result("guest's 4 KiB %s, queue depth 1, p99, while its leaf is coalesced %s" % (kind, words),
                     'idle', '×', [r['busy'][key] / r['idle'][key] for r in found], ('<=', wanted),
                     'time; idle %.0f µs, %.0f meanwhile (medians); 1 GiB in %.1f s at best' % (
                         idle / 1e3, statistics.median(r['busy'][key] for r in found) / 1e3,
                         min(r['coalesce_ns'] for r in found) / 1e9))


def held(bench):
    found = guest(bench, '512M', 'write', 'full', bench.rounds(5))
    yield Result("guest's write while its leaf is coalesced, nothing but writes, p99.9", '', 'ms',
                 [r['busy']['write_p999_ns'] / 1e6 for r in found], ('<=', 5),
                 'beside its own syncs; idle %.2f (median), the longest %.0f; %.0f writes a second' % (
                     statistics.median(r['idle']['write_p999_ns'] for r in found) / 1e6,
                     max(r['busy']['write_most_ns'] for r in found) / 1e6,
                     statistics.median(r['busy']['n'] / r['coalesce_ns'] for r in found) * 1e9))


def eta(bench):
    medians, took = [], []
    for _ in range(bench.rounds(5)):
        folder = bench.fresh('sr')
        done = bench.program_json('coalesce', 'eta', folder, '2G', 'full')
        bench.drop(folder)
        medians.append(100 * statistics.median(done['errors']))
        took.append(done['ns'] / 1e9)
        bench.say('error of the time left: %.1f %% (median of %d)' % (medians[-1], len(done['errors'])))
    yield Result("error of gc's time left, after the first 5 %", 'what was left', '%', medians, ('<=', 10),
                 'median of each round; of %.1f to %.1f s' % (min(took), max(took)))


def measure(bench):
    for priority, words, wanted in PRIORITIES:
        yield from latency(bench, priority, words, wanted)
    yield from held(bench)
    yield from eta(bench)
