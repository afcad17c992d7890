/* How much of a file its fingerprint covers: as many bytes as were read, 1,024 at most. And the queue of files, from whose middle and ends files
 * are removed, against a model. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST 1500

static const int lengths[] = {0, 1, 100, 1023, 1024, 1025, MOST};

/* Where nothing is known, or nothing was read, the fingerprint covers what is there. It never becomes shorter, and stays where the file has less
 * than was read. */
static int model(int size, int read, int known)
{
    int want = known == 0 || read == 0 ? size : read;
    want = want < (int)PS_TAIL_HEAD_BYTES ? want : (int)PS_TAIL_HEAD_BYTES;
    return want > known && want <= size ? want : known;
}

static void grow(struct ps_tailer *tailer, const char *text, int size, int read, int known)
{
    int fd = open(ps_test_folder_path("app"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, text, (size_t)size, 0), size);
    struct ps_tail_log log = {.state = PS_TAIL_LOG_OPEN, .read_offset = read};
    log.identity.head_length = (uint32_t)known;
    log.identity.head = ps_tail_head(text, (size_t)known);
    log.head.owner = &log;
    ps_tail_file_set(&log.file, fd, PS_TAIL_MEMORY);
    ps_tail_log_grow(tailer, &log);
    int expected = model(size, read, known);
    if ((int)log.identity.head_length != expected)
        fail_msg("%d bytes, %d read, %d known: the fingerprint has %u, and not %d", size, read, known,
                 log.identity.head_length, expected);
    assert_true(log.identity.head == ps_tail_head(text, (size_t)expected));
    ps_tail_fingerprint_index_put(&tailer->fingerprints, &log.head, 0, 0);
    ps_tail_file_forget(&tailer->reader, &log.file);
    close(fd);
}

static void test_grow(void **unused)
{
    char text[MOST];
    uint64_t state = ps_test_seed() | 1;
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-grow", -1, tailer, &err), PS_OK);
    ps_tail_reader_init(&tailer->reader, &tailer->thread);
    ps_tail_slots_grow(&tailer->saves.changed, 4);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + ps_test_random(&state) % 26);
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < PS_COUNT_OF(lengths); k++) {
            for (size_t n = 0; n < PS_COUNT_OF(lengths) && lengths[n] <= (int)PS_TAIL_HEAD_BYTES; n++)
                grow(tailer, text, lengths[i], lengths[k], lengths[n]);
        }
    }
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_slots_free(&tailer->saves.changed);
    free(tailer);
}

/* ---- the queue ---- */

#define LOGS 12U

static void expect_queue(const struct ps_tailer *tailer, struct ps_tail_log *const *order, uint32_t count)
{
    const struct ps_tail_log *at = tailer->queue_first, *last = NULL;
    for (uint32_t i = 0; i < count; i++, last = at, at = at->next) {
        assert_ptr_equal(at, order[i]);
        assert_true(at->queued);
    }
    assert_null(at);
    if (count > 0)
        assert_ptr_equal(tailer->queue_last, last);
    else
        assert_null(tailer->queue_last);
}

/* Adds a file that is open, so that it may be queued. */
static struct ps_tail_log *log_new(struct ps_tailer *tailer, unsigned step)
{
    char name[16];
    snprintf(name, sizeof name, "app.%u", step);
    struct ps_tail_log *log = ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.group = 0, .device = 1, .inode = 1000 + step, .name = name});
    ps_tail_file_set(&log->file, open("/dev/null", O_RDONLY | O_CLOEXEC), PS_TAIL_CACHE);
    log->state = PS_TAIL_LOG_OPEN;
    ps_tail_log_active(&tailer->open, log, step);
    ps_tail_opened(tailer);
    return log;
}

/* Files are queued, have their turn, and are removed, also while they are queued. */
static void test_queue(void **unused)
{
    uint64_t state = ps_test_seed() | 1;
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_tail_log *logs[LOGS] = {NULL}, *order[LOGS];
    struct ps_err err = {.length = 0};
    uint32_t count = 0, removed = 0;
    tailer->settings = &(const struct ps_tail_settings){.identities = false};
    tailer->port = &port;
    tailer->places = &place;
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-queue", -1, tailer, &err), PS_OK);
    ps_tail_reader_init(&tailer->reader, &tailer->thread);
    for (unsigned step = 1; step < 5000; step++) {
        uint32_t which = (uint32_t)(ps_test_random(&state) % LOGS), at = 0;
        if (logs[which] == NULL)
            logs[which] = log_new(tailer, step);
        while (at < count && order[at] != logs[which])
            at++;
        switch (ps_test_random(&state) % 8) {
        case 0:
            removed += at < count;
            if (at < count)
                memmove(order + at, order + at + 1, (--count - at) * sizeof order[0]);
            ps_tail_log_remove(tailer, logs[which]);
            logs[which] = NULL;
            break;
        case 1:
            if (count == 0)
                break;
            ps_tail_log_unqueue_first(tailer);
            assert_false(order[0]->queued);
            memmove(order, order + 1, --count * sizeof order[0]);
            break;
        default:
            if (at == count)
                order[count++] = logs[which];
            ps_tail_log_queue(tailer, logs[which]);
        }
        expect_queue(tailer, order, count);
    }
    assert_true(removed > 100);
    while (!ps_tail_thread_is_idle(&tailer->thread))
        (void)ps_tail_thread_wait(&tailer->thread, 100);
    ps_tail_logs_free(tailer);
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

/* ---- the table ---- */

#define MANY 300U

/* Files lose their names, and others get them, while the table grows: each name finds the file that has it now, each inode its own file. */
static void test_names(void **unused)
{
    uint64_t state = ps_test_seed() | 1;
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    struct ps_tail_log *named[10] = {NULL}, *all[MANY];
    tailer->settings = &(const struct ps_tail_settings){.identities = false};
    tailer->port = &port;
    tailer->places = &place;
    for (unsigned i = 0; i < MANY; i++) {
        unsigned which = (unsigned)(ps_test_random(&state) % PS_COUNT_OF(named));
        char name[16];
        snprintf(name, sizeof name, "app.%u", which);
        if (named[which] != NULL)
            ps_tail_log_rename(tailer, named[which], NULL, false); /* it was deleted, and is still read */
        named[which] = NULL;
        if (i % 3 > 0)
            named[which] = ps_tail_log_add(
                tailer, 0, &(struct ps_tail_change){.device = 1, .inode = 1000 + i, .name = name});
        all[i] = named[which];
        for (unsigned k = 0; k < PS_COUNT_OF(named); k++) {
            snprintf(name, sizeof name, "app.%u", k);
            assert_ptr_equal(ps_tail_log_by_name(&tailer->table, 0, name), named[k]);
            assert_null(ps_tail_log_by_name(&tailer->table, 1, name));
        }
        for (unsigned k = 0; k <= i; k++)
            assert_ptr_equal(ps_tail_log_by_inode(&tailer->table, 1, 1000 + k), all[k]);
    }
    assert_true(tailer->table.room > 64); /* it grew with names that were gone */
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

/* A search walks through one chain of names or of inodes: none gets long, however many files there are. */
static void test_chains(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->port = &port;
    tailer->places = &place;
    for (unsigned i = 0; i < 4280; i++) {
        char name[16];
        snprintf(name, sizeof name, "app.%06u", i);
        ps_tail_log_add(tailer, 0, &(struct ps_tail_change){.device = 1, .inode = 1000 + i, .name = name});
    }
    for (uint32_t i = 0; i < tailer->table.room; i++) {
        unsigned names = 0, inodes = 0;
        for (const struct ps_tail_log *log = tailer->table.by_name[i]; log != NULL; log = log->next_name)
            names++;
        for (const struct ps_tail_log *log = tailer->table.by_inode[i]; log != NULL; log = log->next_inode)
            inodes++;
        assert_true(names <= 16 && inodes <= 16);
    }
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

/* ---- deliveries ---- */

static struct ps_tail_log *heir_new(struct ps_tailer *tailer, unsigned number, int64_t read)
{
    char name[16];
    snprintf(name, sizeof name, "app.%u", number);
    struct ps_tail_log *log = ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.device = 1, .inode = 1000 + number, .name = name});
    ps_tail_log_move(tailer, log, read, 0);
    return log;
}

static void deliver(struct ps_tailer *tailer, uint32_t stream, uint32_t pass, int64_t position)
{
    const struct ps_span span = {.stream = stream, .pass = pass, .position = position};
    ps_tail_log_delivered(tailer, &span);
}

/* A delivery counts for the file, for each of its copies up to where both are the same, and for what a file was before it began anew; never back. */
static void test_delivered(void **unused)
{
    struct ps_counters counters = {{0}};
    struct ps_port port = {.component = "source t1", .counters = &counters};
    struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &(const struct ps_tail_settings){.identities = false};
    tailer->port = &port;
    tailer->places = &place;
    tailer->now_ns = 1000;
    struct ps_tail_log *original = heir_new(tailer, 0, 200), *first = heir_new(tailer, 1, 120),
                       *second = heir_new(tailer, 2, 90), *anew = heir_new(tailer, 3, 30);
    const uint32_t number = original->number, pass = original->pass;
    first->before[0] = (struct ps_tail_life){.number = number, .pass = pass, .end = 100};
    second->before[0] = (struct ps_tail_life){.number = 70, .pass = 7, .end = 10};
    second->before[3] = (struct ps_tail_life){.number = number, .pass = pass, .end = 50};
    anew->earlier.lives[2] = (struct ps_tail_life){.number = number, .pass = pass, .end = 60};
    anew->earlier.read_offset = 80;
    struct ps_tail_log *const heirs[] = {first, second, anew};
    for (size_t i = 0; i < PS_COUNT_OF(heirs); i++)
        ps_tail_slots_put(&tailer->heirs, heirs[i]->number);
    static const struct {
        int64_t position, first, second, earlier;
    } steps[] = {
        {40, 40, 40, 40}, {30, 40, 40, 40}, {55, 55, 50, 55}, {100, 100, 50, 60}, {199, 100, 50, 60}};
    deliver(tailer, number, pass, 20); /* no copy is known yet */
    assert_int_equal(original->delivered_offset, 20);
    assert_int_equal(first->delivered_offset, 0);
    original->copied = true;
    for (size_t i = 0; i < PS_COUNT_OF(steps); i++) {
        deliver(tailer, number, pass, steps[i].position);
        assert_int_equal(original->delivered_offset, steps[i].position > 40 ? steps[i].position : 40);
        assert_int_equal(first->delivered_offset, steps[i].first);
        assert_int_equal(second->delivered_offset, steps[i].second);
        assert_int_equal(anew->earlier.delivered_offset, steps[i].earlier);
        assert_int_equal(anew->delivered_offset, 0);
        assert_true(original->copied);
    }
    deliver(tailer, number, pass + 1, 500); /* of another life */
    deliver(tailer, 70, 6, 500);
    assert_int_equal(original->delivered_offset, 199);
    assert_int_equal(second->delivered_offset, 50);
    deliver(tailer, number, pass, 200);
    assert_false(original->copied); /* all is delivered */
    assert_int_equal(tailer->outstanding, 3);
    assert_int_equal(tailer->heirs.count, 3);
    /* Who has all of it, and was not cut a moment ago, is no heir any more. */
    ps_tail_log_move(tailer, first, 120, 120);
    anew->earlier.delivered_offset = 80;
    anew->earlier.until_ns = 1001;
    deliver(tailer, 70, 7, 90);
    assert_int_equal(second->delivered_offset, 50); /* that life ended at 10 */
    assert_int_equal(tailer->heirs.count, 2);
    tailer->now_ns = 1001;
    deliver(tailer, 70, 7, 90);
    assert_int_equal(tailer->heirs.count, 1);
    assert_true(tailer->heirs.has[second->number]);
    ps_tail_logs_free(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered), cmocka_unit_test(test_names), cmocka_unit_test(test_chains),
        cmocka_unit_test_setup_teardown(test_grow, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
