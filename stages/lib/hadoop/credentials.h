/* Delegation tokens of a file (org.apache.hadoop.security.Credentials, as written by `hdfs fetchdt` and YARN). A
 * client with a token authenticates as the token's owner, without Kerberos, until the token expires.
 *
 *   "HDTS", version 0   Writable: tokens, then secret keys
 *           version 1   protocol buffers: the message Credentials of credentials.proto, after its length
 *
 * Thread: any. Loaded credentials are constant. */
#pragma once

#include "core/status.h"

#define PS_HADOOP_CREDENTIALS_BYTES_MAX (1U << 20)
#define PS_HADOOP_TOKENS_MAX 1000U
#define PS_HADOOP_TOKEN_HDFS "HDFS_DELEGATION_TOKEN"
#define PS_HADOOP_TOKEN_WEBHDFS "WEBHDFS delegation"
#define PS_HADOOP_TOKEN_SWEBHDFS "SWEBHDFS delegation"

struct ps_hadoop_credentials;

struct ps_hadoop_token {
    const char *kind;          /* PS_HADOOP_TOKEN_HDFS, .. */
    const char *service;       /* "10.0.0.1:8020", "ha-hdfs:nameservice" */
    const char *name, *secret; /* identifier and password in base64, for DIGEST-MD5 */
    const char *url;           /* the whole token in the form of Token.encodeToUrlString, for WebHDFS */
    /* From the identifier (AbstractDelegationTokenIdentifier); "" and 0 if it cannot be read. */
    const char *owner;
    int64_t expires_ms; /* since 1970: the latest time to which the token can be renewed */
};

/* Returns HADOOP_TOKEN_FILE_LOCATION of the environment; NULL if it is not set. */
const char *ps_hadoop_credentials_path(void);

/* Reads a file; `err` names it. The caller frees the credentials. Waits for the file. */
enum ps_status ps_hadoop_credentials_load(struct ps_hadoop_credentials **credentials, const char *path,
                                          struct ps_err *err);
enum ps_status ps_hadoop_credentials_parse(struct ps_hadoop_credentials **credentials, const uint8_t *bytes,
                                           size_t length, struct ps_err *err);
/* Overwrites the secrets. NULL is allowed. */
void ps_hadoop_credentials_free(struct ps_hadoop_credentials *credentials);

size_t ps_hadoop_credentials_count(const struct ps_hadoop_credentials *credentials);
const struct ps_hadoop_token *ps_hadoop_credentials_at(const struct ps_hadoop_credentials *credentials,
                                                       size_t number);
/* Returns the token that expires first among the tokens of this kind whose time of expiry is known; NULL if there
 * is none. */
const struct ps_hadoop_token *
ps_hadoop_credentials_first_to_end(const struct ps_hadoop_credentials *credentials, const char *kind);
/* Returns the first token of this kind for the service (case does not matter), or NULL. `service` NULL: returns the
 * only token of this kind; NULL if there are none or several. `credentials` may be NULL. */
const struct ps_hadoop_token *ps_hadoop_credentials_find(const struct ps_hadoop_credentials *credentials,
                                                         const char *kind, const char *service);
