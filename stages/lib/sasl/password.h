/* The SASL mechanisms with a name and a password: PLAIN (RFC 4616), SCRAM-SHA-256 (RFC 7677) and SCRAM-SHA-512
 * (RFC 5802 with SHA-512, as Kafka has it). The client begins. SCRAM also proves that the server knows the
 * password. PLAIN sends the password, and is for connections with TLS. No mechanism of these protects the data
 * after the exchange.
 *
 * Limits: name and password have at most PS_PASSWORD_BYTES_MAX bytes; a server may ask for at most
 * PS_SCRAM_ITERATIONS_MAX rounds, because the rounds hold up the caller's thread. Names and passwords are used
 * as they are written: SASLprep is not applied, as in Java's client.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/sasl/sasl.h"

#define PS_PASSWORD_BYTES_MAX 1024U
#define PS_SCRAM_ITERATIONS_MIN 4096U
#define PS_SCRAM_ITERATIONS_MAX 131072U

struct ps_password_settings {
    const char *name, *password;
    const char *nonce; /* tests: used instead of a random nonce */
};

/* Returns whether ps_password_open knows the mechanism ("SCRAM-SHA-256"). */
bool ps_password_mechanism_is_known(const char *mechanism);
/* Opens the mechanism. The settings are copied, and overwritten at the end. Returns NULL when the mechanism is
 * not known, a setting is too long, or there is no memory. The caller owns the mechanism, and calls
 * ps_sasl_close. */
struct ps_sasl *ps_password_open(const char *mechanism, const struct ps_password_settings *settings);
