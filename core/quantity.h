/* Parses and prints numbers with units as users write them: "1.5M", "10s", "64KiB", "0.1%". Set-up only. */
#pragma once

#include "core/status.h"

/* Parses a count or a rate: digits with an optional fraction or exponent, then optionally k, M or G (thousands); a
 * rate may end in "/s". A rate is above 0 and at most 1e12. `what` is the option's name for the message. */
enum ps_status ps_quantity_rate(const char *what, const char *text, double *rate, struct ps_err *err);
enum ps_status ps_quantity_count(const char *what, const char *text, uint64_t min, uint64_t max,
                                 uint64_t *count, struct ps_err *err);
/* Parses a duration. Units: ns, us, ms, s, m, h, d; several can follow each other ("1h30m"); a bare number means
 * seconds. */
enum ps_status ps_quantity_duration(const char *what, const char *text, uint64_t *ns, struct ps_err *err);
/* Parses a number of bytes: k, M, G and kB, MB, GB are powers of 1,000; KiB, MiB, GiB are powers of 1,024. */
enum ps_status ps_quantity_bytes(const char *what, const char *text, uint64_t *bytes, struct ps_err *err);
/* Parses a share from 0 to 1: "0.1%" and "0.001" are both 0.001. */
enum ps_status ps_quantity_share(const char *what, const char *text, double *share, struct ps_err *err);

/* Returns whether the text is a port to which a client can connect: decimal digits, 1 to 65535. */
bool ps_quantity_is_port(const char *digits, size_t length);

/* ---- printing for people ----
 *
 * Everything that people read prints its figures with these, so that a figure looks the same in the log, in
 * reports and on every page (docs/decisions/0024). Use the text in the expression that makes it, or keep the
 * struct. Thread: any; no memory is allocated. */

#define PS_QUANTITY_TEXT_BYTES 40U

struct ps_quantity_text {
    char text[PS_QUANTITY_TEXT_BYTES];
};

/* A count is exact: "812,345". */
struct ps_quantity_text ps_quantity_print_count(uint64_t count);
/* The word after a count: ps_quantity_word(count, "event is", "events are"). */
const char *ps_quantity_word(uint64_t count, const char *one, const char *many);
/* In columns and status lines, three digits: "812 k/s", "1.23 M/s"; in full below 10,000: "9,120 /s". */
struct ps_quantity_text ps_quantity_print_rate(double rate);
/* In sentences and reports: "812,345 events/s", "12.3 events/s". */
struct ps_quantity_text ps_quantity_print_event_rate(double rate);
/* Three digits at most, no zeros at the end of a fraction: "850 ns", "12 us", "18.4 ms", "30 s"; from a minute on two
 * units: "1 min 30 s", "2 h 5 min", "3 d 4 h". */
struct ps_quantity_text ps_quantity_print_ns(uint64_t ns);
/* The same for a number of seconds; a negative number counts as 0. */
struct ps_quantity_text ps_quantity_print_s(double seconds);
/* Powers of 1,024, three digits at most: "512 B", "64 MiB", "5.89 GiB". */
struct ps_quantity_text ps_quantity_print_bytes(uint64_t bytes);
