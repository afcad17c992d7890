/* Delegation tokens of a file (org.apache.hadoop.security.Credentials, as `hdfs fetchdt` and YARN write it): who has them is taken for
 * their owner, without Kerberos, until they expire.
 *
 *   "HDTS", version 0   Writable: tokens, then secret keys
 *           version 1   protocol buffers: the message Credentials of credentials.proto, with its length before it
 *
 * Thread: any. What is made is const. */
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
    const char *name, *secret; /* identifier and password in base64: what DIGEST-MD5 takes */
    const char *url;           /* all of it as Token.encodeToUrlString has it: what WebHDFS takes */
    /* What the identifier says (AbstractDelegationTokenIdentifier): "" and 0 if it cannot be read. */
    const char *owner;
    int64_t expires_ms; /* since 1970: nobody can renew it for longer */
};

/* HADOOP_TOKEN_FILE_LOCATION of the environment; NULL: it is not set. */
const char *ps_hadoop_credentials_path(void);

/* Reads a file. `err` names it. Owns: the caller frees it. Blocks (a file). */
enum ps_status ps_hadoop_credentials_load(struct ps_hadoop_credentials **credentials, const char *path,
                                          struct ps_err *err);
enum ps_status ps_hadoop_credentials_parse(struct ps_hadoop_credentials **credentials, const uint8_t *bytes,
                                           size_t length, struct ps_err *err);
/* NULL is allowed. The secrets are overwritten. */
void ps_hadoop_credentials_free(struct ps_hadoop_credentials *credentials);

size_t ps_hadoop_credentials_count(const struct ps_hadoop_credentials *credentials);
const struct ps_hadoop_token *ps_hadoop_credentials_at(const struct ps_hadoop_credentials *credentials,
                                                       size_t number);
/* The token of the kind that ends first, of those whose end is known; NULL: there is none. */
const struct ps_hadoop_token *
ps_hadoop_credentials_first_to_end(const struct ps_hadoop_credentials *credentials, const char *kind);
/* The first token of the kind for the service, in any case; NULL for `service`: the only one of the kind. NULL: there is none, or
 * there are several. NULL is allowed for credentials. */
const struct ps_hadoop_token *ps_hadoop_credentials_find(const struct ps_hadoop_credentials *credentials,
                                                         const char *kind, const char *service);
