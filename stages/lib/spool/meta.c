/* See meta.h. */
#include "stages/lib/spool/meta.h"

#include "core/clock.h"
#include "core/durable.h"
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* bytes at the beginning and at the end of a positions file that are read: Flume's file grows by 20 bytes with each
 * commit */
#define PART_BYTES (64U * 1024U)
#define INODE_KEY "penstock.file"
#define BORN_KEY "penstock.born" /* time of birth of the file: its inode is used again after it is deleted */
#define COMPRESSION_KEY "penstock.compression"
#define STATE_KEY "penstock.state"   /* size and ctime of a file that is left alone */
#define EVENTS_KEY "penstock.events" /* before the position */

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"TransferStateFileMeta\",\"namespace\":\"org.apache.flume."
    "serialization\",\"fields\":[{\"name\":\"offset\",\"type\":\"long\"}]}";

struct ps_spool_state ps_spool_state_of(const struct stat *status)
{
    return (struct ps_spool_state){.size = (uint64_t)status->st_size,
                                   .changed_ns = (uint64_t)status->st_ctim.tv_sec * PS_NS_PER_S +
                                                 (uint64_t)status->st_ctim.tv_nsec};
}

bool ps_spool_is_same_state(struct ps_spool_state a, struct ps_spool_state b)
{
    return a.size == b.size && a.changed_ns == b.changed_ns;
}

void ps_spool_meta_fini(struct ps_spool_meta *meta)
{
    free(meta->target);
    *meta = (struct ps_spool_meta){.target = NULL};
}

/* ---- reading ---- */

/* Reads the last record of the complete blocks at `at`; an incomplete block after them is ignored. */
static bool last_of(const struct ps_avro_container *container, const uint8_t *at, const uint8_t *end,
                    int64_t *offset)
{
    bool any = false;
    struct ps_avro_block block;
    while (ps_avro_container_block(container, at, (size_t)(end - at), PART_BYTES, &block) ==
           PS_AVRO_CONTAINER_OK) {
        const uint8_t *record = block.data, *stop = block.data + block.data_length;
        for (int64_t i = 0; i < block.record_count && record < stop; i++) {
            int64_t number;
            if (!ps_avro_get_long(&record, stop, &number))
                return any;
            *offset = number;
            any = true;
        }
        at += block.length;
    }
    return any;
}

/* Reads two numbers with a colon between; they are unchanged if the metadata has no such key. */
static void pair_parse(const struct ps_avro_container *container, const char *key, uint64_t *first,
                       uint64_t *second)
{
    struct ps_slice text;
    char copy[64];
    unsigned long long left, right;
    if (!ps_avro_container_meta(container, key, &text) || text.length >= sizeof copy)
        return;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (sscanf(copy, "%llu:%llu", &left, &right) != 2)
        return;
    *first = left;
    *second = right;
}

static const char *const compression_words[] = {"none", "gzip", "zstd"};

static void compression_parse(const struct ps_avro_container *container, struct ps_spool_meta *meta)
{
    struct ps_slice text;
    if (!ps_avro_container_meta(container, COMPRESSION_KEY, &text))
        return;
    for (unsigned i = 0; i < PS_COUNT_OF(compression_words); i++) {
        if (text.length == strlen(compression_words[i]) &&
            memcmp(text.data, compression_words[i], text.length) == 0)
            meta->compression = (enum ps_compression)i;
    }
}

/* Reads a number. Returns false if the metadata has no such key, or something else there. */
static bool number_parse(const struct ps_avro_container *container, const char *key, uint64_t *number)
{
    struct ps_slice text;
    char copy[32], *end;
    if (!ps_avro_container_meta(container, key, &text) || text.length == 0 || text.length >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    unsigned long long value = strtoull(copy, &end, 10);
    if (*end != '\0')
        return false;
    *number = value;
    return true;
}

static enum ps_spool_meta_read damaged(struct ps_err *err, const char *reason)
{
    ps_err_set(err, "%s", reason);
    return PS_SPOOL_META_DAMAGED;
}

enum ps_spool_meta_read ps_spool_meta_parse(const uint8_t *head, size_t head_length, const uint8_t *tail,
                                            size_t tail_length, struct ps_spool_meta *meta,
                                            struct ps_err *err)
{
    struct ps_avro_container container;
    struct ps_slice target, codec;
    *meta = (struct ps_spool_meta){.target = NULL};
    if (ps_avro_container_open(head, head_length, &container) != PS_AVRO_CONTAINER_OK ||
        !ps_avro_container_meta(&container, "file", &target))
        return damaged(err, "is not a positions file of a spooling directory");
    if (ps_avro_container_meta(&container, "avro.codec", &codec) &&
        !(codec.length == 4 && memcmp(codec.data, "null", 4) == 0))
        return damaged(err, "is compressed");
    if (memchr(target.data, '\0', target.length) != NULL)
        return damaged(err, "names no file");
    int64_t offset = 0;
    if (!last_of(&container, head + container.length, head + head_length, &offset) || tail != head) {
        const uint8_t *at = ps_avro_container_sync(&container, tail, tail_length);
        if (at != NULL)
            (void)last_of(&container, at, tail + tail_length, &offset);
    }
    meta->target = strndup(target.data, target.length);
    if (meta->target == NULL) {
        ps_err_set(err, "no memory");
        return PS_SPOOL_META_UNREADABLE;
    }
    meta->position = offset < 0 ? 0 : (uint64_t)offset;
    pair_parse(&container, INODE_KEY, &meta->device, &meta->inode);
    pair_parse(&container, STATE_KEY, &meta->state.size, &meta->state.changed_ns);
    compression_parse(&container, meta);
    (void)number_parse(&container, BORN_KEY, &meta->born_ns);
    meta->counted = number_parse(&container, EVENTS_KEY, &meta->events);
    return PS_SPOOL_META_READ;
}

/* Returns PS_SPOOL_META_READ if all `length` bytes were read. */
static enum ps_spool_meta_read part_read(int fd, uint8_t *to, size_t length, off_t offset, struct ps_err *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(fd, to + done, length - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            ps_err_set(err, "%s", strerror(errno));
            return PS_SPOOL_META_UNREADABLE;
        }
        if (got == 0) {
            ps_err_set(err, "became shorter while it was read");
            return PS_SPOOL_META_UNREADABLE; /* Flume is writing the file */
        }
        done += (size_t)got;
    }
    return PS_SPOOL_META_READ;
}

static enum ps_spool_meta_read parts_read(int fd, struct ps_spool_meta *meta, struct ps_err *err)
{
    struct stat status;
    bool known = fstat(fd, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
        ps_err_set(err, "%s", known ? "is not a regular file" : strerror(errno));
        return PS_SPOOL_META_UNREADABLE;
    }
    size_t size = (size_t)status.st_size, part = size < PART_BYTES ? size : PART_BYTES;
    if (size == 0)
        return PS_SPOOL_META_READ;
    uint8_t *head = malloc(part), *tail = size > part ? malloc(part) : head;
    enum ps_spool_meta_read result = PS_SPOOL_META_UNREADABLE;
    if (head == NULL || tail == NULL)
        ps_err_set(err, "no memory");
    else
        result = part_read(fd, head, part, 0, err);
    if (result == PS_SPOOL_META_READ)
        result = part_read(fd, tail, part, (off_t)(size - part), err);
    if (result == PS_SPOOL_META_READ)
        result = ps_spool_meta_parse(head, part, tail, part, meta, err);
    if (tail != head)
        free(tail);
    free(head);
    return result;
}

enum ps_spool_meta_read ps_spool_meta_read(const char *path, struct ps_spool_meta *meta, struct ps_err *err)
{
    *meta = (struct ps_spool_meta){.target = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return PS_SPOOL_META_READ;
    struct ps_err reason = {.length = 0};
    enum ps_spool_meta_read result = PS_SPOOL_META_UNREADABLE;
    if (fd < 0)
        ps_err_set(&reason, "%s", strerror(errno));
    else
        result = parts_read(fd, meta, &reason);
    if (fd >= 0)
        close(fd);
    if (result != PS_SPOOL_META_READ)
        ps_err_set(err, "%s: %s", path, reason.text);
    return result;
}

/* ---- writing ---- */

static size_t encode(const struct ps_spool_meta *meta, char *out, size_t room)
{
    char inode[64], born[32], state[64], events[32];
    uint8_t sync[PS_AVRO_SYNC_BYTES];
    if (getrandom(sync, sizeof sync, GRND_NONBLOCK) != sizeof sync)
        memset(sync, 0xA5, sizeof sync); /* the marker need not be secret, only rare in longs */
    snprintf(inode, sizeof inode, "%llu:%llu", (unsigned long long)meta->device,
             (unsigned long long)meta->inode);
    snprintf(state, sizeof state, "%llu:%llu", (unsigned long long)meta->state.size,
             (unsigned long long)meta->state.changed_ns);
    snprintf(born, sizeof born, "%llu", (unsigned long long)meta->born_ns);
    snprintf(events, sizeof events, "%llu", (unsigned long long)meta->events);
    const char *pairs[15] = {"avro.schema", schema, "file", meta->target, INODE_KEY, inode};
    size_t count = 6;
    if (meta->born_ns != 0) {
        pairs[count++] = BORN_KEY;
        pairs[count++] = born;
    }
    if (meta->compression != PS_COMPRESSION_NONE) {
        pairs[count++] = COMPRESSION_KEY;
        pairs[count++] = compression_words[meta->compression];
    }
    if (meta->state.changed_ns > 0) {
        pairs[count++] = STATE_KEY;
        pairs[count++] = state;
    }
    if (meta->counted) {
        pairs[count++] = EVENTS_KEY;
        pairs[count++] = events;
    }
    size_t length = ps_avro_container_header_write(pairs, sync, out, room);
    char number[PS_AVRO_LONG_BYTES_MAX];
    size_t number_length = ps_avro_put_long(number, (int64_t)meta->position);
    if (length == 0 || room - length < 2 * PS_AVRO_LONG_BYTES_MAX + number_length + sizeof sync)
        return 0;
    length += ps_avro_put_long(out + length, 1);
    length += ps_avro_put_long(out + length, (int64_t)number_length);
    memcpy(out + length, number, number_length);
    length += number_length;
    memcpy(out + length, sync, sizeof sync);
    return length + sizeof sync;
}

enum ps_status ps_spool_meta_write(const char *path, const struct ps_spool_meta *meta, struct ps_err *err)
{
    char bytes[8192], beside[4200];
    size_t length = encode(meta, bytes, sizeof bytes);
    if (length == 0 || snprintf(beside, sizeof beside, "%s.tmp", path) >= (int)sizeof beside)
        return ps_err_set(err, "%s: the file's path is too long", path);
    int error = ps_file_replace(path, beside, 0644, bytes, length);
    if (error == 0)
        return PS_OK;
    return ps_err_set(err, "%s: %s", path, strerror(error));
}
