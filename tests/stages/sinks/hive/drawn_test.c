/* Random histories of the sink hive on a transactional table: calls that are refused or cut, locks that wait,
 * transactions that Hive aborts, calls of the local disk that fail, recalls, closes. After each history every row is in
 * the table once, no transaction is open unless a call of the metastore was lost, and the sink holds nothing. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/hive_stage.h"
#include "tests/support/system_calls.h"

#include <stdio.h>
#include <stdlib.h>

#define HISTORIES 24U
#define STEPS 14U
#define LEASE_EVENTS 5U
#define EVENTS_MAX (STEPS * LEASE_EVENTS)

static const char *const days[] = {"mon", "tue", "wed"};

struct history {
    struct ps_test_stage stage;
    uint64_t random;
    bool by_day;
    bool forgets;        /* Hive may be left with transactions that it must abort by itself */
    uint64_t call_fails; /* number of the system call that fails (system_calls.h); 0: none */
    unsigned events;
    size_t leases; /* number of leases that the sink must deliver in the end */
    char bodies[EVENTS_MAX][16];
    unsigned rows[EVENTS_MAX]; /* how often each event is in the table */
};

static unsigned draw(struct history *history, unsigned count)
{
    return (unsigned)(ps_test_random(&history->random) % count);
}

static const struct ps_hive_sink *sink_of(const struct history *history)
{
    return *(struct ps_hive_sink **)history->stage.state;
}

static void start(struct history *history)
{
    static const char *const few[] = {"1", "2", "5"};
    const char *batch = few[draw(history, 3)], *asked = few[draw(history, 3)];
    struct ps_test_metastore_table table = ps_test_hive_lines(history->by_day ? "day:string" : "");
    table.bucket_count = draw(history, 2) == 0 ? 1 : 3;
    ps_test_metastore_set_table(&table);
    if (history->by_day)
        ps_test_hive_start(&history->stage,
                           PS_HIVE_LINES(PS_HIVE_BY_DAY, "batchSize", batch, "hive.txnsPerBatchAsk", asked));
    else
        ps_test_hive_start(&history->stage, PS_HIVE_LINES("batchSize", batch, "hive.txnsPerBatchAsk", asked));
}

/* ---- what happens to the sink ---- */

/* A turn of the worker. The disk call whose number was chosen at random fails; the calls of the test itself do not. */
static void turn(struct history *history)
{
    ps_test_call_fails = history->call_fails;
    (void)ps_test_sink_tick(&history->stage);
    history->call_fails = ps_test_call_fails;
    ps_test_call_fails = 0;
    ps_test_stage_pass_ms(&history->stage, 1);
    usleep(1000);
}

static void offer(struct history *history)
{
    struct ps_test_event events[LEASE_EVENTS];
    const char *headers[LEASE_EVENTS][3];
    unsigned count = 1 + draw(history, LEASE_EVENTS);
    for (unsigned i = 0; i < count; i++) {
        char *body = history->bodies[history->events];
        snprintf(body, sizeof history->bodies[0], "%u", history->events++);
        headers[i][0] = "day";
        headers[i][1] = days[draw(history, PS_COUNT_OF(days))];
        headers[i][2] = NULL;
        events[i] = (struct ps_test_event){body, (uint32_t)strlen(body), headers[i]};
    }
    ps_test_hive_offer(&history->stage, ps_test_lease(&history->stage, events, count));
    history->leases++;
}

static void trouble_a_call(struct history *history)
{
    static const struct {
        const char *call;
        int16_t exceptions; /* the exceptions of the call are 1 to this number */
        bool not_given;
    } calls[] = {
        {"commit_txn", 0, false},          {"lock", 3, true},
        {"check_lock", 4, true},           {"add_dynamic_partitions", 3, false},
        {"open_txns", 1, false},           {"allocate_table_write_ids", 3, false},
        {"get_partition", 1, false},       {"append_partition", 1, false},
        {"get_table_req", 1, false},       {"abort_txns", 1, false},
        {"heartbeat_txn_range", 1, false},
    };
    unsigned number = draw(history, PS_COUNT_OF(calls)), kind = draw(history, 5);
    unsigned times = 1 + draw(history, 2);
    /* Aborts that wait in a connection are lost with it. */
    history->forgets |= strcmp(calls[number].call, "abort_txns") == 0 || kind < 2 || number == 0;
    if (kind < 2 || number == 0) /* a commit is refused when its transaction was aborted, and only then */
        ps_test_metastore_cut(calls[number].call, times);
    else
        ps_test_metastore_refuse_by(calls[number].call, times,
                                    kind == 2 && calls[number].not_given
                                        ? 0
                                        : (int16_t)(1 + draw(history, (unsigned)calls[number].exceptions)));
}

static void mend(struct history *history)
{
    history->call_fails = 0;
    ps_test_metastore_refuse("lock", 0);
    ps_test_metastore_cut("lock", 0);
}

/* Recalls the sink, which then, reopened if `closes`, gets the leases again. */
static void recall(struct history *history, bool closes)
{
    mend(history);
    struct ps_lease *back = ps_test_sink_recall(&history->stage);
    history->leases = history->stage.done_count;
    if (closes) {
        ps_test_stage_close(&history->stage);
        assert_int_equal(ps_test_stage_open(&history->stage), PS_OK);
    }
    while (back != NULL) {
        struct ps_lease *lease = back;
        back = lease->next;
        lease->next = NULL;
        ps_test_hive_offer(&history->stage, lease);
        history->leases++;
    }
}

static void step(struct history *history)
{
    switch (draw(history, 8)) {
    case 0:
    case 1:
    case 2:
        trouble_a_call(history);
        break;
    case 3:
        ps_test_metastore_hold_locks(1, 1 + draw(history, 2));
        break;
    case 4:
        ps_test_metastore_abort_open();
        break;
    case 5:
        history->call_fails = 1 + draw(history, 30);
        break;
    case 6:
        recall(history, draw(history, 2) == 0);
        break;
    default:
        break;
    }
    offer(history);
    for (unsigned turns = draw(history, 12); turns > 0; turns--)
        turn(history);
}

/* ---- what must hold at the end ---- */

static void count_rows(struct history *history, const char *day)
{
    static char text[1 << 14];
    char path[400];
    snprintf(path, sizeof path, "%s/%s", ps_test_hive_folder(), day);
    (void)ps_test_metastore_rows(path, text, sizeof text);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        unsigned long number = *line != '\0' ? strtoul(line, NULL, 10) : 0;
        if (*line == '\0')
            continue;
        assert_in_range(number, 0, history->events - 1);
        history->rows[number]++;
    }
}

static void expect_rows(struct history *history)
{
    if (!history->by_day)
        count_rows(history, "");
    for (unsigned i = 0; history->by_day && i < PS_COUNT_OF(days); i++)
        count_rows(history, days[i]);
    for (unsigned i = 0; i < history->events; i++) {
        if (history->rows[i] != 1)
            fail_msg("row %u is in the table %u times", i, history->rows[i]);
    }
}

static void expect_nothing_held(struct history *history)
{
    const struct ps_hive_sink *sink = sink_of(history);
    assert_null(ps_test_sink_recall(&history->stage));
    PS_HIVE_AWAIT(&history->stage, TAILQ_EMPTY(&sink->dead));
    assert_int_equal(sink->held.count, 0);
    assert_int_equal(sink->held.pinned_bytes, 0);
    assert_int_equal(sink->pool.free.count, sink->pool.used - 1);
    assert_int_equal(ps_hive_aborts_left(sink), 0);
    assert_true(history->forgets || ps_test_metastore_txns(PS_TEST_TXN_OPEN) == 0);
    ps_test_stage_close(&history->stage);
    assert_int_equal(ps_test_stage_counter(&history->stage, (enum ps_counter)PS_HIVE_PARTITIONS_OPEN), 0);
    assert_int_equal(ps_test_stage_counter(&history->stage, (enum ps_counter)PS_HIVE_TXNS_OPEN), 0);
}

static void test_history(void **unused)
{
    static uint64_t seed;
    static unsigned number;
    struct history *history = calloc(1, sizeof *history);
    if (seed == 0)
        seed = ps_test_seed();
    history->random = seed ^ (UINT64_C(0x9E3779B97F4A7C15) * ++number);
    history->by_day = draw(history, 3) > 0;
    start(history);
    for (unsigned i = 0; i < STEPS; i++)
        step(history);
    mend(history);
    PS_HIVE_AWAIT(&history->stage, history->stage.done_count == history->leases ||
                                       (ps_test_stage_pass_ms(&history->stage, 20), false));
    expect_rows(history);
    expect_nothing_held(history);
    ps_test_stage_fini(&history->stage);
    free(history);
}

int main(void)
{
    struct CMUnitTest tests[HISTORIES];
    for (unsigned i = 0; i < HISTORIES; i++)
        tests[i] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(test_history, ps_test_hive_setup,
                                                                      ps_test_folder_teardown);
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
