/* Sources syslogtcp and multiport_syslogtcp: messages whose length precedes them (RFC 6587, octet counting), alone and
 * between lines, cut anywhere; what only looks like one; senders that lose count; what is said of it. */
#include "core/log/log.h"
#include "tests/support/net.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_syslogtcp, ps_source_multiport_syslogtcp;

#define MESSAGE(body) "<13>2003-10-11T22:14:15Z h " body
#define HEAD_BYTES 27U /* of MESSAGE("") */

static const struct ps_stage_ops *const sources[] = {&ps_source_syslogtcp, &ps_source_multiport_syslogtcp};

static void start(struct ps_test_stage *stage, const struct ps_stage_ops *ops, const char *framing,
                  const char *event_size)
{
    ps_test_stage_start(stage, ops,
                        PS_KEYS("host", "127.0.0.1", ops == &ps_source_syslogtcp ? "port" : "ports", "0",
                                "penstock.framing", framing, "eventSize", event_size));
}

static int client(struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

/* One message of many is sent otherwise than the others: with another length, or other bytes before it. */
struct odd {
    const char *what;
    size_t number; /* which message */
    const char *before;
    int more;  /* the length that is told, less the real one */
    bool bare; /* the message has no length */
    bool lost; /* the message itself need not arrive as it was */
};

static const struct odd odds[] = {
    {.what = "an empty frame", .before = "0 "},
    {.what = "empty frames", .before = "0 0 00 "},
    {.what = "zeros before the length", .before = "000"},
    {.what = "text", .before = "hello world "},
    {.what = "a great number", .before = "123456789 ", .bare = true, .lost = true},
    {.what = "a greater number", .before = "12345678901234567890 ", .bare = true, .lost = true},
    {.what = "a length above the limit", .before = "200001 ", .bare = true, .lost = true},
    {.what = "no length", .bare = true},
    {.what = "a length one short", .more = -1, .lost = true},
    {.what = "a length two short", .more = -2, .lost = true},
    {.what = "a length one long", .more = 1},
    {.what = "a length two long", .more = 2},
    {.what = "a length 20 long", .more = 20},
    {.what = "a length of several messages", .more = 1000},
    {.what = "a length above eventSize", .more = 150000},
    {.what = "later, no length", .number = 7, .bare = true},
    {.what = "later, one short", .number = 7, .more = -1, .lost = true},
    {.what = "later, one long", .number = 7, .more = 1},
    {.what = "later, several messages", .number = 7, .more = 1000},
    {.what = "later, above eventSize", .number = 7, .more = 150000},
    {.what = "later, above the limit", .number = 7, .more = 999999, .lost = true},
};

static void test_one_odd_message(void **unused)
{
    enum { MESSAGES = 200 };
    for (size_t i = 0; i < 2 * PS_COUNT_OF(odds); i++) {
        const struct odd *odd = &odds[i / 2];
        static char text[MESSAGES * 64];
        size_t length = 0, intact = 0;
        struct ps_test_stage stage;
        start(&stage, sources[i % 2], "auto", "2500");
        for (size_t n = 0; n < MESSAGES; n++) {
            char message[64];
            int bytes = snprintf(message, sizeof message, MESSAGE("number %zu"), n);
            bool is_odd = n == odd->number;
            if (is_odd && odd->before != NULL)
                length += (size_t)sprintf(text + length, "%s", odd->before);
            if (!is_odd || !odd->bare)
                length += (size_t)sprintf(text + length, "%d ", bytes + (is_odd ? odd->more : 0));
            length += (size_t)sprintf(text + length, "%s", message);
        }
        int fd = client(&stage);
        ps_test_send(fd, text, length);
        do
            ps_test_source_wait(&stage, stage.event_count + 1, PS_TEST_PATIENCE_MS);
        while (strncmp(stage.events[stage.event_count - 1].body, "number 199", 10) != 0);
        for (size_t n = 0; n < stage.event_count; n++) {
            char expected[64];
            snprintf(expected, sizeof expected, "number %zu", intact + (odd->lost && intact >= odd->number));
            if (stage.events[n].length == strlen(expected) &&
                memcmp(stage.events[n].body, expected, stage.events[n].length) == 0 &&
                ps_test_event_header(&stage.events[n], "flume.syslog.status") == NULL)
                intact++;
        }
        if (intact != (size_t)MESSAGES - odd->lost)
            fail_msg("%s, %s: %zu messages of %d are intact", stage.ops->name, odd->what, intact, MESSAGES);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Lines that begin with a number, a blank and a priority, where the number leads into the line: nobody counts there. Each is the first
 * one once; they arrive whole, one by one or together, alone and behind a usual line. */
static void test_numbered_lines(void **unused)
{
    static const char *const lines[] = {"7 <13>foo bar",     "9 <13>foo 9 bar", "1 <13>",
                                        "12 <13>one, two 3", "7 <13>a <b> c",   "5 <13>\xC3\xA4",
                                        "3 <13>foo <13>bar"};
    enum { WAYS = 4 * PS_COUNT_OF(lines) };
    for (size_t i = 0; i < WAYS * PS_COUNT_OF(sources); i++) {
        struct ps_test_stage stage;
        char text[512] = "";
        bool together = i & 1, behind = i & 2;
        size_t count = PS_COUNT_OF(lines);
        size_t first = i % WAYS / 4;
        start(&stage, sources[i / WAYS], "auto", "2500");
        int fd = client(&stage);
        if (behind)
            ps_test_send(fd, MESSAGE("a") "\n", HEAD_BYTES + 2);
        for (size_t n = 0; n < count; n++) {
            size_t length =
                (size_t)sprintf(text + (together ? strlen(text) : 0), "%s\n", lines[(first + n) % count]);
            if (!together)
                ps_test_send(fd, text, length);
            if (!together)
                ps_test_source_wait(&stage, n + 1 + behind, PS_TEST_PATIENCE_MS);
        }
        if (together)
            ps_test_send(fd, text, strlen(text));
        ps_test_source_wait(&stage, count + behind, PS_TEST_PATIENCE_MS);
        for (size_t n = 0; n < count; n++) {
            const struct ps_test_event *event = &stage.events[n + behind];
            const char *line = lines[(first + n) % count];
            if (strlen(line) != event->length || memcmp(line, event->body, event->length) != 0)
                fail_msg("%s, together %d, behind %d: event %zu is \"%.*s\"", stage.ops->name, together,
                         behind, n, (int)event->length, event->body);
        }
        assert_int_equal(stage.event_count, count + behind);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Right frames whose text looks like lines, lengths and frames arrive as they are, whole, byte by byte, and in drawn pieces. */
static void test_any_text(void **unused)
{
    static const char *const words[] = {"\n<6>[ 0.1] usb",
                                        "\n12 <13>foo bar",
                                        "12 errors",
                                        "9 <5>",
                                        "\n",
                                        "\r\n",
                                        "28 " MESSAGE("a"),
                                        "7 <13>abc7 <13>def7 <13>ghi",
                                        "4 <1>",
                                        "64",
                                        " ",
                                        "x"};
    uint64_t seed = ps_test_seed();
    enum { CONNECTIONS = 60, FRAMES = 5 };
    for (size_t i = 0; i < CONNECTIONS; i++) {
        char text[4096] = "", bodies[FRAMES][512];
        struct ps_test_stage stage;
        size_t length = 0;
        start(&stage, sources[i % 2], "auto", "2500");
        int fd = client(&stage);
        for (size_t n = 0; n < FRAMES; n++) {
            size_t at = (size_t)snprintf(bodies[n], sizeof bodies[n], "%zu:", n);
            for (size_t count = ps_test_random(&seed) % 10; count > 0; count--)
                at += (size_t)snprintf(bodies[n] + at, sizeof bodies[n] - at, "%s",
                                       words[ps_test_random(&seed) % PS_COUNT_OF(words)]);
            snprintf(bodies[n] + at, sizeof bodies[n] - at, ".");
            length += (size_t)snprintf(text + length, sizeof text - length, "%zu " MESSAGE("%s"),
                                       HEAD_BYTES + strlen(bodies[n]), bodies[n]);
        }
        for (size_t at = 0, piece; at < length; at += piece) {
            piece = i % 3 == 0 ? length : i % 3 == 1 ? 1 : 1 + ps_test_random(&seed) % 60;
            piece = piece < length - at ? piece : length - at;
            ps_test_send(fd, text + at, piece);
            ps_test_source_work(&stage);
        }
        ps_test_source_wait(&stage, FRAMES, PS_TEST_PATIENCE_MS);
        for (size_t n = 0; n < FRAMES; n++) {
            if (stage.events[n].length != strlen(bodies[n]) ||
                memcmp(stage.events[n].body, bodies[n], stage.events[n].length) != 0)
                fail_msg("%s: event %zu of \"%s\" is \"%.*s\"", stage.ops->name, n, text,
                         (int)stage.events[n].length, stage.events[n].body);
        }
        assert_int_equal(stage.event_count, FRAMES);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Many frames of drawn lengths and lines between them, some longer than the batch, sent in drawn pieces. */
static void test_many(void **unused)
{
    static char text[400000];
    uint64_t seed = ps_test_seed();
    for (size_t s = 0; s < PS_COUNT_OF(sources); s++) {
        struct ps_test_stage stage;
        size_t length = 0, messages = 0;
        start(&stage, sources[s], "auto", "2500");
        int fd = client(&stage);
        while (length + 2600 < sizeof text) {
            char body[32];
            size_t more = ps_test_random(&seed) % (ps_test_random(&seed) % 8 == 0 ? 2400 : 60);
            size_t number = (size_t)snprintf(body, sizeof body, "%zu:", messages++);
            bool frame = ps_test_random(&seed) % 4 != 0;
            if (frame)
                length += (size_t)sprintf(text + length, "%zu ", HEAD_BYTES + number + more);
            length += (size_t)sprintf(text + length, MESSAGE("%s"), body);
            memset(text + length, frame && more % 3 == 0 ? '\n' : 'x', more);
            if (more > 0)
                text[length + more - 1] = '.';
            length += more;
            if (!frame || ps_test_random(&seed) % 8 == 0)
                text[length++] = '\n';
        }
        for (size_t at = 0, piece; at < length; at += piece) {
            piece = 1 + ps_test_random(&seed) % 3000;
            piece = piece < length - at ? piece : length - at;
            ps_test_send(fd, text + at, piece);
            ps_test_source_work(&stage);
        }
        ps_test_source_wait(&stage, messages, PS_TEST_PATIENCE_MS);
        for (size_t i = 0; i < messages; i++) {
            char expected[32];
            snprintf(expected, sizeof expected, "%zu:", i);
            assert_memory_equal(stage.events[i].body, expected, strlen(expected));
            assert_string_equal(ps_test_event_header(&stage.events[i], "host"), "h");
        }
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* A frame of the greatest length, and one byte more, 2.5 times as much, and one that is longer than a block of memory. */
static void test_long_frames(void **unused)
{
    static const struct {
        size_t limit, length;
    } cases[] = {{100, 100}, {100, 101}, {100, 250}, {300000, 300000}, {300000, 299999}, {150000, 199999}};
    static char text[310000];
    for (size_t i = 0; i < 2 * PS_COUNT_OF(cases); i++) {
        size_t limit = cases[i / 2].limit, length = cases[i / 2].length, parts = (length + limit - 1) / limit;
        struct ps_test_stage stage;
        char size[32];
        snprintf(size, sizeof size, "%zu", limit);
        start(&stage, sources[i % 2], "auto", size);
        int fd = client(&stage);
        size_t head = (size_t)sprintf(text, "%zu ", length);
        memset(text + head, 'y', length);
        memcpy(text + head, MESSAGE(""), HEAD_BYTES);
        size_t end = head + length;
        end += (size_t)sprintf(text + end, "32 " MESSAGE("after"));
        for (size_t at = 0, piece; at < end; at += piece) {
            piece = end - at < 7001 ? end - at : 7001;
            ps_test_send(fd, text + at, piece);
            ps_test_source_work(&stage);
        }
        ps_test_source_wait(&stage, parts + 1, PS_TEST_PATIENCE_MS);
        for (size_t part = 0; part < parts; part++) {
            const char *status = ps_test_event_header(&stage.events[part], "flume.syslog.status");
            size_t left = length - part * limit;
            assert_int_equal(stage.events[part].length,
                             (left < limit ? left : limit) - (part == 0 ? HEAD_BYTES : 0));
            if (parts == 1)
                assert_null(status);
            else
                assert_string_equal(status, part == 0 ? "Incomplete" : "Invalid");
        }
        assert_string_equal(stage.events[parts].body, "after");
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), parts - 1);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* A frame that its connection's end cuts is no event, and is counted. */
static void test_ends_in_a_frame(void **unused)
{
    static const char *const ends[] = {"28", "28 ", "28 <1", "28 " MESSAGE("")};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(ends); i++) {
        struct ps_test_stage stage;
        start(&stage, sources[i % 2], "auto", "2500");
        int fd = client(&stage);
        ps_test_send_text(fd, "28 " MESSAGE("a"));
        ps_test_send_text(fd, ends[i / 2]);
        close(fd);
        ps_test_await_counter(&stage, PS_COUNTER_malformed, 1);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_string_equal(stage.events[0].body, "a");
        ps_test_stage_fini(&stage);
    }
}

static unsigned occurrences(const char *text, const char *of)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, of)) != NULL; at++)
        count++;
    return count;
}

/* Each kind of mistake of a sender is said once, also over several connections, with its text. */
static void test_said_once(void **unused)
{
    char log_name[] = "/tmp/penstock_framing_XXXXXX", text[8192] = "";
    int log_fd = mkstemp(log_name);
    assert_true(log_fd >= 0);
    assert_int_equal(ps_log_open(log_name, NULL), PS_OK);
    for (size_t s = 0; s < PS_COUNT_OF(sources); s++) {
        struct ps_test_stage stage;
        start(&stage, sources[s], "auto", "100");
        for (size_t i = 0; i < 3; i++) {
            int fd = client(&stage);
            ps_test_send_text(fd,
                              "first\x1b[1m words\nmore of it\n28 " MESSAGE("a") "astray29 " MESSAGE("bb"));
            ps_test_send_text(fd,
                              "<13>2003-10-11T22:14:15Z h 0123456789012345678901234567890123456789012345678"
                              "901234567890123456789012345\n");
            ps_test_source_wait(&stage, 7 * (i + 1), PS_TEST_PATIENCE_MS);
            close(fd);
        }
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 12);
        ps_test_stage_fini(&stage);
    }
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    ssize_t length = read(log_fd, text, sizeof text - 1);
    assert_true(length > 0);
    text[length] = '\0';
    assert_int_equal(occurrences(text, "127.0.0.1 sends what is not syslog: \"first [1m words"), 2);
    assert_int_equal(occurrences(text, "sends what is not syslog"), 2);
    assert_int_equal(occurrences(text, "does not begin with its length, or with a wrong one: \"astray"), 2);
    assert_int_equal(occurrences(text, "longer than eventSize"), 2);
    assert_int_equal(occurrences(text, "penstock.framing = octet-counted takes"), 2);
    assert_null(strchr(text, '\x1b'));
    close(log_fd);
    unlink(log_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbered_lines), cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_one_odd_message),
        cmocka_unit_test(test_long_frames),    cmocka_unit_test(test_ends_in_a_frame),
        cmocka_unit_test(test_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
