/* SASL at the beginning of a connection to a datanode, as a transport below the operation
 * (org.apache.hadoop.hdfs.protocol.datatransfer.sasl.SaslDataTransferClient):
 *
 *   client   0xdeadbeef, an empty TransferSasl (each preceded by its length, a varint)
 *   server   DIGEST-MD5's challenge
 *   client   the response; its cipher suites, if the level may be privacy
 *   server   its proof; the chosen suite, with two keys, wrapped
 *
 * Afterwards the bytes of both directions are sent unprotected (authentication), as messages of SASL, each
 * with its length in four bytes (integrity, privacy), or encrypted by AES in counter mode, which is many
 * times as fast as the ciphers of DIGEST-MD5.
 *
 * The client authenticates by the block access token, or by a data encryption key of the namenode
 * (dfs.encrypt.data.transfer). Not supported: the handshake secret that namenodes with
 * dfs.namenode.send.qop.enabled put into block tokens; SM4.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/transport.h"

/* Settings of one connection. With `name` NULL there is no exchange and no protection. */
struct ps_transfer_sasl {
    const char *name, *secret; /* base64 */
    unsigned protection;       /* PS_SASL_PREFER */
    const char *cipher;        /* cipher of DIGEST-MD5: NULL, "3des", "rc4" */
    bool aes;                  /* dfs.encrypt.data.transfer.cipher.suites: AES/CTR/NoPadding */
    /* true: if the datanode closes the connection without an answer, the error says that it may require SASL. */
    bool wonders;
    /* Set when the datanode does not know the data encryption key, for example because it expired. NULL: no such key is used. */
    bool *key_unknown;
};

extern const struct ps_transport ps_transfer_sasl_transport;
