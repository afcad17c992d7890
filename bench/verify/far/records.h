/* Common parts of the far ends: handing over records, notes about problems, and splitting bytes into records.
 *
 * Thread: the far end's. */
#pragma once

#include "bench/verify/far/end.h"

#define PS_FAR_RECORD_BYTES_MAX (1U << 20) /* longer lines and frames are cut at this length */
#define PS_FAR_STREAMS_MAX (1U << 20)

/* The receiver of records during one read. */
struct ps_far_hand {
    ps_far_record_taker *taker;
    void *argument;
    uint64_t stream, arrival_ns;
    uint64_t count; /* records handed over so far */
};

void ps_far_hand_over(struct ps_far_hand *hand, const char *data, size_t length);

/* Reads a key with two values, `no` by default; sets `*is` when it is `yes`. */
enum ps_status ps_far_choice(struct ps_url *url, const char *key, const char *no, const char *yes, bool *is,
                             struct ps_err *err);

/* ---- notes about problems (records.c) ---- */

#define PS_FAR_NOTES_MAX 4U

struct ps_far_notes {
    char notes[PS_FAR_NOTES_MAX][320]; /* the first ones */
    uint64_t count;                    /* number of different notes */
    bool lossy;
    char text[1600];
};

void ps_far_note(struct ps_far_notes *notes, bool lossy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Joins `first` (a text or "") and the notes in one line; returns NULL when all are empty. */
const char *ps_far_notes_text(struct ps_far_notes *notes, const char *first);

/* ---- text (text.c) ---- */

enum ps_far_framing {
    PS_FAR_LINES,
    PS_FAR_OCTETS, /* RFC 6587 3.4.1: "123 <34>1 ..." */
    PS_FAR_DETECT, /* octets when the stream begins with digits, a blank and `<`; else lines */
};

struct ps_far_text {
    enum ps_far_framing framing;
    char *carry; /* the beginning of an incomplete record */
    size_t carried, room;
    bool skipping;   /* skips the rest of a record that was cut */
    uint64_t wanted; /* octets: bytes of the frame that have not arrived yet */
    uint64_t number; /* octets: the length, as far as it is read */
    unsigned digits; /* digits of `number` */
    char head[12];   /* PS_FAR_DETECT: bytes kept until the framing is known */
    unsigned headed;
    uint64_t cut_count; /* records longer than PS_FAR_RECORD_BYTES_MAX */
};

void ps_far_text_init(struct ps_far_text *text, enum ps_far_framing framing);
void ps_far_text_fini(struct ps_far_text *text);
/* Hands over complete records; keeps the rest. Empty lines are not records. */
void ps_far_text_feed(struct ps_far_text *text, const char *data, size_t length, struct ps_far_hand *hand);
/* Ends the text: the rest is a record too. The text can then be fed from the beginning again. */
void ps_far_text_end(struct ps_far_text *text, struct ps_far_hand *hand);

/* Hands over each element of a JSON array as a record, unchanged (Flume's JSONHandler: objects with headers
 * and body). Returns false, with nothing handed over, when the data is not an array or its strings and
 * brackets do not match. */
bool ps_far_json_array(const char *data, size_t length, struct ps_far_hand *hand);
