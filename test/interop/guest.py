# SPDX-License-Identifier: Apache-2.0
"""A guest for test_guest.py: a Debian kernel and busybox in qemu, without KVM, with its root on a disk that
Catena serves. It writes, rewrites and removes files, and says on its console what is durable."""
import lzma
import os
import re
import select
import shlex
import shutil
import struct
import subprocess
import threading
import time

MIB = 1 << 20
DISK = 96 * MIB
PATIENCE = 200  # seconds without a word from a guest, on a machine that is busy with other things
BUSYBOX = shutil.which('busybox') or '/bin/busybox'
GRUB = '/usr/lib/grub/i386-pc'
QUIET = ' quiet loglevel=2 printk.time=0 printk.devkmsg=on panic=-1'  # nothing but what the writer says
APPLETS = ('cat', 'dd', 'head', 'mount', 'mv', 'poweroff', 'rm', 'sh', 'sha256sum', 'sync')
MODULES = ('crc32c_generic', 'virtio_pci', 'virtio_blk', 'ext4')

# In the initramfs: loads what the kernel has not built in, and goes on in the root that the kernel was told.
INIT = '''#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in %s; do /bin/busybox insmod /modules/$module; done
for word in $(/bin/busybox cat /proc/cmdline); do
        case $word in root=*) root=${word#root=} ;; esac
done
/bin/busybox mount -t ext4 -o rw $root /root
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/init
'''

# In the root. /dev/kmsg: printk has said it when the write returns, whatever happens next. FIRST and SEED are
# from the kernel's command line. A file that is about to change is named before it does (TOUCH), and with its
# sum when a sync has made it durable (SYNCED). Then it is read from the disk again, and so is another one.
# Each boot begins a line of the manifest, whatever the one before was killed in.
WRITER = '''#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -o remount,discard /
cd /data
echo >>manifest
say() { echo "<1>@ $*" >/dev/kmsg; }
dice() { SEED=$(((SEED * 1103515245 + 12345) & 2147483647)); d=$(((SEED >> 8) % $1)); }
(read -r line; : >/tmp/stop) </dev/console &
say UP
while [ ! -e /tmp/stop ]; do
        FIRST=$((FIRST + 1))
        dice 24
        name=f$d
        say TOUCH $name
        dice 8
        case $d in
        0) rm -f $name ;;
        1|2|3) dice 64; dd if=/dev/urandom of=$name bs=4096 count=8 seek=$d conv=notrunc 2>/dev/null ;;
        *) dice 160; head -c $((d * 4096 + 1000)) /dev/urandom >new; mv new $name ;;
        esac
        set -- gone
        [ ! -e $name ] || set -- $(sha256sum $name)
        echo "$FIRST $name $1" >>manifest
        sync
        say SYNCED $FIRST $name $1
        echo $1 >/tmp/$name
        dice 24
        echo 3 >/proc/sys/vm/drop_caches
        for name in $name f$d; do
                if [ -e /tmp/$name -a -e $name ]; then
                        set -- $(sha256sum $name)
                        [ $1 = $(cat /tmp/$name) ] || say WRONG $name $1
                fi
        done
done
cd /
sync
mount -o remount,ro / && say DOWN
poweroff -f
'''


class Absent(Exception):
    """What this machine lacks."""


# ---- the kernel, and what it is started with -------------------------------------------------------


def numbers(name):
    return [int(n) for n in re.findall(r'[0-9]+', name)]


def find_kernel():
    """(kernel, folder of its modules) of the newest that is whole."""
    for name in sorted(os.listdir('/boot') if os.path.isdir('/boot') else [], key=numbers, reverse=True):
        modules = '/lib/modules/' + name.partition('-')[2]
        if (name.startswith('vmlinuz-') and os.access('/boot/' + name, os.R_OK) and
                os.path.exists(modules + '/modules.dep')):
            return '/boot/' + name, modules
    raise Absent('there is no kernel in /boot that can be read, with its modules')


def modules_to_load(folder):
    """Their files, each behind those that it needs."""
    depends, paths, load = {}, {}, []
    with open(folder + '/modules.dep') as f:
        for line in f:
            path, _, needs = line.partition(':')
            depends[path] = needs.split()
            paths[os.path.basename(path).partition('.')[0].replace('-', '_')] = path
    with open(folder + '/modules.builtin') as f:
        built_in = {os.path.basename(line.strip()).partition('.')[0].replace('-', '_') for line in f}

    def add(path):
        for need in reversed(depends[path]):
            add(need)
        if path not in load:
            load.append(path)
    for name in MODULES:
        if name in paths:
            add(paths[name])
        elif name not in built_in:
            raise Absent('the kernel has no %s' % name)
    return load


def module_bytes(path):
    with open(path, 'rb') as f:
        if path.endswith('.ko'):
            return f.read()
        if path.endswith('.ko.xz'):
            return lzma.decompress(f.read())
    raise Absent('%s is compressed in a way that this test does not know' % path)


def cpio(entries):
    """An archive as the kernel takes it (newc), of (name, mode, bytes)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate(entries + [('TRAILER!!!', 0, b'')], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b'070701' + b''.join(b'%08x' % field for field in fields) + name.encode() + b'\0'
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)


def make_initramfs(path, modules):
    with open(BUSYBOX, 'rb') as f:
        entries = [(name, 0o40755, b'') for name in ('bin', 'dev', 'modules', 'proc', 'root')]
        entries.append(('bin/busybox', 0o100755, f.read()))
    names = []
    for module in modules_to_load(modules):
        names.append(os.path.basename(module).partition('.')[0] + '.ko')
        entries.append(('modules/' + names[-1], 0o100644, module_bytes(os.path.join(modules, module))))
    entries.append(('init', 0o100755, (INIT % ' '.join(names)).encode()))
    with open(path, 'wb') as f:
        f.write(cpio(entries))


def make_root(folder, image, *more):
    """An ext4 image with busybox and the writer, and more files."""
    for name in ('bin', 'data', 'dev', 'proc', 'sbin', 'tmp'):
        os.makedirs(os.path.join(folder, name))
    shutil.copy(BUSYBOX, os.path.join(folder, 'bin', 'busybox'))
    for name in APPLETS:
        os.symlink('busybox', os.path.join(folder, 'bin', name))
    with open(os.path.join(folder, 'sbin', 'init'), 'w') as f:
        f.write(WRITER)
    os.chmod(os.path.join(folder, 'sbin', 'init'), 0o755)
    for name in more:
        shutil.copy(name, folder)
    subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-b', '4096', '-E',
                    'root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0', '-d', folder, image,
                    '%dk' % (DISK // 1024)], check=True, capture_output=True)


def add_boot_loader(root, disk):
    """Makes a disk of a file system with vmlinuz and initrd.img in it: GRUB stands before the partition."""
    folder = os.path.dirname(disk)
    core, config = os.path.join(folder, 'core.img'), os.path.join(folder, 'grub.cfg')
    with open(config, 'w') as f:
        f.write('linux (hd0,msdos1)/vmlinuz root=/dev/vda1 rw console=ttyS0%s FIRST=0 SEED=1\n'
                'initrd (hd0,msdos1)/initrd.img\nboot\n' % QUIET)
    subprocess.run(['grub-mkimage', '-O', 'i386-pc', '-d', GRUB, '-c', config, '-p', '/', '-o', core,
                    'biosdisk', 'part_msdos', 'ext2', 'linux'], check=True, capture_output=True)
    with open(os.path.join(GRUB, 'boot.img'), 'rb') as f:
        first = f.read(440)  # finds the rest in the sectors behind it
    with open(core, 'rb') as f:
        rest = f.read()
    table = struct.pack('<B3sB3sII', 0x80, b'', 0x83, b'', MIB // 512, os.path.getsize(root) // 512)
    with open(disk, 'wb') as to, open(root, 'rb') as f:
        to.write(first.ljust(446, b'\0') + table.ljust(64, b'\0') + b'\x55\xaa' + rest)
        to.seek(MIB)
        shutil.copyfileobj(f, to)


def command_of(readme):
    """How the README starts a guest, as words: what every disk needs, and what one without a boot loader."""
    with open(readme) as f:
        (first, second), = re.findall(r'^(qemu-system-x86_64 .*) \\\n +(-nographic .*)$', f.read(), re.M)
    return shlex.split(first), shlex.split(second)


# ---- a guest that runs -----------------------------------------------------------------------------


class Told:
    """What guests of one disk said: what is durable, in files and in the manifest."""

    def __init__(self):
        self.sums = {}         # of files that stand still: by name, "gone" for none
        self.manifest = []     # lines
        self.wrong = []

    def hear(self, words):
        if words[0] == 'TOUCH':
            self.sums.pop(words[1], None)
        elif words[0] == 'SYNCED':
            self.sums[words[2]] = words[3]
            self.manifest.append(' '.join(words[1:]))
        elif words[0] == 'WRONG':
            self.wrong.append(' '.join(words[1:]))

    def copy(self):
        other = Told()
        other.sums, other.manifest = dict(self.sums), list(self.manifest)
        return other


class Guest:
    """One boot. Any thread may ask it: who does reads its console."""

    def __init__(self, command, cwd, told):
        self.process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.told = told
        self.words = []   # of each line that it said to us
        self.console = b''
        self.begun = 0    # where the line that is not whole yet begins in it
        self.lock = threading.Lock()

    def pump(self, seconds=0.0):
        """Hears what it said, at most so long; False: the console has ended."""
        with self.lock:
            select.select([self.process.stdout], [], [], seconds)
            while True:
                piece = self.process.stdout.read(65536)
                if not piece:
                    return piece is None
                self.console += piece
                whole = self.console.rfind(b'\n') + 1
                for line in self.console[self.begun:whole].decode(errors='replace').split('\n'):
                    found = re.search(r'@ (UP|TOUCH|SYNCED|WRONG|DOWN)\b(.*)', line)
                    if found:
                        self.words.append([found.group(1)] + found.group(2).split())
                        self.told.hear(self.words[-1])
                self.begun = whole

    def n(self, word):
        return sum(words[0] == word for words in list(self.words))

    def wait(self, word, n):
        """Until it said this so often."""
        end = time.monotonic() + PATIENCE
        while self.n(word) < n:
            if time.monotonic() > end or not self.pump(1):
                if self.n(word) >= n:
                    return
                raise AssertionError('the guest did not say %s %d times, but:\n%s' %
                                     (word, n, self.console.decode(errors='replace')[-3000:]))

    def run_snapshot(self, take):
        """What take() gives, and what a snapshot that it took must hold: files not touched meanwhile."""
        self.pump()
        with self.lock:  # another thread may hear that a file is touched
            before, n = self.told.copy(), len(self.words)
        taken = take()
        self.pump()
        with self.lock:
            meanwhile = self.words[n:]
        for words in meanwhile:
            if words[0] == 'TOUCH':
                before.sums.pop(words[1], None)
        return taken, before

    def power_off(self):
        self.process.stdin.write(b'stop\n')
        self.process.stdin.flush()
        self.wait('DOWN', 1)
        while self.pump(1):
            pass
        return self.process.wait(PATIENCE)

    def kill(self):
        """And hears the last that it said."""
        self.process.kill()
        self.process.wait()
        while self.pump():
            pass

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
