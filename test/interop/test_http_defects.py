#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with disks over HTTP on other hosts, and must not here (docs/xapi.md has the list): streams
that end early or go on too long, chunks that lie, disks that shrink or are full, readers that are gone."""
import http.client
import os
import random
import select
import signal
import subprocess
import tempfile
import time
import unittest

from daemon import MIB, needs
from streams import Streams

SOAK = bool(os.environ.get('CATENA_SOAK'))


def chunk(at, data, n=None):
    return at.to_bytes(8, 'little') + (len(data) if n is None else n).to_bytes(4, 'little') + data


END = chunk(0, b'')


@needs('curl')
class Out(Streams):

    def file_of(self, vdi):
        return self.path('sr/%s.vhd' % vdi)

    def test_a_disk_that_shrinks_under_an_export_is_an_error_and_not_zeros(self):
        vdi = self.random_disk(24 * MIB)
        for form in 'raw', 'vhd':
            task, more = self.new_task()
            reader = self.ask('/export_raw_vdi/?vdi=%s&format=%s%s' % (vdi, form, more))
            self.assertEqual(reader.recv(12), b'HTTP/1.1 200')
            whole = os.path.getsize(self.file_of(vdi))
            with open(self.file_of(vdi), 'rb') as f:
                kept = f.read()
            os.truncate(self.file_of(vdi), whole - 4 * MIB)
            with self.assertRaises(OSError):
                self.read_on(reader)
            reader.close()
            why = self.end_of_task(task, 'failure')
            self.assertIn('past the end', ' '.join(why))
            with open(self.file_of(vdi), 'wb') as f:
                f.write(kept)
        used = self.seconds_used()
        time.sleep(0.5)
        self.assertLess(self.seconds_used() - used, 0.25)  # nothing runs on by itself

    def random_disk(self, size):
        with open(self.path('r.raw'), 'wb') as f:
            f.write(random.Random(7).randbytes(size))
        return self.sent('vdi', 'import', '--sr', 'main', self.path('r.raw')).decode().strip()

    def read_on(self, reader):
        got = 0
        while True:
            n = len(reader.recv(MIB))
            got += n
            if n == 0:
                self.fail('an end after %d bytes' % got)

    def seconds_used(self):
        with open('/proc/%d/stat' % self.daemon.pid) as f:
            words = f.read().rsplit(')', 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf('SC_CLK_TCK')

    def test_a_raw_disk_may_end_in_a_hole(self):
        vdi = self.sent('vdi', 'create', '--sr', 'main', '--kind', 'raw', '--size', '6M').decode().strip()
        self.sent('vdi', 'write', '--sr', 'main', vdi, stdin=b'x' * MIB)
        self.assertEqual(self.curl('/vdi/%s.raw' % vdi), b'x' * MIB + bytes(5 * MIB))
        self.assertIn(b'x' * 100, self.curl('/vdi/%s.vhd' % vdi))

    def test_the_standard_output_may_be_a_file(self):
        vdi, data = self.make_disk('a')
        with open(self.path('o'), 'wb') as f:
            done = subprocess.run(self.curl_words('/vdi/%s.raw' % vdi), stdout=f, timeout=60, check=False)
        self.assertEqual((done.returncode, self.got('o')), (0, data))

    def test_who_went_is_named_on_the_task_with_the_byte(self):
        vdi = self.random_disk(32 * MIB)
        task, more = self.new_task()
        reader = self.ask('/export_raw_vdi/?vdi=%s&format=raw%s' % (vdi, more))
        reader.recv(100000)
        reader.close()
        why = self.end_of_task(task, 'failure')
        self.assertRegex(' '.join(why), r'\d{4,}')

    def test_a_reader_may_sleep(self):
        """In soak for longer than anything here waits: five minutes are what a peer that is gone has."""
        vdi, data = self.make_disk('a', size=24 * MIB)
        task, more = self.new_task()
        words = self.curl_words('/export_raw_vdi/?format=raw&vdi=%s%s' % (vdi, more), '-o', self.path('out'),
                                '--limit-rate', '16M')
        with subprocess.Popen(words) as reader:
            for seconds in (400, 1) if SOAK else (1, 0.5):
                time.sleep(0.2)
                reader.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                reader.send_signal(signal.SIGCONT)
            self.assertEqual(reader.wait(120), 0)
        self.assertEqual(self.got(), data)
        self.end_of_task(task, 'success')


class In(Streams):

    def setUp(self):
        super().setUp()
        self.to, self.old = self.make_disk('to', size=4 * MIB, seed=5)

    def refused(self, body, more='', declared=None, wanted=(400, 422, 500)):
        """It is an error, on its task too, and the disk is as it was."""
        task, query = self.new_task()
        length = len(body) if declared is None else declared
        status, text = self.put(self.to, body, ['Content-Length: %d' % length], more + query)
        self.assertIn(status, wanted, text)
        why = self.end_of_task(task, 'failure')
        self.assertEqual(self.raw_of(self.to), self.old)
        return text + ' '.join(why)

    def test_extra_bytes_are_refused(self):
        self.assertIn(str(4 * MIB), self.refused(self.old + b'x' * 512))

    def vhd_of(self, data):
        with open(self.path('v.raw'), 'wb') as f:
            f.write(data)
        vdi = self.sent('vdi', 'import', '--sr', 'main', self.path('v.raw')).decode().strip()
        self.sent('vdi', 'export', '--sr', 'main', '--format', 'vhd', '--force', vdi, '-o',
                  self.path('v.vhd'))
        return self.got('v.vhd')

    def test_a_vhd_without_its_last_footer_is_refused(self):
        stream = self.vhd_of(random.Random(4).randbytes(4 * MIB))
        self.refused(stream[:-512], '&format=vhd')
        self.refused(stream[:-512] + bytes(512), '&format=vhd')

    def test_what_was_on_the_disk_goes(self):
        """A VHD goes onto a disk that holds something: what it does not name is zeros from then on."""
        data = bytearray(4 * MIB)
        data[100:200] = b'n' * 100
        status, text = self.put_whole(self.to, self.vhd_of(data), '&format=vhd')
        self.assertEqual((status, self.raw_of(self.to)), (200, bytes(data)), text)

    def test_chunks_that_do_not_end_are_refused(self):
        self.refused(chunk(0, b'x' * 4096), '&chunked')
        self.refused(chunk(0, b'x' * 4096) + END[:11], '&chunked')
        self.refused(chunk(0, b'x' * 100, 4096), '&chunked')

    def test_chunks_outside_of_the_disk_are_refused(self):
        for at, n in ((4 * MIB, 512), (4 * MIB - 512, 513), (1 << 62, 512), ((1 << 64) - 512, 512),
                      (0, 1 << 31), (0, (1 << 32) - 1), (512, (1 << 31) + 5)):
            text = self.refused(chunk(at, b'x' * 512, n) + END, '&chunked')
            self.assertIn('behind the disk', text)

    def test_a_chunk_of_nothing_ends_nothing(self):
        stream = chunk(0, b'x' * 512) + chunk(MIB, b'') + chunk(2 * MIB, b'y' * 512) + END
        status, text = self.put_whole(self.to, stream, '&chunked')
        data = bytearray(self.old)
        data[:512] = b'x' * 512
        data[2 * MIB:2 * MIB + 512] = b'y' * 512
        self.assertEqual((status, self.raw_of(self.to)), (200, bytes(data)), text)

    def test_what_was_said_to_be_there_is_there_after_a_kill(self):
        data = random.Random(6).randbytes(4 * MIB)
        self.assertEqual(self.put_whole(self.to, data)[0], 200)
        self.kill()
        self.start()
        self.assertEqual(self.raw_of(self.to), data)


class Full(Streams):
    """On a file system with room for half of what comes."""

    def setUp(self):
        self.small = tempfile.mkdtemp(prefix='catena-small-')
        self.addCleanup(os.rmdir, self.small)
        if os.geteuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'none', self.small],
                                               check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no small file system can be mounted here')
        self.addCleanup(subprocess.run, ['umount', self.small], check=False)
        self.CONFIG = Streams.CONFIG.replace('dir = sr', 'dir = %s/sr' % self.small)
        super().setUp()

    def test_it_is_said_in_the_middle_of_the_upload(self):
        to = self.new_disk(128 * MIB)
        task, more = self.new_task()
        connection = self.ask('/import_raw_vdi/?vdi=%s%s' % (to, more), 'PUT',
                              ['Content-Length: %d' % (128 * MIB)])
        sent = 0
        while sent < 128 * MIB and not select.select([connection], [], [], 0)[0]:
            connection.sendall(random.Random(sent).randbytes(MIB))
            sent += MIB
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        self.assertEqual((answer.status, sent < 128 * MIB), (507, True))
        self.assertIn(b'space', answer.read())
        connection.close()
        self.assertEqual(self.end_of_task(task, 'failure')[0], 'SR_BACKEND_FAILURE_44')
        self.assertEqual(self.raw_of(to), bytes(128 * MIB))
        self.assertEqual(self.put_whole(to, b'x' * 4 * MIB + bytes(124 * MIB))[0], 200)  # there is room again


if __name__ == '__main__':
    unittest.main(verbosity=2)
