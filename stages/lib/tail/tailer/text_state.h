/* State of the text of a compressed file that is read (penstock.decompress): what its last survey found, and when the file is
 * opened next. Changed by text.c. Thread: the worker of the source. */
#pragma once

#include "stages/lib/tail/text.h"

/* how long an incomplete or damaged file must be unchanged until that is final */
#define PS_TAIL_TEXT_IDLE_NS (10 * PS_NS_PER_S)
/* how long the possible originals of an incomplete file stay known after its last change: its writer may only have paused */
#define PS_TAIL_TEXT_PAUSE_NS (3600 * PS_NS_PER_S)

struct ps_tail_text_state {
    enum ps_compression kind;   /* NONE: the file is not compressed, or its text is not read */
    struct ps_tail_stamp stamp; /* stamp of the file when its text was examined */
    int64_t bytes;              /* length of the text; -1: it was not surveyed */
    enum ps_tail_text_end end;
    bool news;         /* the file is to be opened: it is new or changed, or part of its text is unread */
    bool settled;      /* it has not changed for a while: an early end or damage is final */
    bool done;         /* the text was read to its end */
    uint8_t tries;     /* surveys that were repeated because files that it was compared with had changed */
    uint64_t since_ns; /* when the file was first seen in its present state */
    uint64_t again_ns; /* the file is not opened before this time */
};

/* Notes that the text has to be surveyed before it is read. */
static inline void ps_tail_text_state_forget(struct ps_tail_text_state *text)
{
    text->bytes = -1;
    text->done = false;
}

/* Notes that the file was found in this state for the first time. */
static inline void ps_tail_text_state_changed(struct ps_tail_text_state *text,
                                              const struct ps_tail_stamp *stamp, uint64_t now_ns)
{
    ps_tail_text_state_forget(text);
    text->settled = false;
    text->stamp = *stamp;
    text->since_ns = now_ns;
}

/* Notes that a text whose end is at `bytes` was read completely by an earlier process. */
static inline void ps_tail_text_state_remembered(struct ps_tail_text_state *text,
                                                 const struct ps_tail_stamp *stamp, int64_t bytes)
{
    text->stamp = *stamp;
    text->bytes = bytes;
    text->end = PS_TAIL_TEXT_WHOLE;
    text->done = true;
}

/* Returns whether the text is that of the file with this stamp, and was surveyed. */
static inline bool ps_tail_text_state_is_of(const struct ps_tail_text_state *text,
                                            const struct ps_tail_stamp *stamp)
{
    return text->bytes >= 0 && ps_tail_stamp_is(&text->stamp, stamp);
}

/* Returns whether the survey found all of the text that there will be, unless the file changes. */
static inline bool ps_tail_text_state_is_final(const struct ps_tail_text_state *text)
{
    return text->bytes >= 0 &&
           (text->end == PS_TAIL_TEXT_WHOLE || (text->end == PS_TAIL_TEXT_DAMAGED && text->settled));
}

/* Returns the time when the file may be opened: a changed file after its wait, an incomplete one after it has been idle, and again when
 * nobody is expected to go on with it. PS_NEVER: it is not opened. */
static inline uint64_t ps_tail_text_state_due_ns(const struct ps_tail_text_state *text)
{
    if (text->kind == PS_COMPRESSION_NONE)
        return PS_NEVER;
    if (text->news)
        return text->again_ns;
    if (text->end == PS_TAIL_TEXT_WHOLE || text->bytes < 0)
        return PS_NEVER;
    if (!text->settled)
        return text->since_ns + PS_TAIL_TEXT_IDLE_NS;
    return text->end == PS_TAIL_TEXT_EARLY ? text->since_ns + PS_TAIL_TEXT_PAUSE_NS : PS_NEVER;
}
