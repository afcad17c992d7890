/* Shared by tls.c and tls_connection.c. No other file includes it. */
#pragma once

#include "stages/net/tls.h"

#include <openssl/ssl.h>

#define PS_TLS_READ_BUFFER_BYTES (32 * 1024)

struct ps_tls_server {
    SSL_CTX *context; /* const once built; SSL_new on any worker */
};
