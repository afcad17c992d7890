/* A new file may be a copy of one that is followed: "copytruncate" copies a log and then cuts it, editors and moves between
 * file systems write a copy and remove the original, and rotated logs are compressed. What was read of the original is not
 * read again, and what was not read of it is read from the copy. A copy whose original lives on untouched is a file of its
 * own. */
#include "stages/tail/tailer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

bool ps_tail_is_compressed(const char *head, size_t length)
{
    static const struct {
        const char *magic;
        size_t length;
    } formats[] = {{"\x1f\x8b\x08", 3},
                   {"BZh", 3},
                   {"\xfd"
                    "7zXZ\0",
                    6},
                   {"\x28\xb5\x2f\xfd", 4}};
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        if (length >= formats[i].length && memcmp(head, formats[i].magic, formats[i].length) == 0)
            return true;
    }
    return false;
}

/* Decompresses the beginning. Returns how many bytes; 0: it is not gzip, or too little of it is there. */
static size_t inflate_head(const char *head, size_t length, char *to, size_t room)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)head, .avail_in = (uInt)length};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return 0;
    stream.next_out = (Bytef *)to;
    stream.avail_out = (uInt)room;
    (void)inflate(&stream, Z_SYNC_FLUSH);
    size_t used = room - stream.avail_out;
    (void)inflateEnd(&stream);
    return used;
}

static bool begins_like(const struct ps_tail_identity *identity, const char *head, size_t length)
{
    return identity->head_length > 0 && identity->head_length <= length &&
           ps_tail_head(head, identity->head_length) == identity->head;
}

/* Whether so much of the beginning is known that another file hardly has it by chance. */
static bool is_known(const struct ps_tail_identity *identity, int64_t offset, size_t length)
{
    int64_t want = offset < (int64_t)PS_TAIL_HEAD_BYTES ? offset : (int64_t)PS_TAIL_HEAD_BYTES;
    return identity->head_length >= want &&
           (offset > 0 || identity->head_length >= PS_TAIL_LAST_BYTES || identity->head_length == length);
}

/* The file that begins in this way; rather one that has no name any more. */
static struct ps_tail_log *original_find(struct ps_tailer *tailer, const struct ps_tail_log *log,
                                         const char *head, size_t length)
{
    struct ps_tail_log *found = NULL;
    for (uint32_t i = 0; i < tailer->log_room; i++) {
        struct ps_tail_log *other = tailer->logs[i];
        if (other == NULL || other == log || !other->resolved || other->compressed ||
            other->state == PS_TAIL_LOG_COPY)
            continue;
        if (other->identity.head_length > 0 && !begins_like(&other->identity, head, length))
            continue;
        if (!is_known(&other->identity, other->read_offset, length))
            ps_tail_log_grow(tailer, other);
        if (begins_like(&other->identity, head, length) &&
            is_known(&other->identity, other->read_offset, length) &&
            (found == NULL || (found->named && !other->named)))
            found = other;
    }
    return found;
}

/* A file from before the start that begins in this way, and was not found. */
static struct ps_tail_position *position_find(const struct ps_tailer *tailer, const char *head, size_t length)
{
    for (size_t i = 0; i < tailer->remembered.count; i++) {
        struct ps_tail_position *position = &tailer->remembered.items[i];
        if (position->path[0] != '\0' && position->offset > 0 &&
            begins_like(&position->identity, head, length) &&
            is_known(&position->identity, position->offset, length))
            return position;
    }
    return NULL;
}

/* A file that began anew, and began in this way before. */
static struct ps_tail_log *earlier_find(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                                        const char *head, size_t length)
{
    for (uint32_t i = 0; i < tailer->log_room; i++) {
        struct ps_tail_log *other = tailer->logs[i];
        if (other != NULL && other != log && other->earlier.until_ns > tailer->now_ns &&
            other->earlier.read_offset > 0 && begins_like(&other->earlier.identity, head, length) &&
            is_known(&other->earlier.identity, other->earlier.read_offset, length))
            return other;
    }
    return NULL;
}

/* It is read on from where its original was; if it differs there, from its beginning. What is not delivered of the original
 * is read again after a crash. */
static void go_on_from(struct ps_tailer *tailer, struct ps_tail_log *log, const struct ps_tail_earlier *from)
{
    log->identity.head = from->identity.head;
    log->identity.head_length = from->identity.head_length;
    memcpy(log->last, from->last, from->last_length);
    log->last_length = from->last_length;
    memcpy(log->before, from->lives, sizeof log->before);
    log->resolved = true;
    log->original = NULL;
    log->state = PS_TAIL_LOG_CLOSED;
    ps_tail_log_move(tailer, log, from->read_offset, from->delivered_offset);
    ps_tail_log_queue(tailer, log);
}

/* What was not read of a file that is gone stands in its compressed form alone, which is not read. */
static void rest_is_lost(struct ps_tailer *tailer, const struct ps_tail_log *log, int64_t plain_bytes,
                         int64_t position)
{
    if (plain_bytes <= position)
        return;
    ps_log(PS_LOG_WARN, tailer->port->component,
           "%s is a file that was read to byte %lld, compressed before its rest was read: these %lld bytes "
           "are not read",
           log->path, (long long)position, (long long)(plain_bytes - position));
    ps_count(tailer->port->counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes,
             (uint64_t)(plain_bytes - position));
}

void ps_tail_compressed_found(struct ps_tailer *tailer, struct ps_tail_log *log,
                              const struct ps_tail_start *start)
{
    char plain[PS_TAIL_HEAD_BYTES];
    size_t length = inflate_head(start->head, start->length, plain, sizeof plain);
    log->compressed = true;
    ps_tail_log_move(tailer, log, log->size, log->size);
    if (length == 0) { /* another format, or its first bytes are being written */
        ps_log(PS_LOG_INFO, tailer->port->component, "%s is compressed: it is not read", log->path);
        return;
    }
    const struct ps_tail_log *original = original_find(tailer, log, plain, length);
    const struct ps_tail_position *position = original == NULL ? position_find(tailer, plain, length) : NULL;
    if (original == NULL && position == NULL)
        ps_log(PS_LOG_WARN, tailer->port->component,
               "%s is compressed, and is no file that was read before: it is not read", log->path);
    else
        ps_log(PS_LOG_DEBUG, tailer->port->component, "%s is a file that was read, compressed", log->path);
    if (position != NULL)
        rest_is_lost(tailer, log, start->plain_bytes, position->offset);
    else if (original != NULL && original->file.fd < 0 && (!original->named || original->cut_waits))
        rest_is_lost(tailer, log, start->plain_bytes, original->read_offset);
}

bool ps_tail_copy_found(struct ps_tailer *tailer, struct ps_tail_log *log, const struct ps_tail_start *start,
                        int64_t *offset)
{
    const char *head = start->head;
    size_t length = start->length;
    if (ps_tail_is_compressed(head, length)) {
        ps_tail_compressed_found(tailer, log, start);
        return true;
    }
    struct ps_tail_log *original = earlier_find(tailer, log, head, length);
    if (original != NULL) {
        go_on_from(tailer, log, &original->earlier);
        original->earlier.until_ns = 0;
        return true;
    }
    original = original_find(tailer, log, head, length);
    struct ps_tail_position *position = original == NULL ? position_find(tailer, head, length) : NULL;
    if (position != NULL) {
        original = ps_tail_log_by_inode(tailer, position->identity.device, position->inode);
        if (original == NULL || original->resolved) { /* gone, or begun anew */
            *offset = position->offset;
            position->path[0] = '\0';
            return false;
        }
    }
    if (original == NULL)
        return false;
    log->original = original;
    log->state = PS_TAIL_LOG_COPY;
    if (log->copy_since_ns == 0)
        log->copy_since_ns = tailer->now_ns;
    log->copy_until_ns = tailer->now_ns + PS_TAIL_GRACE_NS;
    tailer->copy_count++;
    return true;
}

void ps_tail_copy_takes_over(struct ps_tailer *tailer, struct ps_tail_log *original)
{
    bool any = false;
    for (uint32_t i = 0; tailer->copy_count > 0 && i < tailer->log_room; i++) {
        struct ps_tail_log *log = tailer->logs[i];
        if (log != NULL && log->original == original) {
            struct ps_tail_earlier earlier = ps_tail_log_earlier(tailer, original);
            go_on_from(tailer, log, &earlier);
            any = true;
        }
    }
    if (any) /* the next copy is one of the copy */
        original->identity.head_length = 0;
}

bool ps_tail_copy_is_there(const struct ps_tailer *tailer, const struct ps_tail_log *original)
{
    for (uint32_t i = 0; tailer->copy_count > 0 && i < tailer->log_room; i++) {
        if (tailer->logs[i] != NULL && tailer->logs[i]->original == original)
            return true;
    }
    return false;
}

void ps_tail_copy_changed(struct ps_tailer *tailer, struct ps_tail_log *log)
{
    if (tailer->now_ns - log->copy_since_ns >= PS_TAIL_COPY_MAX_NS)
        return; /* it is read soon, whatever it is */
    log->original = NULL;
    log->resolved = false;
    log->state = PS_TAIL_LOG_CLOSED;
}

/* Whether nothing more comes of a file whose name is gone. */
static bool is_over(const struct ps_tail_log *log)
{
    return !log->named && !log->queued && !log->waits && log->state != PS_TAIL_LOG_OPENING &&
           log->read_offset == log->delivered_offset;
}

/* Whether the other one is the copy: this one has grown beyond it, and it was read to its end. */
static bool is_behind(const struct ps_tailer *tailer, const struct ps_tail_log *original,
                      const struct ps_tail_log *log)
{
    return tailer->now_ns - log->copy_since_ns >= PS_TAIL_SETTLE_NS && log->size > original->size &&
           original->read_offset > 0 && original->read_offset >= original->size &&
           original->read_offset == original->delivered_offset && !original->queued && !original->waits &&
           original->state != PS_TAIL_LOG_OPENING;
}

/* Whether it was cut, or is gone, and only its delivery is waited for. */
static bool waits_for_delivery(const struct ps_tail_log *original)
{
    return (original->cut_waits || !original->named) && original->read_offset != original->delivered_offset;
}

/* Whether the original of a copy that waited long enough is still what it was. If that is not known, it is looked at. */
static bool lives_on(struct ps_tailer *tailer, struct ps_tail_log *original, uint64_t since_ns)
{
    if (!original->named || original->checked_ns >= since_ns)
        return true;
    if (original->queued || original->waits || original->cut_waits || original->deferred ||
        original->state == PS_TAIL_LOG_OPENING)
        return false; /* it is read, or looked at, soon; nothing is while the channel is full */
    ps_tail_log_open(tailer, original);
    return original->state != PS_TAIL_LOG_OPENING;
}

uint64_t ps_tail_copies_tick(struct ps_tailer *tailer)
{
    uint64_t next_ns = PS_NEVER;
    uint32_t count = 0;
    for (uint32_t i = 0; tailer->copy_count > 0 && i < tailer->log_room; i++) {
        struct ps_tail_log *log = tailer->logs[i];
        if (log == NULL || log->state != PS_TAIL_LOG_COPY)
            continue;
        if (log->original != NULL && (is_over(log->original) || is_behind(tailer, log->original, log))) {
            ps_tail_copy_takes_over(tailer, log->original);
        } else if (log->original == NULL ||
                   (tailer->now_ns >= log->copy_until_ns && !waits_for_delivery(log->original) &&
                    lives_on(tailer, log->original, log->copy_until_ns))) {
            log->original = NULL;
            log->state = PS_TAIL_LOG_CLOSED;
            log->resolved = true;
            ps_tail_log_queue(tailer, log);
        } else {
            count++;
            uint64_t look_ns = tailer->now_ns + PS_TAIL_SETTLE_NS / 2;
            if (log->copy_until_ns > tailer->now_ns && log->copy_until_ns < look_ns)
                look_ns = log->copy_until_ns;
            next_ns = look_ns < next_ns ? look_ns : next_ns;
        }
    }
    tailer->copy_count = count;
    return next_ns;
}
