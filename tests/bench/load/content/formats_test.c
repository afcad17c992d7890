/* The output of each format has the right syntax: it is parsed by Flume's two syslog parsers, a JSON parser and the pattern
 * of an access log, and each parser finds the fields of the event. */
#include <jansson.h>
#include <regex.h>
#include <stdio.h>

#include "bench/support/stamp.h"
#include "tests/support/content.h"
#include "tests/support/syslog.h"

#define NOW_MS INT64_C(1795165362859)
#define EVENTS 200U

static const uint32_t sizes[] = {0, 64, 81, 120, 256, 700};

struct sample {
    struct ps_content *content;
    struct ps_test_events events;
    struct ps_content_config config;
};

/* Returns false when the size is too small for the format. */
static bool sample_make(struct sample *sample, const char *format, uint32_t size_bytes, bool stamp)
{
    sample->config = (struct ps_content_config){.format = format,
                                                .size_bytes = size_bytes,
                                                .stamp = stamp,
                                                .run = 5,
                                                .seed = 3,
                                                .framing = PS_FRAMING_NEWLINE};
    if (ps_content_create(&sample->content, &sample->config, NULL) != PS_OK)
        return false;
    ps_test_events_render(&sample->events, sample->content, 17, 0, EVENTS, EVENTS - 1, 10000019);
    return true;
}

static void sample_free(struct sample *sample)
{
    free(sample->events.bytes);
    ps_content_destroy(sample->content);
}

static void stamp_check(const struct sample *sample, const char *text, size_t length, uint32_t i)
{
    struct ps_stamp stamp;
    enum ps_stamp_state found = ps_stamp_find(text, length, &stamp, NULL);
    assert_int_equal(found, sample->config.stamp ? PS_STAMP_GOOD : PS_STAMP_NONE);
    if (!sample->config.stamp)
        return;
    assert_int_equal(stamp.sequence, i);
    assert_int_equal(stamp.source, 17);
    assert_int_equal(stamp.due_us, sample->events.due_ns[i] / 1000);
}

/* ---- syslog ---- */

/* Copies the value of a header out of the text that ps_test_syslog_run makes. */
static void header_get(const char *line, const char *name, char *value, size_t room)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%s=", name);
    const char *at = strstr(line, wanted);
    if (at == NULL)
        fail_msg("no %s in %s", name, line);
    at += strlen(wanted);
    size_t length = strcspn(at, " ");
    assert_in_range(length, 1, room - 1);
    memcpy(value, at, length);
    value[length] = '\0';
}

static void syslog_check(const struct sample *sample, const char *mode, bool new, uint32_t i)
{
    const struct ps_test_syslog how = {
        .mode = mode, .zone = "UTC", .now_ms = NOW_MS, .keep_fields = "none", .size_max = 2500};
    struct ps_slice event = ps_test_event(&sample->events, i);
    char *line = ps_test_syslog_run(&how, NULL, event.data, event.length), value[64];
    uint64_t due_ms = sample->events.due_ns[i] / 1000000;
    assert_null(strstr(line, "flume.syslog.status"));
    header_get(line, "host", value, sizeof value);
    if (strcmp(value, "host-000017") != 0)
        assert_string_equal(value, "h"); /* the short form */
    header_get(line, "Facility", value, sizeof value);
    assert_non_null(strpbrk(value, "0123456789"));
    header_get(line, "timestamp", value, sizeof value);
    /* the parser guesses the year of a stamp without one, and the fraction is missing */
    assert_int_equal(strtoull(value, NULL, 10), new ? due_ms : due_ms / 1000 * 1000);
    const char *body = strstr(line, "| ");
    assert_non_null(body);
    stamp_check(sample, body + 2, strcspn(body + 2, "\n"), i);
    assert_null(strchr(strchr(line, '\n') + 1, '\n')); /* one event */
    free(line);
}

static void syslog_all(const char *format, bool new)
{
    static const char *const modes[] = {"single", "udp", "multi"};
    unsigned checked = 0;
    for (unsigned i = 0; i < PS_COUNT_OF(sizes) * 2; i++) {
        struct sample sample;
        if (!sample_make(&sample, format, sizes[i / 2], i % 2 == 0))
            continue;
        for (uint32_t k = 0; k < EVENTS; k += 7)
            syslog_check(&sample, modes[k % 3], new, k);
        checked++;
        sample_free(&sample);
    }
    assert_in_range(checked, 9, 12);
}

static void test_rfc3164(void **state)
{
    syslog_all("rfc3164", false);
}

static void test_rfc5424(void **state)
{
    syslog_all("rfc5424", true);
}

#define EVENT_ROOM 1024

/* Event `k` as terminated text, which the regex must match. Returns its length. */
static size_t event_matches(const struct sample *sample, uint32_t k, const regex_t *regex, regmatch_t *groups,
                            size_t group_count, char text[EVENT_ROOM])
{
    struct ps_slice event = ps_test_event(&sample->events, k);
    assert_in_range(event.length, 1, EVENT_ROOM - 1);
    memcpy(text, event.data, event.length);
    text[event.length] = '\0';
    if (regexec(regex, text, group_count, groups, 0) != 0)
        fail_msg("%s", text);
    return event.length;
}

/* RFC 5424 6: the header to the letter, and structured data of RFC 5424 6.3. */
static void test_rfc5424_grammar(void **state)
{
    regex_t regex;
    const char *pattern = "^<[0-9]{1,3}>1 [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                          "[!-~]{1,255} [!-~]{1,48} (-|[0-9]{1,128}) (-|ID[0-9]{2}) "
                          "(-|\\[[a-z]+@[0-9]+( [a-z]+=\"[^\"\\]*\")*\\])( [ -~]*)?\n$";
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    for (unsigned i = 0; i < PS_COUNT_OF(sizes) * 2; i++) {
        struct sample sample;
        if (!sample_make(&sample, "rfc5424", sizes[i / 2], i % 2 == 0))
            continue;
        for (uint32_t k = 0; k < EVENTS; k++) {
            char text[EVENT_ROOM];
            event_matches(&sample, k, &regex, NULL, 0, text);
        }
        sample_free(&sample);
    }
    regfree(&regex);
}

/* ---- access log ---- */

/* Apache's "combined": %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i". */
static void test_combined(void **state)
{
    regex_t regex;
    regmatch_t groups[10];
    const char *pattern =
        "^([0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+) - (-|[a-z]+) \\[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} "
        "[+][0-9]{4})\\] "
        "\"([A-Z]+) (/[^ \"]*) HTTP/1\\.1\" ([0-9]{3}) ([0-9]+) \"([^\"]*)\" \"([^\"]*)\"\n$";
    unsigned checked = 0;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
    for (unsigned i = 0; i < PS_COUNT_OF(sizes) * 2; i++) {
        struct sample sample;
        if (!sample_make(&sample, "combined", sizes[i / 2], i % 2 == 0))
            continue;
        for (uint32_t k = 0; k < EVENTS; k++) {
            char text[EVENT_ROOM];
            event_matches(&sample, k, &regex, groups, PS_COUNT_OF(groups), text);
            /* log analysers keep only the last string, so the covered text is within it */
            stamp_check(&sample, text + groups[9].rm_so, (size_t)(groups[9].rm_eo - groups[9].rm_so), k);
        }
        checked++;
        sample_free(&sample);
    }
    assert_in_range(checked, 6, 12);
    regfree(&regex);
}

/* ---- JSON ---- */

static void json_check(const struct sample *sample, uint32_t i)
{
    struct ps_slice event = ps_test_event(&sample->events, i);
    json_error_t error;
    json_t *json = json_loadb(event.data, event.length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        fail_msg("%s: %.*s", error.text, (int)event.length, event.data);
    const char *message = json_string_value(json_object_get(json, "message"));
    assert_non_null(message);
    stamp_check(sample, message, strlen(message), i);
    if (json_object_get(json, "seq") != NULL) {
        assert_int_equal(json_integer_value(json_object_get(json, "seq")), i);
        assert_string_equal(json_string_value(json_object_get(json, "host")), "host-000017");
        assert_true(json_is_real(json_object_get(json, "latency_ms")));
        assert_int_equal(strlen(json_string_value(json_object_get(json, "trace"))), 16);
    }
    /* written again with its members in another order: the stamp is still good */
    char *again = json_dumps(json, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_INDENT(2));
    stamp_check(sample, again, strlen(again), i);
    free(again);
    json_decref(json);
}

static void test_json(void **state)
{
    unsigned checked = 0;
    for (unsigned i = 0; i < PS_COUNT_OF(sizes) * 2; i++) {
        struct sample sample;
        if (!sample_make(&sample, "json", sizes[i / 2], i % 2 == 0))
            continue;
        for (uint32_t k = 0; k < EVENTS; k++)
            json_check(&sample, k);
        checked++;
        sample_free(&sample);
    }
    assert_in_range(checked, 8, 12);
}

/* ---- key=value ---- */

/* Pairs separated by blanks; only the last is quoted. */
static void test_keyvalue(void **state)
{
    regex_t regex;
    unsigned checked = 0;
    assert_int_equal(
        regcomp(&regex, "^([a-z]+=[^ =\"]+ )*[a-z]+=(\"[^\"]*\"|[^\"]*)\n$", REG_EXTENDED | REG_NOSUB), 0);
    for (unsigned i = 0; i < PS_COUNT_OF(sizes) * 2; i++) {
        struct sample sample;
        if (!sample_make(&sample, "keyvalue", sizes[i / 2], i % 2 == 0))
            continue;
        for (uint32_t k = 0; k < EVENTS; k++) {
            char text[EVENT_ROOM];
            size_t length = event_matches(&sample, k, &regex, NULL, 0, text);
            stamp_check(&sample, text, length, k);
        }
        checked++;
        sample_free(&sample);
    }
    assert_int_equal(checked, 12);
    regfree(&regex);
}

/* The table shows what --help prints. */
static void test_table(void **state)
{
    unsigned count = 0;
    for (; ps_content_formats[count].name != NULL; count++) {
        const struct ps_content_format *format = &ps_content_formats[count];
        assert_true(strlen(format->summary) > 10);
        assert_non_null(strstr(format->template, "{stamp}"));
        for (unsigned i = 0; i < PS_COUNT_OF(format->sized) && format->sized[i] != NULL; i++)
            assert_non_null(strstr(format->sized[i], "{pad}"));
    }
    assert_int_equal(count, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3164),
        cmocka_unit_test(test_rfc5424),
        cmocka_unit_test(test_rfc5424_grammar),
        cmocka_unit_test(test_combined),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_keyvalue),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
