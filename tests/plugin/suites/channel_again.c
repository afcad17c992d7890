/* The suite of channels, against the plug-in's: rounds that must equal the first one, and what is left at the end. */
#include "tests/plugin/program.h"

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_channel_again_test.c"
#undef main

int ps_plugin_test_channel_again(void)
{
    adapters[0].ops = ps_plugin_test.ops;
    memcpy(adapters[0].keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    adapters[0].is_on_disk = ps_channel_is_durable(ps_plugin_test.ops->channel);
    return ps_plugin_test_suite();
}
