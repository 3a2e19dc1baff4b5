// SPDX-License-Identifier: Apache-2.0
/* What is needed of packs that are nearly empty is put into new ones; the old ones then go as all do of which
 * copies are elsewhere.  Whoever repacks is a writer like any other, but that he makes no point. */
#include <stdlib.h>

#include "mem.h"
#include "node_reader.h"
#include "pack_writer.h"
#include "press.h"
#include "prune_inside.h"
#include "session.h"

/* What is copied at once: it has to be in memory, as a list.  The rest is the next prune's. */
enum { BLOBS_MAX = 1 << 20 };

struct repack {
        struct prune *prune;           /* borrowed */
        struct blobs_excluded packs;   /* owned; sorted */
        VEC(struct blob_place) places; /* owned; by pack and place, each id once */
        struct session session;
        bool is_in_session;
        struct known *known;        /* owned */
        struct pack_writer *writer; /* owned */
        struct blob_reader *reader; /* owned */
        struct press *press;        /* owned */
        uint8_t *content, *pressed; /* owned; of one blob */
};

static void repack_fini(struct repack *repack) {
        struct err_note ignored;

        if (repack->is_in_session) {
                (void)!session_end(&repack->session, &ignored); /* else a pruner finds out by waiting */
                session_fini(&repack->session);
        }
        vec_fini(&repack->packs.packs);
        vec_fini(&repack->places);
        pack_writer_free_auto(&repack->writer);
        known_free_auto(&repack->known);
        blob_reader_free_auto(&repack->reader);
        press_free_auto(&repack->press);
        free(repack->content);
        free(repack->pressed);
}
DEFINE_AUTO_IN_PLACE(struct repack, repack_fini);

/* ---- choosing ---- */

/* Worth it: much of it goes, and what stays is nowhere else. */
bool prune_is_sparse(const struct prune *prune, const struct blob_marks_pack *pack) {
        return pack->row->is_listed && pack->n_only > 0 &&
               pack->bytes_marked * 100 < pack->bytes * prune->options.fill;
}

static enum err note_place(void *user, const struct blob_marks_blob *blob, struct err_note *note) {
        struct repack *repack = user;

        (void)note;
        *vec_add(&repack->places) = (struct blob_place){
                .pack = blob->row, .number = blob->number, .at = blob->at, .blob = blob->blob};
        return ERR_NONE;
}

/* What a prune that died doomed, and somebody needs, counts for no writer and would stay so for ever: it is
 * copied, too, and then it goes. */
static bool is_wanted(const struct repack *repack, const struct prune_dooms *dooms,
                      const struct vault_sessions *now, const struct blob_marks_pack *pack) {
        const struct vault_index_pack *of = &pack->row->pack;
        const struct vault_sessions_row *session = vault_sessions_find(now, &of->head.session);

        VEC_EACH (&dooms->list, doom)
                VEC_EACH (&doom->doom.packs, each)
                        if (vault_name_compare(each, &of->head.name) == 0)
                                return pack->row->is_listed && pack->n_only > 0;
        return prune_is_sparse(repack->prune, pack) && (!session || !vault_sessions_row_is_live(session));
}

static void choose_packs(struct repack *repack, struct needs *needs, const struct prune_dooms *dooms,
                         const struct vault_sessions *now) {
        uint64_t n_blobs = 0;
        size_t n;
        const struct blob_marks_pack *packs = blob_marks_packs(needs_marks(needs), &n);

        for (size_t i = 0; i < n; i++) {
                if (!is_wanted(repack, dooms, now, &packs[i]) || n_blobs + packs[i].n_marked > BLOBS_MAX)
                        continue;
                n_blobs += packs[i].n_marked;
                *vec_add(&repack->packs.packs) = packs[i].row->pack.head.name; /* they come in order */
        }
}

static int compare_ids(const void *a, const void *b) {
        return vault_id_compare(&((const struct blob_place *)a)->blob.id,
                                &((const struct blob_place *)b)->blob.id);
}

static int compare_places(const void *a, const void *b) {
        const struct blob_place *x = a, *y = b;
        int order = vault_name_compare(&x->pack->pack.head.name, &y->pack->pack.head.name);

        return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void sort_places(struct repack *repack) {
        size_t n = 0;

        if (repack->places.n < 2)
                return;
        qsort(repack->places.data, repack->places.n, sizeof *repack->places.data, compare_ids);
        for (size_t i = 0; i < repack->places.n; i++)
                if (i == 0 || compare_ids(&repack->places.data[i], &repack->places.data[n - 1]) != 0)
                        repack->places.data[n++] = repack->places.data[i];
        repack->places.n = n;
        qsort(repack->places.data, n, sizeof *repack->places.data, compare_places);
}

static enum err choose(struct repack *repack, struct err_note *note) {
        struct prune *prune = repack->prune;
        AUTO(prune_manifests_fini) struct prune_manifests manifests = {0};
        AUTO(prune_dooms_fini) struct prune_dooms dooms = {0};
        AUTO(vault_sessions_fini) struct vault_sessions now = {0};
        static const struct vault_name no_doom;
        AUTO(needs_free) struct needs *needs = NULL;
        const struct blobs_excluded none = {0};
        enum prune_lacks lacks;

        if (prune_load_dooms(prune->vault, &no_doom, &dooms, note) ||
            prune_load_manifests(prune->vault, &prune->drops, &manifests, note) ||
            blobs_refresh(prune->vault->blobs, &none, note) ||
            prune_walk(prune, &manifests, false, &needs, &lacks, note) ||
            vault_sessions_list(prune->vault, &now, note))
                return note->code;
        if (lacks == PRUNE_LACKS_SEALED) /* it is listed later: so is this */
                return ERR_NONE;
        choose_packs(repack, needs, &dooms, &now);
        if (repack->packs.packs.n > 0 &&
            blob_marks_each(needs_marks(needs), &repack->packs, note_place, repack, note))
                return note->code;
        sort_places(repack);
        return ERR_NONE;
}

/* ---- copying ---- */

static enum err begin(struct repack *repack, struct err_note *note) {
        struct vault *vault = repack->prune->vault;
        struct pack_writer_options writer = {.vault = vault};
        size_t most = vault->config.chunk > VAULT_NODE_SIZE ? vault->config.chunk : VAULT_NODE_SIZE;

        VEC_EACH (&repack->places, each)
                most = each->blob.length > most ? each->blob.length : most;
        if (session_begin(vault, VAULT_SESSION_WRITE, &repack->session, note))
                return note->code;
        repack->is_in_session = true;
        repack->known = known_new(vault->blobs);
        repack->reader = blob_reader_new(vault->blobs);
        repack->press = press_new(&vault->config);
        repack->content = mem_aligned(4096, most);
        repack->pressed = mem_aligned(4096, most);
        writer.known = repack->known;
        writer.session = repack->session.name;
        return pack_writer_new(&writer, &repack->writer, note);
}

/* Read as one who restores reads it: what is damaged is not copied as if it were not. */
static enum err copy_one(struct repack *repack, const struct blob_place *place, struct err_note *note) {
        const struct vault_pack_entry *entry = &place->blob;
        struct pack_writer_blob blob = {.id = entry->id, .length = entry->length, .codec = VAULT_ZSTD};
        enum err failed = blob_read(repack->reader, place, true, repack->content, note);

        if (failed == ERR_NOT_FOUND)
                return err_set(note, ERR_BUSY,
                               "pack %s went meanwhile: another prune is at work, try again later",
                               vault_name_format(&place->pack->pack.head.name).s);
        if (failed)
                return err_wrap(note, "copy what is needed of pack %s",
                                vault_name_format(&place->pack->pack.head.name).s);
        if (entry->type == VAULT_NODE)
                return pack_writer_node(repack->writer, entry->level, &entry->id,
                                        (const struct vault_id *)(const void *)repack->content, note);
        blob.n = press_bytes(repack->press, repack->content, entry->length, repack->pressed);
        blob.data = repack->pressed;
        if (blob.n == 0)
                blob = (struct pack_writer_blob){entry->id, repack->content, entry->length, VAULT_AS_IS,
                                                 entry->length};
        return pack_writer_chunk(repack->writer, &blob, note);
}

static enum err copy(struct repack *repack, struct err_note *note) {
        bool is_idle;

        VEC_EACH (&repack->places, place)
                if (prune_tick(repack->prune, note) || session_beat(&repack->session, note) ||
                    copy_one(repack, place, note))
                        return note->code;
        if (pack_writer_flush(repack->writer, note) ||
            pack_writer_wait(repack->writer, UINT64_MAX, &is_idle, note) ||
            pack_writer_index(repack->writer, note))
                return note->code;
        repack->prune->report.n_repacked = repack->packs.packs.n;
        repack->prune->report.repacked = pack_writer_count(repack->writer).stored;
        return ERR_NONE;
}

enum err prune_repack(struct prune *prune, struct err_note *note) {
        AUTO(repack_fini) struct repack repack = {.prune = prune};

        if (prune->options.fill == 0 || !keyring_can_write(prune->vault->keyring))
                return ERR_NONE;
        if (choose(&repack, note))
                return note->code;
        if (repack.places.n == 0)
                return ERR_NONE;
        return begin(&repack, note) ? note->code : copy(&repack, note);
}
