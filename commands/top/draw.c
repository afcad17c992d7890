/* Draws the view of top as text, and fits it to a terminal. Names come from configuration files: they are made printable. */
#include "commands/top/top.h"

#include "core/quantity.h"
#include "core/text/printable.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 20
#define NARROW_NAME_COLUMNS 16
#define BAR_COLUMNS 20
#define WIDE_COLUMNS 108U /* a row of a sink with all its columns */
#define TROUBLES_MAX 3U   /* lines of /readyz, and of bottlenecks, when there is no room for everything */

enum colour { PLAIN, BOLD, DIM, GOOD, WARN, BAD };

struct draw {
    FILE *to;
    bool colour;
    bool narrow; /* only the columns that matter most, in the order in which they matter */
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
    column_text(draw, name, draw->narrow ? NARROW_NAME_COLUMNS : NAME_COLUMNS);
    column_text(draw, draw->narrow ? up ? "" : "down" : type, draw->narrow ? 4 : 14);
    paint(draw, PLAIN);
}

/* ---- the parts of the screen ---- */

/* Writes the lines of /readyz, or only the first ones. */
static void troubles_draw(const struct draw *draw, const struct top_view *view, unsigned most)
{
    unsigned lines = 0;
    for (const char *at = view->not_ready != NULL ? view->not_ready : ""; *at != '\0' && lines < most;
         lines++) {
        size_t length = strcspn(at, "\n");
        fputs("  ", draw->to);
        paint(draw, BAD);
        ps_printable_write(draw->to, at, length);
        paint(draw, PLAIN);
        fputc('\n', draw->to);
        at += length + (at[length] == '\n');
    }
}

static void head_draw(const struct draw *draw, const struct top_view *view, const char *address,
                      const char *clock, unsigned troubles_max)
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
            "  CPU %.0f %%  workers %.0f (busiest %.0f %%)  memory %s of %s%s  reloads failed %.0f  log %.0f "
            "errors, %.0f warnings\n",
            100 * view->cpu, view->worker_count, 100 * view->busiest,
            ps_quantity_print_bytes((uint64_t)view->used_bytes).text,
            ps_quantity_print_bytes((uint64_t)view->budget_bytes).text, draw->narrow ? "\n" : "",
            view->reloads_failed, view->log_errors, view->log_warnings);
    troubles_draw(draw, view, troubles_max);
}

/* ---- folding: when there is no room for all components, those in trouble are shown ---- */

struct fold {
    size_t count, room;   /* components; rows for them */
    size_t left, shown;   /* rows left for those in trouble, and for others */
    size_t hidden, worse; /* not shown; in trouble, of these */
};

static struct fold fold_of(size_t count, size_t room, size_t in_trouble)
{
    struct fold fold = {.count = count, .room = room, .left = count, .shown = count};
    if (count <= room)
        return fold;
    size_t rows = room > 1 ? room - 1 : 1; /* the last row tells how many are not shown */
    fold.left = in_trouble < rows ? in_trouble : rows;
    fold.shown = rows - fold.left;
    return fold;
}

static bool fold_shows(struct fold *fold, bool in_trouble)
{
    size_t *rows = in_trouble ? &fold->left : &fold->shown;
    if (*rows > 0) {
        --*rows;
        return true;
    }
    fold->hidden++;
    fold->worse += in_trouble;
    return false;
}

static void fold_end(const struct draw *draw, const struct fold *fold)
{
    if (fold->hidden == 0)
        return;
    fprintf(draw->to, "  and %zu more", fold->hidden);
    if (fold->worse > 0)
        painted(draw, BAD, ", %zu of them in trouble", fold->worse);
    fputc('\n', draw->to);
}

/* Draws the rows of one part of the screen: all components, or those in trouble and as many others as there is room for. */
static void rows_draw(const struct draw *draw, const struct top_view *view, size_t count, size_t room,
                      bool (*in_trouble)(const struct top_view *view, size_t i),
                      void (*row_draw)(const struct draw *draw, const struct top_view *view, size_t i))
{
    size_t troubled = 0;
    for (size_t i = 0; i < count; i++)
        troubled += in_trouble(view, i);
    struct fold fold = fold_of(count, room, troubled);
    for (size_t i = 0; i < count; i++)
        if (fold_shows(&fold, in_trouble(view, i)))
            row_draw(draw, view, i);
    fold_end(draw, &fold);
}

/* ---- sources ---- */

static bool source_in_trouble(const struct top_view *view, size_t i)
{
    const struct top_source *source = &view->sources[i];
    return !source->up || source->dropped_s > 0 || source->failed_s > 0 || source->waits >= 0.5;
}

static void source_draw(const struct draw *draw, const struct top_view *view, size_t i)
{
    const struct top_source *source = &view->sources[i];
    const struct ps_quantity_text connections = ps_quantity_print_count((uint64_t)source->connections);
    names(draw, source->name, source->type, source->up);
    column_rate(draw, source->received_s, false, PLAIN);
    if (draw->narrow) {
        column_rate(draw, source->failed_s, false, BAD);
        column_rate(draw, source->dropped_s, false, WARN);
        column_share(draw, source->waits, 0.05, 0.5);
        fprintf(draw->to, "%6s\n", connections.text);
        return;
    }
    column_rate(draw, source->bytes_s, true, PLAIN);
    column_share(draw, source->waits, 0.05, 0.5);
    column_rate(draw, source->dropped_s, false, WARN);
    column_rate(draw, source->failed_s, false, BAD);
    fprintf(draw->to, "%6s%s\n", connections.text, source->up ? "" : " down");
}

static void sources_draw(const struct draw *draw, const struct top_view *view, size_t room)
{
    if (draw->narrow)
        painted(draw, BOLD, "\n  %-*s      %10s %10s %10s %8s %6s\n", NARROW_NAME_COLUMNS, "SOURCE",
                "events/s", "errors/s", "dropped/s", "waits", "conns");
    else
        painted(draw, BOLD, "\n  %-*s %-14s %10s %10s %8s %10s %10s %6s\n", NAME_COLUMNS, "SOURCE", "type",
                "events/s", "bytes/s", "waits", "dropped/s", "errors/s", "conns");
    rows_draw(draw, view, view->source_count, room, source_in_trouble, source_draw);
}

/* ---- channels ---- */

static double fill_of(const struct top_channel *channel)
{
    return channel->capacity > 0 ? fmin(channel->size / channel->capacity, 1) : 0;
}

static bool channel_in_trouble(const struct top_view *view, size_t i)
{
    return fill_of(&view->channels[i]) >= 0.5;
}

static void channel_draw(const struct draw *draw, const struct top_view *view, size_t i)
{
    const struct top_channel *channel = &view->channels[i];
    const struct ps_quantity_text size = ps_quantity_print_count((uint64_t)channel->size),
                                  capacity = ps_quantity_print_count((uint64_t)channel->capacity);
    double fill = fill_of(channel);
    int full = (int)lround(fill * BAR_COLUMNS);
    enum colour colour = fill >= 0.9 ? BAD : fill >= 0.5 ? WARN : GOOD;
    names(draw, channel->name, channel->type, true);
    if (draw->narrow)
        painted(draw, colour, " %3.0f %%   ", 100 * fill);
    column_rate(draw, channel->put_s, false, PLAIN);
    column_rate(draw, channel->taken_s, false, PLAIN);
    if (draw->narrow) {
        fprintf(draw->to, " %s of %s\n", size.text, capacity.text);
        return;
    }
    fputs("  [", draw->to);
    paint(draw, colour);
    for (int k = 0; k < BAR_COLUMNS; k++)
        fputc(k < full ? '#' : ' ', draw->to);
    paint(draw, PLAIN);
    fprintf(draw->to, "] %3.0f %%  %s of %s\n", 100 * fill, size.text, capacity.text);
}

static void channels_draw(const struct draw *draw, const struct top_view *view, size_t room)
{
    if (draw->narrow)
        painted(draw, BOLD, "\n  %-*s       fill   %10s %10s  events\n", NARROW_NAME_COLUMNS, "CHANNEL",
                "put/s", "taken/s");
    else
        painted(draw, BOLD, "\n  %-*s %-14s %10s %10s   %-*s    fill\n", NAME_COLUMNS, "CHANNEL", "type",
                "put/s", "taken/s", BAR_COLUMNS, "");
    rows_draw(draw, view, view->channel_count, room, channel_in_trouble, channel_draw);
}

/* ---- sinks ---- */

static bool sink_in_trouble(const struct top_view *view, size_t i)
{
    const struct top_sink *sink = &view->sinks[i];
    return !sink->up || sink->failed_s > 0 || sink->retried_s > 0;
}

static void sink_draw(const struct draw *draw, const struct top_view *view, size_t i)
{
    const struct top_sink *sink = &view->sinks[i];
    names(draw, sink->name, sink->type, sink->up);
    column_rate(draw, sink->delivered_s, false, PLAIN);
    if (draw->narrow) {
        column_rate(draw, sink->failed_s, false, BAD);
        column_rate(draw, sink->retried_s, false, WARN);
        column_time(draw, sink->p99_s);
        fputc('\n', draw->to);
        return;
    }
    column_rate(draw, sink->bytes_s, true, PLAIN);
    column_time(draw, sink->p50_s);
    column_time(draw, sink->p99_s);
    column_rate(draw, sink->retried_s, false, WARN);
    column_rate(draw, sink->failed_s, false, BAD);
    painted(draw, BAD, "%s\n", sink->up ? "" : "down");
}

static void sinks_draw(const struct draw *draw, const struct top_view *view, size_t room)
{
    if (draw->narrow)
        painted(draw, BOLD, "\n  %-*s      %10s %10s %10s %10s\n", NARROW_NAME_COLUMNS, "SINK", "events/s",
                "errors/s", "retried/s", "p99");
    else
        painted(draw, BOLD, "\n  %-*s %-14s %10s %10s %10s %10s %10s %10s\n", NAME_COLUMNS, "SINK", "type",
                "events/s", "bytes/s", "p50", "p99", "retried/s", "errors/s");
    rows_draw(draw, view, view->sink_count, room, sink_in_trouble, sink_draw);
}

/* ---- the whole screen ---- */

/* Writes a sentence, broken at spaces where it does not fit (columns > 0). Returns the number of lines. */
static unsigned sentence_draw(FILE *to, const char *text, unsigned columns)
{
    unsigned lines = 1, wide = 2;
    fputs("  ", to);
    while (*text != '\0') {
        size_t length = strcspn(text + 1, " ") + 1; /* a word, with the space before it */
        if (columns > 0 && wide + length > columns && wide > 4) {
            fputs("\n   ", to);
            wide = 3;
            lines++;
        }
        fwrite(text, 1, length, to);
        wide += (unsigned)length;
        text += length;
    }
    fputc('\n', to);
    return lines;
}

/* Writes the bottlenecks; returns the number of lines. */
static unsigned bottlenecks_draw(FILE *to, const struct top_view *view, unsigned columns, unsigned most)
{
    char *text = NULL;
    size_t bytes;
    unsigned lines = 0;
    FILE *memory = ps_must_open_text(&text, &bytes, "the lines of top");
    ps_top_bottlenecks(memory, view);
    fclose(memory);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0' && lines < most;)
        lines += sentence_draw(to, line, columns);
    free(text);
    return lines;
}

static unsigned lines_of(const char *text)
{
    unsigned lines = 0;
    for (; text != NULL && *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n')
        lines++;
    return lines;
}

/* Shares the rows among sources, channels and sinks. */
static void rooms_share(size_t rows, const size_t counts[3], size_t rooms[3])
{
    for (bool given = true; given && rows > 0;) {
        given = false;
        for (unsigned i = 0; i < 3 && rows > 0; i++) {
            if (rooms[i] >= counts[i])
                continue;
            rooms[i]++;
            rows--;
            given = true;
        }
    }
}

void ps_top_draw(FILE *to, const struct top_view *view, const char *address, const char *clock,
                 const struct top_form *form)
{
    const struct draw draw = {to, form->colour, form->columns > 0 && form->columns < WIDE_COLUMNS};
    const size_t counts[3] = {view->source_count, view->channel_count, view->sink_count};
    size_t rooms[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    unsigned troubles = lines_of(view->not_ready), bottlenecks_max = UINT_MAX;
    char *sentences = NULL;
    size_t bytes;
    FILE *memory = ps_must_open_text(&sentences, &bytes, "the lines of top");
    unsigned bottlenecks = bottlenecks_draw(memory, view, form->columns, UINT_MAX);
    fclose(memory);
    free(sentences);
    unsigned titles = 2 + draw.narrow + 4 * 2; /* the head; an empty line and a title for each part */
    if (form->rows > 0 && titles + troubles + bottlenecks + counts[0] + counts[1] + counts[2] > form->rows) {
        troubles = troubles < TROUBLES_MAX ? troubles : TROUBLES_MAX;
        bottlenecks_max = TROUBLES_MAX;
        bottlenecks = bottlenecks < TROUBLES_MAX ? bottlenecks : TROUBLES_MAX;
        unsigned taken = titles + troubles + bottlenecks;
        rooms[0] = rooms[1] = rooms[2] = 0;
        rooms_share(form->rows > taken ? form->rows - taken : 3, counts, rooms);
    }
    head_draw(&draw, view, address, clock, troubles);
    sources_draw(&draw, view, rooms[0]);
    channels_draw(&draw, view, rooms[1]);
    sinks_draw(&draw, view, rooms[2]);
    painted(&draw, BOLD, "\n  WHO HOLDS UP WHOM\n");
    bottlenecks_draw(to, view, form->columns, bottlenecks_max);
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
