#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vaults in buckets of a real S3, Ceph's (test/s3/ceph_s3.py), and rclone, which takes them out again: `make
test-s3`. What a server does when it goes wrong is in test_vault_s3.py."""
import datetime
import hashlib
import hmac
import http.client
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from test_cli import FAILED, MIB, TOP
from test_vault import READER, Vault, python_with

sys.path.insert(0, os.path.join(TOP, 'test', 's3'))
from ceph_s3 import Ceph, missing  # noqa: E402
from fake_s3 import chain  # noqa: E402

SERVER = None  # one for all tests: it starts in some 15 seconds
PREFIX = 'some/where'


def setUpModule():
    global SERVER
    folder = tempfile.mkdtemp(prefix='catena-ceph-')
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    SERVER = Ceph(folder)
    unittest.addModuleCleanup(SERVER.stop)
    SERVER.start()


def ask(method, path, query='', body=b'', **headers):
    """(status, headers, body): a request of the tests' own, for what a vault never asks."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    scope = [date[:8], 'us-east-1', 's3', 'aws4_request']
    url = urllib.parse.urlsplit(SERVER.url)
    headers = {name.replace('_', '-'): value for name, value in headers.items()}
    headers.update({'host': url.netloc, 'x-amz-date': date,
                    'x-amz-content-sha256': hashlib.sha256(body).hexdigest()})
    names = sorted(headers)
    canonical = '\n'.join([method, path, query, *['%s:%s' % (name, headers[name]) for name in names], '',
                           ';'.join(names), headers['x-amz-content-sha256']])
    text = '\n'.join(['AWS4-HMAC-SHA256', date, '/'.join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    headers['Authorization'] = 'AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s' % (
        SERVER.key_id, '/'.join(scope), ';'.join(names),
        hmac.new(chain(('AWS4' + SERVER.secret).encode(), *scope), text.encode(), hashlib.sha256).hexdigest())
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request(method, path + ('?' + query if query else ''), body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Bucket(Vault):
    """Each test has a bucket of its own."""
    MAKE = {}  # headers of the request that makes it
    n_made = 0

    def init(self):
        Bucket.n_made += 1
        self.bucket = 'bucket-%d' % Bucket.n_made
        status, _, said = ask('PUT', '/' + self.bucket, **self.MAKE)
        self.assertEqual(status, 200, said)
        self.write_credentials('credentials', SERVER.secret)
        self.where = ['--s3-endpoint', SERVER.url, '--s3-credentials', 'credentials']
        vault = 's3://%s/%s' % (self.bucket, PREFIX)
        self.OPEN = ['--vault', vault, '--key-file', 'key', *self.where]
        self.json('vault', 'init', vault, '--key-file', 'key', *self.where)

    def write_credentials(self, name, secret):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write('[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' % (SERVER.key_id,
                                                                                        secret))

    def rclone(self, *words):
        env = {name: value for name, value in os.environ.items() if not name.startswith('AWS_')}
        env.update(RCLONE_CONFIG='/dev/null', RCLONE_S3_PROVIDER='Ceph',
                   RCLONE_S3_ENDPOINT=SERVER.url, RCLONE_S3_ACCESS_KEY_ID=SERVER.key_id,
                   RCLONE_S3_SECRET_ACCESS_KEY=SERVER.secret)
        done = subprocess.run(['rclone', *words], cwd=self.dir, env=env, capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def names(self, below=''):
        return sorted(self.rclone('lsf', '-R', '--files-only', ':s3:%s/%s/%s' % (
            self.bucket, PREFIX, below)).split())

    def head(self, name, method='HEAD', query=''):
        return ask(method, '/%s/%s/%s' % (self.bucket, PREFIX, name), query)

    def random(self, name, n):
        data = random.Random(n).randbytes(n)
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return data


class Works(Bucket):
    def test_a_disk_comes_back_and_old_points_go(self):
        data = self.raw('a.raw')
        first = self.put('a.raw')['point']
        packs = self.names('packs')
        self.change('a.raw', data, 0, n=len(data))
        second = self.put('a.raw', '--parent', 'latest')
        self.check('latest', data)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])
        self.json('vault', 'prune', *self.OPEN, '--keep-last', '1', '--grace', '0s')
        self.assertEqual([each['point'] for each in self.points()], [second['point']])
        self.assertFalse([name for name in self.names() if first in name])
        self.assertTrue(set(packs) - set(self.names('packs')))
        self.check(second['point'], data)

    def test_an_increment_stores_what_changed(self):
        data = self.raw('a.raw')
        self.put('a.raw')
        self.change('a.raw', data, MIB)
        self.assertLess(self.put('a.raw', '--parent', 'latest')['stored'], MIB)
        self.check('latest', data)

    def test_what_is_large_goes_in_parts(self):
        data = self.random('a.raw', 17 * MIB)
        self.put('a.raw', '--s3-part', '5M')
        tags = [self.head('packs/' + name)[1]['ETag'] for name in self.names('packs')]
        self.assertTrue([tag for tag in tags if re.search(r'-[2-9]"$', tag)], tags)
        self.check('latest', data)
        self.assertNotIn(b'<Upload>', ask('GET', '/' + self.bucket, 'uploads=')[2])

    def test_listings_of_many_pages(self):
        data = self.raw('a.raw')
        for _ in range(3):
            self.put('a.raw')
        with ThreadPoolExecutor(4) as putters:  # a page of what is none of ours, before all points
            list(putters.map(lambda n: self.head('points/.%04d' % n, 'PUT'), range(1000)))
        query = 'list-type=2&prefix=' + urllib.parse.quote(PREFIX + '/points/', safe='')
        page = ask('GET', '/' + self.bucket, query)[2]
        self.assertIn(b'<IsTruncated>true<', page)
        self.assertNotIn(b'.ok<', page)
        self.assertEqual(len(self.points()), 3)
        self.check('latest', data)

    def test_another_client_takes_it_out_and_others_read_it(self):
        data = self.random('a.raw', 9 * MIB)
        self.put('a.raw', '--s3-part', '5M')
        data = bytearray(data)
        self.change('a.raw', data, MIB)
        point = self.put('a.raw', '--parent', 'latest')['point']
        self.rclone('copy', ':s3:%s/%s' % (self.bucket, PREFIX), 'copy')
        self.json('vault', 'get', '--vault', 'copy', '--key-file', 'key', point, '-o', 'ours.raw')
        self.assertEqual(self.read('ours.raw'), bytes(data))
        python = python_with('cryptography', 'zstandard')
        if not python:
            self.skipTest('python3-cryptography or python3-zstandard is not there')
        subprocess.run([python, READER, 'copy', point, 'theirs.raw', '--key-file', 'key'], cwd=self.dir,
                       check=True, timeout=120)
        self.assertEqual(self.read('theirs.raw'), bytes(data))

    def test_what_another_client_brought_is_a_vault(self):
        data = self.raw('a.raw')
        self.json('vault', 'init', 'd', '--key-file', 'other')
        self.json('vault', 'put', '--vault', 'd', '--key-file', 'other', '--name', 'web', 'a.raw')
        self.rclone('copy', 'd', ':s3:%s/brought' % self.bucket)
        self.OPEN = ['--vault', 's3://%s/brought' % self.bucket, '--key-file', 'other', *self.where]
        self.check('latest', data)
        self.put('a.raw', '--parent', 'latest')
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])


class Versioned(Bucket):
    def init(self):
        super().init()
        text = b'<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
        status, _, said = ask('PUT', '/' + self.bucket, 'versioning=', text)
        self.assertEqual(status, 200, said)

    def test_what_a_prune_removed_is_not_seen_again(self):
        data = self.raw('a.raw')
        self.put('a.raw')
        packs = set(self.names('packs'))
        self.change('a.raw', data, 0, n=len(data))
        self.put('a.raw')
        self.json('vault', 'prune', *self.OPEN, '--keep-last', '1', '--grace', '0s')
        self.assertEqual(len(self.points()), 1)
        gone = packs - set(self.names('packs'))
        self.assertTrue(gone)
        self.assertIn(gone.pop().encode(), ask('GET', '/' + self.bucket, 'max-keys=1000&versions=')[2])
        self.put('a.raw', '--parent', 'latest')
        self.check('latest', data)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])


class Locked(Bucket):
    MAKE = {'x-amz-bucket-object-lock-enabled': 'true'}

    def test_nobody_removes_what_is_locked(self):
        before = set(self.names())
        data = self.random('a.raw', 9 * MIB)
        self.put('a.raw', '--s3-part', '5M', '--s3-lock', '3')
        least = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2, hours=23)
        made = set(self.names()) - before
        self.assertTrue([name for name in made if name.startswith('packs/')])
        self.assertTrue([name for name in made if name.startswith('points/')])
        for name in made:
            _, headers, _ = self.head(name)
            self.assertEqual(headers['x-amz-object-lock-mode'], 'COMPLIANCE', name)
            until = datetime.datetime.fromisoformat(
                re.sub(r'(\.\d+)?Z$', '+00:00', headers['x-amz-object-lock-retain-until-date']))
            self.assertGreater(until, least, name)
            version = urllib.parse.quote(headers['x-amz-version-id'], safe='')
            self.assertEqual(self.head(name, 'DELETE', 'versionId=' + version)[0], 403, name)
        self.check('latest', data)


class Refused(Bucket):
    def refused_with(self, says, *words):
        got, _, err = self.call('vault', 'list', *words)
        self.assertEqual(got, FAILED)
        self.assertIn(says, err.decode())
        self.assertNotIn(SERVER.secret, err.decode())

    def test_wrong_credentials_and_buckets_say_so(self):
        self.write_credentials('wrong', SERVER.secret[:-1] + '!')
        vault = ['--vault', 's3://%s/%s' % (self.bucket, PREFIX), '--key-file', 'key', '--s3-endpoint',
                 SERVER.url]
        self.refused_with("are these the bucket's credentials?", *vault, '--s3-credentials', 'wrong')
        self.refused_with('NoSuchBucket', '--vault', 's3://elsewhere/x', '--key-file', 'key', *self.where)
        self.refused_with('no vault', '--vault', 's3://%s/other' % self.bucket, '--key-file', 'key',
                          *self.where)


if __name__ == '__main__':
    if missing() or not shutil.which('rclone'):
        print('not there:', *missing(), *([] if shutil.which('rclone') else ['rclone']))
        sys.exit(77)
    unittest.main(verbosity=2)
