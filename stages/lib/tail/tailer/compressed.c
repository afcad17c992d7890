/* Compressed files whose names match, such as those that logrotate makes, are left out, because their bytes are not lines. */
#include "stages/lib/decompressor.h"
#include "stages/lib/tail/tailer/internal.h"

#include <string.h>

/* Checks more than the first letters of bzip2, because a text may begin with them. */
const char *ps_tail_compression(const char *head, size_t length)
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

void ps_tail_compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log, const char *compression)
{
    log->compressed = true;
    ps_tail_log_move(tailer, log, log->size, log->size);
    ps_log(PS_LOG_INFO, tailer->port->component,
           "%s is compressed with %s: it is left out. Lines that the source did not read before it was "
           "compressed are not read: decompress it to a file of the group, or let a source of the type "
           "spooldir read it (gzip, zstd)",
           log->path, compression);
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_compressed_files, 1);
}
