/* The URLs of a sink that posts to several servers, as a configuration has them. Thread: control. */
#pragma once

#include "stages/lib/http/sink.h"

#include <stdio.h>

/* For `check`: reports a URL, the value of `key`, to which nothing can be posted. */
enum ps_status ps_http_urls_check(const char *key, const char *url, const struct ps_context *context);

/* For `build`: the plan's hosts. Posts go to URL + `post`, or URL + `other` (may be NULL), greetings to URL + `greeting`; slashes at the end of
 * a URL do not count. */
void ps_http_urls_set(struct ps_http_sink_plan *plan, struct ps_context *context, const char *const *urls,
                      size_t count, const char *post, const char *other, const char *greeting);

/* For `outline`: " URL, URL", without users and passwords. */
void ps_http_urls_print(const char *const *urls, size_t count, FILE *out);

/* For `probe`: connects to each server as the sink does. Thread: as of `probe`. */
void ps_http_urls_try(const char *const *urls, size_t count, const char *ca, const char *ca_text,
                      const struct ps_probe *probe);
