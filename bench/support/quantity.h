/* Parses and prints numbers with units as users write them: "1.5M", "10s", "64KiB", "0.1%". Set-up only. */
#pragma once

#include "core/status.h"

/* A count or a rate: digits with an optional fraction or exponent, then optionally k, M or G (thousands); a
 * rate may end in "/s". A rate is above 0 and at most 1e12. `what` is the option's name for the message. */
enum ps_status ps_quantity_rate(const char *what, const char *text, double *rate, struct ps_err *err);
enum ps_status ps_quantity_count(const char *what, const char *text, uint64_t min, uint64_t max,
                                 uint64_t *count, struct ps_err *err);
/* Units: ns, us, ms, s, m, h, d; several can follow each other ("1h30m"); a bare number means seconds. */
enum ps_status ps_quantity_duration(const char *what, const char *text, uint64_t *ns, struct ps_err *err);
/* Bytes: k, M, G and kB, MB, GB are powers of 1,000; KiB, MiB, GiB are powers of 1,024. */
enum ps_status ps_quantity_bytes(const char *what, const char *text, uint64_t *bytes, struct ps_err *err);
/* "0.1%" or "0.001" -> 0.001; 0 to 1. */
enum ps_status ps_quantity_share(const char *what, const char *text, double *share, struct ps_err *err);

/* Prints for people: "812,345", "1.23 M", "18.4 ms", "64.0 MiB". `room` >= 24. Returns `text`. */
const char *ps_quantity_print_count(uint64_t count, char *text, size_t room);
const char *ps_quantity_print_rate(double rate, char *text, size_t room);
const char *ps_quantity_print_ns(uint64_t ns, char *text, size_t room);
const char *ps_quantity_print_bytes(uint64_t bytes, char *text, size_t room);
