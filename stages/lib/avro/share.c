/* Memory that Avro serializers share. See share.h. */
#include "stages/lib/avro/share.h"
#include "stages/lib/avro/codec/packer.h"

#include <stdlib.h>

static void destroy(void *share_)
{
    struct ps_avro_share *share = share_;
    for (unsigned i = 0; i < PS_AVRO_CODECS; i++)
        ps_packer_close(share->packers[i]);
    ps_avro_schemas_destroy(share->schemas);
    free(share->packed.data);
    free(share->spare.data);
    free(share);
}

struct ps_avro_share *ps_avro_share_open(struct ps_port *port)
{
    if (port->chain != NULL && port->chain->value != NULL)
        return port->chain->value;
    struct ps_avro_share *share = calloc(1, sizeof *share);
    if (share == NULL)
        return NULL;
    share->port = port;
    ps_random_init(&share->random);
    if (port->chain != NULL) {
        port->chain->value = share;
        port->chain->destroy = destroy;
    }
    return share;
}

void ps_avro_share_close(struct ps_avro_share *share, const struct ps_port *port)
{
    if (share != NULL && port->chain == NULL)
        destroy(share);
}

struct ps_packer *ps_avro_share_packer(struct ps_avro_share *share, enum ps_avro_codec codec)
{
    if (share->packers[codec] == NULL)
        share->packers[codec] = ps_avro_packer_open(codec);
    return share->packers[codec];
}

struct ps_avro_schemas *ps_avro_share_schemas(struct ps_avro_share *share)
{
    if (share->schemas == NULL)
        share->schemas = ps_avro_schemas_create(share->port);
    return share->schemas;
}
