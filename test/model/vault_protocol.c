// SPDX-License-Identifier: Apache-2.0
#include "vault_protocol.h"

#include <stdio.h>

enum { N = 3 }; /* packs, points: 0, A's, B's */
enum object {
        PACK = 0,
        INDEX = PACK + N,
        MANIFEST = INDEX + N,
        SEAL = MANIFEST + N,
        SESSION = SEAL + N, /* A's, B's; likewise what follows */
        DONE = SESSION + 2,
        BROKEN = DONE + 2,
        DOOM = BROKEN + 2, /* of either pruner */
        OBJECTS = DOOM + 2,
};
enum life {
        ABSENT,
        COMING, /* there; a listing may not show it yet */
        THERE,
        LEAVING, /* deleted; goes at any time */
        GONE,    /* a listing may still show it */
};
enum { WRITERS = PROTOCOL_WRITERS, PRUNERS = 2, WORLD = WRITERS + PRUNERS, PROCESSES = PROTOCOL_PROCESSES };

/* ---- the rules ---- */

enum op {
        OP_END,
        OP_WAIT, /* † begins */
        OP_WAITED,
        /* A writer's. */
        OP_SESSION,
        OP_DOOMS,
        OP_LIST,
        OP_PARENT,
        OP_PACK,
        OP_INDEX,
        OP_MANIFEST,
        OP_LOOK,
        OP_SEAL,
        OP_LOOK_AGAIN,
        OP_DONE,
        OP_SUCCESS,
        /* A reader's, besides some of a writer's. */
        OP_POINT,
        OP_RELY,
        /* A pruner's. */
        OP_PACKS,
        OP_SESSIONS,
        OP_CHOOSE,
        OP_DOOM,
        OP_SESSIONS_AGAIN,
        OP_BREAK,
        OP_CLEAN,
        OP_AGAIN_DOOMS,
        OP_AGAIN_POINTS,
        OP_AGAIN,
        OP_READERS,
        OP_BREAK_READERS,
        OP_DELETE,
        OP_SEE_GONE,
        OP_DROP_INDEX,
        OP_DROP_DOOM,
};
static const char *const op_texts[] = {
        [OP_END] = "",
        [OP_WAIT] = "begins to wait for the list lag",
        [OP_WAITED] = "has waited",
        [OP_SESSION] = "puts its session",
        [OP_DOOMS] = "reads the doom records",
        [OP_LIST] = "lists packs and reads the index",
        [OP_PARENT] = "fetches the parent's manifest and seal",
        [OP_PACK] = "puts a pack",
        [OP_INDEX] = "puts its index",
        [OP_MANIFEST] = "puts the manifest",
        [OP_LOOK] = "looks whether its session was broken",
        [OP_SEAL] = "puts the seal",
        [OP_LOOK_AGAIN] = "looks again whether its session was broken",
        [OP_DONE] = "ends its session",
        [OP_SUCCESS] = "says success",
        [OP_POINT] = "fetches its point's manifest and seal",
        [OP_RELY] = "finds copies, and begins to read",
        [OP_PACKS] = "lists packs",
        [OP_SESSIONS] = "lists sessions",
        [OP_CHOOSE] = "lists points and chooses",
        [OP_DOOM] = "puts its doom record",
        [OP_SESSIONS_AGAIN] = "lists sessions again",
        [OP_BREAK] = "sees a session end, or breaks it",
        [OP_CLEAN] = "removes unsealed manifests of sessions that are over",
        [OP_AGAIN_DOOMS] = "lists dooms again",
        [OP_AGAIN_POINTS] = "lists points again",
        [OP_AGAIN] = "lists packs again and takes back what is needed",
        [OP_READERS] = "lists who reads what",
        [OP_BREAK_READERS] = "sees a reader end, or breaks it",
        [OP_DELETE] = "deletes a pack",
        [OP_SEE_GONE] = "sees that they are gone",
        [OP_DROP_INDEX] = "drops their index entries",
        [OP_DROP_DOOM] = "drops its doom record",
};

static bool keeps(const struct protocol_setting *setting, enum rule rule) {
        return setting->without != rule;
}

struct program {
        enum op ops[32];
        unsigned n;
};

static void add(struct program *program, bool is_kept, enum op op) {
        if (is_kept)
                program->ops[program->n++] = op;
}

static void add_wait(const struct protocol_setting *setting, struct program *program, bool is_kept) {
        is_kept = is_kept && setting->lags;
        add(program, is_kept, OP_WAIT);
        add(program, is_kept, OP_WAITED);
}

static struct program program_of_writer(const struct protocol_setting *s, bool has_parent) {
        bool is_first = keeps(s, WRITER_SESSION_FIRST), parent_after = keeps(s, WRITER_PARENT_AFTER_SESSION);
        bool dooms_first = keeps(s, WRITER_DOOMS_BEFORE_LISTING),
             seals_last = keeps(s, WRITER_SEALS_AFTER_LOOK);
        struct program p = {.n = 0};

        add(&p, has_parent && !parent_after, OP_PARENT);
        add(&p, is_first, OP_SESSION);
        add_wait(s, &p, is_first && keeps(s, WRITER_WAITS_AFTER_SESSION));
        add(&p, dooms_first && keeps(s, WRITER_READS_DOOMS), OP_DOOMS);
        add(&p, true, OP_LIST);
        add(&p, !dooms_first, OP_DOOMS);
        add(&p, has_parent && parent_after, OP_PARENT);
        add(&p, !is_first, OP_SESSION);
        add(&p, true, OP_PACK);
        add(&p, true, OP_INDEX);
        add(&p, true, OP_MANIFEST);
        add(&p, !seals_last, OP_SEAL);
        add_wait(s, &p, keeps(s, WRITER_WAITS_BEFORE_LOOK));
        add(&p, keeps(s, WRITER_LOOKS), OP_LOOK);
        add(&p, seals_last, OP_SEAL);
        add_wait(s, &p, s->cleans && keeps(s, WRITER_WAITS_BEFORE_SECOND_LOOK));
        add(&p, s->cleans && keeps(s, WRITER_LOOKS_AGAIN), OP_LOOK_AGAIN);
        add(&p, true, OP_DONE);
        add(&p, true, OP_SUCCESS);
        return p;
}

static struct program program_of_reader(const struct protocol_setting *s) {
        bool is_first = keeps(s, READER_SESSION_FIRST), point_after = keeps(s, READER_POINT_AFTER_SESSION);
        bool lists_after = keeps(s, READER_LISTS_AFTER_SESSION);
        struct program p = {.n = 0};

        add(&p, !point_after, OP_POINT);
        add(&p, !lists_after, OP_LIST);
        add(&p, is_first, OP_SESSION);
        add_wait(s, &p, is_first && keeps(s, READER_WAITS_AFTER_SESSION));
        add(&p, point_after, OP_POINT);
        add(&p, lists_after, OP_LIST);
        add(&p, true, OP_RELY);
        add(&p, !is_first, OP_SESSION);
        add(&p, true, OP_DONE);
        return p;
}

/* Where a reader is in it; what it would do without the rule that is left out comes where that one says. */
static void add_readers(const struct protocol_setting *s, struct program *p, bool is_after_points) {
        bool is_here = s->reads && keeps(s, PRUNER_SEES_READERS) &&
                       is_after_points == keeps(s, PRUNER_READERS_AFTER_POINTS);

        add_wait(s, p, is_here && is_after_points && keeps(s, PRUNER_WAITS_BEFORE_READERS));
        add(p, is_here, OP_READERS);
        add(p, is_here && keeps(s, PRUNER_WAITS_FOR_READERS), OP_BREAK_READERS);
}

static struct program program_of_pruner(const struct protocol_setting *s) {
        bool packs_first = keeps(s, PRUNER_PACKS_FIRST), doom_last = keeps(s, PRUNER_DOOM_LAST);
        bool dooms_before = keeps(s, PRUNER_DOOMS_BEFORE_LOOK), again = keeps(s, PRUNER_POINTS_AGAIN);
        bool dooms_first = keeps(s, PRUNER_DOOMS_BEFORE_COPIES);
        struct program p = {.n = 0};

        add(&p, packs_first, OP_PACKS);
        add(&p, true, OP_SESSIONS);
        add(&p, !packs_first, OP_CHOOSE);
        add(&p, !packs_first, OP_PACKS);
        add(&p, packs_first, OP_CHOOSE);
        add(&p, dooms_before, OP_DOOM);
        add_wait(s, &p, dooms_before && keeps(s, PRUNER_WAITS_AFTER_DOOM));
        add(&p, keeps(s, PRUNER_SESSIONS_AGAIN), OP_SESSIONS_AGAIN);
        add(&p, true, OP_BREAK);
        add(&p, s->cleans && !keeps(s, PRUNER_WAITS_BEFORE_CLEANING), OP_CLEAN);
        add_wait(s, &p, keeps(s, PRUNER_WAITS_AFTER_BREAK));
        add_readers(s, &p, false);
        add(&p, again && dooms_first, OP_AGAIN_DOOMS);
        add(&p, again, OP_AGAIN_POINTS);
        add(&p, again, OP_AGAIN);
        add(&p, again && !dooms_first, OP_AGAIN_DOOMS);
        add_readers(s, &p, true);
        add(&p, s->cleans && keeps(s, PRUNER_WAITS_BEFORE_CLEANING), OP_CLEAN);
        add(&p, !dooms_before, OP_DOOM);
        add(&p, true, OP_DELETE);
        add(&p, !doom_last, OP_DROP_DOOM);
        add(&p, keeps(s, PRUNER_SEES_GONE), OP_SEE_GONE);
        add_wait(s, &p, keeps(s, PRUNER_WAITS_AFTER_GONE));
        add(&p, true, OP_DROP_INDEX);
        add(&p, doom_last, OP_DROP_DOOM);
        return p;
}

/* ---- the world ---- */

struct writer {
        uint8_t at;             /* in its program */
        uint8_t doomed, listed; /* packs, as bits */
        uint8_t has_it;         /* the parent, or a pack that counts, has the chunk; a reader's: copies */
};
enum { READER = 1, RELIES = 128 };
struct pruner {
        uint8_t at;
        uint8_t listed, chosen; /* packs */
        uint8_t live, waits;    /* sessions; when it looked again, live: what is read was there */
        uint8_t ended;          /* sessions that it saw end, or broken */
        uint8_t doomed,
                needs;     /* when it looks again: packs in doom records; whether a point needs the chunk */
        uint8_t took_over; /* the other's doom */
};
struct world {
        uint8_t lives[OBJECTS]; /* enum life, and from bit 4 on who waits for it to be listed rightly */
        uint8_t named[PRUNERS]; /* packs in a doom record */
        struct writer writers[WRITERS];
        struct pruner pruners[PRUNERS];
        uint8_t has_dropped, acknowledged;
};

static enum life life_of(const struct world *world, unsigned object) {
        return (enum life)(world->lives[object] & 15);
}

static bool exists(const struct world *world, unsigned object) {
        enum life life = life_of(world, object);

        return life == COMING || life == THERE || life == LEAVING;
}

static void put(const struct protocol_setting *setting, struct world *world, unsigned object) {
        if (!exists(world, object))
                world->lives[object] = setting->lags ? COMING : THERE;
}

static void drop(const struct protocol_setting *setting, struct world *world, unsigned object) {
        if (exists(world, object))
                world->lives[object] = setting->lags ? GONE : ABSENT;
}

/* Whether a listing, or whoever asks for it by name, sees it. */
static bool sees(const struct world *world, unsigned object) {
        switch (life_of(world, object)) {
        case ABSENT:
                return false;
        case THERE:
        case LEAVING:
                return true;
        case COMING:
        case GONE:
                break;
        }
        return explore_choose(2) == 1;
}

static uint8_t see_all(const struct world *world, unsigned first, unsigned n) {
        unsigned seen = 0;

        for (unsigned i = 0; i < n; i++)
                seen |= (unsigned)sees(world, first + i) << i;
        return (uint8_t)seen;
}

static void begin_wait(struct world *world, unsigned process) {
        for (unsigned i = 0; i < OBJECTS; i++)
                if (life_of(world, i) == COMING || life_of(world, i) == GONE)
                        world->lives[i] |= (uint8_t)(16u << process);
}

/* What was there when the wait began is listed rightly by now. */
static void end_wait(struct world *world, unsigned process) {
        for (unsigned i = 0; i < OBJECTS; i++)
                if (world->lives[i] & 16u << process)
                        world->lives[i] = life_of(world, i) == COMING ? THERE : ABSENT;
}

/* ---- a writer ---- */

static uint8_t see_doomed(const struct world *world) {
        unsigned seen = 0;

        for (unsigned i = 0; i < PRUNERS; i++)
                if (sees(world, DOOM + i))
                        seen |= world->named[i];
        return (uint8_t)seen;
}

static bool knows(const struct protocol_setting *setting, const struct world *world,
                  const struct writer *writer) {
        for (unsigned i = 0; i < N; i++) {
                bool is_listed = !keeps(setting, WRITER_INDEX_IN_LISTING) || writer->listed >> i & 1;

                if (is_listed && !(writer->doomed >> i & 1) && sees(world, INDEX + i))
                        return true;
        }
        return false;
}

static bool step_writer(const struct protocol_setting *setting, struct world *world, unsigned i, enum op op) {
        struct writer *writer = &world->writers[i];
        unsigned parent = MANIFEST + setting->parent[i] - 1;

        switch ((unsigned)op) {
        case OP_SESSION:
                put(setting, world, SESSION + i);
                break;
        case OP_DOOMS:
                writer->doomed = see_doomed(world);
                break;
        case OP_LIST:
                writer->listed = see_all(world, PACK, N);
                break;
        case OP_PARENT:
                writer->has_it = sees(world, parent) && (!keeps(setting, WRITER_PARENT_SEALED) ||
                                                         sees(world, SEAL + parent - MANIFEST));
                break;
        case OP_PACK:
                writer->has_it = writer->has_it || knows(setting, world, writer);
                if (setting->copies)
                        writer->has_it = false;
                if (!writer->has_it)
                        put(setting, world, PACK + 1 + i);
                writer->doomed = writer->listed = 0; /* not needed any more */
                break;
        case OP_INDEX:
                if (!writer->has_it)
                        put(setting, world, INDEX + 1 + i);
                break;
        case OP_MANIFEST:
                put(setting, world, MANIFEST + 1 + i);
                break;
        case OP_LOOK:
        case OP_LOOK_AGAIN:
                if (sees(world, BROKEN + i)) {
                        writer->at = UINT8_MAX; /* it begins again, as somebody else */
                        return true;
                }
                break;
        case OP_SEAL:
                put(setting, world, SEAL + 1 + i);
                break;
        case OP_DONE:
                put(setting, world, DONE + i);
                break;
        case OP_SUCCESS:
                world->acknowledged |= (uint8_t)(1u << i);
                break;
        default:
                return false;
        }
        writer->at++;
        return true;
}

/* ---- a reader ---- */

/* All that it knows: where one is gone it takes another. */
static uint8_t find_copies(const struct world *world, const struct writer *reader) {
        unsigned found = 0;

        for (unsigned i = 0; i < N; i++)
                if (reader->listed >> i & 1 && sees(world, INDEX + i))
                        found |= 1u << i;
        return (uint8_t)(found | RELIES);
}

static bool step_reader(const struct protocol_setting *setting, struct world *world, enum op op) {
        struct writer *reader = &world->writers[READER];
        unsigned point = setting->parent[READER] - 1;

        switch ((unsigned)op) {
        case OP_POINT:
                if (!sees(world, MANIFEST + point) || !sees(world, SEAL + point)) {
                        reader->at = UINT8_MAX; /* it says so */
                        return true;
                }
                break;
        case OP_RELY:
                reader->has_it = find_copies(world, reader);
                reader->listed = 0;
                break;
        case OP_DONE:
                reader->has_it = 0;
                return step_writer(setting, world, READER, op);
        default:
                return step_writer(setting, world, READER, op);
        }
        reader->at++;
        return true;
}

static bool lacks_what_it_reads(const struct protocol_setting *setting, const struct world *world) {
        uint8_t copies = world->writers[READER].has_it;

        if (!setting->reads || copies == 0 || exists(world, BROKEN + READER))
                return false;
        for (unsigned i = 0; i < N; i++)
                if (copies >> i & 1 && exists(world, PACK + i))
                        return false;
        return true;
}

/* ---- a pruner ---- */

static uint8_t see_live(const struct world *world) {
        unsigned live = 0;

        for (unsigned i = 0; i < WRITERS; i++)
                if (sees(world, SESSION + i) && !sees(world, DONE + i) && !sees(world, BROKEN + i))
                        live |= 1u << i;
        return (uint8_t)live;
}

static uint8_t see_over(const struct world *world) {
        unsigned over = 0;

        for (unsigned i = 0; i < WRITERS; i++)
                if (sees(world, DONE + i) || sees(world, BROKEN + i))
                        over |= 1u << i;
        return (uint8_t)over;
}

static bool needs_chunk(const struct protocol_setting *setting, const struct world *world) {
        for (unsigned i = 0; i < N; i++)
                if (sees(world, MANIFEST + i) &&
                    (keeps(setting, PRUNER_COUNTS_UNSEALED) || sees(world, SEAL + i)))
                        return true;
        return false;
}

/* Of what is needed one copy stays that is durable and indexed: any. */
static uint8_t but_one(const struct world *world, uint8_t packs, uint8_t listed) {
        unsigned keep = explore_choose(N);

        return listed >> keep & 1 && sees(world, INDEX + keep) ? packs & (uint8_t) ~(1u << keep) : 0;
}

static void choose(const struct protocol_setting *setting, struct world *world, unsigned i) {
        struct pruner *pruner = &world->pruners[i];
        bool skips = keeps(setting, PRUNER_SKIPS_LIVE);
        /* Where points were listed before packs, these are not known yet: all that may come. */
        unsigned packs = keeps(setting, PRUNER_PACKS_FIRST) ? pruner->listed : 7;

        packs &= skips ? ~((unsigned)pruner->live << 1) : 7;
        if (needs_chunk(setting, world))
                packs = but_one(world, (uint8_t)packs,
                                keeps(setting, PRUNER_PACKS_FIRST) ? pruner->listed : 7);
        if (sees(world, DOOM + !i)) {
                pruner->took_over = true;
                if (keeps(setting, PRUNER_TAKES_OVER))
                        packs |= world->named[!i];
        }
        pruner->chosen = (uint8_t)packs;
}

/* A pack that some point needs, and of which no copy exists outside all doom records, leaves the doom. */
static void take_back(struct pruner *pruner) {
        if (pruner->needs && (pruner->listed & ~pruner->doomed) == 0)
                pruner->chosen = 0;
        pruner->doomed = pruner->needs = pruner->listed = 0;
}

static void list_dooms_again(const struct protocol_setting *setting, struct world *world, unsigned i) {
        struct pruner *pruner = &world->pruners[i];

        /* Its own is its own to know, whatever became of the record. */
        pruner->doomed = world->named[i];
        if (keeps(setting, PRUNER_ALL_DOOMS))
                pruner->doomed |= see_doomed(world);
        if (!keeps(setting, PRUNER_DOOMS_BEFORE_COPIES))
                take_back(pruner);
}

static void list_copies_again(const struct protocol_setting *setting, struct world *world, unsigned i) {
        struct pruner *pruner = &world->pruners[i];

        for (unsigned pack = 0; pack < N; pack++)
                if (sees(world, PACK + pack) && sees(world, INDEX + pack))
                        pruner->listed |= (uint8_t)(1u << pack);
        if (keeps(setting, PRUNER_DOOMS_BEFORE_COPIES))
                take_back(pruner);
}

/* Of those sessions no manifest will get its seal any more, or whoever gives it one is not told success. */
static void clean(const struct protocol_setting *setting, struct world *world, struct pruner *pruner) {
        for (unsigned i = 0; i < WRITERS; i++) {
                bool is_over = !keeps(setting, PRUNER_CLEANS_ENDED) || pruner->ended >> i & 1;

                if (is_over && sees(world, MANIFEST + 1 + i) && !sees(world, SEAL + 1 + i))
                        drop(setting, world, MANIFEST + 1 + i);
        }
        pruner->ended = 0;
}

/* False: it waits still. */
static bool break_one(const struct protocol_setting *setting, struct world *world, struct pruner *pruner) {
        unsigned session = explore_choose(WRITERS);

        if (pruner->waits == 0 || !keeps(setting, PRUNER_BREAKS)) {
                pruner->at++;
                pruner->waits = 0;
                return true;
        }
        if (!(pruner->waits >> session & 1))
                return false;
        if (!sees(world, DONE + session))
                put(setting, world, BROKEN + session);
        pruner->ended |= (uint8_t)(setting->cleans << session);
        pruner->waits &= (uint8_t) ~(1u << session);
        return true;
}

static bool look_at_points(const struct protocol_setting *setting, struct world *world,
                           struct pruner *pruner) {
        if (setting->reads) {
                pruner->live = sees(world, MANIFEST + setting->parent[READER] - 1);
                if (pruner->live)
                        return true;
        }
        return needs_chunk(setting, world);
}

/* Of what is read nothing goes, copies or not; and who reads a point that went is waited for. */
static void see_reader(const struct protocol_setting *setting, struct world *world, struct pruner *pruner) {
        bool was_there = pruner->live;

        pruner->live = 0;
        if (!(see_live(world) >> READER & 1))
                return;
        if (!was_there)
                pruner->waits |= 1u << READER;
        else if (keeps(setting, PRUNER_KEEPS_WHAT_IS_READ))
                pruner->chosen = 0;
}

/* At once: each goes when it goes. */
static void delete_all(struct world *world, struct pruner *pruner) {
        for (unsigned pack = 0; pack < N; pack++)
                if (pruner->chosen >> pack & 1 && exists(world, PACK + pack))
                        world->lives[PACK + pack] = LEAVING;
}

/* False: one is there yet.  The other's doom may go only with all that it names: he may have deleted what we
 * keep. */
static bool see_gone(const struct protocol_setting *setting, struct world *world, unsigned i) {
        struct pruner *pruner = &world->pruners[i];
        uint8_t there = see_all(world, PACK, N);

        if (pruner->chosen & there)
                return false;
        if (keeps(setting, PRUNER_LEAVES_OTHERS_DOOM) && world->named[!i] & there)
                pruner->took_over = false;
        pruner->at++;
        return true;
}

static bool step_pruner(const struct protocol_setting *setting, struct world *world, unsigned i, enum op op) {
        struct pruner *pruner = &world->pruners[i];

        switch ((unsigned)op) {
        case OP_PACKS:
                pruner->listed = see_all(world, PACK, N);
                if (!keeps(setting, PRUNER_PACKS_FIRST)) {
                        pruner->chosen &= pruner->listed;
                        pruner->listed = 0;
                }
                break;
        case OP_SESSIONS:
                pruner->live = see_live(world);
                break;
        case OP_CHOOSE:
                choose(setting, world, i);
                pruner->live = 0; /* what is not needed any more makes states that differ in nothing */
                if (keeps(setting, PRUNER_PACKS_FIRST))
                        pruner->listed = 0;
                break;
        case OP_DOOM:
                world->named[i] = pruner->chosen;
                put(setting, world, DOOM + i);
                break;
        case OP_SESSIONS_AGAIN:
                pruner->waits = see_live(world);
                if (setting->reads)
                        pruner->waits &= (uint8_t) ~(1u << READER);
                if (setting->cleans)
                        pruner->ended = see_over(world);
                break;
        case OP_BREAK:
                return break_one(setting, world, pruner);
        case OP_CLEAN:
                clean(setting, world, pruner);
                break;
        case OP_AGAIN_DOOMS:
                list_dooms_again(setting, world, i);
                break;
        case OP_AGAIN_POINTS:
                pruner->needs = look_at_points(setting, world, pruner);
                break;
        case OP_AGAIN:
                list_copies_again(setting, world, i);
                break;
        case OP_READERS:
                see_reader(setting, world, pruner);
                break;
        case OP_BREAK_READERS:
                return break_one(setting, world, pruner);
        case OP_DELETE:
                delete_all(world, pruner);
                break;
        case OP_SEE_GONE:
                return see_gone(setting, world, i);
        case OP_DROP_INDEX:
                for (unsigned pack = 0; pack < N; pack++)
                        if (pruner->chosen >> pack & 1)
                                drop(setting, world, INDEX + pack);
                break;
        case OP_DROP_DOOM:
                drop(setting, world, DOOM + i);
                if (pruner->took_over)
                        drop(setting, world, DOOM + !i);
                break;
        default:
                return false;
        }
        pruner->at++;
        return true;
}

/* ---- what happens by itself ---- */

static bool step_world(const struct protocol_setting *setting, struct world *world) {
        unsigned event = explore_choose(N + 1);

        if (event < N) {
                if (life_of(world, PACK + event) != LEAVING)
                        return false;
                world->lives[PACK + event] = setting->lags ? GONE : ABSENT;
                return true;
        }
        if (!setting->may_drop || world->has_dropped)
                return false;
        world->has_dropped = true;
        drop(setting, world, SEAL);
        drop(setting, world, MANIFEST);
        return true;
}

static enum op op_of(const struct protocol_setting *setting, const struct world *world, unsigned process) {
        struct program program;
        unsigned at;

        if (process == READER && setting->reads) {
                program = program_of_reader(setting);
                at = world->writers[READER].at;
        } else if (process < WRITERS) {
                program = program_of_writer(setting, setting->parent[process] > 0);
                at = world->writers[process].at;
        } else {
                program = program_of_pruner(setting);
                at = world->pruners[process - WRITERS].at;
        }
        return at < program.n ? program.ops[at] : OP_END;
}

static bool step(const void *user, void *state, unsigned process) {
        const struct protocol_setting *setting = user;
        struct world *world = state;
        uint8_t *at;
        enum op op;

        if (!setting->is_in[process])
                return false;
        if (process == WORLD)
                return step_world(setting, world);
        op = op_of(setting, world, process);
        at = process < WRITERS ? &world->writers[process].at : &world->pruners[process - WRITERS].at;
        if (op == OP_WAIT || op == OP_WAITED) {
                (op == OP_WAIT ? begin_wait : end_wait)(world, process);
                ++*at;
                return true;
        }
        if (process == READER && setting->reads)
                return step_reader(setting, world, op);
        return process < WRITERS ? step_writer(setting, world, process, op)
                                 : step_pruner(setting, world, process - WRITERS, op);
}

static bool is_bad(const void *user, const void *state) {
        const struct world *world = state;
        bool is_needed = world->acknowledged || !world->has_dropped;

        if (lacks_what_it_reads(user, world))
                return true;
        for (unsigned i = 0; i < WRITERS; i++)
                if (world->acknowledged >> i & 1 &&
                    !(exists(world, MANIFEST + 1 + i) && exists(world, SEAL + 1 + i)))
                        return true;
        for (unsigned i = 0; i < N; i++)
                if (exists(world, PACK + i))
                        return false;
        return is_needed;
}

static const char *tell(const void *user, const void *state, unsigned process) {
        static const char *const who[] = {"writer A", "writer B", "pruner 1", "pruner 2", "the world"};
        static char text[120];
        enum op op = process == WORLD ? OP_END : op_of(user, state, process);
        bool is_reader = process == READER && ((const struct protocol_setting *)user)->reads;

        (void)snprintf(text, sizeof text, "%s %s", is_reader ? "the reader" : who[process],
                       process == WORLD ? "deletes what was to go, or lets point 0 go" : op_texts[op]);
        return text;
}

struct explore_found protocol_try(const struct protocol_setting *setting, bool is_quiet) {
        struct world first = {.has_dropped = false};
        const struct explore_machine machine = {.size = sizeof first,
                                                .first = &first,
                                                .n_processes = PROCESSES,
                                                .user = setting,
                                                .step = step,
                                                .is_bad = is_bad,
                                                .tell = tell,
                                                .is_quiet = is_quiet,
                                                .n_states_max = 60000000};
        unsigned copy = setting->reads ? 2 : 1; /* of somebody who writes none himself */
        struct explore_found found;

        if (setting->has_copy)
                first.lives[PACK + copy] = first.lives[INDEX + copy] = THERE;
        first.lives[PACK] = first.lives[INDEX] = first.lives[MANIFEST] = first.lives[SEAL] = THERE;
        explore(&machine, &found);
        return found;
}
