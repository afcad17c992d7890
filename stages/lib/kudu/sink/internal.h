/* What the producers share: producer.c makes rows, regexp.c and avro.c fill them. Thread: the sink's worker, where a function names no other. */
#pragma once

#include "stages/lib/kudu/sink/producer.h"

/* An event, and where its rows go. */
struct ps_kudu_source {
    struct ps_kudu_batch *batch;
    uint32_t number; /* of the event in the batch */
    const struct ps_lease *lease;
    uint32_t position;
    const struct ps_event *event;
};

/* Begins the event's row number `row`: no cell is set but that of its id. `*added` says why it returns false. */
bool ps_kudu_begin_row(struct ps_kudu_writer *writer, const struct ps_kudu_source *from, unsigned row,
                       enum ps_kudu_added *added);
/* Adds the row of writer->cells. */
enum ps_kudu_added ps_kudu_end_row(struct ps_kudu_writer *writer, const struct ps_kudu_source *from);
/* Set writer->reason. */
enum ps_kudu_added ps_kudu_unwritable(struct ps_kudu_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum ps_kudu_added ps_kudu_later(struct ps_kudu_writer *writer, const char *format, ...);

/* Thread: control. */
enum ps_status ps_kudu_regexp_build(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                    const char **key, struct ps_err *err);
bool ps_kudu_regexp_open(struct ps_kudu_writer *writer);
void ps_kudu_regexp_close(struct ps_kudu_writer *writer);
enum ps_kudu_added ps_kudu_regexp_write(struct ps_kudu_writer *writer, const struct ps_kudu_source *from);

/* Thread: control. */
enum ps_status ps_kudu_avro_build(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                  const char **key, struct ps_err *err);
bool ps_kudu_avro_open(struct ps_kudu_writer *writer);
void ps_kudu_avro_close(struct ps_kudu_writer *writer);
/* Adds the event's row, which was begun. */
enum ps_kudu_added ps_kudu_avro_write(struct ps_kudu_writer *writer, const struct ps_kudu_source *from);

/* Reads a decimal number: digits, a point, an exponent. Returns false if it is none. */
bool ps_kudu_parse_decimal(const char *text, size_t length, __int128 *digits, int64_t *scale);
/* Brings a number to the scale of the column. Returns false if it does not fit without rounding. */
bool ps_kudu_fit_decimal(const struct ps_kudu_column *column, __int128 digits, int64_t scale,
                         __int128 *number);
/* Returns the length of the text's beginning of so many characters. */
uint32_t ps_kudu_cut(const char *text, uint32_t length, unsigned characters);
