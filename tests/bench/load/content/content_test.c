/* The text of fields, the places of stamps, and errors; render_test.c tests rendering. */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/load/content/digits.h"
#include "bench/support/stamp.h"
#include "tests/support/content.h"

static void test_fields(void **state)
{
    static const struct {
        const char *template, *pattern;
    } cases[] = {
        {"{int:5}", "^5$"},
        {"{int:-7}|", "^-7\\|$"},
        {"{int:1..100,width=5}", "^00[0-9]{3}$"},
        {"{int:100..999}", "^[1-9][0-9]{2}$"},
        {"{int:123456789012..123456789999}", "^123456789[0-9]{3}$"},
        {"{int:1..123456789012345678}", "^[1-9][0-9]*$"},
        {"{float:1.25}", "^1\\.25$"},
        {"{float:-1.25..-1.25,digits=1}", "^-1\\.[23]$"},
        {"{float:-0.001,digits=2}", "^0\\.00$"},
        {"{float:7,digits=0}", "^7$"},
        {"{float:0.000000001,digits=9}", "^0\\.000000001$"},
        {"{float:normal:mean=120,sd=30}", "^[0-9]{1,3}\\.[0-9]{2}$"},
        {"{seq} {seq:width=3}", "^7 007$"},
        {"{source} {source:width=6}", "^42 000042$"},
        {"{host}", "^host-000042$"},
        {"{uuid}", "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
        {"{hex:1}", "^[0-9a-f]$"},
        {"{hex}", "^[0-9a-f]{16}$"},
        {"{hex:33}.", "^[0-9a-f]{33}\\.$"},
        {"{ip}", "^10(\\.(0|[1-9][0-9]{0,2})){3}$"},
        {"{ip:192.168.7.0/30}", "^192\\.168\\.7\\.[0-3]$"},
        {"{ip:1.2.3.4/32}", "^1\\.2\\.3\\.4$"},
        {"{words:3}", "^[a-z]+ [a-z]+ [a-z]+$"},
        {"{words:1}.{words:20}", "^[a-z]+\\.[a-z]+( [a-z]+){19}$"},
        {"{choice:GET=70,POST=20,DELETE=10}", "^(GET|POST|DELETE)$"},
        {"<{choice:,a}>", "^<a?>$"},
        {"{choice:a text that is longer than sixteen bytes}!", "^a text that is longer than sixteen bytes!$"},
        {"{choice:abc,def}{choice:x}{choice:12345,67890}{choice:1234567890,abcdefghij}{choice:a text that is "
         "as long as the other,A TEXT THAT IS AS LONG AS THE OTHER}",
         "^(abc|def)x(12345|67890)(1234567890|abcdefghij)(a text that is as long as the other|A TEXT THAT IS "
         "AS LONG AS THE OTHER)$"},
        {"{size:30}a{pad}b", "^a [a-z][a-z ]*[a-z]b$"},
        {"{size:30}{pad}{words:2}", "^[a-z][a-z ]*[a-z]$"},
        {"{size:3}", "^[a-z][a-z ][a-z]$"},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        regex_t regex;
        assert_int_equal(regcomp(&regex, cases[i].pattern, REG_EXTENDED | REG_NOSUB), 0);
        const char *text = ps_test_event_of(cases[i].template, false, PS_TEST_START_NS);
        if (regexec(&regex, text, 0, NULL, 0) != 0)
            fail_msg("%s gives `%s`", cases[i].template, text);
        regfree(&regex);
    }
}

/* The bound on an event's length is its length where all events are equally long. */
static void test_exact_lengths(void **state)
{
    static const struct {
        const char *template;
        uint32_t length;
    } cases[] = {
        {"{float:0.25,digits=2}", 4},
        {"{float:0.05,digits=2}", 4},
        {"{float:-0.25,digits=2}", 5},
        {"{float:10.25,digits=2}", 5},
        {"{float:7,digits=0}", 1},
        {"{float:0.999,digits=3}", 5},
        {"{int:-7}", 2},
        {"{int:100..999}", 3},
        {"{choice:GET,PUT}", 3},
        {"{float:0.20..0.90,digits=2}", 4},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_content_config config = {.template = cases[i].template, .framing = PS_FRAMING_NONE};
        struct ps_content *content = ps_test_content(&config);
        if (ps_content_event_bytes_max(content) != cases[i].length)
            fail_msg("%s: at most %u bytes", cases[i].template, ps_content_event_bytes_max(content));
        ps_content_destroy(content);
        assert_int_equal(strlen(ps_test_event_of(cases[i].template, false, PS_TEST_START_NS)),
                         cases[i].length);
    }
}

static void test_times(void **state)
{
    static const struct {
        uint64_t due_ns;
        const char *template, *text;
    } cases[] = {
        {PS_TEST_START_NS, "{time}", "2026-11-20T09:02:42.123Z"},
        {PS_TEST_START_NS, "{time:rfc3339_us}", "2026-11-20T09:02:42.123456Z"},
        {PS_TEST_START_NS, "{time:rfc3164}", "Nov 20 09:02:42"},
        {PS_TEST_START_NS, "{time:clf}", "20/Nov/2026:09:02:42 +0000"},
        {PS_TEST_START_NS, "{time:epoch_s} {time:epoch_ms} {time:epoch_us} {time:epoch_ns}",
         "1795165362 1795165362123 1795165362123456 1795165362123456789"},
        {PS_TEST_START_NS, "{time:%A %d. %B %Y\\, %I %p %z %Z %%}",
         "Friday 20. November 2026, 09 AM +0000 UTC %"},
        {PS_TEST_START_NS, "{time:rfc3339,zone=Europe/Berlin}", "2026-11-20T10:02:42.123+01:00"},
        {PS_TEST_START_NS, "{time:clf,zone=America/St_Johns}", "20/Nov/2026:05:32:42 -0330"},
        {PS_TEST_START_NS, "{time:%H:%M %z %Z,zone=Asia/Kolkata}", "14:32 +0530 +0530"},
        {UINT64_C(1783000000) * PS_TEST_SECOND_NS, "{time:rfc3339,zone=Europe/Berlin}",
         "2026-07-02T15:46:40.000+02:00"},
        {UINT64_C(1772323199) * PS_TEST_SECOND_NS + 999999999, "{time} {time:rfc3164}",
         "2026-02-28T23:59:59.999Z Feb 28 23:59:59"},
        {UINT64_C(1772323200) * PS_TEST_SECOND_NS, "{time} {time:rfc3164}",
         "2026-03-01T00:00:00.000Z Mar  1 00:00:00"},
        {UINT64_C(1835397900) * PS_TEST_SECOND_NS, "{time:rfc3164}", "Feb 29 00:45:00"},
        {UINT64_C(4102444799) * PS_TEST_SECOND_NS, "{time} {time:%j %a}", "2099-12-31T23:59:59.000Z 365 Thu"},
        {0, "{time} {time:epoch_ms}", "1970-01-01T00:00:00.000Z 0000000000000"},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++)
        assert_string_equal(ps_test_event_of(cases[i].template, false, cases[i].due_ns), cases[i].text);
}

/* Times are right when they go forwards and backwards across seconds, and when sources take turns. */
static void test_time_goes_on(void **state)
{
    struct ps_content_config config = {.template = "{time:epoch_ns} {time:%S} {host} {source:width=3}"};
    struct ps_content *content = ps_test_content(&config);
    struct ps_content_writer *writer = ps_content_writer_create(content);
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < 2000; i++) {
        char text[128], expected[128];
        uint32_t end;
        uint64_t due_ns = PS_TEST_START_NS + ps_test_random(&random) % (3 * PS_TEST_SECOND_NS);
        struct ps_content_order order = {(uint32_t)(ps_test_random(&random) % 3), i, UINT64_MAX, &due_ns, 1};
        assert_int_equal(ps_content_render(writer, &order, text, sizeof text - 1, &end), 1);
        text[end] = '\0';
        snprintf(expected, sizeof expected, "%llu %02u host-%06u %03u", (unsigned long long)due_ns,
                 (unsigned)(due_ns / PS_TEST_SECOND_NS % 60), order.source, order.source);
        assert_string_equal(text, expected);
    }
    ps_content_writer_destroy(writer);
    ps_content_destroy(content);
}

/* The result of a seed must not change by accident: runs are repeated from it. */
static void test_same_for_ever(void **state)
{
    assert_string_equal(
        ps_test_event_of("{int:1..1000000} {int:zipf:1..1000000,s=1.1} {float:normal:mean=120,sd=30} {uuid} "
                         "{hex:8} {ip} {choice:a,b,c,d} {words:4}",
                         false, PS_TEST_START_NS),
        "568503 5 171.71 09cf5776-49f5-4b08-911f-8fc9c681d7e1 2f5b15f3 10.68.151.119 b number custom bucket "
        "entry");
    assert_string_equal(
        ps_test_event_of("{time} {seq} {stamp} {words:2} \"end\"", true, PS_TEST_START_NS),
        "2026-11-20T09:02:42.123Z 7 ~1P6nCAAqAAAAAAHGYLGBuPLAAAgNEBRB6hKPK exceed channel \"end\"");
}

static void test_digits(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < 200000; i++) {
        char text[32], expected[32];
        uint64_t value = ps_test_random(&random) >> (ps_test_random(&random) % 64);
        if (i < 20000)
            value = i;
        else if (i % 100 < 20)
            value = ps_digit_limits[i % 20] - i % 2;
        *ps_digits_write(text, value) = '\0';
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        assert_string_equal(text, expected);
        *ps_digits_write_signed(text, (int64_t)value) = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)value);
        assert_string_equal(text, expected);
        unsigned width = 1 + i % 18;
        ps_digits_put(text, value, width);
        text[width] = '\0';
        snprintf(expected, sizeof expected, "%0*llu", (int)width,
                 (unsigned long long)(value % ps_digit_limits[width]));
        assert_string_equal(text, expected);
    }
}

/* ---- messages ---- */

static void test_errors(void **state)
{
    static const struct {
        struct ps_content_config config;
        const char *message;
    } cases[] = {
        {{.format = "rfc3146"},
         "there is no format rfc3146, did you mean rfc3164?; use rfc3164, rfc5424, combined, json, "
         "keyvalue or fixed"},
        {{.format = "xml"},
         "there is no format xml; use rfc3164, rfc5424, combined, json, keyvalue or fixed"},
        {{.format = "json", .template = "x"},
         "both a format and a template are given; give only one of them"},
        {{.format = "json", .lines = "x"},
         "both a format and lines of a file are given; give only one of them"},
        {{0}, "there is nothing to send: give a format, a template or a file of lines"},
        {{.format = "rfc3164", .stamp = true, .size_bytes = 63, .framing = PS_FRAMING_NEWLINE},
         "rfc3164: 63 bytes are asked for, and its fields need 64"},
        {{.format = "rfc3164", .stamp = true, .size_bytes = 65, .framing = PS_FRAMING_OCTET_COUNTED},
         "rfc3164: 65 bytes are asked for, and its fields need 66"},
        {{.template = "{seq} {words:2..3}", .size_bytes = 20},
         "template: 20 bytes are asked for, and its fields need from 7 to 37"},
        {{.template = "{pad}", .size_bytes = 1, .framing = PS_FRAMING_NEWLINE},
         "template: 1 bytes are asked for, but the framing alone takes as many"},
        {{.template = "{size:20}{seq} {stamp}", .stamp = true},
         "template: {size} gives at most 20 bytes, and its fields need 40"},
        {{.template = "{size:20}a", .size_bytes = 20},
         "template, column 1: {size} and --size are both given; give only one of them"},
        {{.template = "a{int:1..5}", .stamp = true},
         "template: there is no place for the stamp; write {stamp} where text is allowed, or "
         "use --no-stamp"},
        {{.template = "{stamp}"}, "template: it makes empty events; give it a size (--size BYTES)"},
        {{.template = ""}, "template: it makes empty events; give it a size (--size BYTES)"},
        {{.template = "a\nb", .framing = PS_FRAMING_NEWLINE},
         "template, column 1: a newline, but with this target a newline "
         "ends an event"},
        {{.template = "a{choice:b,c\n}", .framing = PS_FRAMING_NEWLINE},
         "template, column 2: a newline, but with this target a newline "
         "ends an event"},
        {{.template = "a{time:%n}", .framing = PS_FRAMING_NEWLINE},
         "template, column 2: a newline, but with this target a newline "
         "ends an event"},
        {{.template = "{hex:1024}{words:1000}", .size_bytes = UINT32_C(17) << 20},
         "template: 17,825,792 bytes are asked for, and the limit is 16,777,216"},
        {{.template = "{seq} and {hots}"},
         "template, column 11: there is no field {hots}; did you mean {host}?"},
        {{.template = "a", .lines = "/nonexistent/file"}, "/nonexistent/file: No such file or directory"},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_content *content;
        struct ps_err err = {0};
        if (ps_content_create(&content, &cases[i].config, &err) == PS_OK)
            fail_msg("case %u is taken", i);
        assert_string_equal(err.text, cases[i].message);
    }
}

/* ---- the stamp's place ---- */

static void test_stamp_places(void **state)
{
    static const struct {
        const char *template;
        bool stamp;
        const char *pattern;
    } cases[] = {
        {"a: {stamp} {words:2}", false, "^a: [a-z]+ [a-z]+$"},
        {"a: {stamp} {words:2}", true, "^a: ~1[A-Za-z0-9_-]{36} [a-z]+ [a-z]+$"},
        {"a: {words:2}", true, "^a: ~1[A-Za-z0-9_-]{36} [a-z]+ [a-z]+$"},
        {"{int:5} {words:2} {words:1}", true, "^5 ~1[A-Za-z0-9_-]{36} [a-z]+ [a-z]+ [a-z]+$"},
        {"{size:60}a {pad}", true, "^a ~1[A-Za-z0-9_-]{36} [a-z][a-z ]{17}[a-z]$"},
        {"a {stamp}", false, "^a$"},
        {"{stamp} a", false, "^a$"},
        {"{size:60}a", false, "^a [a-z][a-z ]+$"},
        {"{\"a\":\"{stamp}\"}", false, "^\\{\"a\":\"\"\\}$"},
    };
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        regex_t regex;
        assert_int_equal(regcomp(&regex, cases[i].pattern, REG_EXTENDED | REG_NOSUB), 0);
        const char *text = ps_test_event_of(cases[i].template, cases[i].stamp, PS_TEST_START_NS);
        if (regexec(&regex, text, 0, NULL, 0) != 0)
            fail_msg("%s gives `%s`", cases[i].template, text);
        regfree(&regex);
    }
}

/* ---- lines ---- */

static void test_lines(void **state)
{
    char path[] = "/tmp/content_test_XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "first\n\nthe second line\nthird\r\n\nlast";
    static const char *const lines[] = {"first", "the second line", "third\r", "last"};
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    for (unsigned i = 0; i < 4; i++) { /* alone, with a stamp after it, with one before it, with a size */
        struct ps_content_config config = {.lines = path,
                                           .stamp = i == 1 || i == 2,
                                           .template = i == 2 ? "{stamp} {line}" : NULL,
                                           .size_bytes = i == 3 ? 40 : 0,
                                           .framing = PS_FRAMING_NEWLINE};
        struct ps_content *content = ps_test_content(&config);
        struct ps_test_events rendered;
        ps_test_events_render(&rendered, content, 5, 3, 10, UINT64_MAX, 1);
        for (uint32_t k = 0; k < 10; k++) {
            struct ps_slice event = ps_test_unframed(ps_test_event(&rendered, k), config.framing);
            const char *line = lines[(k + 3) % 4];
            uint32_t length = (uint32_t)strlen(line);
            assert_int_equal(event.length, i == 0 ? length : i == 3 ? 39 : length + 1 + PS_STAMP_BYTES);
            assert_memory_equal(event.data + (i == 2 ? PS_STAMP_BYTES + 1 : 0), line, length);
            struct ps_stamp stamp;
            enum ps_stamp_state found = ps_stamp_find(event.data, event.length, &stamp, NULL);
            assert_int_equal(found, config.stamp ? PS_STAMP_GOOD : PS_STAMP_NONE);
            if (i == 2)
                assert_int_equal(stamp.covered, length + 1);
        }
        free(rendered.bytes);
        ps_content_destroy(content);
    }
    struct ps_content *content;
    struct ps_err err = {0};
    struct ps_content_config small = {.lines = path, .size_bytes = 10};
    assert_int_equal(ps_content_create(&content, &small, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "10 bytes are asked for, and its fields need from 4 to 15"));
    assert_non_null(strstr(err.text, "the longest line is line 3 of "));
    struct ps_content_config without = {.lines = path, .template = "{seq}"};
    assert_int_equal(ps_content_create(&content, &without, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "template: {line} is missing; write it where the lines of "));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(ps_content_create(&content, &without, &err), PS_FAIL);
    assert_non_null(strstr(err.text, ": all lines are empty"));
    unlink(path);
}

/* Fields, sequences, sources and seeds are independent: pairs are spread evenly over 100 cells. */
static void test_independence(void **state)
{
    enum { PAIRS = 100000 };
    for (unsigned what = 0; what < 4; what++) {
        uint32_t cells[100] = {0};
        struct ps_content_config config = {.template = "{int:0..9}{int:0..9}"},
                                 shifted = {.template = "{int:0..9}{int:0..9}", .seed = 1};
        struct ps_content *content = ps_test_content(&config), *other = ps_test_content(&shifted);
        for (uint32_t at = 0; at < PAIRS; at += PS_TEST_EVENTS_MAX) {
            struct ps_test_events a, b;
            ps_test_events_render(&a, content, 0, at, PS_TEST_EVENTS_MAX, UINT64_MAX, 1);
            ps_test_events_render(&b, what == 3 ? other : content, what == 2 ? 1 : 0, what == 1 ? at + 1 : at,
                                  PS_TEST_EVENTS_MAX, UINT64_MAX, 1);
            for (uint32_t i = 0; i < PS_TEST_EVENTS_MAX; i++) {
                char first = a.bytes[2 * i], second = what == 0 ? a.bytes[2 * i + 1] : b.bytes[2 * i];
                cells[(first - '0') * 10 + (second - '0')]++;
            }
            free(a.bytes);
            free(b.bytes);
        }
        double sum = 0;
        for (unsigned i = 0; i < 100; i++)
            sum += (cells[i] - PAIRS / 100.0) * (cells[i] - PAIRS / 100.0) / (PAIRS / 100.0);
        if (sum > 176) /* 99 degrees of freedom: one time in a million */
            fail_msg("pair %u: chi-square %.1f", what, sum);
        ps_content_destroy(content);
        ps_content_destroy(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),        cmocka_unit_test(test_exact_lengths),
        cmocka_unit_test(test_times),         cmocka_unit_test(test_time_goes_on),
        cmocka_unit_test(test_same_for_ever), cmocka_unit_test(test_digits),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_stamp_places),
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_independence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
