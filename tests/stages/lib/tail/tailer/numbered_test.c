/* The random numbers of files: which of them a save makes usable, which files wait for it, and what a copy inherits. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <stdio.h>

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters};
static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
static struct ps_tail_settings settings;
static struct ps_tailer *tailer;

static int setup(void **unused)
{
    settings = (struct ps_tail_settings){.identities = true};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->places = &place;
    tailer->draining = true; /* nothing is opened or queued */
    return 0;
}

static int teardown(void **unused)
{
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
    return 0;
}

static struct ps_tail_log *log_new(unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "app.%u", number);
    struct ps_tail_log *log = ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.group = 0, .device = 1, .inode = 1000 + number, .name = name});
    log->identity.head_length = 9;
    return log;
}

/* Numbers that a written position file has can be used; the others stay in the queue, each with a state of its own. */
static void test_saved(void **unused)
{
    static const struct {
        uint64_t own;
        bool noted, saved; /* afterwards, if the save has not failed */
    } rows[] = {{5, true, true}, {5, false, false}, {0, true, false}, {6, true, true}, {0, false, false}};
    enum { ROWS = PS_COUNT_OF(rows) };
    struct ps_tail_log *logs[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        logs[i] = log_new(i);
        logs[i]->serial.own = rows[i].own;
        logs[i]->serial_noted = rows[i].noted;
        ps_tail_slots_put(&tailer->unsaved, logs[i]->number);
    }
    ps_tail_slots_put(&tailer->unsaved, ROWS); /* no file has this number */
    tailer->saves.failed = true;
    ps_tail_numbers_saved(tailer);
    assert_int_equal(tailer->unsaved.count, ROWS + 1);
    for (uint32_t i = 0; i < ROWS; i++)
        assert_false(logs[i]->serial_saved);
    tailer->saves.failed = false;
    for (unsigned again = 0; again < 2; again++) {
        ps_tail_numbers_saved(tailer);
        for (uint32_t i = 0; i < ROWS; i++) {
            assert_int_equal(logs[i]->serial_saved, rows[i].saved);
            assert_int_equal(tailer->unsaved.has[logs[i]->number], !rows[i].saved);
            assert_int_equal(ps_tail_log_number_at(logs[i], 0), rows[i].saved ? rows[i].own : 0);
        }
        assert_int_equal(tailer->unsaved.count, 3);
    }
}

/* Files that wait go on when their number is saved, or no number can be: the save failed, a copy has the number, or the beginning is not known. */
static void test_waiting(void **unused)
{
    for (unsigned failed = 0; failed < 2; failed++) {
        static const struct {
            bool waits, saved, has, known;
        } rows[] = {{true, true, true, true},   {true, false, true, true},   {false, false, true, true},
                    {true, false, true, true},  {true, true, true, true},    {true, false, false, true},
                    {true, false, true, false}, {true, false, false, false}, {false, false, false, false}};
        enum { ROWS = PS_COUNT_OF(rows) };
        struct ps_tail_log *logs[ROWS];
        for (uint32_t i = 0; i < ROWS; i++) {
            logs[i] = log_new(10 * failed + i);
            logs[i]->waits = rows[i].waits;
            logs[i]->serial.own = rows[i].has ? 5 : 0;
            logs[i]->serial_saved = rows[i].saved;
            logs[i]->identity.head_length = rows[i].known ? 9 : 0;
            ps_tail_slots_put(&tailer->unnumbered, logs[i]->number);
        }
        tailer->saves.failed = failed > 0;
        ps_tail_numbers_saved(tailer);
        uint32_t left = 0;
        for (uint32_t i = 0; i < ROWS; i++) {
            bool waits = rows[i].waits && !rows[i].saved && rows[i].has && rows[i].known && failed == 0;
            assert_int_equal(logs[i]->waits, waits);
            assert_int_equal(tailer->unnumbered.has[logs[i]->number], waits);
            left += waits;
        }
        assert_int_equal(tailer->unnumbered.count, left);
        while (tailer->unnumbered.count > 0)
            (void)ps_tail_slots_take(&tailer->unnumbered);
    }
}

/* Whether a file may be read: not until its number is saved, unless nobody wants numbers, there is nothing to read, or none can be saved. */
static void test_may_be_read(void **unused)
{
    static const struct {
        bool identities, keeps, known, has, noted, saved, failed;
        bool reads, draws, notes;
    } rows[] = {
        {.identities = true, .known = true, .draws = true, .notes = true},
        {.identities = true, .known = true, .has = true, .notes = true},
        {.identities = true, .known = true, .has = true, .noted = true},
        {.identities = true, .known = true, .has = true, .saved = true, .reads = true},
        {.identities = true, .known = true, .failed = true, .reads = true, .draws = true, .notes = true},
        {.identities = true, .known = true, .has = true, .noted = true, .failed = true, .reads = true},
        {.identities = true, .reads = true},
        {.known = true, .reads = true},
        {.identities = true, .keeps = true, .known = true, .reads = true},
    };
    for (uint32_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tail_log *log = log_new(i);
        settings.identities = rows[i].identities;
        tailer->sink.keeping = rows[i].keeps ? (const void *)&settings : NULL;
        tailer->saves.failed = rows[i].failed;
        while (tailer->saves.changed.count > 0)
            (void)ps_tail_slots_take(&tailer->saves.changed);
        log->identity.head_length = rows[i].known ? 9 : 0;
        log->serial.own = rows[i].has ? 5 : 0;
        log->serial_noted = rows[i].noted;
        log->serial_saved = rows[i].saved;
        log->read_offset = 3;
        if (ps_tail_log_is_numbered(tailer, log) != rows[i].reads)
            fail_msg("row %u: the file %s", i, rows[i].reads ? "waits" : "is read");
        assert_int_equal(log->waits, !rows[i].reads);
        assert_int_equal(tailer->unnumbered.has[log->number], !rows[i].reads);
        assert_int_equal(log->serial.own != 0, rows[i].has || rows[i].draws);
        if (rows[i].draws)
            assert_int_equal(log->serial.from, 3);
        assert_int_equal(tailer->unsaved.has[log->number], rows[i].notes);
        assert_int_equal(tailer->saves.changed.has[log->number], rows[i].notes);
    }
    tailer->sink.keeping = NULL;
}

/* A number counts as saved if it was read from the position file; what a copy inherits has to be saved first. */
static void test_where_from(void **unused)
{
    struct ps_tail_log *log = log_new(0), *other = log_new(1);
    log->serial_noted = true;
    ps_tail_log_numbers(log, &(struct ps_tail_serial){.own = 7, .before = 8, .from = 100});
    assert_true(log->serial_saved && !log->serial_noted);
    assert_int_equal(ps_tail_log_number_at(log, 99), 8);
    assert_int_equal(ps_tail_log_number_at(log, 100), 7);
    ps_tail_log_numbers(other, &(struct ps_tail_serial){.before = 8, .from = 100});
    assert_false(other->serial_saved);
    log->serial_noted = true;
    other->serial_noted = other->serial_saved = true;
    ps_tail_log_move(tailer, log, 200, 200);
    const struct ps_tail_origin origin = ps_tail_origin_of(log);
    ps_tail_log_numbers_inherit(tailer, other, &origin, 200);
    assert_false(other->serial_saved || other->serial_noted);
    assert_int_equal(ps_tail_log_number_at(other, 150), 0);
    assert_true(tailer->unsaved.has[other->number] && tailer->saves.changed.has[other->number]);
    assert_int_equal(ps_tail_serial_at(&other->serial, 200), 7);
    assert_int_equal(log->serial.own, 0); /* the number went to the copy */
    ps_tail_log_numbers_forget(log);
    assert_true(log->serial.own == 0 && log->serial.before == 0 && log->serial.from == 0);
    assert_false(log->serial_saved || log->serial_noted);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(saved), TEST(waiting), TEST(may_be_read), TEST(where_from)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
