/* Sources netcat, syslogtcp and multiport_syslogtcp: lines of the greatest length, of one character more and one less, and
 * several that are too long, sent in two parts, split at each byte. The events and answers do not depend on the split. */
#include "stages/lib/stream/stream.h"
#include "tests/support/net.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT 12U
#define TOO_LONG "FAILED: Event exceeds the maximum length (12 chars, including newline)\n"
#define EVENTS_MAX 32U
#define TEXT_BYTES_MAX 512U

static struct ps_test_stage stage;

static int client(void)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
}

/* The events and answers of a text. */
struct outcome {
    char bodies[EVENTS_MAX][64];
    unsigned count;
    char answers[TEXT_BYTES_MAX];
    bool closed;
};

static void expect(const char *what, size_t cut, const struct outcome *got, const struct outcome *wanted)
{
    for (unsigned i = 0; i < got->count && i < wanted->count; i++) {
        if (strcmp(got->bodies[i], wanted->bodies[i]) != 0)
            fail_msg("%s cut at %zu: event %u is \"%s\", wanted is \"%s\"", what, cut, i, got->bodies[i],
                     wanted->bodies[i]);
    }
    if (got->count != wanted->count)
        fail_msg("%s cut at %zu: %u events, wanted are %u", what, cut, got->count, wanted->count);
    if (strcmp(got->answers, wanted->answers) != 0 || got->closed != wanted->closed)
        fail_msg("%s cut at %zu: \"%s\", closed %d; wanted is \"%s\", %d", what, cut, got->answers,
                 got->closed, wanted->answers, wanted->closed);
}

static void take_events(struct outcome *outcome)
{
    if (stage.batch != NULL && stage.batch->count > 0)
        ps_test_source_close_batch(&stage);
    for (size_t i = 0; i < stage.event_count; i++) {
        assert_true(outcome->count < EVENTS_MAX && stage.events[i].length < sizeof outcome->bodies[0]);
        memcpy(outcome->bodies[outcome->count], stage.events[i].body, stage.events[i].length);
        outcome->bodies[outcome->count++][stage.events[i].length] = '\0';
    }
    ps_test_source_clear(&stage);
}

static void await_no_client(void)
{
    for (unsigned i = 0; ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) > 0; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        (void)ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 100);
        usleep(100);
    }
}

/* ---- netcat ---- */

struct encoding {
    const char *name;
    unsigned unit;    /* bytes of an ASCII character */
    const char *wide; /* the character for '~' in a text */
    size_t wide_bytes;
    size_t mark_bytes; /* length of the byte order mark before the first answer */
};

static size_t encode(const struct encoding *encoding, const char *text, char *to)
{
    size_t length = 0;
    for (; *text != '\0'; text++) {
        if (*text == '~') {
            memcpy(to + length, encoding->wide, encoding->wide_bytes);
            length += encoding->wide_bytes;
            continue;
        }
        memset(to + length, 0, encoding->unit);
        to[length + encoding->unit - 1] = *text;
        length += encoding->unit;
    }
    return length;
}

/* By Flume's rule: a line has fewer characters than max-line-length, and the first longer one ends the connection. */
static void model_netcat(const char *text, struct outcome *outcome)
{
    *outcome = (struct outcome){.count = 0};
    for (;;) {
        size_t length = strcspn(text, "\n");
        if (length >= LIMIT) {
            strcat(outcome->answers, TOO_LONG);
            outcome->closed = true;
            return;
        }
        if (text[length] == '\0')
            return;
        char *to = outcome->bodies[outcome->count++];
        for (size_t i = 0; i < length; i++)
            to = text[i] == '~' ? stpcpy(to, "é") : stpncpy(to, text + i, 1);
        *to = '\0';
        strcat(outcome->answers, "OK\n");
        text += length + 1;
    }
}

static void narrow(char *text, size_t length, unsigned unit)
{
    for (size_t i = 0; i < length / unit; i++)
        text[i] = text[unit * i + unit - 1];
    text[length / unit] = '\0';
}

static void check_netcat(const struct encoding *encoding, const char *text, bool acks)
{
    struct outcome wanted;
    char bytes[TEXT_BYTES_MAX];
    size_t length = encode(encoding, text, bytes);
    model_netcat(text, &wanted);
    if (!acks)
        memmove(wanted.answers, wanted.answers + 3 * wanted.count, sizeof wanted.answers - 3 * wanted.count);
    size_t answers = strlen(wanted.answers) * encoding->unit;
    size_t mark = answers > 0 ? encoding->mark_bytes : 0;
    for (size_t cut = 0; cut <= length; cut++) {
        struct outcome got = {.closed = false};
        int fd = client();
        ps_test_send(fd, bytes, cut);
        for (unsigned i = 0; i < 3; i++)
            (void)ps_test_source_work(&stage);
        (void)!send(fd, bytes + cut, length - cut, MSG_NOSIGNAL); /* it may be closed already */
        ps_test_source_wait(&stage, wanted.count, PS_TEST_PATIENCE_MS);
        char *came = ps_test_receive(&stage, fd, mark + answers + wanted.closed,
                                     PS_TEST_PATIENCE_MS * (answers > 0), &got.closed);
        assert_memory_equal(came, "\xFE\xFF", mark);
        memcpy(got.answers, came + mark, answers);
        narrow(got.answers, answers, encoding->unit);
        close(fd);
        await_no_client();
        take_events(&got);
        expect(text, cut, &got, &wanted);
    }
}

static void test_netcat(void **unused)
{
    static const struct encoding encodings[] = {{"UTF-8", 1, "é", 2, 0},
                                                {"ISO-8859-1", 1, "\xE9", 1, 0},
                                                {"UTF-16BE", 2, "\0\xE9", 2, 0},
                                                {"UTF-16", 2, "\0\xE9", 2, 2}};
    static const char *const texts[] = {
        "a\n0123456789\n01234567890\n\n01234567890\n", /* 10 and 11 characters */
        "ok\n012345678901\nnot read\n",                /* 12 */
        "01234567890\nok\n0123456789012\n",            /* 13 */
        "one\n01234567890123456789",                   /* without a line end */
        "~~~~~~~~~~~\n~0123456789\n~~~~~~~~~~~~\n",    /* the limit counts characters, not bytes */
        "\n\n\n01234567890\n01234567890\n012345678901\n",
    };
    for (size_t i = 0; i < PS_COUNT_OF(encodings); i++) {
        for (unsigned acks = 0; acks < 2; acks++) {
            ps_test_stage_start(&stage, &ps_source_netcat,
                                PS_KEYS("bind", "127.0.0.1", "port", "0", "max-line-length", "12", "encoding",
                                        encodings[i].name, "ack-every-event", acks ? "true" : "false"));
            for (size_t k = 0; k < PS_COUNT_OF(texts); k++) {
                bool ends = texts[k][strlen(texts[k]) - 1] == '\n';
                /* In UTF-16 the model does not hold for an unfinished line: the source counts its bytes. */
                if (encodings[i].unit == 1 || ends)
                    check_netcat(&encodings[i], texts[k], acks);
            }
            assert_int_equal(((struct ps_stream *)stage.state)->slab.held_bytes, 0);
            ps_test_stage_fini(&stage);
        }
    }
}

/* ---- syslog ---- */

/* The source cuts a line at `limit` bytes, reads its rest as the next one, and drops empty ones. */
static void model_syslog(const char *text, size_t limit, struct outcome *outcome)
{
    *outcome = (struct outcome){.count = 0};
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool is_cut = length >= limit;
        if (is_cut)
            length = limit;
        else if (text[length] == '\0')
            return;
        if (length > 0)
            snprintf(outcome->bodies[outcome->count++], sizeof outcome->bodies[0], "%.*s", (int)length, text);
        text += length + !is_cut;
    }
}

static void check_syslog(const struct ps_stage_ops *source, const char *port_key)
{
    static const char *const texts[] = {
        "a\n0123456789\n01234567890\n\n01234567890\n",
        "ok\n012345678901\nnext\n",
        "ok\n0123456789012\n012345678901234567890123456789\n",
        "012345678901012345678901\n0123456789010123456789010\n",
        "\n\n0123456789\nrest",
        "ok\n012345678901rest",
    };
    ps_test_stage_start(&stage, source, PS_KEYS("host", "127.0.0.1", port_key, "0", "eventSize", "12"));
    for (size_t k = 0; k < PS_COUNT_OF(texts); k++) {
        size_t length = strlen(texts[k]);
        struct outcome wanted;
        model_syslog(texts[k], LIMIT, &wanted);
        for (size_t cut = 0; cut <= length; cut++) {
            struct outcome got = {.closed = false};
            int fd = client();
            ps_test_send(fd, texts[k], cut);
            for (unsigned i = 0; i < 3; i++)
                (void)ps_test_source_work(&stage);
            ps_test_send(fd, texts[k] + cut, length - cut);
            ps_test_source_wait(&stage, wanted.count, PS_TEST_PATIENCE_MS);
            close(fd);
            await_no_client();
            take_events(&got);
            expect(texts[k], cut, &got, &wanted);
        }
    }
    assert_int_equal(((struct ps_stream *)stage.state)->slab.held_bytes, 0);
    ps_test_stage_fini(&stage);
}

static void test_syslogtcp(void **unused)
{
    check_syslog(&ps_source_syslogtcp, "port");
}

static void test_multiport(void **unused)
{
    check_syslog(&ps_source_multiport_syslogtcp, "ports");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_netcat), cmocka_unit_test(test_syslogtcp),
                                       cmocka_unit_test(test_multiport)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
