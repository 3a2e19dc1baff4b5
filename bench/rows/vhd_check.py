# SPDX-License-Identifier: Apache-2.0
"""vhd check of a 2040 GiB disk with every block allocated, in random order, on one core."""
import os

from kit import Result

NAMES = ['vhd_check']


def measure(bench):
    path = bench.path('full.vhd')
    bench.run(bench.program('make_vhd'), path, '2040G')
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cores)})  # what is started from here on inherits it
    try:
        bench.run(bench.catena(), 'vhd', 'check', path)
        took = [bench.seconds(bench.catena(), 'vhd', 'check', path) for _ in range(bench.rounds(9))]
    finally:
        os.sched_setaffinity(0, all_cores)
    bench.drop(path)
    yield Result('vhd check, 2040 GiB, every block allocated, one core', '', 's', took, ('<=', 1),
                 'the whole command, warm')
