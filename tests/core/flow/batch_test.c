/* Batches compared with a naive model: many batches from one bump allocator, random bodies, headers, spans and
 * tickets, with enough memory and with too little at every point. Data once added does not change, and all
 * memory is returned. */
#include "core/flow/bump.h"

#include "core/arena.h"
#include "tests/support/support.h"

#include <stdio.h>

#define NAMES 40U
#define LIVE_MAX 12U

struct model_header {
    unsigned name;
    uint32_t value;
};

struct model_event {
    uint32_t length, pattern;
    struct model_header own[24]; /* oldest first */
    unsigned own_count;
};

struct model {
    struct ps_batch *batch;
    struct model_event events[PS_BATCH_EVENTS_MAX];
    uint32_t count;
    struct model_header shared[NAMES];
    unsigned shared_count;
    struct ps_span spans[PS_BATCH_SPANS_MAX];
    uint32_t span_count;
    uint64_t bytes;
};

struct bench {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_block_cache hoard; /* blocks withheld from the code under test */
    struct ps_block *hoarded[4096];
    unsigned hoarded_count;
    const struct ps_name *names[NAMES];
    uint64_t random;
    struct model *live[LIVE_MAX];
    unsigned live_count;
};

static uint64_t pick(struct bench *bench, uint64_t below)
{
    return ps_test_random(&bench->random) % below;
}

static void bench_init(struct bench *bench, uint32_t blocks, uint32_t left, uint64_t seed)
{
    struct ps_err err = {0};
    *bench = (struct bench){.random = seed | 1};
    bench->depot = ps_depot_create((uint64_t)blocks * PS_BLOCK_BYTES, &err);
    assert_non_null(bench->depot);
    bench->pool = ps_pool_create(bench->depot, 3);
    assert_non_null(bench->pool);
    assert_int_equal(ps_pool_worker(bench->pool), 3);
    ps_bump_init(&bench->bump, bench->pool);
    ps_block_cache_init(&bench->hoard, bench->depot);
    while (bench->hoarded_count + left < blocks)
        assert_non_null(bench->hoarded[bench->hoarded_count++] = ps_block_take(&bench->hoard));
    for (unsigned i = 0; i < NAMES; i++) {
        char text[16];
        snprintf(text, sizeof text, "name%u", i);
        bench->names[i] = ps_name_intern(text);
    }
}

static void bench_fini(struct bench *bench)
{
    while (bench->hoarded_count > 0)
        ps_block_drop(&bench->hoard, bench->hoarded[--bench->hoarded_count]);
    ps_block_cache_fini(&bench->hoard);
    ps_bump_fini(&bench->bump);
    assert_int_equal(ps_pool_out_count(bench->pool), 0);
    ps_pool_destroy(bench->pool);
    assert_int_equal(ps_depot_used_bytes(bench->depot), 0);
    ps_depot_destroy(bench->depot);
}

/* ---- verification ---- */

static uint32_t value_text(uint32_t value, char text[32])
{
    return (uint32_t)snprintf(text, 32, "value %u", value);
}

static void check_value(uint32_t value, const char *data, uint32_t length)
{
    char text[32];
    assert_int_equal(length, value_text(value, text));
    assert_memory_equal(data, text, length);
}

static int model_own(const struct model_event *event, unsigned name)
{
    for (unsigned i = event->own_count; i-- > 0;) {
        if (event->own[i].name == name)
            return (int)i;
    }
    return -1;
}

static int model_shared(const struct model *model, unsigned name)
{
    for (unsigned i = 0; i < model->shared_count; i++) {
        if (model->shared[i].name == name)
            return (int)i;
    }
    return -1;
}

/* Every third stream has no name. The next call overwrites the text: the batch must have its own copy. */
static const struct ps_stream_name *stream_name(uint32_t stream)
{
    static char text[12];
    static const struct ps_stream_name name = {.system = "test", .name = {text, 10}, .part = -1};
    snprintf(text, sizeof text, "%010u", stream);
    return stream % 3 > 0 ? &name : NULL;
}

static void check_span(const struct ps_span *span, const struct ps_span *expected)
{
    const struct ps_stream_name *name = stream_name(expected->stream);
    assert_memory_equal(span, expected, offsetof(struct ps_span, name));
    assert_int_equal(span->epoch, expected->epoch);
    assert_true(name == NULL ? span->name == NULL : memcmp(span->name->name.data, name->name.data, 10) == 0);
}

static void check_headers(const struct bench *bench, const struct model *model, uint32_t row)
{
    const struct model_event *event = &model->events[row];
    const struct ps_event *real = &model->batch->events[row];
    struct ps_header_cursor cursor = ps_headers_begin(model->batch, real);
    const struct ps_header *header;
    for (unsigned i = event->own_count; i-- > 0;) { /* own ones, newest first */
        assert_non_null(header = ps_headers_next(&cursor));
        assert_true(ps_name_equal(header->name, bench->names[event->own[i].name]));
        check_value(event->own[i].value, header->value, header->value_length);
    }
    unsigned rest = 0, seen = 0;
    for (unsigned i = 0; i < model->shared_count; i++)
        rest += model_own(event, model->shared[i].name) < 0;
    while ((header = ps_headers_next(&cursor)) != NULL)
        seen++;
    assert_int_equal(seen, rest);
    for (unsigned name = 0; name < NAMES; name++) {
        struct ps_slice value = {NULL, 0};
        int own = model_own(event, name), shared = model_shared(model, name);
        assert_int_equal(ps_event_header(model->batch, real, bench->names[name], &value),
                         own >= 0 || shared >= 0);
        if (own >= 0)
            check_value(event->own[own].value, value.data, value.length);
        else if (shared >= 0)
            check_value(model->shared[shared].value, value.data, value.length);
    }
}

static void check(const struct bench *bench, const struct model *model)
{
    const struct ps_batch *batch = model->batch;
    assert_int_equal(batch->count, model->count);
    assert_int_equal(batch->body_bytes, model->bytes);
    for (uint32_t row = 0; row < model->count; row++) {
        const struct ps_event *event = &batch->events[row];
        assert_int_equal(event->body_length, model->events[row].length);
        for (uint32_t i = 0; i < event->body_length; i += 1 + event->body_length / 13)
            assert_int_equal((uint8_t)event->body[i], (uint8_t)(model->events[row].pattern + i));
        if (row % 7 == 0 || row + 1 == model->count)
            check_headers(bench, model, row);
    }
    assert_int_equal(batch->span_count, model->span_count);
    for (uint32_t i = 0; i < model->span_count; i++)
        check_span(&batch->spans[i], &model->spans[i]);
    assert_true(ps_batch_block_count(batch) <= PS_BATCH_BLOCKS_MAX);
}

/* ---- operations on an open batch; each may fail, and then changes nothing ---- */

static void fill(char *at, uint32_t length, uint32_t pattern)
{
    for (uint32_t i = 0; i < length; i++)
        at[i] = (char)(pattern + i);
}

static uint32_t random_length(struct bench *bench)
{
    switch (pick(bench, 12)) {
    case 0:
        return 0;
    case 1:
        return (uint32_t)pick(bench, PS_BLOCK_BYTES + 1);
    case 2:
        return pick(bench, 4) == 0 ? PS_BLOCK_BYTES + 1 + (uint32_t)pick(bench, 100000) : 1;
    default:
        return (uint32_t)pick(bench, 400);
    }
}

static void added(struct model *model, uint32_t length, uint32_t pattern)
{
    model->events[model->count++] = (struct model_event){.length = length, .pattern = pattern};
    model->bytes += length;
}

static void do_copy(struct bench *bench, struct model *model)
{
    static char bytes[2 * PS_BLOCK_BYTES];
    uint32_t length = random_length(bench), pattern = (uint32_t)pick(bench, 256);
    if (ps_batch_left(model->batch) > 0)
        return;
    fill(bytes, length, pattern);
    if (ps_batch_add_copy(model->batch, bytes, length) != NULL)
        added(model, length, pattern);
}

/* Reads into the batch, makes rows of the lines, and leaves the rest for the next reserve, of this batch
 * or of the next one. */
static void do_read(struct bench *bench, struct model *model)
{
    struct ps_batch *batch = model->batch;
    uint32_t left = ps_batch_left(batch), room = 0;
    uint32_t wanted = left + 1 + (uint32_t)pick(bench, 3000), pattern = left % 251;
    char *bytes = ps_batch_reserve(batch, wanted, &room);
    if (bytes == NULL)
        return;
    assert_true(room >= wanted && ps_batch_left(batch) == left);
    for (uint32_t i = 0; i < left; i++) /* the rest of the previous read is at its start */
        assert_int_equal((uint8_t)bytes[i], (uint8_t)(pattern + i));
    uint32_t length = left + (uint32_t)pick(bench, wanted - left);
    fill(bytes, length, pattern);
    if (ps_batch_add(batch, bytes, length) == NULL) {
        assert_true(batch->full);
        ps_batch_leave(batch, left);
        return;
    }
    ps_batch_commit(batch, length);
    added(model, length, pattern);
    uint32_t rest = (uint32_t)pick(bench, wanted - length + 1);
    fill(bytes + length, rest, rest % 251);
    ps_batch_leave(batch, rest);
}

static void do_run(struct bench *bench, struct model *model)
{
    uint32_t length = (uint32_t)pick(bench, 40), count = 1 + (uint32_t)pick(bench, 60), room;
    if (ps_batch_left(model->batch) > 0)
        return;
    char *bytes = ps_batch_reserve(model->batch, length * count + 1, &room);
    if (bytes == NULL)
        return;
    uint32_t pattern = (uint32_t)pick(bench, 256),
             fitted = ps_batch_add_run(model->batch, bytes, length, count);
    assert_true(fitted == count || model->batch->full);
    for (uint32_t i = 0; i < fitted; i++) {
        fill(bytes + (size_t)i * length, length, pattern + i);
        added(model, length, pattern + i);
    }
    ps_batch_commit(model->batch, fitted * length);
}

static char *make_value(struct bench *bench, struct ps_batch *batch, uint32_t *value, uint32_t *length)
{
    char text[32];
    *value = (uint32_t)pick(bench, 1000000);
    *length = value_text(*value, text);
    char *bytes = ps_batch_alloc(batch, *length);
    if (bytes != NULL)
        memcpy(bytes, text, *length);
    return bytes;
}

static void do_header(struct bench *bench, struct model *model)
{
    uint32_t value, length, row = (uint32_t)pick(bench, model->count);
    unsigned name = (unsigned)pick(bench, NAMES);
    struct model_event *event = &model->events[row];
    struct ps_event *real = &model->batch->events[row];
    char *bytes = make_value(bench, model->batch, &value, &length);
    if (bytes == NULL || event->own_count == PS_COUNT_OF(event->own))
        return;
    const struct ps_name *real_name = bench->names[name];
    if (pick(bench, 4) == 0) { /* a name that is not interned: only its text is equal */
        real_name = ps_batch_name(model->batch, bench->names[name]->text, bench->names[name]->length);
        if (real_name == NULL)
            return;
    }
    int own = model_own(event, name);
    if (own >= 0) {
        if (ps_batch_header_set(model->batch, real, real_name, bytes, length))
            event->own[own].value = value;
    } else if (pick(bench, 2) == 0 ? ps_batch_header_set(model->batch, real, real_name, bytes, length)
                                   : ps_batch_header_add(model->batch, real, real_name, bytes, length)) {
        event->own[event->own_count++] = (struct model_header){name, value};
    }
}

static void model_drop_own(struct model_event *event, unsigned name)
{
    int own = model_own(event, name);
    if (own < 0)
        return;
    for (unsigned i = (unsigned)own; i + 1 < event->own_count; i++)
        event->own[i] = event->own[i + 1];
    event->own_count--;
}

static void model_drop_shared(struct model *model, unsigned name)
{
    int shared = model_shared(model, name);
    if (shared < 0)
        return;
    for (unsigned i = (unsigned)shared; i + 1 < model->shared_count; i++)
        model->shared[i] = model->shared[i + 1];
    model->shared_count--;
}

static void do_shared(struct bench *bench, struct model *model)
{
    char text[32];
    uint32_t value = (uint32_t)pick(bench, 1000000), length = value_text(value, text);
    unsigned name = (unsigned)pick(bench, NAMES);
    bool replace = pick(bench, 2) == 0;
    if (!ps_batch_shared_set(model->batch, bench->names[name], text, length, replace))
        return;
    int shared = model_shared(model, name);
    if (shared >= 0 && !replace)
        return;
    if (shared >= 0)
        model->shared[shared].value = value;
    else
        model->shared[model->shared_count++] = (struct model_header){name, value};
    for (uint32_t row = 0; replace && row < model->count; row++)
        model_drop_own(&model->events[row], name);
}

static void do_shared_remove(struct bench *bench, struct model *model)
{
    unsigned name = (unsigned)pick(bench, NAMES);
    ps_batch_shared_remove(model->batch, bench->names[name]);
    model_drop_shared(model, name);
    for (uint32_t row = 0; row < model->count; row++)
        model_drop_own(&model->events[row], name);
}

/* Removing a shared header from one event gives the other events a copy of it. This changes the order of
 * their headers, so the model's lists are rebuilt from the batch after the headers were checked. */
static void do_remove(struct bench *bench, struct model *model)
{
    uint32_t row = (uint32_t)pick(bench, model->count);
    unsigned name = (unsigned)pick(bench, NAMES);
    if (model_shared(model, name) < 0) {
        assert_true(ps_batch_header_remove(model->batch, &model->batch->events[row], bench->names[name]));
        model_drop_own(&model->events[row], name);
        return;
    }
    if (pick(bench, 4) > 0)
        return; /* expensive: checks every header of every event */
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->events[i].own_count + model->shared_count > PS_COUNT_OF(model->events[i].own))
            return;
    }
    bool done = ps_batch_header_remove(model->batch, &model->batch->events[row], bench->names[name]);
    if (!done) { /* some headers were copied to events: the events must read as before */
        for (uint32_t i = 0; i < model->count; i++) {
            struct ps_slice value;
            assert_true(ps_event_header(model->batch, &model->batch->events[i], bench->names[name], &value));
        }
    }
    for (uint32_t i = 0; i < model->count; i++) {
        struct model_event *event = &model->events[i];
        struct model_header before[64];
        unsigned before_count = 0;
        for (unsigned n = 0; n < NAMES; n++) {
            int own = model_own(event, n), shared = model_shared(model, n);
            if (own >= 0 || shared >= 0)
                before[before_count++] = own >= 0 ? event->own[own] : model->shared[shared];
        }
        const struct ps_header *header = model->batch->events[i].headers;
        unsigned count = 0;
        for (const struct ps_header *one = header; one != NULL; one = one->next)
            count++;
        event->own_count = count;
        for (; header != NULL; header = header->next) {
            unsigned n = 0;
            while (!ps_name_equal(bench->names[n], header->name))
                n++;
            unsigned k = 0;
            while (k < before_count && before[k].name != n)
                k++;
            assert_true(k < before_count);
            check_value(before[k].value, header->value, header->value_length);
            event->own[--count] = before[k];
        }
    }
    if (done) {
        assert_null(model->batch->shared);
        model->shared_count = 0;
        assert_null(ps_header_find(model->batch->events[row].headers, bench->names[name]));
    }
}

static void do_span(struct bench *bench, struct model *model)
{
    uint32_t stream = (uint32_t)pick(bench, 400), pass = (uint32_t)pick(bench, 2);
    int64_t position = (int64_t)pick(bench, 1000000);
    if (!ps_batch_span(model->batch, stream, pass, position, stream_name(stream))) {
        assert_true(model->batch->full || model->span_count < PS_BATCH_SPANS_MAX);
        return;
    }
    for (uint32_t i = 0; i < model->span_count; i++) {
        struct ps_span *span = &model->spans[i];
        if (span->stream == stream && span->pass == pass) {
            span->position = position > span->position ? position : span->position;
            span->epoch = (int32_t)pick(bench, 100);
            ps_batch_span_epoch(model->batch, stream, pass, span->epoch);
            return;
        }
    }
    model->spans[model->span_count++] = (struct ps_span){stream, pass, position, NULL, -1};
}

static void turn(struct bench *bench, struct model *model)
{
    static void (*const filling[])(struct bench * bench, struct model * model) = {do_copy, do_read, do_read,
                                                                                  do_run};
    static void (*const editing[])(struct bench * bench, struct model * model) = {
        do_header, do_header, do_header, do_shared, do_shared_remove, do_remove, do_span};
    if (model->count == 0 || pick(bench, 3) == 0)
        filling[pick(bench, PS_COUNT_OF(filling))](bench, model);
    else
        editing[pick(bench, PS_COUNT_OF(editing))](bench, model);
}

static struct model *open_batch(struct bench *bench)
{
    struct ps_batch *batch = ps_batch_take(&bench->bump, (struct ps_now){.mono_ns = 5});
    if (batch == NULL)
        return NULL;
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->batch = batch;
    if (pick(bench, 4) == 0)
        batch->capacity = 1 + (uint32_t)pick(bench, 50);
    return model;
}

static void give(struct bench *bench, unsigned which)
{
    struct model *model = bench->live[which];
    check(bench, model);
    ps_batch_give(model->batch);
    free(model);
    bench->live[which] = bench->live[--bench->live_count];
}

static void run_batches(struct bench *bench, unsigned batches)
{
    for (unsigned i = 0; i < batches; i++) {
        struct model *model = open_batch(bench);
        if (model != NULL) {
            unsigned turns = (unsigned)pick(bench, 300);
            for (unsigned k = 0; k < turns && !model->batch->full; k++)
                turn(bench, model);
            ps_batch_close(model->batch);
            const struct ps_lease *chain = ps_batch_chain(model->batch);
            assert_int_equal(chain->count, model->count);
            assert_int_equal(chain->bytes, model->bytes);
            for (unsigned k = 0; k < 30 && model->count > 0; k++) /* interceptors */
                (pick(bench, 2) == 0 ? do_header : do_shared)(bench, model);
            bench->live[bench->live_count++] = model;
        }
        while (bench->live_count > 0 &&
               (bench->live_count == LIVE_MAX || model == NULL || pick(bench, 2) == 0))
            give(bench, (unsigned)pick(bench, bench->live_count));
    }
    while (bench->live_count > 0)
        give(bench, bench->live_count - 1);
}

static void test_against_model(void **state)
{
    uint64_t seed = ps_test_seed();
    static struct bench bench;
    for (unsigned round = 0; round < 40; round++) {
        bench_init(&bench, 1024, 1024, ps_test_random(&seed));
        run_batches(&bench, 40);
        bench_fini(&bench);
    }
}

/* The number of available blocks is limited: every allocation of the script fails in some round. */
static void test_out_of_memory(void **state)
{
    uint64_t seed = ps_test_seed();
    static struct bench bench;
    for (unsigned round = 0; round < 240; round++) {
        bench_init(&bench, 32, round % 24, ps_test_random(&seed));
        run_batches(&bench, 12);
        bench_fini(&bench);
    }
}

/* The budget alone limits how many batches there are, and their descriptors are part of it. */
static void test_descriptors_are_in_the_budget(void **state)
{
    static struct bench bench;
    struct ps_batch_home *last = NULL;
    struct ps_batch *batch;
    uint64_t count = 0;
    bench_init(&bench, 64, 64, 1);
    while ((batch = ps_batch_take(&bench.bump, (struct ps_now){0})) != NULL) {
        assert_non_null(ps_lease_split(ps_batch_chain(batch), NULL, 0));
        ps_batch_home(batch)->next = last;
        last = ps_batch_home(batch);
        count++;
    }
    assert_int_equal(ps_pool_out_count(bench.pool), count);
    assert_true(count > 64 * PS_BLOCK_BYTES / 2048);
    assert_true(count < 64 * PS_BLOCK_BYTES / (sizeof *last + sizeof(struct ps_lease)));
    while (last != NULL) {
        batch = &last->batch;
        last = last->next;
        ps_batch_give(batch);
    }
    assert_non_null(batch = ps_batch_take(&bench.bump, (struct ps_now){0}));
    ps_batch_give(batch);
    bench_fini(&bench);
}

/* Interceptors can extend a batch that a source filled completely, as long as the budget has memory:
 * otherwise the chain would try again for ever. */
static void test_full_batch_takes_interceptors(void **state)
{
    static struct bench bench;
    bench_init(&bench, 64, 64, 1);
    struct ps_batch *batch = ps_batch_take(&bench.bump, (struct ps_now){0});
    static char body[200000];
    while (ps_batch_add_copy(batch, body, sizeof body) != NULL) {
    }
    assert_true(batch->full && batch->count > 2);
    ps_batch_close(batch);
    for (uint32_t row = 0; row < batch->count; row++) { /* replace each body by one of the same length */
        assert_non_null(ps_batch_alloc(batch, sizeof body));
        for (unsigned i = 0; i < 4; i++) {
            char *value = ps_batch_alloc(batch, 60000);
            assert_non_null(value);
            assert_true(ps_batch_header_add(batch, &batch->events[row], bench.names[i], value, 60000));
        }
    }
    assert_non_null(ps_lease_split(ps_batch_chain(batch), (const uint16_t[]){0, 1}, 2));
    ps_batch_give(batch);
    bench_fini(&bench);
}

static void test_tickets(void **state)
{
    static struct bench bench;
    bench_init(&bench, 64, 64, 1);
    struct ps_batch *batch = ps_batch_take(&bench.bump, (struct ps_now){0});
    ps_batch_add_copy(batch, "a", 1);
    assert_true(ps_batch_ticket(batch, 7, 1));
    ps_batch_add_copy(batch, "b", 1);
    ps_batch_add_copy(batch, "c", 1);
    assert_true(ps_batch_ticket(batch, 7, 2)); /* adjacent: one ticket */
    assert_ptr_equal(batch->tickets, batch->last_ticket);
    assert_int_equal(batch->tickets->events, 3);
    assert_int_equal(batch->tickets->events_end, 3);
    ps_batch_add_copy(batch, "nobody's", 8);
    ps_batch_add_copy(batch, "d", 1);
    assert_true(ps_batch_ticket(batch, 7, 1)); /* not adjacent */
    assert_ptr_not_equal(batch->tickets, batch->last_ticket);
    ps_batch_add_copy(batch, "e", 1);
    assert_true(ps_batch_ticket(batch, 8, 1));
    assert_int_equal(batch->tickets->next->origin, 7);
    assert_int_equal(batch->tickets->next->events_end, 5);
    assert_int_equal(batch->last_ticket->origin, 8);
    assert_ptr_equal(batch->tickets->next->next, batch->last_ticket);
    ps_batch_give(batch);
    bench_fini(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_descriptors_are_in_the_budget),
        cmocka_unit_test(test_full_batch_takes_interceptors),
        cmocka_unit_test(test_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
