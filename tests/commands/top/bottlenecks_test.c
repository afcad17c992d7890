/* The sentences about bottlenecks. */
#include "commands/top/top.h"
#include "tests/support/support.h"

#include <stdlib.h>

static void expect(const struct top_view *view, const char *expected)
{
    char *text;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    assert_non_null(to);
    ps_top_bottlenecks(to, view);
    fclose(to);
    assert_string_equal(text, expected);
    free(text);
}

/* A waiting source: the fullest of its channels is named, not the largest. */
static void test_fullest_channel(void **state)
{
    struct top_source source = {.name = "r1", .waits = 0.5};
    struct top_channel channels[] = {{.name = "c1", .size = 1000, .capacity = 10000},
                                     {.name = "c2", .size = 100, .capacity = 100},
                                     {.name = "c3", .size = 5000, .capacity = 5000}};
    struct top_sink sinks[] = {{.name = "k1", .type = "null", .up = true, .delivered_s = 5},
                               {.name = "k2", .type = "kafka", .up = false},
                               {.name = "k3", .type = "logger", .up = true}};
    struct top_link links[] = {{true, "r1", "c1"},
                               {true, "r1", "c2"},
                               {false, "k1", "c1"},
                               {false, "k2", "c2"},
                               {false, "k3", "c2"}};
    struct top_view view = {.sources = &source,
                            .source_count = 1,
                            .channels = channels,
                            .channel_count = 2,
                            .sinks = sinks,
                            .sink_count = 3,
                            .links = links,
                            .link_count = PS_COUNT_OF(links)};
    expect(&view, "r1 waits 50 % of the time for c2, 100 % full, taken from by k2 (kafka, down), k3 (logger, "
                  "delivers nothing)\n");
    view.channel_count = 3; /* no source waits for it and it does not grow: it is full nevertheless */
    expect(&view, "r1 waits 50 % of the time for c2, 100 % full, taken from by k2 (kafka, down), k3 (logger, "
                  "delivers nothing)\nc3 is 100 % full\n");
}

static void test_limits(void **state)
{
    struct top_source source = {.name = "r1", .waits = 0.04};
    struct top_channel channel = {.name = "c1", .size = 50, .capacity = 100, .put_s = 15, .taken_s = 10};
    struct top_view view = {.sources = &source, .source_count = 1, .channels = &channel, .channel_count = 1};
    expect(&view, "c1 is 50 % full and will be full in 10 s\n");
    channel.size = 49;
    expect(&view, "nobody waits\n");
    channel.put_s = 10;
    channel.size = 89;
    expect(&view, "nobody waits\n");
    view.budget_bytes = 1000;
    view.used_bytes = 900;
    view.busiest = 0.95;
    view.busiest_worker = "3";
    source.dropped_s = 2;
    expect(&view, "90 % of the memory budget is used: sources wait when it is used up\n"
                  "worker 3 is busy 95 % of the time\n"
                  "r1 drops 2 /s (filters, events without a route, the kernel's buffer)\n");
    view.used_bytes = 899;
    view.busiest = 0.949;
    source.dropped_s = 0;
    expect(&view, "nobody waits\n");
    channel.size = 90;
    expect(&view, "c1 is 90 % full\n"); /* also if it does not grow */
    channel.size = 0;
    source.waits = 0.05;
    expect(&view, "r1 waits 5 % of the time\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fullest_channel), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
