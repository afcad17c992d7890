/* Addresses, files and directories that a source or a channel claims. No other one of the agent may use them. */
#pragma once

#include "core/base.h"

/* An address on which a source listens, as configured. */
struct ps_listens {
    const char *key;  /* name of the port's key: "port" */
    const char *host; /* a name or an address; NULL: every address */
    unsigned port;    /* 0: any free port */
    bool datagrams;   /* UDP */
};

/* A file or a directory, as configured. Two sources of one type, or two channels, must not have the same key and
 * path. */
struct ps_claim {
    const char *key;  /* name of the path's key, even when it is not set: "positionFile" */
    const char *path; /* absolute, or below the working directory */
    /* the part of a directory that the source takes: sources that take different parts may share it; or NULL */
    const char *part;
    const char *use;  /* the purpose: "keeps its positions in"; static */
    const char *cure; /* the change that resolves a clash; static */
};
