// SPDX-License-Identifier: Apache-2.0
#include "nbd_context.h"

#include <assert.h>
#include <stdio.h>

static const char allocation[] = "base:allocation";
static const char changed[] = "catena:changed:";

struct nbd_context_name nbd_context_name(const struct nbd_context *context) {
        struct nbd_context_name name;

        if (context->kind == NBD_CONTEXT_ALLOCATION)
                snprintf(name.s, sizeof name.s, "%s", allocation);
        else
                snprintf(name.s, sizeof name.s, "%s%s", changed, uuid_format(&context->snapshot).s);
        return name;
}

static bool is_text(struct span text, const char *want) {
        return text.n == strlen(want) && memcmp(text.data, want, text.n) == 0;
}

struct nbd_query nbd_query_parse(struct span text) {
        struct nbd_query query = {.kind = NBD_QUERY_ONE};
        char uuid[UUID_TEXT_SIZE] = {0};
        size_t before = strlen(changed);

        if (is_text(text, "base:"))
                return (struct nbd_query){.kind = NBD_QUERY_ALL_BASE};
        if (is_text(text, "catena:") || is_text(text, changed))
                return (struct nbd_query){.kind = NBD_QUERY_ALL_CHANGED};
        if (is_text(text, allocation))
                return query;
        if (text.n != before + sizeof uuid - 1 || memcmp(text.data, changed, before) != 0)
                return (struct nbd_query){.kind = NBD_QUERY_NOTHING};
        memcpy(uuid, text.data + before, sizeof uuid - 1);
        query.one.kind = NBD_CONTEXT_CHANGED;
        return uuid_parse(uuid, &query.one.snapshot) ? query : (struct nbd_query){.kind = NBD_QUERY_NOTHING};
}

struct nbd_query nbd_query_take(struct span *queries) {
        struct span text;
        be32 n;

        assert(queries->n >= sizeof n);
        memcpy(&n, queries->data, sizeof n);
        text = (struct span){queries->data + sizeof n, be32_get(n)};
        assert(text.n <= queries->n - sizeof n);
        queries->data += sizeof n + text.n;
        queries->n -= sizeof n + text.n;
        return nbd_query_parse(text);
}
