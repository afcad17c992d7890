/* The lines that penstock avro-client sends.
 *
 *   a file, standard input   as java.io.BufferedReader.readLine: a line ends with \n, \r or \r\n
 *   a directory              as Flume's spooling directory with its defaults: stages/lib/spool, and the deserializer LINE,
 *                            which ends a line with \n and splits lines of more than 2,048 characters
 *
 * Bytes are sent as they are; Flume decodes and encodes them, which is the same for valid UTF-8. */
#include "commands/avro_client/avro_client.h"

#include "stages/lib/spool/meta.h"
#include "stages/lib/spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536U
#define SPOOL_LINE_CHARACTERS 2048U /* LINE's maxLineLength; Java's characters are units of UTF-16 */
#define INTERRUPTS_MS 200

/* ---- open ---- */

static void room_make(struct ps_rpc_input *input)
{
    input->room = 2 * (size_t)READ_BYTES;
    input->bytes = ps_must_alloc(input->room, 1, "lines");
}

enum ps_status ps_rpc_input_open(struct ps_rpc_input *input, const char *path, struct ps_err *err)
{
    struct stat status;
    room_make(input);
    input->path = path != NULL ? path : "standard input";
    input->fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (input->fd < 0 || fstat(input->fd, &status) != 0)
        return ps_err_set(err, "%s: %s", input->path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return ps_err_set(err, "%s is a directory; use --dirname to send its files", input->path);
    return PS_OK;
}

enum ps_status ps_rpc_input_open_directory(struct ps_rpc_input *input, const char *path, struct ps_err *err)
{
    const struct ps_spool_settings settings = {.component = "avro-client",
                                               .directory = path,
                                               .tracker = ".flumespool",
                                               .suffix = ".COMPLETED",
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .order = PS_SPOOL_OLDEST};
    bool more;
    room_make(input);
    input->path = path;
    input->fd = -1;
    input->spool = ps_spool_create(&settings, err);
    if (input->spool == NULL || ps_rpc_input_next(input, &more, err) != PS_OK)
        return PS_FAIL;
    input->ended = input->file == NULL;
    return PS_OK;
}

void ps_rpc_input_close(struct ps_rpc_input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    input->fd = -1;
    if (input->spool != NULL)
        ps_spool_leave(input->spool, &(struct ps_tail_thread){.helper = NULL});
    input->spool = NULL;
    free(input->bytes);
    input->bytes = NULL;
}

/* ---- the files of a directory. Runs jobs of stages/lib/spool itself, because this thread may wait ---- */

static enum ps_status file_retire(struct ps_rpc_input *input, struct ps_err *err)
{
    struct ps_spool_file *file = input->file;
    close(input->fd);
    input->fd = -1;
    input->file = NULL;
    ps_spool_retire_prepare(file, NULL);
    file->job.run(&file->job);
    return file->end == PS_SPOOL_RETIRED ? PS_OK : ps_err_set(err, "%s", file->reason);
}

enum ps_status ps_rpc_input_next(struct ps_rpc_input *input, bool *more, struct ps_err *err)
{
    *more = false;
    if (input->spool == NULL || (input->file != NULL && file_retire(input, err) != PS_OK))
        return input->spool == NULL ? PS_OK : PS_FAIL;
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(input->spool);
    fetch->files[0] = ps_spool_files(input->spool);
    fetch->wanted = 1;
    fetch->list = false;
    ps_spool_fetch_prepare(fetch, input->spool, NULL);
    fetch->job.run(&fetch->job);
    if (fetch->found == 0)
        return PS_OK;
    struct ps_spool_file *file = fetch->files[0];
    input->file = file;
    input->fd = file->fd;
    file->fd = -1;
    input->path = file->path;
    input->at = input->end = 0;
    input->line = 0;
    input->ended = false;
    input->offset = input->acknowledged_offset = input->marked_offset = file->start;
    input->acknowledged_line = 0;
    *more = true;
    if (lseek(input->fd, (off_t)file->start, SEEK_SET) < 0)
        return ps_err_set(err, "%s: %s", input->path, strerror(errno));
    return PS_OK;
}

void ps_rpc_input_acknowledge(struct ps_rpc_input *input)
{
    input->acknowledged_offset = input->offset;
    input->acknowledged_line = input->line;
}

enum ps_status ps_rpc_input_mark(struct ps_rpc_input *input, struct ps_err *err)
{
    if (input->file == NULL || input->marked_offset == input->acknowledged_offset)
        return PS_OK;
    input->marked_offset = input->acknowledged_offset;
    struct ps_spool_mark *mark = ps_spool_mark_of(input->spool);
    mark->file = input->file;
    mark->position = input->acknowledged_offset;
    ps_spool_mark_prepare(mark, input->spool, NULL);
    mark->job.run(&mark->job);
    return mark->failed ? ps_err_set(err, "%s", mark->reason) : PS_OK;
}

/* ---- lines ---- */

/* The end of a line. */
struct line_end {
    bool found;
    size_t length; /* of the line */
    size_t taken;  /* length including the terminator */
};

static struct line_end end_of_text(const struct ps_rpc_input *input)
{
    const char *line = input->bytes + input->at;
    size_t left = input->end - input->at;
    const char *newline = left > 0 ? memchr(line, '\n', left) : NULL;
    size_t length = newline != NULL ? (size_t)(newline - line) : left;
    const char *carriage = length > 0 ? memchr(line, '\r', length) : NULL;
    if (carriage != NULL)
        length = (size_t)(carriage - line);
    bool found = carriage != NULL || newline != NULL;
    return (struct line_end){found, length, length + found};
}

static struct line_end end_of_spooled(const struct ps_rpc_input *input)
{
    const unsigned char *line = (const unsigned char *)input->bytes + input->at;
    size_t left = input->end - input->at, characters = 0;
    for (size_t i = 0; i < left; i++) {
        if ((line[i] & 0xc0) == 0x80) /* a byte that continues the character before it */
            continue;
        if (characters >= SPOOL_LINE_CHARACTERS)
            return (struct line_end){true, i, i};
        if (line[i] == '\n')
            return (struct line_end){true, i, i + 1};
        characters += line[i] >= 0xf0 ? 2 : 1;
    }
    return (struct line_end){false, left, left};
}

/* Reads more bytes. Returns FAILED, PAUSE, or LINE: then the caller looks for a line again. */
static enum ps_rpc_line fill(struct ps_rpc_input *input, bool wait, struct ps_err *err)
{
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};
    int found;
    while ((found = poll(&ready, 1, wait ? INTERRUPTS_MS : 0)) <= 0) {
        if (*input->interrupts > 0) {
            ps_err_set(err, "interrupted");
            return PS_RPC_LINE_FAILED;
        }
        if (found == 0 && !wait)
            return PS_RPC_LINE_PAUSE;
        if (found < 0 && errno != EINTR) {
            ps_err_set(err, "%s: %s", input->path, strerror(errno));
            return PS_RPC_LINE_FAILED;
        }
    }
    if (input->at > 0) {
        memmove(input->bytes, input->bytes + input->at, input->end - input->at);
        input->end -= input->at;
        input->at = 0;
    }
    if (input->end > PS_RPC_LINE_BYTES_MAX) {
        ps_err_set(err, "%s, line %llu: longer than %u MiB; such a line is not a log event", input->path,
                   (unsigned long long)input->line + 1, PS_RPC_LINE_BYTES_MAX >> 20);
        return PS_RPC_LINE_FAILED;
    }
    if (input->room - input->end < READ_BYTES) {
        input->room = 2 * (input->room + READ_BYTES);
        input->bytes = ps_must_realloc(input->bytes, input->room, "lines");
    }
    ssize_t length = read(input->fd, input->bytes + input->end, input->room - input->end);
    if (length < 0 && errno != EINTR && errno != EAGAIN) {
        ps_err_set(err, "%s: %s", input->path, strerror(errno));
        return PS_RPC_LINE_FAILED;
    }
    input->ended = length == 0;
    input->end += length > 0 ? (size_t)length : 0;
    return PS_RPC_LINE;
}

/* Skips the \n of a \r\n whose \r has ended a line. */
static void skip_newline(struct ps_rpc_input *input)
{
    if (!input->skip_newline || input->at == input->end)
        return;
    if (input->bytes[input->at] == '\n') {
        input->at++;
        input->offset++;
    }
    input->skip_newline = false;
}

enum ps_rpc_line ps_rpc_input_line(struct ps_rpc_input *input, bool wait, struct ps_slice *line,
                                   struct ps_err *err)
{
    for (;;) {
        skip_newline(input);
        struct line_end end = input->spool != NULL ? end_of_spooled(input) : end_of_text(input);
        if (end.found || (input->ended && end.length > 0)) {
            *line = (struct ps_slice){input->bytes + input->at, (uint32_t)end.length};
            input->skip_newline = input->spool == NULL && end.found && line->data[end.length] == '\r';
            input->at += end.taken;
            input->offset += end.taken;
            input->line++;
            return PS_RPC_LINE;
        }
        if (input->ended)
            return PS_RPC_LINE_END;
        enum ps_rpc_line result = fill(input, wait, err);
        if (result != PS_RPC_LINE)
            return result;
    }
}
