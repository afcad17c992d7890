/* Sends its arguments, or else the lines of standard input, to an avro source, one event each, with the library
 * libpenstock-client (penstock-client(3)).
 *
 *   cc -o client client.c $(pkg-config --cflags --libs penstock-client)
 *   ./client localhost 4141 hello world
 *   ./client rpc.properties < /var/log/app.log
 *
 * The properties are those of Flume's RpcClient: several hosts with failover or load balancing, TLS, compression. */
#include <penstock/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(void *argument, const char *text)
{
    (void)argument;
    fprintf(stderr, "client: %s\n", text);
}

static int send_text(struct penstock_client *client, const char *text)
{
    static const struct penstock_client_header headers[] = {{"origin", "client.c"}};
    struct penstock_client_error error;
    struct penstock_client_event event;
    event.headers = headers;
    event.header_count = sizeof headers / sizeof headers[0];
    event.body = text;
    event.body_length = strlen(text);
    if (penstock_client_append(client, &event, &error) == PENSTOCK_CLIENT_OK)
        return 1;
    fprintf(stderr, "client: %s\n", error.text);
    if (error.status == PENSTOCK_CLIENT_UNCERTAIN)
        fputs("client: the event may have arrived all the same\n", stderr);
    return 0;
}

static int send_lines(struct penstock_client *client)
{
    char line[65536];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (!send_text(client, line))
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct penstock_client_options options;
    struct penstock_client_error error;
    struct penstock_client *client;
    int i, good = 1;
    if (argc < 2) {
        fputs("usage: client {HOST PORT | PROPERTIES} [EVENT...]\n", stderr);
        return 2;
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.message = tell;
    if (argc == 2)
        client = penstock_client_open_file(argv[1], &options, &error);
    else
        client = penstock_client_open(argv[1], (unsigned)atoi(argv[2]), &options, &error);
    if (client == NULL) {
        fprintf(stderr, "client: %s\n", error.text);
        return 2;
    }
    for (i = 3; i < argc && good; i++)
        good = send_text(client, argv[i]);
    if (argc <= 3)
        good = send_lines(client);
    penstock_client_close(client);
    return good ? 0 : 1;
}
