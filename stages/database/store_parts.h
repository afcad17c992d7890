/* For the store's files only. */
#pragma once

#include "stages/database/mark.h"
#include "stages/database/store.h"
#include "stages/segment/events.h"

/* A number of bytes that grows. */
struct ps_tables_bytes {
    char *bytes;
    size_t length, room;
};

/* Rows of one frame, as they are read. Places are in `bytes`. */
struct ps_tables_event {
    int64_t identity;
    size_t body, length, first_header;
    uint32_t header_count;
    bool spills, has_headers;
};

struct ps_tables_header {
    size_t name, value;
    uint32_t name_length, value_length;
};

/* Removed in the next transaction. */
struct ps_tables_taken {
    int64_t first, last;
    bool spills, headers;
};

struct ps_tables {
    const struct ps_database_store_settings *settings;
    const struct ps_database_ops *ops;
    const char *component;
    void *database; /* NULL: the connection is gone */
    int lock;
    bool open;            /* a transaction */
    bool broken;          /* until renewed */
    bool gone;            /* the file is not where it was: the next connection finds another one */
    uint64_t generation;  /* of the database, more by one with each such file */
    uint64_t frames_lost; /* with files that are gone: one for each */

    uint64_t appended, promised;        /* numbers of frames */
    uint64_t added_events, added_bytes; /* of this transaction */
    uint64_t events, bytes;             /* there, and not taken */
    int64_t unsure;                     /* an event of the transaction whose COMMIT failed; 0: none */
    uint64_t unsure_appended;
    int64_t last, fed;            /* identities of the last event that was promised, and fed */
    struct ps_promised_mark mark; /* SQLite; else its fd is -1 */

    struct ps_tables_taken *taken;
    size_t taken_count, taken_room;

    /* Writing: */
    struct ps_tables_bytes name, value; /* repaired */
    struct ps_events_field *fields;     /* those of all events, then those of one */
    size_t field_room;
    size_t *counting; /* by the number of a name in its frame: which of `fields` counts */
    size_t counting_room;
    /* Reading: */
    struct ps_tables_bytes read;
    struct ps_tables_event *rows;
    size_t row_count, row_room;
    struct ps_tables_header *headers;
    size_t header_count, header_room;
    struct ps_events_encoder encoder;
    int64_t limit; /* events of the next read */
    size_t row_at; /* whose headers are read */
    bool lacks;    /* a spilled body has no rest */
};

static inline struct ps_database_value ps_tables_number(int64_t number)
{
    return (struct ps_database_value){.type = PS_DATABASE_NUMBER, .number = number};
}

static inline struct ps_database_value ps_tables_text(const char *text, size_t length)
{
    return (struct ps_database_value){.type = PS_DATABASE_TEXT, .data = text, .length = length};
}

static inline struct ps_database_value ps_tables_data(const void *data, size_t length)
{
    return (struct ps_database_value){
        .type = PS_DATABASE_BYTES, .data = data != NULL ? data : "", .length = length};
}

/* Makes room for so many bytes behind to->length; returns where. */
char *ps_tables_room(struct ps_tables_bytes *to, size_t more);

struct ps_database_value ps_tables_channel(const struct ps_tables *tables);

/* Inserts the events of a payload. */
enum ps_status ps_tables_write(struct ps_tables *tables, const void *payload, uint32_t length,
                               struct ps_err *err);
/* Reads the next frame of events behind tables->fed. Its payload is the caller's. */
enum ps_store_fed ps_tables_read(struct ps_tables *tables, struct ps_store_frame *frame, struct ps_err *err);
