/* What a source or a channel takes for itself, so that no other one of the agent can have it: addresses, files, directories. */
#pragma once

#include "core/base.h"

/* An address that a source listens on, as configured. */
struct ps_listens {
    const char *key;  /* of its port: "port" */
    const char *host; /* a name or an address; NULL: every address */
    unsigned port;    /* 0: any free port */
    bool datagrams;   /* UDP */
};

/* A file or a directory, as configured. Two sources of one type, or two channels, with the same key and path are a mistake. */
struct ps_claim {
    const char *key;  /* of the path, also if it is not set: "positionFile" */
    const char *path; /* absolute, or below the working directory */
    const char *
        part; /* what of a directory the source takes: two sources with different parts may share it; or NULL */
    const char *use;  /* what it does with it: "keeps its positions in"; static */
    const char *cure; /* what to change; static */
};
