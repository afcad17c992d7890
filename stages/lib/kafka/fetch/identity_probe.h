/* Asks a broker whether events of topics can have identities (log_name.h), by the client that reads them. Thread: control, which
 * waits for it. */
#pragma once

#include "core/probe.h"
#include "core/text/list.h"
#include "stages/lib/kafka/cluster/settings.h"

/* Reports what it finds to the probe. The settings are a reader's, with `servers`. */
void ps_kafka_identity_probe(const struct ps_probe *probe, const struct ps_kafka_settings *settings,
                             struct ps_texts topics);
