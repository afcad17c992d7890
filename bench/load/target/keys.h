/* Reads values of a target's URL keys. Set-up only. On failure the error names the key, its value and what is
 * allowed. */
#pragma once

#include "bench/support/url.h"
#include "stages/lib/tls/client.h"

/* true, false (yes, no, 1, 0); `*value` is the default and keeps its value when the key is absent. */
enum ps_status ps_target_key_bool(struct ps_url *url, const char *name, bool *value, struct ps_err *err);
enum ps_status ps_target_key_count(struct ps_url *url, const char *name, uint64_t min, uint64_t max,
                                   uint64_t *value, struct ps_err *err);
enum ps_status ps_target_key_bytes(struct ps_url *url, const char *name, uint64_t *value, struct ps_err *err);
/* Reads one of `words` (NULL-terminated); `*value` is its index. */
enum ps_status ps_target_key_word(struct ps_url *url, const char *name, const char *const *words,
                                  unsigned *value, struct ps_err *err);
/* The keys of TLS: ca=FILE the trusted authorities (default: the system's), verify=false accept every certificate,
 * cert=FILE and key=FILE the client's own certificate and key, server-name=NAME the name that the certificate must
 * contain (default: the URL's host). Owns: the caller destroys `*client`. */
enum ps_status ps_target_key_tls(struct ps_url *url, struct ps_tls_client **client, struct ps_err *err);
