/* The log's writer. One mutex. One line is one write(2) of at most PIPE_BUF bytes, so lines of several
 * processes on one pipe do not mix. If the reader of stderr stops reading, a line that cannot be written within
 * STUCK_WAIT_MS is dropped and counted, so a stuck terminal or pipe never stops the engine. */
#include "core/log/log.h"
#include "core/clock.h"
#include "core/log/limit.h"
#include "core/text/printable.h"
#include "core/quantity.h"
#include "core/text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 4096U       /* PIPE_BUF */
#define TEXT_BYTES 3500U       /* of the message before escaping */
#define JSON_TEXT_BYTES 16384U /* of a line of ps_log_text as JSON */
#define STUCK_WAIT_MS 50       /* how long to wait, once, for a reader that does not read */

enum form { FORM_UNKNOWN, FORM_PLAIN, FORM_COLOUR, FORM_JOURNAL, FORM_FILE };

static struct {
    pthread_mutex_t mutex;
    int fd; /* of the file, or -1: stderr */
    enum form form;
    char *path;
    uint64_t checked_ns; /* when the file was last looked for at its path */
    bool unlimited, stuck, json;
    uint64_t dropped;  /* lines that could not be written */
    int dropped_error; /* the errno for which the last of them was; 0: the reader does not read */
    bool is_torn;      /* the file ends with a part of a line */
    uint64_t counts[PS_LOG_OFF];
    struct ps_log_limit limit;
} log_state = {.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* The level: written seldom, and read by every thread, without order relative to other memory. */
static int log_level = PS_LOG_INFO;

static const struct {
    const char *word, *colour, *journal;
} levels[PS_LOG_OFF] = {
    {"TRACE", "\033[2m", "<7>"}, {"DEBUG", "\033[2m", "<7>"},  {"INFO", "\033[32m", "<6>"},
    {"WARN", "\033[33m", "<4>"}, {"ERROR", "\033[31m", "<3>"},
};

void ps_log_set_level(enum ps_log_level level)
{
    __atomic_store_n(&log_level, (int)level, __ATOMIC_RELAXED);
}

enum ps_log_level ps_log_get_level(void)
{
    return (enum ps_log_level)__atomic_load_n(&log_level, __ATOMIC_RELAXED);
}

enum ps_status ps_log_level_parse(const char *word, enum ps_log_level *level)
{
    static const struct {
        const char *word;
        enum ps_log_level level;
    } words[] = {
        {"all", PS_LOG_TRACE},   {"trace", PS_LOG_TRACE}, {"debug", PS_LOG_DEBUG},  {"info", PS_LOG_INFO},
        {"notice", PS_LOG_INFO}, {"warn", PS_LOG_WARN},   {"warning", PS_LOG_WARN}, {"err", PS_LOG_ERROR},
        {"error", PS_LOG_ERROR}, {"crit", PS_LOG_ERROR},  {"alert", PS_LOG_ERROR},  {"emerg", PS_LOG_ERROR},
        {"fatal", PS_LOG_ERROR}, {"off", PS_LOG_OFF},
    };
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *level = words[i].level;
            return PS_OK;
        }
    }
    return PS_FAIL;
}

/* systemd sets JOURNAL_STREAM=dev:inode of the stream it made; a redirected stderr is another file. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

static enum form form_of_stderr(void)
{
    if (is_journal(STDERR_FILENO))
        return FORM_JOURNAL;
    const char *no_colour = getenv("NO_COLOR");
    if (isatty(STDERR_FILENO) && (no_colour == NULL || no_colour[0] == '\0'))
        return FORM_COLOUR;
    return FORM_PLAIN;
}

static int file_open(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

/* Opens a rotated file (renamed or removed) again at its path: logrotate needs no signal. */
static void file_follow(uint64_t mono_ns)
{
    if (mono_ns - log_state.checked_ns < PS_NS_PER_S)
        return;
    log_state.checked_ns = mono_ns;
    struct stat here, there;
    if (fstat(log_state.fd, &here) == 0 && stat(log_state.path, &there) == 0 && here.st_ino == there.st_ino &&
        here.st_dev == there.st_dev)
        return;
    int fd = file_open(log_state.path);
    if (fd < 0)
        return; /* continues to write to the old file */
    close(log_state.fd);
    log_state.fd = fd;
    log_state.is_torn = false;
}

void ps_log_set_json(bool json)
{
    pthread_mutex_lock(&log_state.mutex);
    log_state.json = json;
    pthread_mutex_unlock(&log_state.mutex);
}

enum ps_status ps_log_open(const char *path, struct ps_err *err)
{
    int fd = -1;
    char *copy = NULL;
    if (path != NULL) {
        fd = file_open(path);
        if (fd < 0)
            return ps_err_set(err, "cannot open log file %s: %s", path, strerror(errno));
        copy = strdup(path);
        if (copy == NULL) {
            close(fd);
            return ps_err_set(err, "cannot open log file %s: %s", path, strerror(ENOMEM));
        }
    }
    pthread_mutex_lock(&log_state.mutex);
    if (log_state.fd >= 0)
        close(log_state.fd);
    free(log_state.path);
    log_state.fd = fd;
    log_state.path = copy;
    log_state.form = path != NULL ? FORM_FILE : FORM_UNKNOWN;
    log_state.stuck = log_state.is_torn = false;
    pthread_mutex_unlock(&log_state.mutex);
    return PS_OK;
}

/* Appends text with control characters spelled out (printable.h). Long text ends in "...". */
static size_t escape(char *out, size_t room, const char *text)
{
    size_t length = 0, left = strlen(text), good = 0;
    while (left > 0) {
        char form[16];
        size_t need, taken = ps_printable_next(form, &need, text, left, &good);
        if (length + need + 3 > room) {
            memcpy(out + length, "...", 3);
            return length + 3;
        }
        memcpy(out + length, form, need);
        length += need;
        text += taken;
        left -= taken;
    }
    return length;
}

static size_t line_head(char *line, enum form form, enum ps_log_level level)
{
    if (form == FORM_JOURNAL)
        return (size_t)sprintf(line, "%s", levels[level].journal);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t length = ps_utc_print(line, 32, "%Y-%m-%dT%H:%M:%S", now.tv_sec);
    bool colour = form == FORM_COLOUR;
    return length + (size_t)sprintf(line + length, ".%03ldZ %s%s%s ", now.tv_nsec / 1000000,
                                    colour ? levels[level].colour : "", levels[level].word,
                                    colour ? "\033[0m" : "");
}

/* ---- lines of JSON ---- */

/* Writes a hidden character as JSON spells it out: \uHHHH, or two of them. Returns the length. */
static size_t json_hidden(char form[16], uint32_t code)
{
    if (code < 0x10000)
        return (size_t)snprintf(form, 16, "\\u%04x", code);
    return (size_t)snprintf(form, 16, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                            0xdc00 + ((code - 0x10000) & 0x3ff));
}

/* Appends the text of a JSON string. Bytes that are not UTF-8 become U+FFFD; long text ends in "...". */
static size_t json_escape(char *out, size_t room, const char *text, size_t text_length)
{
    size_t length = 0;
    for (size_t at = 0; at < text_length;) {
        unsigned char c = (unsigned char)text[at];
        char form[16];
        uint32_t code;
        size_t taken = ps_utf8_get(text + at, text_length - at, &code), need = taken;
        if (taken == 0) {
            taken = 1;
            need = (size_t)snprintf(form, sizeof form, "\\ufffd");
        } else if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f) {
            need = (size_t)snprintf(form, sizeof form, c < 0x20 || c == 0x7f ? "\\u%04x" : "\\%c", c);
        } else if (ps_printable_hidden(text + at, text_length - at) > 0) {
            need = json_hidden(form, code);
        } else {
            memcpy(form, text + at, taken);
        }
        if (length + need + 3 > room) {
            memcpy(out + length, "...", 3);
            return length + 3;
        }
        memcpy(out + length, form, need);
        length += need;
        at += taken;
    }
    return length;
}

/* Writes the line, with its newline, into `room` bytes, at least 1024. */
static size_t json_line(char *line, size_t room, enum ps_log_level level, const char *component,
                        const char *text, size_t text_length)
{
    struct timespec now;
    size_t length = 0;
    if (log_state.form == FORM_JOURNAL)
        length = (size_t)sprintf(line, "%s", levels[level].journal);
    clock_gettime(CLOCK_REALTIME, &now);
    length += ps_utc_print(line + length, 48, "{\"time\":\"%Y-%m-%dT%H:%M:%S", now.tv_sec);
    length += (size_t)sprintf(line + length, ".%03ldZ\",\"level\":\"%s\",\"component\":\"",
                              now.tv_nsec / 1000000, levels[level].word);
    length += json_escape(line + length, 300, component, strlen(component));
    length += (size_t)sprintf(line + length, "\",\"message\":\"");
    length += json_escape(line + length, room - length - 4, text, text_length);
    return length + (size_t)sprintf(line + length, "\"}\n");
}

/* ---- writing ---- */

/* Returns the number of bytes that were written; if these are not all, errno has the reason. */
static size_t write_bytes(int fd, const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(fd, bytes + done, length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    return done;
}

/* Writes the line to the descriptor. Returns false when the reader does not read, or the system cannot write it. */
static bool write_line(int fd, const char *line, size_t length)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int timeout_ms = log_state.stuck ? 0 : STUCK_WAIT_MS;
    log_state.stuck = poll(&ready, 1, timeout_ms) == 0;
    log_state.dropped_error = 0;
    if (log_state.stuck)
        return false;
    if (log_state.is_torn)
        log_state.is_torn = write_bytes(fd, "\n", 1) == 0;
    size_t written = write_bytes(fd, line, length);
    if (written == length)
        return true;
    log_state.dropped_error = errno == EAGAIN ? 0 : errno;
    log_state.is_torn |= written > 0;
    return false;
}

/* The note about lines that were held back; it follows the text of a written line. */
struct held {
    uint64_t count;    /* number of lines that were held back and not written */
    uint64_t since_ns; /* how long ago the first of them was held back */
    uint64_t late_ns;  /* how long the written line was held back */
};

static size_t write_held(char *line, size_t room, const struct held *held)
{
    const struct ps_quantity_text since = ps_quantity_print_ns(held->since_ns),
                                  late = ps_quantity_print_ns(held->late_ns);
    if (held->count == 0)
        return held->late_ns == 0 ? 0 : (size_t)snprintf(line, room, " (held back for %s)", late.text);
    return (size_t)snprintf(line, room, " (%s more like this held back in the last %s%s%s)",
                            ps_quantity_print_count(held->count).text, since.text,
                            held->late_ns > 0 ? ", this one for " : "", held->late_ns > 0 ? late.text : "");
}

/* The caller holds the mutex. */
static void emit(enum ps_log_level level, const char *component, const char *text, const struct held *held,
                 uint64_t mono_ns)
{
    char line[LINE_BYTES];
    if (log_state.form == FORM_UNKNOWN)
        log_state.form = form_of_stderr();
    if (log_state.form == FORM_FILE)
        file_follow(mono_ns);
    char remark[256];
    size_t length = 0, remarked = write_held(remark, 160, held);
    remark[remarked] = '\0';
    if (log_state.dropped > 0)
        snprintf(remark + remarked, sizeof remark - remarked, " (%s %s dropped: %s%s)",
                 ps_quantity_print_count(log_state.dropped).text,
                 ps_quantity_word(log_state.dropped, "line", "lines"),
                 log_state.dropped_error == 0 ? "the reader of the log was too slow"
                                              : "the log could not be written: ",
                 log_state.dropped_error == 0 ? "" : strerror(log_state.dropped_error));
    if (log_state.json) {
        char whole[TEXT_BYTES + sizeof remark];
        int count = snprintf(whole, sizeof whole, "%s%s", text, remark);
        length = json_line(line, sizeof line, level, component, whole, (size_t)count);
    } else {
        length = line_head(line, log_state.form, level);
        length += escape(line + length, 300, component);
        line[length++] = ':';
        line[length++] = ' ';
        length += escape(line + length, sizeof line - length - 256, text);
        length += (size_t)sprintf(line + length, "%s\n", remark);
    }
    if (write_line(log_state.fd >= 0 ? log_state.fd : STDERR_FILENO, line, length))
        log_state.dropped = 0;
    else
        log_state.dropped++;
}

static void emit_owed(struct ps_log_limit_entry *entry, uint64_t mono_ns)
{
    const struct held held = {.count = entry->held - 1,
                              .since_ns = mono_ns - entry->held_first_ns,
                              .late_ns = mono_ns - entry->held_last_ns};
    emit((enum ps_log_level)entry->level, entry->component, entry->text, &held, mono_ns);
    entry->held = 0;
}

void ps_log(enum ps_log_level level, const char *component, const char *format, ...)
{
    if (level < ps_log_get_level() || level >= PS_LOG_OFF)
        return;
    int saved_errno = errno;
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        snprintf(text, sizeof text, "%s", format);
    va_end(arguments);

    struct held held = {.count = 0};
    struct ps_log_limit_entry *entry, evicted;
    pthread_mutex_lock(&log_state.mutex);
    uint64_t mono_ns = ps_clock_now().mono_ns; /* read with the lock, so that no entry is younger */
    log_state.counts[level]++;
    if (log_state.unlimited) {
        emit(level, component, text, &held, mono_ns);
    } else {
        bool admitted =
            ps_log_limit_admit(&log_state.limit, format, component, mono_ns, &held.count, &entry, &evicted);
        if (evicted.held > 0)
            emit_owed(&evicted, mono_ns);
        held.since_ns = mono_ns - entry->held_first_ns;
        if (admitted)
            emit(level, component, text, &held, mono_ns);
        else
            ps_log_limit_hold(entry, (int)level, component, text);
        while ((entry = ps_log_limit_owing(&log_state.limit, mono_ns, false)) != NULL)
            emit_owed(entry, mono_ns);
    }
    pthread_mutex_unlock(&log_state.mutex);
    errno = saved_errno;
}

bool ps_log_text(enum ps_log_level level, const char *component, const char *text, size_t length)
{
    return level < ps_log_get_level() || level >= PS_LOG_OFF ||
           ps_log_text_chosen(level, component, text, length);
}

bool ps_log_text_chosen(enum ps_log_level level, const char *component, const char *text, size_t length)
{
    char head[512];
    pthread_mutex_lock(&log_state.mutex);
    log_state.counts[level]++;
    if (log_state.form == FORM_UNKNOWN)
        log_state.form = form_of_stderr();
    if (log_state.form == FORM_FILE)
        file_follow(ps_clock_now().mono_ns);
    if (log_state.json) {
        char line[JSON_TEXT_BYTES];
        size_t whole = json_line(line, sizeof line, level, component, text, length);
        bool good = write_line(log_state.fd >= 0 ? log_state.fd : STDERR_FILENO, line, whole);
        pthread_mutex_unlock(&log_state.mutex);
        return good;
    }
    size_t used = line_head(head, log_state.form, level);
    used += escape(head + used, 300, component);
    head[used++] = ':';
    head[used++] = ' ';
    struct iovec pieces[] = {{head, used}, {(void *)(uintptr_t)text, length}, {(void *)(uintptr_t) "\n", 1}};
    int fd = log_state.fd >= 0 ? log_state.fd : STDERR_FILENO;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    log_state.stuck = poll(&ready, 1, log_state.stuck ? 0 : STUCK_WAIT_MS) == 0;
    bool written = !log_state.stuck;
    if (written) {
        ssize_t result;
        do
            result = writev(fd, pieces, 3);
        while (result < 0 && errno == EINTR);
        written = result > 0 || errno != EAGAIN;
    }
    pthread_mutex_unlock(&log_state.mutex);
    return written;
}

static void emit_all_owed(bool all)
{
    struct ps_log_limit_entry *entry;
    pthread_mutex_lock(&log_state.mutex);
    uint64_t mono_ns = ps_clock_now().mono_ns;
    while ((entry = ps_log_limit_owing(&log_state.limit, mono_ns, all)) != NULL)
        emit_owed(entry, mono_ns);
    pthread_mutex_unlock(&log_state.mutex);
}

void ps_log_flush(void)
{
    emit_all_owed(true);
}

void ps_log_turn(void)
{
    emit_all_owed(false);
}

uint64_t ps_log_count(enum ps_log_level level)
{
    PS_ASSERT(level < PS_LOG_OFF);
    pthread_mutex_lock(&log_state.mutex);
    uint64_t count = log_state.counts[level];
    pthread_mutex_unlock(&log_state.mutex);
    return count;
}

uint64_t ps_log_distinct_count(void)
{
    pthread_mutex_lock(&log_state.mutex);
    uint64_t count = log_state.limit.distinct;
    pthread_mutex_unlock(&log_state.mutex);
    return count;
}

void ps_log_unlimited(void)
{
    pthread_mutex_lock(&log_state.mutex);
    log_state.unlimited = true;
    pthread_mutex_unlock(&log_state.mutex);
}
