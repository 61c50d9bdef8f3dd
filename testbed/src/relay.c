// Relays connections from the host's loopback to an address in a cluster's network namespace, or the other way.
//
//   relay [--until-stdin-closes] out PORT PID ADDRESS:PORT
//       Listens on 127.0.0.1:PORT (0 picks a free one) in the network it starts in, connects in the network of process PID.
//   relay [--until-stdin-closes] in PORT PID ADDRESS:PORT
//       Listens on PORT of every address in the network of process PID, connects in the network it starts in.
//
// Prints "listening PORT"; one child per connection. Ends when process PID does.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct direction {
    int from, to;
    int open;
    size_t held, sent;
    char bytes[65536];
};

static struct sockaddr_in address(const char *host, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1) errx(2, "not an IPv4 address: %s", host);
    return at;
}

// Moves what can be moved without waiting. Returns -1 when the connection is to be dropped.
static int move(struct direction *d, int readable, int writable) {
    if (d->open && d->held == 0 && readable) {
        ssize_t n = read(d->from, d->bytes, sizeof d->bytes);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return -1;
        if (n == 0) {
            d->open = 0;
            shutdown(d->to, SHUT_WR);
        }
        if (n > 0) {
            d->held = (size_t)n;
            d->sent = 0;
            writable = 1;
        }
    }
    if (d->held > 0 && writable) {
        ssize_t n = send(d->to, d->bytes + d->sent, d->held - d->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return -1;
        if (n > 0) d->sent += (size_t)n;
        if (d->sent == d->held) d->held = 0;
    }
    return 0;
}

static void serve(int client, struct sockaddr_in target) {
    static struct direction up, down;
    int one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (struct sockaddr *)&target, sizeof target) < 0) {
        // The caller must see a broken connection, not a clean end.
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        exit(1);
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(client, F_SETFL, O_NONBLOCK);
    fcntl(server, F_SETFL, O_NONBLOCK);
    up = (struct direction){.from = client, .to = server, .open = 1};
    down = (struct direction){.from = server, .to = client, .open = 1};
    while (up.open || down.open || up.held || down.held) {
        struct pollfd ends[2] = {{.fd = client}, {.fd = server}};
        if (up.open && !up.held) ends[0].events |= POLLIN;
        if (down.held) ends[0].events |= POLLOUT;
        if (down.open && !down.held) ends[1].events |= POLLIN;
        if (up.held) ends[1].events |= POLLOUT;
        if (poll(ends, 2, -1) < 0 && errno != EINTR) break;
        if ((ends[0].revents | ends[1].revents) & (POLLERR | POLLNVAL)) break;
        if (!ends[0].events && (ends[0].revents & POLLHUP)) break;
        if (!ends[1].events && (ends[1].revents & POLLHUP)) break;
        int ready[2][2];
        for (int i = 0; i < 2; i++) {
            ready[i][0] = ends[i].revents & (POLLIN | POLLHUP);
            ready[i][1] = ends[i].revents & POLLOUT;
        }
        if (move(&up, ready[0][0], ready[1][1]) < 0 || move(&down, ready[1][0], ready[0][1]) < 0) break;
    }
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (up.open || down.open) setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    exit(0);
}

// The network namespace of a process.
static int network(const char *process) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", process);
    int found = open(path, O_RDONLY | O_CLOEXEC);
    if (found < 0) err(1, "%s", path);
    return found;
}

static void join(int network) {
    if (setns(network, CLONE_NEWNET) < 0) err(1, "setns");
}

int main(int argc, char **argv) {
    int watch_stdin = argc > 1 && strcmp(argv[1], "--until-stdin-closes") == 0;
    argv += watch_stdin;
    argc -= watch_stdin;
    if (argc != 5) errx(2, "usage: relay [--until-stdin-closes] out|in PORT PID ADDRESS:PORT");
    int inward = strcmp(argv[1], "in") == 0;
    char *colon = strrchr(argv[4], ':');
    if (!colon) errx(2, "not ADDRESS:PORT: %s", argv[4]);
    *colon = 0;
    struct sockaddr_in target = address(argv[4], colon + 1), at = address(inward ? "0.0.0.0" : "127.0.0.1", argv[2]);

    int alive = (int)syscall(SYS_pidfd_open, atoi(argv[3]), 0);
    if (alive < 0) err(1, "process %s", argv[3]);
    int here = network("self"), there = network(argv[3]);
    if (inward) join(there);
    socklen_t size = sizeof at;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1024) < 0) err(1, "port %s", argv[2]);
    getsockname(listener, (struct sockaddr *)&at, &size);
    join(inward ? here : there);
    close(here);
    close(there);
    signal(SIGCHLD, SIG_IGN);
    printf("listening %d\n", ntohs(at.sin_port));
    fflush(stdout);

    pid_t self = getpid();
    for (;;) {
        struct pollfd events[3] = {{.fd = listener, .events = POLLIN}, {.fd = alive, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        if (watch_stdin) events[2].fd = 0;
        if (poll(events, 3, -1) < 0) continue;
        if (events[1].revents) return 0;
        if (events[2].revents) {
            char ignored[256];
            if (read(0, ignored, sizeof ignored) <= 0) return 0;
        }
        if (!(events[0].revents & POLLIN)) continue;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != self) exit(1);
            close(listener);
            close(alive);
            serve(client, target);
        }
        close(client);
    }
}
