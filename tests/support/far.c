#include "tests/support/far.h"

#include "bench/support/stamp.h"
#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define PATIENCE_NS (10 * PS_NS_PER_S)

static const struct ps_far_end_ops *ops_of(const char *scheme)
{
    for (size_t i = 0; ps_far_ends[i] != NULL; i++)
        if (strcmp(ps_far_ends[i]->scheme, scheme) == 0)
            return ps_far_ends[i];
    fail_msg("there is no far end %s", scheme);
    return NULL;
}

void ps_test_far_open(struct ps_test_far *far, const char *format, ...)
{
    char text[1024];
    struct ps_err err = {.length = 0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *far = (struct ps_test_far){.ended = false};
    if (ps_url_parse(&far->url, text, &err) != PS_OK)
        fail_msg("%s", err.text);
    far->ops = ops_of(far->url.scheme);
    if (far->ops->open(&far->state, &far->url, &err) != PS_OK)
        fail_msg("%s", err.text);
}

void ps_test_far_refused(const char *url_text, const char *part)
{
    struct ps_url url;
    void *state = NULL;
    struct ps_err err = {.length = 0};
    if (ps_url_parse(&url, url_text, &err) == PS_OK)
        if (ops_of(url.scheme)->open(&state, &url, &err) != PS_FAIL)
            fail_msg("%s can be opened", url_text);
    if (strstr(err.text, part) == NULL)
        fail_msg("%s: expected \"%s\" in: %s", url_text, part, err.text);
    ps_url_fini(&url);
}

static void take(void *far_, const struct ps_far_record *record)
{
    struct ps_test_far *far = far_;
    assert_true(record->stream < 1U << 20);
    assert_true(record->arrival_mono_ns > 0);
    if (far->count == far->room) {
        far->room = far->room == 0 ? 64 : 2 * far->room;
        far->records = realloc(far->records, far->room * sizeof *far->records);
        assert_non_null(far->records);
    }
    char *copy = malloc(record->length + 1);
    assert_non_null(copy);
    memcpy(copy, record->data, record->length);
    copy[record->length] = '\0';
    far->records[far->count++] = (struct ps_test_far_record){copy, record->length, record->stream};
}

static void read_once(struct ps_test_far *far, int timeout_ms)
{
    struct ps_err err = {.length = 0};
    size_t before = far->count;
    switch (far->ops->read(far->state, timeout_ms, take, far, &err)) {
    case PS_FAR_SOME:
        assert_true(far->count > before);
        break;
    case PS_FAR_IDLE:
        assert_true(far->count == before);
        break;
    case PS_FAR_END:
        far->ended = true;
        break;
    case PS_FAR_FAILED:
        fail_msg("%s", err.text);
    }
}

void ps_test_far_collect(struct ps_test_far *far, size_t count)
{
    uint64_t end_ns = ps_clock_now().mono_ns + PATIENCE_NS;
    while (!far->ended && far->count < count) {
        if (ps_clock_now().mono_ns > end_ns)
            fail_msg("%s: %zu records instead of %zu", far->url.text, far->count, count);
        read_once(far, 20);
    }
    assert_int_equal(far->count, count);
}

void ps_test_far_read(struct ps_test_far *far, int timeout_ms)
{
    read_once(far, timeout_ms);
}

void ps_test_far_expect_nothing(struct ps_test_far *far, int timeout_ms)
{
    size_t before = far->count;
    read_once(far, timeout_ms);
    assert_int_equal(far->count, before);
}

void ps_test_far_expect(const struct ps_test_far *far, size_t index, const char *text)
{
    assert_true(index < far->count);
    assert_string_equal(far->records[index].data, text);
    assert_int_equal(far->records[index].length, strlen(text));
}

void ps_test_far_expect_remark(const struct ps_test_far *far, const char *part, bool lossy)
{
    bool is_lossy = !lossy;
    const char *remark = far->ops->remark(far->state, &is_lossy);
    assert_int_equal(is_lossy, lossy);
    if (part == NULL) {
        if (remark != NULL)
            fail_msg("a remark: %s", remark);
    } else if (remark == NULL || strstr(remark, part) == NULL) {
        fail_msg("expected \"%s\" in the remark: %s", part, remark != NULL ? remark : "(none)");
    }
}

void ps_test_far_close(struct ps_test_far *far)
{
    far->ops->close(far->state);
    ps_url_fini(&far->url);
    for (size_t i = 0; i < far->count; i++)
        free(far->records[i].data);
    free(far->records);
}

/* ---- faults ---- */

#define COVERED_BYTES 100U

static char *event_make(unsigned sequence, unsigned sent, enum ps_test_wrap wrap, size_t *length)
{
    static const char *const before[] = {
        "", "<34>Oct 11 22:14:15 host app[7]: ", "{\"host\":\"h1\",\"level\":3,\"message\":\""};
    static const char *const behind[] = {"", "", "\",\"end\":true}"};
    char covered[COVERED_BYTES], *event = calloc(1, 512);
    assert_non_null(event);
    snprintf(covered, sizeof covered, " event %u of a test; what follows are letters to fill it up: abcdefgh",
             sequence);
    size_t at = strlen(before[wrap]), size = strlen(covered);
    memcpy(event, before[wrap], at);
    memcpy(event + at + PS_STAMP_BYTES, covered, size);
    ps_stamp_write(&(struct ps_stamp){.run = PS_TEST_FAULTS_RUN,
                                      .source = 5,
                                      .sequence = sequence,
                                      .due_us = UINT64_C(1763633880000000) + sequence,
                                      .covered = (uint32_t)size,
                                      .last = sequence + 1 == sent},
                   event + at);
    strcpy(event + at + PS_STAMP_BYTES + size, behind[wrap]);
    *length = strlen(event);
    return event;
}

static void write_one(struct ps_test_faults *faults, const char *event, size_t length)
{
    char *copy = calloc(1, length + 1);
    assert_non_null(copy);
    memcpy(copy, event, length);
    faults->events[faults->count] = copy;
    faults->lengths[faults->count++] = length;
}

void ps_test_faults_make(struct ps_test_faults *faults, unsigned sent, enum ps_test_wrap wrap)
{
    assert_true(sent >= 20);
    unsigned missing = sent / 7, twice = sent / 5, swapped = sent / 3, changed = sent / 2, cut = sent - 4;
    *faults = (struct ps_test_faults){.sent = sent};
    faults->events = calloc(sent + 1, sizeof *faults->events);
    faults->lengths = calloc(sent + 1, sizeof *faults->lengths);
    assert_non_null(faults->events);
    assert_non_null(faults->lengths);
    for (unsigned i = 0; i < sent; i++) {
        size_t length;
        unsigned sequence = i == swapped ? i + 1 : i == swapped + 1 ? i - 1 : i;
        char *event = event_make(sequence, sent, wrap, &length);
        char *covered = strchr(event, '~') + PS_STAMP_BYTES;
        if (i == changed)
            covered[20] ^= 1;
        if (i == cut) {
            strcpy(covered + 10, wrap == PS_TEST_WRAP_JSON ? "\"}" : "");
            length = strlen(event);
        }
        for (unsigned times = i == missing ? 0 : i == twice ? 2 : 1; times > 0; times--)
            write_one(faults, event, length);
        free(event);
    }
    assert_int_equal(faults->count, sent - PS_TEST_FAULTS_LOST + PS_TEST_FAULTS_DUPLICATED);
}

void ps_test_faults_free(struct ps_test_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        free(faults->events[i]);
    free(faults->events);
    free(faults->lengths);
}

char *ps_test_faults_lines(const struct ps_test_faults *faults, size_t *length)
{
    size_t room = 1;
    for (size_t i = 0; i < faults->count; i++)
        room += faults->lengths[i] + 1;
    char *text = malloc(room), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < faults->count; i++) {
        memcpy(at, faults->events[i], faults->lengths[i]);
        at += faults->lengths[i];
        *at++ = '\n';
    }
    *at = '\0';
    *length = (size_t)(at - text);
    return text;
}

void ps_test_faults_expect(const struct ps_test_faults *faults, const struct ps_test_far *far, bool inside)
{
    assert_int_equal(far->count, faults->count);
    for (size_t i = 0; i < faults->count; i++) {
        if (inside)
            assert_non_null(
                memmem(far->records[i].data, far->records[i].length, faults->events[i], faults->lengths[i]));
        else
            ps_test_far_expect(far, i, faults->events[i]);
    }
}
