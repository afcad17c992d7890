/* penstock-plugin-test: the conformance suites of tests/stages, against the stages of a plug-in. `penstock plugin test` starts
 * it. Each suite is compiled as it is, with the plug-in's stage as the only one it tests (PS_TEST_PLUGIN). */
#pragma once

#include "core/stage.h"

#define PS_PLUGIN_TEST_KEYS_MAX 7U /* a suite's adapter has room for 16 words and a NULL */

struct ps_plugin_test {
    const struct ps_stage_ops *ops;
    const char *keys[2 * PS_PLUGIN_TEST_KEYS_MAX + 1]; /* name, value, .., NULL */
    const char *sends, *arrives, *receives, *reads;    /* files and socket, or NULL */
    const char *check;                                 /* the only check to make, or NULL */
    bool has_check;                                    /* the suite of a stage has it */
    bool has_places;    /* a key is a path in a folder that is new for each check */
    unsigned limit_s;   /* of a check; 0: none */
    bool routes_differ; /* the same events may go elsewhere the next time */
};

extern struct ps_plugin_test ps_plugin_test;

/* Each returns the number of tests that failed. */
int ps_plugin_test_channel(void);
/* parts of ps_plugin_test_channel */
int ps_plugin_test_channel_durable(void);
int ps_plugin_test_channel_again(void);
int ps_plugin_test_deserializer(void);
int ps_plugin_test_interceptor(void);
int ps_plugin_test_selector(void);
int ps_plugin_test_serializer(void);
int ps_plugin_test_sink(void);
int ps_plugin_test_source(void);
