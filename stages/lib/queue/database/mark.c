#include "stages/lib/queue/database/mark.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/crc32c.h"
#include "core/durable.h"
#include "core/log/log.h"
#include "core/name.h"

#define MAGIC "penstock mark 1\n"
#define MARK_BYTES 40U
#define NAME_BYTES_MAX 64U

struct layout {
    char magic[16];
    uint64_t last, events;
    uint32_t checksum, unused; /* `checksum`: CRC32C of the bytes before it */
};
_Static_assert(sizeof(struct layout) == MARK_BYTES, "the layout has no gaps");

static uint32_t checksum_of(const struct layout *layout)
{
    return ps_crc32c(0, layout, offsetof(struct layout, checksum));
}

/* A channel's name may have any character; the hash distinguishes names that look the same after the replacement. */
static void path_of(const char *database, const char *channel, char *path, size_t room)
{
    char name[NAME_BYTES_MAX + 1];
    size_t length = 0;
    for (; channel[length] != '\0' && length < NAME_BYTES_MAX; length++)
        name[length] = isalnum((unsigned char)channel[length]) ? channel[length] : '_';
    name[length] = '\0';
    snprintf(path, room, "%s-promised-%s-%08x", database, name, ps_name_hash(channel, strlen(channel)));
}

enum ps_status ps_promised_mark_open(struct ps_promised_mark *mark, const char *database, const char *channel,
                                     const char *component, struct ps_err *err)
{
    char path[4096];
    struct layout layout;
    path_of(database, channel, path, sizeof path);
    *mark = (struct ps_promised_mark){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640)};
    if (mark->fd < 0) {
        ps_log(PS_LOG_WARN, component,
               "%s cannot be opened: %s; if the -wal of the database is lost, nothing will say so", path,
               strerror(errno));
        return PS_OK;
    }
    ssize_t got = pread(mark->fd, &layout, sizeof layout, 0);
    if (got < 0) {
        ps_err_set(
            err,
            "%s cannot be read: %s; it says which events were acknowledged; without it, a lost -wal of the "
            "database is not noticed: remove the file to do without",
            path, strerror(errno));
        ps_promised_mark_close(mark);
        return PS_FAIL;
    }
    if (got == 0) /* the file is new: syncs its name, so that it survives a power cut */
        (void)ps_directory_sync_above(path);
    if (got != (ssize_t)sizeof layout || memcmp(layout.magic, MAGIC, sizeof layout.magic) != 0 ||
        le32toh(layout.checksum) != checksum_of(&layout))
        return PS_OK;
    mark->last = (int64_t)le64toh(layout.last);
    mark->events = le64toh(layout.events);
    return PS_OK;
}

void ps_promised_mark_write(struct ps_promised_mark *mark, int64_t last, uint64_t events)
{
    struct layout layout = {.last = htole64((uint64_t)last), .events = htole64(events)};
    if (mark->fd < 0 || (mark->last == last && mark->events == events))
        return;
    memcpy(layout.magic, MAGIC, sizeof layout.magic);
    layout.checksum = htole32(checksum_of(&layout));
    /* A failed write leaves an older mark, or none: then a loss may not be noticed, but no false loss is reported. */
    mark->dirty |= pwrite(mark->fd, &layout, sizeof layout, 0) == (ssize_t)sizeof layout;
    mark->last = last;
    mark->events = events;
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (!mark->dirty || now_ns < mark->synced_ns + PS_NS_PER_S)
        return;
    mark->synced_ns = now_ns;
    mark->dirty = fdatasync(mark->fd) != 0;
}

void ps_promised_mark_close(struct ps_promised_mark *mark)
{
    if (mark->fd < 0)
        return;
    if (mark->dirty)
        (void)fdatasync(mark->fd);
    close(mark->fd);
    mark->fd = -1;
}
