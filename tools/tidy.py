#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the compiler does not say about this tree, in sentences. A test (suite layers), and good by hand:

    tools/tidy.py [--long] [TREE]

Each check is a function that yields complaints; CHECKS at the end lists them. Where a rule has a good
exception, it stands in one of the tables below with its reason; one no longer needed is a complaint too.
--long also lists functions that are longer than they should be, without complaining.
"""
import os
import re
import sys

WIDTH = 110

# src files without a test/unit/<floor>/test_<name>.c, and who tests them instead.
TESTED_ELSEWHERE = {
    'src/links_main.c': 'is empty: that it links is the test',
    'src/base/buf.c': 'every user of a buf checks its text; test_text.c builds with it',
    'src/io/sim_calls.c': 'a part of io_sim.c: test_io_sim.c, "faults"; test_sweep.c',
    'src/io/sim_dice.c': 'a part of io_sim.c: test_io_sim.c sees each style of crash',
    'src/io/sim_file.c': 'a part of io_sim.c: test_io_sim.c has a random history of bytes',
    'src/io/sim_image.c': 'a part of io_sim.c: test_io_sim.c has a random history of bytes',
    'src/io/sim_names.c': 'a part of io_sim.c: test_io_sim.c has a random history of names',
    'src/service/vault_repair.c': 'test_vault_sync.py, Repaired: from vaults, folders and files',
    'src/service/vault_export_xo_verb.c': 'test_vault_export_xo.py: what it writes, read by another reader',
    'src/service/vault_import_xo_verb.c': 'test_vault_import_xo.py: remotes of every form, by the command',
    'src/disk/chain_map_change.c': 'test_chain_shape.c: every change of a chain\'s shape goes through it',
    'src/disk/chain_batch.c': 'every byte of test_stream_source.c is read through it',
    'src/disk/file_intent.c': 'test_file_coalesce.c: the intent, kept, found, read, dropped',
    'src/disk/file_run.c': 'the looking half of file_coalesce.c: test_file_coalesce.c, what is refused',
    'src/disk/mover.c': 'the part that push.c and pull.c share: test_push.c, test_pull.c',
    'src/disk/mover_batch.c': 'a part of push.c: test_push.c, each run of sectors',
    'src/disk/mover_copier.c': 'a part of push.c: test_push.c, each byte that is moved',
    'src/disk/mover_price.c': 'test_push.c compares it with what is moved',
    'src/disk/mover_tally.c': 'a part of push.c: test_push.c counts what it found',
    'src/disk/stream_sink_chunks.c': 'test_stream_sink.c: another format it takes in',
    'src/disk/stream_sink_raw.c': 'test_stream_sink.c: one of the two formats it takes in',
    'src/disk/stream_sink_vhd.c': 'test_stream_sink.c: the other one',
    'src/disk/stream_target.c': 'test_stream_sink.c: what is written goes through it',
    'src/disk/vhd_children.c': 'test_file_coalesce.c: other children, whole, damaged and not to be read',
    'src/disk/vhd_head.c': 'test_vhd_create.c, and test_stream_source.c with a BAT and a batmap',
    'src/disk/vhd_repair.c': 'the mending half of vhd_check.c: test_vhd_check.c mends each damage',
    'src/vault/blob_marks.c': 'test_needs.c marks by it, test_prune.c chooses by it',
    'src/vault/prune_choose.c': 'a part of prune.c: test_prune.c, test_history_vault.c, test_sweep_prune.c',
    'src/vault/prune_end.c': 'a part of prune.c: test_prune.c, test_history_vault.c, test_sweep_prune.c',
    'src/vault/prune_look.c': 'a part of prune.c: test_prune.c, what stops it',
    'src/vault/prune_points.c': 'a part of prune.c: test_prune.c, test_history_vault.c, test_sweep_prune.c',
    'src/vault/prune_readers.c': 'a part of prune.c: test_prune.c, what_is_read_is_not_let_go',
    'src/vault/prune_repack.c': 'a part of prune.c: test_prune.c, little_that_is_needed_of_a_pack_is_copied',
    'src/vault/get_all.c': 'the half of get.h that reads all of a disk: test_get.c, test_put.c',
    'src/vault/node_reader.c': 'every restore of more than one chunk reads nodes: test_get.c, test_put.c',
    'src/vault/put_pipeline.c': 'what put.c does with each chunk: test_put.c',
    'src/vault/verify_objects.c': 'a part of verify.c: test_verify.c damages each byte of each object',
    'src/vault/verify_packs.c': 'a part of verify.c: test_verify.c, test_verify_choose.c',
    'src/vault/verify_tree.c': 'a part of verify.c: test_verify.c damages and removes what points need',
    'src/app/listen.c': 'test/interop/test_nbd.py, Listening and Tls, as the command',
    'src/service/overlay_source.c': 'test/interop/test_vault_nbd.py: a point is made of it',
    'src/service/vault_diff_verb.c': 'test/interop/test_vault.py, as the command',
    'src/service/vault_nbd_verb.c': 'test/interop/test_vault_nbd.py, as the command',
    'src/service/vault_overlay.c': 'test/interop/test_vault_nbd.py: kills, and other disks below',
    'src/service/vault_sync_verb.c': 'test/interop/test_vault_sync.py, as the command',
    'src/service/vault_where.c': 'test/interop/test_vault_s3.py, as the command',
    'src/vault/s3_client.c': 'test/interop/test_vault_s3.py: what is asked, and every way it is not answered',
    'src/vault/target_s3.c': 'test/interop/test_vault_s3.py: what lies in a bucket, whole, in parts, locked',
    'src/service/vault_verify_verb.c': 'test/interop/test_vault.py, as the command',
    'src/vault/vault_init.c': 'makes what test_vault.c opens; test_sweep_vault.c dies at each of its steps',
    'src/vault/key_slot.c': 'test_key_open.c and test_key_rotate.c open each and wrap it anew',
    'src/disk/vhd_tables.c': 'a part of vhd_resize.c: test_vhd_resize.c, test_sweep_vhd_file.c',
    'src/format/vault_index_build.c': 'the writing half of vault_index.h: test_vault_index.c',
    'src/format/xapi_classes_host.c': 'the tables of xapi_class.c: test_xapi_class.c walks all of them',
    'src/format/xapi_classes_storage.c': 'likewise',
    'src/format/xapi_classes_vm.c': 'likewise',
    'src/app/catenad.c': 'test_daemon.py, the daemon from outside',
    'src/app/catenad_main.c': 'calls catenad.c and nothing else',
    'src/xapi/xapi_cli_records.c': 'lists and fields of xapi_cli.c: test_xapi_cli.c, test_xe.py',
    'src/xapi/xapi_cli_transfer.c': 'transfers of xapi_cli.c: test_xapi_cli.c, test_xe.py',
    'src/xapi/xapi_cli_vdi.c': 'disks of xapi_cli.c: test_xe.py makes, copies, moves and resizes them',
    'src/xapi/xapi_cli_vm.c': 'VMs of xapi_cli.c: test_xapi_cli.c, test_xe.py',
    'src/service/vault_call.c': 'what the verbs of a vault share: test_vault.py',
    'src/service/vault_file.c': 'test_vault.py: raw files, VHDs with parents, restored to both',
    'src/service/vault_get_verb.c': 'test_vault.py',
    'src/service/vault_init_verb.c': 'test_vault.py',
    'src/service/vault_key_verb.c': 'test_vault.py: each action and role',
    'src/service/vault_look_verbs.c': 'test_vault.py',
    'src/service/vault_prune_verbs.c': 'test_vault.py: prune, forget, check',
    'src/service/vault_put_verb.c': 'test_vault.py',
    'src/service/vault_verbs.c': 'the table of those: test_vault.py',
    'src/service/vdi_copy_verbs.c': 'the words of vdi_copy.c: test_vdi_copy.c calls both verbs',
    'src/service/vm_archive_verbs.c': 'test_daemon.py: a VM goes out and in by files and pipes',
    'src/service/vm_verbs.c': 'test_vms.c calls each of them',
    'src/service/vms_disks.c': 'the disks of vms.c: test_vms.c',
    'src/service/vms_make.c': 'what vms.c makes of VMs: test_vms.c, test_sweep_vms.c',
    'src/service/vms_parts.c': 'the records of vms.c: test_vms.c',
    'src/service/vms_unfinished.c': 'what a crash of vms.c leaves: test_sweep_vms.c',
    'src/app/command.c': 'test_cli.py, the command from outside',
    'src/app/daemon.c': 'test_daemon.py: starts, answers, reloads, stops',
    'src/app/daemon_http.c': 'test_daemon.py: with TLS and without, keys replaced, addresses taken',
    'src/app/daemon_nbd.c': 'test_daemon.py: NBD, plain and with TLS',
    'src/app/daemon_routes.c': 'test_daemon.py and test_http.py ask for each path',
    'src/app/daemon_srs.c': 'test_daemon.py: SRs found, made, refused',
    'src/app/doors.c': 'test_owner.py with one SR, test_nbd_serve.py with two',
    'src/app/house.c': 'test_nbd_serve.py with two SRs, test_daemon.py',
    'src/app/serve_verb.c': 'test_nbd.py and test_nbd_serve.py: serve, ready, refused, stopped',
    'src/app/main.c': 'calls command.c and nothing else',
    'src/disk/convert_source.c': 'a part of convert.c: test_convert.c',
    'src/disk/convert_target.c': 'likewise',
    'src/serve/nbd_guest_answer.c': 'a part of nbd_guest.c: test_nbd_guest.c, test_nbd.py',
    'src/serve/nbd_guest_request.c': 'a part of nbd_guest.c: test_nbd_guest.c, test_nbd.py',
    'src/serve/nbd_guest_talk.c': 'a part of nbd_guest.c: test_nbd_guest.c, test_nbd.py',
    'src/serve/nbd_server.c': 'test_nbd.py: the command, from outside',
    'src/serve/rpc_client.c': 'test_owner.py: two processes, one of which owns the SR',
    'src/serve/rpc_guest.c': 'test_owner.py',
    'src/serve/rpc_server.c': 'test_owner.py',
    'src/serve/http_probe.c': 'test_http_import.c: looks at the host',
    'src/serve/http_inflow.c': 'test_http_import.c and test_http_xva_import.c: all that comes in',
    'src/service/xva_sum.c': 'test_xva_inlet.c: checksums of both kinds, right and wrong',
    'src/service/xva_vm.c': 'test_xva_inlet.c: the records of a VM that came in',
    'src/service/xva_records.c': 'test_xva_outlet.c: the records within an archive',
    'src/service/auth_sessions.c': 'a part of auth.c: test_auth.c, sessions',
    'src/service/auth_tokens.c': 'a part of auth.c: test_auth.c, tokens',
    'src/service/objects_change.c': 'the changing half of objects.c: test_objects.c',
    'src/service/objects_store.c': 'the rows of objects.c: test_objects.c, test_sweep_objects.c',
    'src/service/config_keys.c': 'the half of config.c that knows what may be said: test_config.c',
    'src/xapi/xapi.c': 'every test of this room begins and ends with it (house.h)',
    'src/xapi/xapi_async.c': 'test_xapi_task.c: what runs as a task, its result, its error',
    'src/xapi/xapi_look.c': 'test_xapi_mirror.c and test_xapi_vdi.c: what changed is seen, and nothing else',
    'src/xapi/xapi_records.c': 'test_xapi_vdi.c and test_xapi_mirror.c: what records say',
    'src/xapi/xapi_registered.c': 'test_xapi_event.c: register, next, unregister',
    'src/xapi/xapi_reply.c': 'test_xapi_http.c: each protocol, its frames and types',
    'src/xapi/xapi_session.c': 'test_xapi_call.c: in, out, and who is refused',
    'src/xapi/xapi_sr.c': 'test_xapi_vdi.c: SRs, named, scanned, judged',
    'src/xapi/xapi_storage.c': 'test_xapi_vdi.c: every method of disks goes through it',
    'src/xapi/xapi_vbd.c': 'test_xapi_vm.c: disks in VMs',
    'src/xapi/xapi_vdi_copy.c': 'test_xapi_vdi.c: from one SR to the other',
    'src/xapi/xapi_vm_fields.c': 'test_xapi_vif.c: setters of VMs',
    'src/service/findings_json.c': 'test_cli.py sees every finding',
    'src/service/gc_json.c': 'test_cli_gc.py: gc status, with each of its members',
    'src/service/gc_run_verb.c': 'test_cli_gc.py: gc run, in every way it ends',
    'src/service/gc_verbs.c': 'test_cli_gc.py: each of them',
    'src/service/sr_health_verb.c': 'test_cli_gc.py: sr health, in each state',
    'src/service/sr_adopt_verbs.c': 'test_cli.py: adopt, dry-run, read-only, release',
    'src/service/sr_call.c': 'test_vdi_import.c and test_cli.py open SRs by it',
    'src/service/sr_check_verb.c': 'test_cli.py: sr check',
    'src/service/sr_verbs.c': 'test_cli.py: each of them',
    'src/service/vdi_change_verbs.c': 'test_cli.py: each of them',
    'src/service/vdi_data_verbs.c': 'test_vdi_import.c, through the table of verbs',
    'src/service/vdi_export.c': 'test_vdi_import.c: out and in again',
    'src/service/vdi_verbs.c': 'test_cli.py: each of them',
    'src/service/vhd_check_verbs.c': 'test_cli.py: check and repair',
    'src/service/vhd_coalesce_verb.c': 'test_cli_coalesce.py: all of it',
    'src/service/vhd_convert_verb.c': 'test_cli.py: every direction',
    'src/service/vhd_look_verbs.c': 'test_vhd_info.c, through the table of verbs',
    'src/service/vhd_make_verbs.c': 'test_vhd_info.c makes its files by them',
    'src/service/vhd_map.c': 'test_vhd_info.c: a map',
    'src/service/vhd_resize_verb.c': 'test_cli.py: resize',
    'src/service/vhd_tree.c': 'test_vhd_info.c: trees',
    'src/service/vhd_verbs.c': 'a table of names',
    'src/sr/gc_look.c': 'a part of gc.c: test_gc.c asks it before each coalesce',
    'src/sr/gc_status.c': 'a part of gc.c: test_gc.c, what is shown',
    'src/disk/chain_map.c': 'test_chain.c: a model at each depth, and layers pushed',
    'src/disk/chain_write.c': 'the changing half of chain.c: test_chain.c, test_chain_threads.c',
    'src/disk/flat_image.c': 'test_chain.c: a raw parent; test_sr_vdi.c: raw disks',
    'src/disk/image.c': 'test_chain.c: opening, locks, refusals',
    'src/disk/parent_search.c': 'test_chain.c: parents that are missing, other, in a loop',
    'src/disk/vhd_image.c': 'test_chain.c: every layer is one',
    'src/disk/vhd_leaf.c': 'test_vhd_flush.c and test_sweep_chain.c',
    'src/io/io_pool.c': 'test_io_queue.c: one table over pool and ring',
    'src/io/io_posix_lock.c': 'test_io_posix.c: locks, also of other processes',
    'src/io/io_posix_openers.c': 'test_io_posix.c: whoever has a file open is found',
    'src/io/io_posix_stream.c': 'test_io_posix.c: streams, those handed over too',
    'src/io/io_uring.c': 'test_io_queue.c: one table over pool and ring',
    'src/disk/vhd_relink.c': 'test_coalesce.c: open children, and what is opened through them after',
    'src/sr/claim.c': 'test_coalesce.c: what is refused, and why',
    'src/sr/leaf_pivot.c': 'test_coalesce.c; test_sweep_sr_coalesce.c dies at each of its steps',
    'src/sr/relink.c': 'test_coalesce.c; test_sweep_sr_coalesce.c dies at each of its steps',
    'src/sr/intent.c': 'every sr sweep writes intents and reads them back',
    'src/sr/pivot.c': 'test_sweep_sr_verbs.c and test_sweep_sr_live.c die at each of its steps',
    'src/sr/sr_move_look.c': 'a part of sr_move: test_sr_move.c',
    'src/sr/sr_move_mark.c': 'a part of sr_move: test_sr_move.c; test_sweep_vdi_move.c dies around each mark',
    'src/sr/place.c': 'test_tree.c, and all that sr does',
    'src/sr/place_dir.c': 'test_tree.c, and all that sr does',
    'src/sr/recover.c': 'every sr sweep recovers through it',
    'src/sr/sr_chain.c': 'test_sr_vdi.c: running VDIs',
    'src/sr/sr_fork.c': 'test_sr_vdi.c: snapshots and clones',
    'src/sr/sr_lease.c': 'test_garbage.c, test_adopt.c: what is leased stays',
    'src/sr/sr_make.c': 'test_sr.c: create; test_adopt.c',
    'src/sr/sr_new.c': 'test_sr_vdi.c: new VDIs',
    'src/sr/sr_release.c': 'test_adopt.c: release',
}

# Includes and calls that belong to the floor io, used elsewhere for a reason.
SEAM_EXCEPTIONS = {
    'src/vault/crew.c: <time.h>': 'waits for threads of its own, which no simulated clock moves',
    'src/vault/crew.c: clock_gettime()': 'likewise',
    'src/vault/reading_thread.c: <time.h>': 'wakes a thread of its own, which no simulated clock moves',
    'src/vault/reading_thread.c: clock_gettime()': 'likewise',
    'src/base/mem.c: <sys/mman.h>': 'memory of its own, no file',
    'src/base/text.c: <time.h>': 'gmtime_r breaks a time down; it reads no clock',
    'src/sr/windows.c: <time.h>': 'localtime_r breaks a time down; it reads no clock',
}

SEAM_HEADERS = {'fcntl.h', 'unistd.h', 'dirent.h', 'time.h', 'aio.h', 'sys/stat.h', 'sys/file.h',
                'sys/mman.h', 'sys/ioctl.h', 'sys/statvfs.h', 'sys/vfs.h', 'sys/time.h', 'sys/random.h',
                'liburing.h'}
SEAM_CALLS = re.compile(r'(?<![\w.>])(fopen|open|openat|creat|opendir|pread|pwrite|fsync|fdatasync|rename|'
                        r'renameat|unlink|ftruncate|fallocate|clock_gettime|gettimeofday|time|rand|random|'
                        r'getrandom|nanosleep|usleep|sleep)\s*\(')
# io is the seam; net is the one to sockets; app is the process: arguments, terminal, signals
SEAM_FREE = {'io', 'net', 'app'}

UNSAFE_EXCEPTIONS = {
    'src/io/io_posix_lock.c: atoi': 'the kernel names what is open in /proc by numbers',
}
UNSAFE_CALLS = re.compile(r'(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca)\s*\(')

# Written in two halves, so that this file does not complain about itself.
PLACES = re.compile('/wo' 'rk/|/ro' 'ot/|/ho' r'me/[a-z]|/tmp/(?:build|land|clone|brief)\b')
HOSTS = re.compile('debian' r'\.org|pypi' r'\.org|npmjs' r'\.org|go' 'proxy|crates' r'\.io|ubuntu' r'\.com')

# Complaints kept back while something is being built: a regular expression, or None.
FOR_NOW = None

SKIPPED_FOLDERS = re.compile(r'^(\.git|build.*|run|__pycache__|subprojects)$')


class Tree:
    """The files of a tree, read once. Paths are relative, with slashes."""

    def __init__(self, top):
        self.top = top
        self.text = {}
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if not SKIPPED_FOLDERS.match(name))
            for name in sorted(names):
                if name == '.git':
                    continue  # a worktree's
                path = os.path.relpath(os.path.join(folder, name), top)
                text = read_text(os.path.join(folder, name))
                if text is not None:
                    self.text[path] = text
        self.layers = read_layers(self.text.get('src/LAYERS', ''))

    def paths(self, start, *ends):
        return [path for path in self.text if path.startswith(start) and (not ends or path.endswith(ends))]

    def c_files(self):
        return self.paths('', '.c', '.h')

    def exists(self, path):
        return os.path.exists(os.path.join(self.top, path))


def read_text(path):
    """A text file's text; None for what is no text."""
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > 4 << 20:
        return None
    with open(path, 'rb') as f:
        data = f.read()
    if b'\0' in data[:4096]:
        return None
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        return None


def read_layers(text):
    """{folder: set of the folders it may use}"""
    layers = {}
    for line in text.split('\n'):
        if ':' in line and not line.startswith('#'):
            folder, below = line.split(':', 1)
            layers[folder.strip()] = set(below.split())
    return layers


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def blank(found):
    return re.sub(r'[^\n]', ' ', found.group(0))


def without_comments(text):
    """The same text with comments and what is in quotes blanked: each place stays where it was."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def floor_of(path):
    parts = path.split('/')
    return parts[1] if len(parts) > 2 and parts[0] == 'src' else None


def header_homes(tree):
    """{header name: [floors that have one]}"""
    homes = {}
    for path in tree.paths('src/', '.h'):
        homes.setdefault(os.path.basename(path), []).append(floor_of(path))
    return homes


# ---- floors --------------------------------------------------------------------------------------


def check_layers(tree):
    homes = header_homes(tree)
    for name, floors in homes.items():
        if len(floors) > 1:
            yield 'src/%s/%s: %s has a header of that name too; includes are flat, so please rename one' % (
                floors[1], name, floors[0])
    for folder, below in tree.layers.items():
        for floor in below - set(tree.layers):
            yield 'src/LAYERS: %s may use %s, but there is no line for %s' % (folder, floor, floor)
    for path in tree.paths('src/', '.c', '.h'):
        floor = floor_of(path)
        if floor is None:
            continue
        if floor not in tree.layers:
            yield '%s: the folder %s has no line in src/LAYERS that says what it may use' % (path, floor)
            continue
        for found in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', tree.text[path], re.M):
            yield from complain_about_include(tree, path, floor, homes, found)


def complain_about_include(tree, path, floor, homes, found):
    where = '%s:%d' % (path, line_of(tree.text[path], found.start(1)))
    name = found.group(1)
    if '/' in name:
        yield '%s: includes "%s"; includes are flat here: "%s"' % (where, name, os.path.basename(name))
        return
    if name not in homes:
        yield '%s: includes "%s", but no folder of src has a header of that name' % (where, name)
        return
    home = homes[name][0]
    if home != floor and home not in tree.layers[floor]:
        allowed = ' '.join(other for other in tree.layers if other in tree.layers[floor]) or 'nothing'
        yield '%s: includes "%s", which belongs to the floor %s; %s may use only: %s (src/LAYERS)' % (
            where, name, home, floor, allowed)


def check_seam(tree):
    used = set()
    for path in tree.paths('src/', '.c', '.h'):
        if floor_of(path) in SEAM_FREE:
            continue
        text = tree.text[path]
        for found in re.finditer(r'^\s*#\s*include\s+<([^>]+)>', text, re.M):
            key = '%s: <%s>' % (path, found.group(1))
            if found.group(1) in SEAM_HEADERS and key not in SEAM_EXCEPTIONS:
                yield '%s:%d: includes <%s>; files, clock and dice are reached only through io.h' % (
                    path, line_of(text, found.start(1)), found.group(1))
            used.add(key)
        code = without_comments(text)
        for found in SEAM_CALLS.finditer(code):
            key = '%s: %s()' % (path, found.group(1))
            if key not in SEAM_EXCEPTIONS:
                yield '%s:%d: calls %s(); files, clock and dice are reached only through io.h' % (
                    path, line_of(text, found.start(1)), found.group(1))
            used.add(key)
    for key in SEAM_EXCEPTIONS:
        if tree.exists(key.split(': ')[0]) and key not in used:
            yield 'tools/tidy.py: SEAM_EXCEPTIONS names "%s", which is not used; please take it out' % key


# ---- each file -----------------------------------------------------------------------------------


def is_source(path, text):
    name = os.path.basename(path)
    ends = path.endswith(('.c', '.h', '.py', '.sh'))
    return ends or text.startswith('#!') or name in ('meson.build', 'Makefile')


def check_spdx(tree):
    for path, text in tree.text.items():
        if is_source(path, text):
            top = text.split('\n')[:2]
            line = top[1] if top[0].startswith('#!') and len(top) > 1 else top[0]
            if 'SPDX-License-Identifier: Apache-2.0' not in line:
                yield '%s:1: has no line "SPDX-License-Identifier: Apache-2.0" on top' % path


def check_width(tree):
    for path, text in tree.text.items():
        if is_source(path, text):
            for n, line in enumerate(text.split('\n'), 1):
                if len(line) > WIDTH:
                    yield '%s:%d: is %d columns wide; %d fit on the screen beside another file' % (
                        path, n, len(line), WIDTH)
                if line.endswith((' ', '\t')):
                    yield '%s:%d: ends in blanks' % (path, n)


def check_threads(tree):
    for path in tree.paths('src/', '.h'):
        if not re.search(r'\bThreads: \S', tree.text[path]):
            yield '%s:1: does not say who may call it; please add "Threads: ..." to the comment on top' % path


def check_places(tree):
    for path, text in tree.text.items():
        for found in PLACES.finditer(text):
            yield '%s:%d: names a place on somebody\'s machine: %s' % (
                path, line_of(text, found.start()), found.group(0))
        for found in HOSTS.finditer(text):
            yield '%s:%d: names a host that packages come from: %s' % (
                path, line_of(text, found.start()), found.group(0))


def check_habits(tree):
    for path in tree.c_files():
        text = tree.text[path]
        code = without_comments(text)
        if not path.endswith('check.h'):
            for found in re.finditer(r'\bskip\(\)', code):
                yield '%s:%d: skips a test without a word; please call skip_because("...")' % (
                    path, line_of(code, found.start()))
        for found in re.finditer(r'\b__(DATE|TIME|TIMESTAMP)__\b', code):
            yield '%s:%d: uses %s, so that no two builds are equal' % (
                path, line_of(code, found.start()), found.group(0))
        for found in UNSAFE_CALLS.finditer(code if path.startswith('src/') else ''):
            if '%s: %s' % (path, found.group(1)) in UNSAFE_EXCEPTIONS:
                continue
            yield '%s:%d: calls %s(), which cannot say how much fits or what was wrong' % (
                path, line_of(code, found.start(1)), found.group(1))
        for found in re.finditer(r'\btypedef\s+(struct|enum|union)\b[^;{(]*(\{[^}]*\})?(?=[^;({]*;)', code):
            if not re.fullmatch(r'\{\s*(uint8_t|char)\s+b\[\w+\];\s*\}', found.group(2) or ''):
                yield '%s:%d: a typedef hides what this is; please write %s where it is used' % (
                    path, line_of(code, found.start()), found.group(1))


# ---- pointers in structs -------------------------------------------------------------------------


def struct_bodies(code):
    """(head, start, end) of each struct or union defined here: what stands before its brace, its body."""
    for found in re.finditer(r'(?:\b(?:static|const|typedef)\s+)*\b(?:struct|union)\b[^;{}()=]*\{', code):
        depth, at = 1, found.end()
        while depth and at < len(code):
            depth += {'{': 1, '}': -1}.get(code[at], 0)
            at += 1
        yield found.group(0), found.end(), at - 1


def members(code, start, end):
    """(start, end, text) of each member of a body; in the text, what is inside its own braces is blanked."""
    depth, begin, flat = 0, start, []
    for at in range(start, end):
        depth -= code[at] == '}'
        flat.append(code[at] if depth == 0 or code[at] == '\n' else ' ')
        depth += code[at] == '{'
        if code[at] == ';' and depth == 0:
            yield begin, at, ''.join(flat)
            begin, flat = at + 1, []


def is_pointer(member):
    if '(*' in member.replace(' ', ''):
        return False  # a function
    member = re.sub(r'\[[^]]*\]', '', member)
    member = re.sub(r'(?<!VEC)\([^()]*\)', '', member)
    return '*' in member


def comment_of(text, begin, end):
    """The comments that belong to a member: above it, within it, and behind it, to their ends."""
    newline = text.find('\n', begin, end)
    if newline >= 0 and text[begin:newline].strip().startswith('/*') and '*/' not in text[begin:newline]:
        newline = text.find('\n', text.find('*/', begin))  # the comment of the member before goes on
    begin = newline if 0 <= newline < end else begin
    stop = text.find('\n', end)
    stop = len(text) if stop < 0 else stop
    behind = text[end:stop]
    if behind.rfind('/*') > behind.rfind('*/'):
        stop = text.find('*/', end) + 2
    return ' '.join(re.findall(r'/\*.*?\*/|//[^\n]*', text[begin:stop], re.S))


def is_table_row(head, member, code):
    """A constant name in a row of a static table belongs to the program itself."""
    if re.search(r'\w+_ops\s*\{$', head):
        return 'const char' in member
    if 'const char' not in member and 'const struct' not in member:
        return False
    name = re.search(r'struct\s+(\w+)', head)
    if 'static const' in head:
        return True
    return bool(name and re.search(r'static const struct %s\s+\w+\[' % name.group(1), code))


def check_pointers(tree):
    for path in tree.paths('src/', '.c', '.h'):
        text = tree.text[path]
        code = without_comments(text)
        for head, start, end in struct_bodies(code):
            for begin, stop, member in members(code, start, end):
                if not is_pointer(member) or is_table_row(head, member, code):
                    continue
                if not re.search(r'\b(owned|borrowed|shared)\b', comment_of(text, begin, stop)):
                    yield '%s:%d: does not say whose this pointer is: please add /* owned */, ' \
                          '/* borrowed ... */ or /* shared, counted */ to "%s"' % (
                              path, line_of(text, stop), ' '.join(member.split()))


# ---- tests, and files nobody uses ----------------------------------------------------------------


def check_tested(tree):
    for path in tree.paths('src/', '.c'):
        floor = floor_of(path) or ''
        test = 'test/unit/%s/test_%s' % (floor, os.path.basename(path))
        if test in tree.text and path in TESTED_ELSEWHERE:
            yield 'tools/tidy.py: TESTED_ELSEWHERE names %s, but it has a test now; please take it out' % path
        if test not in tree.text and path not in TESTED_ELSEWHERE:
            yield '%s:1: has no test; please write %s, or say who tests it in TESTED_ELSEWHERE, ' \
                'tools/tidy.py' % (path, test)
    for path in TESTED_ELSEWHERE:
        if tree.exists(os.path.dirname(path)) and path not in tree.text:
            yield 'tools/tidy.py: TESTED_ELSEWHERE names %s, which is not there' % path


def builds_above(tree, path):
    """The meson.build of a file's folder and of those above it, as one text."""
    texts = []
    folder = os.path.dirname(path)
    while True:
        texts.append(tree.text.get(os.path.join(folder, 'meson.build'), ''))
        if not folder:
            return '\n'.join(texts)
        folder = os.path.dirname(folder)


def check_dead(tree):
    quoted = {}
    for path in tree.paths('', '.c'):
        if path.startswith('test/golden/'):
            continue
        folder = os.path.dirname(path)
        if folder not in quoted:
            names = re.findall(r"'([^'\n]+)'", builds_above(tree, path))
            quoted[folder] = {os.path.basename(name) for name in names}
        name = os.path.basename(path)
        stem = name[:-2]
        known = {name, stem, re.sub(r'^(test|fuzz|crash|fail|sweep|history)_', '', stem)}
        if not known & quoted[folder]:
            yield '%s:1: no meson.build builds this file; please list it, or delete it' % path
    for path in tree.paths('src/', '.h'):
        if not is_included(tree, path):
            yield '%s:1: nobody includes this header; please delete it' % path


def is_included(tree, path):
    line = '"%s"' % os.path.basename(path)
    return any(line in tree.text[other] for other in tree.c_files() if other != path)


# ---- documents ---------------------------------------------------------------------------------


SPOKEN_OF = re.compile(r'`((?:src|test|tools|bench|docs|man|\.ci)/[\w./-]*\w)`|\]\(([\w./-]+)\)')


def check_documents(tree):
    for path in tree.paths('', '.md'):
        text = tree.text[path]
        for found in SPOKEN_OF.finditer(text):
            name = found.group(1) or os.path.normpath(os.path.join(os.path.dirname(path), found.group(2)))
            if not tree.exists(name):
                yield '%s:%d: speaks of %s, which is not there' % (path, line_of(text, found.start()), name)


def check_reasons(tree):
    reasons = tree.text.get('HACKING.md', '')
    for path in tree.paths('', 'meson.build'):
        for found in re.finditer(r"dependency\('(\w+)'", tree.text[path]):
            if found.group(1) != 'threads' and not re.search(r'^\| %s \|' % found.group(1), reasons, re.M):
                yield '%s: uses %s; please say for what, and why this one, in the table of HACKING.md' % (
                    path, found.group(1))


# ---- advice --------------------------------------------------------------------------------------


def long_functions(tree, limit=60):
    for path in tree.paths('src/', '.c'):
        code = without_comments(tree.text[path])
        for found in re.finditer(r'^(?=\w)[^\n;=]*\b(\w+)\([^;{}]*\)\s*\{\n(.*?)^\}', code, re.M | re.S):
            n = found.group(2).count('\n')
            if n > limit:
                yield '%s:%d: %s is %d lines long' % (path, line_of(code, found.start()), found.group(1), n)


CHECKS = [check_layers, check_seam, check_spdx, check_width, check_threads, check_pointers, check_habits,
          check_tested, check_dead, check_places, check_documents, check_reasons]


def complaints(top):
    tree = Tree(top)
    return [sentence for check in CHECKS for sentence in check(tree) if not is_kept_back(sentence)]


def is_kept_back(sentence):
    return bool(FOR_NOW and FOR_NOW.match(sentence))


def main(args):
    wants_long = '--long' in args
    args = [arg for arg in args if arg != '--long']
    top = args[0] if args else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = complaints(top)
    for sentence in found:
        print(sentence)
    if wants_long:
        for sentence in long_functions(Tree(top)):
            print('(advice) ' + sentence)
    print('%d complaints' % len(found) if len(found) != 1 else '1 complaint')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
