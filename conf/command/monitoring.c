#include "conf/command/monitoring.h"
#include "conf/bind.h"
#include "conf/command/log4j.h"
#include "core/text/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char flume_server[] = "org.apache.flume.instrumentation.http.HTTPMetricsServer";

#define CORE_DUMPS "penstock.core.dumps"

static const char ganglia[] = "org.apache.flume.instrumentation.GangliaServer";

static void warn(struct ps_conf *conf, const char *key, const char *cure, const char *what, const char *value)
{
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING,
                   (struct ps_place){.key = ps_arena_format(conf->arena, "-D%s", key)}, cure, what, value);
}

static const char *did_you_mean(struct ps_conf *conf, const char *written, const char *const *words,
                                size_t count, const char *otherwise)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, written);
    for (size_t i = 0; i < count; i++)
        ps_nearest_offer(&nearest, words[i]);
    return nearest.word != NULL ? ps_arena_format(conf->arena, "did you mean %s?", nearest.word) : otherwise;
}

static void read_type(struct ps_conf *conf)
{
    static const char key[] = "flume.monitoring.type";
    static const char *const words[] = {"http", "prometheus", "ganglia"};
    const char *type = ps_conf_system_property(conf, key);
    if (type == NULL)
        return;
    conf->monitoring.prometheus = strcasecmp(type, "prometheus") == 0;
    conf->monitoring.on =
        conf->monitoring.prometheus || strcasecmp(type, "http") == 0 || strcmp(type, flume_server) == 0;
    if (conf->monitoring.on)
        return;
    if (strcasecmp(type, "ganglia") == 0)
        conf->monitoring.class_name = ganglia;
    else if (strchr(type, '.') != NULL)
        conf->monitoring.class_name = type;
    else
        warn(conf, key, did_you_mean(conf, type, words, PS_COUNT_OF(words), "use http, or prometheus"),
             type[0] != '\0' ? "%s is not known: there are no metrics"
                             : "the value is empty%s: there are no metrics",
             type);
}

static void read_port(struct ps_conf *conf)
{
    static const char key[] = "flume.monitoring.port";
    const char *text = ps_conf_system_property(conf, key);
    conf->monitoring.port = -1;
    if (text == NULL)
        return;
    if (ps_conf_system_property(conf, "flume.monitoring.type") == NULL) {
        warn(conf, key, "add -Dflume.monitoring.type=http", "%s has no effect: there are no metrics", text);
        return;
    }
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && port <= 65535) {
        conf->monitoring.port = (int)port;
        return;
    }
    if (conf->monitoring.on)
        warn(conf, key, NULL, "%s is not a port number: there are no metrics", text);
    conf->monitoring.on = false;
}

/* Returns the text of a property; an empty one counts as absent, after a warning. */
static const char *read_text(struct ps_conf *conf, const char *key)
{
    const char *text = ps_conf_system_property(conf, key);
    if (text == NULL || text[0] != '\0')
        return text;
    warn(conf, key, NULL, "the value is empty%s", "");
    return NULL;
}

const char *const ps_conf_property_names[] = {"flume.monitoring.type",
                                              "flume.monitoring.port",
                                              "flume.monitoring.hosts",
                                              "flume.monitoring.pollFrequency",
                                              "flume.monitoring.isGanglia3",
                                              "flume.root.logger",
                                              "flume.log.dir",
                                              "flume.log.file",
                                              "penstock.monitoring.host",
                                              "penstock.monitoring.hosts",
                                              "penstock.monitoring.token",
                                              "penstock.monitoring.token.file",
                                              CORE_DUMPS,
                                              PS_CONF_LOG_FORMAT,
                                              NULL};

/* Returns whether the key is a setting of a MonitorService class that penstock does not know. Such settings can have
 * any name. */
static bool is_of_own_class(const struct ps_conf *conf, const char *key)
{
    const char *class_name = conf->monitoring.class_name;
    return class_name != NULL && strcmp(class_name, ganglia) != 0 &&
           strncmp(key, "flume.monitoring.", 17) == 0;
}

/* Warns about unknown names of penstock's own properties, and about misspelt names of Flume's (those of the user
 * guide and of flume-ng). Properties that the agent file refers to by ${...} can have any name. */
static void warn_names(struct ps_conf *conf)
{
    size_t count = PS_COUNT_OF(ps_conf_property_names) - 1;
    for (size_t i = 0; i < conf->system.count; i++) {
        const char *key = conf->system.items[i].key;
        bool known = false, own = strncmp(key, "penstock.", 9) == 0;
        for (size_t j = 0; j < count && !known; j++)
            known = strcmp(key, ps_conf_property_names[j]) == 0;
        if (known || is_of_own_class(conf, key) || (!own && strncmp(key, "flume.", 6) != 0))
            continue;
        const char *cure = did_you_mean(conf, key, ps_conf_property_names, count, NULL);
        if (own || cure != NULL)
            warn(conf, key, cure, "this property is not known%s", "");
    }
}

static void read_core_dumps(struct ps_conf *conf)
{
    const char *text = ps_conf_system_property(conf, CORE_DUMPS);
    conf->core_dumps = text != NULL && strcasecmp(text, "true") == 0;
    if (text != NULL && !conf->core_dumps && strcasecmp(text, "false") != 0)
        warn(conf, CORE_DUMPS, "write true or false", "%s is neither true nor false: there are no core dumps",
             text);
}

void ps_conf_monitoring(struct ps_conf *conf)
{
    read_type(conf);
    /* what Flume gives to a MonitorService */
    conf->monitoring.settings = ps_pairs_below(conf->arena, &conf->system, "flume.monitoring.");
    read_port(conf);
    conf->monitoring.host = read_text(conf, "penstock.monitoring.host");
    conf->monitoring.hosts = read_text(conf, "penstock.monitoring.hosts");
    conf->monitoring.token = read_text(conf, "penstock.monitoring.token");
    conf->monitoring.token_path = read_text(conf, "penstock.monitoring.token.file");
    if (conf->monitoring.token != NULL && conf->monitoring.token_path != NULL)
        warn(conf, "penstock.monitoring.token", NULL,
             "is not used, because penstock.monitoring.token.file=%s is set", conf->monitoring.token_path);
    warn_names(conf);
    read_core_dumps(conf);
}
