/* Avro schemas in a file system. See writer.h. */
#include "stages/lib/avro/share.h"
#include "stages/lib/hadoop/file/writer_internal.h"

#include <string.h>

/* Returns the path of a URL in the sink's file system; NULL if the URL is in another one. */
static const char *path_of(const struct ps_hadoop_writers *writers, const char *url)
{
    const char *rest = strstr(url, ":/");
    size_t length = strlen(writers->schema_url);
    if (rest == NULL)
        return NULL;
    if (length > 0 && strncmp(url, writers->schema_url, length) == 0 && url[length] == '/')
        return url + length;
    if (strncmp(rest, "://", 3) != 0) /* a URL such as hdfs:/path */
        return rest + 1;
    const char *path = strchr(rest + 3, '/');
    return length == 0 || path == rest + 3 ? path : NULL;
}

static void done(void *schema, const struct ps_file_answer *answer)
{
    bool good = answer->error == PS_FILE_OK;
    ps_avro_schemas_answer(schema, good ? answer->content : NULL, answer->content_length, answer->reason,
                           !ps_file_error_may_pass(answer->error));
}

static bool begin(void *writers_, const char *url, struct ps_avro_named_schema *schema, struct ps_err *reason)
{
    struct ps_hadoop_writers *writers = writers_;
    const char *path = path_of(writers, url);
    if (path == NULL) {
        (void)ps_err_set(reason, "it is not in the file system of the sink, %s", writers->schema_url);
        return false;
    }
    ps_file_read(writers->schema_filesystem, path, PS_AVRO_SCHEMA_BYTES_MAX, done, schema);
    return true;
}

void ps_hadoop_writers_read_schemas(struct ps_hadoop_writers *writers, struct ps_filesystem *filesystem,
                                    const char *url)
{
    struct ps_avro_schema_reader reader = {.read = begin, .argument = writers};
    struct ps_avro_share *share = ps_avro_share_open(&writers->serializer_port);
    writers->schema_filesystem = filesystem;
    writers->schema_url = url;
    if (share != NULL && ps_avro_share_schemas(share) != NULL)
        ps_avro_schemas_set_reader(share->schemas, &reader);
}
