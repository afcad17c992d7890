/* Any bytes as a configuration file: read, substituted, grouped, and validated with the stages that the
 * corpus uses. */
#include "conf/conf.h"
#include "conf/properties/properties.h"
#include "conf/report.h"
#include "tests/conf/fake_stages.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A config filter may name a command to run: such inputs are skipped. */
static bool has_filters(const uint8_t *data, size_t size)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_problems problems;
    struct ps_properties properties;
    bool found = false;
    ps_problems_init(&problems, arena);
    ps_properties_init(&properties, arena);
    ps_properties_load(&properties, "fuzz", (const char *)data, size, &problems);
    for (size_t i = 0; i < properties.count; i++)
        found |= strstr(properties.items[i].key, "configfilters") != NULL;
    ps_properties_fini(&properties);
    ps_problems_fini(&problems);
    ps_arena_destroy(arena);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_pair system[] = {{.key = "one", .value = "${sys:two}"},
                                            {.key = "two", .value = "a1"}};
    static const struct ps_pair older[] = {
        {.key = "propertiesImplementation", .value = "org.apache.flume.node.EnvVarResolverProperties"}};
    struct ps_command command = {.agent = "a1", .system = {PS_COUNT_OF(system), system}, .dry_run = true};
    if (size > 0 && data[0] == 'E')
        command.system = (struct ps_pairs){PS_COUNT_OF(older), older};
    if (has_filters(data, size))
        return 0;
    command.arena = ps_arena_create();
    struct ps_conf *conf;
    enum ps_status status =
        ps_conf_load_text(&command, fake_table(), "fuzz", (const char *)data, size, &conf);
    PS_ASSERT((status == PS_OK) == (conf->problems.errors == 0));
    FILE *out = fopen("/dev/null", "w");
    PS_ASSERT(out != NULL);
    ps_report_problems(out, conf, true);
    ps_report_agent(out, conf);
    fclose(out);
    if (status == PS_OK) {
        struct ps_agent_spec *spec = ps_conf_take_spec(conf);
        ps_arena_destroy(spec->arena);
    }
    ps_conf_destroy(conf);
    ps_arena_destroy(command.arena);
    return 0;
}
