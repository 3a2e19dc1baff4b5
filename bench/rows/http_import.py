# SPDX-License-Identifier: Apache-2.0
"""2 GiB of a raw disk, all data, over HTTP by curl -T into a new VDI, durable when it is answered; beside dd
conv=fsync of the same file to the same file system. The source is in the page cache."""
import os
import time

import daemon
from kit import Result, have, ratios

NAMES = ['http_import']
SIZE = 2 << 30


def measure(bench):
    if have('curl'):
        raise LookupError('curl is not installed')
    raw, copy, size = bench.path('disk.raw'), bench.path('copy'), bench.scaled(SIZE)
    daemon.make_full(raw, size)

    def dd():
        os.sync()
        took = bench.seconds('dd', 'if=' + raw, 'of=' + copy, 'bs=1M', 'conv=fsync', 'status=none')
        bench.drop(copy)
        return took

    with daemon.up(bench, bench.path('sr')) as ours:
        def put():
            vdi = ours.create('disk %d' % time.monotonic_ns(), size)
            os.sync()
            took = ours.curl_s('/import_raw_vdi?session_id=%s&vdi=%s&format=raw' % (ours.session, vdi),
                               '-T', raw, '-o', '/dev/null')
            ours.ask('VDI.destroy', vdi)
            return took

        took = bench.turns(bench.rounds(7), [('catenad', put), ('dd', dd)])
    yield Result('HTTP, import of 2 GiB raw by curl -T', 'dd conv=fsync of the same', '×',
                 ratios(took['dd'], took['catenad']), ('>=', 0.7),
                 'speed; best: %.0f MiB/s, dd %.0f' % (size / min(took['catenad']) / 2**20,
                                                       size / min(took['dd']) / 2**20))
    bench.drop(raw, bench.path('sr'))
