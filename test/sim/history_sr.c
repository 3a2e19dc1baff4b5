// SPDX-License-Identifier: Apache-2.0
/* Histories of an SR: its verbs on a few VDIs, some of which are open and written to meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain_move.h"
#include "history_sr.h"
#include "sr_check.h"

#define DIR "/sr"
enum { VDIS_MAX = 7, BLOCKS_MAX = 5, TRIES = 50 };

typedef enum err (*operation)(struct world *, struct err_note *);

/* ---- opening, coming back ---- */

static void abandon_chains(struct world *w) {
        VEC_EACH (&w->vdis, each)
                if ((*each)->chain)
                        sr_abandon_chain(w->sr, TAKE((*each)->chain));
}

static void close_sr(struct world *w) {
        history_gc_free(w);
        abandon_chains(w);
        if (w->sr)
                sr_close(TAKE(w->sr));
        history_coalesces_end(w);
}

static enum err open_sr(struct world *w, struct err_note *note) {
        const struct sr_options options = {.images = &w->images};

        return sr_open(w->h->io, DIR, &options, &w->sr, note);
}

/* Until it is open; it may fail and die on the way. */
static enum err open_somehow(struct world *w, struct err_note *note) {
        for (unsigned tries = 0; tries < TRIES; tries++) {
                history_arm(w->h, 20);
                switch (history_ended(w->h, open_sr(w, note), note)) {
                case HISTORY_DONE:
                case HISTORY_DECLINED:
                        history_disarm(w->h);
                        return ERR_NONE;
                case HISTORY_FAILED:
                        break;
                case HISTORY_DIED:
                        close_sr(w);
                        history_restart(w->h);
                        break;
                case HISTORY_VIOLATED:
                        return err_wrap(note, "open failed");
                }
        }
        return err_wrap(note, "open keeps failing");
}

static enum err check_sr(struct world *w, struct err_note *note) {
        AUTO(sr_findings_fini) struct sr_findings findings = {0};

        if (sr_check(w->sr, VHD_CHECK_BITMAPS, NULL, NULL, &findings, note))
                return err_wrap(note, "check");
        VEC_EACH (&findings.list, each)
                if (each->finding.severity == FINDING_ERROR && strcmp(each->finding.part, "batmap") != 0)
                        return err_set(note, ERR_MISMATCH, "check of %s: %s", each->name, each->finding.text);
        return ERR_NONE;
}

static enum err collect(struct world *w, struct err_note *note) {
        uint64_t bytes;
        unsigned n;

        if (sr_garbage(w->sr, &n, &bytes, NULL, note))
                return err_wrap(note, "garbage");
        return model_check_files(w, note);
}

/* Whatever was left half done is finished or undone by the first change. */
static enum err recover(struct world *w, struct err_note *note) {
        const struct sr_settings settings = {.name = "main"};

        if (sr_set(w->sr, &settings, note) || sr_scan(w->sr, note))
                return err_wrap(note, "recover");
        if (model_settle(w, note))
                return note->code;
        return model_settle_leases(w, note);
}

/* Who recovers what was recovered finds nothing to do. */
static enum err recover_again(struct world *w, struct err_note *note) {
        AUTO(buf_fini) struct buf before = {0}, after = {0};

        if (model_list_files(w, &before, note))
                return note->code;
        close_sr(w);
        if (open_sr(w, note) || recover(w, note) || model_list_files(w, &after, note))
                return note->code;
        if (strcmp(buf_text(&before), buf_text(&after)) != 0)
                return err_set(note, ERR_MISMATCH, "recovered once more the files are %s, were %s",
                               buf_text(&after), buf_text(&before));
        return ERR_NONE;
}

static enum err come_back(struct world *w, struct err_note *note) {
        if (open_somehow(w, note) || recover(w, note) || model_look_at_vdis(w, note) || check_sr(w, note) ||
            collect(w, note) || (history_chance(w->h, 20) && recover_again(w, note)))
                return err_wrap(note, "after the restart");
        return ERR_NONE;
}

static enum err come_back_after_death(struct world *w, struct err_note *note) {
        close_sr(w);
        history_restart(w->h);
        return come_back(w, note);
}

/* ---- verbs ---- */

/* A chain whose sync failed, or whose names are not durable, is of no more use. */
static enum err look_at_chain(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        if (vdi->is_snapshot)
                return history_look_at_all(vdi->chain, &vdi->disk, MODEL_STRICT, note);
        if (chain_flush(vdi->chain, note) == ERR_NONE) {
                model_flushed(&vdi->disk);
                return history_look_at_all(vdi->chain, &vdi->disk, MODEL_STRICT, note);
        }
        history_say(w->h, "  %s is opened anew: %s", vdi->name, note->text);
        sr_abandon_chain(w->sr, TAKE(vdi->chain));
        if (sr_open_chain(w->sr, &vdi->uuid, CHAIN_WRITE, &vdi->chain, note))
                return note->code;
        return history_look_at_all(vdi->chain, &vdi->disk, MODEL_RESTARTED, note);
}

static enum err look_at_chains(struct world *w, struct err_note *note) {
        VEC_EACH (&w->vdis, each)
                if ((*each)->chain && look_at_chain(w, *each, note))
                        return err_wrap(note, "VDI %s, open", (*each)->name);
        return ERR_NONE;
}

static bool has_failed(const struct chain *chain) {
        unsigned n = chain_is_moving(chain) ? chain_depth(chain) : 1;

        for (unsigned i = 0; i < n; i++)
                if (atomic_load(&chain_layer(chain, i)->has_failed))
                        return true;
        return false;
}

/* What a step of a coalesce met may have cost a chain its writes; nobody was told yet. */
static enum err mend_chains(struct world *w, struct err_note *note) {
        VEC_EACH (&w->vdis, each) {
                if (!(*each)->chain || (*each)->is_snapshot || !has_failed((*each)->chain))
                        continue;
                history_disarm(w->h);
                if (look_at_chain(w, *each, note))
                        return err_wrap(note, "VDI %s, whose sync failed", (*each)->name);
        }
        return ERR_NONE;
}

/* Who has a disk open does not wait for the SR to be changed again: what its flush says now must hold. */
static void write_on(struct world *w, struct model_vdi *vdi) {
        struct history_range range = history_range(w->h, vdi->disk.size, false);
        AUTO_FREE uint8_t *data = NULL;
        struct err_note unused;

        if (!model_has_room(&vdi->disk, range.n, range.at))
                return;
        data = history_fill(w->h, range);
        history_say(w->h, "write %s all the same: %" PRIu64 " at %" PRIu64, vdi->name, range.n, range.at);
        if (chain_write(vdi->chain, data, range.n, range.at, &unused)) {
                model_may_write(&vdi->disk, data, range.n, range.at);
                return;
        }
        model_write(&vdi->disk, data, range.n, range.at);
        if (chain_flush(vdi->chain, &unused) == ERR_NONE)
                model_flushed(&vdi->disk);
}

static enum err after_failure(struct world *w, struct err_note *note) {
        history_disarm(w->h);
        if (w->pending.kind == PENDING_NEW && history_chance(w->h, 50)) {
                VEC_EACH (&w->vdis, each)
                        if ((*each)->chain && !(*each)->is_snapshot)
                                write_on(w, *each);
                return come_back_after_death(w, note);
        }
        if (recover(w, note) || look_at_chains(w, note) || model_look_at_vdis(w, note))
                return err_wrap(note, "after a verb that failed");
        return ERR_NONE;
}

/* How a verb ended that is pending.  *ret_done: it is as it said. */
enum err world_ended(struct world *w, enum err e, bool *ret_done, struct err_note *note) {
        *ret_done = false;
        switch (history_ended(w->h, e, note)) {
        case HISTORY_DECLINED: /* the scan at its end may have met the fault, or what gc did for a disk */
                *ret_done = true;
                return sr_scan(w->sr, note) ? note->code : look_at_chains(w, note);
        case HISTORY_DONE:
                *ret_done = true;
                return ERR_NONE;
        case HISTORY_FAILED:
                return after_failure(w, note);
        case HISTORY_DIED:
                return come_back_after_death(w, note);
        case HISTORY_VIOLATED:
                break;
        }
        return err_wrap(note, "a verb failed");
}

static struct model_vdi *some_vdi(struct world *w) {
        return w->vdis.n ? w->vdis.data[history_roll(w->h, w->vdis.n)] : NULL;
}

/* Mostly one whose blocks are moving. */
static struct model_vdi *some_vdi_in_use(struct world *w) {
        if (history_chance(w->h, 60))
                VEC_EACH (&w->vdis, each)
                        if ((*each)->chain && chain_is_moving((*each)->chain))
                                return *each;
        return some_vdi(w);
}

static bool is_writable(struct world *w, const struct model_vdi *vdi) {
        const struct vdi *found = vdi ? sr_get_vdi(w->sr, &vdi->uuid) : NULL;

        return found && !found->is_read_only;
}

static void new_name(struct world *w, char ret[VDI_NAME_SIZE]) {
        (void)snprintf(ret, VDI_NAME_SIZE, "v%u", ++w->n_names);
}

/* A new VDI whose verb returned: the pending one with its uuid. */
static enum err made(struct world *w, enum err e, const struct uuid *uuid, struct err_note *note) {
        bool is_done;

        if (world_ended(w, e, &is_done, note))
                return note->code;
        if (!is_done)
                return ERR_NONE;
        w->pending.vdi.uuid = *uuid;
        (void)model_vdi_add(w, &w->pending.vdi);
        w->pending.vdi.disk = (struct model_disk){0};
        pending_end(w);
        return ERR_NONE;
}

static enum err create(struct world *w, struct err_note *note) {
        static const uint64_t cuts[] = {0, 0, 3, 52, 2050, 4093};
        struct pending *pending = &w->pending;
        struct vdi_options options = {.name = pending->vdi.name};
        struct uuid uuid;

        if (w->vdis.n >= VDIS_MAX)
                return ERR_NONE;
        options.size = (2 + history_roll(w->h, 2)) * MODEL_BLOCK - cuts[history_roll(w->h, 6)] * SECTOR;
        *pending = (struct pending){.kind = PENDING_NEW};
        new_name(w, pending->vdi.name);
        model_init(&pending->vdi.disk, options.size);
        history_say(w->h, "create %s of %" PRIu64, pending->vdi.name, options.size);
        return made(w, sr_vdi_create(w->sr, &options, &uuid, note), &uuid, note);
}

static enum err fork_vdi(struct world *w, struct model_vdi *vdi, bool is_snapshot, struct err_note *note) {
        struct pending *pending = &w->pending;
        struct vdi_options options = {.name = pending->vdi.name};
        struct uuid uuid;
        enum err e;

        if (!vdi || w->vdis.n >= VDIS_MAX)
                return ERR_NONE;
        *pending = (struct pending){.kind = PENDING_NEW, .vdi = {.is_snapshot = is_snapshot}};
        new_name(w, pending->vdi.name);
        if (is_snapshot)
                pending->vdi.snapshot_of = vdi->uuid;
        model_copy(&vdi->disk, &pending->vdi.disk);
        model_flushed(&pending->vdi.disk);
        history_arm(w->h, 30);
        history_say(w->h, "%s %s of %s%s", is_snapshot ? "snapshot" : "clone", pending->vdi.name, vdi->name,
                    vdi->chain ? ", which is open" : "");
        e = is_snapshot ? sr_vdi_snapshot(w->sr, &vdi->uuid, &options, &uuid, note)
                        : sr_vdi_clone(w->sr, &vdi->uuid, &options, &uuid, note);
        w->h->count.snapshots += !e;
        return made(w, e, &uuid, note);
}

static enum err snapshot(struct world *w, struct err_note *note) {
        return fork_vdi(w, some_vdi(w), true, note);
}

static enum err clone_vdi(struct world *w, struct err_note *note) {
        return fork_vdi(w, some_vdi(w), false, note);
}

static void set_pending(struct world *w, enum pending_kind kind, const struct model_vdi *vdi) {
        w->pending = (struct pending){.kind = kind, .vdi = {.uuid = vdi->uuid}};
}

static enum err delete_one(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        bool is_done;

        if (!vdi || vdi->chain || !uuid_is_null(&vdi->lease))
                return ERR_NONE;
        set_pending(w, PENDING_DELETE, vdi);
        history_say(w->h, "delete %s", vdi->name);
        if (world_ended(w, sr_vdi_delete(w->sr, &vdi->uuid, note), &is_done, note))
                return note->code;
        if (is_done) {
                model_vdi_drop(w, vdi);
                pending_end(w);
        }
        return ERR_NONE;
}

static enum err delete_vdi(struct world *w, struct err_note *note) {
        return delete_one(w, some_vdi(w), note);
}

/* A snapshot that comes and goes leaves a hidden layer: of these are the runs made. */
static enum err add_layer(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi(w);
        uint64_t n_snapshots = w->h->count.snapshots;
        size_t n = w->vdis.n;

        if (!is_writable(w, vdi))
                return ERR_NONE;
        if (fork_vdi(w, vdi, true, note))
                return note->code;
        if (w->h->count.snapshots == n_snapshots || w->vdis.n <= n)
                return ERR_NONE;
        return delete_one(w, w->vdis.data[w->vdis.n - 1], note);
}

static enum err revert(struct world *w, struct err_note *note) {
        struct model_vdi *snapshot = some_vdi(w), *vdi;
        bool is_done;

        vdi = snapshot && snapshot->is_snapshot ? model_vdi_find(w, &snapshot->snapshot_of) : NULL;
        if (!vdi || vdi->chain || !is_writable(w, vdi) || !uuid_is_null(&vdi->lease))
                return ERR_NONE;
        set_pending(w, PENDING_REVERT, vdi);
        w->pending.snapshot = snapshot->uuid;
        history_say(w->h, "revert %s to %s", vdi->name, snapshot->name);
        if (world_ended(w, sr_vdi_revert(w->sr, &vdi->uuid, &snapshot->uuid, note), &is_done, note))
                return note->code;
        if (is_done) {
                model_fini(&vdi->disk);
                model_copy(&snapshot->disk, &vdi->disk);
                pending_end(w);
        }
        return ERR_NONE;
}

static enum err resize(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi(w);
        bool is_done;
        uint64_t size;

        if (!is_writable(w, vdi) || vdi->chain || vdi->disk.size >= BLOCKS_MAX * MODEL_BLOCK)
                return ERR_NONE;
        size = vdi->disk.size + (1 + history_roll(w->h, 2 * MODEL_BLOCK_SECTORS)) * SECTOR;
        size = min_u64(size, BLOCKS_MAX * MODEL_BLOCK);
        set_pending(w, PENDING_RESIZE, vdi);
        w->pending.size = size;
        history_say(w->h, "resize %s from %" PRIu64 " to %" PRIu64, vdi->name, vdi->disk.size, size);
        if (world_ended(w, sr_vdi_resize(w->sr, &vdi->uuid, size, note), &is_done, note))
                return note->code;
        if (is_done) {
                model_grow(&vdi->disk, size);
                pending_end(w);
        }
        return ERR_NONE;
}

static enum err rename_vdi(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi(w);
        struct vdi_settings settings = {.name = w->pending.vdi.name};
        bool is_done;

        if (!vdi)
                return ERR_NONE;
        set_pending(w, PENDING_RENAME, vdi);
        new_name(w, w->pending.vdi.name);
        history_say(w->h, "rename %s to %s", vdi->name, w->pending.vdi.name);
        if (world_ended(w, sr_vdi_set(w->sr, &vdi->uuid, &settings, note), &is_done, note))
                return note->code;
        if (is_done) {
                memcpy(vdi->name, w->pending.vdi.name, VDI_NAME_SIZE);
                pending_end(w);
        }
        return ERR_NONE;
}

/* Not of a disk that is open: but whatever moves in it ends for this. */
static enum err ask_in_vain(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi_in_use(w);
        static const char *const verbs[] = {"resize", "delete", "read"};
        unsigned verb = (unsigned)history_roll(w->h, 3);
        struct chain *chain;
        bool is_done;
        enum err e;

        if (!vdi || !vdi->chain || !is_writable(w, vdi))
                return ERR_NONE;
        history_say(w->h, "%s %s, which is open", verbs[verb], vdi->name);
        if (verb == 2)
                e = sr_open_chain(w->sr, &vdi->uuid, CHAIN_READ, &chain, note);
        else
                e = verb == 1 ? sr_vdi_delete(w->sr, &vdi->uuid, note)
                              : sr_vdi_resize(w->sr, &vdi->uuid, vdi->disk.size + SECTOR, note);
        if (!e)
                return err_set(note, ERR_MISMATCH, "%s of an open VDI was done", verbs[verb]);
        return world_ended(w, e == ERR_BUSY ? ERR_NONE : e, &is_done, note);
}

/* ---- leases ---- */

static enum err end_lease(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        bool is_done;

        history_say(w->h, "end the lease of %s", vdi->name);
        w->ending = vdi->lease;
        if (world_ended(w, sr_lease_end(w->sr, &vdi->lease, note), &is_done, note))
                return note->code;
        if (is_done)
                vdi->lease = w->ending = (struct uuid){0};
        return ERR_NONE;
}

/* Mostly one that is leased already: a lease is not for long. */
static struct model_vdi *some_vdi_to_lease(struct world *w) {
        if (history_chance(w->h, 80))
                VEC_EACH (&w->vdis, each)
                        if (!uuid_is_null(&(*each)->lease))
                                return *each;
        return some_vdi_in_use(w);
}

static enum err lease_or_end(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi_to_lease(w);
        struct uuid lease;
        bool is_done;

        if (!vdi)
                return ERR_NONE;
        if (!uuid_is_null(&vdi->lease))
                return end_lease(w, vdi, note);
        history_say(w->h, "lease %s", vdi->name);
        if (world_ended(w, sr_lease(w->sr, &vdi->uuid, "test", "history", &lease, note), &is_done, note))
                return note->code;
        if (is_done)
                vdi->lease = lease;
        return ERR_NONE;
}

static enum err end_leases(struct world *w, struct err_note *note) {
        VEC_EACH (&w->vdis, each)
                if (!uuid_is_null(&(*each)->lease) && end_lease(w, *each, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- one VDI ---- */

static enum err open_vdi(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        bool is_done;

        history_say(w->h, "open %s", vdi->name);
        return world_ended(w,
                           sr_open_chain(w->sr, &vdi->uuid, is_writable(w, vdi) ? CHAIN_WRITE : CHAIN_READ,
                                         &vdi->chain, note),
                           &is_done, note);
}

static enum err close_vdi(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi(w);
        bool is_done;

        if (!vdi || !vdi->chain)
                return ERR_NONE;
        history_say(w->h, "close %s", vdi->name);
        if (world_ended(w, sr_close_chain(w->sr, TAKE(vdi->chain), note), &is_done, note))
                return note->code;
        if (is_done)
                model_flushed(&vdi->disk);
        return ERR_NONE;
}

static enum err change_failed(struct world *w, struct model_vdi *vdi, struct history_range range,
                              struct err_note *note) {
        history_disarm(w->h);
        if (!atomic_load(&chain_layer(vdi->chain, 0)->has_failed))
                return history_look(vdi->chain, &vdi->disk, MODEL_SETTLE, range, note);
        sr_abandon_chain(w->sr, TAKE(vdi->chain));
        if (sr_open_chain(w->sr, &vdi->uuid, CHAIN_WRITE, &vdi->chain, note))
                return note->code;
        return history_look_at_all(vdi->chain, &vdi->disk, MODEL_RESTARTED, note);
}

/* data NULL: it was a trim. */
static enum err changed(struct world *w, struct model_vdi *vdi, enum err e, const uint8_t *data,
                        struct history_range range, struct err_note *note) {
        enum history_end end = history_ended(w->h, e, note);

        if (end == HISTORY_VIOLATED)
                return err_wrap(note, "a change failed");
        if (end == HISTORY_DONE || (data && end == HISTORY_DECLINED)) {
                model_write(&vdi->disk, data, range.n, range.at);
                return ERR_NONE;
        }
        model_may_write(&vdi->disk, data, range.n, range.at);
        return end == HISTORY_DIED ? come_back_after_death(w, note) : change_failed(w, vdi, range, note);
}

static enum err flush_vdi(struct world *w, struct model_vdi *vdi, struct err_note *note) {
        bool is_done;

        history_say(w->h, "flush %s", vdi->name);
        if (world_ended(w, chain_flush(vdi->chain, note), &is_done, note))
                return note->code;
        if (is_done)
                model_flushed(&vdi->disk);
        return ERR_NONE;
}

static enum err use_vdi(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi_in_use(w);
        AUTO_FREE uint8_t *data = NULL;
        struct history_range range;

        if (!vdi)
                return ERR_NONE;
        if (!vdi->chain)
                return open_vdi(w, vdi, note);
        range = history_range(w->h, vdi->disk.size, false);
        if (!is_writable(w, vdi))
                history_disarm(w->h);
        if (!is_writable(w, vdi))
                return history_look_at_all(vdi->chain, &vdi->disk, MODEL_STRICT, note);
        if (!model_has_room(&vdi->disk, range.n, range.at) || history_chance(w->h, 12))
                return flush_vdi(w, vdi, note);
        w->h->count.live_changes += chain_is_moving(vdi->chain);
        if (history_chance(w->h, 20)) {
                history_say(w->h, "trim %s: %" PRIu64 " at %" PRIu64, vdi->name, range.n, range.at);
                return changed(w, vdi, chain_trim(vdi->chain, range.n, range.at, note), NULL, range, note);
        }
        data = history_fill(w->h, range);
        history_say(w->h, "write %s: %" PRIu64 " at %" PRIu64 ": generation %" PRIu64, vdi->name, range.n,
                    range.at, w->h->generation);
        return changed(w, vdi, chain_write(vdi->chain, data, range.n, range.at, note), data, range, note);
}

static enum err look_at_one(struct world *w, struct err_note *note) {
        struct model_vdi *vdi = some_vdi(w);
        struct chain *chain;
        enum err e;

        history_disarm(w->h);
        if (!vdi)
                return ERR_NONE;
        if (vdi->chain)
                return history_look_at_all(vdi->chain, &vdi->disk, MODEL_STRICT, note);
        if (sr_open_chain(w->sr, &vdi->uuid, CHAIN_READ, &chain, note))
                return note->code;
        e = history_look_at_all(chain, &vdi->disk, model_is_durable(&vdi->disk) ? MODEL_STRICT : MODEL_PEEK,
                                note);
        if (!e)
                return sr_close_chain(w->sr, chain, note);
        sr_abandon_chain(w->sr, chain);
        return err_wrap(note, "VDI %s", vdi->name);
}

/* ---- the SR ---- */

static enum err collect_some(struct world *w, struct err_note *note) {
        unsigned n;
        uint64_t bytes;
        bool is_done;

        history_say(w->h, "garbage");
        if (world_ended(w, sr_garbage(w->sr, &n, &bytes, NULL, note), &is_done, note))
                return note->code;
        history_disarm(w->h);
        return is_done && w->running.n == 0 ? model_check_files(w, note) : ERR_NONE;
}

static enum err reopen(struct world *w, struct err_note *note) {
        history_disarm(w->h);
        history_say(w->h, "close and open the SR");
        VEC_EACH (&w->vdis, each) {
                if ((*each)->chain && sr_close_chain(w->sr, TAKE((*each)->chain), note))
                        return err_wrap(note, "close %s", (*each)->name);
                model_flushed(&(*each)->disk);
        }
        close_sr(w);
        return come_back(w, note);
}

static enum err fall(struct world *w, struct err_note *note) {
        return come_back_after_death(w, note);
}

static const struct {
        operation run;
        unsigned weight;
} operations[] = {
        {create, 4},
        {snapshot, 5},
        {clone_vdi, 3},
        {delete_vdi, 9},
        {add_layer, 12},
        {revert, 4},
        {resize, 2},
        {rename_vdi, 2},
        {ask_in_vain, 2},
        {lease_or_end, 4},
        {collect_some, 2},
        {look_at_one, 10},
        {close_vdi, 6},
        {reopen, 1},
        {fall, 1},
        {use_vdi, 80},
        {history_coalesce_begin, 20},
        {history_coalesce_step, 30},
        {history_coalesce_end, 1},
        {history_gc_step, 20},
        {history_gc_end, 1},
};

static operation some_operation(struct history *h) {
        unsigned all = 0, roll;

        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
                all += operations[i].weight;
        roll = (unsigned)history_roll(h, all);
        for (size_t i = 0;; i++) {
                if (roll < operations[i].weight)
                        return operations[i].run;
                roll -= operations[i].weight;
        }
}

/* In the end all is deleted, and nothing may be left. */
static enum err delete_all(struct world *w, struct err_note *note) {
        history_disarm(w->h);
        if (reopen(w, note) || end_leases(w, note))
                return note->code;
        while (w->vdis.n > 0) {
                struct model_vdi *vdi = some_vdi(w);

                history_say(w->h, "delete %s, as all", vdi->name);
                if (sr_vdi_delete(w->sr, &vdi->uuid, note))
                        return note->code;
                model_vdi_drop(w, vdi);
        }
        return collect(w, note);
}

static enum err run(struct world *w, struct err_note *note) {
        for (; w->h->n_done < w->h->n_wanted; w->h->n_done++, w->h->count.ops++) {
                history_arm(w->h, 5);
                if (some_operation(w->h)(w, note) || history_coalesces_check(w, note) || mend_chains(w, note))
                        return note->code;
        }
        return delete_all(w, note);
}

static enum err begin(struct world *w, struct err_note *note) {
        static const unsigned lacks[] = {0, 0, 0, IO_SIM_NO_LINK};
        struct uuid unused;

        w->images = (struct images_options){.growth_bytes = history_chance(w->h, 50) ? 4 * MIB : 9 * MIB};
        io_sim_set_lacks(w->h->io, lacks[history_roll(w->h, 4)]);
        if (sr_create(w->h->io, DIR, "main", NULL, &unused, note) || open_sr(w, note))
                return note->code;
        return ERR_NONE;
}

enum err history_sr(struct history *h, struct err_note *note) {
        struct world *w = mem_new(struct world);
        enum err e;

        w->h = h;
        h->has_verbs = true;
        e = begin(w, note);
        if (!e)
                e = run(w, note);
        close_sr(w);
        pending_end(w);
        while (w->vdis.n > 0)
                model_vdi_drop(w, w->vdis.data[0]);
        vec_fini(&w->vdis);
        vec_fini(&w->running);
        free(w);
        return e;
}
