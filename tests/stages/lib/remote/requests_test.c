/* The requests of a remote sink: a table with the cost of each result for an event, and requests whose events have
 * different results. The test is the server: it ends requests by hand. */
#include "stages/lib/remote/requests.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define REQUESTS 3U
#define EVENTS_MAX 4U

struct state {
    struct ps_remote_requests requests;
    struct ps_remote_request items[REQUESTS];
    struct ps_remote_result results[REQUESTS][EVENTS_MAX];
};

static struct ps_test_stage stage;

static struct state *sink(void)
{
    return stage.state;
}

static size_t bound(const struct ps_batch *batch, const struct ps_event *event)
{
    return event->body_length;
}

static void serve(struct ps_remote_sink *remote, bool sends)
{
    ps_remote_requests_work((struct ps_remote_requests *)remote);
}

static uint64_t due_ns(const struct ps_remote_sink *remote)
{
    return ps_remote_requests_due_ns((const struct ps_remote_requests *)remote);
}

static bool awaits(const struct ps_remote_sink *remote)
{
    return ps_remote_requests_in_flight((const struct ps_remote_requests *)remote);
}

static void abandon(struct ps_remote_sink *remote)
{
    ps_remote_requests_abandon((struct ps_remote_requests *)remote);
}

static enum ps_status open_sink(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    static const struct ps_remote_sink_calls calls = {serve, due_ns, awaits, abandon};
    struct state *state = state_;
    state->requests = (struct ps_remote_requests){.server = "server",
                                                  .first = state->items,
                                                  .stride = sizeof state->items[0],
                                                  .count = REQUESTS,
                                                  .events_max = EVENTS_MAX,
                                                  .bytes_max = 100,
                                                  .bound = bound};
    for (unsigned i = 0; i < REQUESTS; i++)
        state->items[i].results = state->results[i];
    ps_remote_sink_init(&state->requests.sink, &calls, port, 8);
    return PS_OK;
}

static const struct ps_stage_ops ops = {
    PS_STAGE(PS_KIND_SINK), .name = "test-requests",     .summary = "a test stage",
    .open = open_sink,      .sink = &ps_remote_sink_ops, .state_size = sizeof(struct state),
};

static void start(uint32_t retry_max, bool letters)
{
    ps_test_stage_start(&stage, &ops, NULL);
    stage.port.retry_max = retry_max;
    if (letters)
        ps_test_dead_letters_open(&stage);
}

static void stop(bool letters)
{
    ps_test_stage_fini(&stage);
    if (letters)
        ps_test_dead_letters_close(&stage);
}

static void offer(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
}

static struct ps_remote_request *next(void)
{
    size_t bytes;
    (void)ps_test_sink_tick(&stage);
    return ps_remote_requests_next(&sink()->requests, &bytes);
}

static void end(struct ps_remote_request *request, const char *outcomes, bool reached)
{
    static const char letters[] = "dar?"; /* in the order of enum ps_remote_outcome */
    assert_int_equal(strlen(outcomes), request->range.count);
    for (size_t i = 0; outcomes[i] != '\0'; i++)
        request->results[i] = (struct ps_remote_result){
            (enum ps_remote_outcome)(strchr(letters, outcomes[i]) - letters), "why"};
    ps_remote_request_ended(&sink()->requests, request, reached);
    (void)ps_test_sink_tick(&stage);
}

/* Returns the first byte of the request's first event. */
static char body_of(const struct ps_remote_request *request)
{
    uint32_t position = request->range.from;
    return ps_held_range_next(&request->range, &position)->body[0];
}

static unsigned counted(enum ps_counter counter)
{
    return (unsigned)ps_test_stage_counter(&stage, counter);
}

/* ---- the table ---- */

struct row {
    const char *outcome;
    bool reached, letters, harmless;
    uint32_t retry_max;
    /* After the first end of a request with one event: */
    uint32_t attempts; /* 0: the event has left its request */
    bool again, dead, refused, unknown, duplicated;
};

static const struct row rows[] = {
    {"d", .reached = true},
    {"d", .reached = true, .letters = true, .retry_max = 1},
    {"a", .reached = true, .attempts = 1, .again = true, .refused = true},
    {"a", .reached = true, .letters = true, .attempts = 1, .again = true, .refused = true},
    {"a", .reached = true, .retry_max = 1, .attempts = 1, .again = true, .refused = true},
    {"a", .reached = true, .letters = true, .retry_max = 2, .attempts = 1, .again = true, .refused = true},
    {"a", .reached = true, .letters = true, .retry_max = 1, .dead = true, .refused = true},
    {"r", .reached = true, .refused = true},
    {"r", .reached = true, .retry_max = 5, .refused = true},
    {"r", .reached = true, .letters = true, .dead = true, .refused = true},
    {"r", .reached = true, .letters = true, .retry_max = 5, .dead = true, .refused = true},
    {"?", .reached = true, .attempts = 1, .again = true, .unknown = true, .duplicated = true},
    {"?", .reached = true, .harmless = true, .attempts = 1, .again = true, .unknown = true},
    {"?", .letters = true, .retry_max = 1, .again = true, .unknown = true},
    {"?", .reached = true, .letters = true, .retry_max = 1, .dead = true, .unknown = true,
     .duplicated = true},
};

static void test_table(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct ps_lease *lease;
        print_message("row %zu: %s\n", i, row->outcome);
        start(row->retry_max, row->letters);
        sink()->requests.repeat_is_harmless = row->harmless;
        offer(lease = PS_LEASE(&stage, PS_BODY("one")));
        struct ps_remote_request *request = next();
        end(request, row->outcome, row->reached);
        assert_int_equal(request->range.count, row->again);
        assert_int_equal(row->again ? request->attempts : 0, row->attempts);
        assert_int_equal(lease->dead, row->dead);
        assert_int_equal(stage.done_count, !row->again);
        assert_int_equal(counted(PS_COUNTER_retried), row->again);
        assert_int_equal(counted(PS_COUNTER_refused), row->refused);
        assert_int_equal(counted(PS_COUNTER_EventWriteFail), row->unknown);
        assert_int_equal(counted(PS_COUNTER_duplicated), row->duplicated);
        assert_int_equal(counted(PS_COUNTER_deadletter), row->dead);
        assert_ptr_equal(next(), row->again ? request : NULL);
        if (row->again)
            end(request, "d", true);
        assert_int_equal(stage.done_count, 1);
        stop(row->letters);
    }
}

/* ---- requests with several events ---- */

static struct ps_lease *abcd(void)
{
    return PS_LEASE(&stage, PS_BODY("A"), PS_BODY("B"), PS_BODY("C"), PS_BODY("D"));
}

/* The events that were not delivered are sent again, in the same request, without the others. */
static void test_result_of_each(void **unused)
{
    struct ps_lease *lease;
    start(0, false);
    offer(lease = abcd());
    struct ps_remote_request *request = next();
    end(request, "dada", true);
    assert_int_equal(lease->settled, 2);
    assert_int_equal(sink()->requests.sink.held.in_flight, 2);
    assert_ptr_equal(next(), request);
    uint32_t position = request->range.from;
    assert_memory_equal(ps_held_range_next(&request->range, &position)->body, "B", 1);
    assert_memory_equal(ps_held_range_next(&request->range, &position)->body, "D", 1);
    assert_null(ps_held_range_next(&request->range, &position));
    end(request, "a?", true);
    assert_int_equal(counted(PS_COUNTER_refused), 2); /* each event once */
    assert_int_equal(counted(PS_COUNTER_retried), 4);
    assert_ptr_equal(next(), request);
    end(request, "dr", true); /* no dead letters: D is dropped */
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(sink()->requests.sink.held.in_flight, 0);
    assert_null(next());
    stop(false);
}

/* The limits of a request: events, bytes, and the end of a lease. Events without anything to send take no place. */
static void test_limits(void **unused)
{
    static char long_body[100 + 1];
    memset(long_body, 'x', sizeof long_body - 1);
    start(0, false);
    offer(PS_LEASE(&stage, PS_BODY("A"), PS_BODY(""), PS_BODY("B"), PS_BODY("C"), PS_BODY("D"), PS_BODY("E"),
                   PS_BODY(long_body), PS_BODY("F")));
    offer(PS_LEASE(&stage, PS_BODY("")));
    struct ps_remote_request *requests[REQUESTS];
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_non_null(requests[i] = next());
    assert_int_equal(requests[0]->range.count, 4);
    assert_int_equal(requests[1]->range.count, 2);
    assert_int_equal(requests[2]->range.count, 1);
    assert_null(next());
    end(requests[2], "d", true);
    end(requests[0], "dddd", true);
    assert_int_equal(stage.done_count, 0);
    end(requests[1], "dd", true);
    assert_null(next());
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(stage.done_count, 2);
    stop(false);
}

/* The refused events of a request become dead letters before its other events are sent again. */
static void test_letters_of_some(void **unused)
{
    struct ps_lease *lease;
    start(0, true);
    offer(lease = abcd());
    struct ps_remote_request *request = next();
    end(request, "rarr", true);
    assert_int_equal(lease->dead, 3);
    assert_int_equal(request->range.count, 1);
    assert_int_equal(ps_test_dead_letters_with("request-refused"), 3);
    assert_int_equal(ps_test_dead_letters_with("server: why"), 3);
    assert_int_equal(sink()->requests.sink.held.in_flight, 1);
    assert_ptr_equal(next(), request);
    end(request, "d", true);
    assert_int_equal(stage.done_count, 1);
    offer(lease = abcd());
    assert_non_null(request = next());
    end(request, "drda", true);
    assert_int_equal(lease->dead, 1);
    assert_int_equal(body_of(request), 'D');
    assert_ptr_equal(next(), request);
    end(request, "d", true);
    stop(true);
}

/* Letters are written for one request at a time: the others wait, and none of their letters is lost. */
static void test_letters_of_many(void **unused)
{
    struct ps_remote_request *requests[REQUESTS];
    start(1, true);
    for (unsigned i = 0; i < REQUESTS; i++)
        offer(abcd());
    for (unsigned i = 0; i < REQUESTS; i++)
        requests[i] = next();
    for (unsigned i = 0; i < REQUESTS; i++)
        ps_remote_request_ended_with(&sink()->requests, requests[i],
                                     (struct ps_remote_result){PS_REMOTE_AGAIN, "full"}, true);
    for (unsigned i = 0; i < 10 && stage.done_count < REQUESTS; i++)
        (void)ps_test_sink_tick(&stage);
    assert_int_equal(stage.done_count, REQUESTS);
    assert_int_equal(counted(PS_COUNTER_deadletter), 4 * REQUESTS);
    assert_int_equal(counted(PS_COUNTER_retried), 0);
    assert_int_equal(ps_test_dead_letters_with("server: full"), 4 * REQUESTS);
    stop(true);
}

static void block_letters(bool block)
{
    char path[256], away[256];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("dead"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    if (!block)
        assert_int_equal(remove(path), 0);
    assert_int_equal(rename(block ? path : away, block ? away : path), 0);
    if (block)
        ps_test_folder_append("dead", "", 0);
}

/* A request whose letters have no room yet is not interrupted by letters of another request: the numbers of its letters are
 * consecutive. */
static void test_letters_without_room(void **unused)
{
    static char body[1500000];
    memset(body, 'x', sizeof body - 1);
    struct ps_remote_request *requests[2];
    start(0, true);
    block_letters(true);
    sink()->requests.bytes_max = SIZE_MAX;
    for (unsigned i = 0; i < 2; i++)
        offer(PS_LEASE(&stage, PS_BODY(body), PS_BODY(body), PS_BODY(body), PS_BODY(body)));
    for (unsigned i = 0; i < 2; i++)
        requests[i] = next();
    end(requests[1], "rrrr", true);
    assert_in_range(counted(PS_COUNTER_deadletter), 1, 3); /* there is room for no more than that */
    end(requests[0], "rrrr", true);
    block_letters(false);
    for (unsigned i = 0; i < 1000 && stage.done_count < 2; i++)
        (void)ps_test_sink_tick(&stage);
    assert_int_equal(stage.done_count, 2);
    assert_int_equal(counted(PS_COUNTER_deadletter), 8);
    stop(true);
}

/* A recall gives back what is not delivered, also events whose letters cannot be written, and counts no event as delivered
 * that is not. */
static void test_recall(void **unused)
{
    struct ps_lease *lease;
    start(0, true);
    block_letters(true);
    offer(lease = abcd());
    end(next(), "drad", true);
    assert_in_range(ps_test_sink_tick(&stage), stage.now.mono_ns, stage.now.mono_ns + PS_NS_PER_S);
    assert_null(next()); /* the letter is not written */
    assert_ptr_equal(ps_test_sink_recall(&stage), lease);
    assert_int_equal(lease->settled, 2);
    assert_int_equal(lease->dead, 0);
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_int_equal(sink()->items[i].range.count, 0);
    stop(true);
}

/* Letters of equal reasons are written together, also after a recall has given such letters back. */
static void test_letters_after_a_recall(void **unused)
{
    start(0, true);
    block_letters(true);
    for (unsigned round = 0; round < 3; round++) {
        struct ps_lease *lease;
        offer(lease = abcd());
        struct ps_remote_request *request = next();
        end(request, "rrrr", true);
        assert_int_equal(request->letter_count, 4);
        assert_int_equal(sink()->requests.writers, 1);
        assert_ptr_equal(ps_test_sink_recall(&stage), lease);
        assert_int_equal(sink()->requests.writers, 0);
        assert_false(ps_remote_requests_have_letters(&sink()->requests));
    }
    block_letters(false);
    offer(abcd());
    end(next(), "rrrr", true);
    for (unsigned i = 0; i < 1000 && stage.done_count < 1; i++)
        (void)ps_test_sink_tick(&stage);
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(counted(PS_COUNTER_deadletter), 16); /* letters that were being written are completed */
    stop(true);
}

/* ---- requests in order ---- */

static void start_ordered(uint32_t retry_max)
{
    start(retry_max, retry_max > 0);
    sink()->requests.ordered = sink()->requests.one_result = true;
    sink()->requests.events_max = 1;
    offer(PS_LEASE(&stage, PS_BODY("A"), PS_BODY("B"), PS_BODY("C"), PS_BODY("D")));
}

static void end_one(struct ps_remote_request *request, enum ps_remote_outcome outcome)
{
    ps_remote_request_ended_with(&sink()->requests, request, (struct ps_remote_result){outcome, "why"}, true);
    (void)ps_test_sink_tick(&stage);
}

/* A refused request stops the others until all are answered; then what is left is sent in order, and one outage was
 * reported. */
static void test_order(void **unused)
{
    struct ps_remote_request *requests[REQUESTS];
    start_ordered(0);
    for (unsigned i = 0; i < REQUESTS; i++)
        requests[i] = next();
    end_one(requests[2], PS_REMOTE_AGAIN);
    assert_null(next());
    end_one(requests[0], PS_REMOTE_AGAIN);
    assert_null(next());
    assert_int_equal(sink()->requests.rounds, 0);
    end_one(requests[1], PS_REMOTE_DELIVERED);
    assert_int_equal(stage.port.outage.tries, 1);
    for (unsigned i = 0; i < REQUESTS; i++) {
        requests[i] = next();
        assert_int_equal(body_of(requests[i]), "ACD"[i]);
        assert_int_equal(requests[i]->attempts, i == 0); /* the oldest request's */
    }
    assert_int_equal(sink()->requests.rounds, 1);
    assert_int_equal(counted(PS_COUNTER_retried), 2);
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    for (unsigned i = 0; i < REQUESTS; i++)
        end_one(requests[i], PS_REMOTE_DELIVERED);
    assert_int_equal(stage.done_count, 1);
    stop(false);
}

/* A lost connection costs the oldest request an attempt. When it has none left, its events become dead letters before
 * anything else is sent. */
static void test_lost(void **unused)
{
    start_ordered(2);
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 0; i < REQUESTS; i++)
            assert_int_equal(body_of(next()), "ABC"[i]);
        ps_remote_sink_rest(&sink()->requests.sink);
        ps_remote_requests_lost(&sink()->requests, "gone", NULL);
        assert_false(ps_remote_requests_in_flight(&sink()->requests));
        assert_int_equal(counted(PS_COUNTER_duplicated), 3 * round);
        assert_int_equal(sink()->requests.sink.failures, round);
        if (round == 1)
            ps_test_stage_pass_ms(&stage, 1000);
    }
    assert_int_equal(counted(PS_COUNTER_deadletter), 0);
    assert_int_equal(body_of(next()), 'B'); /* the letter is written, and the rest between attempts is over */
    assert_int_equal(counted(PS_COUNTER_deadletter), 1);
    assert_int_equal(sink()->requests.sink.failures, 0);
    assert_int_equal(ps_test_dead_letters_with("server: gone"), 1);
    assert_int_equal(counted(PS_COUNTER_EventWriteFail), 0); /* counted only for an answer to the whole
                                                              * request */
    (void)ps_test_sink_recall(&stage);
    assert_int_equal(counted(PS_COUNTER_duplicated), 3 * 2 + 1);
    stop(true);
}

/* A request that was not sent as a whole for lack of memory has not arrived, and costs no attempt, also when it is the oldest. */
static void test_lost_starved(void **unused)
{
    start_ordered(1);
    assert_int_equal(body_of(next()), 'A');
    assert_int_equal(body_of(next()), 'B');
    ps_remote_requests_lost(&sink()->requests, "no memory", &sink()->items[1]);
    assert_int_equal(counted(PS_COUNTER_duplicated), 1); /* that of A, which becomes a letter */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(body_of(next()), 'B');
        ps_remote_requests_lost(&sink()->requests, "no memory", &sink()->items[1]);
        assert_int_equal(sink()->items[1].attempts, 0);
    }
    assert_int_equal(counted(PS_COUNTER_duplicated), 1);
    assert_int_equal(counted(PS_COUNTER_deadletter), 1);
    (void)ps_test_sink_recall(&stage);
    stop(true);
}

/* While the sink backs off, it sends nothing, and asks to be called at the end of the backoff. */
static void test_rest(void **unused)
{
    start(0, false);
    offer(abcd());
    struct ps_remote_request *request = next();
    ps_remote_sink_rest(&sink()->requests.sink);
    end(request, "aaaa", true);
    assert_null(next());
    assert_int_equal(ps_test_sink_tick(&stage), stage.now.mono_ns + PS_NS_PER_S);
    ps_test_stage_pass_ms(&stage, 1000);
    assert_ptr_equal(next(), request);
    end(request, "dddd", true);
    stop(false);
}

/* ---- random results, compared with a simple account ---- */

struct account {
    bool begun[REQUESTS], answered[REQUESTS]; /* per request: it has events; some of them had an answer */
    unsigned refused, retried, unknown, duplicated;
};

static unsigned index_of(const struct ps_remote_request *request)
{
    return (unsigned)(request - sink()->items);
}

/* Draws the results of a request, and adds the cost of each event to the account. */
static void end_drawn(struct ps_remote_request *request, struct account *account, uint64_t *random)
{
    char outcomes[EVENTS_MAX + 1] = "";
    unsigned slot = index_of(request), left = 0;
    bool answered = false, silent = ps_test_random(random) % 3 == 0;
    for (uint32_t i = 0; i < request->range.count; i++) {
        outcomes[i] = silent ? '?' : "ddar?"[ps_test_random(random) % 5];
        answered |= outcomes[i] != '?';
    }
    bool reached = answered || ps_test_random(random) % 2 == 0;
    for (uint32_t i = 0; i < request->range.count; i++) {
        bool unknown = outcomes[i] == '?', again = unknown || outcomes[i] == 'a';
        account->refused += !unknown && outcomes[i] != 'd' && !account->answered[slot];
        account->unknown += unknown;
        account->duplicated += unknown && reached;
        account->retried += again;
        left += again;
    }
    uint32_t attempts = request->attempts + reached;
    end(request, outcomes, reached);
    account->answered[slot] |= answered;
    account->begun[slot] = left > 0;
    assert_int_equal(request->range.count, left);
    if (left > 0)
        assert_int_equal(request->attempts, attempts);
}

/* Many requests use the same places one after the other: nothing of an earlier request remains. */
static void test_drawn(void **unused)
{
    uint64_t random = ps_test_seed();
    struct account account = {.refused = 0};
    size_t leases = 0;
    start(0, false);
    while (leases < 300 || stage.done_count < leases) {
        struct ps_remote_request *request, *sent[REQUESTS];
        unsigned count = 0;
        if (leases < 300 && leases - stage.done_count < 4) {
            offer(ps_test_random(&random) % 2 == 0 ? abcd() : PS_LEASE(&stage, PS_BODY("E")));
            leases++;
        }
        while ((request = next()) != NULL) {
            unsigned slot = index_of(request);
            if (!account.begun[slot]) {
                assert_int_equal(request->attempts, 0);
                account.answered[slot] = false;
            }
            account.begun[slot] = true;
        }
        for (unsigned i = 0; i < REQUESTS; i++) {
            if (sink()->items[i].in_flight)
                sent[count++] = &sink()->items[i];
        }
        assert_true(count > 0);
        end_drawn(sent[ps_test_random(&random) % count], &account, &random);
        assert_int_equal(counted(PS_COUNTER_refused), account.refused);
        assert_int_equal(counted(PS_COUNTER_retried), account.retried);
        assert_int_equal(counted(PS_COUNTER_EventWriteFail), account.unknown);
        assert_int_equal(counted(PS_COUNTER_duplicated), account.duplicated);
    }
    assert_int_equal(sink()->requests.sink.held.in_flight, 0);
    stop(false);
}

/* Each time a request is sent again, it needs room only for the events that are left in it. */
static void test_bytes_of_a_repeat(void **unused)
{
    size_t bytes;
    start(0, false);
    offer(PS_LEASE(&stage, PS_BODY("one"), PS_BODY("four"), PS_BODY("fives")));
    (void)ps_test_sink_tick(&stage);
    struct ps_remote_request *request = ps_remote_requests_next(&sink()->requests, &bytes);
    assert_int_equal(bytes, 3 + 4 + 5);
    static const struct {
        const char *outcomes;
        size_t bytes; /* of the events that are left */
    } turns[] = {{"aaa", 12}, {"daa", 9}, {"ad", 4}};
    for (size_t i = 0; i < PS_COUNT_OF(turns); i++) {
        end(request, turns[i].outcomes, true);
        ps_test_stage_pass_ms(&stage, 60000);
        (void)ps_test_sink_tick(&stage);
        bytes = 0;
        assert_ptr_equal(ps_remote_requests_next(&sink()->requests, &bytes), request);
        assert_int_equal(bytes, turns[i].bytes);
    }
    end(request, "d", true);
    stop(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_result_of_each),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bytes_of_a_repeat),
        cmocka_unit_test_setup_teardown(test_letters_of_some, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_letters_of_many, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_letters_without_room, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_recall, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_letters_after_a_recall, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test(test_order),
        cmocka_unit_test_setup_teardown(test_lost, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_lost_starved, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
