/* A model of a server of ZooKeeper: it reads nodes, and nothing else. */
#pragma once

#include "tests/world/peers/messages.h"

/* Puts the value of a node, or the names of its children, each with a line feed at its end. Returns false if there is none. */
typedef bool zookeeper_read(void *argument, const char *path, bool children, struct out *value);

/* Takes a request from `in`, as connections.take. */
bool zookeeper_take(struct connection *connection, zookeeper_read *read, void *argument);
