/* xman HOST PORT list | VERB DOMAIN | follow SECONDS - a client in C, on libremctl.
 *
 *     gcc -o xman xman.c -lremctl
 *
 * C has no JSON of its own: list prints the host's object as it came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <remctl.h>

enum { LOST = -1, UNKNOWN = 10, TRIES = 3 };

/* Run a command, write what it writes as it comes, and return its status; LOST where the connection was. */
static int ask(const char *host, unsigned short port, const char **words)
{
    struct remctl *connection = remctl_new();
    struct remctl_output *output;
    int status = LOST;

    if (connection == NULL)
        return LOST;
    if (!remctl_open(connection, host, port, NULL) || !remctl_command(connection, words)) {
        fprintf(stderr, "%s\n", remctl_error(connection));
        remctl_close(connection);
        return LOST;
    }
    while (status == LOST && (output = remctl_output(connection)) != NULL) {
        if (output->type == REMCTL_OUT_OUTPUT) {
            FILE *stream = output->stream == 1 ? stdout : stderr;
            fwrite(output->data, 1, output->length, stream);
            fflush(stream);
        } else if (output->type == REMCTL_OUT_STATUS) {
            status = output->status;
        } else if (output->type == REMCTL_OUT_ERROR) {
            fprintf(stderr, "%.*s\n", (int) output->length, output->data);
            status = 1;
        } else {
            break;
        }
    }
    if (status == LOST)
        fprintf(stderr, "%s\n", remctl_error(connection));
    remctl_close(connection);
    return status;
}

/* Write --rid= and 128 random bits in hexadecimal. Returns 0 where there is no randomness. */
static int new_rid(char rid[sizeof "--rid=" + 32])
{
    unsigned char octets[16];
    FILE *random = fopen("/dev/urandom", "rb");
    size_t i, got = random == NULL ? 0 : fread(octets, 1, sizeof octets, random);

    if (random != NULL)
        fclose(random);
    strcpy(rid, "--rid=");
    for (i = 0; i < got; i++)
        sprintf(rid + strlen(rid), "%02x", octets[i]);
    return got == sizeof octets;
}

int main(int argc, char **argv)
{
    char rid[sizeof "--rid=" + 32], timeout[64];
    unsigned short port;
    int i, status = LOST;

    if (argc < 4 || (argc < 5 && strcmp(argv[3], "list") != 0)) {
        fprintf(stderr, "Usage: xman HOST PORT list | VERB DOMAIN | follow SECONDS\n");
        return 2;
    }
    port = (unsigned short) atoi(argv[2]);
    if (strcmp(argv[3], "list") == 0) {
        const char *words[] = {"list", "--json", "--", NULL};
        status = ask(argv[1], port, words);
    } else if (strcmp(argv[3], "follow") == 0) {
        const char *words[] = {"events", "--follow", "--json", timeout, "--", NULL};
        snprintf(timeout, sizeof timeout, "--timeout=%s", argv[4]);
        status = ask(argv[1], port, words);
    } else if (new_rid(rid)) {
        const char *words[] = {argv[3], rid, "--", argv[4], NULL};
        /* The same id in each try: the host acts once, and answers a later one with what it did. */
        for (i = 0; i < TRIES && (status == LOST || status == UNKNOWN); i++) {
            if (i > 0)
                sleep(1);
            status = ask(argv[1], port, words);
        }
    }
    return status == LOST ? UNKNOWN : status;
}
