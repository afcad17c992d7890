/* Sink file_roll, on real files. */
#include "tests/support/allocations.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char folder[64];
static int truncate_failures; /* this number of calls fails */
static bool close_fails;      /* after the file is closed, as close(2) may fail */

/* These replace libc's functions. */
int ftruncate(int fd, off_t length)
{
    if (truncate_failures > 0) {
        truncate_failures--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, length);
}

int close(int fd)
{
    int result = (int)syscall(SYS_close, fd);
    if (!close_fails)
        return result;
    errno = EDQUOT;
    return -1;
}

static int make_folder(void **unused)
{
    snprintf(folder, sizeof folder, "/tmp/penstock-roll-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **unused)
{
    char command[128];
    chmod(folder, 0700);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}

/* Returns the content of a file in the folder, terminated; NULL: the file does not exist. */
static const char *content(const char *name)
{
    static char text[1 << 16];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static size_t file_count(void)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void put(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "k", "v"));
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_DONE);
}

/* A deleted file is noticed before the next event is written; a truncated one continues at its new end. */
static void test_deleted_and_truncated(void **unused)
{
    struct ps_test_stage stage;
    struct stat facts;
    char path[256];
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", folder, "sink.rollInterval", "0"));
    (void)ps_test_sink_tick(&stage);
    put(&stage, "lost");
    snprintf(path, sizeof path, "%s/1700000000000-1", folder);
    assert_int_equal(unlink(path), 0);
    put(&stage, "kept");
    put(&stage, "too");
    assert_int_equal(file_count(), 1);
    assert_string_equal(content("1700000000000-2"), "kept\ntoo\n");
    snprintf(path, sizeof path, "%s/1700000000000-2", folder);
    assert_int_equal(truncate(path, 0), 0);
    put(&stage, "after");
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 6);
    assert_string_equal(content("1700000000000-2"), "after\n");
    ps_test_stage_fini(&stage);
}

static void test_rolls(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", folder, "sink.rollInterval", "2", "sink.pathManager.prefix",
                                "log-", "sink.pathManager.extension", "txt"));
    (void)ps_test_sink_tick(&stage);
    assert_string_equal(content("log-1700000000000-1.txt"), ""); /* created at once, also without events */
    put(&stage, "one");
    put(&stage, "two");
    assert_string_equal(content("log-1700000000000-1.txt"), "one\ntwo\n"); /* flushed before it is settled */
    ps_test_stage_pass_ms(&stage, 1999);
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(file_count(), 1);
    ps_test_stage_pass_ms(&stage, 1);
    (void)ps_test_sink_tick(&stage);
    assert_string_equal(content("log-1700000000000-2.txt"), "");
    put(&stage, "three");
    assert_string_equal(content("log-1700000000000-2.txt"), "three\n");
    /* Missed rolls are not repeated; the next one is on the original schedule. */
    ps_test_stage_pass_ms(&stage, 5000);
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(file_count(), 3);
    ps_test_stage_pass_ms(&stage, 999);
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(file_count(), 3);
    ps_test_stage_pass_ms(&stage, 1);
    assert_int_equal(ps_test_sink_tick(&stage), stage.now.mono_ns + 2 * PS_NS_PER_S);
    assert_int_equal(file_count(), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionCreatedCount), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 3);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 4);
    ps_test_stage_fini(&stage);
}

static void test_never_rolls(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", folder, "sink.rollInterval", "0", "sink.pathManager",
                                "rolltime", "sink.serializer", "header_and_text"));
    assert_int_equal(ps_test_sink_tick(&stage), PS_NEVER);
    ps_test_stage_pass_ms(&stage, 100000000);
    assert_int_equal(ps_test_sink_tick(&stage), PS_NEVER);
    put(&stage, "x");
    assert_int_equal(file_count(), 1);
    ps_test_stage_fini(&stage);
}

/* Large bodies are written without a copy, among small ones. */
static void test_sizes(void **unused)
{
    enum { COUNT = 700 };
    static char big[5000];
    memset(big, 'b', sizeof big);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll, PS_KEYS("sink.directory", folder));
    (void)ps_test_sink_tick(&stage);
    struct ps_test_event *events = calloc(COUNT, sizeof *events);
    size_t expected = 0;
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t length = ps_test_random(&random) % 3 ? (uint32_t)(ps_test_random(&random) % 100)
                                                      : (uint32_t)(ps_test_random(&random) % sizeof big);
        events[i] = (struct ps_test_event){big, length, NULL};
        expected += length + 1;
    }
    struct ps_lease *lease = ps_test_lease(&stage, events, COUNT);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    char path[256];
    snprintf(path, sizeof path, "%s/1700000000000-1", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t length = 0;
        int byte;
        while ((byte = fgetc(file)) == 'b')
            length++;
        assert_int_equal(byte, '\n');
        assert_int_equal(length, events[i].length);
        expected -= length + 1;
    }
    assert_int_equal(fgetc(file), EOF);
    assert_int_equal(expected, 0);
    fclose(file);
    free(events);
    ps_test_stage_fini(&stage);
}

/* A write fails in the middle: no part of the lease stays, and after the failure it is written once. RLIMIT_FSIZE
 * simulates a full disk. */
static void fail_and_recover(const char *serializer, bool check_text)
{
    struct ps_test_stage stage;
    ps_test_stage_start(
        &stage, &ps_sink_file_roll,
        PS_KEYS("sink.directory", folder, "sink.rollInterval", "0", "sink.serializer", serializer));
    (void)ps_test_sink_tick(&stage);
    put(&stage, "before");
    char path[256];
    struct stat facts, after;
    snprintf(path, sizeof path, "%s/1700000000000-1", folder);
    assert_int_equal(stat(path, &facts), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, kept;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    limit = kept;
    limit.rlim_cur = (rlim_t)facts.st_size + 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static char big[3000];
    memset(big, 'x', sizeof big - 1);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("first"), PS_BODY(big), PS_BODY("last"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
        assert_int_equal(lease->settled, 0);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_size, facts.st_size); /* readers see no partial line */
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 3);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    if (check_text) {
        char expected[4096];
        snprintf(expected, sizeof expected, "before\nfirst\n%s\nlast\n", big);
        assert_string_equal(content("1700000000000-1"), expected);
    } else {
        assert_int_equal(stat(path, &after), 0);
        off_t grown = after.st_size - facts.st_size; /* one block: its framing, three bodies, no duplicates */
        assert_in_range(grown, 3 + 2999 + 9, 3 + 2999 + 9 + 40);
    }
    ps_test_stage_fini(&stage);
}

static void test_disk_full_text(void **unused)
{
    fail_and_recover("text", true);
}

static void test_disk_full_avro(void **unused)
{
    fail_and_recover("avro_event", false);
}

/* The first write to a file fails twice and then succeeds: no empty file is left. */
static void test_no_room_for_the_first_bytes(void **unused)
{
    struct ps_test_stage stage;
    struct rlimit kept, none;
    ps_test_stage_start(
        &stage, &ps_sink_file_roll,
        PS_KEYS("sink.directory", folder, "sink.rollInterval", "0", "sink.serializer", "avro_event"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    signal(SIGXFSZ, SIG_IGN);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = kept.rlim_max};
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        ps_test_stage_pass_ms(&stage, 60000);
        (void)ps_test_sink_tick(&stage);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("waits"));
        (void)ps_test_sink_work(&stage, &lease);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
        assert_int_equal(file_count(), 0);
    }
    ps_test_stage_pass_ms(&stage, 60000);
    (void)ps_test_sink_tick(&stage);
    put(&stage, "kept");
    assert_int_equal(file_count(), 1);
    ps_test_stage_fini(&stage);
}

static size_t descriptor_count(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A write failed, and the rest that it left could not be cut off: that is tried twice more when the file ends. The
 * next file begins at once, and gets the lease, once. */
static void test_torn_end(void **unused)
{
    for (int failures = 0; failures <= 2; failures++) {
        struct ps_test_stage stage;
        char path[256], prefix[2] = {(char)('a' + failures), '\0'};
        ps_test_stage_start(
            &stage, &ps_sink_file_roll,
            PS_KEYS("sink.directory", folder, "sink.rollInterval", "2", "sink.pathManager.prefix", prefix));
        (void)ps_test_sink_tick(&stage);
        put(&stage, "before");
        size_t descriptors = descriptor_count();
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit, kept;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
        limit = kept;
        limit.rlim_cur = 9;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("first"), PS_BODY("last"));
        ps_test_stage_pass_ms(&stage, 1900);
        truncate_failures = 1;
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
        snprintf(path, sizeof path, "%s1700000000000-1", prefix);
        assert_string_equal(content(path), "before\nfi");
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 1);
        ps_test_stage_pass_ms(&stage, 100);
        truncate_failures = failures;
        (void)ps_test_sink_tick(&stage);
        assert_string_equal(content(path), failures == 2 ? "before\nfi" : "before\n");
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 1 + (failures > 0));
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), failures == 0);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
        snprintf(path, sizeof path, "%s1700000000000-2", prefix);
        assert_string_equal(content(path), "first\nlast\n");
        assert_int_equal(descriptor_count(), descriptors);
        ps_test_stage_fini(&stage);
    }
}

/* Bytes that could not be cut off are cut off before the next write to the same file. */
static void test_torn_and_written_again(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", folder, "sink.rollInterval", "0"));
    (void)ps_test_sink_tick(&stage);
    put(&stage, "before");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, kept;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    limit = kept;
    limit.rlim_cur = 9;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("first"), PS_BODY("last"));
    truncate_failures = 1;
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    truncate_failures = 2; /* before the write, and after it */
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_string_equal(content("1700000000000-1"), "before\nfi");
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    assert_string_equal(content("1700000000000-1"), "before\nfirst\nlast\n");
    ps_test_stage_fini(&stage);
}

/* close(2) reports a late failure (a quota, a network file system): it is counted, and the next file begins. */
static void test_close_fails(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", folder, "sink.rollInterval", "2"));
    (void)ps_test_sink_tick(&stage);
    size_t descriptors = descriptor_count();
    put(&stage, "one");
    ps_test_stage_pass_ms(&stage, 2000);
    close_fails = true;
    (void)ps_test_sink_tick(&stage);
    close_fails = false;
    put(&stage, "two");
    assert_string_equal(content("1700000000000-1"), "one\n");
    assert_string_equal(content("1700000000000-2"), "two\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionCreatedCount), 2);
    assert_int_equal(descriptor_count(), descriptors);
    ps_test_stage_fini(&stage);
}

static void test_missing_directory(void **unused)
{
    char path[256];
    snprintf(path, sizeof path, "%s/not/there", folder);
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_file_roll);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("sink.directory", path)), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, path));
    assert_non_null(strstr(stage.err.text, "create the directory"));
    ps_test_stage_fini(&stage);

    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    ps_test_stage_init(&stage, &ps_sink_file_roll);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("sink.directory", path)), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "not a directory"));
    ps_test_stage_fini(&stage);
}

/* The directory is removed while the sink runs: events wait until it exists again. */
static void test_directory_goes(void **unused)
{
    char path[256], away[256];
    snprintf(path, sizeof path, "%s/d", folder);
    snprintf(away, sizeof away, "%s/away", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", path, "sink.rollInterval", "10"));
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(rename(path, away), 0);
    ps_test_stage_pass_ms(&stage, 10000);
    (void)ps_test_sink_tick(&stage);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("waits"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_int_equal(rename(away, path), 0);
    uint64_t deadline = ps_test_sink_tick(&stage);
    assert_int_equal(deadline, stage.now.mono_ns + 3 * PS_NS_PER_S);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    ps_test_stage_pass_ms(&stage, 3000);
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    assert_string_equal(content("d/1700000000000-2"), "waits\n");
    ps_test_stage_fini(&stage);
}

/* There is no memory for an event's headers, or to compress: the lease waits, which costs it no attempt and one line, and is written
 * once. */
static void test_no_memory(void **unused)
{
    static const char *const cases[][2] = {{"header_and_text", "none"}, {"text", "zstd"}};
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        char path[256];
        snprintf(path, sizeof path, "%s/log-%zu", folder, i);
        ps_test_stage_start(&stage, &ps_sink_file_roll,
                            PS_KEYS("sink.directory", folder, "sink.serializer", cases[i][0],
                                    "penstock.compression", cases[i][1], "sink.pathManager.prefix",
                                    cases[i][1]));
        (void)ps_test_sink_tick(&stage);
        uint64_t due_ns = stage.now.mono_ns + 3 * PS_NS_PER_S;
        assert_int_equal(ps_log_open(path, NULL), PS_OK);
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("first", "k", "v"), PS_EVENT("last", "k", "w"));
        ps_test_allocation_fails = 1;
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        assert_int_equal(ps_test_allocation_fails, 0);
        assert_int_equal(lease->settled, 0);
        assert_int_equal(ps_test_sink_tick(&stage), due_ns);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
        ps_test_stage_pass_ms(&stage, 3000);
        assert_int_equal(ps_test_sink_tick(&stage), due_ns); /* now */
        assert_true(ps_test_sink_tick(&stage) > due_ns);     /* not again, if the lease was given back */
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
        assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
        const char *log = content(path + strlen(folder) + 1), *first = strstr(log, "cannot write ");
        assert_non_null(first);
        assert_non_null(strstr(first, ": no memory; lower penstock.memory.budget"));
        assert_null(strstr(first + 1, "cannot write "));
        assert_non_null(strstr(first, "writes again"));
        if (i == 0)
            assert_string_equal(content("none1700000000000-1"), "{k=v} first\n{k=w} last\n");
        ps_test_stage_fini(&stage);
    }
}

/* Another sink's file is not overwritten; Flume would overwrite it. */
static void test_taken_name(void **unused)
{
    struct ps_test_stage first, second;
    ps_test_stage_start(&first, &ps_sink_file_roll, PS_KEYS("sink.directory", folder));
    ps_test_stage_start(&second, &ps_sink_file_roll, PS_KEYS("sink.directory", folder));
    (void)ps_test_sink_tick(&first);
    (void)ps_test_sink_tick(&second);
    put(&first, "first");
    put(&second, "second");
    assert_string_equal(content("1700000000000-1"), "first\n");
    assert_string_equal(content("1700000000000-2"), "second\n");
    ps_test_stage_fini(&second);
    ps_test_stage_fini(&first);
}

static void test_bad_keys(void **unused)
{
    static const struct {
        const char *keys[6];
        const char *message;
    } cases[] = {
        {{NULL}, "sink.directory"},
        {{"sink.directory", "/tmp", "sink.pathManager", "weekly", NULL}, "weekly"},
        {{"sink.directory", "/tmp", "sink.rollInterval", "soon", NULL}, "soon"},
        {{"sink.directory", "/tmp", "sink.serializer", "nonesuch", NULL}, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_file_roll);
        assert_int_equal(ps_test_stage_bind(&stage, cases[i].keys), PS_FAIL);
        if (cases[i].message != NULL)
            assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].message));
        ps_test_stage_fini(&stage);
    }
}

/* The reason names the serializer, not the sink. */
static void test_serializer_without_a_reason(void **unused)
{
    struct ps_stage_ops silent = ps_serializer_text;
    struct ps_test_stage stage;
    silent.open = ps_test_silent_open;
    ps_test_stage_init(&stage, &ps_sink_file_roll);
    stage.sub = &silent;
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("sink.directory", folder)), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "open of serializer text failed and gave no reason"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
        IN_FOLDER(test_serializer_without_a_reason),
        IN_FOLDER(test_deleted_and_truncated),
        IN_FOLDER(test_rolls),
        IN_FOLDER(test_never_rolls),
        IN_FOLDER(test_sizes),
        IN_FOLDER(test_disk_full_text),
        IN_FOLDER(test_disk_full_avro),
        IN_FOLDER(test_no_room_for_the_first_bytes),
        IN_FOLDER(test_torn_end),
        IN_FOLDER(test_torn_and_written_again),
        IN_FOLDER(test_close_fails),
        IN_FOLDER(test_missing_directory),
        IN_FOLDER(test_directory_goes),
        IN_FOLDER(test_no_memory),
        IN_FOLDER(test_taken_name),
        IN_FOLDER(test_bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
