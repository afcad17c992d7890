/* The common part of the sinks elasticsearch and opensearch: events become documents of bulk requests (`POST /_bulk`,
 * application/x-ndjson), and each item of the answer says what becomes of its event. The sink's state is a struct ps_elastic_state, and
 * its functions are ps_remote_sink_ops. Thread: the sink's worker, unless a function names another. */
#pragma once

#include "stages/lib/elastic/answer.h"
#include "stages/lib/elastic/document.h"
#include "stages/lib/remote/id.h"
#include "stages/lib/http/sink.h"

#include <zlib.h>

/* What the keys of a sink say. Texts live as long as the plan. */
struct ps_elastic_settings {
    const char *const *urls; /* of the servers, without a path's slash at the end */
    unsigned url_count;
    const char *index,
        *index_zone; /* the pattern of its name, and the zone of its escapes (NULL: the process's) */
    const char *date, *date_zone; /* what follows the name, as FastDateFormat; NULL: nothing */
    const char *type;             /* the pattern of the type, for servers before 7; NULL: "_doc" */
    int64_t ttl_ms;               /* for servers before 5; 0: none */
    const char *ids;              /* the key penstock.ids; NULL: not set */
    bool compares;                /* the key penstock.ids.compare */
    const char *cluster;          /* the cluster's name, which is compared; NULL: any */
    const char *pipeline;         /* NULL: none */
    bool is_data_stream;
    const char *user, *password, *api_key; /* NULL: none */
    const char *ca, *cert, *key;           /* files with PEM; NULL: none */
    char *trust;                           /* PEM text of authorities; NULL: none */
    bool gzip, verify;
    int64_t events_max, bytes_max, requests, connect_ms, request_ms;
    int64_t sniff_s; /* the key penstock.sniff */
    struct ps_elastic_document document;
    struct ps_pairs fields;
};

struct ps_elastic_plan {
    struct ps_http_sink_plan sink; /* must be first */
    struct ps_elastic_name index, type;
    bool has_type;
    struct ps_remote_id ids;
    struct ps_elastic_document document;
    int64_t ttl_ms;
    const char *cluster;
    bool is_data_stream, gzip, compares;
};

struct ps_elastic_state {
    struct ps_http_sink sink; /* must be first */
    struct ps_elastic_server server;
    bool has_types, has_ttl;
    struct ps_elastic_name_cache index, type;
    struct ps_elastic_cache documents;
    z_stream zip;
    char *plain; /* with gzip: the request before it is compressed; a document that is compared */
    size_t plain_room;
};

#define PS_ELASTIC_SNIFF_ROW(offset)                                                                         \
    PS_OPTION_ROW("penstock.sniff", INT, (offset),                                                           \
                  "interval at which the cluster is asked for the addresses of its servers, which then get " \
                  "the requests; 0: those of the configuration get them",                                    \
                  .fallback = "0", .min = 0, .max = 86400, .unit = "s", .flags = PS_OPTION_EXTENSION)
#define PS_ELASTIC_COMPARE_HELP                                                                              \
    "whether a document is compared with the one that has its id already: another one is a dead letter"

/* The counters of the sinks, and their helps. */
#define PS_ELASTIC_COUNTER_NAMES                                                                             \
    PS_WORDS("items_created", "items_existing", "items_later", "items_refused", "items_unknown",             \
             "items_differing")
#define PS_ELASTIC_COUNTER_HELPS                                                                             \
    PS_WORDS("Documents that the server has taken",                                                          \
             "Documents that the server had already, by their ids, and which therefore count as delivered",  \
             "Times that the server did not take a document now",                                            \
             "Documents that the server refused for good",                                                   \
             "Times that it is not known what the server did with a document, although it answered",         \
             "Documents whose id another document has (penstock.ids.compare)")

/* Splits a list of hosts: HOST, HOST:PORT or URL; makes URLs of them. `port_map`: the port that stands for transport, and means
 * 9200; 0: none. Returns false after it has reported what is wrong with the value of `key`. Thread: control. */
bool ps_elastic_urls(const struct ps_texts *hosts, unsigned default_port, unsigned transport_port,
                     const char *key, const struct ps_context *context, const char *const **urls);

/* For `check`: reports what is wrong with the settings, and what they do not promise. Thread: control. */
enum ps_status ps_elastic_check(const struct ps_elastic_settings *settings, const struct ps_context *context);
enum ps_status ps_elastic_build(struct ps_elastic_plan *plan, const struct ps_elastic_settings *settings,
                                struct ps_context *context, struct ps_err *err);
/* Reads the answer to `GET /`. Returns false with the cause. Thread: any. */
bool ps_elastic_judge(const struct ps_elastic_plan *plan, const struct ps_http_request *answer,
                      struct ps_elastic_server *server, struct ps_err *err);
/* For `probe`: asks each server for its version, and one of them for the index or data stream, if its name is fixed. `plan`: after `build`.
 * Thread: as of `probe`. */
void ps_elastic_probe(const struct ps_elastic_plan *plan, struct ps_context *context,
                      const struct ps_probe *probe);
enum ps_status ps_elastic_open(const struct ps_elastic_plan *plan, void *state, struct ps_port *port,
                               struct ps_err *err);
void ps_elastic_close(const void *plan, void *state);
