/* What the operations producers of Kudu's sink for Flume make of an event: SimpleKuduOperationsProducer,
 * SimpleKeyedKuduOperationsProducer, RegexpKuduOperationsProducer and AvroKuduOperationsProducer of Kudu 1.9. Thread: control, where a function
 * names no other. */
#pragma once

#include "core/stage.h"
#include "regex/regex.h"
#include "stages/lib/remote/id.h"
#include "stages/lib/kudu/batch.h"
#include "stages/lib/random.h"
#include "stages/lib/text/charset.h"

enum ps_kudu_producer_kind { PS_KUDU_SIMPLE, PS_KUDU_KEYED, PS_KUDU_REGEXP, PS_KUDU_AVRO };

/* What becomes of a mistake: the event is refused, or its column or row is left out, with or without a line in the log. */
enum ps_kudu_policy { PS_KUDU_REJECT, PS_KUDU_WARN, PS_KUDU_IGNORE };

/* What producer.* says; const after `build`. */
struct ps_kudu_producer {
    enum ps_kudu_producer_kind kind;
    enum ps_kudu_operation operation;
    const char *payload_column, *key_column;
    const struct ps_name *key_header; /* keyed: the header of the key column's name */
    const char *id_column;            /* penstock.keyColumn; NULL: none */
    struct ps_remote_id ids;
    /* regexp */
    struct ps_regex *regex;
    struct ps_charset charset;
    enum ps_kudu_policy missing_column, bad_value, unmatched;
    /* avro */
    const char *schema_url;
    const struct ps_name *url_header, *literal_header;
};

/* Returns whether the class is one of Kudu's, which `build` knows; with or without its package. */
bool ps_kudu_producer_find(const char *class, enum ps_kudu_producer_kind *kind);
/* Returns whether the producer reads producer.KEY; the names of those that it reads. */
bool ps_kudu_producer_reads(enum ps_kudu_producer_kind kind, const char *key);
const char *ps_kudu_producer_keys(enum ps_kudu_producer_kind kind);
/* Reads producer.*, and penstock.ids. Returns PS_FAIL with the key in *key and the reason. */
enum ps_status ps_kudu_producer_build(struct ps_kudu_producer *producer, const char *class,
                                      const struct ps_pairs *keys, const char *ids, struct ps_arena *arena,
                                      const char **key, struct ps_err *err);
void ps_kudu_producer_teardown(struct ps_kudu_producer *producer);
/* Returns whether the table has the columns that the configuration names, and the pattern a group for each column that needs one; else the
 * reason. */
bool ps_kudu_producer_fits(const struct ps_kudu_producer *producer, const struct ps_kudu_table *table,
                           char reason[PS_KUDU_REASON_BYTES]);

struct ps_avro_schemas;

/* A worker's part. */
struct ps_kudu_writer {
    const struct ps_kudu_producer *producer;
    struct ps_port *port;
    /* of ids of events that have none; the owner draws them for each request, which keeps them */
    uint64_t drawn[2];
    char id[PS_IDENTITY_TEXT_BYTES], row_id[PS_IDENTITY_TEXT_BYTES + 16];
    struct ps_regex_scratch *scratch;
    struct ps_transcoder transcoder;
    bool has_transcoder;
    struct ps_kudu_table *mapped; /* the table of `groups` */
    int *groups;                  /* of its columns; -1: none */
    struct ps_byte_buffer text;   /* an event's body as UTF-8; values that are made */
    struct ps_kudu_cell *cells;
    uint32_t cell_room;
    struct ps_avro_schemas *schemas;
    struct ps_kudu_record *records; /* avro.c's */
    unsigned next_record;
    struct ps_log_backoff warned;
    uint64_t now_ns;
    uint64_t unmatched, skipped; /* events that the pattern does not match, and values that were left out */
    char reason[PS_KUDU_REASON_BYTES];
};

/* Thread of these: the worker's. */
bool ps_kudu_writer_open(struct ps_kudu_writer *writer);
void ps_kudu_writer_close(struct ps_kudu_writer *writer);

/* Adds the rows of the event at a position of the lease; `event`: its number in the batch. UNWRITABLE: writer->reason says why. NO_MEMORY,
 * with writer->reason: the event can be made later. */
enum ps_kudu_added ps_kudu_produce(struct ps_kudu_writer *writer, struct ps_kudu_batch *batch, uint32_t event,
                                   const struct ps_lease *lease, uint32_t position);
