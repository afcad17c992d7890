/* Draws the view of top as text, and fits it to a terminal. Names come from configuration files: they are made printable. */
#include "commands/top/top.h"

#include "core/quantity.h"
#include "core/text/printable.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 20
#define BAR_COLUMNS 20

enum colour { PLAIN, BOLD, DIM, GOOD, WARN, BAD };

struct draw {
    FILE *to;
    bool colour;
};

static void paint(const struct draw *draw, enum colour colour)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};
    if (draw->colour)
        fputs(codes[colour], draw->to);
}

static void painted(const struct draw *draw, enum colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void painted(const struct draw *draw, enum colour colour, const char *format, ...)
{
    va_list arguments;
    paint(draw, colour);
    va_start(arguments, format);
    vfprintf(draw->to, format, arguments);
    va_end(arguments);
    paint(draw, PLAIN);
}

/* Writes the printable text, cut or padded to the number of columns. Each character counts as one column. */
static void column_text(const struct draw *draw, const char *text, int columns)
{
    char *line = NULL;
    size_t bytes;
    FILE *memory = ps_must_open_text(&line, &bytes, "a name");
    ps_printable_write(memory, text, strlen(text));
    fclose(memory);
    int wide = 0;
    for (const char *at = line; *at != '\0'; at++) {
        wide += ((unsigned char)*at & 0xc0) != 0x80;
        if (wide > columns)
            break;
        fputc(*at, draw->to);
    }
    fprintf(draw->to, "%*s ", wide < columns ? columns - wide : 0, "");
    free(line);
}

/* Writes a number right-aligned in 10 columns; 0 is "-". */
static void column_rate(const struct draw *draw, double rate, bool bytes, enum colour colour)
{
    const struct ps_quantity_text shown = rate <= 0 ? (struct ps_quantity_text){"-"}
                                          : bytes   ? ps_quantity_print_bytes((uint64_t)rate)
                                                    : ps_quantity_print_rate(rate);
    painted(draw, rate > 0 ? colour : DIM, "%10s ", shown.text);
}

static void column_time(const struct draw *draw, double seconds)
{
    const struct ps_quantity_text shown = isinf(seconds) ? (struct ps_quantity_text){"> 1 min"}
                                          : seconds < 0  ? (struct ps_quantity_text){"-"}
                                                         : ps_quantity_print_s(seconds);
    painted(draw, seconds < 0 ? DIM : PLAIN, "%10s ", shown.text);
}

static void column_share(const struct draw *draw, double share, double warn, double bad)
{
    painted(draw, share >= bad ? BAD : share >= warn ? WARN : PLAIN, "%6.0f %% ", 100 * share);
}

static void names(const struct draw *draw, const char *name, const char *type, bool up)
{
    fputs("  ", draw->to);
    paint(draw, up ? PLAIN : BAD);
    column_text(draw, name, NAME_COLUMNS);
    column_text(draw, type, 14);
    paint(draw, PLAIN);
}

/* ---- the parts of the screen ---- */

static void head_draw(const struct draw *draw, const struct top_view *view, const char *address,
                      const char *clock)
{
    painted(draw, BOLD, "penstock top");
    fputs("  agent ", draw->to);
    ps_printable_write(draw->to, view->agent, strlen(view->agent));
    fprintf(draw->to, "  %s  %s  up %s  %s\n", address, view->version,
            ps_quantity_print_s(floor(view->uptime_s)).text, clock);
    bool ready = view->not_ready != NULL && view->ready;
    painted(draw, ready ? GOOD : BAD, "%s",
            ready                     ? "ready"
            : view->not_ready != NULL ? "NOT READY"
                                      : "readiness unknown");
    fprintf(draw->to,
            "  CPU %.0f %%  workers %.0f (busiest %.0f %%)  memory %s of %s  reloads failed %.0f  log %.0f "
            "errors, %.0f warnings\n",
            100 * view->cpu, view->worker_count, 100 * view->busiest,
            ps_quantity_print_bytes((uint64_t)view->used_bytes).text,
            ps_quantity_print_bytes((uint64_t)view->budget_bytes).text, view->reloads_failed,
            view->log_errors, view->log_warnings);
    for (const char *at = view->not_ready != NULL ? view->not_ready : ""; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        fputs("  ", draw->to);
        paint(draw, BAD);
        ps_printable_write(draw->to, at, length);
        paint(draw, PLAIN);
        fputc('\n', draw->to);
        at += length + (at[length] == '\n');
    }
}

static void sources_draw(const struct draw *draw, const struct top_view *view)
{
    painted(draw, BOLD, "\n  %-*s %-14s %10s %10s %8s %10s %10s %6s\n", NAME_COLUMNS, "SOURCE", "type",
            "events/s", "bytes/s", "waits", "dropped/s", "errors/s", "conns");
    for (size_t i = 0; i < view->source_count; i++) {
        const struct top_source *source = &view->sources[i];
        names(draw, source->name, source->type, source->up);
        column_rate(draw, source->received_s, false, PLAIN);
        column_rate(draw, source->bytes_s, true, PLAIN);
        column_share(draw, source->waits, 0.05, 0.5);
        column_rate(draw, source->dropped_s, false, WARN);
        column_rate(draw, source->failed_s, false, BAD);
        fprintf(draw->to, "%6s\n", ps_quantity_print_count((uint64_t)source->connections).text);
    }
}

static void channels_draw(const struct draw *draw, const struct top_view *view)
{
    painted(draw, BOLD, "\n  %-*s %-14s %10s %10s   %-*s    fill\n", NAME_COLUMNS, "CHANNEL", "type", "put/s",
            "taken/s", BAR_COLUMNS, "");
    for (size_t i = 0; i < view->channel_count; i++) {
        const struct top_channel *channel = &view->channels[i];
        double fill = channel->capacity > 0 ? fmin(channel->size / channel->capacity, 1) : 0;
        int full = (int)lround(fill * BAR_COLUMNS);
        enum colour colour = fill >= 0.9 ? BAD : fill >= 0.5 ? WARN : GOOD;
        names(draw, channel->name, channel->type, true);
        column_rate(draw, channel->put_s, false, PLAIN);
        column_rate(draw, channel->taken_s, false, PLAIN);
        fputs("  [", draw->to);
        paint(draw, colour);
        for (int k = 0; k < BAR_COLUMNS; k++)
            fputc(k < full ? '#' : ' ', draw->to);
        paint(draw, PLAIN);
        fprintf(draw->to, "] %3.0f %%  %s of %s\n", 100 * fill,
                ps_quantity_print_count((uint64_t)channel->size).text,
                ps_quantity_print_count((uint64_t)channel->capacity).text);
    }
}

static void sinks_draw(const struct draw *draw, const struct top_view *view)
{
    painted(draw, BOLD, "\n  %-*s %-14s %10s %10s %10s %10s %10s %10s\n", NAME_COLUMNS, "SINK", "type",
            "events/s", "bytes/s", "p50", "p99", "retried/s", "errors/s");
    for (size_t i = 0; i < view->sink_count; i++) {
        const struct top_sink *sink = &view->sinks[i];
        names(draw, sink->name, sink->type, sink->up);
        column_rate(draw, sink->delivered_s, false, PLAIN);
        column_rate(draw, sink->bytes_s, true, PLAIN);
        column_time(draw, sink->p50_s);
        column_time(draw, sink->p99_s);
        column_rate(draw, sink->retried_s, false, WARN);
        column_rate(draw, sink->failed_s, false, BAD);
        painted(draw, BAD, "%s\n", sink->up ? "" : "down");
    }
}

void ps_top_draw(FILE *to, const struct top_view *view, const char *address, const char *clock, bool colour)
{
    const struct draw draw = {to, colour};
    head_draw(&draw, view, address, clock);
    sources_draw(&draw, view);
    channels_draw(&draw, view);
    sinks_draw(&draw, view);
    painted(&draw, BOLD, "\n  WHO HOLDS UP WHOM\n");
    char *lines = NULL;
    size_t bytes;
    FILE *memory = ps_must_open_text(&lines, &bytes, "the lines of top");
    ps_top_bottlenecks(memory, view);
    fclose(memory);
    for (char *rest = lines, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';)
        fprintf(to, "  %s\n", line);
    free(lines);
}

/* ---- the terminal ---- */

/* Writes one line without its newline; escape sequences do not count as columns. */
static void line_fit(FILE *to, const char *line, size_t length, unsigned columns)
{
    unsigned wide = 0;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\033') {
            size_t end = i + strcspn(line + i, "m");
            fwrite(line + i, 1, end - i + 1, to);
            i = end;
            continue;
        }
        wide += ((unsigned char)line[i] & 0xc0) != 0x80;
        if (wide <= columns)
            fputc(line[i], to);
    }
    fputs("\033[K", to);
}

void ps_top_fit(FILE *to, const char *screen, unsigned rows, unsigned columns)
{
    fputs("\033[H", to);
    for (unsigned row = 0; *screen != '\0' && row < rows; row++) {
        size_t length = strcspn(screen, "\n");
        fputs(row > 0 ? "\r\n" : "", to);
        line_fit(to, screen, length, columns);
        screen += length + (screen[length] == '\n');
    }
    fputs("\033[J", to);
}
