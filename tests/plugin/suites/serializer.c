/* The suite of serializers, against the plug-in's. */
#include "tests/plugin/program.h"

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_serializer_test.c"
#undef main

int ps_plugin_test_serializer(void)
{
    serializers[0] = ps_plugin_test.ops;
    serializer_keys = ps_plugin_test.keys;
    return ps_plugin_test_suite();
}
