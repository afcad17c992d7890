/* Identities of a batch's events, compared with a model: random runs of several streams, rows without identity, rewinds, and
 * leases with a part of the rows. */
#include "core/flow/origins.h"

#include "core/flow/batch_home.h"
#include "core/flow/batch_internal.h"
#include "core/flow/bump.h"
#include "tests/support/support.h"

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(200 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    return 0;
}

static int teardown(void **state)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return 0;
}

struct model {
    char texts[PS_BATCH_EVENTS_MAX][PS_IDENTITY_TEXT_BYTES]; /* by row; "": none */
    uint32_t count;
};

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return ps_test_random(random) % limit;
}

static const char files[] = "files"; /* its positions are offsets of bytes */

static struct ps_identity drawn(uint64_t *random)
{
    static const char *const topics[] = {"a", "b", "ab", "topic"};
    const char *topic = topics[below(random, PS_COUNT_OF(topics))];
    if (below(random, 3) == 0)
        return (struct ps_identity){.system = "log",
                                    .store = 1 + below(random, 2),
                                    .part = (int64_t)below(random, 2),
                                    .position = below(random, 3),
                                    .ordinal = (uint32_t)below(random, 3),
                                    .has_ordinal = true};
    if (below(random, 2) == 0)
        return (struct ps_identity){.system = files,
                                    .store = 1 + below(random, 2),
                                    .part = -1,
                                    .position = below(random, 2) == 0 ? below(random, 100)
                                                                      : UINT32_MAX - below(random, 100)};
    return (struct ps_identity){.system = "kafka",
                                .name = {topic, (uint32_t)strlen(topic)},
                                .part = (int64_t)below(random, 3),
                                .position = below(random, 10)};
}

/* Notes the identity of the row added last; the next one is at a later offset, seldom at an earlier one or far behind. */
static void add_step(struct ps_batch *batch, struct ps_identity *next, uint64_t *random)
{
    assert_true(ps_batch_origin_step(batch, next));
    uint64_t way = below(random, 20);
    next->position += way == 0   ? UINT32_MAX - below(random, 3)
                      : way == 1 ? -next->position
                                 : below(random, 300);
}

/* Adds rows, most with identities. They often follow those of the last rows, as a reader's do. */
static void add_rows(struct ps_batch *batch, struct model *model, struct ps_identity *next, uint64_t *random)
{
    uint32_t count = 1 + (uint32_t)below(random, 4);
    if (below(random, 3) == 0)
        *next = drawn(random);
    bool has = below(random, 5) > 0;
    for (uint32_t i = 0; has && next->system == files && i < count; i++) {
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        (void)ps_identity_text(next, model->texts[model->count++]);
        add_step(batch, next, random);
    }
    if (has && next->system == files)
        return;
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
    char name[16]; /* the caller's name goes away */
    struct ps_identity first = *next;
    if (first.name.length > 0)
        first.name.data = memcpy(name, first.name.data, first.name.length);
    assert_true(!has || ps_batch_origin(batch, &first, count));
    memset(name, '?', sizeof name);
    for (uint32_t i = 0; i < count; i++) {
        char *text = model->texts[model->count++];
        text[0] = '\0';
        if (!has)
            continue;
        uint32_t length = ps_identity_text(next, text);
        assert_int_equal(length, strlen(text));
        next->ordinal += next->has_ordinal;
        next->position += !next->has_ordinal;
    }
}

static void assert_identities(const struct ps_lease *lease, const struct model *model)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_identity identity;
        char text[PS_IDENTITY_TEXT_BYTES] = "";
        if (ps_event_identity(lease, i, &identity))
            (void)ps_identity_text(&identity, text);
        assert_string_equal(text, model->texts[lease->index != NULL ? lease->index[i] : i]);
    }
}

/* Replaces the lease's rows: a new row has no identity, and the first of several rows of one event has that event's
 * identity. */
static void replace_rows(struct ps_lease *lease, const struct model *model, uint64_t *random)
{
    static struct model replaced;
    uint16_t from[PS_BATCH_EVENTS_MAX];
    bool used[PS_BATCH_EVENTS_MAX] = {false};
    if (model->count == 0)
        return;
    replaced.count = 1 + (uint32_t)below(random, 300);
    struct ps_event *rows = ps_batch_rows(lease->batch, replaced.count);
    assert_non_null(rows);
    for (uint32_t i = 0; i < replaced.count; i++) {
        bool fresh = below(random, 5) == 0;
        from[i] = fresh ? UINT16_MAX : (uint16_t)below(random, model->count);
        rows[i] = fresh ? (struct ps_event){.body = NULL} : lease->batch->events[from[i]];
        replaced.texts[i][0] = '\0';
        if (fresh || used[from[i]])
            continue;
        used[from[i]] = true;
        memcpy(replaced.texts[i], model->texts[from[i]], sizeof replaced.texts[i]);
    }
    assert_true(ps_lease_replace(lease, rows, replaced.count, from));
    assert_int_equal(lease->count, replaced.count);
    assert_identities(lease, &replaced);
}

static void test_as_the_model(void **state)
{
    static struct model model;
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 300; round++) {
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        struct ps_identity next = drawn(&random);
        uint32_t adds = (uint32_t)below(&random, 200);
        model.count = 0;
        for (uint32_t i = 0; i < adds; i++) {
            if (below(&random, 4) > 0) {
                add_rows(batch, &model, &next, &random);
                continue;
            }
            const struct ps_batch_point point = ps_batch_point(batch);
            const uint32_t count = model.count;
            struct ps_identity withdrawn = next;
            for (uint64_t more = below(&random, 8); more > 0; more--)
                add_rows(batch, &model, &withdrawn, &random);
            ps_batch_rewind(batch, &point);
            model.count = count;
        }
        ps_batch_close(batch);
        struct ps_lease *lease = ps_batch_chain(batch);
        assert_int_equal(lease->count, model.count);
        assert_identities(lease, &model);
        uint64_t keep[PS_BATCH_EVENTS_MAX / 64];
        for (size_t i = 0; i < PS_COUNT_OF(keep); i++)
            keep[i] = ps_test_random(&random);
        assert_true(ps_lease_filter_bits(lease, keep));
        assert_identities(lease, &model);
        replace_rows(lease, &model, &random);
        ps_batch_give(batch);
    }
}

/* A run takes one origin, however many events it has. */
static void test_runs_are_joined(void **state)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    for (uint64_t offset = 0; offset < 500; offset++) {
        const struct ps_identity identity = {
            .system = "kafka", .name = {"t", 1}, .part = 3, .position = 1000 + offset + (offset >= 250)};
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        assert_true(ps_batch_origin(batch, &identity, 1));
    }
    assert_int_equal(batch->origin_count, 2);
    assert_int_equal(batch->origins[0].count, 250);
    ps_batch_give(batch);
}

/* Also a run of offsets takes one origin, up to 4 GiB of the file, and still when rows were replaced. */
static void test_steps_are_joined(void **state)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    static const uint64_t offsets[] = {7, 7, 20, 7 + (uint64_t)UINT32_MAX, 8 + (uint64_t)UINT32_MAX, 3};
    struct ps_identity identity = {.system = "files", .store = 5, .part = -1};
    for (uint16_t i = 0; i < PS_COUNT_OF(offsets); i++) {
        identity.position = offsets[i];
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        assert_true(ps_batch_origin_step(batch, &identity));
    }
    assert_int_equal(batch->origin_count, 3);
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch);
    static const uint16_t from[] = {1, 3, 5};
    struct ps_event *rows = ps_batch_rows(batch, PS_COUNT_OF(from));
    assert_non_null(rows);
    for (uint16_t i = 0; i < PS_COUNT_OF(from); i++)
        rows[i] = batch->events[from[i]];
    assert_true(ps_lease_replace(lease, rows, PS_COUNT_OF(from), from));
    assert_int_equal(batch->origin_count, 2);
    for (uint16_t i = 0; i < PS_COUNT_OF(from); i++) {
        assert_true(ps_event_identity(lease, i, &identity));
        assert_int_equal(identity.position, offsets[from[i]]);
    }
    ps_batch_give(batch);
}

/* Takes every free block, and what is left in the batch's block for headers. */
static unsigned take_memory(struct ps_batch *batch, struct ps_block_cache *cache, struct ps_block **taken)
{
    unsigned count = 0;
    while ((taken[count] = ps_block_take(cache)) != NULL)
        count++;
    while (ps_batch_meta_alloc(batch, 1, 1) != NULL || ps_batch_alloc(batch, 1) != NULL)
        ;
    return count;
}

static bool add_identity(struct ps_batch *batch, int64_t part, bool has_name)
{
    const struct ps_identity identity = {
        .system = "log", .name = {has_name ? "n" : "", has_name}, .part = part, .position = 5};
    return ps_batch_origin(batch, &identity, 1);
}

/* Adds an identity to a batch that has `count`, without memory and then with it. Returns whether it was refused at first. */
static bool play_no_memory(uint32_t count, bool has_name)
{
    static struct ps_block *taken[256];
    struct ps_block_cache cache;
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    for (uint32_t i = 0; i <= count; i++) {
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        if (i < count)
            assert_true(add_identity(batch, i, false));
    }
    ps_block_cache_init(&cache, depot);
    unsigned blocks = take_memory(batch, &cache, taken);
    bool refused = !add_identity(batch, count, has_name);
    assert_int_equal(batch->origin_count, refused ? count : count + 1);
    while (blocks > 0)
        ps_block_drop(&cache, taken[--blocks]);
    ps_block_cache_fini(&cache);
    if (refused)
        assert_true(add_identity(batch, count, has_name));
    assert_int_equal(batch->origin_count, count + 1);
    for (uint32_t i = 0; i <= count; i++)
        assert_true(batch->origins[i].row == i && batch->origins[i].first.part == (int64_t)i);
    ps_batch_give(batch);
    return refused;
}

/* Without memory an identity is refused, and those that the batch has are as before; with memory the same one is taken. A name needs memory of
 * its own, and the list needs more when it is full. */
static void test_no_memory(void **state)
{
    static const uint32_t full[] = {0, 1, 4, 16, 64};
    for (size_t i = 0; i < PS_COUNT_OF(full); i++)
        assert_true(play_no_memory(full[i], false));
    for (uint32_t count = 0; count < 20; count++) {
        assert_true(play_no_memory(count, true));
        bool is_full = count == 0 || count == 1 || count == 4 || count == 16;
        assert_int_equal(play_no_memory(count, false), is_full);
    }
}

/* Rows that an interceptor has made anew have the identities of those from which they are. Without memory for them nothing is replaced, and no identity is
 * lost. */
static void test_replaced_without_memory(void **state)
{
    static struct ps_block *taken[256];
    static const uint16_t from[] = {2, 0, UINT16_MAX, 1, 1};
    struct ps_block_cache cache;
    struct ps_identity identity;
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    for (int64_t i = 0; i < 3; i++) {
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        assert_true(add_identity(batch, i, false));
    }
    ps_batch_close(batch);
    struct ps_lease *chain = ps_batch_chain(batch);
    const struct ps_batch before = *batch;
    struct ps_event *rows = ps_batch_rows(batch, PS_COUNT_OF(from));
    assert_non_null(rows);
    for (size_t i = 0; i < PS_COUNT_OF(from); i++)
        rows[i] = before.events[0];
    ps_block_cache_init(&cache, depot);
    unsigned blocks = take_memory(batch, &cache, taken);
    assert_false(ps_lease_replace(chain, rows, PS_COUNT_OF(from), from));
    assert_true(chain->count == 3 && batch->count == 3 && batch->events == before.events);
    assert_true(batch->origin_count == 3 && batch->origins == before.origins);
    while (blocks > 0)
        ps_block_drop(&cache, taken[--blocks]);
    ps_block_cache_fini(&cache);
    assert_true(ps_lease_replace(chain, rows, PS_COUNT_OF(from), from));
    assert_int_equal(chain->count, PS_COUNT_OF(from));
    for (uint32_t i = 0; i < PS_COUNT_OF(from); i++) {
        bool has = i != 2 && i != 4; /* of two rows from one, the first has it */
        assert_int_equal(ps_event_identity(chain, i, &identity), has);
        if (has)
            assert_int_equal(identity.part, from[i]);
    }
    ps_batch_give(batch);
}

/* The texts are in files of users: they stay as they are. */
static void test_texts(void **state)
{
    static const struct {
        struct ps_identity identity;
        const char *text;
    } cases[] = {
        {{.system = "kafka", .name = {"topic", 5}, .part = 3, .position = 1042}, "kafka:topic/3/1042"},
        {{.system = "kafka", .name = {"t", 1}, .part = 0, .position = 0}, "kafka:t/0/0"},
        {{.system = "log",
          .store = 0x9f3a0c5e77d01b4,
          .part = 3735928559,
          .position = 123,
          .ordinal = 7,
          .has_ordinal = true},
         "log:09f3a0c5e77d01b4/3735928559/123/7"},
        {{.system = "taildir", .store = 0xd01b49f3a0c5e77, .part = -1, .position = 4096},
         "taildir:0d01b49f3a0c5e77/4096"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[PS_IDENTITY_TEXT_BYTES];
        uint32_t length = ps_identity_text(&cases[i].identity, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
    char name[1000], text[PS_IDENTITY_TEXT_BYTES];
    memset(name, 'n', sizeof name);
    const struct ps_identity longest = {.system = "12345678901234567890123456789012",
                                        .name = {name, sizeof name},
                                        .store = UINT64_MAX,
                                        .part = INT64_MAX,
                                        .position = UINT64_MAX,
                                        .ordinal = UINT32_MAX,
                                        .has_ordinal = true};
    uint32_t length = ps_identity_text(&longest, text);
    assert_int_equal(length, strlen(text));
    assert_non_null(strstr(text, "/18446744073709551615/4294967295"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_the_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_without_memory, setup, teardown),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
