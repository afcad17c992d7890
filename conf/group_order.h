/* The order in which Flume's sink processors have the sinks of a group. Thread: any. */
#pragma once

#include "core/base.h"

/* Sorts the names as a java.util.HashSet iterates over them that was made from a list of `written` names: Flume keeps the
 * sinks of a group in one. Round robin follows this order, and so do priorities that are not given. */
void ps_group_order(const char **names, size_t count, size_t written);
