#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks over HTTP, by curl and by hand: readers who are slow, who pause, who die at any byte; many of them;
disks that are full; TLS; what goes out comes in again the same."""
import http.client
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import time
import unittest

from daemon import MIB, needs
from streams import Streams

PIB = 1 << 50


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
        n = 100 if self.TLS == 'on' and not os.environ.get('CATENA_SOAK') else 500
        vdi, data = self.make_disk('a')
        big = self.new_disk(4096 * MIB)
        before = self.memory()
        stalled = [self.ask('/vdi/%s.raw' % big) for _ in range(n)]
        for each in stalled[::10]:
            self.assertEqual(each.recv(15), b'HTTP/1.1 200 OK')
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi), data)
        ours, kernels = (now - then for now, then in zip(self.memory(), before))
        print('%d stalled readers, TLS %s: %.1f MiB of memory, %.1f MiB of sockets'
              % (n, self.TLS, ours / MIB, kernels / MIB), file=sys.stderr)
        if os.environ.get('CATENA_BUILD_KIND') == 'release':
            self.assertLess(ours, 64 * MIB)
            self.assertLess(kernels, 300 * MIB)
        for each in stalled:
            each.close()
        self.wait_until_closed(big)

    def memory(self):
        """Bytes: the daemon's own, and what the kernel has for all sockets."""
        with open('/proc/%d/smaps_rollup' % self.daemon.pid) as f:
            anonymous = int(re.search(r'Anonymous: +(\d+) kB', f.read()).group(1)) * 1024
        with open('/proc/net/sockstat') as f:
            return anonymous, int(re.search(r'TCP:.* mem (\d+)', f.read()).group(1)) * 4096

    def test_who_is_not_known_gets_nothing(self):
        vdi, data = self.make_disk('a')
        self.password = 'wrong'
        self.assertNotIn(data[:64], self.curl('/vdi/%s.raw' % vdi, code=401))
        self.curl('/export_raw_vdi?vdi=%s&session_id=OpaqueRef:1' % vdi, code=401)
        log = self.log()
        self.assertNotIn('OpaqueRef:1', log)
        self.assertNotIn('wrong', log)

    def test_a_vm_goes_out_and_comes_in_again_the_same(self):
        disks = [self.make_disk(name, seed=seed) for seed, name in enumerate('ab')]
        vm = self.sent('vm', 'create', 'web', '--disk', disks[0][0], '--disk', disks[1][0]).decode().strip()
        for more in '', '&use_compression=zstd':
            archive = self.curl('/export/?uuid=%s%s' % (vm, more))
            self.assertEqual(archive[:7] if not more else archive[:4],
                             b'ova.xml' if not more else b'\x28\xb5\x2f\xfd')
            with open(self.path('vm.xva'), 'wb') as f:
                f.write(archive)
            task, query = self.new_task()
            self.curl('/import/?x=1' + query, '-T', self.path('vm.xva'))
            self.end_of_task(task, 'success')
            new, = re.findall('<value>(OpaqueRef:[^<]*)</value>', self.api('task.get_result', task))
            vdis = [self.api('VBD.get_VDI', vbd) for vbd in self.api('VM.get_VBDs', new)]
            self.assertEqual({self.raw_of(self.api('VDI.get_uuid', vdi))[:len(disks[0][1])] for vdi in vdis},
                             {data for _, data in disks})

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
