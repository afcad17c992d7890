/* Detects by its first bytes what a file contains: lines, an Avro container, or one of them compressed by gzip or zstd. The
 * file's bytes are fed in pieces, as they are read. Thread: the far end's. */
#pragma once

#include "bench/verify/far/avro.h"

struct ps_far_unpacked;

struct ps_far_content {
    enum { PS_FAR_CONTENT_UNKNOWN, PS_FAR_CONTENT_TEXT, PS_FAR_CONTENT_AVRO, PS_FAR_CONTENT_PACKED } kind;
    char head[4]; /* bytes kept until the kind is known: by four of them, or by a newline */
    unsigned headed;
    bool plain; /* this content was compressed: it is not examined for that again */
    bool dead;  /* the rest cannot be understood */
    struct ps_far_text text;
    struct ps_far_avro *avro;
    struct ps_far_unpacked *unpacked;
};

void ps_far_content_init(struct ps_far_content *content);
void ps_far_content_fini(struct ps_far_content *content);
/* `name` is the file's name for the notes. */
void ps_far_content_feed(struct ps_far_content *content, const char *name, const char *data, size_t length,
                         struct ps_far_hand *hand, struct ps_far_notes *notes);
/* Ends the content: a last line without newline is a record; an incomplete block or compressed stream is noted. The
 * content can then be fed from the beginning again. */
void ps_far_content_end(struct ps_far_content *content, const char *name, struct ps_far_hand *hand,
                        struct ps_far_notes *notes);
