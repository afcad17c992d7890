/* Requests as bytes: chunks and limits, cut at each byte. (Heads: tests/stages/data/http_requests.txt.) */
#include "stages/lib/http/message.h"
#include "tests/support/support.h"

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define BODY_MAX 8U

static const struct ps_http_limits limits = {.head_bytes_max = 256, .body_bytes_max = BODY_MAX};

/* Reads the first `first` bytes, then the rest, each part from different memory. */
static enum ps_http_read read_cut(struct ps_http_message *message, const struct ps_http_limits *within,
                                  const char *text, uint32_t first, uint32_t length)
{
    const uint32_t ends[] = {first, length};
    enum ps_http_read read = PS_HTTP_PART;
    ps_http_message_init(message);
    for (size_t i = 0; i < PS_COUNT_OF(ends) && read == PS_HTTP_PART; i++) {
        char *copy = malloc(ends[i] + 1U);
        assert_non_null(copy);
        memcpy(copy, text, ends[i]);
        read = ps_http_message_read(message, within, copy, ends[i]);
        free(copy);
    }
    return read;
}

/* `status` 0: the request is complete, and `body` is its content. */
static void expect(const struct ps_http_limits *within, const char *what, const char *text, size_t length,
                   unsigned status, const char *body)
{
    for (uint32_t first = 0; first <= length; first++) {
        struct ps_http_message message;
        enum ps_http_read read = read_cut(&message, within, text, first, (uint32_t)length);
        if (read != (status > 0 ? PS_HTTP_BAD : PS_HTTP_COMPLETE) || message.status != status)
            fail_msg("%s, cut at %u: %d, %u", what, first, (int)read, message.status);
        if (status > 0) {
            assert_non_null(message.reason); /* the client and the log get it */
            continue;
        }
        char content[BODY_MAX];
        assert_int_equal(message.length, length);
        assert_int_equal(message.body_length, strlen(body));
        if (message.chunked)
            ps_http_message_unchunk(&message, text, content);
        assert_memory_equal(message.chunked ? content : text + message.body_at, body, strlen(body));
    }
}

/* RFC 9112, 7.1: chunked bodies are refused if another server on the way could see a different end. */
static void test_chunk_lines(void **unused)
{
#define TEXT(bytes) (HEAD bytes), sizeof(HEAD bytes) - 1
    static const struct {
        const char *what, *text;
        size_t length;
        unsigned status;
        const char *body;
    } cases[] = {
        {"plain", TEXT("2\r\n[]\r\n0\r\n\r\n"), 0, "[]"},
        {"two chunks", TEXT("1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"), 0, "[]"},
        {"line ends in the content", TEXT("4\r\n[\r\n]\r\n1\r\n \r\n0\r\n\r\n"), 0, "[\r\n] "},
        {"zeros", TEXT("00000000000000000002\r\n[]\r\n000\r\n\r\n"), 0, "[]"},
        {"upper and lower hex", TEXT("1;A\r\n[\r\n01;a\r\n]\r\n0;a\r\n\r\n"), 0, "[]"},
        {"blank behind the size", TEXT("2 \r\n[]\r\n0\r\n\r\n"), 0, "[]"},
        {"extension", TEXT("2;a=b;c=\"d\xe9\"\r\n[]\r\n0;e\r\n\r\n"), 0, "[]"},
        {"blanks around", TEXT("2 ;\ta = b\r\n[]\r\n0\r\n\r\n"), 0, "[]"},
        {"trailer", TEXT("2\r\n[]\r\n0\r\nA: b\r\nContent-Length: 3\r\n\r\n"), 0, "[]"},
        {"lf behind the size", TEXT("2\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"lf in an extension", TEXT("2;a\nb\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"lf first in an extension", TEXT("2;\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"lf in the second one's", TEXT("1;a\r\n[\r\n1;a\n\r\n]\r\n0\r\n\r\n"), 400, NULL},
        {"lf in the last one's", TEXT("2\r\n[]\r\n0;a\n\r\n\r\n"), 400, NULL},
        {"lf behind a blank", TEXT("2 \n\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"cr in an extension", TEXT("2;a\rb\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"nul", TEXT("2;a\0b\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"control", TEXT("2;a\x1f\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"del", TEXT("2;a\x7f\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"a word behind the size", TEXT("2 a\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"a second size", TEXT("2 2\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"a word behind the last size", TEXT("2\r\n[]\r\n0 a\r\n\r\n"), 400, NULL},
        {"no size", TEXT(";a\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"plus", TEXT("+2\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"content too short", TEXT("3\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"content too long", TEXT("1\r\n[]\r\n0\r\n\r\n"), 400, NULL},
        {"lf behind the content", TEXT("2\r\n[]\n0\r\n\r\n"), 400, NULL},
        {"lf behind the last size", TEXT("2\r\n[]\r\n0\n\r\n"), 400, NULL},
        {"nul in a trailer", TEXT("2\r\n[]\r\n0\r\nA: b\0c\r\n\r\n"), 400, NULL},
        {"cr in a trailer", TEXT("2\r\n[]\r\n0\r\nA: b\rc\r\n\r\n"), 400, NULL},
        {"no lf behind the size", TEXT("2\rX[]\r\n0\r\n\r\n"), 400, NULL},
        {"no lf behind the second size", TEXT("1\r\n[\r\n1\rX]\r\n0\r\n\r\n"), 400, NULL},
        {"no lf behind the last size", TEXT("2\r\n[]\r\n0\rX\r\n"), 400, NULL},
        {"two bytes behind the content", TEXT("2\r\n[]XY0\r\n\r\n"), 400, NULL},
        {"no cr behind the content", TEXT("2\r\n[]X\n0\r\n\r\n"), 400, NULL},
        {"no lf behind the content", TEXT("2\r\n[]\rX0\r\n\r\n"), 400, NULL},
        {"no lf at the end", TEXT("2\r\n[]\r\n0\r\n\rX"), 400, NULL},
        {"no lf behind the trailer", TEXT("2\r\n[]\r\n0\r\nA: b\r\n\rX"), 400, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        expect(&limits, cases[i].what, cases[i].text, cases[i].length, cases[i].status, cases[i].body);
    static const char lines[] =
        "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n2;a\r\n[]\r\n0\r\n\r\n";
    expect(&limits, "a head with bare lf", lines, sizeof lines - 1, 0, "[]");
    static const char chunked[] =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\rX2\r\n[]\r\n0\r\n\r\n";
    expect(&limits, "chunks behind a head that does not end", chunked, sizeof chunked - 1, 400, NULL);
    static const char counted[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\rX[]";
    expect(&limits, "a body behind a head that does not end", counted, sizeof counted - 1, 400, NULL);
    static const char bare[] = "GET / HTTP/1.0\r\n\rX";
    expect(&limits, "a head without fields that does not end", bare, sizeof bare - 1, 400, NULL);
}

/* Exactly the longest body, and one byte more, which is refused before it arrives. */
static void test_longest_body(void **unused)
{
    static const struct {
        const char *what, *text;
        size_t length;
        unsigned status;
        const char *body;
    } cases[] = {
        {"a chunk", TEXT("8\r\n12345678\r\n0\r\n\r\n"), 0, "12345678"},
        {"two chunks", TEXT("3\r\n123\r\n5\r\n45678\r\n0\r\n\r\n"), 0, "12345678"},
        {"one byte more", TEXT("9\r\n"), 413, NULL},
        {"one byte more in two", TEXT("3\r\n123\r\n6\r\n"), 413, NULL},
        {"one byte more in the last", TEXT("8\r\n12345678\r\n1\r\n"), 413, NULL},
        {"32 bits and two", TEXT("100000002\r\n"), 413, NULL},
        {"beyond 64 bits", TEXT("10000000000000002\r\n"), 400, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        expect(&limits, cases[i].what, cases[i].text, cases[i].length, cases[i].status, cases[i].body);
#define LENGTH(number, content) "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " number "\r\n\r\n" content
    static const char whole[] = LENGTH("8", "12345678"), more[] = LENGTH("9", "");
    expect(&limits, "a length", whole, sizeof whole - 1, 0, "12345678");
    expect(&limits, "a length and one", more, sizeof more - 1, 413, NULL);
}

/* The marks of chunks have a limit of their own: a body of single bytes with long extensions is refused as too long, not the head. */
static void test_marks_of_chunks(void **unused)
{
    static char text[1 << 20];
    const uint32_t most = ps_http_message_bytes_max(&limits);
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "%s1;", HEAD);
    memset(text + length, 'a', sizeof text - length);
    for (uint32_t more = 0; more < 2; more++) {
        struct ps_http_message message;
        enum ps_http_read read = read_cut(&message, &limits, text, length, most - 1 + more);
        assert_int_equal(read, more == 0 ? PS_HTTP_PART : PS_HTTP_BAD);
        assert_int_equal(message.status, more == 0 ? 0 : 413);
        if (more > 0)
            assert_string_equal(message.reason, "the body is too long");
    }
    /* a head of which a part of a field is missing, one byte below the limit and at it */
    static const char field[] = "POST / HTTP/1.1\r\nHost: h\r\nA: bcd";
    for (uint32_t more = 0; more < 2; more++) {
        struct ps_http_message message;
        const struct ps_http_limits exact = {.head_bytes_max = (uint32_t)sizeof field - 1 + 1 - more,
                                             .body_bytes_max = BODY_MAX};
        enum ps_http_read read = read_cut(&message, &exact, field, 3, sizeof field - 1);
        assert_int_equal(read, more == 0 ? PS_HTTP_PART : PS_HTTP_BAD);
        if (more > 0) {
            assert_int_equal(message.status, 431);
            assert_string_equal(message.reason, "the header fields are too long");
        }
    }
    /* what was refused stays refused, and what is complete stays complete */
    struct ps_http_message message;
    static const char bad[] = "POST / HTTP/1.1\r\nA b: c\r\n\r\n", good[] = "GET / HTTP/1.0\r\n\r\nrest";
    assert_int_equal(read_cut(&message, &limits, bad, 0, sizeof bad - 1), PS_HTTP_BAD);
    assert_int_equal(ps_http_message_read(&message, &limits, bad, sizeof bad - 1), PS_HTTP_BAD);
    assert_int_equal(read_cut(&message, &limits, good, 0, sizeof good - 1), PS_HTTP_COMPLETE);
    assert_int_equal(message.length, sizeof good - 1 - 4);
    assert_int_equal(ps_http_message_read(&message, &limits, good, sizeof good - 1), PS_HTTP_COMPLETE);
    assert_int_equal(message.length, sizeof good - 1 - 4);
}

/* Exactly the longest head, and one byte more: of a field it is 431, of the target 414. */
static void test_longest_head(void **unused)
{
    static const char field[] = "POST / HTTP/1.1\r\nHost: h\r\nA: bcd\r\n\r\n", target[] = "POST /aaaaaaaaa";
    struct ps_http_limits exact = {.head_bytes_max = sizeof field - 1, .body_bytes_max = BODY_MAX};
    expect(&exact, "a head", field, sizeof field - 1, 0, "");
    exact.head_bytes_max--;
    expect(&exact, "a head and one", field, sizeof field - 1, 431, NULL);
    exact.head_bytes_max = sizeof target - 1;
    expect(&exact, "a target", target, sizeof target - 1, 414, NULL);
}

/* Blanks around the value do not belong to it, blanks in it are refused (RFC 9110, 5.5 and 7.2). */
static void test_host_blanks(void **unused)
{
#define HOST(value) "POST / HTTP/1.1\r\nHost:" value "\r\nContent-Length: 2\r\n\r\n[]"
    static const char around[] = HOST(" \th:80 \t"), inside[] = HOST(" a b"), before_port[] = HOST(" a :80");
    expect(&limits, "blanks around the host", around, sizeof around - 1, 0, "[]");
    expect(&limits, "a blank in the host", inside, sizeof inside - 1, 400, NULL);
    expect(&limits, "a blank before the port", before_port, sizeof before_port - 1, 400, NULL);
}

/* After a complete request a connection continues, or ends. A proxy of HTTP/1.0 does not know chunks: bytes that it
 * would take for the next request are not read (RFC 9112, 6.1). */
static void test_goes_on(void **unused)
{
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
#define KNOWN "Content-Length: 2\r\n\r\n[]"
    static const struct {
        const char *text;
        bool goes_on;
    } cases[] = {
        {"POST / HTTP/1.1\r\nHost: h\r\n" KNOWN, true},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKS, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" KNOWN, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" CHUNKS, false},
        {"POST / HTTP/1.0\r\n" KNOWN, false},
        {"POST / HTTP/1.0\r\n" CHUNKS, false},
        {"POST / HTTP/1.0\r\nConnection: keep-alive\r\n" KNOWN, true},
        {"POST / HTTP/1.0\r\nConnection: keep-alive\r\n" CHUNKS, false},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        uint32_t length = (uint32_t)strlen(cases[i].text);
        for (uint32_t first = 0; first <= length; first += length) {
            struct ps_http_message message;
            enum ps_http_read read = read_cut(&message, &limits, cases[i].text, first, length);
            if (read != PS_HTTP_COMPLETE || message.keep_alive != cases[i].goes_on)
                fail_msg("case %zu: read %d, status %u, goes on %d", i, (int)read, message.status,
                         message.keep_alive);
        }
    }
}

/* Each refusal has its own reason: the first one that the request gives. */
static void test_reasons(void **unused)
{
#define LINE "POST / HTTP/1.1\r\n"
#define HOST_FIELD "Host: h\r\n"
    static const struct {
        const char *text;
        unsigned status;
        const char *reason;
    } rows[] = {
        {LINE HOST_FIELD HOST_FIELD "\r\n", 400, "the request has two Host fields"},
        {LINE "Host: a b\r\n\r\n", 400, "the field Host has a blank in it, or a port that is not a number"},
        {LINE HOST_FIELD "Expect: more\r\n\r\n", 417, "Expect: only 100-continue is supported"},
        {LINE HOST_FIELD "Transfer-Encoding: gzip\r\n\r\n", 501,
         "Transfer-Encoding: only chunked is supported"},
        {LINE HOST_FIELD "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", 415,
         "the request has two Content-Encoding fields"},
        {LINE HOST_FIELD "A b: c\r\n\r\n", 400,
         "the name of a header field has a blank in it or before the colon"},
        {LINE HOST_FIELD "A: b\r\n c\r\n\r\n", 400, "a header field is folded: it goes on in a second line"},
        {LINE "A: b\r\n\r\n", 400, "the request has no Host field"},
        {LINE HOST_FIELD "Content-Length: 9\r\n\r\n", 413, "the body is too long"},
        {"MOVES / HTTP/1.1\r\n" HOST_FIELD "\r\n", 501, "the method is not known"},
        {HEAD "1\r\n[x\n1\r\n]\r\n0\r\n\r\n", 400, "a chunk is not followed by a line end"},
        {HEAD "1;\n[\r\n0\r\n\r\n", 400, "the line of a chunk is not a size and an extension"},
        {HEAD "9\r\n", 413, "the body is too long"},
        {LINE HOST_FIELD "Expect: more\r\n" HOST_FIELD "\r\n", 417, "Expect: only 100-continue is supported"},
        {LINE HOST_FIELD HOST_FIELD "Expect: more\r\n\r\n", 400, "the request has two Host fields"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_http_message message;
        uint32_t length = (uint32_t)strlen(rows[i].text);
        assert_int_equal(read_cut(&message, &limits, rows[i].text, length, length), PS_HTTP_BAD);
        if (message.status != rows[i].status || strcmp(message.reason, rows[i].reason) != 0)
            fail_msg("%s: %u, %s", rows[i].text, message.status, message.reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_lines),    cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_goes_on),        cmocka_unit_test(test_longest_body),
        cmocka_unit_test(test_longest_head),   cmocka_unit_test(test_host_blanks),
        cmocka_unit_test(test_marks_of_chunks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
