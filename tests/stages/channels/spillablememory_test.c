/* The spillable memory channel: when events begin and cease to go to disk, restarts, reloads, and the events that a stop saves. */
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

/* Puts and takes an event until the thread has recorded what was delivered: then a put makes `at_risk` grow again. */
static void await_memory(struct ps_test_stage *stage, const char *body)
{
    put(stage, 0, body); /* may go to the disk again, and is delivered at once */
    for (unsigned i = 0; OPS->engine->at_risk(stage->plan) == 0; i++) {
        assert_true(i < 1000);
        assert_takes(stage, body, true);
        rest();
        put(stage, 0, body);
    }
}

static void test_waits_then_spills(void **unused)
{
    const struct setting setting = {4, 100, 3, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    put(&stage, 0, "b");
    assert_int_equal(OPS->engine->at_risk(stage.plan), 4);
    assert_int_equal(offer(&stage, 0, "c"), PS_PUT_FULL);
    uint64_t full_ns = stage.now.mono_ns;
    assert_int_equal(OPS->tick(stage.plan, 0, &stage.port, &stage.now), full_ns + 3 * PS_NS_PER_S);
    ps_test_stage_pass_ms(&stage, 2999);
    assert_int_equal(offer(&stage, 0, "c"), PS_PUT_FULL);
    ps_test_stage_pass_ms(&stage, 1);
    assert_int_equal(offer(&stage, 0, "c"), PS_PUT_LATER);
    assert_int_equal(OPS->engine->at_risk(stage.plan), 4);
    assert_int_equal(fill_of(&stage).size, 6);
    assert_int_equal(fill_of(&stage).capacity, 104);
    /* From now on puts spill without a wait, also when memory has room. */
    assert_takes(&stage, "a", false);
    put(&stage, 0, "d");
    assert_int_equal(OPS->engine->at_risk(stage.plan), 2);
    assert_takes(&stage, "b", false);
    assert_takes(&stage, "c", true);
    assert_takes(&stage, "d", true);
    /* All events are delivered: the channel uses memory again, which has room, so the next overflow waits first. */
    await_memory(&stage, "e");
    put(&stage, 0, "f");
    assert_int_equal(OPS->engine->at_risk(stage.plan), 4);
    assert_int_equal(offer(&stage, 0, "g"), PS_PUT_FULL);
    assert_takes(&stage, "e", false);
    assert_takes(&stage, "f", false);
    stop(&stage, &setting);
}

/* Memory was full, had room, and is full again much later: the second wait is as long as the first one. */
static void test_waits_again(void **unused)
{
    const struct setting setting = {2, 100, 3, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(offer(&stage, 0, "b"), PS_PUT_FULL);
        ps_test_stage_pass_ms(&stage, 2999);
        assert_int_equal(offer(&stage, 0, "b"), PS_PUT_FULL);
        assert_takes(&stage, "a", false);
        put(&stage, 0, "a");
        assert_int_equal(OPS->engine->at_risk(stage.plan), 2);
        ps_test_stage_pass_ms(&stage, 10000);
    }
    assert_takes(&stage, "a", false);
    stop(&stage, &setting);
}

static void test_optional_does_not_wait(void **unused)
{
    const struct setting setting = {2, 100, 3, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    struct ps_lease *lease = lease_of(&stage, "b");
    lease->required = false;
    assert_int_equal(OPS->put(stage.plan, 0, &lease, &stage.now), PS_PUT_LATER);
    assert_takes(&stage, "a", false);
    assert_takes(&stage, "b", true);
    stop(&stage, &setting);
}

/* A stop finds no disk to save to, by configuration or because it cannot be opened: `strip` returns the events in
 * memory, so that the agent counts them. */
static void test_save_without_a_disk(void **unused)
{
    const struct setting setting = {4, 0, 0, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    put(&stage, 0, "b");
    OPS->engine->save(stage.plan);
    struct ps_lease *list = OPS->engine->strip(stage.plan);
    assert_non_null(list);
    assert_string_equal(body_of(&stage, list), "a");
    assert_int_equal(list->settled, 0);
    assert_non_null(list->next);
    assert_string_equal(body_of(&stage, list->next), "b");
    assert_null(list->next->next);
    ps_test_stage_fini(&stage);
}

/* `save` is called again after a lease has come: `strip` returns what neither call could save. */
static void test_save_twice_without_a_disk(void **unused)
{
    const struct setting setting = {4, 0, 0, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    OPS->engine->save(stage.plan);
    put(&stage, 0, "b");
    OPS->engine->save(stage.plan);
    OPS->engine->save(stage.plan);
    struct ps_lease *list = OPS->engine->strip(stage.plan);
    assert_non_null(list);
    assert_string_equal(body_of(&stage, list), "a");
    assert_non_null(list->next);
    assert_string_equal(body_of(&stage, list->next), "b");
    assert_null(list->next->next);
    ps_test_stage_fini(&stage);
}

/* A lease that goes to disk is promised when it is released, which is after the sync. */
static void test_spilled_comes_home_synced(void **unused)
{
    const struct setting setting = {2, 2, 0, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    struct ps_lease *lease = lease_of(&stage, "b"), *offered = lease;
    lease->refusable = true;
    assert_int_equal(OPS->put(stage.plan, 0, &offered, &stage.now), PS_PUT_LATER);
    for (unsigned i = 0; stage.home_count == 0; i++) {
        assert_true(i < 10000);
        rest();
        OPS->tick(stage.plan, 0, &stage.port, &stage.now);
    }
    assert_ptr_equal(stage.home[0], lease);
    assert_false(lease->failed);
    assert_true(lease->refusable);
    offered = lease_of(&stage, "c");
    assert_int_equal(OPS->put(stage.plan, 0, &offered, &stage.now), PS_PUT_FULL);
    assert_takes(&stage, "a", false);
    assert_takes(&stage, "b", true);
    stop(&stage, &setting);
}

/* Leases from memory and disk that are given back newest first are taken again in order. */
static void test_rollback_across(void **unused)
{
    const struct setting setting = {4, 100, 0, 1, 1};
    static const char *const bodies[] = {"a", "b", "c", "d", "e"};
    struct ps_test_stage stage;
    struct ps_lease *taken[4];
    start(&stage, &setting);
    for (size_t i = 0; i < 5; i++)
        put(&stage, 0, bodies[i]);
    for (size_t i = 0; i < 4; i++) {
        for (unsigned k = 0;
             (taken[i] = OPS->take(stage.plan, 0, &stage.port, &stage.now)) == NULL && k < 10000; k++)
            rest();
    }
    assert_int_equal(fill_of(&stage).size, 2);
    for (size_t i = 4; i-- > 0;)
        OPS->untake(stage.plan, 0, &taken[i]);
    assert_int_equal(fill_of(&stage).size, 10);
    for (size_t i = 0; i < 5; i++)
        assert_takes(&stage, bodies[i], i >= 2);
    stop(&stage, &setting);
}

/* After a restart the events of the disk come first, then those that a stop saved; nothing is lost or duplicated. */
static void test_stop_saves(void **unused)
{
    const struct setting setting = {4, 100, 0, 1, 1};
    static const char *const bodies[] = {"a", "b", "c", "d"};
    struct ps_test_stage stage;
    start(&stage, &setting);
    for (size_t i = 0; i < 4; i++)
        put(&stage, 0, bodies[i]);
    assert_takes(&stage, "a", false);
    leave(&stage, 0, stage.plan);
    OPS->engine->save(stage.plan);
    stop(&stage, &setting);
    start(&stage, &setting);
    put(&stage, 0, "later");
    assert_int_equal(OPS->engine->at_risk(stage.plan), 0);
    assert_takes(&stage, "c", true);
    assert_takes(&stage, "d", true);
    assert_takes(&stage, "b", true);
    assert_takes(&stage, "later", true);
    stop(&stage, &setting);
}

/* A replayable source reads again what was not delivered: saving it would duplicate it. */
static void test_save_leaves_what_is_read_again(void **unused)
{
    const struct setting setting = {4, 100, 0, 1, 1};
    struct ps_test_stage stage;
    start(&stage, &setting);
    put(&stage, 0, "a");
    struct ps_lease *lease = lease_of(&stage, "b"), *offered = lease;
    assert_true(ps_batch_span(lease->batch, 1, 1, 7, NULL));
    ps_batch_home(lease->batch)->unreported = true;
    assert_int_equal(OPS->put(stage.plan, 0, &offered, &stage.now), PS_PUT_OK);
    OPS->engine->save(stage.plan);
    unsigned settled = 0, left = 0, saved_events = 0;
    for (struct ps_lease *at = OPS->engine->strip(stage.plan); at != NULL; at = at->next) {
        settled += at->settled == at->count;
        saved_events += at->settled;
        left += at == lease && at->settled == 0;
    }
    assert_int_equal(settled, 1);
    assert_int_equal(left, 1);
    struct ps_fill fill;
    OPS->fill(stage.plan, &fill);
    assert_int_equal(fill.size, saved_events); /* events that stay on disk */
    ps_test_stage_fini(&stage);
}

/* After a reload the events from memory are older than the events on disk, and stay before them. */
static void test_restored_comes_first(void **unused)
{
    const struct setting setting = {4, 100, 0, 1, 1};
    static const char *const bodies[] = {"a", "b", "c", "d"};
    struct ps_test_stage from, to;
    start(&from, &setting);
    for (size_t i = 0; i < 4; i++)
        put(&from, 0, bodies[i]);
    leave(&from, 0, from.plan);
    struct ps_lease *keep = NULL, **end = &keep;
    for (struct ps_lease *lease = OPS->engine->strip(from.plan), *next; lease != NULL; lease = next) {
        next = lease->next;
        lease->next = NULL;
        if (lease->settled == lease->count)
            continue;
        *end = lease;
        end = &lease->next;
    }
    start(&to, &setting);
    OPS->engine->restore(to.plan, keep);
    put(&to, 0, "later");
    for (size_t i = 0; i < 4; i++)
        assert_takes(&to, bodies[i], i >= 2);
    assert_takes(&to, "later", true);
    stop(&to, &setting);
    ps_test_stage_fini(&from);
}

/* Few events are left on disk, and memory is empty: puts of required channels pause once a second, for at most 50
 * ms. Puts of optional channels do not. */
static void test_pauses_until_the_disk_is_empty(void **unused)
{
    const struct setting setting = {20, 100, 0, 1, 1};
    static const char *const bodies[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    struct ps_test_stage stage;
    start(&stage, &setting);
    for (size_t i = 0; i < 11; i++)
        put(&stage, 0, bodies[i]);
    assert_int_equal(offer(&stage, 0, "11"), PS_PUT_LATER); /* memory is not empty */
    for (size_t i = 0; i < 10; i++)
        assert_takes(&stage, bodies[i], false);
    uint64_t begun_ns = stage.now.mono_ns;
    struct ps_lease *optional = lease_of(&stage, "12");
    optional->required = false;
    assert_int_equal(OPS->put(stage.plan, 0, &optional, &stage.now), PS_PUT_LATER);
    assert_int_equal(offer(&stage, 0, "13"), PS_PUT_FULL);
    assert_int_equal(OPS->tick(stage.plan, 0, &stage.port, &stage.now), begun_ns + PS_NS_PER_MS);
    ps_test_stage_pass_ms(&stage, 49);
    assert_int_equal(offer(&stage, 0, "13"), PS_PUT_FULL);
    ps_test_stage_pass_ms(&stage, 1);
    assert_int_equal(offer(&stage, 0, "13"), PS_PUT_LATER);
    assert_int_equal(OPS->engine->at_risk(stage.plan), 0);
    ps_test_stage_pass_ms(&stage, 950);
    assert_int_equal(offer(&stage, 0, "14"), PS_PUT_FULL);
    assert_takes(&stage, "10", true);
    assert_takes(&stage, "11", true);
    assert_takes(&stage, "12", true);
    assert_takes(&stage, "13", true);
    for (unsigned i = 0; offer(&stage, 0, "14") == PS_PUT_FULL; i++) { /* during the pause */
        assert_true(i < 10000);
        rest();
    }
    assert_int_equal(OPS->engine->at_risk(stage.plan), 2);
    assert_takes(&stage, "14", false);
    stop(&stage, &setting);
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
        IN_FOLDER(test_waits_then_spills),
        IN_FOLDER(test_waits_again),
        IN_FOLDER(test_save_without_a_disk),
        IN_FOLDER(test_save_twice_without_a_disk),
        IN_FOLDER(test_optional_does_not_wait),
        IN_FOLDER(test_spilled_comes_home_synced),
        IN_FOLDER(test_rollback_across),
        IN_FOLDER(test_stop_saves),
        IN_FOLDER(test_save_leaves_what_is_read_again),
        IN_FOLDER(test_restored_comes_first),
        IN_FOLDER(test_pauses_until_the_disk_is_empty),
        IN_FOLDER(test_without_any_capacity_the_default_counts),
        IN_FOLDER(test_largest_transaction),
        IN_FOLDER(test_check_finds_what_is_left),
        IN_FOLDER(test_check_changes_nothing),
        IN_FOLDER(test_start_without_the_disk_of_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
