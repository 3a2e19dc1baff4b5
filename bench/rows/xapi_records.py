# SPDX-License-Identifier: Apache-2.0
"""VDI.get_all_records of 1000 VDIs over JSON-RPC, on a connection that is kept, until the whole answer is
there; the client does not parse it."""
import json
import time

import daemon
from kit import Result

NAMES = ['xapi_records']
VDIS, CALLS = 1000, 10


def measure(bench):
    sr, n = bench.path('sr'), bench.scaled(VDIS)
    with daemon.up(bench, sr) as ours:
        for i in range(n):
            ours.create('disk %d' % i, 10 << 30)
        took, size = [], 0
        for _ in range(bench.rounds(7) * CALLS):
            began = time.monotonic()
            answer = ours.client.answer('VDI.get_all_records', ours.session)
            took.append((time.monotonic() - began) * 1e3)
            size = len(answer)
        if len(json.loads(answer)['result']) != n:
            raise RuntimeError('not all records came')
    yield Result('XenAPI, VDI.get_all_records of %d VDIs over JSON-RPC' % n, '', 'ms', took, ('<=', 50),
                 '%d KiB each' % (size >> 10))
    bench.drop(sr)
