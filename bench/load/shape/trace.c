/* Reads recorded arrivals: one per line, an offset or a time. */
#include "bench/load/shape/internal.h"
#include "core/array.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARRIVALS_MAX (UINT64_C(1) << 30)
#define WORD_BYTES_MAX 64U

/* Reads exactly `count` digits as a number; returns -1 when one is not a digit. */
static int digits_read(const char *text, size_t count)
{
    int number = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

/* Converts "Z", "+05:30", "-0800" or nothing to seconds east of Greenwich. */
static bool zone_read(const char *text, int *seconds)
{
    *seconds = 0;
    if (text[0] == '\0' || strcmp(text, "Z") == 0)
        return true;
    size_t length = strlen(text);
    if ((text[0] != '+' && text[0] != '-') || (length != 5 && !(length == 6 && text[3] == ':')))
        return false;
    int hours = digits_read(text + 1, 2), minutes = digits_read(text + length - 2, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *seconds = (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* Reads 2026-11-20T11:38:16.123456Z; the caller replaced a blank between date and time by T. */
static bool time_read(const char *word, int64_t *ns)
{
    if (strlen(word) < 19 || word[4] != '-' || word[7] != '-' || word[10] != 'T' || word[13] != ':' ||
        word[16] != ':')
        return false;
    struct tm tm = {.tm_year = digits_read(word, 4) - 1900,
                    .tm_mon = digits_read(word + 5, 2) - 1,
                    .tm_mday = digits_read(word + 8, 2),
                    .tm_hour = digits_read(word + 11, 2),
                    .tm_min = digits_read(word + 14, 2),
                    .tm_sec = digits_read(word + 17, 2)};
    if (tm.tm_year < 70 || tm.tm_year > 350 || tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
        tm.tm_sec < 0 || tm.tm_sec > 60)
        return false;
    const char *at = word + 19;
    int64_t fraction = 0, scale = 1000000000;
    if (*at == '.' || *at == ',') {
        for (at++; *at >= '0' && *at <= '9'; at++) {
            scale /= 10;
            fraction += scale * (*at - '0');
        }
    }
    int zone_seconds;
    if (!zone_read(at, &zone_seconds))
        return false;
    *ns = ((int64_t)timegm(&tm) - zone_seconds) * 1000000000 + fraction;
    return true;
}

static bool offset_read(const char *word, enum ps_trace_unit unit, int64_t *ns)
{
    static const double factors[] = {
        [PS_TRACE_NS] = 1, [PS_TRACE_US] = 1e3, [PS_TRACE_MS] = 1e6, [PS_TRACE_S] = 1e9};
    char *end;
    if (word[strspn(word, "0123456789.eE+-")] != '\0' || strpbrk(word, "0123456789") == NULL)
        return false;
    errno = 0;
    if (strpbrk(word, ".eE") == NULL) {
        long long whole = strtoll(word, &end, 10);
        if (errno != 0 || *end != '\0' || fabs((double)whole * factors[unit]) > 9e18)
            return false;
        *ns = whole * (int64_t)factors[unit];
        return true;
    }
    double seconds = strtod(word, &end);
    if (*end != '\0' || !isfinite(seconds) || fabs(seconds) > 9e9)
        return false;
    *ns = (int64_t)llround(seconds * 1e9);
    return true;
}

enum ps_trace_line ps_trace_line_read(const char *line, size_t length, enum ps_trace_unit unit, int64_t *ns)
{
    char word[WORD_BYTES_MAX];
    size_t at = 0, used = 0;
    while (at < length && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n'))
        at++;
    if (at == length || line[at] == '#')
        return PS_TRACE_LINE_NONE;
    for (; at < length && line[at] != '\0' && strchr(" \t\r\n;", line[at]) == NULL && used + 1 < sizeof word;
         at++)
        word[used++] = line[at];
    /* "2026-11-20 11:38:16" */
    if (used == 10 && word[4] == '-' && at + 1 < length && line[at] == ' ' && line[at + 1] >= '0' &&
        line[at + 1] <= '9') {
        word[used++] = 'T';
        for (at++; at < length && line[at] != '\0' && strchr(" \t\r\n;", line[at]) == NULL &&
                   used + 1 < sizeof word;
             at++)
            word[used++] = line[at];
    }
    word[used] = '\0';
    if (used > 19 && word[used - 1] == ',')
        word[--used] = '\0';
    if (used > 10 && word[4] == '-' && word[7] == '-')
        return time_read(word, ns) ? PS_TRACE_LINE_TIME : PS_TRACE_LINE_BAD;
    word[strcspn(word, ",")] = '\0'; /* only the first column counts */
    return offset_read(word, unit, ns) ? PS_TRACE_LINE_OFFSET : PS_TRACE_LINE_BAD;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

struct trace {
    int64_t *ns;
    uint64_t count, room;
    enum ps_trace_line kind;
};

static enum ps_status trace_add(struct trace *trace, enum ps_trace_line kind, int64_t ns, const char *path,
                                uint64_t number, struct ps_err *err)
{
    if (kind == PS_TRACE_LINE_BAD)
        return ps_err_set(err,
                          "%s: line %llu is not an arrival; write seconds (0.25), whole nanoseconds "
                          "(250000000) or an ISO 8601 time",
                          path, (unsigned long long)number);
    if (trace->count > 0 && trace->kind != kind)
        return ps_err_set(err, "%s: line %llu is %s and the lines before it are not", path,
                          (unsigned long long)number, kind == PS_TRACE_LINE_TIME ? "a time" : "an offset");
    trace->kind = kind;
    if (trace->count == ARRIVALS_MAX)
        return ps_err_set(err, "%s: more than %llu arrivals are too many", path,
                          (unsigned long long)ARRIVALS_MAX);
    PS_ARRAY_GROW(trace->ns, trace->count, trace->room, "a trace");
    trace->ns[trace->count++] = ns;
    return PS_OK;
}

static enum ps_status trace_read_lines(struct trace *trace, FILE *file, const char *path,
                                       enum ps_trace_unit unit, struct ps_err *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    enum ps_status status = PS_OK;
    for (uint64_t number = 1; status == PS_OK && (length = getline(&line, &room, file)) >= 0; number++) {
        int64_t ns = 0;
        enum ps_trace_line kind = ps_trace_line_read(line, (size_t)length, unit, &ns);
        if (kind != PS_TRACE_LINE_NONE)
            status = trace_add(trace, kind, ns, path, number, err);
    }
    if (status == PS_OK && ferror(file))
        status = ps_err_set(err, "%s: %s", path, strerror(errno));
    free(line);
    return status;
}

enum ps_status ps_trace_read(const char *path, enum ps_trace_unit unit, double speed, uint64_t **trace_ns,
                             uint64_t *count, struct ps_err *err)
{
    struct trace trace = {0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return ps_err_set(err, "%s: %s", path, strerror(errno));
    enum ps_status status = trace_read_lines(&trace, file, path, unit, err);
    fclose(file);
    if (status == PS_OK && trace.count == 0)
        status = ps_err_set(err, "%s: it contains no arrival", path);
    if (status != PS_OK) {
        free(trace.ns);
        return PS_FAIL;
    }
    /* Logs that several threads wrote are slightly out of order. */
    qsort(trace.ns, trace.count, sizeof *trace.ns, compare);
    int64_t first = trace.ns[0];
    uint64_t *due = (uint64_t *)trace.ns;
    for (uint64_t i = 0; i < trace.count; i++)
        due[i] = (uint64_t)((double)((uint64_t)trace.ns[i] - (uint64_t)first) / speed + 0.5);
    *trace_ns = due;
    *count = trace.count;
    return PS_OK;
}
