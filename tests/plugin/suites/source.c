/* The suite of sources, against the plug-in's. Its events are lines that the suite writes to a file or pipe, or they come by
 * themselves. */
#include "tests/plugin/program.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define main ps_plugin_test_suite
#define ps_test_sources_start ps_plugin_sources_start
#define ps_test_sources_stop ps_plugin_sources_stop
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_source_test.c"
#undef main

static struct ps_test_source_adapter adapter;
const struct ps_test_source_adapter *const ps_test_source_adapters = &adapter;
const size_t ps_test_source_adapter_count = 1;
unsigned ps_test_source_delivered;

static int output = -1;

/* Opens it after the source, which may make its pipe itself. */
static void open_output(const struct ps_test_source_adapter *unused, struct ps_test_stage *stage)
{
    output = open(ps_plugin_test.sends, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
    if (output < 0)
        fail_msg("cannot write to %s: %s", ps_plugin_test.sends, strerror(errno));
}

static void send_line(unsigned number)
{
    char line[32];
    int length = snprintf(line, sizeof line, "event %u\n", number);
    if (write(output, line, (size_t)length) != length)
        fail_msg("cannot write to %s: %s", ps_plugin_test.sends, strerror(errno));
}

static void close_output(void)
{
    close(output);
    output = -1;
}

static void expect_line(const struct ps_test_event *event, unsigned number)
{
    char line[32];
    int length = snprintf(line, sizeof line, "event %u", number);
    if (event->length != (uint32_t)length || memcmp(event->body, line, event->length) != 0)
        fail_msg("event %u is \"%.*s\"", number, (int)event->length, event->body);
}

static void expect_any(const struct ps_test_event *event, unsigned number)
{
}

/* Each check has a folder: keys of --fresh are paths in it. The file to which events are written may be one of them, and is
 * there, empty, before the source is opened. */
int ps_plugin_sources_start(void **state)
{
    static char places[PS_PLUGIN_TEST_KEYS_MAX][512];
    if (!ps_plugin_test.has_places)
        return 0;
    if (ps_test_folder_setup(state) != 0)
        return -1;
    for (size_t i = 0; adapter.keys[i] != NULL; i += 2) {
        if (adapter.keys[i + 1][0] != PS_TEST_PLACE)
            continue;
        snprintf(places[i / 2], sizeof places[0], "%s/%s", ps_test_folder(), adapter.keys[i]);
        adapter.keys[i + 1] = places[i / 2];
        if (ps_plugin_test.sends == NULL || strcmp(ps_plugin_test.sends, adapter.keys[i]) != 0)
            continue;
        ps_plugin_test.sends = places[i / 2];
        ps_test_folder_append(adapter.keys[i], "", 0);
    }
    return 0;
}

int ps_plugin_sources_stop(void **state)
{
    return ps_plugin_test.has_places ? ps_test_folder_teardown(state) : 0;
}

int ps_plugin_test_source(void)
{
    adapter.ops = ps_plugin_test.ops;
    memcpy(adapter.keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    adapter.expect = expect_any;
    if (ps_plugin_test.sends != NULL) {
        adapter.begin = open_output;
        adapter.send = send_line;
        adapter.end = close_output;
        adapter.expect = expect_line;
    }
    return ps_plugin_test_suite();
}
