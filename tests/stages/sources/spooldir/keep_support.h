/* For tests of a source spooldir whose positions a sink keeps. The test acts as the sink: it commits the spans of delivered batches
 * as stages/lib/kafka/positions/positions.c does, or aborts, and answers the source's question with what is committed. One file of a
 * test includes it. */
#pragma once

#include "core/flow/sink_positions.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define META ".flumespool/.flumespool-main.meta"

static enum {
    COMMITS,
    ABORTS,          /* nothing is committed, and the source is not told */
    COMMITS_SILENTLY /* committed, but the process is killed before the source is told */
} sink;
static struct kept {
    char key[64], value[1024];
    bool gone;
} kept[1024];
static size_t kept_count;
static unsigned questions;
static bool other_sink;         /* the sink keeps no positions */
static char committed[1 << 20]; /* the committed bodies, each after a blank */
static size_t committed_length, committed_count;
static struct ps_test_stage stage;
static struct ps_stage_ops ops;
static struct ps_source_ops source_ops;

/* ---- the sink ---- */

static const char *owner(void)
{
    static char text[64];
    char id[32] = "";
    FILE *file = fopen(ps_test_folder_path(META ".id"), "r");
    assert_non_null(file);
    assert_int_equal(fread(id, 1, sizeof id - 1, file), 17);
    fclose(file);
    snprintf(text, sizeof text, "file/%.16s", id);
    return text;
}

static struct kept *kept_of(struct ps_slice key)
{
    size_t i = 0;
    while (i < kept_count &&
           (strlen(kept[i].key) != key.length || memcmp(kept[i].key, key.data, key.length) != 0))
        i++;
    if (i == kept_count) {
        assert_true(kept_count < PS_COUNT_OF(kept));
        kept[i].gone = false;
        snprintf(kept[kept_count++].key, sizeof kept[0].key, "%.*s", (int)key.length, key.data);
    }
    return &kept[i];
}

static void commit(const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count; i++) {
        const struct ps_span *span = &batch->spans[i];
        assert_non_null(span->name);
        questions += span->name->name.length == 0;
        if (span->name->name.length == 0 || (span->name->detail.length == 0 && span->position >= 0))
            continue;
        struct kept *record = kept_of(span->name->name);
        record->gone = span->position < 0;
        if (!record->gone)
            snprintf(record->value, sizeof record->value, "{\"pos\":%" PRId64 ",%.*s", span->position,
                     (int)span->name->detail.length - 1, span->name->detail.data + 1);
    }
    for (uint32_t row = 0; row < batch->count; row++) {
        committed_length +=
            (size_t)snprintf(committed + committed_length, sizeof committed - committed_length, " %.*s",
                             (int)batch->events[row].body_length, batch->events[row].body);
        assert_true(committed_length < sizeof committed);
        committed_count++;
    }
}

static void transaction(const void *plan, void *state, const struct ps_batch *batch, const struct ps_now *now)
{
    if (sink != ABORTS)
        commit(batch);
    if (sink == COMMITS)
        ps_source_spooldir.source->delivered(plan, state, batch, now);
}

static size_t records_left(void)
{
    size_t count = 0;
    for (size_t i = 0; i < kept_count; i++)
        count += !kept[i].gone;
    return count;
}

static void answer(void)
{
    char text[16384] = "[";
    for (size_t i = 0; i < kept_count; i++)
        if (!kept[i].gone)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", strlen(text) > 1 ? ",\n" : "",
                     kept[i].value);
    snprintf(text + strlen(text), sizeof text - strlen(text), "]\n");
    print_message("%s", text);
    ps_sink_positions_leave(owner(), text);
}

/* ---- the source ---- */

static void put(const char *name, const char *text)
{
    ps_test_folder_append(".put", text, strlen(text));
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path(name)), 0);
}

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

static void prepare(const char *const *more)
{
    const char *keys[32] = {"spoolDir", ps_test_folder(), "pollDelay", "10"};
    struct ps_err err = {.length = 0};
    for (size_t i = 4; *more != NULL; more++)
        keys[i++] = *more;
    kept_count = committed_length = committed_count = 0;
    committed[0] = '\0';
    questions = 0;
    sink = COMMITS;
    ops = ps_source_spooldir;
    source_ops = *ps_source_spooldir.source;
    source_ops.delivered = transaction;
    ops.source = &source_ops;
    ps_test_stage_init(&stage, &ops);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    assert_true(other_sink || ps_source_spooldir.source->yields_positions(stage.plan, &err));
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}
#define PREPARE(...) prepare(PS_KEYS(__VA_ARGS__))

/* SIGKILL: nothing that was read since the start is in the meta file. Then a new process, to which the sink gives what is committed. */
static void kill_and_open(void)
{
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage);
    (void)unlink(ps_test_folder_path(META));
    sink = COMMITS;
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    answer();
}

static void step(void)
{
    enum ps_result result = ps_test_source_work(&stage);
    if (stage.batch != NULL && (stage.batch->count > 0 || stage.batch->span_count > 0))
        ps_test_source_close_batch(&stage);
    ps_test_stage_pass_ms(&stage, 1);
    if (result != PS_DONE)
        usleep(1000);
}

/* Works until the condition holds; each call of `work` is a transaction. */
#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        uint64_t until_ = ps_test_patience_end_ns();                                                         \
        while (!(condition)) {                                                                               \
            if (ps_test_patient_ns() > until_)                                                               \
                fail_msg("not in time: " #condition "; committed%s", committed);                             \
            step();                                                                                          \
        }                                                                                                    \
    } while (0)

/* Works for a while, and expects that exactly these events are committed. */
static void expect(const char *events)
{
    for (unsigned i = 0; i < 50; i++)
        step();
    assert_string_equal(committed, events);
}
