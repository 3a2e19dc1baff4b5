// SPDX-License-Identifier: Apache-2.0
/* Options: each is answered before the next is heard, however long the disk takes to open. */
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "nbd_guest_inside.h"
#include "text.h"

static void say(struct nbd_guest *guest, const uint8_t *reply, size_t n) {
        buf_add(&guest->talk, reply, n);
}

/* ---- patience -------------------------------------------------------------------------------- */

enum { LOOK_AGAIN_NS = 1000000000 };

static uint64_t now_ns(const struct nbd_guest *guest) {
        return io_now_ns(loop_io(guest->house.loop));
}

static uint64_t begin_ns(const struct nbd_guest *guest) {
        return guest->house.begin_ns ? guest->house.begin_ns : NBD_BEGIN_NS;
}

static void drop(struct nbd_guest *guest) {
        AUTO_FREE char *text = mem_format("%s has not chosen an export in %s: dropped", guest->peer,
                                          text_duration(begin_ns(guest)).s);

        guest->house.log(guest->house.user, text);
        nbd_guest_go(guest);
}

static void on_patience(void *user);

static void wait_to_begin(struct nbd_guest *guest, uint64_t ns) {
        guest->patience = loop_after(guest->house.loop, ns, on_patience, guest);
}

static void on_patience(void *user) {
        struct nbd_guest *guest = user;
        uint64_t now = now_ns(guest);

        guest->patience = NULL;
        if (guest->state != GUEST_TALKING && guest->state != GUEST_SECURING)
                return;
        if (guest->is_asking)
                wait_to_begin(guest, LOOK_AGAIN_NS);
        else if (now < guest->begin_by_ns)
                wait_to_begin(guest, guest->begin_by_ns - now);
        else
                drop(guest);
}

void nbd_guest_stop_patience(struct nbd_guest *guest) {
        if (guest->patience)
                loop_cancel(TAKE(guest->patience));
}

void nbd_guest_greet(struct nbd_guest *guest) {
        uint8_t greeting[sizeof(struct nbd_greeting_wire)];

        nbd_put_greeting(greeting);
        guest->begin_by_ns = now_ns(guest) + begin_ns(guest);
        wait_to_begin(guest, begin_ns(guest));
        say(guest, greeting, sizeof greeting);
        nbd_guest_pump(guest);
}

void nbd_guest_refuse_option(struct nbd_guest *guest, const struct nbd_refusal *refusal) {
        uint8_t reply[NBD_OPTION_REPLY_MAX];

        say(guest, reply, nbd_put_refusal(refusal, reply));
}

static void say_ack(struct nbd_guest *guest, uint32_t option) {
        uint8_t reply[NBD_OPTION_REPLY_MAX];

        say(guest, reply, nbd_put_ack(option, reply));
}

static struct span span_of_text(const char *text) {
        return (struct span){(const uint8_t *)text, strlen(text)};
}

/* ---- contexts -------------------------------------------------------------------------------- */

void nbd_guest_forget_contexts(struct nbd_guest *guest) {
        for (unsigned i = 0; i < guest->n_contexts; i++) {
                if (guest->bases[i])
                        nbd_export_release(guest->house.exports, TAKE(guest->bases[i]));
        }
        guest->n_contexts = 0;
}

static void set_contexts(struct nbd_guest *guest) {
        VEC_EACH (&guest->ask.offers, each) {
                unsigned i = guest->n_contexts;

                if (i == NBD_CONTEXTS_MAX)
                        break;
                guest->bases[i] = TAKE(each->base);
                guest->n_contexts++;
        }
}

static void answer_contexts(struct nbd_guest *guest) {
        bool sets = guest->option == NBD_OPT_SET_META_CONTEXT;
        uint8_t reply[NBD_OPTION_REPLY_MAX];
        uint32_t id = 0;

        if (sets)
                set_contexts(guest);
        VEC_EACH (&guest->ask.offers, each) {
                if (sets && id == guest->n_contexts)
                        break;
                id += sets;
                say(guest, reply, nbd_put_context(guest->option, id, &each->context, reply));
        }
        say_ack(guest, guest->option);
}

/* ---- exports --------------------------------------------------------------------------------- */

static void answer_list(struct nbd_guest *guest) {
        uint8_t reply[NBD_OPTION_REPLY_MAX];

        VEC_EACH (&guest->ask.list.all, each) {
                say(guest, reply,
                    nbd_put_server(span_of_text(each->name), span_of_text(each->description), reply));
        }
        say_ack(guest, guest->option);
}

static void say_infos(struct nbd_guest *guest, const struct nbd_export *export, uint16_t flags) {
        uint8_t reply[NBD_OPTION_REPLY_MAX];

        say(guest, reply, nbd_put_info_export(guest->option, guest->ask.size, flags, reply));
        if (guest->infos & 1u << NBD_INFO_BLOCK_SIZE)
                say(guest, reply, nbd_put_info_block_size(guest->option, reply));
        if (guest->infos & 1u << NBD_INFO_NAME)
                say(guest, reply,
                    nbd_put_info_text(guest->option, NBD_INFO_NAME, span_of_text(guest->ask.name), reply));
        if (guest->infos & 1u << NBD_INFO_DESCRIPTION)
                say(guest, reply,
                    nbd_put_info_text(guest->option, NBD_INFO_DESCRIPTION, span_of_text(export->description),
                                      reply));
        say_ack(guest, guest->option);
}

static void answer_open(struct nbd_guest *guest) {
        struct nbd_export *export = TAKE(guest->ask.export);
        uint16_t flags = nbd_session_flags(guest->ask.is_read_only, guest->wire.has_structured);
        uint8_t reply[NBD_EXPORT_REPLY_MAX];

        if (guest->option == NBD_OPT_EXPORT_NAME)
                say(guest, reply, nbd_put_export(guest->ask.size, flags, guest->wire.no_zeroes, reply));
        else
                say_infos(guest, export, flags);
        if (guest->looked_at)
                nbd_export_release(guest->house.exports, TAKE(guest->looked_at));
        if (guest->option == NBD_OPT_INFO) {
                guest->looked_at = export;
                return;
        }
        guest->export = export;
        guest->session = (struct nbd_session){.size = guest->ask.size,
                                              .flags = flags,
                                              .has_structured = guest->wire.has_structured,
                                              .n_contexts = guest->n_contexts};
        nbd_guest_stop_patience(guest);
        nbd_guest_start(guest);
}

/* ---- asking, answering ----------------------------------------------------------------------- */

static uint32_t refusal_of(enum err failed) {
        if (failed == ERR_NOT_FOUND || failed == ERR_INVALID)
                return NBD_REP_ERR_UNKNOWN;
        return failed == ERR_BUSY || failed == ERR_DENIED ? NBD_REP_ERR_POLICY : NBD_REP_ERR_PLATFORM;
}

/* EXPORT_NAME has no way to say no but to go. */
static void refuse(struct nbd_guest *guest) {
        const struct nbd_ask *ask = &guest->ask;
        struct nbd_refusal refusal = {guest->option, refusal_of(ask->failed), ask->note.text};

        if (ask->failed != ERR_NOT_FOUND && ask->failed != ERR_INVALID)
                guest->house.log(guest->house.user, ask->note.text);
        if (guest->option == NBD_OPT_EXPORT_NAME)
                nbd_guest_go(guest);
        else
                nbd_guest_refuse_option(guest, &refusal);
}

static void on_answered(void *user) {
        struct nbd_guest *guest = user;

        guest->is_asking = false;
        guest->begin_by_ns += now_ns(guest) - guest->asked_ns;
        if (guest->state == GUEST_TALKING && guest->ask.failed)
                refuse(guest);
        else if (guest->state == GUEST_TALKING && guest->ask.kind == NBD_ASK_LIST)
                answer_list(guest);
        else if (guest->state == GUEST_TALKING && guest->ask.kind == NBD_ASK_OPEN)
                answer_open(guest);
        else if (guest->state == GUEST_TALKING)
                answer_contexts(guest);
        nbd_ask_fini(guest->house.exports, &guest->ask);
        nbd_guest_pump(guest);
        nbd_guest_listen(guest);
        nbd_guest_settle(guest);
}

static void post_answered(struct nbd_ask *ask) {
        struct nbd_guest *guest = ask->user;

        loop_post(guest->house.loop, on_answered, guest);
}

static void ask_exports(struct nbd_guest *guest, enum nbd_ask_kind kind, const struct nbd_option *option) {
        struct nbd_ask *ask = &guest->ask;

        *ask = (struct nbd_ask){.kind = kind,
                                .n_queries = option->n_queries,
                                .is_list = option->code == NBD_OPT_LIST_META_CONTEXT,
                                .needs_session = guest->house.needs_session,
                                .answered = post_answered,
                                .user = guest};
        snprintf(ask->name, sizeof ask->name, "%.*s", (int)option->name.n, (const char *)option->name.data);
        buf_add(&ask->queries, option->queries.data, option->queries.n);
        guest->is_asking = true;
        guest->asked_ns = now_ns(guest);
        nbd_exports_ask(guest->house.exports, ask);
}

void nbd_guest_take_option(struct nbd_guest *guest, const struct nbd_option *option) {
        guest->option = option->code;
        guest->infos = option->infos;
        switch (option->code) {
        case NBD_OPT_LIST:
                ask_exports(guest, NBD_ASK_LIST, option);
                break;
        case NBD_OPT_EXPORT_NAME:
        case NBD_OPT_GO:
                if (!option->has_contexts)
                        nbd_guest_forget_contexts(guest);
                ask_exports(guest, NBD_ASK_OPEN, option);
                break;
        case NBD_OPT_INFO:
                ask_exports(guest, NBD_ASK_OPEN, option);
                break;
        case NBD_OPT_SET_META_CONTEXT:
                nbd_guest_forget_contexts(guest);
                ask_exports(guest, NBD_ASK_CONTEXTS, option);
                break;
        case NBD_OPT_LIST_META_CONTEXT:
                ask_exports(guest, NBD_ASK_CONTEXTS, option);
                break;
        case NBD_OPT_ABORT:
                say_ack(guest, option->code);
                nbd_guest_leave(guest);
                break;
        default: /* STARTTLS, STRUCTURED_REPLY: what follows from them is the wire's */
                say_ack(guest, option->code);
                break;
        }
}
