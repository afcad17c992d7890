/* Shared by commands/deadletter/read.c and marks.c. Thread: main. */
#pragma once

#include "commands/deadletter/deadletter.h"

/* Header with the number of replays, set on a letter that is replayed with its headers. */
#define PS_DEADLETTER_HEADER "penstock.replays"

/* Sets letter->replayed and letter->replays. */
void ps_deadletter_marks_look(const struct ps_deadletter_marks *marks, struct ps_deadletter *letter);

/* Decodes base64. Returns the bytes, which the caller frees; NULL if the text is not base64. */
char *ps_deadletter_base64(const char *text, size_t *length);
