// SPDX-License-Identifier: Apache-2.0
/* What was found damaged in a vault. */
#include <stdlib.h>

#include "mem.h"
#include "vault_member.h"
#include "vault_pack.h"

int vault_place_compare(const void *a, const void *b) {
        const struct vault_place *of_a = a, *of_b = b;
        int packs = vault_name_compare(&of_a->pack, &of_b->pack);

        return packs ? packs : of_a->number < of_b->number ? -1 : of_a->number > of_b->number;
}

void vault_taint_fini(struct vault_taint *taint) {
        vec_fini(&taint->places);
        vec_fini(&taint->points);
        vec_fini(&taint->instead_of);
}

void vault_taint_sort(struct vault_taint *taint) {
        size_t n = 0;

        if (taint->places.n > 1)
                qsort(taint->places.data, taint->places.n, sizeof *taint->places.data, vault_place_compare);
        VEC_EACH (&taint->places, each) {
                if (n == 0 || vault_place_compare(&taint->places.data[n - 1], each) != 0)
                        taint->places.data[n++] = *each;
        }
        taint->places.n = n;
}

static json_t *packs_of(const struct vault_taint *taint) {
        json_t *packs = json_object();

        VEC_EACH (&taint->places, each) {
                struct vault_name_text text = vault_name_format(&each->pack);
                const char *pack = text.s;
                json_t *numbers = json_object_get(packs, pack);

                if (!numbers) {
                        numbers = each->number == VAULT_WHOLE_PACK ? json_null() : json_array();
                        json_object_set_new(packs, pack, numbers);
                }
                if (each->number == VAULT_WHOLE_PACK)
                        json_object_set_new(packs, pack, json_null());
                else if (json_is_array(numbers))
                        json_array_append_new(numbers, json_integer(each->number));
        }
        return packs;
}

void vault_taint_encode(const struct vault_taint *taint, struct buf *ret) {
        json_t *body = json_object();

        json_object_set_new(body, "packs", packs_of(taint));
        vault_put_names(body, "points", taint->points.data, taint->points.n);
        vault_put_names(body, "instead_of", taint->instead_of.data, taint->instead_of.n);
        vault_body_add(body, ret);
}

static enum err take_numbers(const char *pack, const json_t *numbers, struct vault_taint *ret,
                             struct err_note *note) {
        struct vault_place place = {.number = VAULT_WHOLE_PACK};
        json_t *each;
        size_t i;

        if (!vault_name_parse(pack, &place.pack))
                return err_set(note, ERR_CORRUPT, "\"packs\": what should be a name is none");
        if (json_is_null(numbers))
                *vec_add(&ret->places) = place;
        else if (!json_is_array(numbers))
                return err_set(note, ERR_CORRUPT, "\"packs\": of %s: neither null nor numbers", pack);
        json_array_foreach(numbers, i, each) {
                if (!json_is_integer(each) || json_integer_value(each) < 0 ||
                    json_integer_value(each) >= VAULT_PACK_BLOBS_MAX)
                        return err_set(note, ERR_CORRUPT, "\"packs\": of %s: %zu is no number of a blob",
                                       pack, i);
                place.number = (uint32_t)json_integer_value(each);
                *vec_add(&ret->places) = place;
        }
        return ERR_NONE;
}

static enum err take_packs(const json_t *body, struct vault_taint *ret, struct err_note *note) {
        json_t *packs, *numbers;
        const char *pack;

        if (vault_take_object(body, "packs", &packs, note))
                return note->code;
        json_object_foreach(packs, pack, numbers) {
                if (take_numbers(pack, numbers, ret, note))
                        return note->code;
        }
        vault_taint_sort(ret);
        return ERR_NONE;
}

enum err vault_taint_decode(struct span text, struct vault_taint *ret, struct err_note *note) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note) || take_packs(body, &taint, note) ||
            vault_take_names(body, "points", &taint.points.data, &taint.points.n, note) ||
            vault_take_names(body, "instead_of", &taint.instead_of.data, &taint.instead_of.n, note))
                return err_wrap(note, "taint");
        taint.points.room = taint.points.n;
        taint.instead_of.room = taint.instead_of.n;
        *ret = taint;
        taint = (struct vault_taint){0};
        return ERR_NONE;
}
