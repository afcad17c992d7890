/* Answers of WebHDFS servers: whatever comes, an error has a kind and one line, and names stay in their directory. */
#include "stages/lib/hadoop/webhdfs/answer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    struct ps_webhdfs_fault fault;
    struct ps_webhdfs_statuses statuses;
    bool value;
    ps_webhdfs_fault_read(size > 0 ? 400 + data[0] : 500, body, size, &fault);
    PS_ASSERT(fault.error != PS_FILE_OK && fault.text[0] != '\0' && strchr(fault.text, '\n') == NULL);
    (void)ps_webhdfs_boolean_read(body, size, &value);
    if (ps_webhdfs_statuses_read(body, size, "own", &statuses)) {
        for (size_t i = 0; i < statuses.count; i++)
            PS_ASSERT(statuses.entries[i].name[0] != '\0' && strchr(statuses.entries[i].name, '/') == NULL);
        ps_webhdfs_statuses_free(&statuses);
    }
    PS_ASSERT(statuses.document == NULL && statuses.entries == NULL);
    return 0;
}
