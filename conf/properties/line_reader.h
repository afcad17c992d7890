/* The lines of a properties file as java.util.Properties.load (JDK 17) joins them, and what it reads in another way than users
 * mean: comments and keys that became part of a value, backslashes that continue nothing, carriage returns. Thread: the
 * control thread. */
#pragma once

#include "conf/properties/properties.h"

/* Where a line that continues another one begins in the logical line. */
struct ps_line_join {
    size_t at;
    int line;
};

#define PS_LINE_JOINS_MAX 64 /* of one logical line that are looked at */

struct ps_line_reader {
    const unsigned char *bytes;
    size_t length, at;
    int line;            /* line of bytes[at], from 1 */
    unsigned char *text; /* the logical line; room for the rest of the file */
    size_t text_length;
    int text_line; /* where the logical line begins */
    size_t join_count;
    struct ps_line_join joins[PS_LINE_JOINS_MAX];
    bool is_open;            /* the last line ends with a backslash, which continues nothing */
    unsigned feeds, returns; /* lines that end with \n (or \r\n), and with \r alone */
    int stray_line;          /* the first one that a \r ends, with text behind it; 0: there is none */
    unsigned utf8_lines;
};

/* Reads one logical line into `text`: joins continuations, skips comments and blank lines. Returns false at the end. */
bool ps_line_reader_next(struct ps_line_reader *lines);

bool ps_line_reader_is_blank(unsigned char c);

/* Warns of a comment, or a key, that a backslash at the end of the line before has made a part of the value. */
void ps_line_reader_warn_joins(const struct ps_line_reader *lines, struct ps_property *property,
                               struct ps_problems *problems);
/* Warns of a backslash at the end of the value that continues no line: behind it are blanks, or nothing. */
void ps_line_reader_warn_end(const struct ps_line_reader *lines, size_t value_start, struct ps_place place,
                             struct ps_problems *problems);
/* Tells, at the end of the file, of lines that end with \r alone: Java takes it for the end of a line, and editors do not. */
void ps_line_reader_tell_returns(const struct ps_line_reader *lines, const char *file,
                                 struct ps_problems *problems);
