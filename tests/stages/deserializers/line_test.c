/* The lines that Flume's LineDeserializer makes of a file. The expected events of malformed and long lines are what
 * Flume's code gives. */
#include "stages/lib/text/charset.h"
#include "tests/support/stage.h"

#include <stdio.h>

static const char *text;
static size_t text_length;
static uint64_t cuts; /* lines that were cut in the last run */

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    if (offset >= text_length)
        return PS_INPUT_END;
    uint64_t count = text_length - offset < room ? text_length - offset : room;
    memcpy(to, text + offset, count);
    return (int64_t)count;
}

/* Reads all of the text; writes the events to `out`, each in brackets. Returns the last result. */
static enum ps_deserialized run(const char *const *keys, const char *charset_name,
                                enum ps_decode_policy policy, const char *bytes, size_t length, char *out)
{
    struct ps_test_stage stage;
    struct ps_charset charset;
    struct ps_err err;
    text = bytes;
    text_length = length;
    ps_test_stage_start(&stage, &ps_deserializer_line, keys);
    assert_int_equal(ps_charset_find(charset_name, &charset, &err), PS_OK);
    struct ps_input input = {.read = give, .charset = &charset, .policy = policy, .size = length};
    const struct ps_deserializer_ops *ops = stage.ops->deserializer;
    ops->begin(stage.plan, stage.state, &input);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    enum ps_deserialized result;
    do
        result = ops->work(stage.plan, stage.state, &input, batch, &err);
    while (result == PS_DESERIALIZED_SOME);
    cuts = input.cuts;
    char *at = out;
    for (uint32_t row = 0; row < batch->count; row++)
        at += sprintf(at, "[%.*s]", (int)batch->events[row].body_length, batch->events[row].body);
    *at = '\0';
    ps_batch_give(batch);
    ps_test_stage_fini(&stage);
    return result;
}

struct row {
    const char *limit, *in, *out_charset;
    enum ps_decode_policy policy;
    const char *bytes;
    size_t length;
    const char *events; /* NULL: the file fails */
};
#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct row rows[] = {
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("a\nb\r\n\nlast"), "[a][b\r][][last]"},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT(""), ""},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("\n"), "[]"},
    /* a line that is too long is several events; one of exactly that length has an empty one after it */
    {"4", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("abcdefghij\nabcd\nabc\nabcd"),
     "[abcd][efgh][ij][abcd][][abc][abcd]"},
    {"1", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("ab\n"), "[a][b][]"},
    {"0", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("ab\n"), "[a][b][]"},
    {"3", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("äöüß\näöü\näö\n"), "[äöü][ß][äöü][][äö]"},
    /* a pair of chars is not cut in two */
    {"3", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("ab😀cd\n"), "[ab][😀c][d]"},
    {"1", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("😀\n"), "[😀][]"},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("\xEF\xBB\xBFmark\n"), "[\xEF\xBB\xBFmark]"},
    /* malformed */
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("good\nb\xFF\n"), NULL},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_REPLACE,
     TEXT("a\xFFz\n\xE2\x82\n\xF0\x9F\x98\n\xED\xA0\x80\n\xC3\n"),
     "[a\uFFFDz][\uFFFD][\uFFFD][\uFFFD][\uFFFD]"},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_IGNORE, TEXT("a\xFFz\n\xE2\x82\n\xC0\xAF!\n"), "[az][][!]"},
    {"3", "UTF-8", "UTF-8", PS_DECODE_REPLACE, TEXT("a\xFF\xFF\xFF\xFFz\n"),
     "[a\uFFFD\uFFFD][\uFFFD\uFFFDz][]"},
    /* an incomplete character at the end of the file is dropped, as in Flume */
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("a\nb\xE2\x82"), "[a][b]"},
    {"2048", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("a\n\xE2\x82"), "[a]"},
    /* other charsets */
    {"2048", "ISO-8859-1", "UTF-8", PS_DECODE_FAIL, TEXT("\xE4\xF6\nplain\n"), "[äö][plain]"},
    {"2048", "ISO-8859-1", "ISO-8859-1", PS_DECODE_FAIL, TEXT("\xE4\xF6\n"), "[\xE4\xF6]"},
    {"2048", "UTF-8", "ISO-8859-1", PS_DECODE_FAIL, TEXT("ä€\nx\n"), "[\xE4?][x]"},
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_REPLACE, TEXT("a\x80\n"), "[a\uFFFD]"},
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_IGNORE, TEXT("a\x80z\n"), "[az]"},
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_FAIL, TEXT("a\x80\n"), NULL},
    {"2048", "windows-1252", "UTF-8", PS_DECODE_FAIL, TEXT("\x80uro\n"), "[€uro]"},
    {"2", "windows-1252", "UTF-8", PS_DECODE_FAIL, TEXT("\x80uro\nab\nc"), "[€u][ro][][ab][][c]"},
    {"2048", "UTF-16LE", "UTF-8", PS_DECODE_FAIL, TEXT("a\0\n\0\x0A\x0A\n\0b\0"), "[a][\u0A0A][b]"},
    {"2048", "UTF-16", "UTF-8", PS_DECODE_FAIL, TEXT("\xFE\xFF\0a\0\n\0b"), "[a][b]"},
    {"2048", "x-UTF-16LE-BOM", "UTF-8", PS_DECODE_FAIL, TEXT("\xFF\xFE\x61\0\n\0b\0"), "[a][b]"},
    {"2048", "x-UTF-16LE-BOM", "UTF-8", PS_DECODE_FAIL, TEXT("a\0\n\0b\0"), "[a][b]"},
    {"2048", "x-UTF-16LE-BOM", "UTF-8", PS_DECODE_FAIL, TEXT("\xFE\xFF\0a\0\n\0b"), "[a][b]"},
    {"2048", "UnicodeLittle", "UTF-8", PS_DECODE_FAIL, TEXT("\xFF\xFE\x61\0\n\0\xFF\xFE\x62\0"),
     "[a][\uFEFFb]"},
    {"2048", "X-UTF-32LE-BOM", "UTF-8", PS_DECODE_FAIL, TEXT("\xFF\xFE\0\0a\0\0\0\n\0\0\0b\0\0\0"), "[a][b]"},
    /* In a later line the byte order mark is a character. */
    {"2048", "UTF-16", "UTF-8", PS_DECODE_FAIL, TEXT("\xFE\xFF\0a\0\n\xFE\xFF\0b"),
     "[a][\xEF\xBB\xBF"
     "b]"},
    {"2048", "UTF-16", "UTF-8", PS_DECODE_FAIL,
     TEXT("\xFF\xFE"
          "a\0\n\0b\0"),
     "[a][b]"},
    {"2048", "UTF-32", "UTF-8", PS_DECODE_FAIL,
     TEXT("\xFF\xFE\0\0"
          "a\0\0\0\n\0\0\0b\0\0\0"),
     "[a][b]"},
    {"2048", "UTF-32", "UTF-8", PS_DECODE_FAIL,
     TEXT("\0\0\xFE\xFF"
          "\0\0\0a\0\0\0\n\0\1\xF6\0"),
     "[a][😀]"},
    {"2048", "UTF-32", "UTF-8", PS_DECODE_FAIL, TEXT("\0\0\0a\0\0\0\n\0\0\0b"), "[a][b]"},
    /* a line with more bytes than chars_max characters can have is also cut every chars_max characters */
    {"3", "UTF-8", "ISO-8859-1", PS_DECODE_FAIL, TEXT("äöüäöüäöüäöüäöüäöü\nä\n"),
     "[\xE4\xF6\xFC][\xE4\xF6\xFC][\xE4\xF6\xFC][\xE4\xF6\xFC][\xE4\xF6\xFC][\xE4\xF6\xFC][][\xE4]"},
    {"5", "UTF-8", "US-ASCII", PS_DECODE_REPLACE,
     TEXT("\xFF"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n"),
     "[?aaaa][aaaaa][aaaaa][aaaaa][aaaaa][aaaaa][aaaaa][aaaaa][b]"},
    {"3", "windows-1252", "UTF-8", PS_DECODE_FAIL,
     TEXT("\x80uro\x80uro\x80uro\x80uro\x80uro\x80uro\x80uro\x80uro"),
     "[€ur][o€u][ro€][uro][€ur][o€u][ro€][uro][€ur][o€u][ro]"},
    {"4", "UTF-16LE", "UTF-8", PS_DECODE_FAIL,
     TEXT("a\0b\0c\0=\xD8\0\xDE"
          "d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p\0q\0\n\0"),
     "[abc][😀de][fghi][jklm][nopq][]"},
    {"2", "US-ASCII", "UTF-8", PS_DECODE_IGNORE,
     TEXT("a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80zaaaaaaaaaaaaaaaaaaa\n"),
     "[az][aa][aa][aa][aa][aa][aa][aa][aa][aa][a]"},
    {"3", "US-ASCII", "UTF-8", PS_DECODE_FAIL,
     TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaa\x80"
          "aaaa\n"),
     NULL},
    /* the first half of a pair takes the next char along, as in Java */
    {"2048", "UTF-16BE", "UTF-8", PS_DECODE_REPLACE, TEXT("\xD8\xC6\0z\0a\xDC\xB0\0b\0\n"),
     "[\uFFFDa\uFFFDb]"},
    {"2048", "UTF-16LE", "UTF-8", PS_DECODE_REPLACE, TEXT("\xC6\xD8z\0a\0\n\0"), "[\uFFFDa]"},
    /* U+FFFD of the text itself stays where malformed bytes are left out */
    {"2048", "UTF-16BE", "UTF-8", PS_DECODE_IGNORE, TEXT("\xFF\xFD\xDC\x00\0a\0\n"), "[\uFFFDa]"},
    {"2048", "UTF-8", "UTF-16BE", PS_DECODE_IGNORE, TEXT("\uFFFD\xFF\n"), "[\xFF\xFD]"},
    /* malformed bytes shortly before the end of a file without a last newline */
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_REPLACE, TEXT("a\nab\xC2\x85,"), "[a][ab\uFFFD\uFFFD,]"},
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_IGNORE, TEXT("ab\xC2,"), "[ab,]"},
    {"2048", "US-ASCII", "UTF-8", PS_DECODE_FAIL, TEXT("ab\xC2,"), NULL},
    {"2048", "UTF-8", "ISO-8859-1", PS_DECODE_REPLACE, TEXT("ab\xFF,"), "[ab?,]"},
    {"2048", "UTF-8", "ISO-8859-1", PS_DECODE_REPLACE, TEXT("ab\xC3"), "[ab]"},
    {"1", "US-ASCII", "UTF-8", PS_DECODE_IGNORE,
     TEXT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"
          "\x80\x80\x80\x80"
          "a\n"),
     "[a][]"},
    /* U+FFFD of the file itself stays */
    {"2048", "UTF-16LE", "UTF-8", PS_DECODE_IGNORE, TEXT("a\0\xFD\xFFz\0\n\0"), "[a\uFFFDz]"},
    {"2048", "Shift_JIS", "UTF-8", PS_DECODE_FAIL, TEXT("\x93\xFA\x96\x7B\nx\n"), "[日本][x]"},
    /* a charset with escape sequences, all of whose bytes are ASCII: also where a line has more bytes than its part can have */
    {"2048", "ISO-2022-JP", "UTF-8", PS_DECODE_FAIL, TEXT("\x1B$BF|K\\8l\x1B(B\nx\n"), "[日本語][x]"},
    {"2", "ISO-2022-JP", "UTF-8", PS_DECODE_FAIL,
     TEXT("\x1B$BF|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\F|K\\\x1B(B\nx\n"),
     "[日本][日本][日本][日本][日本][日本][日本][日本][日本][日本][日本][日本][][x]"},
    /* U+FFFE is a character, as in Java */
    {"2048", "UTF-16BE", "UTF-8", PS_DECODE_FAIL, TEXT("\0a\xFF\xFE\0b\0\n"), "[a\uFFFEb]"},
    {"2048", "UTF-16LE", "UTF-8", PS_DECODE_REPLACE, TEXT("=\xD8\xFE\xFFz\0\n\0"), "[\uFFFDz]"},
    /* a decoder that holds a letter back, because an accent may follow */
    {"2048", "windows-1258", "UTF-8", PS_DECODE_FAIL, TEXT("x\xE0\n\xE0z"), "[xà][àz]"},
    {"2048", "windows-1255", "UTF-8", PS_DECODE_REPLACE, TEXT("\xE0\xFF\xE0\n"), "[א\uFFFDא]"},
    {"1", "windows-1258", "UTF-8", PS_DECODE_IGNORE,
     TEXT("\xE0"
          "bcdefghijklmnopqrstu\n"),
     "[à][b][c][d][e][f][g][h][i][j][k][l][m][n][o][p][q][r][s][t][u][]"},
    {"2", "windows-1258", "UTF-8", PS_DECODE_FAIL,
     TEXT("\xE0"
          "bcdefghijklmnopqrstuvwxyz\n"),
     "[àb][cd][ef][gh][ij][kl][mn][op][qr][st][uv][wx][yz][]"},
    {"2", "windows-1255", "UTF-8", PS_DECODE_REPLACE,
     TEXT("\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0\xE0\xFF\xE0"
          "\xE0\xFF\xE0\n"),
     "[א\uFFFD][אא][\uFFFDא][א\uFFFD][אא][\uFFFDא][א\uFFFD][אא][\uFFFDא][א\uFFFD][אא][\uFFFDא][א\uFFFD][א]"},
};

/* Counts the events; no row has a bracket in its text. */
static uint64_t count_events(const char *out)
{
    uint64_t count = 0;
    for (; (out = strchr(out, '[')) != NULL; out++)
        count++;
    return count;
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        char out[1024];
        enum ps_deserialized result =
            run(PS_KEYS("maxLineLength", row->limit, "outputCharset", row->out_charset), row->in, row->policy,
                row->bytes, row->length, out);
        if (row->events == NULL ? result != PS_DESERIALIZED_FAILED
                                : result != PS_DESERIALIZED_ALL || strcmp(out, row->events) != 0)
            fail_msg("row %zu: %d %s", i, (int)result, out);
        if (row->events == NULL)
            continue;
        uint64_t cut = cuts, events = count_events(out);
        run(PS_KEYS("maxLineLength", "2048", "outputCharset", row->out_charset), row->in, row->policy,
            row->bytes, row->length, out);
        assert_int_equal(cuts, 0);
        if (cut != events - count_events(out)) /* each cut makes one more event */
            fail_msg("row %zu: %llu lines are cut", i, (unsigned long long)cut);
    }
}

/* The text before a malformed line becomes an event; the position stays before the line. */
static void test_before_a_malformed_line(void **state)
{
    char out[64];
    static const char bytes[] = "one\ntwo\n\xFFthree\nfour\n";
    assert_int_equal(run(NULL, "UTF-8", PS_DECODE_FAIL, bytes, sizeof bytes - 1, out),
                     PS_DESERIALIZED_FAILED);
    assert_string_equal(out, "[one][two]");
}

/* The pieces of maxLineLength before malformed bytes become events, too, in any charset; a shorter rest does not. */
static void test_pieces_before_malformed_bytes(void **state)
{
    static const struct row pieces[] = {
        {"3", "UTF-8", "UTF-8", PS_DECODE_FAIL, TEXT("abcdefgh\xFFi\nj\n"), "[abc][def]"},
        {"3", "UTF-8", "ISO-8859-1", PS_DECODE_FAIL, TEXT("abcdefgh\xFFi\nj\n"), "[abc][def]"},
        {"3", "UTF-8", "ISO-8859-1", PS_DECODE_FAIL, TEXT("ab\xFF\nj\n"), ""},
        {"3", "UTF-8", "windows-1252", PS_DECODE_FAIL, TEXT("x\nabcdefghi\xFFi"), "[x][abc][def][ghi]"},
        {"3", "US-ASCII", "UTF-8", PS_DECODE_FAIL, TEXT("abcdefghi\x80"), "[abc][def][ghi]"},
        {"3", "windows-1252", "UTF-8", PS_DECODE_FAIL, TEXT("\x80uro\x81\nx\n"), "[€ur]"},
        {"3", "UTF-16BE", "UTF-8", PS_DECODE_FAIL, TEXT("\0a\0b\0c\xDC\x00\0d\0\n"), "[abc]"},
        {"3", "UTF-8", "ISO-8859-1", PS_DECODE_FAIL, TEXT("ab😀c\xFF\n"), "[ab][?c]"},
        {"3", "Shift_JIS", "UTF-8", PS_DECODE_FAIL, TEXT("abcdef\x93\n"), "[abc][def]"},
        {"3", "EUC-JP", "UTF-8", PS_DECODE_FAIL,
         TEXT("\xC6\xFC\xCB\xDC\xB8\xEC\xCA\xB8\xBB\xFA\xCE\xF3\xFF\n"), "[日本語][文字列]"},
        /* The charset has a state: without the escape sequence before them the last three characters would be decoded
         * to others. */
        {"3", "ISO-2022-JP", "UTF-8", PS_DECODE_FAIL, TEXT("\x1B$BF|K\\8lJ8;zNs\xFF\n"), ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(pieces); i++) {
        const struct row *row = &pieces[i];
        char out[1024];
        assert_int_equal(run(PS_KEYS("maxLineLength", row->limit, "outputCharset", row->out_charset), row->in,
                             row->policy, row->bytes, row->length, out),
                         PS_DESERIALIZED_FAILED);
        if (strcmp(out, row->events) != 0)
            fail_msg("row %zu: %s", i, out);
    }
}

/* Lines longer than a block, with each policy for malformed bytes. */
static void test_long_lines(void **state)
{
    static char bytes[1200 * 1024];
    static char out[2 * sizeof bytes];
    const char *const *keys = PS_KEYS("maxLineLength", "400000");
    memset(bytes, 'x', sizeof bytes);
    bytes[300000] = bytes[700001] = '\n';
    assert_int_equal(run(keys, "UTF-8", PS_DECODE_FAIL, bytes, sizeof bytes, out), PS_DESERIALIZED_ALL);
    size_t rest = sizeof bytes - 700002;
    assert_int_equal(strlen(out), 300000 + 400000 + rest + 2 * 5);
    assert_int_equal(out[0], '[');
    assert_int_equal(out[300001], ']');
    memcpy(bytes + 100000, "ä", 2);
    assert_int_equal(run(keys, "UTF-8", PS_DECODE_FAIL, bytes, sizeof bytes, out), PS_DESERIALIZED_ALL);
    assert_int_equal(out[300001], ']');
    assert_int_equal(run(keys, "windows-1252", PS_DECODE_FAIL, bytes, sizeof bytes, out),
                     PS_DESERIALIZED_ALL);
    bytes[200000] = (char)0xFF;
    assert_int_equal(run(keys, "UTF-8", PS_DECODE_REPLACE, bytes, sizeof bytes, out), PS_DESERIALIZED_ALL);
    assert_int_equal(out[300003], ']');
}

/* Some bytes of TSCII are up to four characters, each of 3 bytes in UTF-8: the text stays within its room. */
static void test_bytes_of_several_characters(void **state)
{
    struct ps_charset charset;
    struct ps_transcoder transcoder;
    struct ps_err err;
    char in[40], out[PS_CHARSET_DECODED_MAX(sizeof in) + 64];
    assert_int_equal(ps_charset_find("TSCII", &charset, &err), PS_OK);
    assert_int_equal(ps_transcoder_open(&transcoder, &charset, &err), PS_OK);
    size_t most = 0;
    for (int byte = 0x80; byte <= 0xFF; byte++) {
        size_t made, used = 0;
        bool bad;
        memset(in, byte, sizeof in);
        memset(out, '.', sizeof out);
        used = ps_transcoder_decode_part(&transcoder, in, sizeof in, PS_DECODE_REPLACE, false, UINT32_MAX,
                                         out, &made, &bad);
        assert_in_range(used, 1, sizeof in);
        assert_in_range(made, 0, PS_CHARSET_DECODED_MAX(sizeof in));
        for (size_t i = PS_CHARSET_DECODED_MAX(sizeof in); i < sizeof out; i++)
            assert_int_equal(out[i], '.');
        most = made > most ? made : most;
    }
    assert_in_range(most, 3 * sizeof in + 1, sizeof out);
    ps_transcoder_close(&transcoder);
}

static void test_keys(void **state)
{
    /* "utf 8": iconv ignores the blank, Java does not. */
    static const char *const names[] = {"no-such-charset", "utf 8", "-UTF-8", "UTF-8//IGNORE"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_deserializer_line);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("outputCharset", names[i])), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "outputCharset"));
        ps_test_stage_fini(&stage);
    }
}

/* One byte that is not ASCII, at each place of lines of many lengths: it is found wherever it is. */
static void test_one_byte_at_each_place(void **state)
{
    static const size_t lengths[] = {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 150};
    char line[200], got[400], wanted[400];
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        for (size_t at = 0; at < lengths[i]; at++) {
            memset(line, 'a', sizeof line);
            line[at] = '\xE4';
            line[lengths[i]] = '\n';
            (void)run(PS_KEYS("maxLineLength", "2048"), "ISO-8859-1", PS_DECODE_FAIL, line, lengths[i] + 1,
                      got);
            sprintf(wanted, "[%.*sä%.*s]", (int)at, line, (int)(lengths[i] - at - 1), line + at + 1);
            assert_string_equal(got, wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_byte_at_each_place),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_before_a_malformed_line),
        cmocka_unit_test(test_pieces_before_malformed_bytes),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_bytes_of_several_characters),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
