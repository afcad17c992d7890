#include "bench/verify/far/content.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define OUT_BYTES (128U * 1024U)

struct ps_far_gunzip {
    z_stream stream;
    bool between; /* between members: the next bytes are another member or padding */
    struct ps_far_content inner;
    char out[OUT_BYTES];
};

void ps_far_content_init(struct ps_far_content *content)
{
    *content = (struct ps_far_content){.kind = PS_FAR_CONTENT_UNKNOWN};
    ps_far_text_init(&content->text, PS_FAR_LINES);
}

void ps_far_content_fini(struct ps_far_content *content)
{
    ps_far_text_fini(&content->text);
    ps_far_avro_destroy(content->avro);
    content->avro = NULL;
    if (content->gunzip != NULL) {
        inflateEnd(&content->gunzip->stream);
        ps_far_content_fini(&content->gunzip->inner);
        free(content->gunzip);
        content->gunzip = NULL;
    }
}

static void gunzip_make(struct ps_far_content *content)
{
    content->gunzip = ps_must_alloc(1, sizeof *content->gunzip, "gunzip");
    PS_ASSERT(inflateInit2(&content->gunzip->stream, 15 + 16) == Z_OK); /* gzip format, with checksum */
    ps_far_content_init(&content->gunzip->inner);
    content->gunzip->inner.plain = true;
}

/* Examines the head; returns false when more bytes are needed. */
static bool recognise(struct ps_far_content *content)
{
    const char *head = content->head;
    unsigned length = content->headed, avro = length < 4 ? length : 4, gzip = length < 3 ? length : 3;
    bool may_avro = memcmp(head, PS_FAR_AVRO_MAGIC, avro) == 0;
    bool may_gzip = !content->plain && memcmp(head, "\x1f\x8b\x08", gzip) == 0;
    if (may_gzip && length >= 3) {
        content->kind = PS_FAR_CONTENT_GZIP;
        gunzip_make(content);
    } else if (may_avro && length >= 4) {
        content->kind = PS_FAR_CONTENT_AVRO;
        content->avro = ps_far_avro_create();
    } else if (!may_avro && !may_gzip) {
        content->kind = PS_FAR_CONTENT_TEXT;
    } else {
        return false;
    }
    return true;
}

static void feed_gzip(struct ps_far_content *content, const char *name, const char *data, size_t length,
                      struct ps_far_hand *hand, struct ps_far_notes *notes)
{
    struct ps_far_gunzip *gunzip = content->gunzip;
    z_stream *stream = &gunzip->stream;
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    while (stream->avail_in > 0) {
        if (gunzip->between) {
            if (*stream->next_in == '\0') { /* zeros after the last member */
                stream->next_in++;
                stream->avail_in--;
                continue;
            }
            inflateReset(stream);
            gunzip->between = false;
        }
        int result;
        do {
            stream->next_out = (unsigned char *)gunzip->out;
            stream->avail_out = OUT_BYTES;
            result = inflate(stream, Z_NO_FLUSH);
            ps_far_content_feed(&gunzip->inner, name, gunzip->out, OUT_BYTES - stream->avail_out, hand,
                                notes);
        } while (result == Z_OK && stream->avail_out == 0);
        if (result == Z_STREAM_END) {
            gunzip->between = true;
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            content->dead = true;
            ps_far_note(notes, true, "%s: the gzip stream is damaged; the rest of it is not read", name);
            return;
        }
    }
}

static void feed_known(struct ps_far_content *content, const char *name, const char *data, size_t length,
                       struct ps_far_hand *hand, struct ps_far_notes *notes)
{
    if (content->kind == PS_FAR_CONTENT_TEXT) {
        uint64_t cut_count = content->text.cut_count;
        ps_far_text_feed(&content->text, data, length, hand);
        if (content->text.cut_count > cut_count)
            ps_far_note(notes, true, "%s: lines of more than 1 MiB were cut", name);
        return;
    }
    if (content->kind == PS_FAR_CONTENT_GZIP) {
        feed_gzip(content, name, data, length, hand, notes);
        return;
    }
    struct ps_err err = {.length = 0};
    uint64_t bad_count = ps_far_avro_bad_count(content->avro);
    if (ps_far_avro_feed(content->avro, data, length, hand, &err) != PS_OK) {
        content->dead = true;
        ps_far_note(notes, true, "%s: %s", name, err.text);
    } else if (ps_far_avro_bad_count(content->avro) > bad_count) {
        ps_far_note(notes, true, "%s: damaged Avro blocks were skipped", name);
    }
}

void ps_far_content_feed(struct ps_far_content *content, const char *name, const char *data, size_t length,
                         struct ps_far_hand *hand, struct ps_far_notes *notes)
{
    if (PS_UNLIKELY(content->kind == PS_FAR_CONTENT_UNKNOWN)) {
        bool known = false;
        while (!known && length > 0) {
            content->head[content->headed++] = *data++;
            length--;
            known = recognise(content);
        }
        if (!known)
            return;
        feed_known(content, name, content->head, content->headed, hand, notes);
    }
    if (!content->dead && length > 0)
        feed_known(content, name, data, length, hand, notes);
}

void ps_far_content_end(struct ps_far_content *content, const char *name, struct ps_far_hand *hand,
                        struct ps_far_notes *notes)
{
    bool plain = content->plain;
    if (content->kind == PS_FAR_CONTENT_UNKNOWN && content->headed > 0) {
        content->kind = PS_FAR_CONTENT_TEXT;
        feed_known(content, name, content->head, content->headed, hand, notes);
    }
    if (content->gunzip != NULL) {
        if (!content->dead && !content->gunzip->between)
            ps_far_note(notes, true, "%s: the gzip stream ends early", name);
        ps_far_content_end(&content->gunzip->inner, name, hand, notes);
    } else if (content->avro != NULL) {
        if (!content->dead && ps_far_avro_pending(content->avro) > 0)
            ps_far_note(notes, true, "%s: the Avro container ends in the middle of a block", name);
    } else {
        ps_far_text_end(&content->text, hand);
    }
    ps_far_content_fini(content);
    ps_far_content_init(content);
    content->plain = plain;
}
