/* Makes members of a group leave that were killed, for consumers of librdkafka, which cannot do it (the native engine:
 * group/former.h). A thread of its own waits until the new member has probably sent its JoinGroup, since an empty group
 * would wait for more members, and then sends a LeaveGroup for each. It ends by itself after at most 10 s.
 * Thread: any. */
#pragma once

#include "stages/lib/kafka/place.h"

struct ps_kafka_leaver;

/* Begins, if the place remembers members of this group. `pairs`: the consumer's properties; copied, if the native client
 * has them. Returns NULL if there is nothing to do. */
struct ps_kafka_leaver *ps_kafka_leaver_begin(const struct ps_kafka_place *place, const char *group,
                                              const struct ps_pair *pairs, size_t pair_count,
                                              const char *component);
/* Does not wait. Does nothing for NULL. */
void ps_kafka_leaver_end(struct ps_kafka_leaver *leaver);
