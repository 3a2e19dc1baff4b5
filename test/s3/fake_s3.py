#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for S3, for tests, where a real one cannot run: one bucket in memory, on loopback, with the
requests that a vault makes. Signatures are checked, and what was sent against its signed hash. It answers
wrong when it is told to:

    server = Server(); server.start()
    server.faults.append(Fault('PUT', 'packs/', '500', times=2))
    server.delay = 0.1                  seconds before each answer

A fault: '500', '503' (SlowDown), 'drop' (the connection ends without an answer), 'cut' (half of the body and
then the end), 'late' (it happens, and the connection ends without an answer), 'complete-fails' (status 200
with an error, of an upload in parts).
"""
import base64
import hashlib
import hmac
import http.server
import re
import threading
import time
import urllib.parse
import uuid
from xml.sax.saxutils import escape

KEY_ID, SECRET, BUCKET, REGION = 'AKIDTEST', 'secret/of+the=tests', 'bucket', 'us-east-1'


class Fault:
    def __init__(self, method, where, kind, times=1):
        self.method, self.where, self.kind, self.times = method, where, kind, times


class Refused(Exception):
    def __init__(self, status, code, message=''):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def chain(key, *texts):
    for text in texts:
        key = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return key


def signature_of(handler, signed, date, scope):
    """As the API reference says it, from what came over the wire."""
    path, _, query = handler.path.partition('?')
    pairs = sorted(tuple((pair.split('=', 1) + [''])[:2]) for pair in query.split('&') if pair)
    canonical = '\n'.join([
        handler.command, path, '&'.join('%s=%s' % pair for pair in pairs),
        *['%s:%s' % (name, ' '.join(handler.headers[name].split())) for name in signed], '',
        ';'.join(signed), handler.headers['x-amz-content-sha256']])
    text = '\n'.join(['AWS4-HMAC-SHA256', date, '/'.join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(chain(('AWS4' + SECRET).encode(), *scope), text.encode(), hashlib.sha256).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    # ---- what came

    def check_signature(self, body):
        found = re.fullmatch(r'AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request,'
                             r'SignedHeaders=([^,]+),Signature=([0-9a-f]{64})',
                             self.headers.get('Authorization', ''))
        if not found:
            raise Refused(403, 'AccessDenied', 'no signature')
        key_id, day, region, names, signature = found.groups()
        if key_id != KEY_ID:
            raise Refused(403, 'InvalidAccessKeyId')
        if self.server.token and self.headers.get('x-amz-security-token') != self.server.token:
            raise Refused(403, 'InvalidToken')
        token = ['x-amz-security-token'] if self.server.token else []
        for needed in ('host', 'x-amz-content-sha256', 'x-amz-date', *token):
            if needed not in names.split(';'):
                raise Refused(403, 'AccessDenied', needed + ' is not signed')
        date = self.headers['x-amz-date']
        wanted = signature_of(self, names.split(';'), date, [day, region, 's3', 'aws4_request'])
        if wanted != signature or not date.startswith(day):
            raise Refused(403, 'SignatureDoesNotMatch')
        if hashlib.sha256(body).hexdigest() != self.headers['x-amz-content-sha256']:
            raise Refused(400, 'XAmzContentSHA256Mismatch')
        md5 = self.headers.get('content-md5')
        if md5 and base64.b64encode(hashlib.md5(body).digest()).decode() != md5:
            raise Refused(400, 'BadDigest')

    def take(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        path, _, query = self.path.partition('?')
        parts = urllib.parse.unquote(path).lstrip('/').split('/', 1)
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.key = parts[1] if len(parts) > 1 else ''
        self.check_signature(body)
        if parts[0] != BUCKET:
            raise Refused(404, 'NoSuchBucket', 'the bucket does not exist')
        return body

    # ---- what is answered

    def answer(self, status, body=b'', **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        if status != 204 and 'Content_Length' not in headers:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def refuse(self, refused):
        text = '<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>'
        self.answer(refused.status, (text % (refused.code, escape(refused.message))).encode())

    def drop(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def fault(self):
        with self.server.lock:
            self.server.n_requests += 1
            for fault in self.server.faults:
                if fault.method == self.command and fault.where in self.path and fault.times > 0:
                    fault.times -= 1
                    return fault.kind
        return None

    def serve(self):
        time.sleep(self.server.delay)
        try:
            body = self.take()
            self.kind = self.fault()
            if self.kind == '500':
                raise Refused(500, 'InternalError', 'try again')
            if self.kind == '503':
                raise Refused(503, 'SlowDown', 'reduce your rate')
            if self.kind == 'drop':
                self.drop()
                return
            with self.server.lock:
                status, data, headers = getattr(self, 'on_' + self.command)(body)
            if self.kind == 'late':
                self.drop()
                return
            if self.kind == 'cut' and data:
                headers['Content_Length'] = str(len(data))
                self.answer(status, data[:len(data) // 2], **headers)
                self.drop()
                return
            self.answer(status, data, **headers)
        except Refused as refused:
            self.refuse(refused)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def on_GET(self, _):
        if not self.key:
            return 200, self.listing(), {}
        data, headers = self.find(), {}
        wanted = re.fullmatch(r'bytes=(\d+)-(\d+)', self.headers.get('range', ''))
        if not wanted:
            return 200, data, headers
        first, last = int(wanted.group(1)), min(int(wanted.group(2)), len(data) - 1)
        first += self.kind == 'shifted'
        if first >= len(data):
            raise Refused(416, 'InvalidRange')
        headers['Content_Range'] = 'bytes %d-%d/%d' % (first, last, len(data))
        return 206, data[first:last + 1], headers

    def on_HEAD(self, _):
        return 200, b'', {'Content_Length': str(len(self.find()))}

    def find(self):
        if self.key not in self.server.objects:
            raise Refused(404, 'NoSuchKey')
        return self.server.objects[self.key]

    def listing(self):
        if self.query.get('list-type') != '2':
            raise Refused(400, 'InvalidArgument', 'list-type')
        names = sorted(name for name in self.server.objects
                       if name.startswith(self.query.get('prefix', '')) and
                       name > self.query.get('continuation-token', ''))
        page = names[:self.server.page]
        more = '<IsTruncated>false</IsTruncated>'
        if len(names) > len(page):
            more = '<IsTruncated>true</IsTruncated>'
            more += '<NextContinuationToken>%s</NextContinuationToken>' % escape(page[-1])
        rows = ''.join('<Contents><Key>%s</Key><Size>%d</Size></Contents>' % (
            escape(name), len(self.server.objects[name])) for name in page)
        return ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
                'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name>%s%s</ListBucketResult>' % (
                    BUCKET, more, rows)).encode()

    def lock(self):
        until = self.headers.get('x-amz-object-lock-retain-until-date')
        if until:
            self.server.locked[self.key] = until

    def on_PUT(self, body):
        etag = '"%s"' % hashlib.md5(body).hexdigest()
        if 'uploadId' in self.query:
            parts = self.server.uploads.get(self.query['uploadId'])
            if parts is None:
                raise Refused(404, 'NoSuchUpload')
            parts[int(self.query['partNumber'])] = (etag, body)
        elif 'retention' in self.query:
            self.find()
            self.server.locked[self.key] = re.search('<RetainUntilDate>(.*)</', body.decode()).group(1)
        else:
            self.server.objects[self.key] = body
            self.lock()
        return 200, b'', {'ETag': etag}

    def on_POST(self, body):
        if 'uploads' in self.query:
            upload = uuid.uuid4().hex
            self.server.uploads[upload] = {}  # its lock is forgotten, as Ceph's 16 does
            text = '<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>'
            return 200, (text % upload).encode(), {}
        parts = self.server.uploads.get(self.query.get('uploadId'))
        if parts is None:
            raise Refused(404, 'NoSuchUpload')
        if self.kind == 'complete-fails':
            return 200, b'<Error><Code>InternalError</Code><Message>try again</Message></Error>', {}
        named = re.findall(r'<PartNumber>(\d+)</PartNumber><ETag>([^<]+)</ETag>', body.decode())
        if [(int(n), etag) for n, etag in named] != [(n, parts[n][0]) for n in sorted(parts)]:
            raise Refused(400, 'InvalidPart')
        self.server.objects[self.key] = b''.join(parts[n][1] for n in sorted(parts))
        self.server.n_in_parts += 1
        del self.server.uploads[self.query['uploadId']]
        return 200, b'<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>', {}

    def on_DELETE(self, _):
        if 'uploadId' in self.query:
            self.server.uploads.pop(self.query['uploadId'], None)
        elif self.key in self.server.locked:
            raise Refused(403, 'AccessDenied', 'it is locked')
        else:
            self.server.objects.pop(self.key, None)
        return 204, b'', {}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address=('127.0.0.1', 0)):
        super().__init__(address, Handler)
        self.lock = threading.Lock()
        self.objects, self.uploads, self.locked, self.faults = {}, {}, {}, []
        self.token = None  # of a session; it must come, and be signed
        self.n_requests, self.n_in_parts, self.page, self.delay = 0, 0, 1000, 0

    def start(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return 'http://127.0.0.1:%d' % self.server_address[1]

    def handle_error(self, request, client_address):
        pass  # connections that were dropped
