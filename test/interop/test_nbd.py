#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catena serve, and the clients that others wrote: nbdinfo, nbdcopy, libnbd, qemu-img, qemu-io. What they see
and copy, what is refused, TLS, stops and kills, and what may go on below a connected guest."""
import errno
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

try:
    import nbd
except ImportError:
    nbd = None
    DISTRIBUTION = '/usr/bin/python3'  # has the module, and need not be the first in PATH
    if os.path.exists(DISTRIBUTION) and os.path.realpath(DISTRIBUTION) != os.path.realpath(sys.executable):
        os.execv(DISTRIBUTION, [DISTRIBUTION] + sys.argv)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
CATENA = os.path.join(BUILD, 'src', 'catena')
KILLS = 500 if os.environ.get('CATENA_SOAK') else 50
MIB = 1 << 20
SIZE = 24 * MIB
DONE, FAILED, USAGE = 0, 1, 2


def needs(program):
    return unittest.skipUnless(shutil.which(program), program + ' is not installed')


needs_nbd = unittest.skipUnless(nbd, "python3-libnbd is not installed")


class Case(unittest.TestCase):

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='catena-nbd-')
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.env = dict(os.environ, XDG_STATE_HOME=self.path('state'))
        self.run_ok('sr', 'create', 'sr')
        self.vdi = self.create('a')
        self.server = None
        self.addCleanup(self.end)

    def path(self, name):
        return os.path.join(self.dir, name)

    def call(self, *words, stdin=b''):
        done = subprocess.run([CATENA] + list(words), cwd=self.dir, env=self.env, input=stdin,
                              capture_output=True, timeout=120, check=False)
        self.assertNotIn(b'Sanitizer', done.stderr)
        return done.returncode, done.stdout, done.stderr.decode()

    def run_ok(self, *words, stdin=b'', code=DONE):
        got, out, err = self.call(*words, stdin=stdin)
        self.assertEqual(got, code, '%s: %s' % (' '.join(words), err))
        return out.decode(errors='replace').strip()

    def tool(self, *words, code=0):
        done = subprocess.run(words, cwd=self.dir, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, '%s: %s' % (' '.join(words), done.stderr.decode()))
        return done.stdout.decode() + done.stderr.decode()

    def create(self, name, size=SIZE):
        return self.run_ok('vdi', 'create', '--sr', 'sr', '--name', name, '--size', str(size))

    def serve(self, *more, listeners=1):
        """Until it says that it is ready; its lines."""
        with open(self.path('log'), 'ab') as log:
            unix = [] if '--unix' in more else ['--unix', 'sock']
            self.server = subprocess.Popen([CATENA, 'serve', '--sr', 'sr'] + unix + list(more),
                                           cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, stderr=log)
        lines = [self.server.stdout.readline().decode().strip() for _ in range(listeners)]
        self.assertTrue(all(lines), self.log())
        return lines

    def log(self):
        with open(self.path('log')) as f:
            return f.read()

    def stop(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        code = self.server.wait(60)
        self.server.stdout.close()
        self.server = None
        self.assertNotIn('Sanitizer', self.log())
        return code

    def end(self):
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server.stdout.close()
            self.assertNotIn('Sanitizer', self.log())

    def uri(self, name='a'):
        return 'nbd+unix:///%s?socket=%s' % (name, self.path('sock'))

    def connect(self, name='a', contexts=(), before=lambda handle: None):
        handle = nbd.NBD()
        handle.set_export_name(name)
        handle.set_strict_mode(0)
        for context in contexts:
            handle.add_meta_context(context)
        before(handle)
        handle.connect_unix(self.path('sock'))
        return handle

    def status(self, handle, n, context='base:allocation', at=0, flags=0):
        seen = []

        def extent(name, offset, entries, error):
            if name == context:
                seen.extend(zip(entries[::2], entries[1::2]))
            return 0
        handle.block_status(n, at, extent, flags)
        return seen

    def export(self, name='a'):
        self.run_ok('vdi', 'export', '--sr', 'sr', name, '--format', 'raw', '-o', 'exported.raw')
        with open(self.path('exported.raw'), 'rb') as f:
            data = f.read()
        os.unlink(self.path('exported.raw'))
        return data


class Listening(Case):

    def test_says_where_and_leaves_nothing(self):
        lines = self.serve('--tcp', '127.0.0.1:0', listeners=2)
        self.assertEqual(lines[0], 'listening on unix:sock')
        self.assertRegex(lines[1], r'^listening on tcp:127\.0\.0\.1:[1-9][0-9]*$')
        self.assertEqual(os.stat(self.path('sock')).st_mode & 0o777, 0o600)
        self.assertEqual(self.stop(), DONE)
        self.assertFalse(os.path.exists(self.path('sock')))
        self.assertEqual(self.log(), '')

    def test_json_is_one_object(self):
        lines = self.serve('--json')
        told = json.loads(lines[0])
        self.assertEqual(told['listeners'][0],
                         {'kind': 'unix', 'address': 'sock', 'uri': self.uri('NAME')})
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.stdout.read(), b'')
        self.assertEqual(self.stop(), DONE)

    def test_what_is_wrong_is_said(self):
        code, _, err = self.call('serve', '--sr', 'sr')
        self.assertEqual((code, 'where to listen is not said' in err), (USAGE, True), err)
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'sock', '--connections', '0')
        self.assertEqual((code, '1 to 1024' in err), (USAGE, True), err)
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'sock', '--tls-required')
        self.assertEqual((code, '--tls-x509' in err), (USAGE, True), err)
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'sock', '--tls-x509', 'nowhere')
        self.assertEqual((code, 'nowhere' in err), (FAILED, True), err)
        with open(self.path('sock'), 'w') as f:
            f.write('mine')
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'sock')
        self.assertEqual((code, 'is no socket' in err), (FAILED, True), err)
        with open(self.path('sock')) as f:
            self.assertEqual(f.read(), 'mine')
        code, out, _ = self.call('serve', '--help')
        self.assertEqual((code, b'catena serve --sr SR [OPTIONS]' in out), (DONE, True), out)

    def test_two_do_not_take_one_socket_or_one_sr(self):
        self.serve()
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'other')
        self.assertEqual((code, 'pid %d' % self.server.pid in err), (FAILED, True), err)
        self.run_ok('sr', 'create', 'sr2')
        code, _, err = self.call('serve', '--sr', 'sr2', '--unix', 'sock')
        self.assertEqual((code, 'another process listens' in err), (FAILED, True), err)

    def test_a_socket_that_a_kill_left_is_replaced(self):
        self.serve()
        self.stop(signal.SIGKILL)
        self.assertTrue(os.path.exists(self.path('sock')))
        self.serve()
        self.assertEqual(self.stop(), DONE)


class Tools(Case):

    @needs('nbdinfo')
    def test_nbdinfo_sees_sizes_flags_and_all_exports(self):
        self.create('b', 8 * MIB)
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 'snap')
        self.serve()
        told = json.loads(self.tool('nbdinfo', '--json', self.uri()))
        seen = told['exports'][0]
        self.assertEqual(told['structured'], True)
        self.assertEqual(seen['export-size'], SIZE)
        for flag in ('can_cache', 'can_df', 'can_fast_zero', 'can_flush', 'can_fua', 'can_multi_conn',
                     'can_trim', 'can_zero'):
            self.assertEqual(seen[flag], True, flag)
        self.assertEqual((seen['is_read_only'], seen['block_size_maximum']), (False, 32 * MIB))
        listed = json.loads(self.tool('nbdinfo', '--json', '--list', self.uri('')))['exports']
        self.assertEqual([(each['export-name'], each['export-size'], each['is_read_only'])
                          for each in listed],
                         [('a', SIZE, False), ('b', 8 * MIB, False), ('snap', SIZE, True)])
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')

    @needs('nbdcopy')
    def test_nbdcopy_in_and_out_by_both_ways(self):
        data = random.Random(3).randbytes(5 * MIB + 512)
        with open(self.path('in.raw'), 'wb') as f:
            f.write(data)
            f.truncate(SIZE)
        lines = self.serve('--tcp', '127.0.0.1:0', listeners=2)
        tcp = 'nbd://%s/%s' % (lines[1].split('tcp:')[1], self.vdi)
        self.tool('nbdcopy', '--connections=4', 'in.raw', self.uri())
        self.tool('nbdcopy', '--connections=4', tcp, 'out.raw')
        self.tool('cmp', 'in.raw', 'out.raw')
        self.tool('nbdcopy', '--no-extents', self.uri(), 'plain.raw')
        self.tool('cmp', 'in.raw', 'plain.raw')
        self.tool('nbdcopy', 'in.raw', tcp)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.export()[:len(data)], data)

    @needs('fio')
    def test_fio_reads_what_it_wrote_with_many_requests_in_flight(self):
        if 'nbd' not in self.tool('fio', '--enghelp').split():
            self.skipTest('this fio has no NBD engine')
        self.serve()
        self.tool('fio', '--name=mixed', '--ioengine=nbd', '--uri=' + self.uri(), '--rw=randwrite',
                  '--bsrange=512-64k', '--iodepth=32', '--size=16M', '--verify=crc32c', '--verify_fatal=1',
                  '--randseed=1')
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')

    @needs('qemu-img')
    def test_qemu_img_converts_compares_and_maps(self):
        with open(self.path('in.raw'), 'wb') as f:
            f.write(random.Random(4).randbytes(3 * MIB))
            f.truncate(SIZE)
        self.serve()
        self.tool('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', 'in.raw', self.uri())
        self.assertIn('identical', self.tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', 'in.raw',
                                             self.uri()))
        self.tool('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', self.uri(), 'out.qcow2')
        self.assertIn('identical', self.tool('qemu-img', 'compare', 'in.raw', 'out.qcow2'))
        mapped = json.loads(self.tool('qemu-img', 'map', '--output=json', '-f', 'raw', self.uri()))
        self.assertEqual([(each['start'], each['length'], each['data']) for each in mapped],
                         [(0, 3 * MIB, True), (3 * MIB, SIZE - 3 * MIB, False)])

    @needs('qemu-io')
    def test_qemu_io_changes_a_disk(self):
        self.serve()
        self.tool('qemu-io', '-f', 'raw', self.uri(), '-c', 'write -P 7 1M 1M', '-c', 'flush', '-c',
                  'write -f -P 8 5000 100', '-c', 'discard 1M 512k', '-c', 'write -z 1600k 64k', '-c',
                  'read -P 8 5000 100', '-c', 'read -P 0 1M 512k', '-c', 'read -P 7 1536k 64k', '-c',
                  'read -P 0 1600k 64k', '-c', 'read -P 7 1664k 384k')
        self.assertEqual(self.stop(), DONE)
        data = self.export()
        self.assertEqual(data[5000:5100], b'\x08' * 100)
        self.assertEqual(data[1536 << 10:2048 << 10], b'\x07' * (64 << 10) + bytes(64 << 10) +
                         b'\x07' * (384 << 10))


@needs_nbd
class Library(Case):

    def refused(self, name):
        with self.assertRaises(nbd.Error) as raised:
            self.connect(name)
        return raised.exception.string

    def test_names(self):
        self.serve()
        self.assertEqual(self.connect('').get_size(), SIZE)
        self.assertEqual(self.connect(self.vdi).get_size(), SIZE)
        other = self.create('a')
        self.refused('a')
        self.assertEqual(self.connect(other).get_size(), SIZE)
        self.refused('')
        self.refused('nobody')
        names = []
        handle = nbd.NBD()
        handle.set_opt_mode(True)
        handle.connect_unix(self.path('sock'))
        handle.opt_list(lambda name, description: names.append(name) and 0)
        handle.opt_abort()
        self.assertEqual(sorted(names), sorted([self.vdi, other]))

    def test_a_model_of_all_that_changes(self):
        """Each command at any place and of any length, on two connections, against an array of bytes."""
        self.serve()
        dice = random.Random(os.environ.get('CATENA_SEED', '11'))
        handles = [self.connect(), self.connect(self.vdi)]
        model = bytearray(SIZE)
        for _ in range(250):
            handle = dice.choice(handles)
            n = dice.choice([1, 512, 4096, dice.randrange(1, 3 * MIB)])
            at = dice.choice([dice.randrange(SIZE - n), dice.randrange((SIZE - n) // 4096) * 4096])
            kind = dice.randrange(8)
            flags = dice.choice([0, 0, nbd.CMD_FLAG_FUA])
            if kind < 3:
                data = dice.randbytes(n)
                handle.pwrite(data, at, flags)
                model[at:at + n] = data
            elif kind == 3:
                handle.zero(n, at, flags | dice.choice([0, nbd.CMD_FLAG_NO_HOLE, nbd.CMD_FLAG_FAST_ZERO]))
                model[at:at + n] = bytes(n)
            elif kind == 4:
                handle.trim(n, at, flags)
                model[at:at + n] = bytes(n)
            elif kind == 5:
                handle.cache(n, at)
                handle.flush()
            self.assertEqual(handle.pread(n, at, dice.choice([0, nbd.CMD_FLAG_DF])), model[at:at + n])
        for handle in handles:
            self.assertEqual(handle.pread(SIZE, 0), model)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.export(), model)

    def test_zeros_that_take_up_space(self):
        self.serve()
        handle = self.connect(contexts=['base:allocation'])
        handle.zero(MIB, 0, nbd.CMD_FLAG_NO_HOLE)
        self.assertEqual(self.status(handle, 2 * MIB), [(MIB, 0), (MIB, 3)])
        with self.assertRaises(nbd.Error) as raised:
            handle.zero(MIB, 0, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FAST_ZERO)
        self.assertEqual(raised.exception.errnum, errno.ENOTSUP)

    def test_holes_are_told_and_sent_as_such(self):
        self.serve()
        handle = self.connect(contexts=['base:allocation'])
        handle.pwrite(b'x' * 65536, 128 << 10)
        self.assertEqual(self.status(handle, MIB), [(128 << 10, 3), (65536, 0), (MIB - (192 << 10), 3)])
        self.assertEqual(self.status(handle, 1000, at=(128 << 10) - 100), [(100, 3), (900, 0)])
        self.assertEqual(self.status(handle, MIB, flags=nbd.CMD_FLAG_REQ_ONE), [(128 << 10, 3)])
        chunks = []

        def chunk(data, at, kind, error):
            chunks.append((len(data), at, kind))
            return 0
        handle.pread_structured(MIB, 0, chunk)
        self.assertEqual(chunks, [(128 << 10, 0, nbd.READ_HOLE), (65536, 128 << 10, nbd.READ_DATA),
                                  (MIB - (192 << 10), 192 << 10, nbd.READ_HOLE)])
        chunks.clear()
        handle.pread_structured(MIB, 0, chunk, nbd.CMD_FLAG_DF)
        self.assertEqual(chunks, [(MIB, 0, nbd.READ_DATA)])

    def test_a_snapshot_is_read_only_and_tells_what_changed(self):
        self.serve()
        self.connect().pwrite(b'before' * 1000, 0)
        snapshot = self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 'snap')
        context = 'catena:changed:' + snapshot
        handle = self.connect(contexts=[context, 'base:allocation'])
        self.assertTrue(handle.can_meta_context(context))
        handle.pwrite(b'y' * 4096, 8192)
        self.assertEqual(self.status(handle, MIB, context), [(8192, 0), (4096, 1), (MIB - 12288, 0)])
        self.assertEqual(self.status(handle, MIB), [(6144, 0), (2048, 3), (4096, 0), (MIB - 12288, 3)])
        old = self.connect('snap')
        self.assertTrue(old.is_read_only())
        for change in (lambda: old.pwrite(b'x', 0), lambda: old.zero(1, 0), lambda: old.trim(1, 0)):
            with self.assertRaises(nbd.Error) as raised:
                change()
            self.assertEqual(raised.exception.errnum, errno.EPERM)
        self.assertEqual(old.pread(12288, 0), (b'before' * 1000 + bytes(12288))[:12288])
        unknown = self.connect(contexts=['catena:changed:' + self.vdi])
        self.assertFalse(unknown.can_meta_context('catena:changed:' + self.vdi))

    def test_a_mistake_is_told_and_the_session_goes_on(self):
        self.serve()
        handle = self.connect()

        def check(wanted, call):
            with self.assertRaises(nbd.Error) as raised:
                call()
            self.assertEqual(raised.exception.errnum, wanted)
            self.assertEqual(handle.pread(1, 0), b'\0')
        check(errno.EINVAL, lambda: handle.pread(2, SIZE - 1))
        check(errno.ENOSPC, lambda: handle.pwrite(b'xx', SIZE - 1))
        check(errno.ENOSPC, lambda: handle.zero(2, SIZE - 1))
        check(errno.EINVAL, lambda: handle.trim(2, SIZE - 1))
        check(errno.EINVAL, lambda: handle.block_status(512, 0, lambda *_: 0))
        check(errno.EINVAL, lambda: handle.pread(0, 0))

    def test_what_is_open_is_not_deleted(self):
        self.serve()
        handle = self.connect()
        code, _, err = self.call('vdi', 'delete', '--sr', 'sr', 'a')
        self.assertEqual((code, '1 NBD client is connected' in err), (FAILED, True), err)
        handle.shutdown()
        del handle
        for _ in range(100):
            if self.call('vdi', 'delete', '--sr', 'sr', 'a')[0] == DONE:
                return
            time.sleep(0.1)
        self.fail('it is still open')


class Raw(Case):
    """What no library would say."""

    FLAGS = (3).to_bytes(4, 'big')
    GO = b'IHAVEOPT' + (7).to_bytes(4, 'big') + (7).to_bytes(4, 'big') + (1).to_bytes(4, 'big') + b'a\0\0'

    def open(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(30)
        client.connect(self.path('sock'))
        return client

    def read_to_the_end(self, client):
        answer = b''
        try:
            while True:
                piece = client.recv(65536)
                if not piece:
                    return answer
                answer += piece
        except ConnectionResetError:  # it did not read all that we said
            return answer

    def go(self):
        client = self.open()
        client.sendall(self.FLAGS + self.GO)
        answer = b''
        while len(answer) < 18 + 20 + 12 + 20:
            answer += client.recv(65536)
        return client

    def request(self, kind, at, n, flags=0):
        return struct.pack('>IHH8sQI', 0x25609513, flags, kind, b'COOKIE!!', at, n)

    def test_a_name_of_two_is_refused_with_both_uuids(self):
        other = self.create('a')
        self.serve()
        client = self.open()
        client.sendall(self.FLAGS + self.GO)
        answer = b''
        while len(answer) < 18 + 20 or len(answer) < 18 + 20 + int.from_bytes(answer[34:38], 'big'):
            answer += client.recv(65536)
        self.assertEqual(int.from_bytes(answer[30:34], 'big'), 0x80000006)
        self.assertIn(self.vdi, answer.decode(errors='replace'))
        self.assertIn(other, answer.decode(errors='replace'))

    def option(self, code, data):
        return b'IHAVEOPT' + struct.pack('>II', code, len(data)) + data

    def test_contexts_are_those_of_the_export_that_they_were_set_for(self):
        self.create('b')
        self.serve()
        for name, error in ((b'a', None), (b'b', 22)):
            client = self.open()
            client.sendall(self.FLAGS + self.option(8, b'') +
                           self.option(10, struct.pack('>I1sII15s', 1, b'a', 1, 15, b'base:allocation')) +
                           self.option(7, struct.pack('>I1sH', 1, name, 0)))
            n = 18 + 20 + (20 + 4 + 15) + 20 + (20 + 12) + 20
            while n:
                n -= len(client.recv(n))
            client.sendall(self.request(7, 0, 4096))
            answer = client.recv(1000)
            self.assertEqual(struct.unpack('>IHH', answer[:8]), (0x668e33ef, 1, 0x8001 if error else 5))
            self.assertEqual(int.from_bytes(answer[20:24], 'big'), error or 1)

    def test_who_is_one_too_many_waits(self):
        self.serve('--connections', '2')
        first, second = self.go(), self.open()
        self.assertEqual(second.recv(18)[:8], b'NBDMAGIC')
        third = self.open()
        third.settimeout(0.5)
        self.assertRaises(TimeoutError, third.recv, 18)
        first.sendall(self.request(3, 0, 0))
        self.assertEqual(len(first.recv(16)), 16)
        second.close()
        third.settimeout(30)
        self.assertEqual(third.recv(18)[:8], b'NBDMAGIC')

    def test_nonsense_ends_the_connection_and_nothing_else(self):
        self.serve()
        for said in (b'GET / HTTP/1.1\r\n\r\n', b'', self.FLAGS + b'x' * 100000, self.FLAGS + self.GO[:-2]):
            client = self.open()
            self.assertEqual(client.recv(16), b'NBDMAGICIHAVEOPT')
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            self.read_to_the_end(client)
        client = self.go()
        client.sendall(b'y' * 100)
        self.assertEqual(self.read_to_the_end(client), b'')
        self.assertIsNone(self.server.poll())
        self.assertEqual(self.stop(), DONE)

    def test_a_write_that_is_cut_off_is_not_done(self):
        self.serve()
        client = self.go()
        client.sendall(self.request(1, 0, 8192) + b'z' * 8192)
        self.assertEqual(client.recv(16), struct.pack('>II8s', 0x67446698, 0, b'COOKIE!!'))
        client.sendall(self.request(1, 0, 8192) + b'q' * 8191)
        client.close()
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.export()[:8192], b'z' * 8192)

    def test_too_large_and_unknown_requests_are_refused_with_their_data(self):
        self.serve()
        client = self.go()
        n = 33 * MIB
        client.sendall(self.request(1, 0, n))
        for _ in range(n // MIB):
            client.sendall(bytes(MIB))
        for error, said in ((22, b''), (22, self.request(99, 0, 0)), (22, self.request(0, 0, n)),
                            (22, self.request(3, 1, 0)), (22, self.request(1, 0, 0)),
                            (28, self.request(1, SIZE, 3) + b'abc'),
                            (22, self.request(1, 0, 1, 1 << 9) + b'a'),
                            (0, self.request(3, 0, 0))):
            client.sendall(said)
            self.assertEqual(client.recv(16), struct.pack('>II8s', 0x67446698, error, b'COOKIE!!'))


@needs_nbd
class Tls(Case):

    def openssl(self, *words):
        subprocess.run(('openssl',) + words, cwd=self.path('pki'), check=True, capture_output=True,
                       timeout=60)

    def make_certificates(self):
        os.mkdir(self.path('pki'))
        key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
        self.openssl('req', '-x509', *key, '-subj', '/CN=a CA', '-keyout', 'ca-key.pem', '-out',
                     'ca-cert.pem', '-days', '9')
        for name in ('server', 'client'):
            with open(self.path('pki/ext'), 'w') as f:
                f.write('subjectAltName=DNS:localhost,IP:127.0.0.1\n')
            self.openssl('req', *key, '-subj', '/CN=' + name, '-keyout', name + '-key.pem', '-out',
                         name + '.csr')
            self.openssl('x509', '-req', '-in', name + '.csr', '-CA', 'ca-cert.pem', '-CAkey',
                         'ca-key.pem', '-CAcreateserial', '-out', name + '-cert.pem', '-days', '9',
                         '-extfile', 'ext')

    @needs('openssl')
    def test_x509_offered_then_required(self):
        self.make_certificates()

        def with_tls(handle):
            handle.set_tls(nbd.TLS_REQUIRE)
            handle.set_tls_certificates(self.path('pki'))
        self.serve('--tls-x509', 'pki')
        handle = self.connect(before=with_tls)
        self.assertTrue(handle.get_tls_negotiated())
        data = random.Random(5).randbytes(3 * MIB)
        handle.pwrite(data, 4096)
        self.assertEqual(self.connect().pread(len(data), 4096), data)
        self.assertEqual(handle.pread(len(data), 4096), data)
        handle.shutdown()
        self.assertEqual(self.stop(), DONE)
        self.serve('--tls-x509', 'pki', '--tls-required', '--tls-verify-peer')
        self.assertEqual(self.connect(before=with_tls).pread(len(data), 4096), data)
        with self.assertRaises(nbd.Error):
            self.connect()
        os.unlink(self.path('pki/client-cert.pem'))
        os.unlink(self.path('pki/client-key.pem'))
        with self.assertRaises(nbd.Error):
            self.connect(before=with_tls).pread(1, 0)
        self.assertEqual(self.stop(), DONE)

    def test_psk(self):
        with open(self.path('keys.psk'), 'w') as f:
            f.write('alice:%s\n' % ('ab' * 32))
        with open(self.path('wrong.psk'), 'w') as f:
            f.write('alice:%s\n' % ('cd' * 32))

        def with_keys(name):
            def before(handle):
                handle.set_tls(nbd.TLS_REQUIRE)
                handle.set_tls_username('alice')
                handle.set_tls_psk_file(self.path(name))
            return before
        self.serve('--tls-psk', 'keys.psk', '--tls-required')
        handle = self.connect(before=with_keys('keys.psk'))
        handle.pwrite(b'secret', 0)
        self.assertEqual(handle.pread(6, 0), b'secret')
        with self.assertRaises(nbd.Error):
            self.connect(before=with_keys('wrong.psk'))
        self.assertEqual(handle.pread(6, 0), b'secret')
        self.assertEqual(self.stop(), DONE)
        self.assertIn('TLS with', self.log())


def sector(at, generation):
    return b'%016d%016d' % (at, generation) * 16


@needs_nbd
class Stops(Case):

    def write_some(self, handle, dice, generation, known):
        """Sectors that say where they belong; what they may read as from now on."""
        for _ in range(30):
            at = dice.randrange(SIZE // 512)
            handle.aio_pwrite(sector(at, generation), at * 512)
            known.setdefault(at, set()).add(generation)
        while handle.aio_in_flight():
            handle.poll(-1)

    def check(self, data, known):
        for at, generations in known.items():
            found = data[at * 512:at * 512 + 512]
            if found == bytes(512):
                got = 0
            else:
                got = int(found[16:32])
                self.assertEqual(found, sector(at, got))
            self.assertIn(got, generations, 'sector %d' % at)

    def test_a_kill_loses_nothing_that_a_flush_acknowledged(self):
        dice = random.Random(int(os.environ.get('CATENA_SEED', '1')))
        known = {}
        for generation in range(1, 2 * KILLS, 2):
            self.serve()
            handle = self.connect()
            data = b''.join(handle.pread(8 * MIB, at) for at in range(0, SIZE, 8 * MIB))
            self.check(data, known)
            known = {at: {int(data[at * 512 + 16:at * 512 + 32] or b'0')} if data[at * 512] else {0}
                     for at in known}
            self.write_some(handle, dice, generation, known)
            handle.flush()
            for at, generations in known.items():
                known[at] = {generation} if generation in generations else generations
            # Not flushed: old or new.
            self.write_some(handle, dice, generation + 1, {})
            for at in range(SIZE // 512):
                if at not in known:
                    known[at] = {0}
            for at in known:
                known[at] = known[at] | {generation + 1}
            self.stop(signal.SIGKILL)
        self.check(self.export(), known)
        self.run_ok('sr', 'check', 'sr')

    def churn(self, stop, running):
        """Snapshots, deletes, coalesces, as fast as it goes, until the server is killed."""
        while not stop.is_set():
            for words in (('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's'),
                          ('vdi', 'delete', '--sr', 'sr', 's'), ('gc', 'run', '--sr', 'sr')):
                if stop.is_set():
                    return
                running[0] = subprocess.Popen([CATENA, *words], cwd=self.dir, env=self.env,
                                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL)
                running[0].wait()

    def write_until(self, end, handle, dice, generation, flushed, written):
        while time.monotonic() < end:
            for _ in range(20):
                at = dice.randrange(SIZE // 512)
                generation += 1
                written[at] = generation
                handle.pwrite(sector(at, generation), at * 512)
            handle.flush()
            flushed.update(written)
        for at in dice.sample(range(SIZE // 512), 20):
            generation += 1
            written[at] = generation
            handle.pwrite(sector(at, generation), at * 512)
        return generation

    def test_kills_while_it_is_snapshotted_and_coalesced(self):
        dice = random.Random(int(os.environ.get('CATENA_SEED', '2')))
        flushed, written, generation = {}, {}, 0
        for _ in range(max(6, KILLS // 8)):
            self.serve()
            handle = self.connect()
            data = b''.join(handle.pread(8 * MIB, at) for at in range(0, SIZE, 8 * MIB))
            for at in written:
                found = data[at * 512:at * 512 + 512]
                got = int(found[16:32]) if any(found) else 0
                self.assertIn(found, (bytes(512), sector(at, got)))
                self.assertLessEqual(flushed.get(at, 0), got, 'sector %d' % at)
                self.assertLessEqual(got, written[at], 'sector %d' % at)
                flushed[at] = written[at] = got
            stop, running = threading.Event(), [None]
            churning = threading.Thread(target=self.churn, args=(stop, running))
            churning.start()
            try:
                generation = self.write_until(time.monotonic() + dice.uniform(0.05, 0.5), handle, dice,
                                              generation, flushed, written)
            finally:
                stop.set()
                self.stop(signal.SIGKILL)
                if running[0]:
                    running[0].kill()
                churning.join()
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.run_ok('sr', 'check', 'sr')

    def test_a_stop_answers_what_came_and_keeps_what_was_written(self):
        self.serve()
        handle = self.connect()
        written = []
        ended = threading.Event()

        def write():
            try:
                for i in range(100000):
                    handle.pwrite(sector(i, 1), i % (SIZE // 512) * 512)
                    written.append(i)
            except nbd.Error:
                pass
            ended.set()
        writer = threading.Thread(target=write)
        writer.start()
        while len(written) < 100:
            time.sleep(0.01)
        self.assertEqual(self.stop(), DONE)
        writer.join()
        self.assertTrue(ended.is_set())
        data = self.export()
        for i in written[-(SIZE // 512):]:
            at = i % (SIZE // 512) * 512
            self.assertIn(data[at:at + 512], (sector(i, 1), sector(i + SIZE // 512, 1)))
        self.assertEqual(self.log(), '')

    def test_a_client_that_does_not_read_does_not_keep_it(self):
        self.serve()
        handle = self.connect()
        for _ in range(40):
            handle.aio_pread(nbd.Buffer(MIB), 0)
        # libnbd sends and reads only when it is asked to; the answers fill the socket.
        time.sleep(0.2)
        self.assertEqual(self.connect().pread(1, 0), b'\0')
        self.assertEqual(self.stop(), DONE)


@needs_nbd
class Live(Case):

    def test_snapshots_deletes_and_coalescing_below_a_writer(self):
        self.serve()
        model = bytearray(SIZE)
        handle = self.connect()
        done = threading.Event()
        failed = []

        def write():
            dice = random.Random(9)
            try:
                while not done.is_set():
                    n = dice.choice([512, 4096, 65536, 300000])
                    at = dice.randrange((SIZE - n) // 512) * 512
                    data = dice.randbytes(n)
                    handle.pwrite(data, at)
                    model[at:at + n] = data
                    if dice.randrange(20) == 0:
                        handle.flush()
                    if handle.pread(n, at) != data:
                        failed.append(at)
            except nbd.Error as error:
                failed.append(error)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for i in range(6):
                self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's%d' % i)
                time.sleep(0.1)
            clone = self.run_ok('vdi', 'clone', '--sr', 'sr', 's3', '--name', 'c')
            for i in range(6):
                self.run_ok('vdi', 'delete', '--sr', 'sr', 's%d' % i)
            self.run_ok('vdi', 'delete', '--sr', 'sr', clone)
            told = json.loads(self.run_ok('gc', 'run', '--sr', 'sr', '--json'))
            self.assertGreater(told['coalesced'], 0, told)
            shown = json.loads(self.run_ok('vdi', 'show', '--sr', 'sr', 'a', '--json'))
            self.assertLessEqual(shown['depth'], 2, shown)
        finally:
            done.set()
            writer.join()
        self.assertEqual(failed, [])
        self.assertEqual(b''.join(handle.pread(8 * MIB, at) for at in range(0, SIZE, 8 * MIB)), model)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.export(), model)
        self.assertEqual(self.log(), '')
        self.run_ok('sr', 'check', 'sr')


if __name__ == '__main__':
    unittest.main(verbosity=2)
