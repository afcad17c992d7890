#include "stages/lib/text/charset.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/text/utf8.h"
#include "stages/lib/text/charset_names.h"

#define NO_ICONV ((void *)(intptr_t)-1)
#define HELD_BYTES_MAX 8U
#define CHARACTER_BYTES_MAX 16U

/* The beginnings of iconv's names of charsets with escape sequences. (Some EBCDIC charsets also have escape
 * sequences, and are refused.) */
static const char *const with_state[] = {"ISO-2022", "ISO2022", "CSISO2022", "UTF-7", "UTF7"};

/* java.nio.charset.Charset.checkName: iconv leaves blanks out, and takes options after a slash. */
static bool is_java_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && (at == name || strchr("-+:_.", *at) == NULL))
            return false;
    }
    return true;
}

/* Sets the name by which iconv knows the character set, and kind. Returns false if it is one of Java's that iconv lacks. */
static bool find_iconv_name(const char *name, struct ps_charset *charset)
{
    const struct ps_charset_name *java = ps_charset_name_find(name);
    int length = snprintf(charset->iconv_name, sizeof charset->iconv_name, "%s",
                          java == NULL          ? name
                          : java->iconv != NULL ? java->iconv
                                                : "");
    charset->kind = java != NULL ? java->kind : PS_CHARSET_OTHER;
    if (length >= (int)sizeof charset->iconv_name)
        charset->iconv_name[0] = '\0';
    return java == NULL || java->iconv != NULL;
}

enum ps_status ps_charset_find(const char *name, struct ps_charset *charset, struct ps_err *err)
{
    *charset = (struct ps_charset){.kind = PS_CHARSET_OTHER, .unit = 1};
    if (!find_iconv_name(name, charset))
        return ps_err_set(err, "\"%s\" is a character set that Java knows and the C library does not", name);
    if (charset->kind < PS_CHARSET_UTF16)
        return PS_OK;
    iconv_t probe = NO_ICONV;
    if (charset->iconv_name[0] != '\0' && is_java_name(name))
        probe = iconv_open("UTF-8", charset->iconv_name);
    if (probe == NO_ICONV)
        return ps_err_set(err, "\"%s\" is not a known character set (iconv -l lists them)", name);
    iconv_close(probe);
    if (strncasecmp(charset->iconv_name, "UTF-16", 6) == 0 ||
        strncasecmp(charset->iconv_name, "UCS-2", 5) == 0)
        charset->unit = 2;
    if (strncasecmp(charset->iconv_name, "UTF-32", 6) == 0 ||
        strncasecmp(charset->iconv_name, "UCS-4", 5) == 0)
        charset->unit = 4;
    for (size_t i = 0; i < PS_COUNT_OF(with_state); i++)
        charset->has_state |= strncasecmp(charset->iconv_name, with_state[i], strlen(with_state[i])) == 0;
    charset->little = charset->unit > 1 && strcasestr(charset->iconv_name, "LE") != NULL;
    return PS_OK;
}

uint32_t ps_charset_mark(const struct ps_charset *charset, const char *bytes, size_t length, bool *little)
{
    static const struct {
        enum ps_charset_kind kind;
        bool little;
        char bytes[4];
    } marks[] = {{PS_CHARSET_UTF16, false, "\xFE\xFF"},
                 {PS_CHARSET_UTF16, true, "\xFF\xFE"},
                 {PS_CHARSET_UTF32, false, {0, 0, '\xFE', '\xFF'}},
                 {PS_CHARSET_UTF32, true, {'\xFF', '\xFE', 0, 0}},
                 {PS_CHARSET_UTF16LE_BOM, false, "\xFE\xFF"},
                 {PS_CHARSET_UTF16LE_BOM, true, "\xFF\xFE"},
                 {PS_CHARSET_UTF32LE_BOM, true, {'\xFF', '\xFE', 0, 0}}};
    *little = charset->little && ps_charset_is_marked(charset);
    for (size_t i = 0; i < PS_COUNT_OF(marks) && length >= charset->unit; i++) {
        if (marks[i].kind != charset->kind || memcmp(bytes, marks[i].bytes, charset->unit) != 0)
            continue;
        *little = marks[i].little;
        return charset->unit;
    }
    return 0;
}

uint32_t ps_charset_mark_put(const struct ps_charset *charset, char *out)
{
    static const char little_mark[4] = {'\xFF', '\xFE', 0, 0};
    if (charset->kind == PS_CHARSET_UTF16)
        memcpy(out, "\xFE\xFF", 2);
    else if (charset->kind == PS_CHARSET_UTF16LE_BOM || charset->kind == PS_CHARSET_UTF32LE_BOM)
        memcpy(out, little_mark, charset->unit);
    else
        return 0;
    return charset->unit;
}

enum ps_status ps_transcoder_open(struct ps_transcoder *transcoder, const struct ps_charset *charset,
                                  struct ps_err *err)
{
    *transcoder = (struct ps_transcoder){charset, {NO_ICONV, NO_ICONV}, NO_ICONV};
    if (charset->kind < PS_CHARSET_UTF16)
        return PS_OK;
    transcoder->encode = iconv_open(charset->iconv_name, "UTF-8");
    if (ps_charset_is_marked(charset)) {
        transcoder->decode[0] = iconv_open("UTF-8", charset->unit == 2 ? "UTF-16BE" : "UTF-32BE");
        transcoder->decode[1] = iconv_open("UTF-8", charset->unit == 2 ? "UTF-16LE" : "UTF-32LE");
    } else {
        transcoder->decode[0] = iconv_open("UTF-8", charset->iconv_name);
    }
    if (transcoder->decode[0] == NO_ICONV || transcoder->encode == NO_ICONV ||
        (ps_charset_is_marked(charset) && transcoder->decode[1] == NO_ICONV)) {
        ps_transcoder_close(transcoder);
        return ps_err_set(err, "cannot convert character set %s: %s", charset->iconv_name, strerror(errno));
    }
    return PS_OK;
}

void ps_transcoder_close(struct ps_transcoder *transcoder)
{
    void *all[] = {transcoder->decode[0], transcoder->decode[1], transcoder->encode};
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        if (transcoder->charset != NULL && all[i] != NO_ICONV)
            iconv_close(all[i]);
    }
    *transcoder = (struct ps_transcoder){0};
}

static bool decode_bytes(enum ps_charset_kind kind, const char *text, size_t length, bool lenient, char *out,
                         size_t *used)
{
    char *to = out;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte < 0x80) {
            *to++ = (char)byte;
        } else if (kind == PS_CHARSET_LATIN1) {
            *to++ = (char)(0xC0 | byte >> 6);
            *to++ = (char)(0x80 | (byte & 0x3F));
        } else {
            if (!lenient)
                return false;
            memcpy(to, "\xEF\xBF\xBD", 3);
            to += 3;
        }
    }
    *used = (size_t)(to - out);
    return true;
}

/* Returns how many bytes are malformed where iconv stopped with EILSEQ, as Java counts them: after the first half of a surrogate
 * pair, the unit in place of the second half is malformed as well. */
static size_t malformed_bytes(const struct ps_charset *charset, bool little, const char *at, size_t left)
{
    bool is_little = ps_charset_is_marked(charset) ? little : charset->little;
    if (charset->unit == 2 && left >= 4 && ((uint8_t)at[is_little ? 1 : 0] & 0xFC) == 0xD8)
        return 4;
    return left < charset->unit ? left : charset->unit;
}

/* A decoder may hold the last character back, because the next character may combine with it (windows-1258). */
static void flush(iconv_t handle, char **to, size_t *room)
{
    (void)iconv(handle, NULL, NULL, to, room);
}

static bool decode_iconv(iconv_t handle, const struct ps_charset *charset, bool little, const char *text,
                         size_t length, bool lenient, char *out, size_t *used)
{
    char *from = (char *)(uintptr_t)text, *to = out;
    size_t left = length, room = PS_CHARSET_DECODED_MAX(length);
    (void)iconv(handle, NULL, NULL, NULL, NULL);
    while (left > 0 && iconv(handle, &from, &left, &to, &room) == (size_t)-1) {
        if (!lenient)
            return false;
        size_t skip = errno == EINVAL ? left : malformed_bytes(charset, little, from, left);
        if (errno == E2BIG)
            break;
        if (!charset->has_state)
            flush(handle, &to, &room);
        if (room < 3)
            break;
        memcpy(to, "\xEF\xBF\xBD", 3);
        to += 3;
        room -= 3;
        from += skip;
        left -= skip;
    }
    flush(handle, &to, &room);
    *used = (size_t)(to - out);
    return true;
}

bool ps_transcoder_decode_on(struct ps_transcoder *transcoder, const char *text, size_t length, bool lenient,
                             bool little, char *out, size_t *used)
{
    const struct ps_charset *charset = transcoder->charset;
    if (charset->kind == PS_CHARSET_UTF8) {
        if (!lenient && ps_utf8_valid_length(text, length) != length)
            return false;
        *used = ps_utf8_repair(text, length, out);
        return true;
    }
    if (charset->kind < PS_CHARSET_UTF16)
        return decode_bytes(charset->kind, text, length, lenient, out, used);
    return decode_iconv(transcoder->decode[ps_charset_is_marked(charset) && little], charset, little, text,
                        length, lenient, out, used);
}

bool ps_transcoder_decode(struct ps_transcoder *transcoder, const char *text, size_t length, bool lenient,
                          bool little, char *out, size_t *used)
{
    bool little_mark;
    uint32_t mark = ps_charset_mark(transcoder->charset, text, length, &little_mark);
    return ps_transcoder_decode_on(transcoder, text + mark, length - mark, lenient,
                                   mark > 0 ? little_mark : little || little_mark, out, used);
}

/* Decodes the first character of `length` bytes at `text`, at most HELD_BYTES_MAX bytes to `out`; an escape
 * sequence counts as a character without text. Returns how many bytes of the text the character has; 0: it is
 * malformed, with errno EILSEQ, or incomplete, with EINVAL. */
static size_t decode_one(const struct ps_transcoder *transcoder, const char *text, size_t length, bool little,
                         char *out, size_t *made)
{
    const struct ps_charset *charset = transcoder->charset;
    if (charset->kind < PS_CHARSET_UTF16) {
        errno = EILSEQ;
        return decode_bytes(charset->kind, text, 1, false, out, made) ? 1 : 0;
    }
    /* Passes one unit more in each round, because a decoder that gets bytes of the next character decodes that
     * character, too. */
    size_t most = length < CHARACTER_BYTES_MAX ? length : CHARACTER_BYTES_MAX;
    for (size_t bytes = charset->unit; bytes <= most; bytes += charset->unit) {
        char *from = (char *)(uintptr_t)text, *to = out;
        size_t left = bytes, room = HELD_BYTES_MAX;
        size_t result =
            iconv(transcoder->decode[ps_charset_is_marked(charset) && little], &from, &left, &to, &room);
        *made = HELD_BYTES_MAX - room;
        if (left < bytes)
            return bytes - left;
        if (result == (size_t)-1 && errno != EINVAL)
            return 0;
    }
    errno = length > CHARACTER_BYTES_MAX ? EILSEQ : EINVAL;
    return 0;
}

/* Writes to `out` the character that the decoder has held back. Returns how many bytes were written; 0: there
 * is none. */
static size_t held_add(const struct ps_transcoder *transcoder, bool little, char *out)
{
    const struct ps_charset *charset = transcoder->charset;
    char *to = out;
    size_t room = HELD_BYTES_MAX;
    if (charset->kind >= PS_CHARSET_UTF16)
        flush(transcoder->decode[ps_charset_is_marked(charset) && little], &to, &room);
    return (size_t)(to - out);
}

size_t ps_transcoder_decode_part(struct ps_transcoder *transcoder, const char *text, size_t length,
                                 enum ps_decode_policy policy, bool little, uint32_t chars_max, char *out,
                                 size_t *made, bool *bad)
{
    bool is_iconv = transcoder->charset->kind >= PS_CHARSET_UTF16;
    size_t used = 0, step = 0;
    uint32_t chars = 0;
    *made = 0;
    *bad = false;
    if (is_iconv)
        (void)iconv(transcoder->decode[ps_charset_is_marked(transcoder->charset) && little], NULL, NULL, NULL,
                    NULL);
    /* The limit of *made leaves room for two characters that were held back, and U+FFFD. Only a charset with bytes
     * that stand for several characters (TSCII) reaches it. */
    while (used < length && chars < chars_max && *made <= 3 * length) {
        size_t bytes = 0;
        step = decode_one(transcoder, text + used, length - used, little, out + *made, &bytes);
        if (step > 0) {
            uint32_t more = bytes == 4 ? 2 : bytes > 0;
            if (chars > 0 && chars + more > chars_max)
                break;
            chars += more;
        } else {
            if (errno == EINVAL)
                break;
            *bad = policy == PS_DECODE_FAIL;
            if (*bad)
                break;
            size_t held = transcoder->charset->has_state ? 0 : held_add(transcoder, little, out + *made);
            *made += held;
            chars += held > 0;
            if (chars == chars_max)
                break;
            step = malformed_bytes(transcoder->charset, little, text + used, length - used);
            if (policy == PS_DECODE_REPLACE) {
                memcpy(out + *made, "\xEF\xBF\xBD", 3);
                bytes = 3;
                chars++;
            }
        }
        *made += bytes;
        used += step;
    }
    /* A held character was made of the last `step` bytes. If it does not fit into this part, these bytes belong
     * to the next part. */
    size_t held = held_add(transcoder, little, out + *made);
    if (chars < chars_max)
        *made += held;
    else if (held > 0)
        used -= step;
    return used;
}

void ps_transcoder_encode(struct ps_transcoder *transcoder, const char *text, size_t length, char *out,
                          size_t *used)
{
    const struct ps_charset *charset = transcoder->charset;
    char *to = out;
    if (charset->kind == PS_CHARSET_UTF8) {
        memcpy(out, text, length);
        *used = length;
        return;
    }
    if (charset->kind < PS_CHARSET_UTF16) {
        for (size_t i = 0; i < length; i++) {
            uint8_t byte = (uint8_t)text[i];
            if (byte < 0x80) {
                *to++ = (char)byte;
            } else if (charset->kind == PS_CHARSET_LATIN1 && byte >= 0xC2 && byte <= 0xC3 && i + 1 < length) {
                *to++ = (char)((byte & 3) << 6 | (text[++i] & 0x3F));
            } else {
                *to++ = '?';
                while (i + 1 < length && ((uint8_t)text[i + 1] & 0xC0) == 0x80)
                    i++;
            }
        }
        *used = (size_t)(to - out);
        return;
    }
    char *from = (char *)(uintptr_t)text;
    size_t left = length, room = PS_CHARSET_ENCODED_MAX(length);
    if (length > 0) {
        uint32_t mark = ps_charset_mark_put(charset, to);
        to += mark;
        room -= mark;
    }
    (void)iconv(transcoder->encode, NULL, NULL, NULL, NULL);
    while (left > 0 && iconv(transcoder->encode, &from, &left, &to, &room) == (size_t)-1) {
        if (errno == E2BIG)
            break;
        char mark[] = "?", *p = mark;
        size_t one = 1;
        (void)iconv(transcoder->encode, &p, &one, &to, &room);
        do {
            from++;
            left--;
        } while (left > 0 && ((uint8_t)*from & 0xC0) == 0x80);
    }
    (void)iconv(transcoder->encode, NULL, NULL, &to, &room); /* returns to the initial shift state */
    *used = (size_t)(to - out);
}
