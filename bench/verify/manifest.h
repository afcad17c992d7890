/* What load says it sent: how many events of each source of a run. Set-up only. */
#pragma once

#include "core/status.h"

struct ps_manifest {
    uint32_t run;
    uint64_t events, failed; /* of all sources */
    uint32_t source_count;
    struct ps_manifest_source {
        uint32_t source;
        uint64_t events; /* numbered 0 to events - 1 */
        uint64_t failed; /* of them, what load itself could not deliver */
    } * sources;         /* by their numbers */
};

/* A JSON file as `penstock load --manifest` writes it, at the end and at once. PS_OK with `*found` false:
 * there is no such file yet. Owns: ps_manifest_fini frees. */
enum ps_status ps_manifest_read(struct ps_manifest *manifest, const char *path, bool *found,
                                struct ps_err *err);
/* The same of its text. */
enum ps_status ps_manifest_parse(struct ps_manifest *manifest, const char *text, size_t length,
                                 struct ps_err *err);
void ps_manifest_fini(struct ps_manifest *manifest);

/* NULL: it is not in it. */
const struct ps_manifest_source *ps_manifest_find(const struct ps_manifest *manifest, uint32_t source);

/* "3fa9c2" -> the run's number. `what` names the option or key in the message. */
enum ps_status ps_manifest_run(const char *what, const char *text, uint32_t *run, struct ps_err *err);
