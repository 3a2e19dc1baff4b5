#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vaults in a bucket of S3, by the command, against a stand-in whose answers go wrong: test/s3/fake_s3.py."""
import os
import random
import shutil
import ssl
import subprocess
import sys
import unittest

from test_cli import DONE, FAILED, MIB, TOP, USAGE
from test_vault import Vault

sys.path.insert(0, os.path.join(TOP, 'test', 's3'))
from fake_s3 import Fault, KEY_ID, SECRET, Server  # noqa: E402


class Bucket(Vault):
    def setUp(self):
        self.server = Server()
        self.server.start()
        self.addCleanup(self.server.stop)
        super().setUp()

    def init(self):
        self.write_credentials('credentials', SECRET)
        self.where = ['--s3-endpoint', self.server.url, '--s3-credentials', 'credentials']
        self.OPEN = ['--vault', 's3://bucket/some/where', '--key-file', 'key', *self.where]
        self.json('vault', 'init', 's3://bucket/some/where', '--key-file', 'key', *self.where)

    def write_credentials(self, name, secret):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write('[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' % (KEY_ID, secret))

    def make(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)


class Works(Bucket):
    def test_a_disk_comes_back_and_old_points_go(self):
        data = self.raw('a.raw')
        first = self.put('a.raw')['point']
        self.change('a.raw', data, MIB)
        second = self.put('a.raw', '--parent', 'latest')
        self.assertLess(second['stored'], MIB)
        self.check('latest', data)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])
        self.assertTrue(all(name.startswith('some/where/') for name in self.server.objects))
        self.json('vault', 'prune', *self.OPEN, '--keep-last', '1', '--grace', '0s')
        self.assertEqual([each['point'] for each in self.points()], [second['point']])
        self.assertNotIn(first, str(self.server.objects.keys()))
        self.check(second['point'], data)

    def test_listings_of_many_pages(self):
        self.server.page = 3
        data = self.raw('a.raw')
        for _ in range(4):
            self.put('a.raw')
        self.server.faults = [Fault('GET', 'continuation-token', '500', 2)]
        self.assertEqual(len(self.points()), 4)
        self.assertEqual(self.server.faults[0].times, 0)
        self.check('latest', data)

    def test_what_is_large_goes_in_parts(self):
        data = random.Random(1).randbytes(17 * MIB)
        self.make('a.raw', data)
        self.put('a.raw', '--s3-part', '5M')
        self.assertGreater(self.server.n_in_parts, 0)
        self.check('latest', data)

    def test_what_goes_in_parts_is_locked_too(self):
        self.make('a.raw', random.Random(4).randbytes(12 * MIB))
        self.put('a.raw', '--s3-part', '5M', '--s3-lock', '3')
        self.assertGreater(self.server.n_in_parts, 0)
        packs = [name for name in self.server.objects if '/packs/' in name]
        self.assertTrue(all(name in self.server.locked for name in packs))

    def test_the_token_of_a_session_is_sent_and_signed(self):
        data = self.raw('a.raw')
        self.server.token = 'a/token+of=it'
        with open(self.path('credentials'), 'a', encoding='utf-8') as f:
            f.write('aws_session_token = %s\n' % self.server.token)
        self.put('a.raw')
        self.check('latest', data)

    def test_objects_are_locked_where_that_is_asked_for(self):
        self.raw('a.raw')
        self.put('a.raw', '--s3-lock', '3')
        packs = [name for name in self.server.objects if '/packs/' in name]
        self.assertTrue(packs)
        self.assertTrue(all(name in self.server.locked for name in packs))


@unittest.skipUnless(shutil.which('openssl'), 'openssl is not there')
class Tls(Bucket):
    def test_a_server_is_known_by_the_certificate_that_is_named(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'tls.key',
                        '-out', 'tls.pem', '-days', '2', '-subj', '/CN=bucket', '-addext',
                        'subjectAltName=IP:127.0.0.1'], cwd=self.dir, capture_output=True, check=True)
        data = self.raw('a.raw')
        self.put('a.raw')
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path('tls.pem'), self.path('tls.key'))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.OPEN[self.OPEN.index(self.server.url)] = self.server.url.replace('http:', 'https:')
        code, _, err = self.call('vault', 'list', *self.OPEN)
        self.assertEqual(code, FAILED)
        self.assertIn("the server's certificate", err.decode())
        self.OPEN += ['--s3-ca', 'tls.pem']
        self.check('latest', data)
        self.put('a.raw', '--parent', 'latest')


class Faults(Bucket):
    def put_with(self, *faults):
        data = self.raw('a.raw', seed=len(self.server.objects))
        self.server.faults = list(faults)
        _, _, err = self.call('vault', 'put', *self.OPEN, '--name', 'web', 'a.raw')
        left = [fault.kind for fault in self.server.faults if fault.times]
        self.server.faults = []
        self.assertEqual(left, [], err)
        self.check('latest', data)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])
        return err.decode()

    def test_what_passes_is_waited_for_and_told(self):
        for kind in ('500', '503', 'drop', 'late'):
            err = self.put_with(Fault('PUT', '/packs/', kind, 2), Fault('PUT', '/points/', kind, 1))
            self.assertIn('trying again', err)

    def test_an_upload_in_parts_whose_last_answer_is_lost(self):
        data = random.Random(3).randbytes(12 * MIB)
        self.make('a.raw', data)
        self.server.faults = [Fault('POST', 'uploadId', 'late', 1)]
        self.put('a.raw', '--s3-part', '5M')
        self.assertEqual(self.server.faults[0].times, 0)
        self.check('latest', data)

    def test_an_upload_in_parts_that_fails_with_status_200(self):
        data = random.Random(2).randbytes(12 * MIB)
        self.make('a.raw', data)
        self.server.faults = [Fault('POST', 'uploadId', 'complete-fails', 1)]
        self.put('a.raw', '--s3-part', '5M')
        self.assertGreater(self.server.n_in_parts, 0)
        self.assertEqual(self.server.faults[0].times, 0)
        self.check('latest', data)

    def test_answers_that_end_too_early_are_asked_for_again(self):
        self.put_with(Fault('GET', '', 'cut', 3))
        self.put_with(Fault('GET', 'list-type', '500', 2), Fault('GET', '/some/where/config', 'drop', 1))

    def test_another_range_than_was_asked_for_is_asked_for_again(self):
        self.put_with(Fault('GET', '', 'shifted', 3))

    def test_what_does_not_pass_ends_it_and_nothing_is_shown(self):
        self.raw('a.raw')
        self.server.faults = [Fault('PUT', '/packs/', '500', 1000)]
        code, _, err = self.call('vault', 'put', *self.OPEN, '--patience', '1', '--name', 'web', 'a.raw')
        self.assertEqual(code, FAILED)
        self.assertIn(b'the server answers 500 InternalError: try again', err)
        self.server.faults = []
        self.assertEqual(self.points(), [])


class Refused(Bucket):
    def refused_with(self, says, *words, code=FAILED):
        got, _, err = self.call('vault', 'list', *words)
        self.assertEqual(got, code)
        self.assertIn(says, err.decode())
        self.assertNotIn(SECRET, err.decode())

    def test_wrong_credentials_say_so_at_once(self):
        self.write_credentials('wrong', SECRET[:-1])
        n = self.server.n_requests
        vault = ['--vault', 's3://bucket/some/where', '--key-file', 'key', '--s3-endpoint', self.server.url]
        self.refused_with("are these the bucket's credentials?", *vault, '--s3-credentials', 'wrong')
        self.assertEqual(self.server.n_requests, n)
        self.make('empty', b'[other]\n')
        self.refused_with('has no aws_access_key_id', *vault, '--s3-credentials', 'empty')

    def test_what_is_not_there_says_so(self):
        more = ['--key-file', 'key', *self.where]
        self.refused_with('NoSuchBucket', '--vault', 's3://elsewhere/x', *more)
        self.refused_with('no vault', '--vault', 's3://bucket/other', *more)
        self.refused_with('name of a bucket', '--vault', 's3://b', *more, code=USAGE)

    def test_credentials_of_the_environment(self):
        self.env.update(AWS_ACCESS_KEY_ID=KEY_ID, AWS_SECRET_ACCESS_KEY=SECRET)
        code, _, err = self.call('vault', 'list', '--vault', 's3://bucket/some/where', '--key-file', 'key',
                                 '--s3-endpoint', self.server.url)
        self.assertEqual(code, DONE, err)


if __name__ == '__main__':
    unittest.main(verbosity=2)
