#include "stages/lib/zookeeper/zookeeper.h"

#include "core/arena.h"

#include <stdlib.h>
#include <string.h>

static enum ps_status add_server(struct ps_zookeeper_quorum *quorum, const char *text, unsigned port,
                                 struct ps_err *err)
{
    if (quorum->count == PS_ZOOKEEPER_SERVERS_MAX)
        return ps_err_set(err, "it has more than %u servers", PS_ZOOKEEPER_SERVERS_MAX);
    if (text[0] == '\0' || strlen(text) >= PS_HOST_NAME_BYTES)
        return ps_err_set(err, "\"%s\" is not the name of a host", text);
    quorum->servers[quorum->count].host = text;
    quorum->servers[quorum->count++].port = port;
    return PS_OK;
}

enum ps_status ps_zookeeper_quorum_read(struct ps_zookeeper_quorum *quorum, const char *text, unsigned port,
                                        struct ps_arena *arena, struct ps_err *err)
{
    char *list = ps_arena_copy(arena, text, strlen(text)), *save = NULL;
    for (char *item = strtok_r(list, ", \t", &save); item != NULL; item = strtok_r(NULL, ", \t", &save)) {
        char *colon = strrchr(item, ':'), *end = NULL;
        unsigned long number = port;
        if (colon == NULL && port == 0)
            return ps_err_set(err, "%s has no port: write %s:%d", item, item, PS_ZOOKEEPER_PORT);
        if (colon != NULL) {
            number = strtoul(colon + 1, &end, 10);
            if (colon[1] == '\0' || *end != '\0' || number == 0 || number > UINT16_MAX)
                return ps_err_set(err, "\"%s\" is not a port", colon + 1);
            *colon = '\0';
        }
        if (port == 0 && quorum->count > 0 && quorum->servers[0].port != number)
            return ps_err_set(err, "all servers must have the same port");
        if (add_server(quorum, item, (unsigned)number, err) != PS_OK)
            return PS_FAIL;
    }
    return quorum->count > 0 ? PS_OK : ps_err_set(err, "it names no server");
}
