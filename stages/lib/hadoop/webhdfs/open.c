/* Derives the servers, users and certificates of WebHDFS from the settings of a sink, core-site.xml, hdfs-site.xml and
 * ssl-client.xml.
 *
 * Sources: org.apache.hadoop.hdfs.DFSUtilClient.getHaNnWebHdfsAddresses, WebHdfsFileSystem.initialize,
 * org.apache.hadoop.security.ssl.FileBasedKeyStoresFactory. */
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/user.h"
#include "stages/lib/hadoop/rpc/name_service.h"
#include "stages/lib/keystore/keystore.h"
#include "stages/lib/hadoop/webhdfs/webhdfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_BYTES 512U
#define SERVER_BYTES (PS_HOST_NAME_BYTES + 32U)

struct opening {
    const struct ps_hadoop_configuration *configuration;
    struct ps_webhdfs_settings settings;
    bool tls;
    char servers[PS_WEBHDFS_SERVERS_MAX][SERVER_BYTES];
    char user[PS_HADOOP_USER_BYTES];
    char *ca_text, *cert_text, *key_text;
    struct ps_hadoop_credentials *credentials; /* NULL: none */
};

/* ---- servers ---- */

/* Adds a server. `rpc`: host:port of the namenode's RPC; NULL: not known. */
static enum ps_status add_server(struct opening *opening, const char *address, const char *rpc,
                                 struct ps_err *err)
{
    struct ps_webhdfs_settings *settings = &opening->settings;
    char host[PS_HOST_NAME_BYTES], rpc_host[PS_HOST_NAME_BYTES];
    unsigned port, ignored, usual = opening->tls ? PS_SWEBHDFS_PORT : PS_WEBHDFS_PORT;
    if (settings->server_count == PS_WEBHDFS_SERVERS_MAX)
        return ps_err_set(err, "more than %u namenodes", PS_WEBHDFS_SERVERS_MAX);
    if (!ps_name_service_split(address, usual, host, &port))
        return ps_err_set(err, "'%s' is not host:port", address);
    /* The configured address is often the wildcard on which the namenode listens; the host of its RPC is used then. */
    bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (any && rpc != NULL && ps_name_service_split(rpc, 1, rpc_host, &ignored))
        memcpy(host, rpc_host, sizeof host);
    char *server = opening->servers[settings->server_count];
    bool six = strchr(host, ':') != NULL;
    snprintf(server, SERVER_BYTES, "%s://%s%s%s:%u", opening->tls ? "https" : "http", six ? "[" : "", host,
             six ? "]" : "", port);
    settings->servers[settings->server_count++] = server;
    return PS_OK;
}

/* Adds the server of a namenode. `suffix`: ".NAMESERVICE.NAMENODE". Without an address of its web server, uses the host of its RPC. */
static enum ps_status add_namenode(struct opening *opening, const char *suffix, struct ps_err *err)
{
    char key[3 * KEY_BYTES], rpc_key[3 * KEY_BYTES];
    snprintf(key, sizeof key, "dfs.namenode.%s-address%s", opening->tls ? "https" : "http", suffix);
    snprintf(rpc_key, sizeof rpc_key, "dfs.namenode.rpc-address%s", suffix);
    const char *address = ps_hadoop_configuration_text(opening->configuration, key);
    const char *rpc = ps_hadoop_configuration_text(opening->configuration, rpc_key);
    char host[PS_HOST_NAME_BYTES];
    unsigned ignored;
    if (address == NULL && (rpc == NULL || !ps_name_service_split(rpc, 1, host, &ignored)))
        return ps_err_set(err, "hdfs-site.xml has neither %s nor a usable %s", key, rpc_key);
    if (add_server(opening, address != NULL ? address : host, rpc, err) == PS_OK)
        return PS_OK;
    return ps_err_append(
        err, "%s: %s", ps_hadoop_configuration_place(opening->configuration, address != NULL ? key : rpc_key),
        address != NULL ? key : rpc_key);
}

static enum ps_status add_name_service(struct opening *opening, const char *name, const char *namenodes,
                                       struct ps_err *err)
{
    char *list = strdup(namenodes), *rest = list, suffix[2 * KEY_BYTES];
    enum ps_status status = list != NULL ? PS_OK : ps_err_set(err, "no memory");
    for (char *one; status == PS_OK && (one = strtok_r(rest, ", \t\r\n", &rest)) != NULL;) {
        snprintf(suffix, sizeof suffix, ".%s.%s", name, one);
        status = add_namenode(opening, suffix, err);
    }
    free(list);
    if (status == PS_OK && opening->settings.server_count == 0)
        return ps_err_set(err, "dfs.ha.namenodes.%s names no namenode", name);
    return status;
}

static enum ps_status find_servers(struct opening *opening, const char *url, struct ps_err *err)
{
    const char *start = strstr(url, "://");
    char authority[PS_HOST_NAME_BYTES + 8], key[KEY_BYTES];
    size_t length = start != NULL ? strcspn(start + 3, "/") : 0;
    const char *user_end = length > 0 ? memchr(start + 3, '@', length) : NULL; /* Hadoop ignores the user */
    const char *host = user_end != NULL ? user_end + 1 : start != NULL ? start + 3 : "";
    length -= user_end != NULL ? (size_t)(user_end + 1 - (start + 3)) : 0;
    if (length == 0 || length >= sizeof authority)
        return ps_err_set(err, "%s: a host or a name service is missing after ://", url);
    memcpy(authority, host, length);
    authority[length] = '\0';
    snprintf(key, sizeof key, "dfs.ha.namenodes.%s", authority);
    const char *namenodes = ps_hadoop_configuration_text(opening->configuration, key);
    enum ps_status status = namenodes != NULL ? add_name_service(opening, authority, namenodes, err)
                                              : add_server(opening, authority, NULL, err);
    return status == PS_OK ? PS_OK : ps_err_append(err, "%s", url);
}

/* ---- certificates ---- */

static const char *text_of(const struct opening *opening, const char *key)
{
    return ps_hadoop_configuration_text(opening->configuration, key);
}

static enum ps_status read_trust_store(struct opening *opening, struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    const struct ps_keystore_request request = {
        .path = text_of(opening, "ssl.client.truststore.location"),
        .type = text_of(opening, "ssl.client.truststore.type"),
        .password = text_of(opening, "ssl.client.truststore.password"),
        .path_key = "ssl.client.truststore.location",
        .password_key = "ssl.client.truststore.password",
        .trust_only = true,
    };
    if (request.path == NULL)
        return PS_OK; /* the system's authorities, by libcurl */
    if (ps_keystore_open(&store, &request, err) != PS_OK)
        return PS_FAIL;
    opening->ca_text = ps_keystore_certificates_pem(store->trusted);
    ps_keystore_close(store);
    return opening->ca_text != NULL
               ? PS_OK
               : ps_err_set(err, "%s: %s has no certificates", request.path_key, request.path);
}

/* Reads the client certificate for servers that require one (dfs.client.https.need-auth). */
static enum ps_status read_key_store(struct opening *opening, struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    const struct ps_keystore_request request = {
        .path = text_of(opening, "ssl.client.keystore.location"),
        .type = text_of(opening, "ssl.client.keystore.type"),
        .password = text_of(opening, "ssl.client.keystore.password"),
        .key_password = text_of(opening, "ssl.client.keystore.keypassword"),
        .path_key = "ssl.client.keystore.location",
        .password_key = "ssl.client.keystore.password",
        .key_password_key = "ssl.client.keystore.keypassword",
    };
    if (request.path == NULL)
        return PS_OK;
    if (ps_keystore_open(&store, &request, err) != PS_OK)
        return PS_FAIL;
    if (store->key_count > 0) {
        opening->key_text = ps_keystore_key_pem(&store->keys[0]);
        opening->cert_text = ps_keystore_certificates_pem(store->keys[0].chain);
    }
    ps_keystore_close(store);
    return PS_OK;
}

/* ---- opening ---- */

/* Returns the token for the address, in the order of kinds; else the only token of a kind; NULL if there is none. The
 * namenode also accepts tokens of hdfs:// (JspHelper.getTokenUGI). */
static const struct ps_hadoop_token *choose_token(const struct ps_hadoop_credentials *credentials,
                                                  const char *url)
{
    static const char *const kinds[] = {PS_HADOOP_TOKEN_SWEBHDFS, PS_HADOOP_TOKEN_WEBHDFS,
                                        PS_HADOOP_TOKEN_HDFS};
    char service[PS_HOST_NAME_BYTES + 32];
    const char *authority = strstr(url, "://") + 3;
    const struct ps_hadoop_token *token = NULL;
    int length = (int)strcspn(authority, "/");
    for (size_t i = 0; i < PS_COUNT_OF(kinds) && token == NULL; i++) {
        snprintf(service, sizeof service, "%.*s", length, authority);
        token = ps_hadoop_credentials_find(credentials, kinds[i], service);
        snprintf(service, sizeof service, "ha-hdfs:%.*s", length, authority);
        if (token == NULL)
            token = ps_hadoop_credentials_find(credentials, kinds[i], service);
    }
    for (size_t i = 0; i < PS_COUNT_OF(kinds) && token == NULL; i++)
        token = ps_hadoop_credentials_find(credentials, kinds[i], NULL);
    return token;
}

static enum ps_status read_token(struct opening *opening, const struct ps_hadoop_settings *settings,
                                 struct ps_err *err)
{
    const char *path = ps_hadoop_credentials_path();
    if (path == NULL || settings->kerberos_principal != NULL)
        return PS_OK;
    if (ps_hadoop_credentials_load(&opening->credentials, path, err) != PS_OK)
        return PS_FAIL;
    const struct ps_hadoop_token *token = choose_token(opening->credentials, settings->url);
    opening->settings.delegation = token != NULL ? token->url : NULL;
    return PS_OK;
}

static bool asks_for_kerberos(const struct opening *opening, const struct ps_hadoop_settings *settings)
{
    const char *method = text_of(opening, "hadoop.security.authentication");
    return settings->kerberos_principal != NULL || (method != NULL && strcasecmp(method, "kerberos") == 0);
}

enum ps_status ps_webhdfs_open(const struct ps_hadoop_settings *settings, struct ps_filesystem **filesystem,
                               struct ps_err *err)
{
    struct opening opening = {.configuration = settings->configuration,
                              .tls = strncasecmp(settings->url, "swebhdfs:", 9) == 0};
    bool kerberos = asks_for_kerberos(&opening, settings);
    enum ps_status status = find_servers(&opening, settings->url, err);
    if (status == PS_OK && opening.tls)
        status = read_trust_store(&opening, err);
    if (status == PS_OK && opening.tls)
        status = read_key_store(&opening, err);
    if (status == PS_OK && kerberos)
        status = read_token(&opening, settings, err);
    kerberos = kerberos && opening.settings.delegation == NULL;
    struct ps_webhdfs_settings *made = &opening.settings;
    made->user = kerberos || made->delegation != NULL ? NULL : ps_hadoop_user(opening.user);
    made->proxy_user = settings->proxy_user;
    made->kerberos = kerberos;
    made->kerberos_principal = settings->kerberos_principal;
    made->keytab = settings->keytab;
    made->ca_text = opening.ca_text;
    made->cert_text = opening.cert_text;
    made->key_text = opening.key_text;
    made->call_timeout_ns = settings->call_timeout_ns;
    made->replication = (unsigned)ps_hadoop_configuration_number(opening.configuration, "dfs.replication", 0);
    made->block_size_bytes = ps_hadoop_configuration_bytes(opening.configuration, "dfs.blocksize", 0);
    made->epoll_fd = settings->port->epoll_fd;
    made->wake_fd = settings->port->wake_fd;
    if (status == PS_OK)
        status = ps_webhdfs_create(made, filesystem, err);
    ps_hadoop_credentials_free(opening.credentials);
    ps_keystore_wipe(opening.ca_text);
    ps_keystore_wipe(opening.cert_text);
    ps_keystore_wipe(opening.key_text);
    return status;
}
