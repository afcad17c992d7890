/* The URL of a JDBC driver (driver.url of Flume's JDBC channel), and the database that stands for it:
 *
 *   jdbc:derby:NAME;create=true;..      an SQLite file NAME.sqlite, beside the directory that Derby would have
 *   jdbc:sqlite:FILE                    that file
 *   jdbc:postgresql://host:port/db?..   that server
 *
 * Thread: control. */
#pragma once

#include "core/arena.h"
#include "stages/database/database.h"

struct ps_jdbc_url {
    enum ps_database_kind kind;
    bool derby;                 /* SQLite stands for Derby */
    bool create;                /* SQLite: the file may be made */
    const char *name;           /* of the file, of Derby's directory, or of the database */
    const char *hosts, *ports;  /* PostgreSQL: separated by commas; "": the driver's default */
    struct ps_pairs parameters; /* as written, decoded */
};

/* Fails when it is none, or the database is none of these: the error has the reason and a cure, and no password. */
enum ps_status ps_jdbc_url_read(struct ps_arena *arena, const char *text, struct ps_jdbc_url *url,
                                struct ps_err *err);

/* Whether the path is a directory with a database of Derby's. Thread: any. */
bool ps_derby_is_directory(const char *path);
