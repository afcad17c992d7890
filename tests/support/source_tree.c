#include "tests/support/source_tree.h"

#include <stdio.h>
#include <stdlib.h>

const char *ps_test_source_path(const char *name)
{
    static char paths[4][4096];
    static unsigned turn;
    const char *source = getenv("PENSTOCK_SOURCE");
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", source != NULL ? source : ".", name);
    return path;
}
