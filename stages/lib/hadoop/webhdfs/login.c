/* Authentication at servers with Kerberos (SPNEGO, RFC 4559): the first token is sent in a header, and the server returns
 * the cookie hadoop.auth, which is valid for hours. libcurl would ask the KDC on the worker's thread; here a helper thread
 * does it (stages/lib/sasl/gssapi.h). Requests to a datanode need no authentication, because the namenode puts a token into
 * their URL.
 *
 * Source: org.apache.hadoop.security.authentication.client.KerberosAuthenticator. */
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/hadoop/webhdfs/internal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PURPOSE "a WebHDFS login"
#define SCHEME "Negotiate "
#define COOKIE "hadoop.auth="
#define WAIT_NS (20 * PS_NS_PER_MS) /* wait for tickets, or for the login of another call */
#define TOKEN_BYTES_MAX 65536U

static struct ps_webhdfs_server *server_of(const struct ps_webhdfs_call *call)
{
    return &call->webhdfs->servers[call->server];
}

/* Returns the common headers and Authorization; NULL if there is no memory. */
static struct curl_slist *make_headers(const struct curl_slist *common, const struct ps_gss_token *token)
{
    size_t room = sizeof "Authorization: " SCHEME + (token->length + 2) / 3 * 4;
    char *field = ps_must_alloc(room, 1, PURPOSE);
    int at = sprintf(field, "Authorization: " SCHEME);
    EVP_EncodeBlock((unsigned char *)field + at, token->bytes, (int)token->length);
    struct curl_slist *headers = curl_slist_append(NULL, field);
    for (; common != NULL && headers != NULL; common = common->next) {
        struct curl_slist *longer = curl_slist_append(headers, common->data);
        if (longer == NULL)
            curl_slist_free_all(headers);
        headers = longer;
    }
    free(field);
    return headers;
}

enum ps_webhdfs_login ps_webhdfs_login_prepare(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_server *server = server_of(call);
    struct ps_gss_token token = {.bytes = NULL};
    char reason[PS_GSS_REASON_BYTES] = "";
    bool later = false;
    if (server->tickets == NULL || server->cookie[0] != '\0')
        return PS_WEBHDFS_LOGIN_READY;
    call->wake_ns = call->webhdfs->now.mono_ns + WAIT_NS;
    if (server->introducing != NULL)
        return PS_WEBHDFS_LOGIN_WAITS;
    call->context = ps_gss_initiator_take(server->tickets, &token, &later, reason);
    if (call->context == NULL) {
        snprintf(call->reason, sizeof call->reason, "Kerberos: %s", reason);
        return later ? PS_WEBHDFS_LOGIN_WAITS : PS_WEBHDFS_LOGIN_FAILED;
    }
    server->introducing = call;
    if (token.length <= TOKEN_BYTES_MAX)
        call->slot->own_headers = make_headers(call->webhdfs->http.headers, &token);
    ps_gss_token_free(&token);
    if (call->slot->own_headers != NULL)
        return PS_WEBHDFS_LOGIN_READY;
    snprintf(call->reason, sizeof call->reason, "Kerberos: no memory");
    return PS_WEBHDFS_LOGIN_FAILED;
}

void ps_webhdfs_login_drop(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_server *server = server_of(call);
    if (server->introducing == call)
        server->introducing = NULL;
    ps_gss_context_close(call->context);
    call->context = NULL;
    if (call->slot != NULL) {
        curl_slist_free_all(call->slot->own_headers);
        call->slot->own_headers = NULL;
    }
}

/* Decodes the server's token from "Negotiate BASE64". Returns false if there is none. */
static bool find_token(const struct ps_http_request *request, unsigned char **bytes, size_t *length)
{
    const char *value;
    for (size_t i = 0; (value = ps_http_request_header(request, "WWW-Authenticate", i)) != NULL; i++) {
        size_t digits = strlen(value);
        if (strncasecmp(value, SCHEME, sizeof SCHEME - 1) != 0 || digits > TOKEN_BYTES_MAX)
            continue;
        value += sizeof SCHEME - 1;
        digits = strlen(value);
        *bytes = ps_must_alloc(digits + 1, 1, PURPOSE);
        int decoded = EVP_DecodeBlock(*bytes, (const unsigned char *)value, (int)digits);
        for (size_t end = digits; decoded > 0 && end > 0 && value[end - 1] == '='; end--)
            decoded--;
        *length = decoded > 0 ? (size_t)decoded : 0;
        return true;
    }
    return false;
}

/* Returns whether the server has proved that it knows the ticket's key. */
static bool is_the_server(struct ps_webhdfs_call *call)
{
    struct ps_gss_token out = {.bytes = NULL};
    unsigned char *bytes = NULL;
    char reason[PS_GSS_REASON_BYTES] = "it sent no token of its own";
    size_t length = 0;
    enum ps_gss_result result = PS_GSS_FAILED;
    if (find_token(&call->slot->request, &bytes, &length))
        result = ps_gss_context_step(call->context, bytes, length, &out, reason);
    free(bytes);
    if (out.length > 0)
        ps_gss_token_free(&out);
    if (result == PS_GSS_ESTABLISHED)
        return true;
    snprintf(call->reason, sizeof call->reason, "Kerberos: the server did not prove its identity: %s",
             result == PS_GSS_MORE ? "it wants more tokens" : reason);
    return false;
}

static void keep_cookie(struct ps_webhdfs_call *call)
{
    struct ps_webhdfs_server *server = server_of(call);
    const char *value;
    for (size_t i = 0; (value = ps_http_request_header(&call->slot->request, "Set-Cookie", i)) != NULL; i++) {
        size_t length = strcspn(value, ";");
        if (strncmp(value, COOKIE, sizeof COOKIE - 1) != 0 || length >= sizeof server->cookie ||
            length == sizeof COOKIE - 1)
            continue;
        memcpy(server->cookie, value, length);
        server->cookie[length] = '\0';
    }
}

bool ps_webhdfs_login_accept(struct ps_webhdfs_call *call)
{
    if (server_of(call)->tickets == NULL)
        return true;
    /* An error of the authentication filter (403, 500) has no token; such an error is the answer to the request. */
    bool good = call->context == NULL || call->slot->request.status >= 400 || is_the_server(call);
    if (good && (call->context == NULL || call->slot->request.status < 400))
        keep_cookie(call);
    ps_webhdfs_login_drop(call);
    return good;
}
