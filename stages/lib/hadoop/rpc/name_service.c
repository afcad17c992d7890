#include "stages/lib/hadoop/rpc/name_service.h"

#include "core/text/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 512

/* Takes the next part of a list that is separated by commas and blanks. */
static bool next_part(const char **list, char *part, size_t room)
{
    struct ps_slice item;
    if (!ps_list_next(list, ", \t\r\n", &item) || item.length >= room)
        return false;
    snprintf(part, room, "%.*s", (int)item.length, item.data);
    return true;
}

bool ps_name_service_split(const char *address, unsigned port_default, char host[PS_HOST_NAME_BYTES],
                           unsigned *port)
{
    const char *start = address, *end = strrchr(address, ':');
    *port = port_default;
    if (*address == '[') {
        const char *close = strchr(address, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return false;
        start = address + 1;
        end = close;
        address = close + 1;
    } else {
        if (end == NULL)
            end = address + strlen(address);
        address = end;
    }
    size_t length = (size_t)(end - start);
    if (length == 0 || length >= PS_HOST_NAME_BYTES)
        return false;
    memcpy(host, start, length);
    host[length] = '\0';
    if (*address == '\0')
        return true;
    char *rest;
    unsigned long number = strtoul(address + 1, &rest, 10);
    if (address[1] < '0' || address[1] > '9' || *rest != '\0' || number == 0 || number > 65535)
        return false;
    *port = (unsigned)number;
    return true;
}

static enum ps_status add(struct ps_name_service *service, const char *address, struct ps_err *err)
{
    unsigned i = service->count;
    if (i == PS_NAMENODES_MAX)
        return ps_err_set(err, "more than %u namenodes", PS_NAMENODES_MAX);
    if (!ps_name_service_split(address, PS_NAMENODE_PORT, service->hosts[i], &service->servers[i].port))
        return ps_err_set(err, "'%s' is not host:port", address);
    service->servers[i].host = service->hosts[i];
    service->count++;
    return PS_OK;
}

/* Adds the address of a key. A name service without HA has dfs.namenode.rpc-address.NAME. */
static enum ps_status add_key(const struct ps_hadoop_configuration *configuration, const char *key,
                              struct ps_name_service *service, struct ps_err *err)
{
    const char *address = ps_hadoop_configuration_text(configuration, key);
    if (address == NULL)
        return ps_err_set(err, "hdfs-site.xml has no %s", key);
    if (add(service, address, err) != PS_OK)
        return ps_err_append(err, "%s: %s", ps_hadoop_configuration_place(configuration, key), key);
    return PS_OK;
}

static enum ps_status find_service(const struct ps_hadoop_configuration *configuration, const char *name,
                                   struct ps_name_service *service, struct ps_err *err)
{
    char key[KEY_BYTES], node[128];
    snprintf(key, sizeof key, "dfs.ha.namenodes.%s", name);
    const char *nodes = ps_hadoop_configuration_text(configuration, key);
    if (nodes == NULL) {
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s", name);
        return add_key(configuration, key, service, err);
    }
    while (next_part(&nodes, node, sizeof node)) {
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s.%s", name, node);
        if (add_key(configuration, key, service, err) != PS_OK)
            return PS_FAIL;
    }
    service->high_availability = true;
    if (service->count == 0)
        return ps_err_set(err, "%s: dfs.ha.namenodes.%s names no namenode",
                          ps_hadoop_configuration_place(configuration, key), name);
    return PS_OK;
}

static bool is_service(const struct ps_hadoop_configuration *configuration, const char *name)
{
    const char *services = ps_hadoop_configuration_text(configuration, "dfs.nameservices");
    char part[PS_HOST_NAME_BYTES], key[KEY_BYTES];
    while (services != NULL && next_part(&services, part, sizeof part)) {
        if (strcmp(part, name) == 0)
            return true;
    }
    snprintf(key, sizeof key, "dfs.ha.namenodes.%s", name);
    return ps_hadoop_configuration_text(configuration, key) != NULL;
}

enum ps_status ps_name_service_find(const struct ps_hadoop_configuration *configuration,
                                    const char *authority, struct ps_name_service *service,
                                    struct ps_err *err)
{
    const char *user_end = strrchr(authority, '@'); /* HDFS ignores the user */
    *service = (struct ps_name_service){0};
    if (user_end != NULL)
        authority = user_end + 1;
    if (authority[0] == '\0')
        return ps_err_set(err, "hdfs:// names no namenode, and no core-site.xml was found whose fs.defaultFS "
                               "names one: write hdfs://NAMENODE:8020/.., or set penstock.hadoop.conf or "
                               "HADOOP_CONF_DIR to the directory of core-site.xml");
    if (is_service(configuration, authority))
        return find_service(configuration, authority, service, err);
    return add(service, authority, err);
}
