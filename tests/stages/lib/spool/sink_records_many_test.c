/* The records that a sink keeps, of as many files as fill the tables of a spooling directory, and a few more or less, compared with a model:
 * between two runs files are renamed, deleted, replaced, changed and cut; in the second one an allocation may fail. Each file is found once, at the
 * model's place, and the keys of files that are gone are reported once. */
#include "core/log/log.h"
#include "stages/lib/spool/sink_records.h"
#include "stages/lib/spool/spool_internal.h"
#include "stages/lib/tail/identity.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 140U
#define BYTES 40U

enum change { KEPT, RENAMED, DELETED, REPLACED, GREW, CUT, CHANGES };

struct expected {
    char name[16];
    char key[PS_TAIL_GONE_KEY_BYTES]; /* of its record; "": it has none */
    uint64_t size, position, inside;
    enum ps_spool_sink_records_end end;
    enum change change;
    bool found;
};

static struct expected files[FILES_MAX];
static unsigned count, gone_count;
static uint64_t state;
static struct ps_spool *spool;
static char *texts;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static void open_spool(void)
{
    struct ps_err err = {.length = 0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
}

/* Fetches a random number of files; the nth allocation fails, if it is not 0. The files are no longer open then, but count as known. */
static struct ps_spool_fetch *fetch(bool list, uint64_t allocation)
{
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    struct ps_spool_file *slots = ps_spool_files(spool);
    unsigned wanted = 1 + (unsigned)draw(PS_SPOOL_FETCH_MAX);
    job->wanted = 0;
    job->list = list;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && job->wanted < wanted; i++)
        if (!slots[i].in_flight)
            job->files[job->wanted++] = &slots[i];
    ps_spool_fetch_prepare(job, spool, answer);
    ps_test_allocation_fails = allocation;
    job->job.run(&job->job);
    ps_test_allocation_fails = 0;
    for (unsigned i = 0; i < job->found; i++) {
        close(job->files[i]->fd);
        job->files[i]->fd = -1;
    }
    return job;
}

static void close_spool(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    ps_spool_leave(spool, &none);
}

static struct expected *named(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    fail_msg("%s is no file", name);
    return NULL;
}

static void write_file(const char *name, unsigned bytes)
{
    static const char text[2 * BYTES];
    ps_test_folder_append(name, text, bytes);
}

/* The first run: every file has a random position, which is in its record. */
static void records_make(void)
{
    char record[1024];
    size_t length = 0;
    unsigned seen = 0;
    texts = malloc(FILES_MAX * sizeof record);
    assert_non_null(texts);
    open_spool();
    while (seen < count) {
        const struct ps_spool_fetch *job = fetch(true, 0);
        assert_true(job->found > 0);
        for (unsigned i = 0; i < job->found; i++, seen++) {
            struct expected *file = named(job->files[i]->name);
            assert_true(job->files[i]->start == 0 && !job->files[i]->begun && file->key[0] == '\0');
            if (draw(4) == 0)
                continue; /* no event of the file was delivered */
            file->end = (enum ps_spool_sink_records_end)(PS_SPOOL_KEPT_OPEN + draw(3));
            file->position = draw(3) == 0 ? 0 : draw(BYTES + 1);
            file->inside = draw(2) * draw(5);
            ps_spool_sink_records_key(job->files[i], file->key);
            uint32_t printed = ps_spool_sink_records_print(job->files[i], file->inside, file->end, record);
            assert_true(printed <= ps_spool_sink_records_bound(job->files[i]));
            length += (size_t)sprintf(texts + length, "%c{\"pos\":%" PRIu64 ",%.*s", length == 0 ? '[' : ',',
                                      file->position + (file->end != PS_SPOOL_KEPT_OPEN), (int)printed - 1,
                                      record + 1);
        }
    }
    strcpy(texts + length, length == 0 ? "[]" : "]");
    close_spool();
}

static void forget(struct expected *file)
{
    gone_count += file->key[0] != '\0';
    file->position = file->inside = 0;
    file->end = PS_SPOOL_KEPT_OPEN;
}

/* Changes the file, and what the model says of its start. */
static void change(struct expected *file, unsigned number)
{
    char before[16];
    strcpy(before, file->name);
    switch (file->change) {
    case RENAMED:
        snprintf(file->name, sizeof file->name, "r%03u", number);
        assert_int_equal(rename(ps_test_folder_path(before), ps_test_folder_path(file->name)), 0);
        break;
    case DELETED:
    case REPLACED:
        if (file->change == REPLACED)
            write_file("new", BYTES); /* before the other one goes, so that it has an inode of its own */
        assert_int_equal(unlink(ps_test_folder_path(before)), 0);
        if (file->change == REPLACED)
            assert_int_equal(rename(ps_test_folder_path("new"), ps_test_folder_path(before)), 0);
        forget(file);
        break;
    case GREW:
        write_file(before, 1);
        file->size++;
        break;
    case CUT:
        file->size = draw(BYTES);
        assert_int_equal(truncate(ps_test_folder_path(before), (off_t)file->size), 0);
        if (file->position > file->size)
            file->position = file->inside = 0;
        break;
    case KEPT:
    case CHANGES:
        break;
    }
}

static void expect_file(const struct ps_spool_file *got)
{
    struct expected *file = named(got->name);
    bool same = file->change == KEPT, has = file->key[0] != '\0' && file->change != REPLACED;
    bool again = file->end == PS_SPOOL_KEPT_BROKEN && !same; /* a corrected file */
    bool cut = file->change == CUT && file->position == 0;
    assert_false(file->found);
    file->found = true;
    if (got->size != file->size || got->start != (again ? 0 : file->position) ||
        got->inside != (again ? 0 : file->inside))
        fail_msg("%s, change %u: %" PRIu64 " and %" PRIu64 " events, not %" PRIu64 " and %" PRIu64, got->name,
                 file->change, got->start, got->inside, file->position, file->inside);
    if (cut)
        return; /* got->begun and got->finished are not checked */
    bool begun = file->position > 0 || file->inside > 0 || file->end != PS_SPOOL_KEPT_OPEN;
    assert_int_equal(got->begun, has && !again && begun);
    assert_int_equal(got->finished, has && same && file->end == PS_SPOOL_KEPT_FINISHED);
}

static void expect_gone(struct ps_spool_fetch *job, unsigned *told)
{
    for (size_t i = 0; i < job->gone_count; i++) {
        unsigned is = 0;
        for (unsigned k = 0; k < count; k++) {
            bool goes = files[k].change == DELETED || files[k].change == REPLACED;
            if (goes && strcmp(files[k].key, job->gone[i]) == 0) {
                files[k].key[0] = '\0';
                is++;
            }
        }
        if (is != 1)
            fail_msg("%s is gone for %u files", job->gone[i], is);
        (*told)++;
    }
    free(job->gone);
    job->gone = NULL;
    job->gone_count = 0;
}

static void history(unsigned files_wanted, uint64_t allocation)
{
    unsigned found = 0, there = 0, told = 0;
    count = files_wanted;
    gone_count = 0;
    memset(files, 0, sizeof files);
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    for (unsigned i = 0; i < count; i++) {
        snprintf(files[i].name, sizeof files[i].name, "f%03u", i);
        write_file(files[i].name, BYTES);
        files[i].size = BYTES;
        files[i].change = (enum change)draw(CHANGES);
    }
    records_make();
    if (strcmp(texts, "[]") != 0) { /* a file is looked up by its birth, or where it was */
        bool known = ps_tail_path_born_ns(ps_test_folder_path(files[0].name)) != 0;
        for (unsigned i = 0; i < count && !known; i++)
            files[i].change = files[i].change == RENAMED ? KEPT : files[i].change;
    }
    for (unsigned i = 0; i < count; i++) {
        change(&files[i], i);
        there += files[i].change != DELETED;
    }
    open_spool();
    ps_spool_fetch_of(spool)->records = strdup(texts);
    for (unsigned tries = 0; tries < 4 * FILES_MAX && (found < there || told < gone_count); tries++) {
        struct ps_spool_fetch *job = fetch(tries == 0 || draw(3) == 0, tries < 3 ? allocation : 0);
        if (job->failed) {
            assert_true(allocation > 0);
            assert_null(job->records);
            job->records = strdup(texts); /* the source asks the sink again */
            continue;
        }
        for (unsigned i = 0; i < job->found; i++, found++)
            expect_file(job->files[i]);
        expect_gone(job, &told);
    }
    if (found != there || told != gone_count)
        fail_msg("%u of %u files, %u of %u keys", found, there, told, gone_count);
    for (unsigned i = 0; i < 3; i++) { /* nothing more, and nothing twice */
        struct ps_spool_fetch *job = fetch(true, 0);
        assert_true(job->found == 0 && job->gone_count == 0 && job->listed);
    }
    assert_int_equal(spool->records.count, 0);
    close_spool();
    free(texts);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

static const unsigned sizes[] = {1, 2, 15, 16, 17, 47, 48, 49, 63, 64, 65, 127, 128, 129};

static void test_tables_that_grow(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
        for (unsigned times = 0; times < 3; times++)
            history(sizes[i], 0);
}

static void test_without_memory(void **unused)
{
    for (unsigned times = 0; PS_TEST_ALLOCATIONS && times < 60; times++)
        history(sizes[draw(PS_COUNT_OF(sizes))], 1 + draw(200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables_that_grow),
                                       cmocka_unit_test(test_without_memory)};
    state = ps_test_seed() | 1;
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
