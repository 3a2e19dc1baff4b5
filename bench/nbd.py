# SPDX-License-Identifier: Apache-2.0
"""What the rows about NBD share: servers on unix sockets, and fio as their client.

Each server is a process of ours with its default settings, through the page cache; it is up only while it is
measured. What a request costs in processor is the server's own user and system time.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

FOR_S = 3  # of each measurement that is not counted by requests
TICK = os.sysconf('SC_CLK_TCK')


class Server:
    """A name, and the command line that serves one disk on a socket."""

    def __init__(self, name, command, uri):
        self.name, self.command, self.uri = name, command, uri

    def path(self):
        return self.uri.split('socket=')[1]


def catena(bench, sr, export='', name='catena.sock'):
    path = bench.path(name)
    return Server('catena', [bench.catena(), 'serve', '--sr', sr, '--unix', path],
                  'nbd+unix:///%s?socket=%s' % (export, path))


def qemu_nbd(bench, file, form):
    path = bench.path('qemu.sock')
    return Server('qemu-nbd ' + form, ['qemu-nbd', '-f', form, '-k', path, '-t', '-e', '16',
                                       '--cache=writeback', file], 'nbd+unix:///?socket=' + path)


def nbdkit(bench, file):
    path = bench.path('nbdkit.sock')
    return Server('nbdkit file', ['nbdkit', '-f', '-U', path, 'file', file], 'nbd+unix:///?socket=' + path)


@contextlib.contextmanager
def up(bench, server):
    """Its process, which listens; it has ended cleanly behind."""
    path = server.path()
    bench.drop(path)
    with open(bench.path('server.log'), 'w', encoding='utf-8') as log:
        process = subprocess.Popen([str(part) for part in server.command], stdout=subprocess.DEVNULL,
                                   stderr=log, env=bench.environment)
    try:
        until = time.monotonic() + 60
        while not listens(path):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError('%s: %s' % (server.name, open(log.name, encoding='utf-8').read().strip()))
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def cpu_s(process):
    """Processor time that it has taken until now."""
    with open('/proc/%d/stat' % process.pid, encoding='utf-8') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Told:
    """What fio says of one direction of one job, and what it cost the server."""

    def __init__(self, job, cpu):
        self.per_s, self.n = job['iops'], job['total_ios']
        self.bytes_per_s = job['bw_bytes']
        self.cpu_us = cpu / job['total_ios'] * 1e6 if job['total_ios'] else 0
        self.p99_us = job['clat_ns'].get('percentile', {}).get('99.000000', 0) / 1e3


def fio_command(server, name, mode, depth, *options):
    return ['--name=' + name, '--ioengine=nbd', '--uri=' + server.uri, '--rw=' + mode, '--bs=4k',
            '--iodepth=%d' % depth, '--randrepeat=0', '--norandommap', *options]


def fio(bench, process, server, mode, depth, *options):
    before = cpu_s(process)
    text = bench.run('fio', '--output-format=json', *fio_command(server, 'one', mode, depth, *options))
    return Told(json.loads(text[text.index('{'):])['jobs'][0]['read' if 'read' in mode else 'write'],
                cpu_s(process) - before)


def for_a_while(size):
    return ['--size=%d' % size, '--time_based', '--runtime=%d' % FOR_S]


def turns(bench, rounds, servers, measure):
    """{name: [what measure(server, process) gave, one a round]}, in turns as bench.turns has them."""
    got = {server.name: [] for server in servers}
    for r in range(rounds):
        for i in range(len(servers)):
            server = servers[(r + i) % len(servers)]
            with up(bench, server) as process:
                got[server.name].append(measure(server, process))
            bench.say('round %d of %d: %s: %s' % (r + 1, rounds, server.name, told(got[server.name][-1])))
    return got


def told(what):
    return ', '.join('%.0f/s %.1f µs of processor' % (t.per_s, t.cpu_us) for t in what)
