#include "stages/lib/queue/database/postgres_options.h"

#include "core/quantity.h"

#include <string.h>
#include <strings.h>

#define OPTIONS_MAX 32U

static const struct {
    const char *driver, *library; /* libpq's name; NULL: handled below, or without effect */
} names[] = {
    {"user", "user"},
    {"password", "password"},
    {"ssl", NULL},
    {"sslmode", "sslmode"},
    {"sslrootcert", "sslrootcert"},
    {"sslcert", "sslcert"},
    {"sslkey", "sslkey"},
    {"sslpassword", "sslpassword"},
    {"channelBinding", "channel_binding"},
    {"gssEncMode", "gssencmode"},
    {"kerberosServerName", "krbsrvname"},
    {"ApplicationName", "application_name"},
    {"options", "options"},
    {"targetServerType", NULL},
    {"currentSchema", NULL},
};

static const struct {
    const char *driver, *library;
} targets[] = {{"any", "any"},
               {"primary", "primary"},
               {"master", "primary"},
               {"secondary", "standby"},
               {"slave", "standby"},
               {"preferSecondary", "prefer-standby"},
               {"preferSlave", "prefer-standby"},
               {"preferPrimary", "any"}};

bool ps_postgres_option_known(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (strcasecmp(names[i].driver, name) == 0)
            return true;
    }
    return false;
}

struct building {
    struct ps_pair *items;
    size_t count;
};

/* Sets a libpq parameter; a later value replaces an earlier one. */
static void set(struct building *to, const char *key, const char *value)
{
    size_t i = 0;
    while (i < to->count && strcmp(to->items[i].key, key) != 0)
        i++;
    PS_ASSERT(i < OPTIONS_MAX);
    to->items[i] = (struct ps_pair){.key = key, .value = value};
    to->count += i == to->count;
}

static enum ps_status set_parameter(struct building *to, const struct ps_pair *pair, struct ps_err *err)
{
    if (strcasecmp(pair->key, "ssl") == 0 && strcasecmp(pair->value, "false") != 0)
        set(to, "sslmode", "verify-full"); /* as in pgjdbc 42.2.5 and later */
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (names[i].library != NULL && strcasecmp(names[i].driver, pair->key) == 0)
            set(to, names[i].library, pair->value);
    }
    if (strcasecmp(pair->key, "targetServerType") != 0)
        return PS_OK;
    for (size_t i = 0; i < PS_COUNT_OF(targets); i++) {
        if (strcasecmp(targets[i].driver, pair->value) == 0) {
            set(to, "target_session_attrs", targets[i].library);
            return PS_OK;
        }
    }
    return ps_err_set(err, "driver.url: targetServerType %s is not known: use primary", pair->value);
}

static enum ps_status set_parameters(struct building *to, const struct ps_pairs *pairs, struct ps_err *err)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (set_parameter(to, &pairs->items[i], err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status check_ports(const char *ports, struct ps_err *err)
{
    for (const char *port = ports; *port != '\0';) {
        size_t length = strcspn(port, ",");
        if (!ps_quantity_is_port(port, length))
            return ps_err_set(err, "driver.url: %.*s is not the number of a port: write 1 to 65535",
                              (int)length, port);
        port += length + (port[length] == ',');
    }
    return PS_OK;
}

enum ps_status ps_postgres_options(const struct ps_database_plan *plan, const struct ps_context *context,
                                   const struct ps_jdbc_url *url, struct ps_database_settings *settings,
                                   struct ps_err *err)
{
    struct building to = {.items = ps_arena_alloc(context->arena, OPTIONS_MAX * sizeof *to.items)};
    set(&to, "host", *url->hosts != '\0' ? url->hosts : "localhost");
    set(&to, "port", *url->ports != '\0' ? url->ports : "5432");
    set(&to, "client_encoding", "UTF8");
    if (check_ports(url->ports, err) != PS_OK)
        return PS_FAIL;
    set(&to, "application_name", "penstock");
    set(&to, "keepalives_idle", "20");
    set(&to, "keepalives_interval", "5");
    set(&to, "keepalives_count", "3");
    set(&to, "tcp_user_timeout", "30000");
    if (plan->properties_file != NULL) {
        struct ps_pairs pairs;
        if (context->read_properties(context->arena, plan->properties_file, &pairs, err) != PS_OK)
            return ps_err_append(err, "connection.properties.file");
        if (set_parameters(&to, &pairs, err) != PS_OK)
            return PS_FAIL;
    }
    if (plan->user != NULL)
        set(&to, "user", plan->user);
    if (plan->password != NULL)
        set(&to, "password", plan->password);
    if (set_parameters(&to, &url->parameters, err) != PS_OK)
        return PS_FAIL;
    settings->options = (struct ps_pairs){to.count, to.items};
    const char *user = ps_pairs_get(&settings->options, "user");
    if (user == NULL && *url->name == '\0')
        return ps_err_set(err, "driver.url has no database: write jdbc:postgresql://host:port/database");
    set(&to, "dbname", *url->name != '\0' ? url->name : user);
    settings->options.count = to.count;
    settings->label =
        ps_arena_format(context->arena, "%s%s%s:%s/%s", user != NULL ? user : "", user != NULL ? "@" : "",
                        to.items[0].value, to.items[1].value, ps_pairs_get(&settings->options, "dbname"));
    return PS_OK;
}
