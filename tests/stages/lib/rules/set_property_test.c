/* Random rules (tests/support/rules/random.h) over random events, against a naive evaluator (tests/support/rules/model.h).
 * Leases have index lists, memory runs out in the middle, headers are shared or separate. */
#include "core/flow/bump.h"
#include "tests/support/rules/model.h"
#include "tests/support/rules/random.h"
#include "tests/support/rules/set.h"

#define EVENTS_MAX 40
#define PICK(words) (words)[pick(PS_COUNT_OF(words))]

static uint64_t random_state;

static unsigned pick(unsigned count)
{
    return (unsigned)(ps_test_random(&random_state) % count);
}

/* ---- random events ---- */

static const char *const values[] = {"a", "b", "ab", "5", "5.0", "-1", "12", "", "abc"};

static const char *const pieces[] = {"a", "b",  "c",  "ab",       "abc",          "5",
                                     "6", " ",  "aa", "\xC3\xA9", "\n",           "\xFF",
                                     "x", "-1", "B",  "\r",       "\xE2\x80\xA8", "\xC3"};

static size_t random_text(char *text, unsigned pieces_max)
{
    size_t length = 0;
    for (unsigned i = pick(pieces_max + 1); i > 0; i--) {
        const char *piece = PICK(pieces);
        memcpy(text + length, piece, strlen(piece));
        length += strlen(piece);
        if (pick(40) == 0)
            text[length++] = '\0';
    }
    return length;
}

static struct ps_lease *random_lease(struct ps_test_rules *rules)
{
    static const char *const names[] = {"h1", "h2", "h3", "g1", "tags", "x y", "other"};
    struct ps_test_event events[EVENTS_MAX];
    static char bodies[EVENTS_MAX][128];
    size_t count = 1 + pick(EVENTS_MAX);
    for (size_t i = 0; i < count; i++)
        events[i] = (struct ps_test_event){.body = bodies[i], .length = (uint32_t)random_text(bodies[i], 8)};
    struct ps_lease *lease = ps_test_lease(&rules->stage, events, count);
    struct ps_batch *batch = lease->batch;
    for (unsigned i = pick(3); i > 0; i--) {
        const char *value = PICK(values);
        assert_true(
            ps_batch_shared_set(batch, ps_name_intern(PICK(names)), value, (uint32_t)strlen(value), true));
    }
    for (size_t i = 0; i < count; i++) {
        for (unsigned k = pick(4); k > 0; k--) {
            char text[128];
            size_t length = pick(2) ? random_text(text, 3) : (size_t)sprintf(text, "%s", PICK(values));
            char *value = ps_batch_alloc(batch, (uint32_t)length + 1);
            assert_non_null(value);
            memcpy(value, text, length);
            assert_true(ps_batch_header_set(batch, &batch->events[i], ps_name_intern(PICK(names)), value,
                                            (uint32_t)length));
        }
    }
    if (pick(2)) { /* an index list, as after an interceptor that dropped some */
        uint64_t keep[PS_BATCH_EVENTS_MAX / 64];
        for (size_t i = 0; i < PS_COUNT_OF(keep); i++)
            keep[i] = ps_test_random(&random_state) | ps_test_random(&random_state);
        assert_true(ps_lease_filter_bits(lease, keep));
    }
    return lease;
}

/* ---- memory that runs out ---- */

/* Takes all blocks away. Headers are carved from the current block, of which `left` bytes remain. */
static size_t memory_take(struct ps_test_rules *rules, struct ps_batch *batch, struct ps_block **blocks,
                          size_t count, size_t room, uint32_t left)
{
    struct ps_block_cache *cache = ps_pool_cache(rules->stage.pool);
    while (count < room) {
        struct ps_block *block = ps_block_take(cache);
        if (block == NULL)
            break;
        blocks[count++] = block;
    }
    struct ps_bump *bump = ps_batch_home(batch)->bump;
    uint32_t free_bytes = bump->meta_down - bump->meta_up;
    if (free_bytes > left)
        bump->meta_down -= free_bytes - left;
    return count;
}

static unsigned starved_count;

static void work_starved(struct ps_test_rules *rules, struct ps_lease *lease)
{
    static struct ps_block *blocks[4096];
    size_t taken = 0;
    unsigned injections = pick(30);
    for (unsigned i = 0; i <= injections; i++) {
        taken = memory_take(rules, lease->batch, blocks, taken, PS_COUNT_OF(blocks), pick(400));
        if (ps_test_rules_try(rules, lease) == PS_DONE)
            break;
        assert_true(ps_rules_scratch_is_busy(rules->scratch));
        starved_count++;
        assert_true(taken > 0);
        ps_block_drop(ps_pool_cache(rules->stage.pool), blocks[--taken]);
        if (i == injections || pick(8) == 0) { /* otherwise nothing changes meanwhile */
            while (taken > 0)
                ps_block_drop(ps_pool_cache(rules->stage.pool), blocks[--taken]);
        }
    }
    while (taken > 0)
        ps_block_drop(ps_pool_cache(rules->stage.pool), blocks[--taken]);
    if (ps_rules_scratch_is_busy(rules->scratch))
        ps_test_rules_work(rules, lease);
}

/* ---- the property ---- */

static void assert_lease(struct ps_test_rules *rules, struct ps_test_model *model)
{
    static struct ps_test_model_event expected[EVENTS_MAX];
    struct ps_lease *lease = random_lease(rules);
    struct ps_batch *batch = lease->batch;
    uint32_t count = lease->count;
    static uint16_t rows[EVENTS_MAX];
    model->now_ns = rules->stage.now.mono_ns;
    rules->quiet = pick(2);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = ps_lease_row(lease, i);
        ps_test_model_load(&expected[i], batch, ps_lease_event(lease, i));
        ps_test_model_run(model, &expected[i]);
    }
    if (pick(2))
        work_starved(rules, lease);
    else
        ps_test_rules_work(rules, lease);
    uint32_t position = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!rules->quiet)
            assert_string_equal(rules->acted[rows[i]], expected[i].acted);
        ps_test_model_assert(&expected[i], batch, &batch->events[rows[i]]);
        if (expected[i].dropped && !rules->routes)
            continue;
        assert_true(position < lease->count);
        assert_int_equal(ps_lease_row(lease, position), rows[i]);
        bytes += expected[i].body.length;
        for (unsigned channel = 0; rules->routes && channel < 4; channel++)
            assert_int_equal(ps_test_route_way(&rules->route, lease, position, channel),
                             expected[i].ways[channel]);
        position++;
    }
    assert_int_equal(lease->count, position);
    assert_int_equal(lease->bytes, bytes);
}

static void assert_counts(struct ps_test_rules *rules, const struct ps_test_model *model)
{
    for (size_t i = 0; i < model->rules->rule_count; i++) {
        struct ps_rules_count count = ps_test_rules_count(rules, model->rules->rules[i].name);
        assert_int_equal(count.hits, model->counts[i].hits);
        assert_int_equal(count.bytes, model->counts[i].bytes);
        assert_int_equal(count.dropped, model->counts[i].dropped);
        assert_int_equal(count.failed, 0);
    }
}

static void assert_rules(const char *text, bool routes)
{
    struct ps_test_rules *rules = ps_test_rules_start(text, routes);
    struct ps_test_model *model = ps_test_model_create(ps_rules_set_rules(rules->set));
    for (unsigned i = 0; i < 4; i++) {
        assert_lease(rules, model);
        ps_test_stage_pass_ms(&rules->stage, pick(700));
        ps_test_stage_recycle(&rules->stage);
    }
    assert_counts(rules, model);
    ps_test_model_destroy(model);
    ps_test_rules_end(rules);
}

static void test_against_a_model(void **unused)
{
    static struct ps_test_text text;
    random_state = ps_test_seed();
    unsigned rounds = getenv("PENSTOCK_ROUNDS") != NULL ? (unsigned)atoi(getenv("PENSTOCK_ROUNDS")) : 60;
    for (unsigned i = 0; i < rounds; i++) {
        bool routes = pick(2);
        ps_test_rules_random(&text, routes, pick(4) == 0, &random_state);
        if (getenv("PENSTOCK_SHOW") != NULL)
            fprintf(stderr, "%s\n", text.bytes);
        assert_rules(text.bytes, routes);
    }
    assert_true(starved_count > 0);
    print_message("%u times without memory\n", starved_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_a_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
