/* The suite of deserializers, against the plug-in's. The file that it reads is the one of --read, or 200 lines. */
#include "tests/plugin/program.h"

#include <errno.h>

#define main ps_plugin_test_suite
static int ps_plugin_test_suite(void);
#include "tests/stages/conformance_deserializer_test.c"
#undef main

static void make_input(void)
{
    length = 0;
    if (ps_plugin_test.reads == NULL) {
        for (unsigned i = 0; i < 200; i++)
            length += (size_t)sprintf(contents + length, "event %u\n", i);
        return;
    }
    FILE *file = fopen(ps_plugin_test.reads, "rb");
    if (file == NULL)
        fail_msg("cannot read %s: %s", ps_plugin_test.reads, strerror(errno));
    length = fread(contents, 1, sizeof contents, file);
    if (ferror(file) != 0)
        fail_msg("cannot read %s", ps_plugin_test.reads);
    if (length == sizeof contents)
        fail_msg("%s is too large: the suite reads files of less than %zu bytes", ps_plugin_test.reads,
                 sizeof contents);
    fclose(file);
}

int ps_plugin_test_deserializer(void)
{
    adapters[0].ops = ps_plugin_test.ops;
    memcpy(adapters[0].keys, ps_plugin_test.keys, sizeof ps_plugin_test.keys);
    adapters[0].make = make_input;
    adapters[0].any_bytes = true; /* it is not known which bytes damage the file */
    return ps_plugin_test_suite();
}
