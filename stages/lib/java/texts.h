/* Texts for a Java process, each after its length, as java.io.DataInputStream reads them. Thread: any. */
#pragma once

#include "core/base.h"

#include <stdio.h>

void ps_java_put_count(FILE *out, size_t count);
void ps_java_put_text(FILE *out, const char *text);
