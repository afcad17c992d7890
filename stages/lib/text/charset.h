/* Converts between UTF-8 and the character sets that Java names. Used for netcat's `encoding` and for
 * multiport_syslogtcp's charset.default and charset.port.<p>. UTF-8, US-ASCII and ISO-8859-1 are converted
 * here, all others by the C library's iconv.
 *
 * A charset is const. Each worker has its own transcoder. Converting allocates nothing. */
#pragma once

#include "core/deserializer.h"
#include "core/status.h"

enum ps_charset_kind {
    PS_CHARSET_UTF8,
    PS_CHARSET_ASCII,
    PS_CHARSET_LATIN1,
    PS_CHARSET_UTF16, /* Java's "UTF-16": byte order from the mark, else big-endian; written with a mark */
    PS_CHARSET_UTF32, /* Java's "UTF-32": byte order from the mark, else big-endian; written without a mark */
    PS_CHARSET_UTF16LE_BOM, /* Java's "x-UTF-16LE-BOM": byte order from the mark, else little-endian; written with a mark */
    PS_CHARSET_UTF32LE_BOM, /* Java's "X-UTF-32LE-BOM": little-endian, with or without a mark; written with one */
    PS_CHARSET_OTHER,
};

struct ps_charset {
    enum ps_charset_kind kind;
    unsigned unit;       /* bytes in a code unit: 1, 2 (UTF-16), 4 (UTF-32) */
    bool little;         /* units are little-endian */
    bool has_state;      /* the meaning of bytes depends on an escape sequence before them (ISO-2022-JP) */
    char iconv_name[64]; /* for PS_CHARSET_OTHER */
};

/* Finds a character set by any of its Java names. Returns PS_FAIL when it is not known. Thread: control. */
enum ps_status ps_charset_find(const char *name, struct ps_charset *charset, struct ps_err *err);

/* Returns whether a byte order mark may be at the beginning, which is no text. */
static inline bool ps_charset_is_marked(const struct ps_charset *charset)
{
    return charset->kind >= PS_CHARSET_UTF16 && charset->kind < PS_CHARSET_OTHER;
}

/* Returns the length of the byte order mark at the beginning; 0 if the bytes or the charset have none. Sets
 * *little to the order of the mark, without one to the order of texts without it. With `length` below charset->unit it finds none. */
uint32_t ps_charset_mark(const struct ps_charset *charset, const char *bytes, size_t length, bool *little);

/* Writes the byte order mark that texts of this charset are written with, at most 4 bytes. Returns its length; 0: there is none. */
uint32_t ps_charset_mark_put(const struct ps_charset *charset, char *out);

/* Maximum number of bytes of UTF-8 that `length` bytes can become. */
#define PS_CHARSET_DECODED_MAX(length) (3 * (size_t)(length) + 24)
/* Maximum number of bytes of any charset that `length` bytes of UTF-8 can become. */
#define PS_CHARSET_ENCODED_MAX(length) (4 * (size_t)(length) + 16)

struct ps_transcoder {
    const struct ps_charset *charset;
    void *decode[2], *encode; /* iconv_t; decode[1]: for little-endian text of a marked charset */
};

/* Opens the transcoder. Called only at set-up. `charset` must outlive the transcoder. */
enum ps_status ps_transcoder_open(struct ps_transcoder *transcoder, const struct ps_charset *charset,
                                  struct ps_err *err);
void ps_transcoder_close(struct ps_transcoder *transcoder);

/* Decodes into `out` (PS_CHARSET_DECODED_MAX bytes). For malformed bytes it writes U+FFFD when `lenient`,
 * otherwise it returns false. `little`: a marked charset without a byte order mark is little-endian; so is one
 * of the kinds .._BOM in any case. */
bool ps_transcoder_decode(struct ps_transcoder *transcoder, const char *text, size_t length, bool lenient,
                          bool little, char *out, size_t *used);
/* Like ps_transcoder_decode, for a text that is not the first one of its stream: a byte order mark at its
 * beginning is a character. */
bool ps_transcoder_decode_on(struct ps_transcoder *transcoder, const char *text, size_t length, bool lenient,
                             bool little, char *out, size_t *used);
/* Decodes the beginning of a text that continues after `length` bytes: until it has `chars_max` of Java's chars
 * (UTF-16), at least one character, or until the next character is incomplete. `out` has room for
 * PS_CHARSET_DECODED_MAX bytes; *made is the number of bytes written. The charset must not be UTF-8. Malformed
 * bytes become U+FFFD with PS_DECODE_REPLACE and nothing with PS_DECODE_IGNORE; otherwise decoding ends there
 * and sets *bad. Returns the number of bytes of the text that were used. */
size_t ps_transcoder_decode_part(struct ps_transcoder *transcoder, const char *text, size_t length,
                                 enum ps_decode_policy policy, bool little, uint32_t chars_max, char *out,
                                 size_t *made, bool *bad);
/* Encodes well-formed UTF-8 into `out` (PS_CHARSET_ENCODED_MAX bytes). A character that the charset does not
 * have becomes "?". */
void ps_transcoder_encode(struct ps_transcoder *transcoder, const char *text, size_t length, char *out,
                          size_t *used);
