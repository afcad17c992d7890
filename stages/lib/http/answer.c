#include "stages/lib/http/answer.h"

#include "stages/lib/date/calendar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void write_date(struct ps_http_server *server)
{
    uint64_t second = (uint64_t)ps_clock_now().wall_ms / 1000;
    if (second == server->date_second)
        return;
    server->date_second = second;
    struct ps_civil time;
    ps_civil_from_wall((int64_t)second, &time);
    snprintf(server->date, sizeof server->date, "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n",
             ps_day_names[(time.week_day + 6) % 7], time.day % 100, ps_month_names[(time.month - 1) % 12],
             (unsigned)(time.year % 10000), time.hour % 100, time.minute % 100, time.second % 100);
}

/* Writes status line and header fields of an answer, without the end. Returns the length. */
static uint32_t write_head(struct ps_http_server *server, char *out, size_t room,
                           const struct ps_http_answer *answer)
{
    const char *date = "";
    if (server->options.sends_date) {
        write_date(server);
        date = server->date;
    }
    int length =
        snprintf(out, room, "HTTP/1.1 %u %s\r\n%s%s%s%s", answer->status, ps_http_status_text(answer->status),
                 date, server->options.sends_server ? "Server: penstock\r\n" : "",
                 server->options.sends_powered_by ? "X-Powered-By: penstock\r\n" : "",
                 answer->last ? "Connection: close\r\n" : "");
    return (uint32_t)length;
}

/* Writes the rest of an answer 200 with a body. Returns its length. */
static uint32_t write_done(const struct ps_http_server *server, char *out, size_t room,
                           const struct ps_http_answer *answer)
{
    const struct ps_http_server_options *options = &server->options;
    uint32_t length = (uint32_t)snprintf(out, room, "Content-Type: %s\r\nContent-Length: %" PRIu32 "\r\n\r\n",
                                         options->done_type, options->done_length);
    if (answer->without_body)
        return length;
    PS_ASSERT(length + options->done_length <= room && options->done_length <= PS_HTTP_DONE_BYTES_MAX);
    memcpy(out + length, options->done_body, options->done_length);
    return length + options->done_length;
}

uint32_t ps_http_answer_write(struct ps_http_server *server, const struct ps_http_answer *answer, char *out)
{
    char body[256];
    const size_t room = PS_HTTP_ANSWER_BYTES_MAX;
    int body_length = 0;
    uint32_t length = write_head(server, out, room, answer);
    if (answer->reason != NULL)
        body_length = snprintf(body, sizeof body, "%.120s%.120s\n",
                               answer->intro != NULL ? answer->intro : "", answer->reason);
    if (answer->status == 200 && server->options.done_type != NULL)
        return length + write_done(server, out + length, room - length, answer);
    return length + (uint32_t)snprintf(out + length, room - length, "%sContent-Length: %d\r\n\r\n%s",
                                       body_length > 0 ? "Content-Type: text/plain;charset=utf-8\r\n" : "",
                                       body_length, body_length > 0 && !answer->without_body ? body : "");
}
