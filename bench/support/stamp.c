/* Writes and finds the stamp: a table turns twelve bits into two digits. */
#include "bench/support/stamp.h"

#include <string.h>

#include "core/crc32c.h"
#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

#define HEAD_BYTES 28U  /* before H */
#define CHECK_BYTES 32U /* before C */
#define DIGIT 0x80U     /* marks a digit among bytes */
/* A stamp with at most this many bytes that are not digits counts as damaged; a text with more of them is not a
 * stamp. */
#define BAD_DIGITS_MAX 2U

/* Every pair of base64url digits, in the order of their 12-bit value. */
/* clang-format off */
#define DIGITS(X, a) \
    X(a, 'A') X(a, 'B') X(a, 'C') X(a, 'D') X(a, 'E') X(a, 'F') X(a, 'G') X(a, 'H') \
    X(a, 'I') X(a, 'J') X(a, 'K') X(a, 'L') X(a, 'M') X(a, 'N') X(a, 'O') X(a, 'P') \
    X(a, 'Q') X(a, 'R') X(a, 'S') X(a, 'T') X(a, 'U') X(a, 'V') X(a, 'W') X(a, 'X') \
    X(a, 'Y') X(a, 'Z') X(a, 'a') X(a, 'b') X(a, 'c') X(a, 'd') X(a, 'e') X(a, 'f') \
    X(a, 'g') X(a, 'h') X(a, 'i') X(a, 'j') X(a, 'k') X(a, 'l') X(a, 'm') X(a, 'n') \
    X(a, 'o') X(a, 'p') X(a, 'q') X(a, 'r') X(a, 's') X(a, 't') X(a, 'u') X(a, 'v') \
    X(a, 'w') X(a, 'x') X(a, 'y') X(a, 'z') X(a, '0') X(a, '1') X(a, '2') X(a, '3') \
    X(a, '4') X(a, '5') X(a, '6') X(a, '7') X(a, '8') X(a, '9') X(a, '-') X(a, '_')
#define ROWS \
    ROW('A') ROW('B') ROW('C') ROW('D') ROW('E') ROW('F') ROW('G') ROW('H') \
    ROW('I') ROW('J') ROW('K') ROW('L') ROW('M') ROW('N') ROW('O') ROW('P') \
    ROW('Q') ROW('R') ROW('S') ROW('T') ROW('U') ROW('V') ROW('W') ROW('X') \
    ROW('Y') ROW('Z') ROW('a') ROW('b') ROW('c') ROW('d') ROW('e') ROW('f') \
    ROW('g') ROW('h') ROW('i') ROW('j') ROW('k') ROW('l') ROW('m') ROW('n') \
    ROW('o') ROW('p') ROW('q') ROW('r') ROW('s') ROW('t') ROW('u') ROW('v') \
    ROW('w') ROW('x') ROW('y') ROW('z') ROW('0') ROW('1') ROW('2') ROW('3') \
    ROW('4') ROW('5') ROW('6') ROW('7') ROW('8') ROW('9') ROW('-') ROW('_')
/* clang-format on */
#define PAIR(a, b) {a, b},
#define ROW(a) DIGITS(PAIR, a)
static const char pairs[4096][2] = {ROWS};

/* A byte's value as a digit, or 0 when it is not a digit: the reverse of the table above. */
static const uint8_t values[256] = {
    ['A'] = DIGIT | 0,  ['B'] = DIGIT | 1,  ['C'] = DIGIT | 2,  ['D'] = DIGIT | 3,  ['E'] = DIGIT | 4,
    ['F'] = DIGIT | 5,  ['G'] = DIGIT | 6,  ['H'] = DIGIT | 7,  ['I'] = DIGIT | 8,  ['J'] = DIGIT | 9,
    ['K'] = DIGIT | 10, ['L'] = DIGIT | 11, ['M'] = DIGIT | 12, ['N'] = DIGIT | 13, ['O'] = DIGIT | 14,
    ['P'] = DIGIT | 15, ['Q'] = DIGIT | 16, ['R'] = DIGIT | 17, ['S'] = DIGIT | 18, ['T'] = DIGIT | 19,
    ['U'] = DIGIT | 20, ['V'] = DIGIT | 21, ['W'] = DIGIT | 22, ['X'] = DIGIT | 23, ['Y'] = DIGIT | 24,
    ['Z'] = DIGIT | 25, ['a'] = DIGIT | 26, ['b'] = DIGIT | 27, ['c'] = DIGIT | 28, ['d'] = DIGIT | 29,
    ['e'] = DIGIT | 30, ['f'] = DIGIT | 31, ['g'] = DIGIT | 32, ['h'] = DIGIT | 33, ['i'] = DIGIT | 34,
    ['j'] = DIGIT | 35, ['k'] = DIGIT | 36, ['l'] = DIGIT | 37, ['m'] = DIGIT | 38, ['n'] = DIGIT | 39,
    ['o'] = DIGIT | 40, ['p'] = DIGIT | 41, ['q'] = DIGIT | 42, ['r'] = DIGIT | 43, ['s'] = DIGIT | 44,
    ['t'] = DIGIT | 45, ['u'] = DIGIT | 46, ['v'] = DIGIT | 47, ['w'] = DIGIT | 48, ['x'] = DIGIT | 49,
    ['y'] = DIGIT | 50, ['z'] = DIGIT | 51, ['0'] = DIGIT | 52, ['1'] = DIGIT | 53, ['2'] = DIGIT | 54,
    ['3'] = DIGIT | 55, ['4'] = DIGIT | 56, ['5'] = DIGIT | 57, ['6'] = DIGIT | 58, ['7'] = DIGIT | 59,
    ['8'] = DIGIT | 60, ['9'] = DIGIT | 61, ['-'] = DIGIT | 62, ['_'] = DIGIT | 63,
};

/* 12 bits as two digits, the first in the low byte. */
static inline uint64_t pair(uint64_t bits)
{
    uint16_t digits;
    memcpy(&digits, pairs[bits & 0xfff], 2);
    return digits;
}

/* Stores eight bytes at once: the checksum reads eight at once and would stall on smaller stores. */
static inline void put(char *to, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t word = a | b << 16 | c << 32 | d << 48;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first digit is the low byte");
    memcpy(to, &word, 8);
}

static inline void put_half(char *to, uint64_t a, uint64_t b)
{
    uint32_t word = (uint32_t)(a | b << 16);
    memcpy(to, &word, 4);
}

void ps_stamp_write(const struct ps_stamp *stamp, char *to)
{
    uint32_t covered = stamp->covered & PS_STAMP_COVERED_MAX;
    uint64_t tail = (uint64_t)covered << 1 | (stamp->last ? 1U : 0U);
    uint64_t run = stamp->run, source = stamp->source, sequence = stamp->sequence, due = stamp->due_us;
    put(to, '~' | '1' << 8, pair(run >> 12), pair(run), pair(source >> 6));
    put(to + 8, pair(source << 6 | (sequence >> 36 & 63)), pair(sequence >> 24), pair(sequence >> 12),
        pair(sequence));
    put(to + 16, pair(due >> 42), pair(due >> 30), pair(due >> 18), pair(due >> 6));
    put_half(to + 24, pair(due << 6 | tail >> 12), pair(tail));
    uint32_t crc = ps_crc32c(0, to, HEAD_BYTES);
    put_half(to + 28, pair(crc >> 12), pair(crc));
    crc = ps_crc32c(crc, to + HEAD_BYTES, CHECK_BYTES - HEAD_BYTES);
    if (covered > 0)
        crc = ps_crc32c(crc, to + PS_STAMP_BYTES, covered);
    put_half(to + 32, pair(crc >> 24), pair(crc >> 12));
    memcpy(to + 36, pairs[crc & 0xfff], 2);
}

/* Reads `count` digits as a number; UINT64_MAX when one of them is not a digit. */
static inline uint64_t take(const char *from, unsigned count)
{
    uint64_t number = 0;
    unsigned all = DIGIT;
    for (unsigned i = 0; i < count; i++) {
        uint8_t value = values[(uint8_t)from[i]];
        all &= value;
        number = number << 6 | (value & 63U);
    }
    return all != 0 ? number : UINT64_MAX;
}

/* Computes the checksum of `covered` bytes with JSON's escapes undone; returns false when there are fewer
 * bytes. */
static bool crc_unescaped(uint32_t crc, const char *from, size_t length, size_t covered, uint32_t *result)
{
    char room[256];
    size_t at = 0, done = 0, used = 0;
    while (done < covered) {
        const char *escape = from + at;
        size_t written = 1;
        uint32_t code;
        if (at == length)
            return false;
        if (*escape != '\\')
            room[used] = *escape++;
        else if (!ps_json_escape_take(&escape, from + length, &code) || ps_json_is_half(code))
            return false;
        else
            written = ps_utf8_put(room + used, code);
        if (written > covered - done)
            return false;
        at = (size_t)(escape - from);
        used += written;
        done += written;
        if (used > sizeof room - 4) {
            crc = ps_crc32c(crc, room, used);
            used = 0;
        }
    }
    *result = ps_crc32c(crc, room, used);
    return true;
}

/* Checks the covered bytes of a stamp whose H matched; `crc` is the checksum of everything before C. */
static enum ps_stamp_state covered_check(const struct ps_stamp *stamp, const char *at, size_t length,
                                         uint32_t crc)
{
    uint64_t wanted = take(at + CHECK_BYTES, 6);
    const char *from = at + PS_STAMP_BYTES;
    size_t left = length - PS_STAMP_BYTES, covered = stamp->covered;
    if (left < covered)
        return PS_STAMP_CUT; /* with escapes the text would be even longer */
    uint32_t plain = covered > 0 ? ps_crc32c(crc, from, covered) : crc;
    if (PS_LIKELY(plain == wanted))
        return PS_STAMP_GOOD;
    if (memchr(from, '\\', covered) != NULL && crc_unescaped(crc, from, left, covered, &plain) &&
        plain == wanted)
        return PS_STAMP_GOOD;
    return PS_STAMP_CHANGED;
}

/* Examines the text at `at`, which begins with "~1"; the record has `length` bytes from there on. */
static enum ps_stamp_state check(const char *at, size_t length, struct ps_stamp *stamp)
{
    if (PS_UNLIKELY(length < PS_STAMP_BYTES)) {
        for (size_t i = 2; i < length; i++)
            if (values[(uint8_t)at[i]] == 0)
                return PS_STAMP_NONE;
        return PS_STAMP_BROKEN;
    }
    uint32_t crc = ps_crc32c(0, at, HEAD_BYTES);
    uint64_t who = take(at + 2, 7), sequence = take(at + 9, 7), due = take(at + 16, 9),
             tail = take(at + 25, 3);
    if (PS_UNLIKELY((crc & 0xffffff) != take(at + HEAD_BYTES, 4) || who == UINT64_MAX ||
                    sequence == UINT64_MAX || due == UINT64_MAX || tail == UINT64_MAX)) {
        unsigned bad = 0;
        for (size_t i = 2; i < PS_STAMP_BYTES; i++)
            bad += values[(uint8_t)at[i]] == 0;
        return bad <= BAD_DIGITS_MAX ? PS_STAMP_BROKEN : PS_STAMP_NONE;
    }
    stamp->run = (uint32_t)(who >> 18);
    stamp->source = (uint32_t)who & PS_STAMP_SOURCE_MAX;
    stamp->sequence = sequence;
    stamp->due_us = due;
    stamp->covered = (uint32_t)(tail >> 1);
    stamp->last = tail & 1;
    crc = ps_crc32c(crc, at + HEAD_BYTES, CHECK_BYTES - HEAD_BYTES);
    return covered_check(stamp, at, length, crc);
}

enum ps_stamp_state ps_stamp_find(const char *data, size_t length, struct ps_stamp *stamp, size_t *at)
{
    enum ps_stamp_state found = PS_STAMP_NONE;
    const char *end = data + length, *next = data;
    while (next < end && (next = memchr(next, '~', (size_t)(end - next))) != NULL) {
        if (end - next >= 2 && next[1] == '1') {
            enum ps_stamp_state state = check(next, (size_t)(end - next), stamp);
            if (state != PS_STAMP_NONE && found == PS_STAMP_NONE && at != NULL)
                *at = (size_t)(next - data);
            if (state == PS_STAMP_BROKEN)
                found = state;
            else if (state != PS_STAMP_NONE) {
                if (at != NULL)
                    *at = (size_t)(next - data);
                return state;
            }
        }
        next++;
    }
    return found;
}
