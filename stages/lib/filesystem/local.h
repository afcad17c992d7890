/* The local disk as a file system of the sinks hdfs and hive: file:// and plain paths (Hadoop's RawLocalFileSystem; no .crc
 * files are written beside the files, which Hadoop's LocalFileSystem does).
 *
 * Calls of the kernel are made at once, on the worker, as the sink file_roll makes them: a disk that is behind holds the
 * worker up. Their outcomes come from ps_filesystem_turn, as the interface demands. A flush with PS_FILE_HSYNC is an fsync of the file, and the first one also of its
 * directory.
 * After an error, and when a stream is abandoned, the file is cut back to what was acknowledged, so that what is written
 * again elsewhere is not there twice. New files and directories get Java's modes: 0666 and 0777, less the umask.
 *
 * Thread: the worker. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"

/* NULL: no memory. Owns: ps_filesystem_close. */
struct ps_filesystem *ps_filesystem_local_open(void);
