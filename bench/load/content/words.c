/* The list of words and the text made from it. */
#include "bench/load/content/words.h"

#include <string.h>

#include "bench/load/content/distribution.h"

static const char *const list[PS_WORDS_COUNT] = {
    "access",  "account", "action",  "active", "address", "agent",   "alarm",   "alert",   "alias",
    "allow",   "amount",  "answer",  "api",    "apply",   "archive", "array",   "asset",   "async",
    "attempt", "audit",   "auth",    "await",  "backup",  "balance", "batch",   "begin",   "binary",
    "bind",    "block",   "body",    "boot",   "bound",   "branch",  "bridge",  "broker",  "bucket",
    "budget",  "buffer",  "build",   "bulk",   "bundle",  "burst",   "bypass",  "bytes",   "cache",
    "call",    "cancel",  "cap",     "chain",  "change",  "channel", "charge",  "check",   "chunk",
    "class",   "clean",   "clear",   "client", "clock",   "clone",   "close",   "cluster", "code",
    "column",  "commit",  "common",  "config", "confirm", "connect", "console", "context", "control",
    "cookie",  "copy",    "core",    "count",  "crash",   "create",  "cron",    "cursor",  "custom",
    "cycle",   "daemon",  "data",    "date",   "debug",   "decode",  "default", "delay",   "delete",
    "deliver", "demand",  "deny",    "deploy", "depth",   "detail",  "detect",  "device",  "digest",
    "direct",  "disk",    "display", "domain", "done",    "down",    "drain",   "drop",    "dump",
    "edge",    "effect",  "empty",   "enable", "encode",  "end",     "engine",  "enter",   "entry",
    "epoch",   "error",   "event",   "exact",  "exceed",  "exit",    "expire",  "export",  "extend",
    "extra",   "fail",    "fault",   "fetch",  "field",   "file",    "filter",  "final",   "find",
    "finish",  "first",   "flag",    "flow",   "flush",   "folder",  "forced",  "format",  "forward",
    "found",   "frame",   "free",    "full",   "gap",     "gate",    "get",     "global",  "grant",
    "group",   "grow",    "guard",   "handle", "hash",    "head",    "health",  "heap",    "held",
    "hit",     "hold",    "home",    "host",   "hour",    "house",   "idle",    "ignore",  "image",
    "import",  "in",      "index",   "info",   "init",    "inner",   "input",   "insert",  "inside",
    "install", "invalid", "issue",   "item",   "job",     "join",    "journal", "jump",    "keep",
    "kernel",  "key",     "kill",    "label",  "lag",     "large",   "last",    "latency", "launch",
    "layer",   "leader",  "learn",   "lease",  "leave",   "length",  "level",   "library", "license",
    "limit",   "line",    "link",    "list",   "listen",  "live",    "load",    "local",   "lock",
    "log",     "login",   "long",    "lookup", "loop",    "lost",    "low",     "main",    "make",
    "manager", "map",     "mark",    "master", "match",   "max",     "media",   "member",  "memory",
    "merge",   "message", "method",  "metric", "minute",  "miss",    "mode",    "model",   "module",
    "monitor", "mount",   "move",    "name",   "native",  "need",    "network", "new",     "next",
    "node",    "normal",  "notice",  "number"};

void ps_words_make(struct ps_words *words)
{
    uint64_t random = 1;
    size_t at = 0;
    for (unsigned i = 0; i < PS_WORDS_COUNT; i++) {
        size_t length = strlen(list[i]);
        PS_ASSERT(length >= PS_WORD_BYTES_MIN && length <= PS_WORD_BYTES_MAX);
        memset(words->entries[i], ' ', sizeof words->entries[i]);
        memcpy(words->entries[i], list[i], length);
        words->lengths[i] = (uint8_t)(length + 1);
    }
    while (at < sizeof words->text) {
        random = ps_mix_next(random);
        unsigned word = (unsigned)(random >> 32) % PS_WORDS_COUNT;
        size_t length = words->lengths[word], left = sizeof words->text - at;
        memcpy(words->text + at, words->entries[word], length < left ? length : left);
        at += length;
    }
}
