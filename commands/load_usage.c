/* The help text of `penstock load`; shapes, targets and formats come from their tables. */
#include "bench/load/content/content.h"
#include "bench/load/shape/shape.h"
#include "bench/load/target/target.h"
#include "bench/load/content/template.h"
#include "commands/load.h"

#include <string.h>

/* Prints a URL and its description on two lines, because URLs with all their keys are long. */
static void target_print(FILE *to, const char *summary)
{
    const char *colon = strstr(summary, ": ");
    if (colon == NULL)
        fprintf(to, "      %s\n", summary);
    else
        fprintf(to, "      %.*s\n          %s\n", (int)(colon - summary), summary, colon + 2);
}

void load_usage(FILE *to)
{
    fputs("usage: penstock load --target URL [--rate R] [--duration D | --events N] [OPTION]...\n"
          "\n"
          "Sends events on a schedule that does not wait for the target: each has a time it is due, and its "
          "latency counts\n"
          "from there. Without --rate it sends as fast as the target takes events (closed loop). Without an "
          "end "
          "it goes on\n"
          "until interrupted.\n"
          "\n"
          "when\n"
          "  --rate R               events a second: 100000, 50k, 1.5M\n"
          "  --duration D           10s, 1m30s\n"
          "  --events N             at most so many\n"
          "  --shape SHAPE          how the rate changes:\n",
          to);
    for (const struct ps_shape_form *form = ps_shape_forms; form->name != NULL; form++)
        fprintf(to, "      %-10s %s\n", form->name, form->summary);
    fputs("  --pace spin|sleep      spin before each due time (default), or sleep in steps of 1 ms\n"
          "\nwhere\n"
          "  --target URL           one of\n",
          to);
    for (const struct ps_target_ops *const *target = ps_targets; *target != NULL; target++)
        target_print(to, (*target)->summary);
    fputs("  --connections N        each is a source with a sequence of its own (default 1)\n"
          "  --connect-over D       open them one by one over this time, before the load starts\n"
          "  --wait                 for the target for ever, not for 10 s\n"
          "\nwhat\n"
          "  --format NAME          default rfc3164; one of\n",
          to);
    for (const struct ps_content_format *format = ps_content_formats; format->name != NULL; format++)
        fprintf(to, "      %-10s %s\n", format->name, format->summary);
    fputs("  --template TEXT        text with fields; {{ is a brace\n", to);
    for (const struct ps_template_field *field = ps_template_fields; field->name != NULL; field++)
        fprintf(to, "      {%s%s}\n          %s\n", field->name, field->arguments, field->summary);
    fputs(
        "  --lines FILE           the lines of a file in turn; with --template: its {line}\n"
        "  --size BYTES           of an event, framing included\n"
        "  --seed N               default 1: the same seed gives the same events and random arrivals\n"
        "  --start-time ISO8601   the clock that events show and due times count from (default: now); with "
        "it,\n"
        "                         --seed, --run and --rate (or --shape) the same bytes are sent again\n"
        "  --run HEX6|auto        the run's name in the stamps\n"
        "  --first-source N       the first connection's number in the stamps\n"
        "  --no-stamp             no stamp in the events: `penstock verify` finds nothing\n"
        "\nhow\n"
        "  --threads N            default: as the rate needs\n"
        "  --cpus LIST            pin the threads: 1 or 0,2-3\n"
        "  --settle D             wait for completions after the last event (default 10s)\n"
        "  --tolerance SHARE      of the asked rate that may be missing (default 0.1%)\n"
        "  --manifest FILE        what was sent, for `penstock verify --manifest`\n"
        "  --json                 JSON lines, for programs\n"
        "  --every D              a line of progress so often, 100ms to 1h (default 1s)\n"
        "  --quiet                no progress, only the end\n"
        "\n"
        "Exit code: 0 the rate was held, 1 events failed or were not delivered, 2 it could not start, 3 the "
        "rate was not held.\n"
        "\n"
        "examples:\n"
        "  penstock load --rate 100000 --duration 10s --format rfc3164 --target tcp://127.0.0.1:5140\n"
        "  penstock load --rate 1M --shape sine:min=100k,period=1m --duration 5m --connections 8 --target "
        "tcp://collector:514\n"
        "  penstock load --events 1M --target - > events.txt\n",
        to);
}
