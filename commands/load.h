/* Shared by the files of `penstock load`. Thread: main. */
#pragma once

#include <stdio.h>

/* Prints the help text. */
void load_usage(FILE *to);
