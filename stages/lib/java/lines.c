#include "stages/lib/java/lines.h"

#include "core/log/log.h"
#include "core/text/printable.h"
#include "stages/lib/java/pipes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MARK '\001'
#define CHOSEN '!' /* ends the level of a line that a logger of the class path has chosen by its own level */
#define COMPONENT_BYTES 200U
#define LEVEL_BYTES 16U

void ps_java_lines_init(struct ps_java_lines *lines)
{
    lines->fd = -1;
}

void ps_java_lines_begin(struct ps_java_lines *lines, int fd)
{
    lines->fd = fd;
    lines->used = 0;
    lines->cut = false;
    ps_java_exit_reason_begin(&lines->words);
}

int ps_java_lines_fd(const struct ps_java_lines *lines)
{
    return lines->fd;
}

/* Copies the bytes up to the mark, terminated. Returns the byte after the mark; NULL if there is no mark, or
 * no room. */
static const char *field(const char *at, const char *end, char *to, size_t room)
{
    const char *mark = memchr(at, MARK, (size_t)(end - at));
    if (mark == NULL || (size_t)(mark - at) >= room)
        return NULL;
    memcpy(to, at, (size_t)(mark - at));
    to[mark - at] = '\0';
    return mark + 1;
}

/* Cuts the mark of a chosen line from the level, and returns whether it was there. */
static bool cut_chosen(char *word)
{
    size_t length = strlen(word);
    if (length == 0 || word[length - 1] != CHOSEN)
        return false;
    word[length - 1] = '\0';
    return true;
}

static void log_line(struct ps_java_lines *lines, char *line, size_t length)
{
    char word[LEVEL_BYTES], component[COMPONENT_BYTES] = "java";
    const char *text = line, *end = line + length;
    enum ps_log_level level = PS_LOG_INFO;
    bool is_chosen = false;
    while (end > line && (end[-1] == '\r' || end[-1] == ' '))
        end--;
    if (line < end && *line == MARK) {
        const char *at = field(line + 1, end, word, sizeof word);
        if (at != NULL)
            at = field(at, end, component, sizeof component);
        if (at != NULL)
            text = at;
        is_chosen = at != NULL && cut_chosen(word);
        if (at == NULL || ps_log_level_parse(word, &level) != PS_OK || level == PS_LOG_OFF) {
            level = PS_LOG_INFO;
            is_chosen = false;
        }
    } else {
        ps_java_exit_reason_take(&lines->words, line, (size_t)(end - line));
    }
    for (char *at = line; at < end; at++) {
        size_t hidden = ps_printable_hidden(at, (size_t)(end - at));
        if ((unsigned char)*at < ' ' || *at == 0x7f || hidden > 0)
            memset(at, ' ', hidden > 0 ? hidden : 1);
    }
    if (text < end)
        (void)(is_chosen ? ps_log_text_chosen : ps_log_text)(level, component, text, (size_t)(end - text));
}

static void log_lines(struct ps_java_lines *lines)
{
    char *at = lines->bytes, *end = lines->bytes + lines->used, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (!lines->cut)
            log_line(lines, at, (size_t)(newline - at));
        lines->cut = false;
        at = newline + 1;
    }
    if (at == lines->bytes && lines->used == sizeof lines->bytes) {
        if (!lines->cut)
            log_line(lines, lines->bytes, lines->used);
        lines->cut = true;
        at = end;
    }
    lines->used = (uint32_t)(end - at);
    memmove(lines->bytes, at, lines->used);
}

/* Returns how many bytes it has read. */
static size_t read_once(void *lines_)
{
    struct ps_java_lines *lines = lines_;
    ssize_t got = read(lines->fd, lines->bytes + lines->used, sizeof lines->bytes - lines->used);
    if (got > 0) {
        lines->used += (uint32_t)got;
        log_lines(lines);
        return (size_t)got;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(lines->fd);
        lines->fd = -1;
    }
    return 0;
}

void ps_java_lines_read(struct ps_java_lines *lines)
{
    (void)read_once(lines);
}

void ps_java_lines_end(struct ps_java_lines *lines)
{
    ps_java_pipe_drain(&lines->fd, read_once, lines);
    if (lines->used > 0 && !lines->cut)
        log_line(lines, lines->bytes, lines->used);
    lines->used = 0;
    if (lines->fd >= 0)
        close(lines->fd);
    lines->fd = -1;
}
