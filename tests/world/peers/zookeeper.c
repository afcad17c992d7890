#include "tests/world/peers/zookeeper.h"

#include <stdio.h>

enum { NEW = 0, GREETED = 1 };                        /* the state of a connection */
enum { GET_DATA = 4, GET_CHILDREN = 8, CLOSE = -11 }; /* types of requests */
#define NO_NODE ((uint32_t)-101)

static void put_value(struct out *out, const struct out *value)
{
    static const char stat[68];
    put_big_endian(out, (uint32_t)value->length);
    put_raw(out, value->bytes, value->length);
    put_raw(out, stat, sizeof stat);
}

static void put_names(struct out *out, const struct out *value)
{
    uint32_t count = 0;
    const uint8_t *at = value->bytes, *end = at + value->length, *line;
    for (size_t i = 0; i < value->length; i++)
        count += value->bytes[i] == '\n';
    put_big_endian(out, count);
    for (; at < end; at = line + 1) {
        line = memchr(at, '\n', (size_t)(end - at));
        put_big_endian(out, (uint32_t)(line - at));
        put_raw(out, at, (size_t)(line - at));
    }
}

/* ConnectRequest: protocol, last zxid, timeout, session, password. */
static void greet(struct out *out, const char *request)
{
    static const char nothing[17];
    put_big_endian(out, 0);
    put_raw(out, request + 12, 4);
    put_raw(out, "\0\0\0\0\0\0\0\1\0\0\0\x10", 12);
    put_raw(out, nothing, sizeof nothing); /* the password; not read-only */
}

bool zookeeper_take(struct connection *connection, zookeeper_read *read, void *argument)
{
    static struct out out, value;
    char path[256];
    out.length = value.length = 0;
    if (connection->in_length < 4)
        return true;
    size_t length = big_endian(connection->in);
    if (connection->in_length < 4 + length)
        return true;
    const char *request = connection->in + 4; /* xid, type, path */
    int type = connection->state == NEW ? GET_DATA : (int)big_endian(request + 4);
    bool reads = connection->state == GREETED && (type == GET_DATA || type == GET_CHILDREN), found = true;
    if (type == CLOSE)
        return false;
    if (reads) {
        snprintf(path, sizeof path, "%.*s", (int)big_endian(request + 8), request + 12);
        found = read(argument, path, type == GET_CHILDREN, &value);
    }
    if (connection->state == NEW) {
        connection->state = GREETED;
        greet(&out, request);
    } else {
        put_raw(&out, request, 4);
        put_raw(&out, "\0\0\0\0\0\0\0\1", 8);
        put_big_endian(&out, found ? 0 : NO_NODE);
        if (reads && found)
            (type == GET_DATA ? put_value : put_names)(&out, &value);
    }
    answer(connection, &out);
    connection_taken(connection, 4 + length);
    return true;
}
