#include "conf/validate/lone_classes.h"

#include "conf/validate/java.h"

#define CONFIG_FILTER "org.apache.flume.configfilter.ConfigFilter"

static ps_filter_class_asker *ask_class;

void ps_filter_classes_ask_with(ps_filter_class_asker *asker)
{
    ask_class = asker;
}

static bool find(void *argument, const char *class_name, struct ps_place place)
{
    struct ps_conf *conf = argument;
    struct ps_component_maker maker = {.conf = conf, .stages = conf->stages, .arena = conf->plan_arena};
    return ps_java_alone(&maker, "config filter", CONFIG_FILTER, class_name, place, PS_JAVA_IS_ASKED);
}

static enum ps_status ask(void *argument, const char *class_name, const char *name,
                          const struct ps_pairs *settings, const struct ps_texts *keys,
                          struct ps_arena *arena, struct ps_filter_answer *answers, struct ps_err *err)
{
    const struct ps_conf *conf = argument;
    if (ask_class == NULL)
        return ps_err_set(err, "this program does not run Java classes");
    return ask_class(conf->class_path, class_name, name, settings, keys, arena, answers, err);
}

struct ps_filter_classes ps_filter_classes_make(struct ps_conf *conf, bool ask_them)
{
    return (struct ps_filter_classes){.find = find, .ask = ask_them ? ask : NULL, .argument = conf};
}

void ps_check_monitor(struct ps_conf *conf)
{
    struct ps_component_maker maker = {.conf = conf, .stages = conf->stages, .arena = conf->arena};
    const struct ps_place place = {.key = "-Dflume.monitoring.type"};
    if (conf->monitoring.class_name != NULL &&
        !ps_java_alone(&maker, "monitor", "org.apache.flume.instrumentation.MonitorService",
                       conf->monitoring.class_name, place, "gets the metrics in Java"))
        conf->monitoring.class_name = NULL;
}
