#include "stages/lib/solr/outcome.h"

#include <string.h>

/* Returns whether the message is about a document, and not about the request: Solr's name it. */
static bool names_document(const char *message)
{
    return message != NULL && (strstr(message, "[doc=") != NULL || strcasestr(message, "document") != NULL);
}

/* Returns whether a status 500 is about the document's values: Solr does not catch each exception that a value causes. Others, such as
 * those of a full disk or a core that closes, are about the server. */
static bool is_of_values(const struct ps_solr_answer *answer)
{
    static const char *const classes[] = {"java.lang.NumberFormatException", "java.lang.ClassCastException",
                                          "java.lang.IllegalArgumentException"};
    for (size_t i = 0; i < PS_COUNT_OF(classes) && answer->trace != NULL; i++)
        if (strncmp(answer->trace, classes[i], strlen(classes[i])) == 0)
            return true;
    return false;
}

enum ps_remote_outcome ps_solr_outcome(const struct ps_solr_answer *answer, long status, bool believes)
{
    bool own = names_document(answer->message);
    switch (status) {
    case 400:
        return own || believes ? PS_REMOTE_REFUSED : PS_REMOTE_AGAIN;
    case 409:
    case 413:
        return PS_REMOTE_REFUSED;
    case 500:
        own = is_of_values(answer) && believes;
        return own ? PS_REMOTE_REFUSED : PS_REMOTE_UNKNOWN;
    default: /* no leader, no ZooKeeper, no login, no collection, too much to do: 401, 403, 404, 429, 503 .. */
        return status / 100 == 5 && status != 503 ? PS_REMOTE_UNKNOWN : PS_REMOTE_AGAIN;
    }
}

const char *ps_solr_cure(const struct ps_http_sink *, long status)
{
    switch (status) {
    case 401:
    case 403:
        return "the server wants another login (user, password), or grants this one no writing";
    case 404:
        return "is there a collection or core of this name? The URL is http://HOST:8983/solr/NAME";
    default:
        return NULL;
    }
}
