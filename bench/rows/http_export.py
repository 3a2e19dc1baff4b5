# SPDX-License-Identifier: Apache-2.0
"""A VHD of a disk of 4 GiB that is half full, over HTTP to curl, which throws it away; beside nbdcopy of
the same bytes from nbdkit to nowhere. Both from a warm page cache.

What is counted are the bytes that a guest wrote, 2 GiB on both sides: neither moves what was never written,
and the VHD's own structures are not counted. Over TCP on the one side, on the other over a unix socket.
"""
import daemon
import nbd
from kit import Result, have, ratios

NAMES = ['http_export']
SIZE = 4 << 30


def measure(bench):
    missing = have('curl', 'nbdkit', 'nbdcopy')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    raw, sr = bench.path('disk.raw'), bench.path('sr')
    data = daemon.make_raw(raw, bench.scaled(SIZE))
    daemon.make_disk(bench, sr, raw)
    peer = nbd.nbdkit(bench, raw)
    with daemon.up(bench, sr) as ours, nbd.up(bench, peer):
        path = ours.export(ours.vdi())
        subjects = [('catenad', lambda: ours.curl_s(path, '-o', '/dev/null')),
                    (peer.name, lambda: bench.seconds('nbdcopy', peer.uri, 'null:'))]
        for _, warm in subjects:
            warm()
        took = bench.turns(bench.rounds(7), subjects)
    yield Result('HTTP, VHD of 4 GiB with 2 GiB of data, to curl', 'nbdcopy from nbdkit file to null:', '×',
                 ratios(took[peer.name], took['catenad']), ('>=', 0.8),
                 'bytes of guests a second; best: %.0f MiB/s, nbdkit %.0f' % (
                     data / min(took['catenad']) / 2**20, data / min(took[peer.name]) / 2**20))
    bench.drop(raw, sr)
