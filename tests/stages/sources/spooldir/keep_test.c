/* Source spooldir whose positions a sink keeps: what is committed, after kills and aborted transactions. */
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"
#include "tests/stages/sources/spooldir/keep_support.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/uio.h>

/* Files are not in the page cache: the worker's reads are left to the source's thread. */
static _Thread_local bool is_cold;
static unsigned cold_reads;

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "preadv2");
        memcpy(&real, &found, sizeof real);
    }
    if (!is_cold)
        return real(fd, parts, count, offset, flags);
    cold_reads++;
    errno = EAGAIN;
    return -1;
}

static _Atomic bool names_break; /* the directory's names cannot be synced */
static _Atomic unsigned name_syncs;

int fsync(int fd)
{
    static int (*real)(int);
    struct stat status, folder;
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "fsync");
        memcpy(&real, &found, sizeof real);
    }
    bool names = fstat(fd, &status) == 0 && stat(ps_test_folder(), &folder) == 0 &&
                 status.st_ino == folder.st_ino && status.st_dev == folder.st_dev;
    name_syncs += names;
    if (!names || !names_break)
        return real(fd);
    errno = EIO;
    return -1;
}

/* ---- tests ---- */

static void test_question_first(void **unused)
{
    put("a", "one\ntwo\n");
    PREPARE(NULL);
    /* until the question is answered, the source reads nothing after the batch with the question */
    assert_int_equal(ps_test_source_work(&stage), PS_DONE); /* closes the batch: the source is told */
    assert_int_equal(questions, 1);
    assert_true(stage.failed); /* the question was not answered */
    assert_non_null(strstr(stage.err.text, "has not reported the positions"));
    ps_test_stage_fini(&stage);
    PREPARE(NULL);
    sink = COMMITS_SILENTLY; /* the answer takes a while */
    for (unsigned i = 0; i < 50; i++)
        step();
    assert_int_equal(questions, 1);
    assert_int_equal(committed_count, 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 0);
    kill_and_open();
    UNTIL(is_there("a.COMPLETED"));
    assert_int_equal(questions, 2);
    UNTIL(records_left() == 0);
    expect(" one two");
    ps_test_stage_fini(&stage);
}

/* The file is retired when the transaction with its end is committed, and not before. */
static void test_retired_after_commit(void **unused)
{
    put("a", "one\n");
    PREPARE(NULL);
    answer();
    sink = COMMITS;
    UNTIL(questions == 1);
    ps_test_source_fill(&stage, 1); /* in a transaction that is open */
    for (unsigned i = 0; i < 50; i++) {
        ps_test_source_read(&stage);
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(100);
    }
    assert_true(is_there("a"));
    ps_test_source_close_batch(&stage);
    UNTIL(is_there("a.COMPLETED") && records_left() == 0 && kept_count == 1);
    expect(" one");
    ps_test_stage_fini(&stage);
}

/* A file's record is removed only when the new name of the file is on the disk: else a power cut brings back the file without its
 * record. The next start removes the record. Files that end in one transaction are synced together. */
static void test_record_stays_without_sync(void **unused)
{
    for (unsigned deletes = 0; deletes < 2; deletes++) {
        put("a", "one\n");
        put("b", "two\n");
        PREPARE("deletePolicy", deletes ? "immediate" : "never");
        answer();
        UNTIL(questions == 1);
        names_break = true;
        name_syncs = 0;
        UNTIL(!is_there("a") && !is_there("b") && name_syncs > 0); /* the helper syncs behind the last name */
        expect(" one two");
        assert_in_range(name_syncs, 1, 2);
        assert_int_equal(records_left(), 2);
        names_break = false;
        kill_and_open();
        UNTIL(records_left() == 0);
        expect(" one two");
        ps_test_stage_fini(&stage);
        if (!deletes) {
            assert_int_equal(unlink(ps_test_folder_path("a.COMPLETED")), 0);
            assert_int_equal(unlink(ps_test_folder_path("b.COMPLETED")), 0);
        }
    }
}

static void put_lines(const char *name, unsigned first, unsigned last)
{
    char line[16];
    for (unsigned i = first; i <= last; i++)
        ps_test_folder_append(".lines", line, (size_t)snprintf(line, sizeof line, "%06u\n", i));
    assert_int_equal(rename(ps_test_folder_path(".lines"), ps_test_folder_path(name)), 0);
}

static void expect_lines(unsigned count)
{
    assert_int_equal(committed_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(strtoul(committed + 7 * i, NULL, 10), i + 1);
}

static void test_abort_in_the_middle(void **unused)
{
    put_lines("a", 1, 20000);
    PREPARE(NULL);
    answer();
    UNTIL(committed_count > 0);
    assert_true(committed_count < 20000);
    sink = ABORTS;
    for (unsigned i = 0; i < 3; i++)
        step();
    kill_and_open();
    UNTIL(committed_count > 10000);
    kill_and_open(); /* the meta file is gone: only the records say where to continue */
    UNTIL(is_there("a.COMPLETED"));
    expect_lines(20000);
    ps_test_stage_fini(&stage);
}

static void test_abort_after_the_end(void **unused)
{
    put("a", "one\ntwo\n");
    PREPARE(NULL);
    answer();
    UNTIL(questions == 1);
    sink = ABORTS;
    UNTIL(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount) == 2);
    for (unsigned i = 0; i < 50; i++)
        step();
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 2);
    assert_true(is_there("a"));
    kill_and_open();
    UNTIL(is_there("a.COMPLETED"));
    expect(" one two");
    ps_test_stage_fini(&stage);
}

/* Killed after the commit: the next start retires the file, no event comes again, and no record is left. */
static void retire_again(const char *policy, const char *tracking, const char *text, const char *events)
{
    put("a", text);
    PREPARE("deletePolicy", policy, "trackingPolicy", tracking);
    answer();
    UNTIL(questions == 1);
    sink = COMMITS_SILENTLY;
    UNTIL(committed_count > 0);
    for (unsigned i = 0; i < 20; i++)
        step();
    assert_true(is_there("a"));
    assert_int_equal(records_left(), 1);
    kill_and_open();
    UNTIL(records_left() == 0);
    assert_string_equal(committed, events);
    bool renames = strcmp(tracking, "rename") == 0, deletes = strcmp(policy, "immediate") == 0;
    assert_int_equal(is_there("a"), !renames);
    assert_int_equal(is_there("a.COMPLETED"), renames && !deletes);
    assert_int_equal(is_there(".flumespool/a.COMPLETED"), !renames);
    expect(events);
    ps_test_stage_fini(&stage);
    (void)unlink(ps_test_folder_path("a"));
    (void)unlink(ps_test_folder_path("a.COMPLETED"));
}

static void test_killed_before_it_is_retired(void **unused)
{
    retire_again("never", "rename", "one\ntwo\n", " one two");
    retire_again("immediate", "rename", "one\ntwo\n", " one two");
    retire_again("never", "tracker_dir", "one\ntwo\n", " one two");
}

static void test_empty_file(void **unused)
{
    retire_again("never", "rename", "", " ");
    put("b", "");
    PREPARE(NULL);
    answer();
    UNTIL(questions == 1);
    sink = ABORTS;
    for (unsigned i = 0; i < 20; i++)
        step();
    kill_and_open();
    UNTIL(is_there("b.COMPLETED"));
    expect(" ");
    ps_test_stage_fini(&stage);
}

/* A finished file is looked at again because its ctime has changed. A transaction ends before its end is known: its record stays. */
static void test_empty_file_again(void **unused)
{
    put("a", "");
    PREPARE(NULL);
    answer();
    UNTIL(questions == 1);
    sink = COMMITS_SILENTLY;
    UNTIL(committed_count == 1);
    assert_int_equal(chmod(ps_test_folder_path("a"), 0600), 0);
    kill_and_open();
    cold_reads = 0;
    is_cold = true;
    UNTIL(cold_reads > 0);
    is_cold = false;
    kill_and_open();
    UNTIL(is_there("a.COMPLETED") && records_left() == 0);
    expect(" ");
    ps_test_stage_fini(&stage);
}

/* A file is retired, but its record is deleted only at the next start. A new file with its name is another file. */
static void test_record_of_a_file_that_is_gone(void **unused)
{
    put("a", "one\n");
    PREPARE("deletePolicy", "immediate");
    answer();
    UNTIL(questions == 1);
    names_break = true; /* else the record would go, too, if this thread comes back late */
    UNTIL(!is_there("a"));
    ps_test_stage_close(&stage);
    names_break = false;
    assert_int_equal(records_left(), 1);
    put("a", "new\n");
    ps_test_stage_recycle(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    answer();
    UNTIL(!is_there("a"));
    UNTIL(records_left() == 0);
    expect(" one new");
    ps_test_stage_fini(&stage);
}

/* A new file has the inode of a deleted one. The time of birth tells them apart. */
static void test_inode_used_again(void **unused)
{
    static const char old[] = "1234-5678";
    struct stat status;
    put("b", "one\ntwo\n");
    assert_int_equal(stat(ps_test_folder_path("b"), &status), 0);
    PREPARE("deletePolicy", "immediate");
    struct kept *record = kept_of((struct ps_slice){old, sizeof old - 1});
    snprintf(record->value, sizeof record->value,
             "{\"pos\":9,\"inode\":%ju,\"device\":%ju,\"born\":5,\"size\":8,\"changed\":5,\"compression\":0,"
             "\"inside\":0,\"end\":1,\"more\":\"\\u00e4\",\"file\":\"b\"}",
             (uintmax_t)status.st_ino, (uintmax_t)status.st_dev);
    answer();
    UNTIL(!is_there("b"));
    /* the record with the key of inode and birth time is deleted, not the one with the invented key */
    UNTIL(records_left() == 1);
    snprintf(record->key, sizeof record->key, "%ju-5", (uintmax_t)status.st_ino);
    assert_int_equal(kept_count, 3);
    assert_true(kept[1].gone && kept[2].gone);
    assert_string_equal(kept[1].key, record->key);
    expect(" one two");
    ps_test_stage_fini(&stage);
}

/* Waits until the source has the file open, and has the answer of its thread. */
static void await_opened(const char *name)
{
    char link[64], path[4096] = "";
    for (unsigned tries = 0; strcmp(path, ps_test_folder_path(name)) != 0; tries++) {
        for (int fd = 0; fd < 256 && strcmp(path, ps_test_folder_path(name)) != 0; fd++) {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, sizeof path - 1);
            path[length > 0 ? length : 0] = '\0';
        }
        assert_true(tries < PS_TEST_PATIENCE_MS);
        usleep(1000);
    }
    usleep(20000);
}

/* A file has the key of one that was deleted just before: here it is another name of it; without times of birth any new file may have
 * its inode. Its record is written after the record of the deleted file was removed, and stays. */
static void test_key_used_again(void **unused)
{
    put("a", "one\n");
    PREPARE("deletePolicy", "immediate");
    answer();
    UNTIL(questions == 1);
    ps_test_source_fill(&stage, 1);
    assert_int_equal(link(ps_test_folder_path("a"), ps_test_folder_path(".b")), 0);
    assert_int_equal(rename(ps_test_folder_path(".b"), ps_test_folder_path("b")), 0);
    ps_test_source_close_batch(&stage);
    ps_test_stage_pass_ms(&stage, 20);
    (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now); /* deletes a, and then lists */
    await_opened("b");
    sink = COMMITS_SILENTLY;
    ps_test_source_read(&stage); /* takes both answers */
    UNTIL(committed_count == 2);
    for (unsigned i = 0; i < 20; i++)
        step();
    assert_string_equal(committed, " one one");
    assert_int_equal(records_left(), 1);
    kill_and_open();
    UNTIL(!is_there("b") && records_left() == 0);
    expect(" one one");
    ps_test_stage_fini(&stage);
}

/* A file that was finished and has grown is the same file: the rest is read. Another file with its name is read from
 * the beginning. A renamed file is continued. */
static void test_changed_meanwhile(void **unused)
{
    put("a", "one\n");
    PREPARE(NULL);
    answer();
    UNTIL(questions == 1);
    sink = COMMITS_SILENTLY;
    UNTIL(records_left() == 1);
    for (unsigned i = 0; i < 20; i++)
        step();
    ps_test_folder_append("a", "two\n", 4);
    kill_and_open();
    UNTIL(is_there("a.COMPLETED") && records_left() == 0);
    expect(" one two");
    put("b", "three\n");
    sink = COMMITS_SILENTLY;
    UNTIL(records_left() == 1);
    put("b", "four\n");
    kill_and_open();
    UNTIL(is_there("b.COMPLETED") && records_left() == 0);
    expect(" one two three four");
    put("c", "five\n");
    sink = COMMITS_SILENTLY;
    UNTIL(records_left() == 1);
    assert_int_equal(rename(ps_test_folder_path("c"), ps_test_folder_path("d")), 0);
    kill_and_open();
    UNTIL(is_there("d.COMPLETED") && records_left() == 0);
    expect(" one two three four five");
    ps_test_stage_fini(&stage);
}

/* A file whose rest cannot be read (penstock.onFileError = skip) is not retired; after a restart it is read from there
 * again, or from its beginning if it was corrected. */
static void test_broken_file(void **unused)
{
    put("a", "one\ntw\xFFo\n");
    PREPARE("penstock.onFileError", "skip");
    answer();
    UNTIL(committed_count == 1);
    for (unsigned i = 0; i < 20; i++)
        step();
    assert_true(is_there("a"));
    assert_int_equal(records_left(), 1);
    kill_and_open();
    expect(" one");
    assert_int_equal(records_left(), 1);
    ps_test_stage_close(&stage);
    FILE *file = fopen(ps_test_folder_path("a"), "w");
    assert_non_null(file);
    fputs("one\ntwo\n", file);
    fclose(file);
    ps_test_stage_recycle(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    answer();
    UNTIL(is_there("a.COMPLETED") && records_left() == 0);
    expect(" one one two");
    ps_test_stage_fini(&stage);
}

/* A block has more records than a batch: reading continues within the block. */
static void test_avro_block(void **unused)
{
    static char contents[1 << 18], records[1 << 17];
    static const uint8_t marker[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
    const char *const pairs[] = {"avro.schema", "\"string\"", "avro.codec", "null", NULL};
    unsigned number = 0;
    size_t length = ps_avro_container_header_write(pairs, marker, contents, sizeof contents);
    for (unsigned block = 0; block < 3; block++) {
        size_t size = 0;
        for (unsigned i = 0; i < 6000; i++)
            size += (size_t)snprintf(records + size, sizeof records - size, "\x0C%06u", ++number);
        length += ps_avro_put_long(contents + length, 6000);
        length += ps_avro_put_long(contents + length, (int64_t)size);
        memcpy(contents + length, records, size);
        memcpy(contents + length + size, marker, sizeof marker);
        length += size + sizeof marker;
    }
    ps_test_folder_append(".put", contents, length);
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path("a")), 0);
    PREPARE("deserializer", "AVRO");
    answer();
    for (unsigned life = 0; life < 4; life++) {
        size_t before = committed_count;
        UNTIL(committed_count > before);
        sink = ABORTS;
        step();
        kill_and_open();
    }
    UNTIL(is_there("a.COMPLETED"));
    assert_int_equal(committed_count, 18000);
    for (unsigned i = 0; i < 18000; i++)
        assert_int_equal(strtoul(committed + 8 * i + 2, NULL, 10),
                         i + 1); /* a blank, and the length of the datum */
    ps_test_stage_fini(&stage);
}

static void test_records_of_another_version(void **unused)
{
    static const char *const texts[] = {"", "[{\"pos\":1,\"inode\":}]\n", "[{\"pos\":1,\"inode\":1}]\n",
                                        "[{\"pos\":1,\"file\":\"a\\u00"};
    put("a", "one\n");
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        PREPARE(NULL);
        ps_sink_positions_leave(owner(), texts[i]);
        UNTIL(stage.failed);
        assert_int_equal(committed_count, 0);
        assert_non_null(strstr(stage.err.text, "this version of penstock cannot read"));
        ps_test_stage_fini(&stage);
    }
}

/* Puts 600 files, delivers nothing, and waits until `least` files are read. Returns how many are read. */
static unsigned read_undelivered(bool keeps, unsigned least)
{
    char name[16];
    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "%u", i);
        put(name, "x\n");
    }
    other_sink = !keeps;
    PREPARE(NULL);
    other_sink = false;
    if (keeps)
        answer();
    UNTIL(questions == keeps);
    sink = ABORTS;
    unsigned read = 0;
    for (unsigned idle = 0, before = 0; idle < 50; before = read) {
        step();
        read = (unsigned)ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount);
        idle = read > before || read < least ? 0 : idle + 1;
    }
    return read;
}

/* A transaction covers many small files, because each transaction costs a commit. With at least once, few files are
 * read and not finished, because these may come again after a kill. */
static void test_many_files_in_a_transaction(void **unused)
{
    assert_in_range(read_undelivered(true, 400), 400, 512);
    kill_and_open();
    UNTIL(committed_count == 600 && records_left() == 0);
    for (unsigned i = 0; i < 50; i++)
        step();
    assert_int_equal(committed_count, 600);
    ps_test_stage_fini(&stage);
}

static void test_few_files_without_one(void **unused)
{
    assert_in_range(read_undelivered(false, 33), 33, 64);
    ps_test_stage_fini(&stage);
}

/* The source's number is unique, and deleted when only the meta file counts. */
static void test_number(void **unused)
{
    char first[64];
    struct ps_test_stage other;
    struct ps_err err = {.length = 0};
    PREPARE(NULL);
    snprintf(first, sizeof first, "%s", owner());
    ps_test_stage_init(&other, &ps_source_spooldir);
    assert_int_equal(ps_test_stage_bind(&other, PS_KEYS("spoolDir", ps_test_folder())), PS_OK);
    assert_int_equal(ps_test_stage_build(&other), PS_OK);
    assert_int_equal(ps_test_stage_open(&other), PS_FAIL);
    assert_non_null(strstr(ps_err_join(&other.err), "set another trackerDir"));
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    assert_string_equal(owner(), first);
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_stage_open(&other), PS_OK);
    assert_false(is_there(META ".id"));
    ps_test_stage_fini(&other);
    PREPARE(NULL);
    assert_string_not_equal(owner(), first);
    snprintf(first, sizeof first, "%s", owner());
    ps_test_stage_close(&stage);
    /* Flume ran meanwhile: its meta file has no inode */
    FILE *file = fopen(ps_test_folder_path(META), "w");
    static const uint8_t marker[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
    const char *const pairs[] = {"avro.schema", "\"long\"", "file", "/x", NULL};
    char text[512];
    size_t length = ps_avro_container_header_write(pairs, marker, text, sizeof text);
    assert_non_null(file);
    fwrite(text, 1, length, file);
    fputs("\x02\x02\x02"
          "0123456789abcdef",
          file);
    fclose(file);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    assert_string_not_equal(owner(), first);
    assert_int_equal(err.length, 0);
    ps_test_stage_fini(&stage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_question_first),
                                       TEST(test_retired_after_commit),
                                       TEST(test_record_stays_without_sync),
                                       TEST(test_abort_in_the_middle),
                                       TEST(test_abort_after_the_end),
                                       TEST(test_killed_before_it_is_retired),
                                       TEST(test_empty_file),
                                       TEST(test_empty_file_again),
                                       TEST(test_record_of_a_file_that_is_gone),
                                       TEST(test_inode_used_again),
                                       TEST(test_key_used_again),
                                       TEST(test_changed_meanwhile),
                                       TEST(test_broken_file),
                                       TEST(test_avro_block),
                                       TEST(test_records_of_another_version),
                                       TEST(test_many_files_in_a_transaction),
                                       TEST(test_few_files_without_one),
                                       TEST(test_number)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
