/* The suite of durable channels, against the plug-in's. */
#include "tests/plugin/program.h"

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_channel_durable_test.c"
#undef main

int ps_plugin_test_channel_durable(void)
{
    durable_adapters[0].ops = ps_plugin_test.ops;
    memcpy(durable_adapters[0].keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    return ps_plugin_test_suite();
}
