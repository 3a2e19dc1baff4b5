# SPDX-License-Identifier: Apache-2.0
"""A VHD of a disk of 4 GiB that is half full, over HTTPS to curl; beside nginx that serves the very bytes of
that export from a file, with the same certificate and cipher. Both from a warm page cache; all bytes of the
body count."""
import os

import daemon
from kit import Result, have, ratios

NAMES = ['https_export']
SIZE = 4 << 30


def measure(bench):
    missing = have('curl', 'nginx')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    raw, sr, root = bench.path('disk.raw'), bench.path('sr'), bench.fresh('root')
    daemon.make_raw(raw, bench.scaled(SIZE))
    daemon.make_disk(bench, sr, raw)
    bench.drop(raw)
    with daemon.up(bench, sr, tls=True) as ours:
        path, file = ours.export(ours.vdi()), os.path.join(root, 'disk.vhd')
        ours.curl_s(path, '-o', file)
        os.sync()
        with daemon.nginx(bench, root, os.path.join(ours.state, 'tls')) as peer:
            subjects = [('catenad', lambda: ours.curl_s(path, '-o', '/dev/null')),
                        ('nginx', lambda: daemon.curl_s(bench, peer + '/disk.vhd', '-o', '/dev/null'))]
            for _, warm in subjects:
                warm()
            took = bench.turns(bench.rounds(7), subjects)
        n = os.stat(file).st_size
    yield Result('HTTPS, VHD of 4 GiB with 2 GiB of data, to curl', 'nginx, a file of these bytes', '×',
                 ratios(took['nginx'], took['catenad']), ('>=', 0.9),
                 'speed; %s; best: %.0f MiB/s, nginx %.0f' % (daemon.CIPHER, n / min(took['catenad']) / 2**20,
                                                              n / min(took['nginx']) / 2**20))
    bench.drop(root, sr)
