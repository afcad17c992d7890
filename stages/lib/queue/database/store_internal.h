/* Types and functions that only the files of the store use. */
#pragma once

#include "stages/lib/queue/database/mark.h"
#include "stages/lib/queue/database/store.h"
#include "stages/lib/queue/segment/events.h"

/* A byte buffer that grows. */
struct ps_tables_bytes {
    char *bytes;
    size_t length, room;
};

/* The rows of one frame that is being read. The row's places are offsets in `read.bytes`. */
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

/* Events that the next transaction removes. */
struct ps_tables_taken {
    int64_t first, last;
    bool spills, headers;
};

struct ps_tables {
    const struct ps_database_store_settings *settings;
    const struct ps_database_ops *ops;
    const char *component;
    void *database; /* NULL: not connected */
    /* SQLite: holds the file of the last connection, so that no other file gets its number; otherwise -1 */
    int file;
    int lock;
    bool open;            /* a transaction of the database is open */
    bool broken;          /* an operation failed; `renew` clears it */
    bool gone;            /* the file was removed or replaced: the next connection finds another database */
    uint64_t generation;  /* number of the database; increased when another database is found */
    uint64_t frames_lost; /* one for each database that was lost */

    uint64_t appended, promised;        /* numbers of frames */
    uint64_t added_events, added_bytes; /* events and bytes that the open transaction adds */
    uint64_t events, bytes;             /* events and bytes in the database that are not taken */
    /* Identity of an event in a transaction whose COMMIT failed; 0: none. */
    int64_t unsure;
    uint64_t unsure_appended;
    /* Identities of the last event that was promised, and of the last event that was fed. */
    int64_t last, fed;
    /* The store asks the database for the last identity that the database gave. True if the database has no
     * `is_same` and its sequence can be read. */
    bool watched;
    /* The server has given all identities up to this one. If its last identity is lower later, the server lost
     * its newest transactions, and will give these identities again. 0: not known yet. */
    int64_t given;
    struct ps_promised_mark mark; /* used with SQLite; with PostgreSQL the mark's fd is -1 */

    struct ps_tables_taken *taken;
    size_t taken_count, taken_room;

    struct {
        struct ps_tables_bytes name, value; /* after fit() has replaced invalid characters */
        /* first the headers that all events share, then the headers of one event */
        struct ps_events_field *fields;
        size_t field_room;
        size_t
            /* for each number of a name in the frame: index in `fields` of the header that counts */
            *counting;
        size_t counting_room;
    } writing;
    struct {
        struct ps_tables_bytes bytes;
        struct ps_tables_event *rows;
        size_t row_count, row_room;
        struct ps_tables_header *headers;
        size_t header_count, header_room;
        struct ps_events_encoder encoder;
        int64_t limit; /* maximal number of events in the next read */
        size_t row_at; /* the event whose headers are being read */
        bool lacks;    /* the row with the rest of a spilled body is missing */
    } reading;
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

/* Makes room for `more` bytes after to->length. Returns their address. */
char *ps_tables_room(struct ps_tables_bytes *to, size_t more);

struct ps_database_value ps_tables_channel(const struct ps_tables *tables);

/* Inserts the events of a payload. */
enum ps_status ps_tables_write(struct ps_tables *tables, const void *payload, uint32_t length,
                               struct ps_err *err);
/* Reads the next frame of events after tables->fed. The caller owns its payload. */
enum ps_store_fed ps_tables_read(struct ps_tables *tables, struct ps_store_frame *frame, struct ps_err *err);
