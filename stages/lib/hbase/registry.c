#include "stages/lib/hbase/registry.h"

#include "core/big_endian.h"
#include "stages/lib/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE "meta-region-server"

struct ps_hbase_registry {
    struct ps_hbase_registry_settings settings;
    struct ps_zookeeper *zookeeper;
    char path[512];
};

/* ---- the value ---- */

static bool parse_server(struct ps_protobuf_reader name, struct ps_hbase_registry_answer *answer)
{
    answer->host[0] = '\0';
    answer->port = 0;
    while (ps_protobuf_next(&name)) {
        if (ps_protobuf_is_bytes(&name, 1) && name.length > 0 && name.length < sizeof answer->host &&
            memchr(name.bytes, '\0', name.length) == NULL) {
            memcpy(answer->host, name.bytes, name.length);
            answer->host[name.length] = '\0';
        } else if (ps_protobuf_is_number(&name, 2) && name.number <= UINT16_MAX) {
            answer->port = (unsigned)name.number;
        }
    }
    return !name.invalid && answer->host[0] != '\0' && answer->port > 0;
}

bool ps_hbase_registry_parse(const uint8_t *bytes, size_t length, struct ps_hbase_registry_answer *answer)
{
    bool found = false;
    if (length >= 5 && bytes[0] == 0xff) {
        size_t skip = 5 + (size_t)ps_big_endian_get_32(bytes + 1);
        if (skip > length)
            return false;
        bytes += skip;
        length -= skip;
    }
    if (length < 4 || memcmp(bytes, "PBUF", 4) != 0)
        return false;
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + 4, length - 4);
    while (ps_protobuf_next(&reader))
        if (ps_protobuf_is_bytes(&reader, 1))
            found = parse_server(ps_protobuf_inner(&reader), answer);
    return found && !reader.invalid;
}

/* ---- the question ---- */

static void answered(void *owner, const struct ps_zookeeper_answer *answer)
{
    struct ps_hbase_registry *registry = owner;
    const struct ps_zookeeper_node *node = &answer->nodes[0];
    struct ps_hbase_registry_answer place = {.found = false};
    if (answer->reason != NULL)
        (void)snprintf(place.reason, sizeof place.reason, "%s", answer->reason);
    else if (!node->is_there)
        (void)snprintf(place.reason, sizeof place.reason,
                       "ZooKeeper has no node %.180s: is HBase up, and is znodeParent right?",
                       registry->path);
    else if (!ps_hbase_registry_parse((const uint8_t *)node->value, node->length, &place))
        (void)snprintf(place.reason, sizeof place.reason, "the node %.180s names no region server",
                       registry->path);
    else
        place.found = true;
    registry->settings.answered(registry->settings.owner, &place);
}

void ps_hbase_registry_ask(struct ps_hbase_registry *registry)
{
    ps_zookeeper_ask(registry->zookeeper);
}

struct ps_hbase_registry *ps_hbase_registry_open(const struct ps_hbase_registry_settings *settings)
{
    struct ps_hbase_registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL)
        return NULL;
    registry->settings = *settings;
    (void)snprintf(registry->path, sizeof registry->path, "%s/" NODE, settings->znode);
    struct ps_zookeeper_settings zookeeper = {.loop = settings->loop,
                                              .quorum = settings->quorum,
                                              .timeout_ns = settings->timeout_ns,
                                              .read_count = 1,
                                              .answered = answered,
                                              .owner = registry};
    (void)snprintf(zookeeper.reads[0].path, sizeof zookeeper.reads[0].path, "%s", registry->path);
    registry->zookeeper = ps_zookeeper_open(&zookeeper);
    if (registry->zookeeper != NULL)
        return registry;
    free(registry);
    return NULL;
}

void ps_hbase_registry_close(struct ps_hbase_registry *registry)
{
    if (registry == NULL)
        return;
    ps_zookeeper_close(registry->zookeeper);
    free(registry);
}
