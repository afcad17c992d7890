#include "stages/lib/kafka/librdkafka/settings.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

enum ps_status ps_kafka_conf_set(struct rd_kafka_conf_s *conf, const char *name, const char *value,
                                 struct ps_err *err)
{
    char reason[512] = "";
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return PS_OK;
    reason[strcspn(reason, "\r\n")] = '\0';
    if (ps_kafka_setting_secret(name))
        return ps_err_set(err, "%s: librdkafka refuses the value", name);
    ps_err_set(err, "%s = %.200s: librdkafka refuses it: %s", name, value, reason);
    if (strstr(reason, "not supported in this build") != NULL)
        ps_err_append(err, "use a librdkafka that is built with it, or log in with PLAIN, SCRAM or Kerberos");
    return PS_FAIL;
}

struct target {
    rd_kafka_conf_t *conf;
    bool (*wanted)(const char *name);
    struct ps_err *err;
    enum ps_status status;
};

static bool apply(void *target_, const char *name, const char *value)
{
    struct target *target = target_;
    if (target->wanted == NULL || target->wanted(name))
        target->status = ps_kafka_conf_set(target->conf, name, value, target->err);
    return target->status == PS_OK;
}

enum ps_status ps_kafka_settings_apply(const struct ps_kafka_settings *settings,
                                       bool (*wanted)(const char *name), struct rd_kafka_conf_s *conf,
                                       struct ps_err *err)
{
    struct target target = {conf, wanted, err, PS_OK};
    ps_kafka_settings_each(settings, apply, &target);
    return target.status;
}

enum ps_status ps_kafka_settings_check(const struct ps_kafka_settings *settings, struct ps_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum ps_status status = ps_kafka_settings_apply(settings, NULL, conf, err);
    rd_kafka_conf_destroy(conf);
    return status;
}

enum ps_status ps_kafka_settings_try(struct ps_kafka_settings *settings, const char *name, const char *value,
                                     struct ps_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum ps_status status = ps_kafka_conf_set(conf, name, value, err);
    rd_kafka_conf_destroy(conf);
    if (status == PS_OK)
        ps_kafka_settings_set(settings, name, value);
    return status;
}

const char *ps_kafka_version(void)
{
    return rd_kafka_version_str();
}
