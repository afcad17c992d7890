/* The formats, as templates. With a size, padding replaces the free text and optional fields may be left out:
 * the first variant of `sized` that fits is taken. */
#include "bench/load/content/content.h"

#define PRIORITY "{choice:134=50,133=20,132=12,131=8,165=10}"
/* Tags have one length, and so have process ids: prefixes of one width are rendered in one piece. */
#define TAG "{choice:shop=40,cart=25,auth=15,cron=12,sshd=8}"
#define PID "{int:10000..32767}"
#define LEVEL "{choice:INFO=80,DEBUG=10,WARN=7,ERROR=3}"
#define SERVICE "{choice:cart=30,search=30,login=20,billing=12,mail=8}"
#define METHOD "{choice:GET=80,POST=14,PUT=4,DELETE=2}"
#define STATUS "{choice:200=88,304=5,404=4,500=2,503=1}"
#define DATA "[request@32473 id=\"{hex:12}\" client=\"{ip}\"]"
#define WORDS "{words:4..12}"

const struct ps_content_format ps_content_formats[] = {
    {"rfc3164",
     "BSD syslog: <134>Nov 20 09:00:00 host-000042 shop[18127]: STAMP text",
     "<" PRIORITY ">{time:rfc3164} {host} " TAG "[" PID "]: {stamp} " WORDS,
     {"<" PRIORITY ">{time:rfc3164} {host} " TAG "[" PID "]: {stamp}{pad}",
      "<13>{time:rfc3164} h t: {stamp}{pad}"}},
    {"rfc5424",
     "syslog with structured data: <134>1 2026-11-20T09:00:00.123Z host-000042 shop 18127 ID47 [...] STAMP "
     "text",
     "<" PRIORITY ">1 {time:rfc3339} {host} " TAG " " PID " ID{int:10..99} " DATA " {stamp} " WORDS,
     {"<" PRIORITY ">1 {time:rfc3339} {host} " TAG " " PID " ID{int:10..99} " DATA " {stamp}{pad}",
      "<13>1 {time:rfc3339} h t - - [a@1 b=\"c\"] {stamp}{pad}",
      "<13>1 {time:rfc3339} h t - - - {stamp}{pad}"}},
    {"combined",
     "Apache and nginx access log: 10.1.2.3 - - [20/Nov/2026:09:00:00 +0000] \"GET /item/17 HTTP/1.1\" 200 "
     "5120 \"-\" \"STAMP text\"",
     "{ip} - {choice:-=85,alice=8,bob=7} [{time:clf}] \"" METHOD
     " /item/{int:zipf:1..100000,s=1.1} HTTP/1.1\" " STATUS
     " {int:normal:mean=5000,sd=1500,min=120,max=65535} \"-\" \"{stamp} Mozilla/5.0 " WORDS "\"",
     {"{ip} - {choice:-=85,alice=8,bob=7} [{time:clf}] \"" METHOD
      " /item/{int:zipf:1..100000,s=1.1} HTTP/1.1\" " STATUS
      " {int:normal:mean=5000,sd=1500,min=120,max=65535} \"-\" \"{stamp} Mozilla/5.0{pad}\"",
      "{ip:10.0.0.0/29} - - [{time:clf}] \"GET / HTTP/1.1\" 200 0 \"-\" \"{stamp}{pad}\""}},
    {"json",
     "one JSON object: time, level, host, service, seq, latency_ms, trace, message (STAMP text)",
     "{\"time\":\"{time:rfc3339}\",\"level\":\"" LEVEL "\",\"host\":\"{host}\",\"service\":\"" SERVICE
     "\",\"seq\":{seq},\"latency_ms\":{float:normal:mean=12,sd=3,min=0.1,max=99},\"trace\":\"{hex:16}\","
     "\"message\":\"{stamp} " WORDS "\"}",
     {"{\"time\":\"{time:rfc3339}\",\"level\":\"" LEVEL "\",\"host\":\"{host}\",\"service\":\"" SERVICE
      "\",\"seq\":{seq},\"latency_ms\":{float:normal:mean=12,sd=3,min=0.1,max=99},\"trace\":\"{hex:16}\","
      "\"message\":\"{stamp}{pad}\"}",
      "{\"time\":\"{time:rfc3339}\",\"message\":\"{stamp}{pad}\"}", "{\"message\":\"{stamp}{pad}\"}"}},
    {"keyvalue",
     "time=... level=INFO host=... service=cart seq=17 ms=12 msg=\"STAMP text\"",
     "time={time:rfc3339} level=" LEVEL " host={host} service=" SERVICE
     " seq={seq} ms={int:zipf:1..5000,s=1.2} msg=\"{stamp} " WORDS "\"",
     {"time={time:rfc3339} level=" LEVEL " host={host} service=" SERVICE
      " seq={seq} ms={int:zipf:1..5000,s=1.2} msg=\"{stamp}{pad}\"",
      "t={time:epoch_ms} msg=\"{stamp}{pad}\"", "m={stamp}{pad}"}},
    {"fixed", "STAMP and text, 256 bytes or --size", "{size:256}{stamp}{pad}", {"{stamp}{pad}"}},
    {NULL},
};
