/* The user name of a client without Kerberos, which servers trust. */
#pragma once

#include "core/base.h"

#define PS_HADOOP_USER_BYTES 256U

/* Returns `user`: HADOOP_USER_NAME of the environment, else the name of the process's user, as in UserGroupInformation;
 * the user's number if the password file has no entry for the user. Thread: control, or a worker in `open`. */
const char *ps_hadoop_user(char user[PS_HADOOP_USER_BYTES]);
