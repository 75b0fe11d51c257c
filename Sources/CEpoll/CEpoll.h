// What Swift's Glibc module leaves out: epoll, eventfd, accept4 and the credentials of a Unix peer,
// whatever the feature macros say.
// A header is all it takes; nothing here is compiled or linked on its own.
#ifndef BUDGETD_CEPOLL_H
#define BUDGETD_CEPOLL_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#ifndef _GNU_SOURCE
extern int accept4(int, struct sockaddr *, socklen_t *, int);
#endif

// Who connected to a Unix socket, as the kernel noted it then (struct ucred).
struct cepoll_peer {
  int process;
  unsigned user, group;
  bool is_known;
};
static inline struct cepoll_peer cepoll_peer(int socket) {
  struct cepoll_peer found = {0};
  struct { int process; unsigned user, group; } credentials;
  socklen_t size = sizeof credentials;
  int family = 0;
  socklen_t family_size = sizeof family;
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &family_size) || family != AF_UNIX ||
      getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
    return found;
  found.process = credentials.process;
  found.user = credentials.user;
  found.group = credentials.group;
  found.is_known = true;
  return found;
}

// epoll_event is packed on x86-64; these keep the layout out of Swift.
static inline struct epoll_event cepoll_event(uint32_t events, uint64_t token) {
  struct epoll_event event = {0};
  event.events = events;
  event.data.u64 = token;
  return event;
}
static inline uint32_t cepoll_events(const struct epoll_event *_Nonnull event) {
  return event->events;
}
static inline uint64_t cepoll_token(const struct epoll_event *_Nonnull event) {
  return event->data.u64;
}
#endif
