#include "bench/support/live.h"
#include "core/quantity.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STATUS_BYTES 1024U
#define PLAIN_FIRST_NS (900 * PS_NS_PER_MS) /* shorter runs print their result only */
#define PLAIN_STEP_NS (4 * PS_NS_PER_S)
#define PLAIN_STEP_MAX_NS (60 * PS_NS_PER_S)
#define COLUMNS_DEFAULT 80U

void ps_live_init(struct ps_live *live, FILE *to, bool json, bool quiet)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(fileno(to)) && term != NULL && strcmp(term, "dumb") != 0;
    *live = (struct ps_live){.to = to, .json = json, .quiet = quiet, .moves = terminal && !json};
    live->plain_ns = ps_clock_now().mono_ns + PLAIN_FIRST_NS;
    live->plain_step_ns = PLAIN_STEP_NS;
    live->colour = live->moves && (no_colour == NULL || no_colour[0] == '\0');
}

const char *ps_live_style(const struct ps_live *live, enum ps_live_style style)
{
    static const char *const codes[] = {"\033[0m", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};
    return live->colour ? codes[style] : "";
}

static unsigned columns_of(FILE *to)
{
    struct winsize size;
    return ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : COLUMNS_DEFAULT;
}

/* Returns how many bytes of the text fit into `columns`; escape sequences and continuation bytes of UTF-8
 * take no column. */
static size_t fitting(const char *text, unsigned columns)
{
    size_t at = 0;
    for (unsigned used = 0; text[at] != '\0';) {
        if (text[at] == '\033') {
            at += strcspn(text + at, "m");
            at += text[at] == 'm';
            continue;
        }
        if (((unsigned char)text[at] & 0xc0) != 0x80 && used++ >= columns)
            break;
        at++;
    }
    return at;
}

/* Without a terminal: returns whether a line of progress is due, and when the next one is. */
static bool is_plain_due(struct ps_live *live)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (now_ns < live->plain_ns)
        return false;
    live->plain_ns = now_ns + live->plain_step_ns;
    live->plain_step_ns *= 2;
    if (live->plain_step_ns > PLAIN_STEP_MAX_NS)
        live->plain_step_ns = PLAIN_STEP_MAX_NS;
    return true;
}

void ps_live_status(struct ps_live *live, const char *format, ...)
{
    if (live->quiet || live->json || (!live->moves && !is_plain_due(live)))
        return;
    char text[STATUS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!live->moves) {
        fprintf(stderr, "%s\n", text);
        return;
    }
    size_t length = fitting(text, columns_of(live->to) - 1);
    fprintf(live->to, "\r\033[K%.*s%s", (int)length, text, ps_live_style(live, PS_LIVE_PLAIN));
    fflush(live->to);
    live->dirty = true;
}

void ps_live_clear(struct ps_live *live)
{
    if (!live->dirty)
        return;
    fputs("\r\033[K", live->to);
    fflush(live->to);
    live->dirty = false;
}

void ps_live_note(struct ps_live *live, const char *format, ...)
{
    FILE *to = live->json ? stderr : live->to;
    va_list arguments;
    ps_live_clear(live);
    va_start(arguments, format);
    vfprintf(to, format, arguments);
    va_end(arguments);
    fputc('\n', to);
    fflush(to);
}

void ps_live_print(struct ps_live *live, const char *format, ...)
{
    if (live->json)
        return;
    va_list arguments;
    ps_live_clear(live);
    va_start(arguments, format);
    vfprintf(live->to, format, arguments);
    va_end(arguments);
    fflush(live->to);
}

void ps_live_object(struct ps_live *live, json_t *object, bool progress)
{
    if (object != NULL && live->json && !(progress && live->quiet)) {
        json_dumpf(object, live->to, JSON_COMPACT | JSON_REAL_PRECISION(12));
        fputc('\n', live->to);
        fflush(live->to);
    }
    json_decref(object);
}

json_t *ps_live_percentiles(const struct ps_histogram *histogram, const double *percentiles, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%.15g", percentiles[i]);
        json_object_set_new(object, name,
                            json_integer((json_int_t)ps_histogram_percentile(histogram, percentiles[i])));
    }
    json_object_set_new(object, "max", json_integer((json_int_t)histogram->max));
    return object;
}
