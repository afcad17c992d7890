/* Random records of every kind, compared with plain counts: all runs are tracked, or only one. The seed is printed. */
#include "bench/verify/account.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#define RUNS 3U
#define SOURCES 4U
#define NUMBERS 30U
#define STEP_NS 1000U

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&seed) % below;
}

enum kind { GOOD, CHANGED, CUT, BROKEN, FOREIGN, KINDS };

static struct {
    uint64_t records, foreign, broken, other, active_ns, latency_count, latency_sum;
    uint64_t arrivals[SOURCES][64];
    struct {
        struct ps_tracker_counts tally;
        uint64_t early, due_before, latency_count;
        struct ps_tracker_counts sources[SOURCES];
        bool seen[SOURCES][NUMBERS];
    } runs[RUNS];
} model;

/* Writes a record of this kind; returns its length. */
static size_t record_make(char text[PS_STAMP_BYTES + 20], const struct ps_stamp *stamp, enum kind kind)
{
    char *at = text + draw(10); /* a stamp may be anywhere in it */
    memset(text, 'x', PS_STAMP_BYTES + 20);
    if (kind == FOREIGN)
        return draw(PS_STAMP_BYTES + 20);
    ps_stamp_write(stamp, at);
    size_t length = (size_t)(at - text) + PS_STAMP_BYTES + 10;
    if (kind == CHANGED)
        text[length - 1 - draw(10)] ^= 1;
    if (kind == CUT)
        length -= 1 + draw(9);
    if (kind == BROKEN)
        length = (size_t)(at - text) + PS_STAMP_BYTES - 1;
    return length;
}

static void count(struct ps_tracker_counts *tally, enum kind kind, bool is_new)
{
    tally->received += is_new;
    tally->duplicated += !is_new;
    tally->changed += kind == CHANGED;
    tally->cut += kind == CUT;
}

static void one_record(struct ps_account *account, bool run_only, uint64_t arrival_ns)
{
    char text[PS_STAMP_BYTES + 20];
    enum kind kind = draw(2) ? GOOD : (enum kind)draw(KINDS);
    uint32_t run = (uint32_t)draw(RUNS), source = (uint32_t)draw(SOURCES), number = (uint32_t)draw(NUMBERS);
    uint64_t arrival_wall_ns = account->start_wall_ns + (arrival_ns - account->start_mono_ns);
    uint64_t due_us = arrival_wall_ns / 1000 + 20 - draw(100);
    const struct ps_stamp stamp = {run, source, number, due_us, 10, false};
    size_t length = record_make(text, &stamp, kind);
    struct ps_far_record record = {.data = text, .length = length, .arrival_mono_ns = arrival_ns};
    ps_account_take(account, &record, 1);
    model.records++;
    model.foreign += kind == FOREIGN;
    model.broken += kind == BROKEN;
    if (kind == FOREIGN || kind == BROKEN)
        return;
    if (run_only && run != 1) {
        model.other++;
        return;
    }
    bool is_new = !model.runs[run].seen[source][number];
    model.active_ns = arrival_ns;
    model.runs[run].seen[source][number] = true;
    count(&model.runs[run].tally, kind, is_new);
    count(&model.runs[run].sources[source], kind, is_new);
    if (!is_new)
        return;
    bool early = due_us * 1000 > arrival_wall_ns;
    model.runs[run].early += early;
    model.runs[run].due_before += due_us * 1000 < account->start_wall_ns;
    model.runs[run].latency_count++;
    model.latency_count++;
    model.latency_sum += early ? 0 : arrival_wall_ns - due_us * 1000;
    model.arrivals[source][(arrival_ns - account->start_mono_ns) / STEP_NS]++;
}

static void same_counts(const struct ps_tracker_counts *is, const struct ps_tracker_counts *wanted)
{
    assert_int_equal(is->received, wanted->received);
    assert_int_equal(is->duplicated, wanted->duplicated);
    assert_int_equal(is->changed, wanted->changed);
    assert_int_equal(is->cut, wanted->cut);
    assert_int_equal(is->unknown, 0);
}

static void check(const struct ps_account *account)
{
    assert_int_equal(account->records, model.records);
    assert_int_equal(account->foreign, model.foreign);
    assert_int_equal(account->broken, model.broken);
    assert_int_equal(account->other, model.other);
    assert_int_equal(account->untracked, 0);
    assert_int_equal(account->active_mono_ns, model.active_ns);
    assert_int_equal(account->latency_ns.count, model.latency_count);
    assert_int_equal(account->latency_ns.sum, model.latency_sum);
    for (uint32_t run = 0; run < RUNS; run++) {
        const struct ps_run *is = ps_tracker_find(account->tracker, run);
        assert_int_equal(is != NULL, model.runs[run].tally.received > 0);
        if (is == NULL)
            continue;
        same_counts(&is->tally, &model.runs[run].tally);
        assert_int_equal(is->early, model.runs[run].early);
        assert_int_equal(is->due_before, model.runs[run].due_before);
        assert_int_equal(is->latency_ns.count, model.runs[run].latency_count);
        for (uint32_t source = 0; source < SOURCES; source++) {
            assert_int_equal(ps_run_has(is, source), model.runs[run].sources[source].received > 0);
            if (ps_run_has(is, source))
                same_counts(&is->pages[0][source]->tally, &model.runs[run].sources[source]);
        }
    }
    for (uint32_t source = 0; source < SOURCES; source++)
        for (uint32_t step = 0; step < account->arrivals->count; step++)
            assert_int_equal(account->arrivals->steps[step][source], model.arrivals[source][step]);
}

static void test_drawn(void **state)
{
    seed = ps_test_seed();
    for (unsigned round = 0; round < 60; round++) {
        bool run_only = round % 2 == 1;
        struct ps_account *account = ps_account_create(UINT64_C(16) << 20, run_only, 1);
        assert_non_null(account);
        account->start_wall_ns = UINT64_C(1795680000000000000);
        ps_account_count_arrivals(account, STEP_NS);
        memset(&model, 0, sizeof model);
        uint64_t arrival_ns = account->start_mono_ns;
        for (unsigned i = 0; i < 500; i++) {
            arrival_ns += draw(120);
            one_record(account, run_only, arrival_ns);
        }
        check(account);
        ps_account_destroy(account);
    }
}

/* The first run that is not the wanted one is named. */
static void test_other_run(void **state)
{
    char text[PS_STAMP_BYTES + 20];
    static const uint32_t runs[] = {5, 9, 7};
    struct ps_account *account = ps_account_create(UINT64_C(16) << 20, true, 5);
    for (size_t i = 0; i < PS_COUNT_OF(runs); i++) {
        const struct ps_stamp stamp = {runs[i], 1, 1, 1, 10, false};
        size_t length = record_make(text, &stamp, GOOD);
        ps_account_take(account,
                        &(struct ps_far_record){
                            .data = text, .length = length, .arrival_mono_ns = account->start_mono_ns},
                        1);
    }
    assert_int_equal(account->other, 2);
    assert_int_equal(account->other_run, 9);
    assert_null(account->arrivals); /* nobody asked for them */
    ps_account_destroy(account);
    ps_account_destroy(NULL);
}

/* There are more runs than can be tracked. */
static void test_untracked(void **state)
{
    char text[PS_STAMP_BYTES + 20];
    struct ps_account *account = ps_account_create(UINT64_C(64) << 20, false, 0);
    for (uint32_t run = 0; run < PS_TRACKER_RUNS_MAX + 2; run++) {
        const struct ps_stamp stamp = {run, 1, 1, 1, 10, false};
        size_t length = record_make(text, &stamp, GOOD);
        ps_account_take(account,
                        &(struct ps_far_record){
                            .data = text, .length = length, .arrival_mono_ns = account->start_mono_ns + run},
                        1);
        assert_int_equal(account->active_mono_ns, account->start_mono_ns + run);
    }
    assert_int_equal(account->untracked, 2);
    assert_int_equal(account->latency_ns.count, PS_TRACKER_RUNS_MAX);
    ps_account_destroy(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_other_run),
                                       cmocka_unit_test(test_untracked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
