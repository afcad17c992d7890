/* Why a handshake failed, in words that both sides of a mistake share: OpenSSL's own differ from side to side, and name
 * what it saw ("http request", "wrong version number"), not what is wrong. Thread: any. */
#include "stages/lib/tls/internal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>

/* Reasons of bytes that are no record of TLS: the other side speaks its protocol without it. */
static bool is_plain(int reason)
{
    return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST ||
           reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
#ifdef SSL_R_RECORD_LAYER_FAILURE /* OpenSSL 3.2 */
           reason == SSL_R_RECORD_LAYER_FAILURE ||
#endif
           reason == SSL_R_BAD_RECORD_TYPE;
}

static bool is_version(int reason)
{
    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_WRONG_SSL_VERSION || reason == SSL_R_NO_PROTOCOLS_AVAILABLE ||
           reason == SSL_R_VERSION_TOO_LOW || reason == SSL_R_VERSION_TOO_HIGH;
}

const char *ps_tls_reason(bool in_handshake)
{
    unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    if (in_handshake && ERR_GET_LIB(code) == ERR_LIB_SSL && is_plain(ERR_GET_REASON(code)))
        return PS_TLS_SAYS_PLAIN;
    if (in_handshake && ERR_GET_LIB(code) == ERR_LIB_SSL && is_version(ERR_GET_REASON(code)))
        return "the two sides have no version of TLS in common";
    return text != NULL ? text : "unknown error";
}
