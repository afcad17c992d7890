/* Compressed files whose names match, such as those that logrotate makes, are not read, because their bytes are not lines. The
 * beginning of each text is compared with the files that were read, and the log tells what is not read, and how to read it. */
#include "stages/lib/decompressor.h"
#include "stages/lib/tail/tailer/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFLATE_RATIO_MAX 1032
#define GZIP_BYTES_MIN 18
/* Compressed bytes that are needed for the beginning of the text: zstd decompresses whole blocks of up to 128 KiB. */
#define BEGINNING_BYTES (136U * 1024U)

/* Returns the format of a file with this beginning, or NULL. Checks more than the first letters of bzip2, because a text may begin with them. */
static const char *format_of(const char *head, size_t length)
{
    static const struct {
        const char *name, *magic;
        size_t length;
    } formats[] = {{"xz",
                    "\xfd"
                    "7zXZ\0",
                    6},
                   {"lz4", "\x04\x22\x4d\x18", 4},
                   {"lzop",
                    "\x89"
                    "LZO\0",
                    5},
                   {"lzip", "LZIP\x01", 5},
                   {"lzma", "\x5d\0\0", 3},
                   {"compress", "\x1f\x9d", 2},
                   {"zip", "PK\x03\x04", 4}};
    enum ps_compression kind = ps_compression_of(head, length);
    if (kind != PS_COMPRESSION_NONE)
        return kind == PS_COMPRESSION_GZIP ? "gzip" : "zstd";
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        if (length >= formats[i].length && memcmp(head, formats[i].magic, formats[i].length) == 0)
            return formats[i].name;
    }
    bool bzip2 = length >= 10 && memcmp(head, "BZh", 3) == 0 && head[3] >= '1' && head[3] <= '9' &&
                 (memcmp(head + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
                  memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
    return bzip2 ? "bzip2" : NULL;
}

bool ps_tail_is_compressed(const char *head, size_t length)
{
    return format_of(head, length) != NULL;
}

/* ---- the beginning of a compressed file's text ---- */

bool ps_tail_start_of(struct ps_tail_start *start, const char *bytes, size_t length)
{
    struct ps_decompressor decompressor = {.library = NULL};
    enum ps_compression kind = ps_compression_of(bytes, length);
    enum ps_decompressed result = PS_DECOMPRESSED;
    size_t at = 0, taken = 1, made = 0;
    *start = (struct ps_tail_start){.format = format_of(bytes, length)};
    if (kind == PS_COMPRESSION_NONE)
        return true;
    if (!ps_decompressor_begin(&decompressor, kind))
        result = PS_DECOMPRESSED_MEMORY;
    while (result == PS_DECOMPRESSED && taken + made > 0 && start->text_length < sizeof start->text) {
        result = ps_decompressor_run(&decompressor, (const uint8_t *)bytes + at, length - at, &taken,
                                     start->text + start->text_length,
                                     sizeof start->text - start->text_length, &made);
        at += taken;
        start->text_length += made;
    }
    ps_decompressor_fini(&decompressor);
    if (result == PS_DECOMPRESSED_MEMORY) {
        errno = ENOMEM;
        return false;
    }
    int64_t text_bytes = kind == PS_COMPRESSION_ZSTD ? ps_zstd_text_bytes(bytes, length) : -1;
    start->is_certain = text_bytes >= 0;
    start->text_bytes = text_bytes >= 0 ? text_bytes : 0;
    return true;
}

struct ps_tail_identity ps_tail_start_identity(const struct ps_tail_start *start,
                                               const struct ps_tail_identity *file)
{
    struct ps_tail_identity identity = *file;
    identity.head_length = (uint32_t)start->text_length;
    identity.head = ps_tail_head(start->text, start->text_length);
    return identity;
}

/* Reads the text's length modulo 2^32 at the end of a gzip file (RFC 1952, ISIZE). An incomplete file ends with
 * other bytes, so the number is certain only if the file is large enough for a text of this length (deflate
 * compresses at most 1,032 to 1) and too small for a text that is 2^32 bytes longer. Returns false with errno
 * if the file cannot be read. */
static bool gzip_length_read(struct ps_tail_start *start, int fd, int64_t size)
{
    unsigned char last[4];
    int64_t most = size * DEFLATE_RATIO_MAX;
    if (size < GZIP_BYTES_MIN)
        return true;
    ssize_t length = ps_tail_read_fully(fd, (char *)last, sizeof last, size - (int64_t)sizeof last);
    if (length != sizeof last) /* the file was truncated meanwhile */
        return length >= 0;
    start->text_bytes =
        (int64_t)last[0] | (int64_t)last[1] << 8 | (int64_t)last[2] << 16 | (int64_t)last[3] << 24;
    start->is_certain = start->text_bytes <= most && most <= (int64_t)UINT32_MAX;
    return true;
}

bool ps_tail_start_read(struct ps_tail_start *start, int fd, int64_t size)
{
    char *bytes = ps_must_alloc(BEGINNING_BYTES, 1, "a compressed file");
    ssize_t length = ps_tail_read_fully(fd, bytes, BEGINNING_BYTES, 0);
    bool gzip = length > 0 && ps_compression_of(bytes, (size_t)length) == PS_COMPRESSION_GZIP;
    bool good = length >= 0 && ps_tail_start_of(start, bytes, (size_t)length);
    int error = errno;
    free(bytes);
    errno = error;
    return good && (!gzip || gzip_length_read(start, fd, size));
}

/* ---- compressed files that are not read ---- */

/* The search for the file that begins like the text; a file without a name is preferred. */
struct compressed {
    const struct ps_tailer *tailer;
    const struct ps_tail_log *log, *original;
    const struct ps_tail_position *position;
};

static bool original_visit(void *compressed_, struct ps_tail_fingerprint_entry *entry)
{
    struct compressed *compressed = compressed_;
    const struct ps_tailer *tailer = compressed->tailer;
    const struct ps_tail_log *other = entry->owner;
    if (other == NULL) {
        const struct ps_tail_position *position =
            &tailer->remembered.positions.items[entry - tailer->remembered.fingerprints];
        if (compressed->position == NULL && position->path[0] != '\0' && position->offset > 0)
            compressed->position = position;
    } else if (entry == &other->head && other != compressed->log && other->resolved && !other->compressed &&
               other->state != PS_TAIL_LOG_COPY) {
        compressed->original = other;
    }
    return compressed->original == NULL || compressed->original->named;
}

/* Logs that the original is gone: only the compressed file has its last lines. */
static void rest_is_lost(struct ps_tailer *tailer, const struct ps_tail_log *log,
                         const struct ps_tail_start *start, int64_t position)
{
    static const char cure[] =
        "To have them, decompress it, and write the bytes behind that byte (tail -c +%lld) to a new file "
        "of the group; delaycompress of logrotate avoids this";
    char advice[sizeof cure + 20];
    int64_t lost = start->text_bytes - position;
    if ((uint32_t)start->text_bytes == (uint32_t)position || (start->is_certain && lost <= 0))
        return;
    snprintf(advice, sizeof advice, cure, (long long)position + 1);
    if (!start->is_certain) {
        ps_log(PS_LOG_WARN, tailer->port->component,
               "%s is a file that was read to byte %lld, compressed with %s: it is not complete, or may be "
               "longer than 4 GiB, or does not say how long its text is, so that nobody can tell how many "
               "bytes were not read. %s",
               log->path, (long long)position, start->format, advice);
        return;
    }
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s is a file that was read to byte %lld, compressed with %s before its rest was read: these "
           "%lld bytes are not read. %s",
           log->path, (long long)position, start->format, (long long)lost, advice);
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes, (uint64_t)lost);
}

void ps_tail_compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log,
                              const struct ps_tail_start *start)
{
    log->compressed = true;
    ps_tail_log_move(tailer, log, log->size, log->size);
    if (start->text_length == 0) {
        /* The format cannot be decompressed, or the first bytes of the file are still being written. */
        ps_log(PS_LOG_INFO, tailer->port->component,
               "%s is compressed with %s: it is not read, and not compared with files that were read; if its "
               "lines are new, decompress it to a file of the group",
               log->path, start->format);
        return;
    }
    struct compressed compressed = {.tailer = tailer, .log = log};
    ps_tail_fingerprint_index_find(&tailer->fingerprints, start->text, start->text_length, original_visit,
                                   &compressed);
    const struct ps_tail_log *original = compressed.original;
    const struct ps_tail_position *position = original == NULL ? compressed.position : NULL;
    if (original == NULL && position == NULL)
        ps_log(
            PS_LOG_WARN, tailer->port->component,
            "%s is compressed with %s, and begins like no file that was read before: it is not read. To "
            "have its lines, decompress it to a file of the group, or move it to the directory of a source "
            "of the type spooldir, which reads compressed files",
            log->path, start->format);
    else
        ps_log(PS_LOG_DEBUG, tailer->port->component, "%s is a file that was read, compressed", log->path);
    if (position != NULL)
        rest_is_lost(tailer, log, start, position->offset);
    else if (original != NULL && original->file.fd < 0 && (!original->named || original->cut_waits))
        rest_is_lost(tailer, log, start, original->read_offset);
}
