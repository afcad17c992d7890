/* Hadoop's configuration: core-site.xml, hdfs-site.xml and ssl-client.xml, read as org.apache.hadoop.conf.Configuration does. Without files
 * every key has Hadoop's default.
 *
 *   <configuration>
 *     <property><name>dfs.replication</name><value>2</value><final>true</final></property>
 *     <property name="dfs.blocksize" value="128m"/>
 *     <include xmlns="http://www.w3.org/2001/XInclude" href="more.xml"><fallback/></include>
 *   </configuration>
 *
 * A later value replaces an earlier one, unless the earlier one is final. ${key} in a value is replaced by that
 * key's value; ${env.NAME}, ${env.NAME-default} and ${env.NAME:-default} by values of the environment.
 * ${user.name}, ${user.home} and ${java.io.tmpdir} are known as well; an unknown variable stays as it is written.
 * Renamed keys are known by both names (fs.default.name, dfs.block.size).
 *
 * Read by `check` and `build`, constant afterwards. Thread of the functions that read values: any. */
#pragma once

#include "core/status.h"

struct ps_hadoop_configuration;

#define PS_HADOOP_DIRECTORY_BYTES 4096U

/* Finds the directory of the files as Hadoop's own scripts do: `configured` (a key of the component; NULL: none), else
 * HADOOP_CONF_DIR, else etc/hadoop of HADOOP_HOME, else /etc/hadoop/conf if it has a core-site.xml. Returns
 * `directory`, or NULL if there is none. Thread: control. */
const char *ps_hadoop_configuration_find(const char *configured, char directory[PS_HADOOP_DIRECTORY_BYTES]);

/* Calls `add` with the path of each file of `names` that exists in the directory. `names` ends with NULL. Thread:
 * control. */
void ps_hadoop_configuration_files(const char *configured, const char *const *names,
                                   void (*add)(void *argument, const char *path), void *argument);

/* Reads core-site.xml, hdfs-site.xml and ssl-client.xml of a directory, if they exist. Returns PS_FAIL with file, line and reason if the
 * directory or a file cannot be read, a file is not XML, or a key that this program reads has a value of the wrong kind. The caller frees
 * the configuration. Waits for files. Thread: control. */
enum ps_status ps_hadoop_configuration_load(struct ps_hadoop_configuration **configuration,
                                            const char *directory, struct ps_err *err);
/* As ps_hadoop_configuration_load, for the files of `names` ("ssl-client.xml"). `names` ends with NULL. */
enum ps_status ps_hadoop_configuration_load_files(struct ps_hadoop_configuration **configuration,
                                                  const char *directory, const char *const *names,
                                                  struct ps_err *err);
/* Parses text as if it were a file with this name, for tests and fuzzing. */
enum ps_status ps_hadoop_configuration_parse(struct ps_hadoop_configuration **configuration, const char *name,
                                             const char *xml, size_t length, struct ps_err *err);
/* NULL is allowed. */
void ps_hadoop_configuration_free(struct ps_hadoop_configuration *configuration);

/* In the functions below a NULL configuration means that every key has its default. Texts live as long as the configuration. */

/* Returns the value, trimmed, with variables replaced; NULL if it is not set or empty. */
const char *ps_hadoop_configuration_text(const struct ps_hadoop_configuration *configuration,
                                         const char *key);
/* This and the next functions return `missing` if the key is not set, or has a value of the wrong kind, which `load`
 * excludes for the keys that this program reads. */
bool ps_hadoop_configuration_boolean(const struct ps_hadoop_configuration *configuration, const char *key,
                                     bool missing);
/* Reads a number, decimal or 0x... */
uint64_t ps_hadoop_configuration_number(const struct ps_hadoop_configuration *configuration, const char *key,
                                        uint64_t missing);
/* Reads a number of bytes, with k, m, g, t, p or e, which are powers of 1,024 (Configuration.getLongBytes). */
uint64_t ps_hadoop_configuration_bytes(const struct ps_hadoop_configuration *configuration, const char *key,
                                       uint64_t missing);
/* Reads a time with the unit ns, us, ms, s, m, h or d; a number without a unit is in milliseconds
 * (Configuration.getTimeDuration). Returns milliseconds. */
uint64_t ps_hadoop_configuration_ms(const struct ps_hadoop_configuration *configuration, const char *key,
                                    uint64_t missing);
/* Like ps_hadoop_configuration_ms, but a number without a unit is in seconds (Configuration.getTimeDuration with SECONDS). */
uint64_t ps_hadoop_configuration_seconds_ms(const struct ps_hadoop_configuration *configuration,
                                            const char *key, uint64_t missing);
/* Returns fs.permissions.umask-mode: octal ("022"), or the permissions that are left ("u=rwx,g=rx,o="), as in UmaskParser;
 * 022 if it is not set. */
unsigned ps_hadoop_configuration_umask(const struct ps_hadoop_configuration *configuration);
/* Returns "file:line" of the value, for messages; NULL if it is not set. */
const char *ps_hadoop_configuration_place(const struct ps_hadoop_configuration *configuration,
                                          const char *key);
