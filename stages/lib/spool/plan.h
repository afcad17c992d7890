/* The keys of the source spooldir, and what is made of them. Thread: control; const after build. */
#pragma once

#include "core/stage.h"
#include "stages/lib/spool/spool.h"
#include "stages/lib/text/charset.h"

enum ps_spool_on_error { PS_SPOOL_ERROR_STOP, PS_SPOOL_ERROR_SKIP };

struct ps_spool_plan {
    const char *directory, *suffix, *delete_policy, *header_key, *basename_key, *include, *ignore, *tracker,
        *tracking_policy, *charset_name, *deserializer_type, *line_length;
    int order, decode_policy, on_error, decompress;
    bool header, basename, recursive;
    int64_t batch_size, poll_delay_ms, backoff_max_ms, lines_max;
    struct ps_pairs deserializer_keys;
    /* Set by build: */
    const struct ps_name *header_name, *basename_name;
    struct ps_charset charset;
    const struct ps_stage_ops *deserializer;
    void *deserializer_plan;
    bool deletes, marks;
    bool sink_keeps;          /* the sink keeps the positions, in its transactions; set before build */
    bool identities;          /* a sink reads the identities of events; set before build */
    uint64_t events_settings; /* fingerprint of the settings that decide what an event is */
};

extern const struct ps_option ps_spool_options[];

struct ps_spool_settings ps_spool_plan_settings(const struct ps_spool_plan *plan, const char *component);
/* Returns the deserializer's state, or NULL and the reason. */
void *ps_spool_deserializer_open(const struct ps_spool_plan *plan, struct ps_port *port, struct ps_err *err);

/* See struct ps_stage_ops. */
void ps_spool_gives_identities(void *plan);
bool ps_spool_yields_positions(void *plan, struct ps_err *err);
enum ps_status ps_spool_check(const void *plan, const struct ps_context *context);
enum ps_status ps_spool_build(void *plan, struct ps_context *context, struct ps_err *err);
void ps_spool_outline(const void *plan, const struct ps_context *context, FILE *out);
void ps_spool_claims(const void *plan, const struct ps_context *context,
                     void (*add)(void *argument, const struct ps_claim *claim), void *argument);
void ps_spool_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);
