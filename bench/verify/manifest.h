/* The manifest: how many events of each source of a run load sent. Set-up only. */
#pragma once

#include "core/status.h"

struct ps_manifest {
    uint32_t run;
    uint64_t events, completed, failed; /* of all sources */
    bool running;                       /* load had not ended when it wrote this: it goes on, or was killed */
    double seconds;                     /* since its start, when it wrote this */
    uint32_t source_count;
    struct ps_manifest_source {
        uint32_t source;
        uint64_t events; /* numbered 0 to events - 1 */
        /* Those of the `events` that load completed, and that the target refused for good. The others were not written (TCP, a
         * file), or written and not confirmed (Kafka, HTTP): they may have arrived. */
        uint64_t completed, failed;
        uint64_t unfinished_from; /* all numbers below were completed or refused; 0 when that is not known */
    } * sources;                  /* sorted by source number */
};

/* Reads a JSON file that `penstock load --manifest` wrote (atomically; at the end of its run, and while it goes on). Returns PS_OK
 * with `*found` false when the file does not exist yet. Owns: ps_manifest_fini frees. */
enum ps_status ps_manifest_read(struct ps_manifest *manifest, const char *path, bool *found,
                                struct ps_err *err);
/* Parses the text of a manifest. */
enum ps_status ps_manifest_parse(struct ps_manifest *manifest, const char *text, size_t length,
                                 struct ps_err *err);
void ps_manifest_fini(struct ps_manifest *manifest);

/* Returns NULL when the source is not in the manifest. */
const struct ps_manifest_source *ps_manifest_find(const struct ps_manifest *manifest, uint32_t source);

/* Converts "3fa9c2" to the run's number. `what` is the option or key in the message. */
enum ps_status ps_manifest_run(const char *what, const char *text, uint32_t *run, struct ps_err *err);
