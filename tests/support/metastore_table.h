/* How the metastore of tests/support/metastore_peer.h describes its table, in Thrift. Thread: the metastore's. */
#pragma once

#include "stages/lib/thrift/protocol.h"
#include "tests/support/metastore_peer.h"

/* The exception of this field, with a message. */
void ps_test_metastore_put_exception(struct ps_thrift_writer *out, int16_t id, const char *text);
void ps_test_metastore_put_text(struct ps_thrift_writer *out, int16_t id, const char *text, size_t length);
/* Writes a StorageDescriptor, of the table or of a partition. */
void ps_test_metastore_put_storage(struct ps_thrift_writer *out, const struct ps_test_metastore_table *table,
                                   const char *location);
/* Returns whether there is a table of this name: t, and u, which is like t, but in the folder beside it with "-u" behind its name. */
bool ps_test_metastore_is_table(struct ps_slice name);
/* Writes a Table, without its first fields. */
void ps_test_metastore_put_table(struct ps_thrift_writer *out, const struct ps_test_metastore_table *table,
                                 struct ps_slice name);
/* Writes the answer to allocate_table_write_ids: a write id is the transaction's number. */
void ps_test_metastore_put_write_ids(struct ps_thrift_writer *out, const int64_t *txns, size_t count);
