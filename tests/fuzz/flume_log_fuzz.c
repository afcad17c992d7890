/* Files of Flume's file channel. The first byte says which: a log, an encrypted one, log-N.meta, or checkpoint.meta. A log is
 * replayed, and the events that are left are read. */
#include "stages/lib/flume_log/log_file.h"
#include "stages/lib/flume_log/replay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void look_at(struct ps_slice bytes)
{
    for (uint32_t i = 0; i < bytes.length; i++)
        sum += (uint8_t)bytes.data[i];
}

static void event_of(const struct ps_flume_record *record)
{
    struct ps_flume_event_reader reader;
    struct ps_flume_header header;
    look_at(ps_flume_event_body(record));
    ps_flume_event_begin(&reader, record);
    while (ps_flume_event_header(&reader, &header)) {
        look_at(header.name);
        look_at(header.value);
    }
}

/* As in tests/support/flume_log.h. */
static struct ps_flume_cipher *cipher_make(void)
{
    struct ps_key key = {.length = 16};
    uint8_t block[PS_FLUME_CIPHER_BLOCK_BYTES];
    for (unsigned i = 0; i < 16; i++) {
        key.bytes[i] = (uint8_t)(0x11 * i);
        block[15 - i] = key.bytes[i];
    }
    return ps_flume_cipher_create(&key, block);
}

static void read_log(const uint8_t *data, size_t size, bool encrypted)
{
    struct ps_flume_log_file *file = ps_must_alloc(1, sizeof *file, "a log");
    struct ps_flume_replay replay = {0};
    struct ps_flume_record record;
    struct ps_flume_damage damage;
    enum ps_flume_reading reading;
    uint32_t offset;
    uint64_t end = 0, pointer;
    file->path = ps_must_copy_text("log-1", "a log");
    file->fd = memfd_create("log", 0);
    PS_ASSERT(file->fd >= 0 && write(file->fd, data, size) == (ssize_t)size);
    file->number = 1;
    file->size = size;
    file->cipher = encrypted ? cipher_make() : NULL;
    ps_flume_replay_begin(&replay, NULL);
    while ((reading = ps_flume_log_file_next(file, &record, &offset, &damage)) != PS_FLUME_DONE) {
        uint64_t at = reading == PS_FLUME_READ ? offset : damage.offset;
        PS_ASSERT(at >= end && at < size); /* each step advances, so the loop ends */
        end = at + 1;
        if (reading == PS_FLUME_READ)
            ps_flume_replay_record(&replay, &record, ps_flume_pointer(1, offset));
        else
            ps_flume_replay_damage(&replay);
    }
    ps_flume_replay_end(&replay);
    for (size_t at = 0; (pointer = ps_flume_replay_next(&replay, &at)) != 0;) {
        PS_ASSERT(ps_flume_log_file_load(file, (uint32_t)pointer, &record) == NULL);
        PS_ASSERT(record.frame.kind == PS_FLUME_PUT);
        event_of(&record);
    }
    ps_flume_replay_fini(&replay);
    ps_flume_log_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_flume_meta meta;
    struct ps_flume_checkpoint_meta checkpoint;
    uint32_t log, count;
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 'm':
        if (ps_flume_meta_read(data + 1, size - 1, &meta)) {
            look_at(meta.cipher);
            look_at(meta.key_alias);
            look_at(meta.parameters);
        }
        break;
    case 'c':
        if (ps_flume_checkpoint_meta_read(data + 1, size - 1, &checkpoint))
            while (ps_flume_checkpoint_log(&checkpoint, &log, &count))
                sum += log + count;
        break;
    case 'e':
        read_log(data + 1, size - 1, true);
        break;
    default:
        read_log(data + 1, size - 1, false);
    }
    return 0;
}
