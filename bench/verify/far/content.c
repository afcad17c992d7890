#include "bench/verify/far/content.h"
#include "stages/lib/decompressor.h"

#include <stdlib.h>
#include <string.h>

#define OUT_BYTES (128U * 1024U)

struct ps_far_unpacked {
    struct ps_decompressor decompressor;
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
    if (content->unpacked != NULL) {
        ps_decompressor_fini(&content->unpacked->decompressor);
        ps_far_content_fini(&content->unpacked->inner);
        free(content->unpacked);
        content->unpacked = NULL;
    }
}

static void unpacked_make(struct ps_far_content *content, enum ps_compression compression)
{
    content->unpacked = ps_must_alloc(1, sizeof *content->unpacked, "a decompressor");
    PS_ASSERT(ps_decompressor_begin(&content->unpacked->decompressor, compression));
    ps_far_content_init(&content->unpacked->inner);
    content->unpacked->inner.plain = true;
}

static void recognise(struct ps_far_content *content)
{
    enum ps_compression compression =
        content->plain ? PS_COMPRESSION_NONE : ps_compression_of(content->head, content->headed);
    if (compression != PS_COMPRESSION_NONE) {
        content->kind = PS_FAR_CONTENT_PACKED;
        unpacked_make(content, compression);
    } else if (content->headed == sizeof content->head &&
               memcmp(content->head, PS_FAR_AVRO_MAGIC, sizeof content->head) == 0) {
        content->kind = PS_FAR_CONTENT_AVRO;
        content->avro = ps_far_avro_create();
    } else {
        content->kind = PS_FAR_CONTENT_TEXT;
    }
}

static const char *format_of(const struct ps_far_content *content)
{
    return content->unpacked->decompressor.kind == PS_COMPRESSION_GZIP ? "gzip" : "zstd";
}

static void feed_packed(struct ps_far_content *content, const char *name, const char *data, size_t length,
                        struct ps_far_hand *hand, struct ps_far_notes *notes)
{
    struct ps_far_unpacked *unpacked = content->unpacked;
    size_t taken, made;
    do {
        enum ps_decompressed result = ps_decompressor_run(&unpacked->decompressor, (const uint8_t *)data,
                                                          length, &taken, unpacked->out, OUT_BYTES, &made);
        ps_far_content_feed(&unpacked->inner, name, unpacked->out, made, hand, notes);
        if (result != PS_DECOMPRESSED) {
            content->dead = true;
            ps_far_note(notes, true, "%s: the %s stream is damaged; the rest of it is not read", name,
                        format_of(content));
            return;
        }
        data += taken;
        length -= taken;
    } while (taken + made > 0);
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
    if (content->kind == PS_FAR_CONTENT_PACKED) {
        feed_packed(content, name, data, length, hand, notes);
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
    while (PS_UNLIKELY(content->kind == PS_FAR_CONTENT_UNKNOWN) && length > 0) {
        content->head[content->headed++] = *data;
        length--;
        if (*data++ != '\n' && content->headed < sizeof content->head)
            continue;
        recognise(content);
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
    if (content->unpacked != NULL) {
        if (!content->dead && !content->unpacked->decompressor.between)
            ps_far_note(notes, true, "%s: the %s stream ends early", name, format_of(content));
        ps_far_content_end(&content->unpacked->inner, name, hand, notes);
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
