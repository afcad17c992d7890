/* The suite of selectors, against the plug-in's. The source has the channels c1, c2 and c3; the events have a header `kind` with the value a, b
 * or c, or none. */
#include "tests/plugin/program.h"

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_selector_test.c"
#undef main

int ps_plugin_test_selector(void)
{
    adapters[0].ops = ps_plugin_test.ops;
    memcpy(adapters[0].keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    if (!ps_plugin_test.routes_differ)
        adapters[0].ways = ways_learned;
    return ps_plugin_test_suite();
}
