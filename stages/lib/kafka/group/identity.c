#include "stages/lib/kafka/group/identity.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "CGMDv2:";

static void forget(struct ps_kafka_membership *membership)
{
    membership->member = membership->instance = membership->cluster = (struct ps_slice){0};
    membership->assignment = -1;
}

/* Reads a text that ends with a zero byte. */
static bool take_text(const char **at, const char *end, struct ps_slice *text)
{
    const char *stop = memchr(*at, '\0', (size_t)(end - *at));
    if (stop == NULL)
        return false;
    *text = (struct ps_slice){*at, (uint32_t)(stop - *at)};
    *at = stop + 1;
    return true;
}

/* The format is "CGMDv2:", the generation (4 bytes, in the machine's order), group id, member id, a byte that is 1 without an
 * instance id, instance id. */
bool ps_kafka_membership_parse(struct ps_kafka_membership *membership, const char *bytes, size_t length)
{
    const char *at = bytes + sizeof magic - 1, *end = bytes + length;
    struct ps_slice group;
    int32_t assignment;
    forget(membership);
    if (length < sizeof magic - 1 + sizeof assignment || memcmp(bytes, magic, sizeof magic - 1) != 0)
        return false;
    memcpy(&assignment, at, sizeof assignment);
    at += sizeof assignment;
    if (!take_text(&at, end, &group) || !take_text(&at, end, &membership->member) || at == end ||
        (*at++ == 0 && !take_text(&at, end, &membership->instance)) || at != end || assignment < 0 ||
        membership->member.length == 0) {
        forget(membership);
        return false;
    }
    membership->assignment = assignment;
    return true;
}

bool ps_kafka_membership_read(struct ps_kafka_membership *membership, rd_kafka_t *client)
{
    void *bytes = NULL;
    size_t length = 0;
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(client);
    rd_kafka_error_t *error =
        metadata != NULL ? rd_kafka_consumer_group_metadata_write(metadata, &bytes, &length) : NULL;
    if (metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(metadata);
    ps_kafka_membership_fini(membership);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
        return false;
    }
    membership->bytes = bytes;
    if (bytes == NULL || !ps_kafka_membership_parse(membership, bytes, length))
        return false;
    membership->cluster_id = rd_kafka_clusterid(client, 0);
    if (membership->cluster_id != NULL)
        membership->cluster =
            (struct ps_slice){membership->cluster_id, (uint32_t)strlen(membership->cluster_id)};
    return true;
}

void ps_kafka_membership_fini(struct ps_kafka_membership *membership)
{
    rd_kafka_mem_free(NULL, membership->bytes);
    rd_kafka_mem_free(NULL, membership->cluster_id);
    membership->bytes = membership->cluster_id = NULL;
    forget(membership);
}
