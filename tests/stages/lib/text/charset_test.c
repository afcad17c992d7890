/* Character sets: Java's names, byte order marks, and texts in random pieces with each policy, compared with a table of characters. */
#include "stages/lib/text/charset.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct ps_charset charset_of(const char *name)
{
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_charset_find(name, &charset, &err), PS_OK);
    return charset;
}

/* ---- names ---- */

static void test_names(void **unused)
{
    static const struct {
        const char *name;
        enum ps_charset_kind kind;
        unsigned unit;
        bool little, has_state;
    } rows[] = {
        {"UTF-8", PS_CHARSET_UTF8, 1, false, false},
        {"utf8", PS_CHARSET_UTF8, 1, false, false},
        {"unicode-1-1-UTF-8", PS_CHARSET_UTF8, 1, false, false},
        {"us-ascii", PS_CHARSET_ASCII, 1, false, false},
        {"ASCII", PS_CHARSET_ASCII, 1, false, false},
        {"ISO646-US", PS_CHARSET_ASCII, 1, false, false},
        {"ANSI_X3.4-1968", PS_CHARSET_ASCII, 1, false, false},
        {"ISO-8859-1", PS_CHARSET_LATIN1, 1, false, false},
        {"ISO8859_1", PS_CHARSET_LATIN1, 1, false, false},
        {"iso8859-1", PS_CHARSET_LATIN1, 1, false, false},
        {"ISO_8859-1", PS_CHARSET_LATIN1, 1, false, false},
        {"Latin1", PS_CHARSET_LATIN1, 1, false, false},
        {"L1", PS_CHARSET_LATIN1, 1, false, false},
        {"UTF-16", PS_CHARSET_UTF16, 2, false, false},
        {"utf_16", PS_CHARSET_UTF16, 2, false, false},
        {"UTF16", PS_CHARSET_UTF16, 2, false, false},
        {"Unicode", PS_CHARSET_UTF16, 2, false, false},
        {"UTF-32", PS_CHARSET_UTF32, 4, false, false},
        {"UTF_32", PS_CHARSET_UTF32, 4, false, false},
        {"UTF32", PS_CHARSET_UTF32, 4, false, false},
        {"x-UTF-16LE-BOM", PS_CHARSET_UTF16LE_BOM, 2, true, false},
        {"UnicodeLittle", PS_CHARSET_UTF16LE_BOM, 2, true, false},
        {"UTF_32LE_BOM", PS_CHARSET_UTF32LE_BOM, 4, true, false},
        {"UTF-16LE", PS_CHARSET_OTHER, 2, true, false},
        {"UTF-16BE", PS_CHARSET_OTHER, 2, false, false},
        {"utf-32le", PS_CHARSET_OTHER, 4, true, false},
        {"UTF-32BE", PS_CHARSET_OTHER, 4, false, false},
        {"windows-31j", PS_CHARSET_OTHER, 1, false, false},
        {"MS932", PS_CHARSET_OTHER, 1, false, false},
        {"MS936", PS_CHARSET_OTHER, 1, false, false},
        {"MS949", PS_CHARSET_OTHER, 1, false, false},
        {"x-windows-949", PS_CHARSET_OTHER, 1, false, false},
        {"EUC_JP", PS_CHARSET_OTHER, 1, false, false},
        {"EUC_KR", PS_CHARSET_OTHER, 1, false, false},
        {"KOI8_R", PS_CHARSET_OTHER, 1, false, false},
        {"SJIS", PS_CHARSET_OTHER, 1, false, false},
        {"ISO8859_15", PS_CHARSET_OTHER, 1, false, false},
        {"iso8859_2", PS_CHARSET_OTHER, 1, false, false},
        {"windows-1252", PS_CHARSET_OTHER, 1, false, false},
        {"ISO-2022-JP", PS_CHARSET_OTHER, 1, false, true},
        {"iso-2022-kr", PS_CHARSET_OTHER, 1, false, true},
        {"UTF-7", PS_CHARSET_OTHER, 1, false, true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_charset charset = charset_of(rows[i].name);
        if (charset.kind != rows[i].kind || charset.unit != rows[i].unit ||
            charset.little != rows[i].little || charset.has_state != rows[i].has_state)
            fail_msg("%s is kind %d, of %u bytes, little %d, with a state %d", rows[i].name,
                     (int)charset.kind, charset.unit, charset.little, charset.has_state);
        assert_int_equal(ps_charset_is_marked(&charset),
                         rows[i].kind != PS_CHARSET_OTHER && rows[i].unit > 1);
    }
    static const char *const wrong[] = {
        "",
        "UTF-9",
        "UTF-16 LE",
        "UTF-16//TRANSLIT",
        ".UTF-16",
        "_8859",
        "an-x-that-is-much-longer-than-any-name-of-a-character-set-that-there-is-in-iconv"};
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        struct ps_charset charset;
        struct ps_err err = {.length = 0};
        char text[256];
        snprintf(text, sizeof text, "\"%s\" is not a known character set (iconv -l lists them)", wrong[i]);
        assert_int_equal(ps_charset_find(wrong[i], &charset, &err), PS_FAIL);
        assert_string_equal(err.text, text);
    }
}

/* The names that only Java knows: the C library has no such character set. */
static const char refused[] =
    " CESU-8 JIS_X0212-1990 x-IBM1006 x-IBM1098 x-IBM300 x-IBM834 x-IBM948 x-IBM964 "
    "x-ISCII91 "
    "x-JIS0208 x-JISAutoDetect x-MacArabic x-MacCroatian x-MacDingbat x-MacGreek x-MacHebrew x-MacIceland "
    "x-MacRomania x-MacSymbol x-MacThai x-MacTurkish x-windows-50221 ";
/* Those whose characters the C library maps otherwise in places: text of theirs is only decoded, not compared. */
static const char differ[] = " Big5 x-Big5-Solaris x-IBM950 x-MS932_0213 ";

static bool is_in(const char *list, const char *name)
{
    char word[64];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(list, word) != NULL;
}

/* Each name in capitals, in small letters and as Java writes it is the same character set. */
static void expect_names(char *names, bool known)
{
    char *save, *first = strtok_r(names, " ", &save);
    struct ps_charset one, other;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_charset_find(first, &one, &err), known ? PS_OK : PS_FAIL);
    for (char *name = first; name != NULL; name = strtok_r(NULL, " ", &save)) {
        for (int form = 0; form < 3; form++) {
            for (char *at = name; form > 0 && *at != '\0'; at++)
                *at = (char)(form == 1 ? toupper((unsigned char)*at) : tolower((unsigned char)*at));
            if ((ps_charset_find(name, &other, &err) == PS_OK) != known)
                fail_msg("%s: %s", name, err.text);
            if (known && (one.kind != other.kind || one.unit != other.unit ||
                          strcmp(one.iconv_name, other.iconv_name) != 0))
                fail_msg("%s is another character set than its first name", name);
        }
    }
}

static void expect_text(const char *name, const char *hex, const char *wanted)
{
    static char bytes[1024], text[PS_CHARSET_DECODED_MAX(sizeof bytes)];
    struct ps_charset charset = charset_of(name);
    struct ps_transcoder transcoder;
    struct ps_err err = {.length = 0};
    size_t length = strlen(hex) / 2, used;
    assert_int_equal(ps_transcoder_open(&transcoder, &charset, &err), PS_OK);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&bytes[i]), 1);
    bool good = ps_transcoder_decode(&transcoder, bytes, length, false, false, text, &used);
    if (!good || used != strlen(wanted) || memcmp(text, wanted, used) != 0)
        fail_msg("%s: \"%.*s\" instead of \"%s\"", name, (int)used, text, wanted);
    ps_transcoder_close(&transcoder);
}

/* Java's own table: names, aliases, and a text of each. */
static void test_java(void **unused)
{
    char line[4096];
    size_t rows = 0;
    FILE *file = fopen(ps_test_source_path("tests/stages/data/java_charsets.txt"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *save, *names = strtok_r(line, "\t\n", &save), *hex = strtok_r(NULL, "\t\n", &save), name[64];
        const char *text = strtok_r(NULL, "\t\n", &save);
        if (*line == '#')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(names, " "), names);
        bool known = !is_in(refused, name);
        expect_names(names, known);
        if (known && text != NULL && !is_in(differ, name))
            expect_text(name, hex, text);
        rows++;
    }
    fclose(file);
    assert_true(rows > 170);
}

static void test_marks(void **unused)
{
    static const struct {
        const char *name, *bytes;
        size_t length;
        uint32_t mark;
        bool little;
    } rows[] = {
        {"UTF-16", "\xFE\xFF", 2, 2, false},
        {"UTF-16", "\xFF\xFE", 2, 2, true},
        {"UTF-16", "\xFE\xFF", 1, 0, false},
        {"UTF-16", "\xFF\xFE", 1, 0, false},
        {"UTF-16", "\xFF\xFF", 2, 0, false},
        {"UTF-16", "\xFE\xFE", 2, 0, false},
        {"UTF-16", "\xFF\xFE\0\0", 4, 2, true},
        {"UTF-16LE", "\xFF\xFE", 2, 0, false},
        {"UTF-32", "\0\0\xFE\xFF", 4, 4, false},
        {"UTF-32", "\xFF\xFE\0\0", 4, 4, true},
        {"UTF-32", "\xFF\xFE\0\0", 3, 0, false},
        {"UTF-32", "\xFF\xFE\0\1", 4, 0, false},
        {"UTF-32", "\xFE\xFF\0\0", 4, 0, false},
        {"UTF-8", "\xEF\xBB\xBF", 3, 0, false},
        {"ISO-8859-1", "\xFF\xFE", 2, 0, false},
        {"UTF-16", "", 0, 0, false},
        {"x-UTF-16LE-BOM", "\xFF\xFE", 2, 2, true},
        {"x-UTF-16LE-BOM", "\xFE\xFF", 2, 2, false},
        {"x-UTF-16LE-BOM", "a", 2, 0, true},
        {"x-UTF-16LE-BOM", "", 0, 0, true},
        {"X-UTF-32LE-BOM", "\xFF\xFE\0\0", 4, 4, true},
        {"X-UTF-32LE-BOM", "\0\0\xFE\xFF", 4, 0, true},
        {"X-UTF-32LE-BOM", "a\0\0", 4, 0, true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_charset charset = charset_of(rows[i].name);
        bool little = !rows[i].little;
        char *exact = ps_test_exact_copy(rows[i].bytes, rows[i].length);
        if (ps_charset_mark(&charset, exact, rows[i].length, &little) != rows[i].mark ||
            little != rows[i].little)
            fail_msg("row %zu", i);
        free(exact);
    }
}

/* ---- texts ---- */

/* Pieces of a text in a charset, and in UTF-8; NULL there: malformed. */
struct piece {
    const char *bytes;
    size_t length;
    const char *text;
};
#define PIECE(bytes, text)                                                                                   \
    {                                                                                                        \
        (bytes), sizeof(bytes) - 1, (text)                                                                   \
    }

static const struct piece ascii[] = {PIECE("a", "a"), PIECE("\n", "\n"), PIECE("\x7F", "\x7F"),
                                     PIECE("\x80", NULL), PIECE("\xFF", NULL)};
static const struct piece latin1[] = {PIECE("a", "a"), PIECE("\x80", "\xC2\x80"), PIECE("\xBF", "\u00BF"),
                                      PIECE("\xC0", "\u00C0"), PIECE("\xFF", "\u00FF")};
static const struct piece utf16_be[] = {
    PIECE("\0a", "a"),
    PIECE("\xFF\xFD", "\uFFFD"),
    PIECE("\xFE\xFF", "\uFEFF"),
    PIECE("\x20\xAC", "\u20AC"),
    PIECE("\xD8\x3D\xDE\x00", "\U0001F600"),
    PIECE("\xDC\x00", NULL),
    PIECE("\xD8\x00\0b", NULL), /* the unit in place of the second half is malformed, too */
};
static const struct piece utf16_le[] = {PIECE("a\0", "a"), PIECE("\xAC\x20", "\u20AC"),
                                        PIECE("\x3D\xD8\x00\xDE", "\U0001F600"), PIECE("\x00\xDC", NULL),
                                        PIECE("\x00\xD8z\0", NULL)};
static const struct piece utf32[] = {PIECE("\0\0\0a", "a"), PIECE("\0\1\xF6\0", "\U0001F600"),
                                     PIECE("\0\x10\xFF\xFF", "\U0010FFFF"), PIECE("\0\x11\0\0", NULL),
                                     PIECE("\0\0\xD8\0", NULL)};
static const struct piece cp1252[] = {PIECE("a", "a"), PIECE("\x80", "\u20AC"), PIECE("\xFF", "\u00FF"),
                                      PIECE("\x81", NULL)};
static const struct {
    const char *name;
    const struct piece *pieces;
    size_t count;
} tables[] = {{"US-ASCII", ascii, PS_COUNT_OF(ascii)},       {"ISO-8859-1", latin1, PS_COUNT_OF(latin1)},
              {"UTF-16BE", utf16_be, PS_COUNT_OF(utf16_be)}, {"UTF-16LE", utf16_le, PS_COUNT_OF(utf16_le)},
              {"UTF-32BE", utf32, PS_COUNT_OF(utf32)},       {"windows-1252", cp1252, PS_COUNT_OF(cp1252)}};

#define PIECES 12U

static uint32_t chars_of(const char *text)
{
    return text == NULL ? 1 : (uint8_t)text[0] >= 0xF0 ? 2 : 1;
}

/* Computes the part of the pieces from *at on that has chars_max chars: its text, and its bytes. Stops at a malformed
 * piece with FAIL. */
static void model_part(const struct piece *const *pieces, size_t count, size_t *at,
                       enum ps_decode_policy policy, uint32_t chars_max, char *text, size_t *bytes, bool *bad)
{
    uint32_t chars = 0;
    *bytes = 0;
    *bad = false;
    text[0] = '\0';
    for (; *at < count && chars < chars_max; (*at)++) {
        const struct piece *piece = pieces[*at];
        *bad = piece->text == NULL && policy == PS_DECODE_FAIL;
        uint32_t more = piece->text == NULL && policy == PS_DECODE_IGNORE ? 0 : chars_of(piece->text);
        if (*bad || (piece->text != NULL && chars > 0 && chars + more > chars_max))
            return;
        strcat(text, piece->text != NULL ? piece->text : policy == PS_DECODE_REPLACE ? "\uFFFD" : "");
        *bytes += piece->length;
        chars += more;
    }
}

static void decode_parts(struct ps_transcoder *transcoder, const struct piece *const *pieces, size_t count,
                         const char *text, size_t length, enum ps_decode_policy policy)
{
    for (size_t at = 0, piece = 0; at < length;) {
        char wanted[64 * PIECES], out[64 * PIECES];
        uint32_t chars_max = 1 + (uint32_t)draw(5);
        size_t bytes, made;
        bool bad, is_bad;
        model_part(pieces, count, &piece, policy, chars_max, wanted, &bytes, &bad);
        char *exact = ps_test_exact_copy(text + at, length - at);
        size_t used = ps_transcoder_decode_part(transcoder, exact, length - at, policy, false, chars_max, out,
                                                &made, &is_bad);
        free(exact);
        if (used != bytes || is_bad != bad || made != strlen(wanted) || memcmp(out, wanted, made) != 0)
            fail_msg(
                "%s at most %u chars, policy %d: %zu bytes give %.*s, bad %d; and not %zu bytes %s, bad %d",
                transcoder->charset->iconv_name, chars_max, (int)policy, used, (int)made, out, is_bad, bytes,
                wanted, bad);
        if (bad)
            return;
        at += used;
    }
}

/* A text with lenient and strict decoding, and in parts. */
static void decode_all(struct ps_transcoder *transcoder, const struct piece *const *pieces, size_t count)
{
    char text[8 * PIECES], wanted[8 * PIECES] = "", good[8 * PIECES] = "", out[64 * PIECES];
    size_t length = 0, used = 0;
    bool malformed = false;
    for (size_t i = 0; i < count; i++) {
        memcpy(text + length, pieces[i]->bytes, pieces[i]->length);
        length += pieces[i]->length;
        strcat(wanted, pieces[i]->text != NULL ? pieces[i]->text : "\uFFFD");
        malformed |= pieces[i]->text == NULL;
    }
    char *exact = ps_test_exact_copy(text, length);
    assert_true(ps_transcoder_decode_on(transcoder, exact, length, true, false, out, &used));
    if (used != strlen(wanted) || memcmp(out, wanted, used) != 0)
        fail_msg("%s: %.*s, and not %s", transcoder->charset->iconv_name, (int)used, out, wanted);
    assert_int_equal(ps_transcoder_decode_on(transcoder, exact, length, false, false, out, &used),
                     !malformed);
    assert_true(ps_transcoder_decode_on(transcoder, exact, length, true, false, out,
                                        &used)); /* what failed leaves nothing */
    assert_memory_equal(out, wanted, used);
    if (!malformed) {
        ps_transcoder_encode(transcoder, wanted, strlen(wanted), good, &used);
        assert_int_equal(used, length);
        assert_memory_equal(good, text, length);
    }
    free(exact);
    decode_parts(transcoder, pieces, count, text, length, PS_DECODE_REPLACE);
    decode_parts(transcoder, pieces, count, text, length, PS_DECODE_IGNORE);
    decode_parts(transcoder, pieces, count, text, length, PS_DECODE_FAIL);
}

static void test_texts(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(tables); i++) {
        struct ps_charset charset = charset_of(tables[i].name);
        struct ps_transcoder transcoder;
        assert_int_equal(ps_transcoder_open(&transcoder, &charset, NULL), PS_OK);
        for (unsigned round = 0; round < 1500; round++) {
            const struct piece *pieces[PIECES];
            size_t count = draw(PIECES);
            for (size_t k = 0; k < count; k++)
                pieces[k] = &tables[i].pieces[draw(tables[i].count)];
            decode_all(&transcoder, pieces, count);
        }
        ps_transcoder_close(&transcoder);
    }
}

/* A mark gives the byte order, of this text only; without one the caller does. */
static void test_marked(void **unused)
{
    struct ps_charset charset = charset_of("UTF-16");
    struct ps_transcoder transcoder;
    char out[PS_CHARSET_DECODED_MAX(8)];
    size_t used;
    assert_int_equal(ps_transcoder_open(&transcoder, &charset, NULL), PS_OK);
    static const struct {
        const char *bytes;
        bool little;
        const char *text;
    } rows[] = {{"\xFF\xFE"
                 "a\0",
                 false, "a"},
                {"\xFE\xFF\0a", true, "a"},
                {"\0a\0b", false, "ab"},
                {"a\0b\0", true, "ab"},
                {"\0a\xFE\xFF", false, "a\uFEFF"}};
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        size_t row = i % PS_COUNT_OF(rows);
        assert_true(
            ps_transcoder_decode(&transcoder, rows[row].bytes, 4, false, rows[row].little, out, &used));
        assert_int_equal(used, strlen(rows[row].text));
        assert_memory_equal(out, rows[row].text, used);
    }
    assert_true(ps_transcoder_decode_on(&transcoder, "\xFE\xFF\0a", 4, false, false, out, &used));
    assert_int_equal(used, 4); /* not the first text: the mark is a character */
    ps_transcoder_close(&transcoder);
}

/* Java's little-endian charsets with a mark: the mark is no text, and need not be there. As Java decodes these bytes. */
static void test_little_marked(void **unused)
{
    static const struct {
        const char *name, *bytes;
        size_t length;
        const char *text;
    } rows[] = {{"x-UTF-16LE-BOM", "\xFF\xFE\x61\0", 4, "a"},
                {"x-UTF-16LE-BOM", "\xFE\xFF\0a", 4, "a"},
                {"x-UTF-16LE-BOM", "a\0b\0", 4, "ab"},
                {"x-UTF-16LE-BOM", "\xFF\xFE\xFF\xFE\x61\0", 6, "\uFEFFa"},
                {"X-UTF-32LE-BOM", "\xFF\xFE\0\0a\0\0", 8, "a"},
                {"X-UTF-32LE-BOM", "a\0\0\0b\0\0", 8, "ab"},
                {"X-UTF-32LE-BOM", "\0\0\xFE\xFF\x61\0\0", 8, "\uFFFDa"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_charset charset = charset_of(rows[i].name);
        struct ps_transcoder transcoder;
        char out[PS_CHARSET_DECODED_MAX(8)];
        size_t used;
        assert_int_equal(ps_transcoder_open(&transcoder, &charset, NULL), PS_OK);
        assert_true(
            ps_transcoder_decode(&transcoder, rows[i].bytes, rows[i].length, true, false, out, &used));
        if (used != strlen(rows[i].text) || memcmp(out, rows[i].text, used) != 0)
            fail_msg("row %zu: %.*s", i, (int)used, out);
        ps_transcoder_close(&transcoder);
    }
}

/* A character that a charset does not have becomes "?". */
static void test_encode(void **unused)
{
    static const struct {
        const char *name, *text, *bytes;
        size_t length;
    } rows[] = {
        {"US-ASCII", "a\u00E4\u20AC\U0001F600z", "a???z", 5},
        {"ISO-8859-1", "\xC2\x80\u00BF\u00C0\u00FF\u0100\u20AC\U0001F600z", "\x80\xBF\xC0\xFF???z", 8},
        {"UTF-8", "a\u00E4", "a\u00E4", 3},
        {"windows-1252", "\u20AC\u0101\U0001F600z", "\x80??z", 4},
        {"UTF-16", "a\U0001F600", "\xFE\xFF\0a\xD8\x3D\xDE\x00", 8},
        {"UTF-16", "", "", 0},
        {"UTF-32", "a", "\0\0\0a", 4},
        {"UTF-16LE", "a", "a\0", 2},
        {"x-UTF-16LE-BOM", "a", "\xFF\xFE\x61\0", 4},
        {"x-UTF-16LE-BOM", "", "", 0},
        {"X-UTF-32LE-BOM", "a", "\xFF\xFE\0\0a\0\0", 8},
        {"ISO-2022-JP", "\u65E5a", "\x1B$BF|\x1B(Ba", 9},
        {"ISO-2022-JP", "\u65E5", "\x1B$BF|\x1B(B", 8},
    };

    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_charset charset = charset_of(rows[i].name);
        struct ps_transcoder transcoder;
        char out[PS_CHARSET_ENCODED_MAX(32)];
        size_t used = 0, length = strlen(rows[i].text);
        assert_int_equal(ps_transcoder_open(&transcoder, &charset, NULL), PS_OK);
        char *exact = ps_test_exact_copy(rows[i].text, length);
        for (unsigned twice = 0; twice < 2; twice++)
            ps_transcoder_encode(&transcoder, exact, length, out, &used);
        if (used != rows[i].length || memcmp(out, rows[i].bytes, used) != 0)
            fail_msg("%s %s: %zu bytes", rows[i].name, rows[i].text, used);
        free(exact);
        ps_transcoder_close(&transcoder);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_java),   cmocka_unit_test(test_marks),
        cmocka_unit_test(test_texts), cmocka_unit_test(test_marked), cmocka_unit_test(test_little_marked),
        cmocka_unit_test(test_encode)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
