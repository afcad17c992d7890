/* The suite of channels, against the plug-in's: what it promises. Which tests are run depends on that. */
#include "tests/plugin/program.h"

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_channel_test.c"
#undef main

int ps_plugin_test_channel(void)
{
    const struct ps_channel_ops *ops = ps_plugin_test.ops->channel;
    bool durable = ps_channel_is_durable(ops);
    if (ops->put == NULL || ops->take == NULL || ops->done == NULL || ops->untake == NULL ||
        ops->hungry == NULL || ops->fill == NULL || (durable && ops->tick == NULL)) {
        printf("  FAILED  functions: a channel needs put, take, done, untake, hungry and fill; one that "
               "promises "
               "DURABLE needs tick, too\n");
        return 1;
    }
    ps_plugin_test.has_places = true; /* the suite makes folders */
    if (durable)
        return ps_plugin_test_channel_durable() + ps_plugin_test_channel_again();
    adapters[0].ops = ps_plugin_test.ops;
    memcpy(adapters[0].keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    return ps_plugin_test_suite() + ps_plugin_test_channel_again();
}
