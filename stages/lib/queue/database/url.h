/* Parses the URL of a JDBC driver (driver.url of Flume's JDBC channel), and selects the database that is used for it:
 *
 *   jdbc:derby:NAME;create=true;..      an SQLite file NAME.sqlite, beside the directory that Derby would use
 *   jdbc:sqlite:FILE                    that file
 *   jdbc:postgresql://host:port/db?..   that server
 *
 * Thread: control. */
#pragma once

#include "core/arena.h"
#include "stages/lib/queue/database/database.h"

struct ps_jdbc_url {
    enum ps_database_kind kind;
    bool derby;                 /* the URL names Derby; SQLite is used instead */
    bool create;                /* SQLite: the file may be created */
    const char *name;           /* name of the file, of Derby's directory, or of the PostgreSQL database */
    const char *hosts, *ports;  /* PostgreSQL: separated by commas; "": the driver's default */
    struct ps_pairs parameters; /* decoded, in the order of the URL */
};

/* Returns PS_FAIL when the text is not a JDBC URL, or the database is not one of these. The error has the reason and a cure, but no password. */
enum ps_status ps_jdbc_url_read(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                struct ps_err *err);

/* Returns whether the path is a directory with a Derby database. Thread: any. */
bool ps_derby_is_directory(const char *path);
