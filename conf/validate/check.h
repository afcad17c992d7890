/* The checks of a whole agent, which ps_conf_load calls after validation in this order, so that both agent and check
 * report their problems. None of them asks a name server. Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* In check.c. Detects a Kafka source and a Kafka sink that form a loop. The source sets the header that overrides the
 * sink's topic, so every event returns to its topic; if both use one cluster, this repeats for ever. Flume
 * does the same. The warning names the flow and the key to change.
 *
 * Detects a sink whose path has an escape of the time (hdfs.path = /logs/%Y) after a source whose events have no
 * header `timestamp`: Flume fails each batch for ever (BucketPath: "Expected timestamp in the Flume event headers"). */
void ps_check_flows(struct ps_conf *conf);

/* In guarantee.c. Flows with a transactional sink (ps_sink_ops.transactional): an event and the position of its source
 * can be committed together only where one sink gets everything that was read from a stream, in order. Refuses other
 * flows with the reason, and informs the sources that the sink commits their positions. A sink of a channel on disk
 * keeps positions of the channel, whatever its sources are (ps_sink_ops.keep_positions). */
void ps_check_guarantees(struct ps_conf *conf);

/* A pair with this key notes who keeps the positions ("topic": this sink; "sink": the sink behind this source), so that a
 * reload sees that the source, or the sink, has changed. */
#define PS_KEEPER_KEY "penstock.positions"

/* In identities.c. Flows whose sink reads the identities of events (core/flow/identity.h): the sink has a key
 * penstock.ids (a text) that is identity or not set, or its key penstock.identity (a truth value) is true. For penstock.ids it reports what
 * of the flow gives no ids. A source of files gives its events identities only in these flows, because a
 * new file then waits until its random number is on the disk. */
void ps_ask_for_identities(struct ps_conf *conf);

/* In ports.c. Warns of each source that listens on an address of an earlier source or of the metrics server. A start
 * continues, as Flume does, and the later source waits for the port; a reload is refused (conf/mistake.h). A TCP and a
 * UDP port are different ports, and port 0 is never the same port. Compares names as written and addresses by their
 * value. 0.0.0.0 and :: overlap every host. */
void ps_check_ports(struct ps_conf *conf);

/* In rounds.c. Warns of each sink that sends to a source of the same agent from which events come to that sink again,
 * perhaps through further sinks and sources: these events go round for ever, and each new event adds to them, as in
 * Flume. The sinks are avro, thrift and http, with a source of the same name on that host and port, and file_roll with a
 * source spooldir on its directory. It warns only when nothing on the way can choose among the events: each sink is
 * alone on its channel and in its group, the selectors replicate, the interceptors are those that pass every event, and
 * the sources take what is given to them (no ipFilter, includePattern or ignorePattern; http with a blob handler).
 * Compares names and paths as written, and addresses by their value. */
void ps_check_rounds(struct ps_conf *conf);

/* In claims.c. Warns once for each source or channel that claims a path of an earlier one of its type (core/claim.h),
 * and names both. A start continues, as Flume does; a reload is refused (conf/mistake.h). Paths are compared after
 * symbolic links, where they exist; nothing is written. */
void ps_check_claims(struct ps_conf *conf);

/* In conf/doubts/paths.c. Warns of each value that names a path which no component can have meant: a pattern of the
 * shell, `~`, a URL where a path belongs, two paths. They are read as Flume reads them, as the name of one directory,
 * which is mostly not there. Counts them (conf->doubts). A path that exists is never doubted. */
void ps_doubt_paths(struct ps_conf *conf);

/* In conf/doubts/topics.c. Warns of each interceptor and selector, and each key of a source, that gives a header a value
 * that a sink kafka cannot use: a name that no topic can have in the header `topic`, a text that is not a number in that
 * of the partition. Such an event is never delivered. */
void ps_doubt_topics(struct ps_conf *conf);
