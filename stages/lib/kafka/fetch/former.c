/* Offsets of former topics that the group's coordinator may still have, after this member gave their partitions up. A topic that was created
 * again may be gone, or not listed, before its offset is lowered; when this member gets the partition again, OffsetFetch has that offset,
 * and the records before it would be skipped. Another member does not know of it, nor does this one after its source was started again. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <string.h>

static struct ps_kafka_former *find(const struct ps_kafka_fetch *fetch,
                                    const struct ps_kafka_fetch_part *part)
{
    for (uint32_t i = 0; i < fetch->former_count; i++) {
        if (fetch->formers[i].topic == part->topic && fetch->formers[i].number == part->number)
            return &fetch->formers[i];
    }
    return NULL;
}

static struct ps_kafka_former *find_or_add(struct ps_kafka_fetch *fetch,
                                           const struct ps_kafka_fetch_part *part)
{
    struct ps_kafka_former *former = find(fetch, part);
    if (former != NULL)
        return former;
    if (fetch->former_count == fetch->former_room) {
        fetch->former_room = fetch->former_room == 0 ? 16 : 2 * fetch->former_room;
        fetch->formers =
            ps_must_realloc(fetch->formers, fetch->former_room * sizeof *fetch->formers, "partitions");
    }
    former = &fetch->formers[fetch->former_count++];
    *former = (struct ps_kafka_former){.topic = part->topic, .number = part->number};
    return former;
}

void ps_kafka_former_note(struct ps_kafka_fetch *fetch, uint32_t i)
{
    const struct ps_kafka_fetch_part *part = &fetch->parts[i];
    const struct ps_kafka_stream *stream = &fetch->streams.items[i];
    if (part->state == PS_KAFKA_PART_NONE)
        return;
    bool asked = stream->committing_generation == stream->generation;
    int64_t offsets[PS_KAFKA_FORMER_OFFSETS] = {
        stream->committed, asked ? stream->committing : PS_KAFKA_POSITION_NONE,
        /* of a transaction of the sink that may end yet */
        fetch->sink_commits && stream->taken >= 0 ? stream->taken + 1 : PS_KAFKA_POSITION_NONE};
    bool any = false;
    for (unsigned o = 0; o < PS_KAFKA_FORMER_OFFSETS; o++)
        any |= offsets[o] > 0;
    bool is_there = part->life == part->topic->lives && part->topic->error != PS_KAFKA_ERROR_UNKNOWN_TOPIC;
    if (!any || is_there)
        return; /* an offset that was noted before, and is still to be lowered, stays */
    struct ps_kafka_former *former = find_or_add(fetch, part);
    former->life = part->life;
    memcpy(former->offsets, offsets, sizeof offsets);
}

bool ps_kafka_former_has(const struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_part *part,
                         int64_t offset)
{
    const struct ps_kafka_former *former = find(fetch, part);
    bool has = false;
    for (unsigned o = 0; former != NULL && former->life != part->life && o < PS_KAFKA_FORMER_OFFSETS; o++)
        has |= offset > 0 && former->offsets[o] == offset;
    return has;
}

void ps_kafka_former_forget(struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_part *part)
{
    struct ps_kafka_former *former = find(fetch, part);
    if (former != NULL)
        *former = fetch->formers[--fetch->former_count];
}
