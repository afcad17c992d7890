#include "stages/lib/hadoop/hdfs/security.h"

#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/protection.h"
#include "stages/lib/hadoop/rpc/sasl.h"
#include "stages/lib/hadoop/transfer/sasl.h"
#include "stages/lib/sasl/gssapi.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PRINCIPAL_KEY "dfs.namenode.kerberos.principal"
#define PRIVILEGED_PORTS 1024U
#define KEY_MARGIN_MS 60000U
#define NAME_BYTES 1024U
#define SERVICE_BYTES 600U
#define TOKENS_LOOK_NS (3600 * PS_NS_PER_S)
#define TOKENS_SOON_MS (INT64_C(86400) * 1000)

struct key { /* in the encoding of DIGEST-MD5 */
    char name[NAME_BYTES], secret[256], cipher[16];
    uint64_t expires_ms;
};

struct ps_hadoop_security {
    struct ps_hadoop_settings settings; /* the caller owns its strings */
    bool kerberos, may_be_simple, aes;
    unsigned rpc_protection, transfer_protection; /* PS_SASL_PREFER; 0: none */
    bool encrypts;
    struct ps_hadoop_credentials *credentials; /* delegation tokens; NULL: none */
    uint64_t tokens_look_ns;                   /* time of the next check whether tokens expire */
    struct key *key;                           /* NULL: none */
    bool key_unknown;                          /* a datanode did not know the key */
    struct ps_hadoop_rpc_auth rpc;
    struct ps_transfer_security transfer;
};

/* ---- the configuration ---- */

static const char *text_of(const struct ps_hadoop_security *security, const char *key)
{
    return ps_hadoop_configuration_text(security->settings.configuration, key);
}

static enum ps_status refuse_classes(const struct ps_hadoop_security *security, struct ps_err *err)
{
    static const char *const keys[] = {"hadoop.security.saslproperties.resolver.class",
                                       "dfs.data.transfer.saslproperties.resolver.class",
                                       "dfs.trustedchannel.resolver.class"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        if (text_of(security, keys[i]) != NULL)
            return ps_err_set(
                err,
                "%s: %s: Java classes cannot be loaded; remove the key, and set the levels of protection",
                ps_hadoop_configuration_place(security->settings.configuration, keys[i]), keys[i]);
    }
    return PS_OK;
}

/* A principal with a keytab has precedence over tokens, as in UserGroupInformation.loginUserFromKeytab. */
static enum ps_status read_tokens(struct ps_hadoop_security *security, struct ps_err *err)
{
    const char *path = ps_hadoop_credentials_path();
    if (path == NULL || security->settings.kerberos_principal != NULL)
        return PS_OK;
    return ps_hadoop_credentials_load(&security->credentials, path, err);
}

static enum ps_status read_kerberos(struct ps_hadoop_security *security, struct ps_err *err)
{
    const char *method = text_of(security, "hadoop.security.authentication");
    if (method == NULL || strcasecmp(method, "simple") == 0)
        return PS_OK;
    if (strcasecmp(method, "kerberos") != 0)
        return ps_err_set(
            err, "%s: hadoop.security.authentication: %s: only simple and kerberos are supported",
            ps_hadoop_configuration_place(security->settings.configuration, "hadoop.security.authentication"),
            method);
    security->kerberos = true;
    if (read_tokens(security, err) != PS_OK)
        return PS_FAIL;
    if (text_of(security, PRINCIPAL_KEY) == NULL && security->credentials == NULL)
        return ps_err_set(
            err, "hadoop.security.authentication is kerberos: hdfs-site.xml has to have " PRINCIPAL_KEY
                 ", the principal of the namenodes (hdfs/_HOST@REALM)");
    if ((security->settings.kerberos_principal == NULL) != (security->settings.keytab == NULL))
        return ps_err_set(err, "hdfs.kerberosPrincipal and hdfs.kerberosKeytab are needed together");
    return PS_OK;
}

static enum ps_status read_settings(struct ps_hadoop_security *security, struct ps_err *err)
{
    const struct ps_hadoop_configuration *configuration = security->settings.configuration;
    if (read_kerberos(security, err) != PS_OK || refuse_classes(security, err) != PS_OK ||
        ps_hadoop_protection_read(configuration, "hadoop.rpc.protection", false, PS_SASL_AUTHENTICATION,
                                  &security->rpc_protection, err) != PS_OK ||
        ps_hadoop_protection_read(configuration, "dfs.data.transfer.protection", false, 0,
                                  &security->transfer_protection, err) != PS_OK)
        return PS_FAIL;
    security->may_be_simple =
        ps_hadoop_configuration_boolean(configuration, "ipc.client.fallback-to-simple-auth-allowed", false);
    const char *suites = text_of(security, "dfs.encrypt.data.transfer.cipher.suites");
    security->aes = suites != NULL && strcasecmp(suites, "AES/CTR/NoPadding") == 0;
    if (suites != NULL && !security->aes)
        return ps_err_set(
            err, "%s: dfs.encrypt.data.transfer.cipher.suites: %s: only AES/CTR/NoPadding is supported",
            ps_hadoop_configuration_place(configuration, "dfs.encrypt.data.transfer.cipher.suites"), suites);
    return PS_OK;
}

/* ---- namenodes ---- */

struct server {
    struct ps_hadoop_rpc_sasl sasl; /* must be first: the settings of the transport */
    bool refused;
};

/* Finds the token by its service, which is the name service or the host of the configuration
 * (AbstractDelegationTokenSelector, HAUtilClient.buildTokenServiceForLogicalUri). The session finds tokens by address. */
static void choose_token(const struct ps_hadoop_security *security, const char *host, unsigned port,
                         struct ps_hadoop_rpc_sasl *sasl)
{
    char services[2][SERVICE_BYTES];
    const char *authority = strstr(security->settings.url, "://");
    authority = authority != NULL ? authority + 3 : "";
    snprintf(services[0], SERVICE_BYTES, "ha-hdfs:%.*s", (int)strcspn(authority, "/"), authority);
    snprintf(services[1], SERVICE_BYTES, "%s:%u", host, port);
    sasl->credentials = security->credentials;
    for (size_t i = 0; sasl->token_name == NULL && i < PS_COUNT_OF(services); i++) {
        const struct ps_hadoop_token *token =
            ps_hadoop_credentials_find(security->credentials, PS_HADOOP_TOKEN_HDFS, services[i]);
        sasl->token_name = token != NULL ? token->name : NULL;
        sasl->token_secret = token != NULL ? token->secret : NULL;
    }
}

static void *enter_server(void *argument, const char *host, unsigned port)
{
    const struct ps_hadoop_security *security = argument;
    struct server *server = calloc(1, sizeof *server);
    struct ps_err err = {.length = 0};
    if (server == NULL)
        return NULL;
    const struct ps_gss_initiator_settings settings = {.principal = security->settings.kerberos_principal,
                                                       .keytab = security->settings.keytab,
                                                       .server = text_of(security, PRINCIPAL_KEY),
                                                       .server_host = host,
                                                       .wake_fd = security->settings.port->wake_fd};
    server->sasl = (struct ps_hadoop_rpc_sasl){.principal = settings.server,
                                               .protection = security->rpc_protection,
                                               .may_be_simple = security->may_be_simple,
                                               .refused = &server->refused};
    choose_token(security, host, port, &server->sasl);
    if (settings.server == NULL) /* only tokens are used */
        return server;
    if (ps_gss_initiator_build(&server->sasl.initiator, &settings, &err) == PS_OK)
        return server;
    free(server);
    return NULL;
}

static bool is_refused(const void *entered)
{
    const struct server *server = entered;
    return server->refused;
}

static void leave_server(void *, void *entered)
{
    struct server *server = entered;
    ps_gss_initiator_teardown(server->sasl.initiator);
    free(server);
}

const struct ps_hadoop_rpc_auth *ps_hadoop_security_rpc(const struct ps_hadoop_security *security)
{
    return security->kerberos ? &security->rpc : NULL;
}

/* ---- datanodes ---- */

/* The settings that `open` copies; they own the strings. */
struct connection {
    struct ps_transfer_sasl sasl; /* must be first: the settings of the transport */
    char *name, *secret;
};

static char *in_base64(const ProtobufCBinaryData *bytes)
{
    char *text = malloc((bytes->len + 2) / 3 * 4 + 1);
    if (text != NULL)
        (void)EVP_EncodeBlock((uint8_t *)text, bytes->data, (int)bytes->len);
    return text;
}

static void leave(void *, void *entered)
{
    struct connection *connection = entered;
    if (connection->secret != NULL)
        OPENSSL_cleanse(connection->secret, strlen(connection->secret));
    free(connection->secret);
    free(connection->name);
    free(connection);
}

/* Chooses the authentication as SaslDataTransferClient.send does: the data encryption key if there is one; else the block
 * token, unless the datanode's port is privileged or no protection is configured. */
static void *enter(void *argument, const PsHadoop__DatanodeId *node, const PsHadoop__Token *token)
{
    struct ps_hadoop_security *security = argument;
    struct connection *connection = calloc(1, sizeof *connection);
    bool by_token =
        security->kerberos && security->transfer_protection != 0 && node->xfer_port >= PRIVILEGED_PORTS;
    if (connection == NULL)
        return NULL;
    if (security->key == NULL && !by_token) {
        connection->sasl.wonders = security->kerberos && node->xfer_port >= PRIVILEGED_PORTS;
        return connection;
    }
    if (security->key != NULL) {
        connection->name = strdup(security->key->name);
        connection->secret = strdup(security->key->secret);
        connection->sasl.protection = PS_SASL_PRIVACY;
        connection->sasl.key_unknown = &security->key_unknown;
        connection->sasl.cipher = security->key->cipher[0] != '\0' ? security->key->cipher : NULL;
    } else {
        connection->name = in_base64(&token->identifier);
        connection->secret = in_base64(&token->password);
        connection->sasl.protection = security->transfer_protection;
    }
    connection->sasl.name = connection->name;
    connection->sasl.secret = connection->secret;
    connection->sasl.aes = security->aes;
    if (connection->name != NULL && connection->secret != NULL)
        return connection;
    leave(argument, connection);
    return NULL;
}

const struct ps_transfer_security *ps_hadoop_security_transfer(struct ps_hadoop_security *security,
                                                               bool encrypts)
{
    security->encrypts = encrypts;
    return encrypts || security->kerberos ? &security->transfer : NULL;
}

/* ---- the end of tokens ---- */

uint64_t ps_hadoop_security_watch_tokens(struct ps_hadoop_security *security, const struct ps_now *now)
{
    const struct ps_hadoop_token *token =
        ps_hadoop_credentials_first_to_end(security->credentials, PS_HADOOP_TOKEN_HDFS);
    if (token == NULL)
        return PS_NEVER;
    if (now->mono_ns < security->tokens_look_ns)
        return security->tokens_look_ns;
    security->tokens_look_ns = now->mono_ns + TOKENS_LOOK_NS;
    int64_t left_ms = token->expires_ms - now->wall_ms;
    if (left_ms <= 0)
        ps_log(PS_LOG_ERROR, security->settings.port->component,
               "the delegation token of %s for %s (HADOOP_TOKEN_FILE_LOCATION) has expired: fetch a new one, "
               "and reload",
               token->owner, token->service);
    else if (left_ms <= TOKENS_SOON_MS)
        ps_log(PS_LOG_WARN, security->settings.port->component,
               "the delegation token of %s for %s (HADOOP_TOKEN_FILE_LOCATION) ends in %s at the latest: "
               "fetch a new one, and reload",
               token->owner, token->service, ps_quantity_print_ns((uint64_t)left_ms * PS_NS_PER_MS).text);
    return security->tokens_look_ns;
}

/* ---- data encryption keys ---- */

bool ps_hadoop_security_wants_key(const struct ps_hadoop_security *security, uint64_t wall_ms)
{
    return security->encrypts && (security->key == NULL || security->key_unknown ||
                                  wall_ms + KEY_MARGIN_MS >= security->key->expires_ms);
}

static void forget_key(struct ps_hadoop_security *security)
{
    if (security->key != NULL)
        OPENSSL_cleanse(security->key, sizeof *security->key);
    free(security->key);
    security->key = NULL;
    security->key_unknown = false;
}

/* Names the key as SaslDataTransferClient.getUserNameFromEncryptionKey does. */
static bool name_key(struct key *key, const PsHadoop__DataEncryptionKey *given)
{
    char *nonce = in_base64(&given->nonce), *secret = in_base64(&given->encryption_key);
    bool good = nonce != NULL && secret != NULL && strlen(secret) < sizeof key->secret;
    if (good) {
        int length = snprintf(key->name, sizeof key->name, "%d %s %s", (int)given->key_id,
                              given->block_pool_id, nonce);
        good = length > 0 && (size_t)length < sizeof key->name;
        snprintf(key->secret, sizeof key->secret, "%s", secret);
    }
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
    free(nonce);
    return good;
}

void ps_hadoop_security_set_key(struct ps_hadoop_security *security, const PsHadoop__DataEncryptionKey *given)
{
    forget_key(security);
    if (given == NULL) {
        security->encrypts = false;
        return;
    }
    struct key *key = ps_must_alloc(1, sizeof *key, "HDFS");
    *key = (struct key){.expires_ms = given->expiry_date};
    if (given->encryption_algorithm != NULL)
        snprintf(key->cipher, sizeof key->cipher, "%s", given->encryption_algorithm);
    if (name_key(key, given))
        security->key = key;
    else
        free(key);
}

/* ---- opening ---- */

enum ps_status ps_hadoop_security_open(struct ps_hadoop_security **opened,
                                       const struct ps_hadoop_settings *settings, struct ps_err *err)
{
    struct ps_hadoop_security *security = ps_must_alloc(1, sizeof *security, "HDFS");
    *security = (struct ps_hadoop_security){
        .settings = *settings,
        .rpc = {.transport = ps_hadoop_rpc_sasl_transport,
                .method = ps_hadoop_rpc_sasl_method,
                .enter_server = enter_server,
                .leave_server = leave_server,
                .is_refused = is_refused,
                .argument = security},
        .transfer = {
            .transport = &ps_transfer_sasl_transport, .enter = enter, .leave = leave, .argument = security}};
    if (read_settings(security, err) != PS_OK) {
        ps_hadoop_credentials_free(security->credentials);
        free(security);
        return PS_FAIL;
    }
    *opened = security;
    return PS_OK;
}

void ps_hadoop_security_close(struct ps_hadoop_security *security)
{
    if (security == NULL)
        return;
    forget_key(security);
    ps_hadoop_credentials_free(security->credentials);
    free(security);
}

const struct ps_hadoop_credentials *ps_hadoop_security_credentials(const struct ps_hadoop_security *security)
{
    return security->credentials;
}
