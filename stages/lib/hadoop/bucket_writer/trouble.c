/* Logs one line for each cause of failures, not for each directory or file that meets it: while a server is down, hundreds of files
 * are tried again every few seconds. */
#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include <ctype.h>
#include <string.h>

#define CAUSE_BYTES 512U

/* Returns whether a path begins here; the slash in "nn1/10.0.0.1" is not the beginning of one. */
static bool begins_path(const char *text, const char *at)
{
    return *at == '/' && (at == text || strchr(" \"'=(:", at[-1]) != NULL);
}

/* Writes the cause of a failure: the reason without numbers and paths, which differ between tries and files. */
static void write_cause(char cause[CAUSE_BYTES], const char *verb, const char *reason)
{
    size_t length = (size_t)snprintf(cause, CAUSE_BYTES, "%s: ", verb);
    for (const char *at = reason; *at != '\0' && length < CAUSE_BYTES - 1;) {
        if (begins_path(reason, at)) {
            at += strcspn(at, " \"'),;");
            cause[length++] = '/';
        } else if (isdigit((unsigned char)*at)) {
            at += strspn(at, "0123456789");
            cause[length++] = '0';
        } else {
            cause[length++] = *at++;
        }
    }
    cause[length] = '\0';
}

/* Returns the trouble of this cause, or an unused one; NULL if there are too many causes. */
static struct ps_bucket_trouble *find(struct ps_bucket_writer *sink, const char *cause)
{
    uint32_t hash = ps_name_hash(cause, strlen(cause));
    struct ps_bucket_trouble *unused = NULL;
    for (size_t i = 0; i < PS_BUCKET_TROUBLES_MAX; i++) {
        struct ps_bucket_trouble *one = &sink->troubles[i];
        if (one->holders > 0 && one->repeated.hash == hash)
            return one;
        if (one->holders == 0)
            unused = one;
    }
    if (unused != NULL)
        *unused = (struct ps_bucket_trouble){.holders = 0};
    return unused;
}

bool ps_bucket_trouble_met(struct ps_bucket_writer *sink, struct ps_bucket_trouble **held, const char *verb,
                           const char *reason, char behind[PS_BUCKET_TROUBLE_BYTES])
{
    char cause[CAUSE_BYTES], tries[PS_LOG_BACKOFF_BYTES];
    uint64_t now_ns = sink->now.mono_ns;
    behind[0] = '\0';
    write_cause(cause, verb, reason);
    struct ps_bucket_trouble *trouble = find(sink, cause);
    if (trouble != *held) {
        ps_bucket_trouble_left(held);
        *held = trouble;
        if (trouble != NULL)
            trouble->holders++;
    }
    if (trouble == NULL)
        return true;
    trouble->verb = verb;
    if (!ps_log_backoff_says(&trouble->repeated, cause, now_ns))
        return false;
    int length = 0;
    if (trouble->holders > 1)
        length = snprintf(behind, PS_BUCKET_TROUBLE_BYTES, "; %s files have the same failure",
                          ps_quantity_print_count(trouble->holders).text);
    snprintf(behind + length, PS_BUCKET_TROUBLE_BYTES - (size_t)length, "%s",
             ps_log_backoff_text(&trouble->repeated, now_ns, tries));
    return true;
}

void ps_bucket_trouble_left(struct ps_bucket_trouble **held)
{
    if (*held != NULL)
        (*held)->holders--;
    *held = NULL;
}

void ps_bucket_trouble_over(const struct ps_bucket_writer *sink, struct ps_bucket_trouble **held)
{
    const struct ps_bucket_trouble *trouble = *held;
    ps_bucket_trouble_left(held);
    if (trouble == NULL || trouble->holders > 0 || trouble->repeated.tries < 2)
        return;
    ps_log(PS_LOG_INFO, sink->port->component, "it can %s files again, after %s failed %s in %s",
           trouble->verb, ps_quantity_print_count(trouble->repeated.tries).text,
           ps_quantity_word(trouble->repeated.tries, "try", "tries"),
           ps_quantity_print_ns(sink->now.mono_ns - trouble->repeated.began_ns).text);
}
