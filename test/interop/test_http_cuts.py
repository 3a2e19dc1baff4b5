#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wire that breaks between a client and the daemon, at every byte where a stream of a VHD goes on to
something else: nobody takes what came for the whole, out or in."""
import subprocess
import unittest

from daemon import MIB, needs
from streams import Streams
from wire import Wire

FAR = 2 * MIB  # more than lies between the daemon and who reads


def edges(stream):
    """Where something ends and something else begins, a byte before and a byte behind."""
    size = len(stream)
    table = int.from_bytes(stream[512 + 16:512 + 24], 'big')
    n = int.from_bytes(stream[512 + 28:512 + 32], 'big')
    marks = {0, 512, 1024, 1536, table, table + 4 * n, size - 512, size}
    for i in range(n):
        sector = int.from_bytes(stream[table + 4 * i:table + 4 * i + 4], 'big')
        if sector != 0xffffffff:
            marks |= {sector * 512, sector * 512 + 512, sector * 512 + MIB, sector * 512 + 512 + 2 * MIB}
    return sorted({at for mark in marks for at in (mark - 1, mark, mark + 1) if 0 <= at < size})


class Cuts(Streams):

    def setUp(self):
        super().setUp()
        self.wire = Wire(self.url)
        self.addCleanup(self.wire.close)
        self.vdi, self.data = self.make_disk('a')
        self.old = self.snapshot(self.vdi)
        self.sent('vdi', 'write', '--sr', 'main', self.vdi, '--offset', str(3 * MIB + 77), stdin=b'new' * 999)
        self.new = self.snapshot(self.vdi)

    def by_wire(self, path, *words):
        """By curl: its exit code, and what it got."""
        words = self.curl_words(path, '-o', self.path('got'), *words)
        words[-1] = words[-1].replace(self.url, self.wire.url)
        with open(self.path('got'), 'wb'):
            pass
        done = subprocess.run(words, capture_output=True, timeout=60, check=False)
        return done.returncode, self.got('got')


@needs('curl')
class OutCut(Cuts):

    def test_no_part_of_an_export_is_taken_for_the_whole(self):
        for more in '', '&base=' + self.old:
            path = '/export_raw_vdi/?format=vhd&vdi=%s%s' % (self.new, more)
            whole = self.curl(path)
            for i, at in enumerate(edges(whole)):
                self.wire.cut(down=at, is_reset=i % 2 == 0)
                code, got = self.by_wire(path)
                self.assertNotEqual(code, 0, at)
                self.assertEqual(got, whole[:len(got)], at)
                self.assertLessEqual(len(got), at)
            self.wire.cut()
            self.assertEqual(self.by_wire(path), (0, whole))
        self.wait_until_closed(self.new)

    def test_a_cut_in_the_answers_head_is_no_answer(self):
        for at in 1, 15, 17, 100:
            self.wire.cut(down=at, counts_head=True)
            self.assertNotEqual(self.by_wire('/vdi/%s.raw' % self.new)[0], 0)
        for at in 1, 5, 40, 100:
            self.wire.cut(up=at, counts_head=True)
            self.assertNotEqual(self.by_wire('/vdi/%s.raw' % self.new)[0], 0)
        self.wait_until_closed(self.new)

    def test_the_task_of_a_reader_who_went_says_so(self):
        for form in 'raw', 'vhd':
            for at in 0, 1, MIB:
                task, more = self.new_task()
                self.wire.cut(down=at)
                path = '/export_raw_vdi/?format=%s&vdi=%s%s' % (form, self.new, more)
                self.assertNotEqual(self.by_wire(path)[0], 0)
                why = self.end_of_task(task, 'failure')
                self.assertGreater(len(why[-1]), 20, why)


@needs('curl')
class InCut(Cuts):

    def test_an_import_that_is_cut_changes_nothing(self):
        self.check('vhd', self.curl('/vdi/%s.vhd' % self.new))

    def test_a_raw_import_that_is_cut_changes_nothing(self):
        """Also within the last 2 MiB."""
        whole = self.curl('/vdi/%s.raw' % self.new)
        self.check('raw', whole, (0, 1, 2 * MIB, len(whole) - 3 * MIB, len(whole) - MIB, len(whole) - 1000,
                                  len(whole) - 1))

    def check(self, form, whole, cuts=None):
        to, old = self.make_disk('b', seed=9)
        with open(self.path('in'), 'wb') as f:
            f.write(whole)
        for i, at in enumerate(edges(whole) if cuts is None else cuts):
            task, more = self.new_task()
            self.wire.cut(up=at, is_reset=i % 2 == 0)
            path = '/import_raw_vdi/?format=%s&vdi=%s%s' % (form, to, more)
            self.assertNotEqual(self.by_wire(path, '-H', 'Expect:', '-T', self.path('in'))[0], 0, at)
            why = self.end_of_task(task, 'failure')
            self.assertGreater(len(why[-1]), 20, why)
            if i % 5 == 0:
                self.assertEqual(self.raw_of(to), old, at)
        self.assertEqual(self.raw_of(to), old)
        self.wire.cut()
        self.assertEqual(self.by_wire(path.split('&session_id')[0], '-T', self.path('in'))[0], 0)
        self.assertEqual(self.raw_of(to)[:len(self.data)], self.raw_of(self.new))


@needs('curl')
@needs('openssl')
class ByTls(Cuts):
    """Where the bytes lie is not known; but an end that nobody said is none."""
    TLS = 'on'

    def test_no_cut_is_an_end(self):
        raw = '/vdi/%s.raw' % self.new
        to, old = self.make_disk('b', seed=9)
        with open(self.path('in'), 'wb') as f:
            f.write(self.curl(raw))
        for i, at in enumerate((1, 700, 3000, 20000, MIB, 8 * MIB, 9 * MIB)):
            self.wire.cut(down=at, counts_head=True, is_reset=i % 2 == 0)
            self.assertNotEqual(self.by_wire(raw)[0], 0, at)
            self.wire.cut(up=at, counts_head=True, is_reset=i % 2 == 0)
            self.assertNotEqual(self.by_wire('/import_raw_vdi/?vdi=' + to, '-T', self.path('in'))[0], 0, at)
        self.assertEqual(self.raw_of(to), old)
        self.wire.cut()
        self.assertEqual(self.by_wire(raw), (0, self.got('in')))


if __name__ == '__main__':
    unittest.main(verbosity=2)
