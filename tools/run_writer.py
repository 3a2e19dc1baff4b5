#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What writes to a served disk for tools/run: a client of libnbd, which others wrote. Each block that it
writes says where it belongs and in which write it came; now and then it reads one again.

    tools/run_writer.py SOCKET EXPORT RECORD

A line on standard input tells it what to do; it answers with a line of JSON:

    burst N   writes N bytes as fast as it can, and flushes
    steady    goes on writing until the next line, some RATE times a second
    stop      flushes, writes to RECORD which write each block is of, and ends

An answer tells what was done since the last one: writes, bytes, and how long requests took (median and
slowest, in seconds). {"error": …} tells what went wrong.
"""
import json
import os
import random
import select
import statistics
import struct
import sys
import time

BLOCK = 4096
RATE = 200


def content(block, write):
    """What the block holds after that write."""
    return struct.pack('>QQ', block, write) * (BLOCK // 16)


class Writer:
    def __init__(self, handle):
        self.handle = handle
        self.blocks = handle.get_size() // BLOCK
        self.dice = random.Random(1)
        self.held = {}  # by block: the write
        self.write_number = 0
        self.begin()

    def begin(self):
        self.writes = self.bytes = 0
        self.took = []

    def told(self):
        told = {'writes': self.writes, 'bytes': self.bytes, 'median': statistics.median(self.took or [0]),
                'slowest': max(self.took or [0])}
        self.begin()
        return told

    def timed(self, request, *how):
        began = time.monotonic()
        result = request(*how)
        self.took.append(time.monotonic() - began)
        return result

    def write(self):
        self.write_number += 1
        n = self.dice.randrange(1, 17)
        first = self.dice.randrange(self.blocks - n)
        blocks = range(first, first + n)
        self.timed(self.handle.pwrite, b''.join(content(block, self.write_number) for block in blocks),
                   first * BLOCK)
        self.held.update((block, self.write_number) for block in blocks)
        self.writes += 1
        self.bytes += n * BLOCK
        if self.write_number % 16 == 0:
            self.timed(self.handle.flush)
        if self.write_number % 4 == 0:
            block = self.dice.choice(blocks) if self.dice.randrange(2) else self.dice.choice(list(self.held))
            if self.timed(self.handle.pread, BLOCK, block * BLOCK) != content(block, self.held[block]):
                raise ValueError('the block at byte %d does not read as it was written' % (block * BLOCK))

    def burst(self, n):
        while self.bytes < n:
            self.write()
        self.timed(self.handle.flush)
        return self.told()

    def steady(self):
        """Until there is a line to read."""
        while not select.select([sys.stdin.buffer], [], [], 1 / RATE)[0]:
            self.write()

    def stop(self, record):
        self.handle.flush()
        with open(record, 'w') as f:
            json.dump(list(self.held.items()), f)
        return self.told()


def serve(writer, record):
    while True:
        words = sys.stdin.buffer.raw.readline().split()
        if not words:
            return  # who asked is gone
        if words[0] == b'burst':
            answer = writer.burst(int(words[1]))
        elif words[0] == b'steady':
            answer = writer.told()
        else:
            answer = writer.stop(record)
        print(json.dumps(answer), flush=True)
        if words[0] == b'stop':
            return
        if words[0] == b'steady':
            writer.steady()


def main(socket, export, record):
    import nbd  # not at the top: tools/run knows the content of blocks also where there is none
    handle = nbd.NBD()
    handle.set_export_name(export)
    record = os.path.abspath(record)
    try:
        os.chdir(os.path.dirname(socket) or '.')  # the name of a socket may have some 100 bytes
        handle.connect_unix(os.path.basename(socket))
        serve(Writer(handle), record)
        handle.shutdown()
    except (nbd.Error, ValueError, OSError) as problem:
        print(json.dumps({'error': str(problem)}), flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
