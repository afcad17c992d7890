#include "stages/lib/remote/id.h"

#include <string.h>
#include <strings.h>

#include "stages/lib/text/json/value.h"

enum ps_status ps_remote_id_read(struct ps_remote_id *ids, const char *text)
{
    *ids = (struct ps_remote_id){PS_REMOTE_IDS_AUTO, NULL};
    if (text == NULL || strcasecmp(text, "identity") == 0)
        return PS_OK;
    if (strcasecmp(text, "none") == 0) {
        ids->from = PS_REMOTE_IDS_NONE;
        return PS_OK;
    }
    if (strncasecmp(text, "header:", 7) != 0 || text[7] == '\0' ||
        strlen(text + 7) > PS_HEADER_NAME_BYTES_MAX)
        return PS_FAIL;
    *ids = (struct ps_remote_id){PS_REMOTE_IDS_HEADER, ps_name_intern(text + 7)};
    return PS_OK;
}

size_t ps_remote_id_bound(const struct ps_remote_id *ids, const struct ps_batch *batch,
                          const struct ps_event *event)
{
    struct ps_slice value;
    if (ids->from == PS_REMOTE_IDS_AUTO)
        return PS_REMOTE_IDENTITY_BYTES;
    if (ids->from == PS_REMOTE_IDS_NONE || !ps_event_header(batch, event, ids->header, &value))
        return 0;
    return ps_json_string_bound(value.data, value.length);
}

bool ps_remote_id_find(const struct ps_remote_id *ids, const struct ps_lease *lease, uint32_t position,
                       char text[PS_IDENTITY_TEXT_BYTES], struct ps_slice *id)
{
    struct ps_identity identity;
    if (ids->from == PS_REMOTE_IDS_NONE)
        return false;
    if (ids->from == PS_REMOTE_IDS_HEADER)
        return ps_event_header(lease->batch, ps_lease_event(lease, position), ids->header, id) &&
               id->length > 0;
    if (!ps_event_identity(lease, position, &identity))
        return false;
    uint32_t length = ps_identity_text(&identity, text);
    PS_ASSERT(length <= PS_REMOTE_IDENTITY_BYTES);
    *id = (struct ps_slice){text, length};
    return true;
}
