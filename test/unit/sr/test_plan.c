// SPDX-License-Identifier: Apache-2.0
/* Trees are written as words, one a node: its letter (capitals are visible), the letter it stands on or '-',
 * then marks:
 *      l leased   r, w open   e error   n another name   c one more claim   h half hidden   x in a change
 *      k kept     R raw       :N size in blocks         @N blocks it holds  #N of coalesce N
 * A plan is written as words too: state (garbage's with a '!' in front), run, and "(reason)" where it waits.
 */
#include "check.h"

#include "buf.h"
#include "plan.h"
#include "text.h"

enum { ROOM = 64 };
#define BLOCK ((uint64_t)VHD_BLOCK_SIZE)

struct world {
        struct plan_node nodes[ROOM];
        char letters[ROOM];
        size_t n;
};

static const struct plan_policy roomy = {
        .can_punch = true, .batch_bytes = 16 * BLOCK, .free_bytes = 1000000 * BLOCK};

static uint64_t take_number(const char **marks) {
        char *end;
        uint64_t number = strtoull(*marks + 1, &end, 10);

        *marks = end - 1;
        return number;
}

static void take_mark(const char **marks, struct plan_node *node) {
        switch (**marks) {
        case 'l':
                node->leased_by = "export of nightly";
                break;
        case 'r':
        case 'w':
                node->open = **marks == 'r' ? PLAN_OPEN_TO_READ : PLAN_OPEN_TO_WRITE;
                node->opened_by = "a guest";
                break;
        case 'e':
                node->error = "bad header";
                break;
        case 'c':
                node->n_claims++;
                break;
        case ':':
                node->size = take_number(marks) * BLOCK;
                break;
        case '@':
                node->allocated = take_number(marks) * BLOCK;
                break;
        case '#':
                node->claimed_by = (unsigned)take_number(marks);
                break;
        case 'R':
                node->kind = IMAGE_RAW;
                break;
        default:
                node->has_another_name |= **marks == 'n';
                node->is_half_hidden |= **marks == 'h';
                node->is_in_change |= **marks == 'x';
                node->is_kept |= **marks == 'k';
                break;
        }
}

static struct world world_of(const char *text) {
        AUTO_FREE char *words = mem_text(text);
        struct world world = {0};
        char parents[ROOM], *rest;

        for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
                struct plan_node *node = &world.nodes[world.n];

                node->uuid.b[0] = (uint8_t)word[0];
                node->is_hidden = word[0] >= 'a';
                node->size = 4 * BLOCK;
                node->allocated = BLOCK;
                world.letters[world.n] = word[0];
                parents[world.n++] = word[1];
                for (const char *mark = word + 2; *mark; mark++)
                        take_mark(&mark, node);
        }
        for (size_t i = 0; i < world.n; i++) {
                const char *at = memchr(world.letters, parents[i], world.n);

                world.nodes[i].parent = at ? (size_t)(at - world.letters) : PLAN_NO_PARENT;
                if (at)
                        world.nodes[at - world.letters].n_claims++;
        }
        return world;
}

/* All that lies above the target is moved, into new blocks; a pull moves all below the top. */
static void set_prices(const struct world *world, struct plan *plan) {
        VEC_EACH (&plan->list, each) {
                struct plan_price *price = &each->price;

                for (size_t i = 0; i < each->run.n; i++) {
                        uint64_t bytes = world->nodes[each->run.data[i]].allocated;

                        price->push_bytes += i ? bytes : 0;
                        price->pull_bytes += i + 1 < each->run.n ? bytes : 0;
                }
                price->push_new_blocks = price->push_bytes / BLOCK;
                price->pull_new_blocks = price->pull_bytes / BLOCK;
                price->may_pull = world->nodes[each->run.data[0]].kind == IMAGE_VHD;
        }
}

static void write_plan(const struct world *world, const struct plan *plan, struct buf *buf) {
        VEC_EACH (&plan->list, each) {
                buf_print(buf, "%s%s%s ", buf->n ? " " : "", each->kind == PLAN_GARBAGE ? "!" : "",
                          plan_state_name(each->state));
                VEC_EACH (&each->run, at) {
                        buf_print(buf, "%c", world->letters[*at]);
                }
                if (*each->reason)
                        buf_print(buf, "(%s)", each->reason);
        }
}

static void make_plan(const struct world *world, const struct plan_policy *policy, struct plan *ret) {
        plan_find(world->nodes, world->n, policy, ret);
        set_prices(world, ret);
        plan_rank(ret, world->nodes, policy);
}

static void check_plan(const char *text, const struct plan_policy *policy, const char *want, int line) {
        AUTO(plan_fini) struct plan plan = {0};
        AUTO(buf_fini) struct buf got = {0};
        struct world world = world_of(text);

        make_plan(&world, policy, &plan);
        write_plan(&world, &plan, &got);
        if (strcmp(buf_text(&got), want) == 0)
                return;
        print_error("line %d: %s\n     got: %s\n  wanted: %s\n", line, text, buf_text(&got), want);
        fail();
}
#define assert_plan(text, want)            check_plan(text, &roomy, want, __LINE__)
#define assert_plan_of(text, policy, want) check_plan(text, policy, want, __LINE__)

/* ---- garbage ---- */

static void hidden_nodes_with_nothing_above_are_garbage(void **state UNUSED) {
        assert_plan("", "");
        assert_plan("A-", "");
        assert_plan("a-", "!ready a");
        assert_plan("A- BA CB", "");
        assert_plan("a- Ba Ca", "");
}

static void garbage_goes_from_above(void **state UNUSED) {
        assert_plan("a- ba cb", "!ready c !ready b !ready a");
        assert_plan("cb a- ba", "!ready c !ready b !ready a");
        assert_plan("A- bA cb", "!ready c !ready b");
}

static void a_visible_node_is_never_garbage(void **state UNUSED) {
        assert_plan("A- bA", "!ready b");
        assert_plan("a-Rk ba", "!ready b");
        assert_plan("a-R ba", "!ready b !ready a");
}

static void garbage_that_is_held_waits_and_holds_what_is_below(void **state UNUSED) {
        assert_plan("a- bal", "!waiting b(leased by export of nightly)");
        assert_plan("a- bar", "!waiting b(open by a guest)");
        assert_plan("a- bae", "!waiting b(bad header)");
        assert_plan("a-c", "!waiting a(a file that is damaged or being made has "
                           "61000000-0000-0000-0000-000000000000 as its parent)");
        assert_plan("a- ban",
                    "!waiting b(the file of 62000000-0000-0000-0000-000000000000 has another name)");
        assert_plan("a- bax",
                    "!waiting b(a change that names 62000000-0000-0000-0000-000000000000 is not finished)");
        assert_plan("a- bah", "!ready b !ready a");
}

static void garbage_comes_before_everything(void **state UNUSED) {
        assert_plan("a- Ba@100 c- d-", "!ready c !ready d ready aB");
        /* What is garbage does not make its parent a fork. */
        assert_plan("a- ba cb Lb", "!ready c ready abL");
}

/* ---- runs ---- */

static void a_run_of_only_children_is_one_candidate(void **state UNUSED) {
        assert_plan("a- La", "ready aL");
        assert_plan("a- ba cb Lc", "ready abcL");
        assert_plan("Lc cb ba a-", "ready abcL");
}

static void the_top_of_a_run_may_be_a_fork(void **state UNUSED) {
        assert_plan("a- ba Lb Mb", "ready ab");
        assert_plan("a- ba cb Lc Mc", "ready abc");
        assert_plan("a- La ba cb Mc", "ready bcM");
}

static void two_runs_of_a_tree_come_one_after_the_other(void **state UNUSED) {
        assert_plan("a- ba La Mb cb", "!ready c ready bM");
        assert_plan("a- ba Lb@9 ca Mc@1", "ready cM waiting bL(another coalesce of its tree comes first)");
}

static void a_visible_node_is_no_target(void **state UNUSED) {
        assert_plan("A- bA Lb Mb", "");
        assert_plan("A- bA Lb", "ready bL");
        assert_plan("A- LA", "");
}

static void a_visible_node_with_children_is_not_emptied(void **state UNUSED) {
        assert_plan(
                "a- Ba CB",
                "waiting aB(42000000-0000-0000-0000-000000000000 is visible and has children: only a pull "
                "could help)");
}

static void a_visible_node_with_children_pulls(void **state UNUSED) {
        AUTO(plan_fini) struct plan plan = {0};
        struct world world = world_of("a-@9 ba@9 Cb@1 DC EC");
        struct plan_policy policy = roomy;

        policy.can_pull = true;
        make_plan(&world, &policy, &plan);
        assert_int_equal(plan.list.n, 1);
        assert_int_equal(plan.list.data[0].state, PLAN_READY);
        assert_int_equal(plan.list.data[0].direction, PLAN_PULL); /* which moves more, and is all there is */
        assert_true(plan.list.data[0].only_pull);
        policy.free_bytes = 17 * BLOCK;
        assert_plan_of("a-@9 ba@9 Cb@1 DC EC", &policy,
                       "waiting abC(no space: needs 36.1 MiB, has 34.0 MiB)");
        assert_plan_of("a-@9R ba@1 cb Dc", &policy, "ready abc waiting cD(raw parent at a leaf's pivot)");
}

static void a_run_is_as_long_as_memory_allows(void **state UNUSED) {
        AUTO(buf_fini) struct buf text = {0};
        AUTO(plan_fini) struct plan plan = {0};
        struct world world;

        buf_print(&text, "@-:524288");
        for (int i = 0; i < 60; i++)
                buf_print(&text, " %c%c:524288", '@' + i + 1, '@' + i);
        world = world_of(buf_text(&text));
        for (size_t i = 0; i < world.n; i++) {
                world.nodes[i].is_hidden = i + 1 < world.n;
                world.nodes[i].size *= 4; /* its write side takes 24 MiB */
        }
        make_plan(&world, &roomy, &plan);
        assert_int_equal(plan.list.n, 2);
        assert_int_equal(plan.list.data[0].run.n + plan.list.data[1].run.n, 62); /* one is in both */
        assert_int_equal(plan.list.data[plan.list.data[0].state != PLAN_READY].run.n, 42);
}

static void a_leased_node_cuts_a_run(void **state UNUSED) {
        assert_plan("a- bal cb dc Ld Md", "ready cd waiting abc(leased by export of nightly)");
        assert_plan("a-l ba Lb Mb", "waiting ab(leased by export of nightly)");
        assert_plan("a- ba Lbl", "ready ab waiting bL(leased by export of nightly)");
}

static void an_open_leaf_waits_and_the_nodes_below_do_not(void **state UNUSED) {
        struct plan_policy live = roomy;

        assert_plan("a- Law", "waiting aL(open for writing by a guest)");
        assert_plan("a- Lar", "waiting aL(open for reading by a guest)");
        assert_plan("a- ba cb Lcw", "ready abc waiting cL(open for writing by a guest)");
        live.can_go_live = true;
        assert_plan_of("a- ba Lbw", &live, "ready abL");
        assert_plan_of("a- Lar", &live, "waiting aL(open for reading by a guest)");
}

static void a_hidden_node_open_by_itself_waits(void **state UNUSED) {
        assert_plan("a- bar Lb Mb", "waiting ab(open by a guest)");
        assert_plan("a-r La", "waiting aL(open by a guest)");
}

static void files_that_are_not_as_they_seem_wait(void **state UNUSED) {
        assert_plan("a-e La", "waiting aL(bad header)");
        assert_plan("a- ban Lb Mb",
                    "waiting ab(the file of 62000000-0000-0000-0000-000000000000 has another name)");
        assert_plan("a- Lac", "waiting aL(a file that is damaged or being made has "
                              "4c000000-0000-0000-0000-000000000000 as its parent)");
        assert_plan("a-c La", "waiting aL(a file that is damaged or being made has "
                              "61000000-0000-0000-0000-000000000000 as its parent)");
        assert_plan("a-h La", "waiting aL(hiding 61000000-0000-0000-0000-000000000000 was cut short)");
        assert_plan("a-x La",
                    "waiting aL(a change that names 61000000-0000-0000-0000-000000000000 is not finished)");
}

static void nothing_goes_while_a_file_hides_whose_child_it_is(void **state UNUSED) {
        struct plan_policy policy = roomy;

        policy.unknown = "x.vhd";
        assert_plan_of("a- La b-", &policy,
                       "!waiting b(x.vhd is damaged and may be its child: repair it, or take it away) "
                       "waiting aL(x.vhd is damaged and may be its child: repair it, or take it away)");
}

/* ---- sizes and kinds ---- */

static void a_parent_larger_than_its_child_waits(void **state UNUSED) {
        assert_plan("a-:8 La:4", "waiting aL(the parent is larger than the child: 16.0 MiB and 8.00 MiB)");
        assert_plan("a-:4 La:8", "ready aL");
        assert_plan("a-:4 ba:8 cb:4 Lc Mc",
                    "ready ab waiting bc(the parent is larger than the child: 16.0 MiB and 8.00 MiB)");
}

static void a_target_does_not_grow_over_what_is_larger_below(void **state UNUSED) {
        assert_plan("A-:8 bA:4 Lb:8 Mb:8", "");
        assert_plan("A-:8 bA:4 Lb:8",
                    "waiting bL(62000000-0000-0000-0000-000000000000 would have to grow to 16.0 MiB over "
                    "41000000-0000-0000-0000-000000000000, which holds more than it showed)");
        assert_plan("A-:8 bA:4 Lb:4", "ready bL");
}

static void a_raw_parent_is_no_target_for_a_leaf(void **state UNUSED) {
        assert_plan("a-Rk La", "waiting aL(raw parent at a leaf's pivot)");
        assert_plan("a-Rk ba Lb", "ready ab waiting bL(raw parent at a leaf's pivot)");
        assert_plan("a-Rk ba Lb Mb", "ready ab");
}

/* ---- what runs, what failed ---- */

static void what_runs_is_shown_as_running(void **state UNUSED) {
        assert_plan("a-#1 ba#1 Lb#1", "running abL");
        assert_plan("a-#1 ba#1 cb Lc Mc",
                    "running ab waiting bc(another coalesce has 62000000-0000-0000-0000-000000000000)");
        /* Its top lost its children meanwhile: garbage when the coalesce is over. */
        assert_plan("a-#1 ba#1", "running ab");
        /* Another of the same tree. */
        assert_plan("a- ba#1 cb#1 Lc Mc da Ld",
                    "running bc waiting dL(another coalesce of its tree comes first)");
}

static void a_tree_that_failed_stops_no_other(void **state UNUSED) {
        struct plan_policy policy = roomy;
        struct plan_failure failure = {.tree = {{'a'}}, .text = "no such device", .again_in_ns = 30000000000};

        policy.failures = &failure;
        policy.n_failures = 1;
        assert_plan_of(
                "a- La b- Mb", &policy,
                "ready bM failed aL(error of tree 61000000-0000-0000-0000-000000000000: no such device; "
                "tried again in 30s)");
}

static void what_another_process_holds_waits_for_it(void **state UNUSED) {
        struct plan_policy policy = roomy;
        struct plan_failure failure = {.tree = {{'a'}}, .text = "locked by pid 7", .is_wait = true};

        policy.failures = &failure;
        policy.n_failures = 1;
        assert_plan_of("a- La b- Mb", &policy, "ready bM waiting aL(locked by pid 7)");
}

static void a_run_that_cannot_be_priced_failed(void **state UNUSED) {
        AUTO(plan_fini) struct plan plan = {0};
        AUTO(buf_fini) struct buf got = {0};
        struct world world = world_of("a- La b- Mb");

        plan_find(world.nodes, world.n, &roomy, &plan);
        (void)err_set(&plan.list.data[0].price_error, ERR_CORRUPT, "a.vhd: BAT");
        plan_rank(&plan, world.nodes, &roomy);
        write_plan(&world, &plan, &got);
        assert_string_equal(buf_text(&got), "ready bM failed aL(a.vhd: BAT)");
}

static void paused_everything_waits_but_what_runs(void **state UNUSED) {
        struct plan_policy policy = roomy;

        policy.is_paused = true;
        assert_plan_of("a- La b-", &policy, "!waiting b(paused) waiting aL(paused)");
        assert_plan_of("a-#1 La#1", &policy, "running aL");
        /* A better reason is not covered up. */
        assert_plan_of("a- Lal", &policy, "waiting aL(leased by export of nightly)");
}

static void shut_coalesces_wait_and_garbage_does_not(void **state UNUSED) {
        AUTO(plan_fini) struct plan plan = {0};
        struct plan_policy policy = roomy;
        struct world world = world_of("a- La b- c- Lcl");
        unsigned n_shut = 0;

        policy.shut = "outside its window: opens in 3h 10m";
        assert_plan_of("a- La b-", &policy, "!ready b waiting aL(outside its window: opens in 3h 10m)");
        assert_plan_of("a-#1 La#1", &policy, "running aL");
        assert_plan_of("a- Lal", &policy, "waiting aL(leased by export of nightly)");
        plan_find(world.nodes, world.n, &policy, &plan);
        plan_rank(&plan, world.nodes, &policy);
        VEC_EACH (&plan.list, each)
                n_shut += each->is_shut;
        assert_int_equal(n_shut, 1); /* what waits for something else as well does not count */
        policy.is_paused = true;
        assert_plan_of("a- La", &policy, "waiting aL(paused)");
}

/* ---- space, direction, order ---- */

static void without_room_for_a_batch_it_waits(void **state UNUSED) {
        struct plan_policy policy = roomy;

        policy.free_bytes = 10 * BLOCK;
        assert_plan_of("a- La@100", &policy, "waiting aL(no space: needs 40.0 MiB, has 20.0 MiB)");
        assert_plan_of("a- La@3", &policy, "ready aL");
        policy.free_bytes = 20 * BLOCK;
        assert_plan_of("a- La@100", &policy, "ready aL");
        policy.can_punch = false;
        assert_plan_of("a- La@100", &policy, "waiting aL(no space: needs 200 MiB, has 40.0 MiB)");
}

static void the_cheaper_direction_that_is_there_is_taken(void **state UNUSED) {
        static const struct {
                const char *text;
                bool can_pull;
                uint64_t free_blocks;
                enum plan_direction want;
        } table[] = {
                {"a-@1 La@100", false, 1000, PLAN_PUSH},
                {"a-@1 La@100", true, 1000, PLAN_PULL},
                {"a-@100 La@1", true, 1000, PLAN_PUSH},
                {"a-@50 La@100", true, 10, PLAN_PUSH},
                {"a-@9 La@100", true, 10, PLAN_PULL},
                {"a-@100 La@100", true, 1000, PLAN_PUSH},
                {"a-R@1 ba@90 cb@9 Lc Mc", true, 1000, PLAN_PUSH},
        };

        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(plan_fini) struct plan plan = {0};
                struct world world = world_of(table[i].text);
                struct plan_policy policy = roomy;

                policy.can_pull = table[i].can_pull;
                policy.free_bytes = table[i].free_blocks * BLOCK;
                make_plan(&world, &policy, &plan);
                assert_int_equal(plan.list.data[0].direction, table[i].want);
                assert_int_equal(plan.list.data[0].bytes_total, table[i].want == PLAN_PUSH
                                                                        ? plan.list.data[0].price.push_bytes
                                                                        : plan.list.data[0].price.pull_bytes);
        }
}

static void more_benefit_a_byte_comes_first(void **state UNUSED) {
        /* Less to move. */
        assert_plan("a- La@100 b- Mb@10", "ready bM ready aL");
        /* A longer chain through it. */
        assert_plan("a- La@4 C- DC bD Mb@4", "ready bM ready aL");
}

static void what_is_freed_is_what_goes_less_what_grows(void **state UNUSED) {
        AUTO(plan_fini) struct plan plan = {0};
        struct world world = world_of("a-@7 ba@5 Lb@6");

        plan_find(world.nodes, world.n, &roomy, &plan);
        plan.list.data[0].price = (struct plan_price){.push_bytes = 3 * BLOCK, .push_new_blocks = 1};
        plan_rank(&plan, world.nodes, &roomy);
        assert_int_equal(plan.list.data[0].freed_bytes, 11 * BLOCK - (uint64_t)VHD_STRIDE_SECTORS * SECTOR);
        assert_int_equal(plan.list.data[0].deepest, 3);
        assert_true(plan.list.data[0].is_leaf);
}

static void the_order_of_nodes_does_not_matter(void **state UNUSED) {
        static const char *const words[] = {"a-", "ba", "cb", "Lc", "Mb", "d-", "Nd", "e-", "f-", "Of@9"};
        enum { N = sizeof words / sizeof *words };
        AUTO_FREE char *first = NULL;

        for (size_t turn = 0; turn < N; turn++) {
                AUTO(plan_fini) struct plan plan = {0};
                AUTO(buf_fini) struct buf text = {0}, got = {0};
                struct world world;

                for (size_t i = 0; i < N; i++)
                        buf_print(&text, "%s ", words[(i * 3 + turn) % N]);
                world = world_of(buf_text(&text));
                make_plan(&world, &roomy, &plan);
                write_plan(&world, &plan, &got);
                if (!first)
                        first = mem_text(buf_text(&got));
                assert_string_equal(buf_text(&got), first);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hidden_nodes_with_nothing_above_are_garbage),
                cmocka_unit_test(garbage_goes_from_above),
                cmocka_unit_test(a_visible_node_is_never_garbage),
                cmocka_unit_test(garbage_that_is_held_waits_and_holds_what_is_below),
                cmocka_unit_test(garbage_comes_before_everything),
                cmocka_unit_test(a_run_of_only_children_is_one_candidate),
                cmocka_unit_test(the_top_of_a_run_may_be_a_fork),
                cmocka_unit_test(two_runs_of_a_tree_come_one_after_the_other),
                cmocka_unit_test(a_visible_node_is_no_target),
                cmocka_unit_test(a_visible_node_with_children_is_not_emptied),
                cmocka_unit_test(a_visible_node_with_children_pulls),
                cmocka_unit_test(a_run_is_as_long_as_memory_allows),
                cmocka_unit_test(a_leased_node_cuts_a_run),
                cmocka_unit_test(an_open_leaf_waits_and_the_nodes_below_do_not),
                cmocka_unit_test(a_hidden_node_open_by_itself_waits),
                cmocka_unit_test(files_that_are_not_as_they_seem_wait),
                cmocka_unit_test(nothing_goes_while_a_file_hides_whose_child_it_is),
                cmocka_unit_test(a_parent_larger_than_its_child_waits),
                cmocka_unit_test(a_target_does_not_grow_over_what_is_larger_below),
                cmocka_unit_test(a_raw_parent_is_no_target_for_a_leaf),
                cmocka_unit_test(what_runs_is_shown_as_running),
                cmocka_unit_test(a_tree_that_failed_stops_no_other),
                cmocka_unit_test(what_another_process_holds_waits_for_it),
                cmocka_unit_test(a_run_that_cannot_be_priced_failed),
                cmocka_unit_test(paused_everything_waits_but_what_runs),
                cmocka_unit_test(shut_coalesces_wait_and_garbage_does_not),
                cmocka_unit_test(without_room_for_a_batch_it_waits),
                cmocka_unit_test(the_cheaper_direction_that_is_there_is_taken),
                cmocka_unit_test(more_benefit_a_byte_comes_first),
                cmocka_unit_test(what_is_freed_is_what_goes_less_what_grows),
                cmocka_unit_test(the_order_of_nodes_does_not_matter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
