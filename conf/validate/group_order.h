/* The order of the sinks in Flume's sink processors. Thread: any. */
#pragma once

#include "core/base.h"

/* Sorts the names in the iteration order of a java.util.HashSet made from a list of `written` names: Flume keeps the
 * sinks of a group in such a set. Round robin and default priorities follow this order. */
void ps_group_order(const char **names, size_t count, size_t written);
