/* The verdict for combinations of sent, known and received numbers; it never says "0 lost" when events were lost. */
#include "bench/verify/verdict.h"
#include "tests/support/support.h"

#include <stdio.h>

#define RUN 0x3fa9c2U
#define OTHER_RUN 0x111111U

static struct ps_account *account;
static struct ps_expected expected;
static struct ps_verdict verdict;
static struct ps_manifest_source entries[8];

static int setup(void **state)
{
    memset(&expected, 0, sizeof expected);
    memset(&verdict, 0, sizeof verdict);
    account = ps_account_create(UINT64_C(64) << 20, false, 0);
    return account == NULL;
}

static int teardown(void **state)
{
    ps_account_destroy(account);
    return 0;
}

/* One record: a stamp and 10 covered bytes, of which the first `keep` arrive. */
static void record(uint32_t run, uint32_t source, uint64_t sequence, bool last, size_t keep)
{
    char text[PS_STAMP_BYTES + 10];
    struct ps_stamp stamp = {run, source, sequence, account->start_wall_ns / 1000, 10, last};
    memset(text, 'x', sizeof text);
    ps_stamp_write(&stamp, text);
    struct ps_far_record far = {.data = text, .length = keep, .arrival_mono_ns = account->start_mono_ns};
    ps_account_take(account, &far, source);
}

static void one(uint32_t source, uint64_t sequence)
{
    record(RUN, source, sequence, false, PS_STAMP_BYTES + 10);
}

static void last(uint32_t source, uint64_t sequence)
{
    record(RUN, source, sequence, true, PS_STAMP_BYTES + 10);
}

/* 0 to count - 1. */
static void several(uint32_t source, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        one(source, i);
}

static void manifest(uint32_t run, uint32_t sources, const uint64_t *events)
{
    struct ps_manifest *to = &expected.manifests[expected.manifest_count++];
    *to = (struct ps_manifest){.run = run, .source_count = sources, .sources = entries};
    for (uint32_t i = 0; i < sources; i++) {
        entries[i] = (struct ps_manifest_source){
            .source = i, .events = events[i], .completed = events[i], .unfinished_from = events[i]};
        to->events += events[i];
        to->completed += events[i];
    }
}

/* Of one source's `events` load completed this many and had this many refused; `from`: see unfinished_from. */
static void manifest_unfinished(uint64_t events, uint64_t completed, uint64_t failed, uint64_t from)
{
    manifest(RUN, 1, &events);
    entries[0].completed = completed;
    entries[0].failed = failed;
    entries[0].unfinished_from = from;
    expected.manifests[0].completed = completed;
    expected.manifests[0].failed = failed;
}

static void judge(bool lossy)
{
    ps_verdict_make(&verdict, account, &expected, lossy);
    assert_int_equal(verdict.complete, verdict.why[0] == '\0');
    assert_true(verdict.complete || verdict.lost == 0); /* no figure with "unknown" */
    assert_true(!verdict.complete || verdict.lost_at_least == verdict.lost);
    assert_true(verdict.exit_code != 0 || (verdict.complete && verdict.lost == 0));
}

static void known(uint64_t lost, int exit_code)
{
    judge(false);
    assert_true(verdict.complete);
    assert_int_equal(verdict.lost, lost);
    assert_int_equal(verdict.exit_code, exit_code);
}

static void unknown(uint64_t at_least, int exit_code, const char *why)
{
    judge(false);
    assert_false(verdict.complete);
    assert_int_equal(verdict.lost_at_least, at_least);
    assert_int_equal(verdict.exit_code, exit_code);
    if (strstr(verdict.why, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", verdict.why, why);
}

static void test_nothing_came(void **state)
{
    unknown(0, 2, "nothing with a stamp came");
}

static void test_no_marks(void **state)
{
    several(0, 10);
    unknown(0, 2, "the last event of source 0");
    one(0, 12);
    unknown(2, 1, "the last event of source 0");
}

static void test_marks(void **state)
{
    several(0, 10);
    last(0, 10);
    unknown(0, 2, "a source of which nothing came");
    expected.sources = 1;
    known(0, 0);
    assert_int_equal(verdict.known, PS_KNOWN_MARKS);
    expected.sources = 2;
    unknown(0, 2, "--sources says 2");
    several(1, 9); /* the second one has not ended */
    unknown(0, 2, "the last event of source 1");
    last(1, 10);
    known(1, 1);
}

static void test_marks_contradict(void **state)
{
    several(0, 5);
    last(0, 5);
    one(0, 6);
    unknown(0, 2, "contradict");
    last(0, 7);
    unknown(0, 2, "contradict");
    last(0, 7); /* the contradiction stays, whatever comes later */
    unknown(0, 1, "contradict");
}

/* Where there was no memory to watch the order, "in order" is not known either. */
static void test_order_not_watched(void **state)
{
    ps_account_destroy(account);
    account = ps_account_create(UINT64_C(1) << 20, false, 0);
    assert_non_null(account);
    expected.events_known = true;
    for (uint64_t i = 0; i < 100000; i++) { /* a stream for each event */
        char text[PS_STAMP_BYTES];
        struct ps_stamp stamp = {.run = RUN, .sequence = i, .due_us = account->start_wall_ns / 1000};
        ps_stamp_write(&stamp, text);
        struct ps_far_record far = {
            .data = text, .length = sizeof text, .arrival_mono_ns = account->start_mono_ns};
        ps_account_take(account, &far, i);
        expected.events++;
    }
    judge(false);
    assert_true(verdict.facts.order_blind > 0);
    assert_true(verdict.complete);
    assert_int_equal(verdict.lost, 0);
    assert_int_equal(verdict.exit_code, 2);
}

static void test_sources_between_are_missing(void **state)
{
    last(0, 0);
    last(3, 0);
    unknown(0, 2, "sources 1 to 2");
}

static void test_sources_said(void **state)
{
    last(0, 0);
    last(1, 0);
    expected.sources = 2;
    known(0, 0);
    expected.sources = 3;
    unknown(0, 2, "--sources says 3");
}

static void test_events(void **state)
{
    expected.events_known = true;
    expected.events = 11;
    several(0, 10);
    known(1, 1);
    one(1, 0);
    known(0, 0);
    one(1, 1); /* one more than were sent */
    unknown(0, 2, "more was sent");
}

static void test_events_and_holes(void **state)
{
    expected.events_known = true;
    expected.events = 12;
    several(0, 10);
    one(0, 15); /* five are missing below it; 11 and 5 are more than 12 */
    unknown(5, 1, "more was sent");
    expected.events = 16;
    known(5, 1);
    expected.events = 20;
    known(9, 1);
}

static void test_events_of_two_runs(void **state)
{
    expected.events_known = true;
    expected.events = 2;
    one(0, 0);
    record(OTHER_RUN, 0, 0, false, PS_STAMP_BYTES + 10);
    unknown(0, 2, "of 2 runs");
}

static void test_manifest(void **state)
{
    manifest(RUN, 2, (const uint64_t[]){10, 5});
    known(15, 1); /* no event has arrived */
    several(0, 10);
    known(5, 1); /* no event of one source has arrived */
    several(1, 5);
    known(0, 0);
    assert_int_equal(verdict.sent, 15);
    one(1, 2);
    known(0, 1);
    assert_int_equal(verdict.tally.duplicated, 1);
}

static void test_manifest_knows_less(void **state)
{
    manifest(RUN, 2, (const uint64_t[]){10, 5});
    several(0, 10);
    several(1, 6);
    unknown(0, 2, "event 5 of source 1 came");
}

static void test_manifest_knows_not_the_source(void **state)
{
    manifest(RUN, 1, (const uint64_t[]){10});
    several(0, 10);
    several(1, 1);
    unknown(0, 2, "source 1 came, which is not in the manifest");
}

static void test_manifest_not_written(void **state)
{
    expected.manifest_missing = 1;
    several(0, 9);
    last(0, 9);
    unknown(0, 2, "the manifest was not there");
}

/* The target took no more: what load never wrote is not lost, and everything else is. */
static void test_not_written(void **state)
{
    manifest_unfinished(20, 15, 0, 15);
    several(0, 15);
    known(0, 0);
    assert_int_equal(verdict.not_written, 5);
    account->broken = 1; /* the half of an event at the end, cut within its stamp */
    known(0, 0);
    assert_int_equal(verdict.half_written, 1);
    account->broken = 2; /* a second one is the pipeline's */
    known(0, 1);
    account->broken = 0;
    record(RUN, 0, 15, false, PS_STAMP_BYTES + 3); /* the half of an event, cut behind its stamp */
    known(0, 0);
    assert_int_equal(verdict.half_written, 1);
    assert_int_equal(verdict.tally.cut, 0);
    assert_int_equal(verdict.not_written, 4);
}

static void test_not_written_and_lost(void **state)
{
    manifest_unfinished(20, 15, 0, 15);
    several(0, 10);
    one(0, 12); /* 10, 11, 13 and 14 were written */
    known(4, 1);
    assert_int_equal(verdict.not_written, 5);
}

/* A source of which nothing came. */
static void test_nothing_written(void **state)
{
    manifest_unfinished(20, 0, 0, 0);
    known(0, 0);
    assert_int_equal(verdict.not_written, 20);
    entries[0].completed = expected.manifests[0].completed = entries[0].unfinished_from = 3;
    known(3, 1);
    assert_int_equal(verdict.not_written, 17);
}

/* Confirmations come in any order: events 12, 13 and 16 of the last eight were not confirmed; two of them arrived. */
static void test_not_confirmed(void **state)
{
    manifest_unfinished(20, 17, 0, 12);
    several(0, 14);
    for (uint64_t i = 14; i < 20; i++)
        if (i != 16)
            one(0, i);
    known(0, 0);
    assert_int_equal(verdict.not_written, 1);
    entries[0].unfinished_from = 14; /* then it was 14, 15 and 16 at least: 12 and 13 had been confirmed */
    known(0, 0);
}

/* What is missing below the first unfinished event was confirmed, whatever was not confirmed later. */
static void test_lost_below_unfinished(void **state)
{
    manifest_unfinished(20, 15, 0, 15);
    several(0, 3);
    for (uint64_t i = 4; i < 20; i++)
        one(0, i); /* 3 is lost; those that were not confirmed all came */
    known(1, 1);
    assert_int_equal(verdict.not_written, 0);
}

static void test_refused(void **state)
{
    manifest_unfinished(20, 18, 2, 20);
    several(0, 7);
    for (uint64_t i = 9; i < 20; i++)
        one(0, i);
    known(0, 0);
    assert_int_equal(verdict.not_written, 2);
    assert_int_equal(verdict.failed, 2);
}

/* Load was killed: what it had completed when it wrote its manifest and did not arrive is lost; more is not known. */
static void test_killed(void **state)
{
    manifest_unfinished(20, 15, 0, 0);
    expected.manifests[0].running = true;
    expected.manifest_running = 1;
    several(0, 15);
    unknown(0, 2, "load goes on or was killed");
    several(1, 0);
    for (uint64_t i = 15; i < 30; i++)
        one(0, i); /* written later */
    unknown(0, 2, "load goes on or was killed");
}

static void test_killed_and_lost(void **state)
{
    manifest_unfinished(20, 15, 0, 0);
    expected.manifests[0].running = true;
    expected.manifest_running = 1;
    several(0, 12);
    unknown(3, 1, "load goes on or was killed");
}

static void test_manifest_of_another_run(void **state)
{
    manifest(OTHER_RUN, 1, (const uint64_t[]){10});
    several(0, 9);
    last(0, 9);
    known(10, 1);
    assert_int_equal(verdict.other_runs, 10);
    assert_int_equal(verdict.tally.received, 0);
    assert_int_equal(verdict.run, OTHER_RUN);
}

static void test_manifest_of_nothing(void **state)
{
    manifest(RUN, 1, (const uint64_t[]){0});
    known(0, 0);
    one(0, 0);
    unknown(0, 2, "event 0 of source 0 came");
}

static void test_far_end_loses(void **state)
{
    manifest(RUN, 1, (const uint64_t[]){10});
    several(0, 9);
    judge(true);
    assert_int_equal(verdict.exit_code, 2); /* the cause of the loss is unknown */
    one(0, 3);
    judge(true);
    assert_int_equal(verdict.exit_code, 1); /* the duplicate is certain */
}

static void test_damaged(void **state)
{
    manifest(RUN, 1, (const uint64_t[]){3});
    several(0, 2);
    record(RUN, 0, 2, false, PS_STAMP_BYTES + 9);
    known(0, 1);
    assert_int_equal(verdict.tally.cut, 1);
    record(RUN, 0, 2, false, PS_STAMP_BYTES - 1);
    known(0, 1);
    assert_int_equal(account->broken, 1);
}

static void test_broken_is_lost(void **state)
{
    manifest(RUN, 1, (const uint64_t[]){3});
    several(0, 2);
    record(RUN, 0, 2, false, PS_STAMP_BYTES - 1);
    known(1, 1);
}

static void test_foreign(void **state)
{
    struct ps_far_record far = {.data = "nothing of ours", .length = 15};
    manifest(RUN, 1, (const uint64_t[]){3});
    several(0, 3);
    for (int i = 0; i < 5; i++)
        ps_account_take(account, &far, 0);
    known(0, 0);
    assert_int_equal(account->foreign, 5);
    assert_int_equal(account->records, 8);
}

static void test_too_many_runs(void **state)
{
    for (uint32_t i = 0; i <= PS_TRACKER_RUNS_MAX; i++)
        record(i, 0, 0, true, PS_STAMP_BYTES + 10);
    expected.sources = 1;
    unknown(0, 2, "could not be tracked");
}

static void test_one_run_wanted(void **state)
{
    ps_account_destroy(account);
    account = ps_account_create(1 << 20, true, RUN);
    unknown(0, 2, "nothing with a stamp");
    last(0, 0);
    record(OTHER_RUN, 0, 0, false, PS_STAMP_BYTES + 10);
    expected.sources = 1;
    known(0, 0);
    assert_int_equal(verdict.other_runs, 1);
    assert_int_equal(account->other_run, OTHER_RUN);
}

static void test_forgotten(void **state)
{
    ps_account_destroy(account);
    account = ps_account_create(1 << 20, false, 0);
    const uint64_t events = 30000000;
    manifest(RUN, 1, &events);
    struct ps_run *run = ps_tracker_run(account->tracker, RUN);
    struct ps_source *source = ps_tracker_source(account->tracker, run, 0);
    for (uint64_t i = 0; i < events; i += 2)
        ps_tracker_add(account->tracker, run, source, &(struct ps_stamp){.run = RUN, .sequence = i}, 0);
    known(events / 2, 1); /* it is forgotten which ones, not how many */
    assert_true(verdict.facts.forgotten > 0);
    ps_tracker_add(account->tracker, run, source, &(struct ps_stamp){.run = RUN, .sequence = 1}, 0);
    unknown(events / 2 - 2, 1, "no longer known");
}

static void test_progress(void **state)
{
    struct ps_tracker_counts tally;
    uint64_t sent;
    several(0, 4);
    record(OTHER_RUN, 0, 0, false, PS_STAMP_BYTES + 10);
    assert_false(ps_verdict_progress(account, &expected, &tally, &sent));
    assert_int_equal(tally.received, 5);
    manifest(RUN, 2, (const uint64_t[]){10, 5});
    assert_true(ps_verdict_progress(account, &expected, &tally, &sent));
    assert_int_equal(tally.received, 4);
    assert_int_equal(sent, 15);
    expected.manifest_missing = 1; /* only one of two loads has written its manifest */
    assert_false(ps_verdict_progress(account, &expected, &tally, &sent));
}

/* Latency uses the anchored clock; an early event has latency 0 and is counted. */
static void test_latency(void **state)
{
    char text[PS_STAMP_BYTES];
    static const int64_t late_us[] = {0, 1000, 250000, -5000};
    for (unsigned i = 0; i < PS_COUNT_OF(late_us); i++) {
        uint64_t due_us = account->start_wall_ns / 1000 + 1000000;
        struct ps_stamp stamp = {RUN, 0, i, due_us, 0, false};
        ps_stamp_write(&stamp, text);
        struct ps_far_record far = {.data = text, .length = sizeof text};
        far.arrival_mono_ns =
            account->start_mono_ns + (due_us * 1000 - account->start_wall_ns) + (uint64_t)(late_us[i] * 1000);
        ps_account_take(account, &far, 0);
        ps_account_take(account, &far, 0); /* a second arrival has no latency */
    }
    struct ps_run *run = ps_tracker_find(account->tracker, RUN);
    assert_int_equal(run->latency_ns.count, 4);
    assert_int_equal(run->latency_ns.max, 250000000);
    assert_int_equal(run->early, 1);
    assert_int_equal(run->due_before, 0);
    assert_int_equal(run->latency_ns.counts[0], 2);
    assert_int_equal(run->tally.duplicated, 4);
}

/* The clock is set while verify runs, in both directions: it is reported, the largest step is kept, and
 * latencies do not change. */
static void test_clock_is_set(void **state)
{
    assert_in_range(ps_account_clock(account) + 1000000000, 0, 2000000000);
    account->start_wall_ns += UINT64_C(3600000000000); /* as if the clock were set back by an hour */
    int64_t step = ps_account_clock(account);
    assert_in_range(-step, UINT64_C(3590000000000), UINT64_C(3610000000000));
    assert_int_equal(account->clock_step_ns, step);
    account->start_wall_ns -= UINT64_C(3600000000000) + UINT64_C(60000000000); /* and forward, by a minute */
    step = ps_account_clock(account);
    assert_in_range(step, UINT64_C(50000000000), UINT64_C(70000000000));
    assert_true(account->clock_step_ns < 0);
    char text[PS_STAMP_BYTES];
    struct ps_stamp stamp = {RUN, 0, 0, account->start_wall_ns / 1000 + 1, 0, false};
    struct ps_far_record far = {.data = text, .length = sizeof text};
    far.arrival_mono_ns = account->start_mono_ns + 5000000;
    ps_stamp_write(&stamp, text);
    ps_account_take(account, &far, 0);
    assert_in_range(account->latency_ns.max, 4990000, 5010000);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_nothing_came),
        CASE(test_no_marks),
        CASE(test_marks),
        CASE(test_marks_contradict),
        CASE(test_order_not_watched),
        CASE(test_sources_between_are_missing),
        CASE(test_sources_said),
        CASE(test_events),
        CASE(test_events_and_holes),
        CASE(test_events_of_two_runs),
        CASE(test_manifest),
        CASE(test_manifest_knows_less),
        CASE(test_manifest_knows_not_the_source),
        CASE(test_manifest_not_written),
        CASE(test_not_written),
        CASE(test_not_written_and_lost),
        CASE(test_nothing_written),
        CASE(test_not_confirmed),
        CASE(test_lost_below_unfinished),
        CASE(test_refused),
        CASE(test_killed),
        CASE(test_killed_and_lost),
        CASE(test_manifest_of_another_run),
        CASE(test_manifest_of_nothing),
        CASE(test_far_end_loses),
        CASE(test_damaged),
        CASE(test_broken_is_lost),
        CASE(test_foreign),
        CASE(test_too_many_runs),
        CASE(test_one_run_wanted),
        CASE(test_forgotten),
        CASE(test_progress),
        CASE(test_latency),
        CASE(test_clock_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
