/* What a master or a tablet server sends to the sink kudu: any bytes. Nothing may be read outside them.
 * Input: the parser (1 byte), then its bytes. */
#include "stages/lib/hadoop/key_ranges.h"
#include "stages/lib/kudu/batch.h"
#include "stages/lib/kudu/master.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum; /* of all that the answers point to, so that it is read */

static void look(const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += ((const uint8_t *)bytes)[i];
}

static void look_at_status(const struct ps_kudu_status *status)
{
    char reason[PS_KUDU_REASON_BYTES];
    look(status->text, status->text_length);
    ps_kudu_print(reason, status, false);
    ps_kudu_print(reason, status, true);
    look(reason, strlen(reason));
}

static void look_at_row(void *owner, uint32_t place, const struct ps_kudu_status *status)
{
    ++*(size_t *)owner;
    sum += place;
    look_at_status(status);
}

static void look_at_tablet(void *owner, const struct ps_kudu_tablet *tablet)
{
    struct ps_key_ranges *tablets = owner;
    struct ps_key_range range = {.name = tablet->id.data,
                                 .start = tablet->start.data,
                                 .end = tablet->end.data,
                                 .name_length = tablet->id.length,
                                 .start_length = tablet->start.length,
                                 .end_length = tablet->end.length};
    look(tablet->host.data, tablet->host.length);
    (void)ps_key_ranges_add(tablets, &range);
}

/* A table: a row of it is made, with a text in each column of bytes. */
static void look_at_table(struct ps_kudu_table *table)
{
    struct ps_kudu_cell *cells = calloc(table->count, sizeof *cells);
    struct ps_kudu_batch batch = {.table = table};
    char reason[PS_KUDU_REASON_BYTES];
    look(table->schema, table->schema_length);
    for (uint32_t i = 0; cells != NULL && i < table->count; i++) {
        cells[i].is_set = true;
        if (table->columns[i].is_bytes) {
            cells[i].bytes = "a\0b";
            cells[i].length = 3;
        } else {
            cells[i].number = -1;
        }
    }
    if (cells != NULL && ps_kudu_batch_add(&batch, 0, PS_KUDU_UPSERT, cells, reason) == PS_KUDU_ADDED) {
        struct ps_framed_server server = {.owner = NULL};
        const struct ps_byte_buffer token = {.data = NULL};
        ps_kudu_batch_join(&batch, ps_kudu_batch_new_write(&batch), 0);
        size_t bytes = ps_kudu_put_write(&batch, &batch.writes[0], &server, 1, 1, NULL, "t", 1, &token);
        look(server.out.data, bytes);
        ps_byte_buffer_clear(&server.out, 0);
    }
    free(cells);
    ps_kudu_batch_free(&batch); /* the table, too */
}

static void look_at_answer(const uint8_t *bytes, size_t length)
{
    struct ps_kudu_answer answer;
    struct ps_kudu_negotiation negotiation;
    if (!ps_kudu_parse_answer(bytes, length, &answer))
        return;
    if (answer.is_error)
        look_at_status(&answer.error);
    look(answer.body, answer.body_length);
    (void)ps_kudu_parse_negotiation(answer.body, answer.body_length, &negotiation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_kudu_master_answer answer;
    struct ps_kudu_written written;
    struct ps_kudu_table *table;
    struct ps_key_ranges tablets = {.items = NULL};
    struct ps_slice token;
    const char *reason = "";
    size_t rows = 0;
    bool is_leader;
    if (size == 0)
        return 0;
    switch (data[0] % 5) {
    case 0:
        look_at_answer(data + 1, size - 1);
        break;
    case 1:
        if (ps_kudu_parse_written(data + 1, size - 1, UINT32_MAX, &written, look_at_row, &rows) &&
            written.error != 0)
            look_at_status(&written.status);
        PS_ASSERT(rows <= size);
        break;
    case 2:
        (void)ps_kudu_parse_connected(data + 1, size - 1, &answer, &is_leader);
        break;
    case 3:
        if (ps_kudu_parse_opened(data + 1, size - 1, &answer, &table, &token, &reason) && table != NULL) {
            look(token.data, token.length);
            look_at_table(table);
        }
        look(reason, strlen(reason));
        break;
    default:
        (void)ps_kudu_parse_located(data + 1, size - 1, &answer, look_at_tablet, &tablets);
        (void)ps_key_ranges_find(&tablets, (const char *)data, size < 8 ? size : 8);
        ps_key_ranges_free(&tablets);
        break;
    }
    return 0;
}
