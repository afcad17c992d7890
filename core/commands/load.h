/* Inside `penstock load`. Thread: the main one. */
#pragma once

#include <stdio.h>

/* What --help says. */
void load_usage(FILE *to);
