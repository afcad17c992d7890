#include "core/log/backoff.h"

#include "core/backoff.h"
#include "core/clock.h"
#include "core/name.h"
#include "core/quantity.h"

#include <stdio.h>
#include <string.h>

#define FIRST_NS (60 * PS_NS_PER_S)
#define LONGEST_NS (3600 * PS_NS_PER_S)

bool ps_log_backoff_says(struct ps_log_backoff *repeated, const char *text, uint64_t now_ns)
{
    uint32_t hash = ps_name_hash(text, strlen(text));
    if (repeated->tries == 0 || repeated->hash != hash)
        *repeated = (struct ps_log_backoff){.began_ns = now_ns, .due_ns = now_ns, .hash = hash};
    repeated->tries++;
    repeated->last_ns = now_ns;
    if (now_ns < repeated->due_ns)
        return false;
    repeated->interval_ns = ps_backoff_next(repeated->interval_ns, FIRST_NS, LONGEST_NS);
    repeated->due_ns = now_ns + repeated->interval_ns;
    return true;
}

bool ps_log_backoff_says_outage(struct ps_log_backoff *repeated, const char *text, uint64_t now_ns,
                                uint64_t gap_ns)
{
    if (now_ns - repeated->last_ns > gap_ns)
        repeated->tries = 0;
    return ps_log_backoff_says(repeated, text, now_ns);
}

const char *ps_log_backoff_key(char *key, size_t size, const char *text)
{
    size_t length = 0;
    for (; *text != '\0' && length < size - 1; text++) {
        if (*text < '0' || *text > '9')
            key[length++] = *text;
    }
    key[length] = '\0';
    return key;
}

const char *ps_log_backoff_text(const struct ps_log_backoff *repeated, uint64_t now_ns,
                                char text[PS_LOG_BACKOFF_BYTES])
{
    text[0] = '\0';
    if (repeated->tries > 1)
        snprintf(text, PS_LOG_BACKOFF_BYTES, "; tries so far: %s, for %s",
                 ps_quantity_print_count(repeated->tries).text,
                 ps_quantity_print_ns(now_ns - repeated->began_ns).text);
    return text;
}
