/* The names and aliases of Java's character sets. Thread: any. */
#pragma once

#include "stages/lib/text/charset.h"

struct ps_charset_name {
    enum ps_charset_kind kind;
    const char *iconv; /* the C library's name; NULL: it has no such character set */
    const char *words; /* Java's name and its aliases, separated by blanks */
};

/* Returns the character set of Java that has this name or alias, case does not matter; NULL: there is none. */
const struct ps_charset_name *ps_charset_name_find(const char *name);
