/* What an exception of a region server means for the rows of a request. HBase names it by its Java class.
 *
 * Source: org.apache.hadoop.hbase.exceptions.ClientExceptionsUtil and the subclasses of DoNotRetryIOException of HBase 1.4 and 2.5.
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

enum ps_hbase_meaning {
    PS_HBASE_REPEAT,   /* not now, or not known: the rows are sent again */
    PS_HBASE_RELOCATE, /* the region is not there: its place is looked up again */
    PS_HBASE_BUSY,     /* the server has too much to do: it gets nothing for a while */
    PS_HBASE_STOPPED,  /* the server ends: the places of all its regions are looked up again */
    PS_HBASE_DONE,     /* the server has done it before (a nonce that it knows) */
    PS_HBASE_REFUSED,  /* the server will never take the row */
    PS_HBASE_DOUBTED,  /* the row, its region or its table is the reason; the class does not say which */
    PS_HBASE_NO_TABLE, /* the table or the column family does not exist, or is not for this user: only an administrator helps */
};

/* `class`: with its package, and `text`, as the server sent them; not terminated. */
enum ps_hbase_meaning ps_hbase_exception_meaning(const char *class, size_t length, const char *text,
                                                 size_t text_length);

#define PS_HBASE_REASON_BYTES 256U

/* Writes the class without its package and the first line of the text, printable: "NotServingRegionException: t1,,1.2. is not online". */
void ps_hbase_exception_print(char reason[PS_HBASE_REASON_BYTES], const char *class, size_t class_length,
                              const char *text, size_t text_length);
