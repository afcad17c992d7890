/* See compressed_output.h. */
#include "stages/lib/compressed_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define PACKED_BYTES (64U * 1024U)
#define GZIP_WINDOW_BITS (MAX_WBITS + 16)
#define GZIP_LEVEL 6 /* the default levels of gzip(1) and zstd(1) */
#define ZSTD_LEVEL 3
#define ZLIB_MEMORY_LEVEL 8

enum step { STEP_WRITE, STEP_FLUSH, STEP_FINISH };

/* ---- the libraries ---- */

/* Each of these takes from the input, and fills output->packed with `*made` bytes. Returns STEP_MORE when there is more to
 * come. */
enum stepped { STEP_DONE, STEP_MORE, STEP_FAILED };

struct input {
    const char *data;
    size_t length;
};

static enum stepped step_gzip(struct ps_compressed_output *output, struct input *input, enum step step,
                              size_t *made)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *stream = output->library;
    uInt part = input->length < UINT32_MAX ? (uInt)input->length : UINT32_MAX;
    stream->next_in = (unsigned char *)(uintptr_t)input->data;
    stream->avail_in = part;
    stream->next_out = output->packed;
    stream->avail_out = PACKED_BYTES;
    int code = deflate(stream, flushes[step]);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return STEP_FAILED;
    input->data += part - stream->avail_in;
    input->length -= part - stream->avail_in;
    *made = PACKED_BYTES - stream->avail_out;
    return stream->avail_out == 0 || input->length > 0 ? STEP_MORE : STEP_DONE;
}

static enum stepped step_zstd(struct ps_compressed_output *output, struct input *input, enum step step,
                              size_t *made)
{
    static const ZSTD_EndDirective directives[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    ZSTD_inBuffer from = {input->data, input->length, 0};
    ZSTD_outBuffer to = {output->packed, PACKED_BYTES, 0};
    size_t rest = ZSTD_compressStream2(output->library, &to, &from, directives[step]);
    if (ZSTD_isError(rest))
        return STEP_FAILED;
    input->data += from.pos;
    input->length -= from.pos;
    *made = to.pos;
    return input->length > 0 || (step != STEP_WRITE && rest > 0) ? STEP_MORE : STEP_DONE;
}

static enum stepped take_step(struct ps_compressed_output *output, struct input *input, enum step step,
                              size_t *made)
{
    return output->kind == PS_COMPRESSION_GZIP ? step_gzip(output, input, step, made)
                                               : step_zstd(output, input, step, made);
}

static bool library_open(struct ps_compressed_output *output)
{
    if (output->kind == PS_COMPRESSION_GZIP) {
        z_stream *stream = calloc(1, sizeof *stream);
        if (stream != NULL && deflateInit2(stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS,
                                           ZLIB_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
            free(stream);
            stream = NULL;
        }
        output->library = stream;
    } else {
        output->library = ZSTD_createCCtx();
        if (output->library != NULL)
            (void)ZSTD_CCtx_setParameter(output->library, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    }
    return output->library != NULL;
}

static void library_close(struct ps_compressed_output *output)
{
    if (output->library == NULL)
        return;
    if (output->kind == PS_COMPRESSION_GZIP) {
        deflateEnd(output->library);
        free(output->library);
    } else {
        ZSTD_freeCCtx(output->library);
    }
    output->library = NULL;
}

/* Makes the next bytes begin a stream. */
static void library_reset(struct ps_compressed_output *output)
{
    if (output->kind == PS_COMPRESSION_GZIP)
        (void)deflateReset(output->library);
    else
        (void)ZSTD_CCtx_reset(output->library, ZSTD_reset_session_only);
    output->changed = output->committed = false;
    output->end = output->none;
}

/* ---- the end of a stream ---- */

static void put_number(struct ps_stream_end *end, uint64_t number)
{
    for (unsigned i = 0; i < 4; i++)
        end->bytes[end->length++] = (uint8_t)(number >> (8 * i));
}

/* Returns the bytes that make the flushed ones a whole stream. They are composed here, because a library cannot continue a stream
 * after it wrote the end. After a flush the stream is at the beginning of a byte and of a block. */
static struct ps_stream_end end_of(const struct ps_compressed_output *output)
{
    if (output->kind == PS_COMPRESSION_ZSTD)
        return (struct ps_stream_end){.bytes = {0x01, 0x00, 0x00},
                                      .length = 3}; /* last block: raw, 0 bytes */
    const z_stream *stream = output->library;
    struct ps_stream_end end = {.bytes = {0x03, 0x00}, .length = 2}; /* last block, without bytes */
    put_number(&end, stream->adler);                                 /* CRC-32 of the plain bytes */
    put_number(&end, stream->total_in);
    return end;
}

static bool make_none(struct ps_compressed_output *output)
{
    struct input input = {NULL, 0};
    size_t made = 0;
    if (take_step(output, &input, STEP_FINISH, &made) != STEP_DONE || made > PS_STREAM_END_BYTES_MAX)
        return false;
    memcpy(output->none.bytes, output->packed, made);
    output->none.length = made;
    return true;
}

/* ---- the output ---- */

static bool file_write(struct ps_compressed_output *output, const void *data, size_t length)
{
    return length == 0 || output->file->output.write(&output->file->output, data, length);
}

/* Writes the end of a stream, and commits. */
static bool write_end(struct ps_compressed_output *output, const struct ps_stream_end *end)
{
    if (!file_write(output, end->bytes, end->length) || !ps_file_output_commit(output->file))
        return false;
    output->whole = true;
    return true;
}

static bool run(struct ps_compressed_output *output, struct input input, enum step step)
{
    for (;;) {
        size_t made = 0;
        enum stepped stepped = take_step(output, &input, step, &made);
        if (stepped == STEP_FAILED) { /* nothing but a lack of memory can be the reason */
            output->file->failed = true;
            output->file->error = ENOMEM;
            return false;
        }
        if (!file_write(output, output->packed, made))
            return false;
        if (stepped == STEP_DONE)
            return true;
    }
}

static bool compressed_write(struct ps_output *base, const void *data, size_t length)
{
    struct ps_compressed_output *output = (struct ps_compressed_output *)base;
    if (length == 0)
        return !output->file->failed;
    if (!output->changed) {
        output->changed = true;
        if (!output->committed && !file_write(output, output->debt.bytes, output->debt.length))
            return false;
    }
    return run(output, (struct input){data, length}, STEP_WRITE);
}

bool ps_compressed_output_init(struct ps_compressed_output *output, enum ps_compression kind,
                               struct ps_file_output *file)
{
    *output =
        (struct ps_compressed_output){.output = {.write = compressed_write}, .kind = kind, .file = file};
    if (kind == PS_COMPRESSION_NONE)
        return true;
    output->packed = malloc(PACKED_BYTES);
    if (output->packed != NULL && library_open(output) && make_none(output))
        return true;
    ps_compressed_output_fini(output);
    return false;
}

void ps_compressed_output_fini(struct ps_compressed_output *output)
{
    library_close(output);
    free(output->packed);
    output->packed = NULL;
}

bool ps_compressed_output_begin(struct ps_compressed_output *output, int fd)
{
    ps_file_output_begin(output->file, fd);
    if (output->kind == PS_COMPRESSION_NONE)
        return true;
    library_reset(output);
    output->debt.length = 0;
    if (!write_end(output, &output->none))
        return false;
    output->file->torn = output->none.length;
    return true;
}

bool ps_compressed_output_commit(struct ps_compressed_output *output)
{
    if (output->kind == PS_COMPRESSION_NONE)
        return ps_file_output_commit(output->file);
    if (!output->changed)
        return !output->file->failed;
    if (!run(output, (struct input){NULL, 0}, STEP_FLUSH))
        return false;
    struct ps_stream_end end = end_of(output);
    if (!write_end(output, &end))
        return false;
    output->end = end;
    output->file->torn = end.length; /* the next write removes the end of the stream */
    output->changed = false;
    output->committed = true;
    return true;
}

/* Gives up the library's stream, because the library cannot undo its input. */
void ps_compressed_output_undo(struct ps_compressed_output *output)
{
    struct ps_stream_end end = output->end;
    ps_file_output_undo(output->file);
    if (output->kind == PS_COMPRESSION_NONE)
        return;
    output->whole = false;
    if (output->committed)
        output->debt = end;
    library_reset(output);
}

bool ps_compressed_output_end(struct ps_compressed_output *output)
{
    if (output->kind == PS_COMPRESSION_NONE || output->whole)
        return true;
    return write_end(output, output->debt.length > 0 ? &output->debt : &output->none);
}

void ps_compressed_output_found(struct ps_compressed_output *output, uint64_t size)
{
    struct ps_file_output *file = output->file;
    if (output->kind == PS_COMPRESSION_NONE || size == file->length)
        return;
    library_reset(output);
    output->debt.length = 0;
    output->whole = false;
    file->length = size;
    file->torn = 0;
}
