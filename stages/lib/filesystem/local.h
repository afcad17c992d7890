/* The local disk as a file system of the sinks hdfs and hive: file:// and plain paths (Hadoop's
 * RawLocalFileSystem; no .crc files are written beside the files, which Hadoop's LocalFileSystem does).
 *
 * Calls of the kernel are made at once, on the worker, as the sink file_roll makes them: a slow disk delays
 * the worker. Their outcomes come from ps_filesystem_turn, as the interface demands. A flush with
 * PS_FILE_HSYNC is an fsync of the file, and the first one also of its directory. After an error, and when a
 * stream is abandoned, the file is cut back to the acknowledged bytes, so that bytes written again elsewhere
 * are not in it a second time. New files and directories get Java's modes: 0666 and 0777, less the umask.
 *
 * Thread: the worker. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"

/* Returns NULL when there is no memory. Owns: the caller closes it with ps_filesystem_close. */
struct ps_filesystem *ps_filesystem_local_open(void);
