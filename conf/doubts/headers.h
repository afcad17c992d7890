/* Tells by Flume's keys what an interceptor does with a header. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

enum ps_header_effect {
    PS_HEADER_STAYS,
    PS_HEADER_SETS,    /* a value that is known, unless the event has the header (preserveExisting) */
    PS_HEADER_REMOVES, /* perhaps */
    PS_HEADER_UNKNOWN, /* perhaps another value */
};

/* Sets `*pair` to the key with the value, or with the beginning of it, if it is PS_HEADER_SETS; else to NULL. */
enum ps_header_effect ps_header_effect(const struct ps_conf_part *interceptor, const char *header,
                                       const struct ps_pair **pair);

/* Returns whether the event has another value of the header behind the interceptor, even if it has one before: it
 * removes the header, or sets it without preserveExisting. False: the effect is not known. */
bool ps_header_is_replaced(const struct ps_conf_part *interceptor, const char *header);

/* Returns whether a key with this default is true. */
bool ps_key_is_true(const struct ps_conf_part *part, const char *key, const char *fallback);
