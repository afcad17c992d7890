/* Any text as the records that a sink keeps of the files of a spooling directory. Each record that is read is printed, and read
 * again. */
#include "stages/lib/spool/spool_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct ps_spool_sink_records *kept)
{
    struct ps_spool spool = {.directory = (char *)(uintptr_t) "/d"};
    char *path = ps_must_alloc(strlen(kept->path) + 4, 1, "a path");
    stpcpy(stpcpy(path, "/d/"), kept->path);
    const struct ps_spool_file file = {.spool = &spool,
                                       .path = path,
                                       .device = kept->device,
                                       .inode = kept->inode,
                                       .born_ns = kept->born_ns,
                                       .compression = kept->compression,
                                       .state = kept->state};
    uint32_t bound = ps_spool_sink_records_bound(&file);
    char *printed = ps_must_alloc((size_t)bound + 1, 1, "a record"), *record = NULL;
    uint32_t length = ps_spool_sink_records_print(&file, kept->inside, kept->end, printed);
    PS_ASSERT(length <= bound && printed[0] == '{');
    int whole = asprintf(&record, "[{\"pos\":%" PRIu64 ",%.*s]",
                         kept->position + (kept->end != PS_SPOOL_KEPT_OPEN), (int)length - 1, printed + 1);
    PS_ASSERT(whole > 0);
    struct ps_spool_records records;
    struct ps_err err;
    PS_ASSERT(ps_spool_sink_records_parse(record, &records, &err) == PS_OK && records.count == 1);
    const struct ps_spool_sink_records *second = records.items;
    PS_ASSERT(strcmp(second->path, kept->path) == 0 && second->device == kept->device &&
              second->inode == kept->inode && second->born_ns == kept->born_ns &&
              second->position == kept->position && second->inside == kept->inside &&
              ps_spool_is_same_state(second->state, kept->state) &&
              second->compression == kept->compression && second->end == kept->end);
    ps_spool_sink_records_free(&records);
    free(record);
    free(printed);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_spool_records records;
    struct ps_err err;
    char *text = ps_must_alloc(size + 1, 1, "a text");
    memcpy(text, data, size);
    if (ps_spool_sink_records_parse(text, &records, &err) == PS_OK) {
        for (size_t i = 0; i < records.count; i++)
            if (records.items[i].path[0] != '/') /* the source writes no such path */
                again(&records.items[i]);
        ps_spool_sink_records_free(&records);
    } else {
        PS_ASSERT(err.length > 0 && records.count == 0 && records.items == NULL);
    }
    free(text);
    return 0;
}
