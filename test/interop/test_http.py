#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks over HTTP, by curl and by hand: readers who are slow, who pause, who die at any byte; many of them;
disks that are full; TLS; what goes out comes in again the same."""
import base64
import http.client
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import time
import unittest
from urllib.parse import urlsplit

from test_daemon import MIB, Case, needs

PIB = 1 << 50


class Streams(Case):
    TLS = 'off'
    CONFIG = ('[daemon]\nstate-dir = state\n[http]\nlisten = 127.0.0.1:0\ntls = %s\n[nbd]\nlisten = none\n'
              '[sr main]\ndir = sr\ncreate = yes\n')

    def setUp(self):
        super().setUp()
        self.configure(self.CONFIG % self.TLS)
        self.start()
        self.url = self.listening('http')[0]
        with open(self.path('state/admin-password')) as f:
            self.password = f.read().strip()
        self.tls = ['--cacert', self.path('state/tls/server-cert.pem')] if self.TLS == 'on' else []

    def make_disk(self, name, size=9 * MIB, seed=1):
        """A VDI with some data; its uuid, and what it holds."""
        dice = random.Random(seed)
        data = bytearray(size)
        for _ in range(6):
            at = dice.randrange(size - 70000)
            data[at:at + 70000] = dice.randbytes(70000)
        with open(self.path(name + '.raw'), 'wb') as f:
            f.write(data)
        uuid = self.sent('vdi', 'import', '--sr', 'main', '--name', name, self.path(name + '.raw'))
        return uuid.decode().strip(), bytes(data)

    def curl_words(self, path, *words):
        return ['curl', '-sS', '-u', 'root:' + self.password] + self.tls + list(words) + [self.url + path]

    def curl(self, path, *words, code=200, exit_code=0):
        done = subprocess.run(self.curl_words(path, '-o', self.path('out'), '-w', '%{http_code}', *words),
                              capture_output=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (exit_code, str(code)), done.stderr)
        return self.got()

    def got(self, name='out'):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def raw_of(self, vdi):
        self.sent('vdi', 'export', '--sr', 'main', vdi, '-o', self.path('check.raw'))
        return self.got('check.raw')

    def ask(self, path, method='GET', headers=(), body=None):
        """A connection of our own, the request sent and nothing read."""
        where = urlsplit(self.url)
        connection = socket.create_connection((where.hostname, where.port), timeout=60)
        if self.TLS == 'on':
            context = ssl.create_default_context(cafile=self.path('state/tls/server-cert.pem'))
            connection = context.wrap_socket(connection, server_hostname=where.hostname,
                                             suppress_ragged_eofs=False)
        secret = base64.b64encode(('root:' + self.password).encode()).decode()
        lines = ['%s %s HTTP/1.1' % (method, path), 'Host: h', 'Authorization: Basic ' + secret]
        lines += headers
        connection.sendall('\r\n'.join(lines).encode() + b'\r\n\r\n' + (body or b''))
        return connection

    def wait_until_closed(self, vdi):
        """No export has it open any more: it can be deleted."""
        for _ in range(600):
            if self.call('--socket', 'state/control.sock', 'vdi', 'delete', '--sr', 'main', vdi)[0] == 0:
                return
            time.sleep(0.05)
        self.fail('%s is open for ever' % vdi)


@needs('curl')
class Out(Streams):

    def test_what_goes_out_comes_in_again_the_same(self):
        vdi, data = self.make_disk('a')
        vdi = self.snapshot(vdi)
        for form in 'raw', 'vhd':
            stream = self.curl('/export_raw_vdi/?vdi=%s&format=%s' % (vdi, form))
            self.assertEqual(stream, self.curl('/vdi/%s.%s' % (vdi, form)))
            with open(self.path('in'), 'wb') as f:
                f.write(stream)
            to = self.sent('vdi', 'create', '--sr', 'main', '--size', str(len(data))).decode().strip()
            self.curl('/import_raw_vdi/?vdi=%s&format=%s' % (to, form), '-T', self.path('in'))
            self.assertEqual(self.raw_of(to), data)
        self.assertEqual(stream[0:8], b'conectix')
        self.assertEqual(self.got('in')[-512:], self.got('in')[:512])

    def snapshot(self, vdi):
        return self.sent('vdi', 'snapshot', '--sr', 'main', vdi).decode().strip()

    def test_a_delta_is_right_for_who_ignores_bitmaps(self):
        """As Xen Orchestra has it: what a block's bitmap says is not looked at, each is overwritten whole."""
        vdi, data = self.make_disk('a')
        old = self.snapshot(vdi)
        for at, n in (3 * MIB + 700, 5000), (8 * MIB, 1):
            self.sent('vdi', 'write', '--sr', 'main', vdi, '--offset', str(at), stdin=b'n' * n)
        new = self.snapshot(vdi)
        disk = bytearray(data)
        delta = self.curl('/export_raw_vdi/?vdi=%s&base=%s&format=vhd' % (new, old))
        self.assertEqual(int.from_bytes(delta[60:64], 'big'), 4)
        n_blocks = 0
        for block, sector in enumerate(self.bat_of(delta)):
            if sector == 0xffffffff:
                continue
            at = sector * 512
            self.assertEqual(delta[at:at + 128], b'\xff' * 128)
            end = min((block + 1) * 2 * MIB, len(disk))
            disk[block * 2 * MIB:end] = delta[at + 512:at + 512 + end - block * 2 * MIB]
            n_blocks += 1
        self.assertEqual(n_blocks, 2)
        self.assertEqual(self.raw_of(new), disk)
        exact = self.curl('/export_raw_vdi/?vdi=%s&base=%s&format=vhd&exact=1' % (new, old))
        self.assertNotEqual(exact[2 * 4096:], delta[2 * 4096:])

    @staticmethod
    def bat_of(stream):
        at = int.from_bytes(stream[512 + 16:512 + 24], 'big')
        n = int.from_bytes(stream[512 + 28:512 + 32], 'big')
        return [int.from_bytes(stream[at + 4 * i:at + 4 * i + 4], 'big') for i in range(n)]

    def test_a_range_is_that_range(self):
        vdi, data = self.make_disk('a')
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi, '-r', '1000-70999', code=206), data[1000:71000])
        self.curl('/vdi/%s.raw' % vdi, '-r', '%d-' % len(data), code=416)

    def test_a_slow_reader_gets_all_of_it(self):
        vdi, data = self.make_disk('a', size=3 * MIB)
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi, '--limit-rate', '2M'), data)

    def test_one_who_is_stopped_goes_on_where_he_was(self):
        vdi, data = self.make_disk('a', size=24 * MIB)
        with subprocess.Popen(self.curl_words('/vdi/%s.raw' % vdi, '-o', self.path('out'),
                                              '--limit-rate', '8M')) as reader:
            time.sleep(0.5)
            reader.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            self.assertIsNone(reader.poll())
            reader.send_signal(signal.SIGCONT)
            self.assertEqual(reader.wait(120), 0)
        self.assertEqual(self.got(), data)

    def test_one_who_is_killed_leaves_the_disk_free(self):
        dice = random.Random(3)
        vdi, _ = self.make_disk('a', size=64 * MIB)
        for _ in range(4):
            with subprocess.Popen(self.curl_words('/vdi/%s.raw' % vdi, '-o', os.devnull,
                                                  '--limit-rate', '20M')) as reader:
                time.sleep(dice.random() / 2)
                reader.kill()
        self.wait_until_closed(vdi)

    def test_a_full_disk_on_the_far_side_is_the_readers_error_alone(self):
        vdi, data = self.make_disk('a')
        with open('/dev/full', 'wb') as full:
            done = subprocess.run(self.curl_words('/vdi/%s.raw' % vdi), stdout=full, stderr=subprocess.PIPE,
                                  timeout=60, check=False)
        self.assertEqual(done.returncode, 23, done.stderr)
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi), data)
        self.wait_until_closed(vdi)

    def test_many_who_do_not_read_cost_little_and_stop_nobody(self):
        vdi, data = self.make_disk('a', size=32 * MIB)
        stalled = [self.ask('/vdi/%s.vhd' % vdi) for _ in range(100)]
        for each in stalled[::10]:
            self.assertEqual(each.recv(15), b'HTTP/1.1 200 OK')
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi), data)
        with open('/proc/%d/smaps_rollup' % self.daemon.pid) as f:
            anonymous = int(re.search(r'Anonymous: +(\d+) kB', f.read()).group(1))
        if os.environ.get('CATENA_BUILD_KIND') == 'release':
            self.assertLess(anonymous, 100 * 1024)
        for each in stalled:
            each.close()
        self.wait_until_closed(vdi)

    def test_who_is_not_known_gets_nothing(self):
        vdi, data = self.make_disk('a')
        self.password = 'wrong'
        self.assertNotIn(data[:64], self.curl('/vdi/%s.raw' % vdi, code=401))
        self.curl('/export_raw_vdi?vdi=%s&session_id=OpaqueRef:1' % vdi, code=401)
        log = self.log()
        self.assertNotIn('OpaqueRef:1', log)
        self.assertNotIn('wrong', log)

    def test_the_daemon_can_stop_while_somebody_reads(self):
        vdi, _ = self.make_disk('a', size=64 * MIB)
        reader = self.ask('/vdi/%s.raw' % vdi)
        self.assertEqual(reader.recv(12), b'HTTP/1.1 200')
        self.stop()
        got = 0
        with self.assertRaises((ConnectionResetError, ssl.SSLError)):
            while True:
                piece = reader.recv(MIB)
                got += len(piece)
                if not piece:
                    raise AssertionError('a clean end after %d bytes' % got)


@needs('curl')
class In(Streams):

    def new_disk(self, size):
        return self.sent('vdi', 'create', '--sr', 'main', '--size', str(size)).decode().strip()

    def put(self, vdi, body, headers=(), more=''):
        connection = self.ask('/import_raw_vdi/?vdi=%s%s' % (vdi, more), 'PUT', headers, body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()

    def test_chunks_go_where_they_say(self):
        to = self.new_disk(4 * MIB)
        data = bytearray(4 * MIB)
        stream = b''
        for at, n in (0, 4096), (3 * MIB - 100, 5000), (MIB, 1):
            piece = random.Random(at).randbytes(n)
            data[at:at + n] = piece
            stream += at.to_bytes(8, 'little') + n.to_bytes(4, 'little') + piece
        stream += bytes(12)
        status, why = self.put(to, stream, ['Content-Length: %d' % len(stream)], '&chunked=true')
        self.assertEqual(status, 200, why)
        self.assertEqual(self.raw_of(to), data)

    def test_a_vhd_of_undeclared_length_ends_where_it_does(self):
        vdi, data = self.make_disk('a')
        stream = self.curl('/vdi/%s.vhd' % vdi)
        to = self.new_disk(len(data))
        status, why = self.put(to, stream, ['Content-Length: %d' % PIB], '&format=vhd')
        self.assertEqual(status, 200, why)
        self.assertEqual(self.raw_of(to), data)

    def test_what_ends_early_changes_nothing(self):
        vdi, data = self.make_disk('a')
        stream = self.curl('/vdi/%s.vhd' % vdi)
        to = self.new_disk(len(data))
        for n in 10, 5000, len(stream) - 1:
            connection = self.ask('/import_raw_vdi/?vdi=%s&format=vhd' % to, 'PUT',
                                  ['Content-Length: %d' % len(stream)], stream[:n])
            connection.close()
        self.wait_until_closed(to)
        self.assertEqual(len(self.json('vdi', 'list', '--sr', 'main')['vdis']), 1)

    def test_an_error_is_answered_in_the_middle_of_the_upload(self):
        to = self.new_disk(64 * MIB)
        connection = self.ask('/import_raw_vdi/?vdi=%s' % to, 'PUT', ['Content-Length: %d' % (128 * MIB)],
                              b'x' * (3 * MIB))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        self.assertEqual(answer.status, 400)
        self.assertIn(b'import VDI', answer.read())


@needs('curl')
@needs('openssl')
class OutByTls(Out):
    TLS = 'on'


@needs('curl')
@needs('openssl')
class InByTls(In):
    TLS = 'on'


if __name__ == '__main__':
    unittest.main(verbosity=2)
