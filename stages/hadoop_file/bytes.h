/* Bytes that grow. {0}: none. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_hadoop_bytes {
    char *data;
    size_t length, room;
};

/* Makes room for `more` bytes behind `length`. Returns false: no memory. */
bool ps_hadoop_bytes_reserve(struct ps_hadoop_bytes *bytes, size_t more);

bool ps_hadoop_bytes_append(struct ps_hadoop_bytes *bytes, const void *data, size_t length);

/* Empties it; memory of more than `keep_max` bytes is freed. */
void ps_hadoop_bytes_clear(struct ps_hadoop_bytes *bytes, size_t keep_max);
