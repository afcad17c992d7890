/* What peers sent, what was acknowledged to them, and what arrived. Each event has a number, from which its text follows. */
#pragma once

#include "tests/world/shared.h"

#define LEDGER_EVENTS_MAX 20000U
#define LEDGER_TEXT_MAX 2048U

#define LEDGER_HEADERS_MAX 32U
#define LEDGER_FAR_ENDS 2U

/* An event as a far end sees it that keeps headers. */
struct ledger_event {
    const char *body;
    size_t length;
    unsigned count;
    struct ledger_pair {
        const char *name, *value;
        size_t name_length, value_length;
    } headers[LEDGER_HEADERS_MAX];
};

/* What a header's value must be. */
enum ledger_header_kind {
    HEADER_TEXT,
    HEADER_NUMBER, /* the number of the event */
    HEADER_DIGIT,  /* its last digit */
    HEADER_ANY,    /* not empty */
    HEADER_TIME,   /* milliseconds of the wall clock, since the world began */
    HEADER_UUID,
    HEADER_LABEL, /* the text, in which the event's label stands for `#`; anything may stand for `*` at its end */
    HEADER_OFFSET, /* where its line begins */
};

struct arrival {
    uint32_t number;
    uint16_t life, place; /* of the run, from 0; of the far end: what arrives at one place arrives in order */
    unsigned far_end;
    uint64_t at_ns; /* of a file: when the life ended */
};

struct ledger {
    uint32_t count;
    uint8_t acknowledged[LEDGER_EVENTS_MAX];
    uint32_t acknowledgements;       /* events that are acknowledged */
    uint8_t sent[LEDGER_EVENTS_MAX]; /* times, completely; 255: 255 and more */
    uint8_t arrived[LEDGER_FAR_ENDS][LEDGER_EVENTS_MAX];
    uint8_t repeated[LEDGER_EVENTS_MAX]; /* times that its sender did not know, and sent it again */
    uint16_t stream[LEDGER_EVENTS_MAX];  /* in which its order is promised; 0: in none */
    uint32_t file[LEDGER_EVENTS_MAX]; /* the inode in which it is a line, or 0, and where the line is in it */
    uint32_t file_begin[LEDGER_EVENTS_MAX], file_end[LEDGER_EVENTS_MAX];
    uint32_t holder[LEDGER_EVENTS_MAX]; /* the inode in which it can be found now, or 0 */
    uint8_t
        over[LEDGER_EVENTS_MAX]; /* its file had another line there before: a position may be that line's */
    uint32_t held_life
        [LEDGER_EVENTS_MAX]; /* its file has no name: the agent of this life alone can read it; 0: any */
    uint32_t label[LEDGER_EVENTS_MAX]; /* number of the log or file that it was written to */
    uint16_t streams, place;           /* how many there are; where the next event arrives */
    struct arrival *log;               /* in order */
    size_t logged, log_room;
    uint64_t arrivals;
    uint64_t repeats;    /* events that are sent again, and may have been taken */
    uint64_t taken;      /* of `log`: by others than the agent, which have it from the same topic */
    uint32_t invented;   /* arrived, and was never sent */
    char invention[128]; /* the first one */
    unsigned far_end;    /* at which what arrives now arrives */
    /* The far ends, a bit each, that events with this last digit must reach, and those that they may reach. */
    uint8_t required[10], allowed[10];
    char last; /* 0: texts are unchanged; else an interceptor makes this of their last character */
    uint32_t wrong_headers;
    unsigned header_count;
    struct ledger_header {
        enum ledger_header_kind kind;
        const char *name, *text;
    } headers[LEDGER_HEADERS_MAX]; /* that each event has */
    bool more_headers;             /* it may have others, too */
    bool keeps;                    /* texts, a line each: in a scenario, which knows what it waits for */
    bool keeps_headers;            /* before each text, as {name=value, name=value} */
    char *kept;
    size_t kept_length, kept_room;
};

void ledger_begin(void);
/* Texts that arrive are kept from now on, and are not compared with events. */
void ledger_keep(void);
/* Returns the number of a new event. */
uint32_t ledger_add(void);
/* Returns a stream: a file, or a client that repeats from the first event on that was not acknowledged. */
uint16_t ledger_stream(void);
/* The event belongs to this stream; 0: to none, because its client sends it again, perhaps behind others. */
void ledger_ordered(uint32_t number, uint16_t stream);
/* The event is a line of this file. */
void ledger_written(uint32_t number, uint32_t label, uint32_t inode, uint64_t begin, uint64_t end);
/* The lines of a file are not in it any more, but in another one, or (0) in none. */
void ledger_moved(uint32_t inode, uint32_t to);
/* Its file has no name: it is lost with the agent that has it open, and with a source that a reload begins anew. */
void ledger_held(uint32_t number);
/* Returns whether all lines of a file have arrived where they must. */
bool ledger_has_all_of(uint32_t inode);
/* Writes the text of an event, without a newline. Returns its length. */
size_t ledger_text(uint32_t number, char to[LEDGER_TEXT_MAX]);
void ledger_sent(uint32_t number);
void ledger_acknowledged(uint32_t number);
/* It may be lost, although it was acknowledged. */
void ledger_forgiven(uint32_t number);
/* Its sender does not know whether it was taken, and sends it again. */
void ledger_repeated(uint32_t number);
/* What arrives from now on arrives at this far end. */
void ledger_at(unsigned far_end);
/* Counts an event that arrived, by its text. */
void ledger_arrived(const char *text, size_t length);
/* Counts one, and looks at its headers. */
void ledger_arrived_event(const struct ledger_event *event);
/* Each event must have this header. The strings are constants. */
void ledger_expect_header(enum ledger_header_kind kind, const char *name, const char *text);
/* Returns whether an event was acknowledged, and has not arrived where it must. */
bool ledger_is_lost(uint32_t number);
/* Returns how many are lost. */
uint32_t ledger_lost(void);
/* Returns how many arrived more often than their senders account for. */
uint32_t ledger_doubled(void);
uint32_t ledger_doubled_at(unsigned far_end);
