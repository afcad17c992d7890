/* Finds bottlenecks: follows a source that waits to its full channel and to the sinks that do not empty the channel,
 * and finds the resource that the whole agent lacks. */
#include "commands/top/top.h"

#include "core/quantity.h"
#include "core/text/printable.h"

#include <math.h>
#include <string.h>

#define WAITS 0.05  /* a source that waits for a smaller share of its time is not held up */
#define FULL 0.9    /* a channel with this fill or more holds up its sources */
#define FILLING 0.5 /* a growing channel with this fill or more gets a line */
#define SHORT 0.9   /* memory is short when this share of the budget is in use */
#define BUSY 0.95   /* a worker that works for this share of its time is busy */

/* Returns the fill. It can be above 1, because events that a sink has taken still count. */
static double fill_of(const struct top_channel *channel)
{
    return channel->capacity > 0 ? channel->size / channel->capacity : 0;
}

static double percent_of(const struct top_channel *channel)
{
    return 100 * fmin(fill_of(channel), 1);
}

static void name_write(FILE *to, const char *name)
{
    ps_printable_write(to, name, strlen(name));
}

static bool has_link(const struct top_view *view, bool source, const char *component, const char *channel)
{
    for (size_t i = 0; i < view->link_count; i++)
        if (view->links[i].source == source && strcmp(view->links[i].component, component) == 0 &&
            strcmp(view->links[i].channel, channel) == 0)
            return true;
    return false;
}

/* ", which k1 (kafka, down) does not empty" */
static void sinks_write(FILE *to, const struct top_view *view, const struct top_channel *channel)
{
    const char *separator = ", taken from by ";
    for (size_t i = 0; i < view->sink_count; i++) {
        const struct top_sink *sink = &view->sinks[i];
        if (!has_link(view, false, sink->name, channel->name))
            continue;
        fputs(separator, to);
        name_write(to, sink->name);
        fputs(" (", to);
        name_write(to, sink->type);
        if (!sink->up)
            fputs(", down)", to);
        else if (sink->delivered_s <= 0)
            fputs(", delivers nothing)", to);
        else
            fprintf(to, ", delivers %s)", ps_quantity_print_rate(sink->delivered_s).text);
        separator = ", ";
    }
}

/* Returns the fullest channel of the source, which waits. */
static const struct top_channel *culprit(const struct top_view *view, const struct top_source *source)
{
    const struct top_channel *found = NULL;
    for (size_t i = 0; i < view->channel_count; i++) {
        const struct top_channel *channel = &view->channels[i];
        if (has_link(view, true, source->name, channel->name) &&
            (found == NULL || fill_of(channel) > fill_of(found)))
            found = channel;
    }
    return found;
}

static unsigned waiting_write(FILE *to, const struct top_view *view)
{
    unsigned lines = 0;
    for (size_t i = 0; i < view->source_count; i++) {
        const struct top_source *source = &view->sources[i];
        if (source->waits < WAITS)
            continue;
        const struct top_channel *channel = culprit(view, source);
        name_write(to, source->name);
        fprintf(to, " waits %.0f %% of the time", 100 * source->waits);
        if (channel != NULL) {
            fputs(" for ", to);
            name_write(to, channel->name);
            fprintf(to, ", %.0f %% full", percent_of(channel));
            sinks_write(to, view, channel);
        }
        fputc('\n', to);
        lines++;
    }
    return lines;
}

/* Lists channels that fill but hold up no source yet. */
static unsigned filling_write(FILE *to, const struct top_view *view)
{
    unsigned lines = 0;
    for (size_t i = 0; i < view->channel_count; i++) {
        const struct top_channel *channel = &view->channels[i];
        double fill = fill_of(channel), grows_s = channel->put_s - channel->taken_s;
        bool named = false;
        for (size_t k = 0; k < view->source_count && !named; k++)
            named = view->sources[k].waits >= WAITS && culprit(view, &view->sources[k]) == channel;
        if (named || fill < FILLING || (grows_s <= 0 && fill < FULL))
            continue;
        name_write(to, channel->name);
        fprintf(to, " is %.0f %% full", percent_of(channel));
        if (grows_s > 0 && fill < 1)
            fprintf(to, " and will be full in %s",
                    ps_quantity_print_ns(
                        (uint64_t)fmin((channel->capacity - channel->size) / grows_s * 1e9, 1e18))
                        .text);
        sinks_write(to, view, channel);
        fputc('\n', to);
        lines++;
    }
    return lines;
}

static unsigned losing_write(FILE *to, const struct top_view *view)
{
    unsigned lines = 0;
    for (size_t i = 0; i < view->source_count; i++) {
        if (view->sources[i].dropped_s <= 0)
            continue;
        name_write(to, view->sources[i].name);
        fprintf(to, " drops %s (filters, events without a route, the kernel's buffer)\n",
                ps_quantity_print_rate(view->sources[i].dropped_s).text);
        lines++;
    }
    return lines;
}

void ps_top_bottlenecks(FILE *to, const struct top_view *view)
{
    unsigned lines = waiting_write(to, view);
    if (view->budget_bytes > 0 && view->used_bytes >= SHORT * view->budget_bytes) {
        fprintf(to, "%.0f %% of the memory budget is used: sources wait when it is used up\n",
                100 * view->used_bytes / view->budget_bytes);
        lines++;
    }
    lines += filling_write(to, view);
    if (view->busiest >= BUSY) {
        fprintf(to, "worker %s is busy %.0f %% of the time\n", view->busiest_worker, 100 * view->busiest);
        lines++;
    }
    lines += losing_write(to, view);
    if (lines == 0)
        fputs("nobody waits\n", to);
}
