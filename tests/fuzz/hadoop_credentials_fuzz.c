/* Files of Hadoop's delegation tokens, both forms. */
#include "stages/lib/hadoop/credentials.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_hadoop_credentials *credentials;
    struct ps_err err = {0};
    if (ps_hadoop_credentials_parse(&credentials, data, size, &err) != PS_OK) {
        PS_ASSERT(err.length > 0 && credentials == NULL);
        return 0;
    }
    for (size_t i = 0; i < ps_hadoop_credentials_count(credentials); i++) {
        const struct ps_hadoop_token *token = ps_hadoop_credentials_at(credentials, i);
        PS_ASSERT(strpbrk(token->url, "+/=") == NULL && token->expires_ms >= 0);
        PS_ASSERT(strlen(token->name) % 4 == 0 && strlen(token->secret) % 4 == 0);
        PS_ASSERT(ps_hadoop_credentials_find(credentials, token->kind, token->service) != NULL);
    }
    ps_hadoop_credentials_free(credentials);
    return 0;
}
