/* Files and folders of the class path that cannot be opened or read. Such a file may not exist, or may be
 * unreadable now; it certainly has no classes only if it does not exist. Thread: any. */
#pragma once

#include "core/base.h"

/* Returns whether the error of a call says that there is no such file. Every other error says that it could not be looked at now. */
bool ps_unread_is_absent(int error);

/* Returns what to do about the error; NULL: nothing is known. */
const char *ps_unread_cure(int error);
