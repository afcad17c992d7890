/* Answers of Solr: whatever comes, the texts lie in the body, have one line, and there are no more refusals than there is room for. */
#include "stages/lib/solr/answer.h"

#include <stdlib.h>
#include <string.h>

#define REFUSALS 3U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, const char *body, size_t size)
{
    if (text == NULL || text < body || text >= body + size) /* none, or the parser's own */
        return;
    PS_ASSERT(memchr(text, '\0', (size_t)(body + size - text)) != NULL);
    PS_ASSERT(strchr(text, '\n') == NULL && strchr(text, '\r') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_solr_refusal refusals[REFUSALS];
    struct ps_solr_answer answer = {.refusals = refusals, .refusals_max = REFUSALS};
    char *body = malloc(size + 1), *scratch = malloc(size + 1);
    PS_ASSERT(body != NULL && scratch != NULL);
    memcpy(body, data, size);
    body[size] = '\0';
    bool whole = ps_solr_answer_read(&answer, body, size, scratch);
    PS_ASSERT(answer.refusal_count <= REFUSALS && (!whole || answer.has_header));
    check_text(answer.message, body, size);
    check_text(answer.trace, body, size);
    check_text(answer.unique_key, body, size);
    for (uint32_t i = 0; i < answer.refusal_count; i++) {
        PS_ASSERT(refusals[i].id != NULL && refusals[i].reason != NULL);
        check_text(refusals[i].id, body, size);
        check_text(refusals[i].reason, body, size);
    }
    free(body);
    free(scratch);
    return 0;
}
