// SPDX-License-Identifier: Apache-2.0
#include "xapi_events.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "text.h"
#include "vec.h"

/* ---- which ----------------------------------------------------------------------------------- */

struct xapi_interest {
        bool is_wanted[XAPI_N_CLASSES];
        VEC(struct one_object {
                enum xapi_class_id class;
                struct uuid uuid;
        })
        objects; /* owned */
};

void xapi_interest_free(struct xapi_interest *interest) {
        vec_fini(&interest->objects);
        free(interest);
}

static void want_all(struct xapi_interest *interest) {
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                interest->is_wanted[i] = true;
}

static bool want_one(struct xapi_interest *interest, const char *text, const char *slash) {
        AUTO_FREE char *class = mem_format("%.*s", (int)(slash - text), text);
        struct uuid uuid;

        if (strcmp(slash + 1, "*") == 0 && xapi_class_find(class) != XAPI_N_CLASSES)
                interest->is_wanted[xapi_class_find(class)] = true;
        if (!*class || strchr(slash + 1, '/'))
                return false;
        if (xapi_class_find(class) != XAPI_N_CLASSES && xapi_ref_parse(slash + 1, &uuid)) {
                struct one_object *one = vec_add(&interest->objects);

                one->class = xapi_class_find(class);
                one->uuid = uuid;
        }
        return true;
}

static bool want(struct xapi_interest *interest, const char *text) {
        const char *slash = strchr(text, '/');
        enum xapi_class_id class = xapi_class_find(text);

        if (slash)
                return want_one(interest, text, slash);
        if (strcmp(text, "*") == 0)
                want_all(interest);
        else if (class != XAPI_N_CLASSES)
                interest->is_wanted[class] = true;
        return *text != 0;
}

bool xapi_interest_parse(const json_t *classes, struct xapi_interest **ret, const char **ret_wrong) {
        AUTO(xapi_interest_free) struct xapi_interest *interest = mem_new(struct xapi_interest);
        const json_t *each;
        size_t i;

        json_array_foreach((json_t *)classes, i, each) {
                const char *text = json_string_value(each);

                *ret_wrong = text ? text : "";
                if (!text || !want(interest, text))
                        return false;
        }
        interest->is_wanted[XAPI_SESSION] = false;
        *ret = TAKE(interest);
        return true;
}

bool xapi_interest_has(const struct xapi_interest *interest, enum xapi_class_id class,
                       const struct uuid *uuid) {
        if (class == XAPI_SESSION)
                return false;
        if (interest->is_wanted[class])
                return true;
        VEC_EACH (&interest->objects, one)
                if (one->class == class && uuid_equal(&one->uuid, uuid))
                        return true;
        return false;
}

/* ---- up to where ----------------------------------------------------------------------------- */

struct xapi_token_text xapi_token_text(const struct xapi_token *token) {
        struct xapi_token_text text;

        snprintf(text.s, sizeof text.s, "%020" PRIu64 ",%020" PRIu64, token->generation, token->epoch);
        return text;
}

bool xapi_token_parse(const char *text, struct xapi_token *ret) {
        char generation[21];

        if (strlen(text) != XAPI_TOKEN_SIZE - 1 || text[20] != ',')
                return false;
        memcpy(generation, text, 20);
        generation[20] = 0;
        return text_parse_u64(generation, &ret->generation) && text_parse_u64(text + 21, &ret->epoch);
}

/* ---- what is new ----------------------------------------------------------------------------- */

char *xapi_events_class(enum xapi_class_id class) {
        char *name = mem_text(xapi_classes[class].name);

        for (char *c = name; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        return name;
}

static const char *name_of(enum objects_operation operation) {
        switch (operation) {
        case OBJECT_ADD:
                return "add";
        case OBJECT_MOD:
                return "mod";
        case OBJECT_DEL:
                return "del";
        }
        return "";
}

struct collector {
        const struct xapi_interest *interest; /* borrowed */
        json_t *events;                       /* borrowed; an array */
};

static void collect(void *user, const struct objects_event *event) {
        struct collector *collector = user;
        AUTO_FREE char *class = NULL;
        char id[24];
        json_t *row;

        if (!xapi_interest_has(collector->interest, event->class, &event->uuid))
                return;
        class = xapi_events_class(event->class);
        snprintf(id, sizeof id, "%" PRIu64, event->generation);
        row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "timestamp", "0.0", "class", class,
                        "operation", name_of(event->operation), "ref", xapi_ref_of(&event->uuid).s,
                        "obj_uuid", uuid_format(&event->uuid).s);
        if (event->record)
                json_object_set(row, "snapshot", event->record);
        json_array_append_new(collector->events, row);
}

enum err xapi_events_since(struct objects *objects, const struct xapi_interest *interest, uint64_t generation,
                           json_t **ret, uint64_t *ret_now, struct err_note *note) {
        struct collector collector = {.interest = interest, .events = json_array()};

        if (objects_since(objects, generation, collect, &collector, ret_now, note)) {
                json_decref(collector.events);
                return note->code;
        }
        *ret = collector.events;
        return ERR_NONE;
}

json_t *xapi_events_counts(struct objects *objects) {
        json_t *counts = json_object();

        for (unsigned i = 0; i < XAPI_N_CLASSES; i++) {
                AUTO_FREE char *class = xapi_events_class(i);

                if (i != XAPI_SESSION)
                        json_object_set_new(counts, class,
                                            json_integer((json_int_t)objects_count(objects, i)));
        }
        return counts;
}
