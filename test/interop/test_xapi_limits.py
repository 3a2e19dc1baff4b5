#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What could make a daemon grow, wait or fall over: heads without end, senders who take their time, nonsense
of all kinds, calls of every method with the wrong things, sessions by the thousands."""
import http.client
import json
import os
import re
import socket
import unittest

from daemon import MIB, PATIENCE
from test_xapi import Case

ROOM = 48 * MIB  # by which what is not to grow may
HEAD = (1024 if os.environ.get('CATENA_SOAK') else 128) * MIB


class Limits(Case):

    def setUp(self):
        super().setUp()
        self.post({'id': 0, 'method': 'session.login_with_password', 'params': ['root', self.password]})
        self.before = self.memory()

    def tearDown(self):
        if self.daemon and 'release' == self.kind():
            self.assertLess(self.memory() - self.before, ROOM)
        super().tearDown()

    def kind(self):
        return self.env.get('CATENA_BUILD_KIND', 'release')

    def memory(self):
        with open('/proc/%d/smaps_rollup' % self.daemon.pid) as f:
            return int(re.search(r'Anonymous: +(\d+) kB', f.read()).group(1)) * 1024

    def post(self, call, path='/jsonrpc', kind='application/json'):
        body = call if isinstance(call, bytes) else json.dumps(call).encode()
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=PATIENCE)
        try:
            connection.request('POST', path, body, {'Content-Type': kind})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def connect(self):
        connection = socket.create_connection(('127.0.0.1', self.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def is_well(self):
        self.assertEqual(self.post({'id': 1, 'method': 'system.listMethods', 'params': []})[0], 200)

    def test_a_head_without_end_is_refused_and_let_pass(self):
        """Who sends without reading must come to an end before he sees why; nothing of it is kept."""
        for line in b'X-Long: ' + b'a' * 65536, b'X-Many: 1\r\n' * 6000, b'\0' * 65536:
            connection = self.connect()
            connection.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\n')
            for _ in range(HEAD // len(line)):
                connection.sendall(line)
            self.assertRegex(connection.recv(100), b'^HTTP/1.1 431')
        connection = self.connect()
        connection.sendall(b'GET /' + b'a' * 20000)
        self.assertRegex(connection.recv(100), b'^HTTP/1.1 431')
        self.is_well()

    def test_a_length_that_is_said_costs_nothing(self):
        for n in b'1073741824', b'18446744073709551615', b'99999999999999999999999', b'-1', b'1e9':
            connection = self.connect()
            connection.sendall(b'POST /jsonrpc HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n'
                               b'Content-Length: ' + n + b'\r\n\r\n{')
            self.assertRegex(connection.recv(100), rb'^HTTP/1.1 4\d\d')
        self.is_well()

    def test_those_who_take_their_time_hold_nobody_up(self):
        """What ends them is a deadline, which test_http_conn.c sees pass by a clock of its own."""
        slow = [self.connect() for _ in range(300)]
        for byte in b'GET /hea':
            for each in slow:
                each.sendall(bytes([byte]))
            self.is_well()

    def test_nonsense_is_refused(self):
        deep = b'{"id":1,"method":"x","params":' + b'[' * 50000 + b']' * 50000 + b'}'
        for body in (b'', b'{', b'[]', b'null', b'"x"', b'{"id":1}', b'\xff\xfe' * 1000, deep, b'[' * 100000,
                     b'{"id":1,"method":"x","params":[1e999]}', b'{"id":1,"method":7,"params":[]}',
                     b'{"id":1,"method":"\\u0000","params":[]}', b'{"a":1,"a":2}', b'\0' * 100):
            status, answer = self.post(body)
            self.assertTrue(status == 400 or b'"error"' in answer, (body[:40], status, answer[:200]))
        bombs = [b'<!DOCTYPE v [<!ENTITY a "aaaaaaaaaa">' + b''.join(
            b'<!ENTITY %c "%s">' % (98 + i, b'&%c;' % (97 + i) * 10) for i in range(9)) + b']>',
            b'<!DOCTYPE v SYSTEM "file:///etc/passwd">',
            b'<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]>']
        for bomb in bombs:
            call = (b'<?xml version="1.0"?>' + bomb + b'<methodCall><methodName>system.listMethods'
                    b'</methodName><params><param><value>&a;&j;</value></param></params></methodCall>')
            status, answer = self.post(call, '/', 'text/xml')
            self.assertIn(b'<fault>', answer)
            self.assertNotIn(b'root:', answer)
        for text in b'<a>' * 90000, b'<methodCall>', b'', b'<?xml version="1.0" encoding="x"?>':
            self.assertIn(b'<fault>', self.post(text, '/', 'text/xml')[1])
        self.assertEqual(self.post(b'x' * (300 * 1024 + 1))[0], 413)
        self.is_well()

    def call_anything(self, connection, method, params):
        connection.request('POST', '/jsonrpc', json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method,
                                                           'params': params}),
                           {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        text = answer.read()
        self.assertEqual(answer.status, 200, (method, params, text[:300]))
        return json.loads(text)

    def test_every_method_answers_whatever_it_is_given(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        methods = self.call_anything(connection, 'system.listMethods', [])['result']
        self.assertGreater(len(methods), 400)
        session = self.call_anything(connection, 'session.login_with_password',
                                     ['root', self.password])['result']
        n_refused = 0
        for method in methods:
            if method.split('.')[1] in ('logout', 'local_logout') or method.startswith('event.'):
                continue
            for params in ([], [session], [session, 'OpaqueRef:NULL'], [session, {'a': [1]}, [], 1.5, None],
                           [session] + ['x' * 5000] * 3, [session, True, -1, 1 << 62], [{}] * 20):
                answer = self.call_anything(connection, method, params)
                error = answer.get('error')
                if error:
                    self.assertEqual(error['code'], 1, (method, params, error))
                    self.assertNotEqual(error['message'], 'INTERNAL_ERROR', (method, params, error))
                    self.assertTrue(all(isinstance(text, str) for text in error['data']))
                n_refused += error is not None
        self.assertGreater(n_refused, 4 * len(methods))
        self.is_well()

    def test_ten_thousand_sessions_and_more_are_no_trouble(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        refs = [self.call_anything(connection, 'session.login_with_password',
                                   ['root', self.password])['result'] for _ in range(10100)]
        self.assertEqual(len(set(refs)), len(refs))
        for ref, is_known in (refs[0], False), (refs[200], True), (refs[-1], True):
            answer = self.call_anything(connection, 'pool.get_all', [ref])
            self.assertEqual('result' in answer, is_known, answer)


if __name__ == '__main__':
    unittest.main(verbosity=2)
