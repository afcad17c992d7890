/* Who the client is without Kerberos: the name that servers believe. */
#pragma once

#include "core/base.h"

#define PS_HADOOP_USER_BYTES 256U

/* HADOOP_USER_NAME of the environment, else the name of the process's user, as in UserGroupInformation; without an entry in
 * the password file its number. Returns `user`. Thread: control, or a worker in `open`. */
const char *ps_hadoop_user(char user[PS_HADOOP_USER_BYTES]);
