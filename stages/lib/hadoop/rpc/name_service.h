/* Finds the namenodes of a file system, from the authority of its URL and the configuration's name services (HA).
 * Source: org.apache.hadoop.hdfs.DFSUtilClient, HAUtilClient. Thread: any. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/rpc/rpc.h"

#define PS_NAMENODE_PORT 8020U
#define PS_NAMENODES_MAX 16U

struct ps_name_service {
    bool high_availability;
    unsigned count;
    struct ps_hadoop_rpc_server servers[PS_NAMENODES_MAX]; /* `host` points into `hosts` */
    char hosts[PS_NAMENODES_MAX][PS_HOST_NAME_BYTES];
};

/* Finds the servers. `authority`: "host:port", "host" (8020), "[::1]:8020", or a name of dfs.nameservices. Returns
 * PS_FAIL if it is none of these, or the addresses of its name service are missing or wrong; `err` has the key and its
 * place. */
enum ps_status ps_name_service_find(const struct ps_hadoop_configuration *configuration,
                                    const char *authority, struct ps_name_service *service,
                                    struct ps_err *err);
/* Splits "host:port"; without a port uses port_default. Returns false if the text is invalid. */
bool ps_name_service_split(const char *address, unsigned port_default, char host[PS_HOST_NAME_BYTES],
                           unsigned *port);
