/* The order of the sinks in Flume's sink processors. Thread: any. */
#pragma once

#include "core/base.h"

/* Sorts the names in the iteration order of a java.util.HashSet made from a list of `written` names: Flume keeps the
 * sinks of a group in one. Round robin follows this order, and so do default priorities. */
void ps_group_order(const char **names, size_t count, size_t written);
