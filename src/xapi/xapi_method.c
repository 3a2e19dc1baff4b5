// SPDX-License-Identifier: Apache-2.0
#include "xapi_method.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "vec.h"
#include "xapi_fields.h"

static const struct xapi_method *const tables[] = {
        xapi_session_methods, xapi_event_methods, xapi_task_methods, xapi_host_methods,
        xapi_message_methods, xapi_sr_methods,    xapi_vdi_methods,  xapi_vdi_copy_methods,
        xapi_cbt_methods,     xapi_vif_methods,   xapi_vm_methods,   xapi_vm_field_methods,
        xapi_vbd_methods,
};

enum { N_TABLES = sizeof tables / sizeof *tables };

/* Classes that have methods, but no objects. */
static const char *const other_classes[] = {"event", "system"};

unsigned xapi_method_n_params(const struct xapi_method *method) {
        unsigned n = 0;

        while (method->params && method->params[n].field.name)
                n++;
        return n;
}

unsigned xapi_method_n_needed(const struct xapi_method *method) {
        unsigned n = 0;

        while (method->params && method->params[n].field.name && !(method->params[n].flags & XAPI_OPTIONAL))
                n++;
        return n;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The longest class whose name stands in front, followed by an underscore: VM_metrics, not VM. */
static size_t class_length(const char *name) {
        size_t longest = 0;

        for (unsigned i = 0; i < XAPI_N_CLASSES + sizeof other_classes / sizeof *other_classes; i++) {
                const char *class =
                        i < XAPI_N_CLASSES ? xapi_classes[i].name : other_classes[i - XAPI_N_CLASSES];
                size_t n = strlen(class);

                if (n > longest && strncmp(name, class, n) == 0 && name[n] == '_')
                        longest = n;
        }
        return longest;
}

/* "task_create" is "task.create". */
static void with_dot(const char *name, char ret[XAPI_NAME_MAX]) {
        size_t n;

        snprintf(ret, XAPI_NAME_MAX, "%s", name);
        if (strchr(ret, '.'))
                return;
        n = class_length(ret);
        if (n)
                ret[n] = '.';
}

static const struct xapi_method *find_declared(const char *name) {
        for (unsigned t = 0; t < N_TABLES; t++)
                for (const struct xapi_method *method = tables[t]; method->name; method++)
                        if (strcmp(method->name, name) == 0)
                                return method;
        return NULL;
}

/* As it is written in the table: names are told apart by case. */
static enum xapi_class_id find_class(const char *name, size_t n) {
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                if (strlen(xapi_classes[i].name) == n && strncmp(xapi_classes[i].name, name, n) == 0)
                        return i;
        return XAPI_N_CLASSES;
}

static struct xapi_target find_implicit(const char *name) {
        struct xapi_target target = {.class = XAPI_N_CLASSES};
        const char *dot = strchr(name, '.');

        if (!dot)
                return target;
        target.class = find_class(name, (size_t)(dot - name));
        if (target.class != XAPI_N_CLASSES)
                target.method = xapi_fields_find(target.class, dot + 1, &target.field);
        return target;
}

struct xapi_target xapi_method_find(const char *name) {
        struct xapi_target target = {.class = XAPI_N_CLASSES};
        char dotted[XAPI_NAME_MAX];

        if (strlen(name) >= XAPI_NAME_MAX)
                return target;
        if (text_starts_with(name, "Async.")) {
                with_dot(name + strlen("Async."), dotted);
                target.method = find_declared(dotted);
                target.is_async = true;
                if (target.method && (target.method->flags & (XAPI_NOW | XAPI_SESSIONLESS)))
                        target.method = NULL;
                return target;
        }
        with_dot(name, dotted);
        target.method = find_declared(dotted);
        return target.method ? target : find_implicit(dotted);
}

/* ---- the list -------------------------------------------------------------------------------- */

struct names {
        VEC(char *) list; /* owned, and each name */
};

static void add_name(void *user, const char *name) {
        struct names *names = user;

        *vec_add(&names->list) = mem_text(name);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_declared(struct names *names) {
        for (unsigned t = 0; t < N_TABLES; t++)
                for (const struct xapi_method *method = tables[t]; method->name; method++) {
                        AUTO_FREE char *async = mem_format("Async.%s", method->name);

                        add_name(names, method->name);
                        if (!(method->flags & (XAPI_NOW | XAPI_SESSIONLESS)))
                                add_name(names, async);
                }
}

json_t *xapi_method_list(void) {
        struct names names = {0};
        json_t *list = json_array();
        const char *last = "";

        add_declared(&names);
        for (unsigned i = 0; i < XAPI_N_CLASSES; i++)
                xapi_fields_each(i, add_name, &names);
        qsort(names.list.data, names.list.n, sizeof *names.list.data, compare_names);
        VEC_EACH (&names.list, each) {
                if (strcmp(*each, last) != 0)
                        json_array_append_new(list, json_string(*each));
                last = *each;
        }
        VEC_EACH (&names.list, each)
                free(*each);
        vec_fini(&names.list);
        return list;
}
