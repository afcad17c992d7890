/* What commands/deadletter/read.c and marks.c share. Thread: main. */
#pragma once

#include "commands/deadletter/deadletter.h"

/* Header of a letter that was replayed with its headers: how often. */
#define PS_DEADLETTER_HEADER "penstock.replays"

/* Sets letter->replayed and letter->replays. */
void ps_deadletter_marks_look(const struct ps_deadletter_marks *marks, struct ps_deadletter *letter);

/* Returns the bytes, to be freed; NULL: it is no base64. */
char *ps_deadletter_base64(const char *text, size_t *length);
