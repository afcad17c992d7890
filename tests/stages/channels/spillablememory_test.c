/* The spillable memory channel: its keys, and what `check` and a start say of events that an earlier configuration left on its disk. */
#include "core/flow/engine_channel.h"
#include "core/probe.h"
#include "tests/stages/channels/spillablememory_support.h"

#include <sys/stat.h>
#include <unistd.h>

/* Takes and delivers a lease, whose events must be `body`; `disk`: it must come from disk. */
static void assert_takes(struct ps_test_stage *stage, const char *body, bool disk)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; (lease = OPS->take(stage->plan, 0, &stage->port, &stage->now)) == NULL; i++) {
        assert_true(i < 10000);
        rest();
    }
    assert_string_equal(body_of(stage, lease), body);
    assert_int_equal(is_of_disk(lease), disk);
    assert_int_equal(lease->count, 2);
    deliver(stage, 0, lease, stage->plan);
}

/* A transaction must not be larger than overflowCapacity, given or by default. Without a disk there is no such limit. */
static void test_largest_transaction(void **unused)
{
    static const struct {
        const char *memory, *overflow, *transaction;
        enum ps_status status;
    } cases[] = {
        {"10", "100", "100", PS_OK},      {"10", "100", "101", PS_FAIL},     {"0", "100", "101", PS_FAIL},
        {"0", "0", "100000000", PS_OK},   {"0", "0", "100000001", PS_FAIL},  {"10", "0", "100000001", PS_OK},
        {"10", "-1", "100000001", PS_OK}, {"0", "-1", "100000001", PS_FAIL},
    };
    char state[512], data[512];
    snprintf(state, sizeof state, "%s/state", ps_test_folder());
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        const char *keys[] = {"memoryCapacity",
                              cases[i].memory,
                              "overflowCapacity",
                              cases[i].overflow,
                              "transactionCapacity",
                              cases[i].transaction,
                              "checkpointDir",
                              state,
                              "dataDirs",
                              data,
                              NULL};
        ps_test_stage_init_sized(&stage, &ps_channel_spillablememory, UINT64_C(64) << 20);
        stage.context.producers = stage.context.consumers = 1;
        if (ps_test_stage_bind(&stage, keys) != cases[i].status)
            fail_msg("case %zu: %s", i, stage.err.text);
        if (cases[i].status == PS_FAIL)
            assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "overflowCapacity"));
        ps_test_stage_fini(&stage);
    }
}

static void test_without_any_capacity_the_default_counts(void **unused)
{
    const struct setting setting = {0, 0, 0, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "overflowCapacity"));
    assert_int_equal(fill_of(&stage).capacity, 100000000);
    put(&stage, 0, "a");
    assert_takes(&stage, "a", true);
    stop(&stage, &setting);
}

/* Starts the channel without a disk. Returns whether the log reports that these events stay on disk. */
static bool says_rest(const char *events)
{
    const struct setting memory_only = {4, 0, 0, 1, 1};
    struct ps_test_stage stage;
    struct ps_err err = {0};
    char path[512], line[2048], wanted[64];
    bool says = false;
    snprintf(path, sizeof path, "%s/log", ps_test_folder());
    snprintf(wanted, sizeof wanted, "%s events in %s/data", events, ps_test_folder());
    (void)unlink(path);
    assert_int_equal(ps_log_open(path, &err), PS_OK);
    start(&stage, &memory_only);
    stop(&stage, &memory_only);
    ps_log_open(NULL, NULL);
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL)
        says |= strstr(line, wanted) != NULL && strstr(line, "overflowCapacity = 0") != NULL;
    fclose(log);
    return says;
}

struct tried {
    unsigned failed, skipped;
    char text[1024];
};

static void note_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                       const char *cause, const char *cure)
{
    struct tried *tried = probe->argument;
    tried->failed += result == PS_PROBED_FAILED;
    tried->skipped += result == PS_PROBED_SKIPPED;
    assert_int_not_equal(result, PS_PROBED_REFUSED); /* the agent starts */
    snprintf(tried->text, sizeof tried->text, "%s: %s: %s; %s", key != NULL ? key : "", what, cause, cure);
}

/* The problems that `check` and a reload find in a channel without a disk. */
static struct tried probe_rest(bool is_check)
{
    const struct setting memory_only = {4, 0, 0, 1, 1};
    struct tried tried = {.failed = 0};
    const struct ps_probe probe = {
        .local = true, .files_only = is_check, .tried = note_tried, .argument = &tried};
    struct ps_test_stage stage;
    start(&stage, &memory_only);
    ps_channel_spillablememory.probe(stage.plan, &stage.context, &probe);
    stop(&stage, &memory_only);
    return tried;
}

/* `check` reports an error for a configuration that leaves events on the disk where no sink gets them. */
static void test_check_finds_what_is_left(void **unused)
{
    const struct setting setting = {0, 100, 0, 1, 1};
    struct ps_test_stage stage;
    char wanted[512], path[512], away[512];
    assert_int_equal(probe_rest(true).failed, 0); /* no directories */
    start(&stage, &setting);
    put(&stage, 0, "a");
    struct tried tried = probe_rest(true);
    assert_int_equal(tried.failed, 0);
    assert_int_equal(tried.skipped, 1); /* in use */
    stop(&stage, &setting);
    snprintf(wanted, sizeof wanted,
             "overflowCapacity: %s/data: it has 2 events of an earlier run, not delivered with "
             "overflowCapacity = 0; increase overflowCapacity until a sink has all events",
             ps_test_folder());
    for (unsigned round = 0; round < 2; round++) {
        tried = probe_rest(true);
        assert_int_equal(tried.failed, 1);
        assert_memory_equal(tried.text, wanted, strlen(wanted));
        assert_int_equal(probe_rest(false).failed, 0);
    }
    snprintf(path, sizeof path, "%s/state/state", ps_test_folder());
    snprintf(away, sizeof away, "%s/state/away", ps_test_folder());
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    tried = probe_rest(true);
    assert_int_equal(tried.failed, 1);
    assert_non_null(strstr(tried.text, "dataDirs: "));
    assert_non_null(strstr(tried.text, "/state/state is not a regular file"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(away, path), 0);
    start(&stage, &setting);
    assert_takes(&stage, "a", true);
    stop(&stage, &setting);
    tried = probe_rest(true);
    assert_int_equal(tried.failed + tried.skipped, 0);
}

/* Writes names, sizes, times and contents of all files. */
static void list_files(char *text, size_t room)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd '%s' && find . -printf '%%p %%i %%s %%m %%T@\\n' | sort && find . -type f -exec cksum {} +",
             ps_test_folder());
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    text[fread(text, 1, room - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

/* `check` opens a log as a start would, and changes nothing: neither what is there nor what a start would make or remove. */
static void test_check_changes_nothing(void **unused)
{
    const struct setting setting = {0, 100, 0, 1, 1};
    static char before[8192], after[8192];
    static const char *const removed[] = {NULL, "state/state", "state"}; /* and what lies in it */
    char state[512], data[512], command[1024];
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    stop(&stage, &setting);
    snprintf(state, sizeof state, "%s/state", ps_test_folder());
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    for (size_t i = 0; i < PS_COUNT_OF(removed); i++) {
        struct tried tried = {.failed = 0};
        const struct ps_probe probe = {
            .local = true, .files_only = true, .tried = note_tried, .argument = &tried};
        if (removed[i] != NULL) {
            snprintf(command, sizeof command, "rm -r '%s/%s'", ps_test_folder(), removed[i]);
            assert_int_equal(system(command), 0);
        }
        ps_test_stage_init_sized(&stage, &ps_channel_spillablememory, UINT64_C(64) << 20);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("memoryCapacity", "0", "overflowCapacity", "100",
                                                            "checkpointDir", state, "dataDirs", data,
                                                            "transactionCapacity", "1")),
                         PS_OK);
        list_files(before, sizeof before);
        ps_channel_spillablememory.probe(stage.plan, &stage.context, &probe);
        list_files(after, sizeof after);
        assert_string_equal(after, before);
        ps_test_stage_fini(&stage);
    }
}

/* A start without the former disk reports the events on it, and changes nothing: the next start with the disk has them. */
static void test_start_without_the_disk_of_before(void **unused)
{
    const struct setting setting = {0, 100, 0, 1, 1};
    struct ps_test_stage stage;
    assert_false(says_rest("0"));
    start(&stage, &setting);
    put(&stage, 0, "a");
    stop(&stage, &setting);
    assert_true(says_rest("2"));
    assert_true(says_rest("2"));
    start(&stage, &setting);
    assert_takes(&stage, "a", true);
    stop(&stage, &setting);
    assert_false(says_rest("0"));
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_without_any_capacity_the_default_counts),
        IN_FOLDER(test_largest_transaction),
        IN_FOLDER(test_check_finds_what_is_left),
        IN_FOLDER(test_check_changes_nothing),
        IN_FOLDER(test_start_without_the_disk_of_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
