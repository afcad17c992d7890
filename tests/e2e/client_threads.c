/* tests/e2e/client_library_test.sh: THREADS threads send COUNT events each over one client, or each over its own client,
 * alternately alone and in batches, and print how many were acknowledged. Compiled against the installed library.
 *
 *   client_threads PROPERTIES THREADS COUNT shared|own */
#include <penstock/client.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 25

static const char *properties;
static int per_thread;

struct sender {
    pthread_t thread;
    struct penstock_client *client; /* NULL: it opens its own */
    int number;
    size_t acknowledged;
};

static int send_some(struct sender *sender, struct penstock_client *client, int first, int count)
{
    static const struct penstock_client_header headers[] = {{"origin", "client_threads"}, {"empty", ""}};
    char bodies[BATCH][32];
    struct penstock_client_event events[BATCH];
    struct penstock_client_error error;
    size_t acknowledged = 0;
    int i;
    for (i = 0; i < count; i++) {
        sprintf(bodies[i], "%d.%d", sender->number, first + i);
        events[i].headers = headers;
        events[i].header_count = 2;
        events[i].body = bodies[i];
        events[i].body_length = strlen(bodies[i]);
    }
    if (count == 1)
        acknowledged = penstock_client_append(client, events, &error) == PENSTOCK_CLIENT_OK;
    else
        penstock_client_append_batch(client, events, (size_t)count, &acknowledged, &error);
    sender->acknowledged += acknowledged;
    if (acknowledged == (size_t)count)
        return 1;
    fprintf(stderr, "%d: %s\n", error.status, error.text);
    return 0;
}

static void *run(void *argument)
{
    struct sender *sender = argument;
    struct penstock_client_error error;
    struct penstock_client *client = sender->client;
    int sent, count, alone = 1;
    if (client == NULL)
        client = penstock_client_open_file(properties, NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return NULL;
    }
    for (sent = 0; sent < per_thread; sent += count, alone = !alone) {
        count = alone ? 1 : BATCH;
        if (count > per_thread - sent)
            count = per_thread - sent;
        if (!send_some(sender, client, sent, count))
            break;
    }
    if (sender->client == NULL)
        penstock_client_close(client);
    return NULL;
}

int main(int argc, char **argv)
{
    struct penstock_client *shared = NULL;
    struct sender *senders;
    size_t acknowledged = 0;
    int i, count;
    if (argc != 5)
        return 2;
    properties = argv[1];
    count = atoi(argv[2]);
    per_thread = atoi(argv[3]);
    if (strcmp(argv[4], "shared") == 0)
        shared = penstock_client_open_file(properties, NULL, NULL);
    senders = calloc((size_t)count, sizeof *senders);
    for (i = 0; i < count; i++) {
        senders[i].number = i;
        senders[i].client = shared;
        if (pthread_create(&senders[i].thread, NULL, run, &senders[i]) != 0)
            return 2;
    }
    for (i = 0; i < count; i++) {
        pthread_join(senders[i].thread, NULL);
        acknowledged += senders[i].acknowledged;
    }
    free(senders);
    penstock_client_close(shared);
    printf("%lu\n", (unsigned long)acknowledged);
    return 0;
}
