/* penstock-plugin-test FILE.so [--stage NAME] [--check NAME] [--key NAME=VALUE]... [--send FILE] [--arrived FILE] [--receive SOCKET]
 *                          [--read FILE] [--routes same|any] [--fresh NAME]... [--limit SECONDS]
 * Called by `penstock plugin test`, which has checked the options. Exit: 0 all passed, 1 a test failed, or the file is not
 * a plug-in. */
#include "tests/plugin/program.h"

#define PS_TEST_PLUGIN_ALLOCATOR
#include "tests/support/allocations.h"

#include "core/plugin/module.h"
#include "core/plugin/watch.h"
#include "tests/support/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_plugin_test ps_plugin_test;

/* The suites test each of penstock's own stages; here there are none. */
extern const struct ps_stage_ops *const ps_plugin_test_no_stages[];
const struct ps_stage_ops *const ps_plugin_test_no_stages[] = {NULL};

static int run_suite(enum ps_kind kind)
{
    switch (kind) {
    case PS_KIND_CHANNEL:
        return ps_plugin_test_channel();
    case PS_KIND_DESERIALIZER:
        return ps_plugin_test_deserializer();
    case PS_KIND_INTERCEPTOR:
        return ps_plugin_test_interceptor();
    case PS_KIND_SELECTOR:
        return ps_plugin_test_selector();
    case PS_KIND_SERIALIZER:
        return ps_plugin_test_serializer();
    case PS_KIND_SINK:
        return ps_plugin_test_sink();
    case PS_KIND_SOURCE:
        return ps_plugin_test_source();
    default:
        printf("  FAILED  no suite: the stage is of a kind that is not known here\n");
        return 1;
    }
}

static void add_key(const char *name, const char *value, size_t *count)
{
    if (*count == PS_COUNT_OF(ps_plugin_test.keys) - 1) {
        fprintf(stderr, "penstock plugin test: at most %u keys\n", PS_PLUGIN_TEST_KEYS_MAX);
        exit(2);
    }
    ps_plugin_test.keys[(*count)++] = name;
    ps_plugin_test.keys[(*count)++] = value;
}

static void take_key(char *text, size_t *count)
{
    char *equals = strchr(text, '=');
    if (equals == NULL)
        exit(2);
    *equals = '\0';
    add_key(text, equals + 1, count);
}

/* The key's value is a path in the folder that each check has: its name there is the key's. */
static void take_fresh(const char *name, size_t *count)
{
    static char places[PS_PLUGIN_TEST_KEYS_MAX][128];
    char *place = places[*count / 2 % PS_PLUGIN_TEST_KEYS_MAX];
    snprintf(place, sizeof places[0], "%c%s", PS_TEST_PLACE, name);
    ps_plugin_test.has_places = true;
    add_key(name, place, count);
}

/* Each option has a value. */
static const char *take_options(int argc, char **argv)
{
    const char *stage = NULL;
    size_t keys = 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--stage") == 0)
            stage = argv[i + 1];
        else if (strcmp(argv[i], "--check") == 0)
            ps_plugin_test.check = argv[i + 1];
        else if (strcmp(argv[i], "--send") == 0)
            ps_plugin_test.sends = argv[i + 1];
        else if (strcmp(argv[i], "--arrived") == 0)
            ps_plugin_test.arrives = argv[i + 1];
        else if (strcmp(argv[i], "--receive") == 0)
            ps_plugin_test.receives = argv[i + 1];
        else if (strcmp(argv[i], "--read") == 0)
            ps_plugin_test.reads = argv[i + 1];
        else if (strcmp(argv[i], "--routes") == 0)
            ps_plugin_test.routes_differ = strcmp(argv[i + 1], "any") == 0;
        else if (strcmp(argv[i], "--limit") == 0)
            ps_plugin_test.limit_s = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--key") == 0)
            take_key(argv[i + 1], &keys);
        else if (strcmp(argv[i], "--fresh") == 0)
            take_fresh(argv[i + 1], &keys);
    }
    return stage;
}

int main(int argc, char **argv)
{
    struct ps_err err = {.length = 0};
    const char *cure = NULL;
    if (argc < 2)
        return 2;
    const char *wanted = take_options(argc, argv);
    ps_plugin_watch_set((struct ps_plugin_patience){.limit_s = PS_PLUGIN_LIMIT_S});
    const struct ps_module *module = ps_module_open(argv[1], &cure, &err);
    if (module == NULL) {
        fprintf(stderr, "%s: the plug-in %s; %s\n", argv[1], ps_err_join(&err), cure);
        return 1;
    }
    int failed = 0;
    bool found = false;
    for (size_t i = 0; i < module->stage_count; i++) {
        const struct ps_stage_ops *ops = module->stages[i];
        if (wanted != NULL && strcmp(ops->name, wanted) != 0)
            continue;
        found = true;
        printf("%s %s\n", ps_stage_kind_word(ops->kind), ops->name);
        ps_plugin_test.ops = ops;
        failed += run_suite(ops->kind);
    }
    bool is_there = ps_plugin_test.check == NULL || ps_plugin_test.has_check;
    if (!found)
        fprintf(stderr, "%s: there is no stage %s\n", argv[1], wanted);
    else if (!is_there)
        fprintf(stderr, "%s: the suite has no check %s; without --check it names them all\n", argv[1],
                ps_plugin_test.check);
    printf("%d failed\n", failed);
    return failed > 0 || !found || !is_there ? 1 : 0;
}
