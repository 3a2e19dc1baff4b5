# SPDX-License-Identifier: Apache-2.0
"""From a client's VDI.set_name_description to the answer of another's event.from that waited, among 100 VDIs;
parsing it is included."""
import threading
import time

import daemon
from kit import Result

NAMES = ['xapi_events']
VDIS, CHANGES = 100, 10


def wait(watcher, session, token, heard):
    got = watcher.call('event.from', session, ['vdi'], token, 30.0)
    heard.append((time.monotonic(), got))


def change(ours, watcher, vdi, text, token):
    """Milliseconds, and the next token."""
    heard = []
    waits = threading.Thread(target=wait, args=(watcher, ours.session, token, heard))
    waits.start()
    time.sleep(0.05)  # it waits by then
    began = time.monotonic()
    ours.ask('VDI.set_name_description', vdi, text)
    waits.join()
    if not heard or not any(event['snapshot']['name_description'] == text for event in heard[0][1]['events']):
        raise RuntimeError('the change was not told')
    return (heard[0][0] - began) * 1e3, heard[0][1]['token']


def measure(bench):
    sr = bench.path('sr')
    with daemon.up(bench, sr) as ours:
        vdis = [ours.create('disk %d' % i, 10 << 30) for i in range(bench.scaled(VDIS))]
        watcher, took = daemon.Client(ours), []
        token = ours.ask('event.from', ['vdi'], '', 0.0)['token']
        for i in range(bench.rounds(7) * CHANGES):
            ms, token = change(ours, watcher, vdis[i % len(vdis)], 'change %d' % i, token)
            took.append(ms)
        watcher.connection.close()
    yield Result('XenAPI, a VDI\'s new description, to a client that waits in event.from', '', 'ms', took,
                 ('<=', 20), 'from the call that sets it')
    bench.drop(sr)
