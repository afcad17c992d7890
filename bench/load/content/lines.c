/* Reads and indexes the file. */
#include "bench/load/content/lines.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST (UINT64_C(1) << 20)

static enum ps_status grow(struct ps_lines *lines, const char *path, struct ps_err *err)
{
    size_t room = lines->room == 0 ? ROOM_FIRST : lines->room * 2;
    if (lines->room > PS_LINES_BYTES_MAX)
        return ps_err_set(err, "%s: the file is larger than %s; use a part of it", path,
                          ps_quantity_print_bytes(PS_LINES_BYTES_MAX).text);
    lines->bytes = ps_must_realloc(lines->bytes, room, "the file of --lines");
    lines->room = room;
    return PS_OK;
}

static enum ps_status bytes_read(struct ps_lines *lines, int fd, const char *path, struct ps_err *err)
{
    for (;;) {
        if (lines->bytes_length == lines->room && grow(lines, path, err) != PS_OK)
            return PS_FAIL;
        ssize_t got = read(fd, lines->bytes + lines->bytes_length, lines->room - lines->bytes_length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ps_err_set(err, "%s: %s", path, strerror(errno));
        if (got == 0)
            return PS_OK;
        lines->bytes_length += (size_t)got;
    }
}

/* Called twice: the first pass counts the lines, the second stores them. */
static enum ps_status lines_split(struct ps_lines *lines, const char *path, struct ps_err *err)
{
    uint64_t number = 0;
    lines->count = 0;
    for (size_t at = 0; at < lines->bytes_length;) {
        const char *start = lines->bytes + at;
        const char *newline = memchr(start, '\n', lines->bytes_length - at);
        size_t length = newline != NULL ? (size_t)(newline - start) : lines->bytes_length - at;
        number++;
        if (length > PS_LINE_BYTES_MAX)
            return ps_err_set(err, "%s:%llu: the line has %s bytes, and the limit is %s", path,
                              (unsigned long long)number, ps_quantity_print_count(length).text,
                              ps_quantity_print_count(PS_LINE_BYTES_MAX).text);
        if (length > 0 && lines->places != NULL) {
            lines->places[2 * lines->count] = at;
            lines->places[2 * lines->count + 1] = at + length;
            if (lines->count == 0 || length < lines->length_min)
                lines->length_min = (uint32_t)length;
            if (length > lines->length_max) {
                lines->length_max = (uint32_t)length;
                lines->longest = number;
            }
        }
        lines->count += length > 0;
        at += length + 1;
    }
    return PS_OK;
}

enum ps_status ps_lines_open(struct ps_lines *lines, const char *path, struct ps_err *err)
{
    *lines = (struct ps_lines){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    enum ps_status status = bytes_read(lines, fd, path, err);
    close(fd);
    if (status == PS_OK)
        status = lines_split(lines, path, err);
    if (status == PS_OK && lines->count == 0)
        status = ps_err_set(err, "%s: all lines are empty", path);
    if (status == PS_OK) {
        lines->places =
            ps_must_alloc(lines->count, 2 * sizeof *lines->places, "an index of the file of --lines");
        status = lines_split(lines, path, err);
    }
    if (status != PS_OK)
        ps_lines_close(lines);
    return status;
}

void ps_lines_close(struct ps_lines *lines)
{
    free(lines->bytes);
    free(lines->places);
    *lines = (struct ps_lines){0};
}
