/* Looks at the bytes of a shared object before dlopen maps them: dlopen believes what the headers say, and a file that
 * was copied in part ends the process with SIGBUS. */
#pragma once

#include "core/status.h"

/* Returns PS_FAIL when the bytes are not a shared object of this machine, or end before the last section or segment
 * that its headers name. The error is a sentence without subject ("is not ..."); `*cure` is advice. Thread: any. */
enum ps_status ps_elf_check(const unsigned char *bytes, size_t length, const char **cure, struct ps_err *err);
