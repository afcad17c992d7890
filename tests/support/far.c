#include "tests/support/far.h"

#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>

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
    if (far->ops->open(&far->state, &far->url, 0, &err) != PS_OK)
        fail_msg("%s", err.text);
}

void ps_test_far_refused_within(const char *url_text, uint64_t wait_ns, const char *part)
{
    struct ps_url url;
    void *state = NULL;
    struct ps_err err = {.length = 0};
    if (ps_url_parse(&url, url_text, &err) == PS_OK)
        if (ops_of(url.scheme)->open(&state, &url, wait_ns, &err) != PS_FAIL)
            fail_msg("%s can be opened", url_text);
    if (strstr(err.text, part) == NULL)
        fail_msg("%s: expected \"%s\" in: %s", url_text, part, err.text);
    ps_url_fini(&url);
}

void ps_test_far_refused(const char *url_text, const char *part)
{
    ps_test_far_refused_within(url_text, 0, part);
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
    uint64_t end_ns = ps_test_patience_end_ns();
    while (!far->ended && far->count < count) {
        if (ps_test_patient_ns() > end_ns)
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
