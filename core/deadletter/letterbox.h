/* The destination of an open stage's dead letters: a directory (core/deadletter/writer.h) or a channel
 * (core/engine/letter_channel.h). Stages and the engine use both through this interface.
 *
 * Letters are numbered from 1, and are promised in this order. `written` is the number of the last promised letter:
 * it is synced in a file, or the channel has promised it. The stage may settle the event only then. A letter is a
 * copy: the stage may let the event go while the letter waits, but must not promise anything for it. Thread: the
 * box's, which is the worker of its stage. */
#pragma once

#include "core/deadletter/letter.h"

struct ps_letterbox;

struct ps_letterbox_ops {
    uint64_t (*put)(struct ps_letterbox *box, const struct ps_letter *letter);
    bool (*has_room)(const struct ps_letterbox *box);
    uint64_t (*written)(const struct ps_letterbox *box);
    void (*close)(struct ps_letterbox *box);
    /* The destination counts the dead letters (`deadletter`) itself when they are promised, because some may be
     * withdrawn before. */
    bool counts;
};

struct ps_letterbox {
    const struct ps_letterbox_ops *ops;
    uint64_t sent; /* number of the last letter that was put */
};

/* Copies the letter; sets its agent and time. Returns its number; 0: no memory, and nothing was taken. Takes it even
 * when the box is full: ask ps_letterbox_has_room before. */
static inline uint64_t ps_letterbox_put(struct ps_letterbox *box, const struct ps_letter *letter)
{
    return box->ops->put(box, letter);
}

/* Returns whether there is room for one more letter. */
static inline bool ps_letterbox_has_room(const struct ps_letterbox *box)
{
    return box->ops->has_room(box);
}

/* Returns the number of the last promised letter; those before it are promised as well. */
static inline uint64_t ps_letterbox_written(const struct ps_letterbox *box)
{
    return box->ops->written(box);
}

/* Returns the number of the last letter that was put. */
static inline uint64_t ps_letterbox_sent(const struct ps_letterbox *box)
{
    return box->sent;
}

/* Closes the box. Waiting letters are still written. NULL: does nothing. */
static inline void ps_letterbox_close(struct ps_letterbox *box)
{
    if (box != NULL)
        box->ops->close(box);
}
