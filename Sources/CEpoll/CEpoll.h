// What Swift's Glibc module leaves out: epoll, eventfd, and accept4 and the user at the other end of a
// Unix socket whatever the feature macros say.
// A header is all it takes; nothing here is compiled or linked on its own.
#ifndef BUDGETD_CEPOLL_H
#define BUDGETD_CEPOLL_H
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#ifndef _GNU_SOURCE
extern int accept4(int, struct sockaddr *, socklen_t *, int);
#endif

// As the kernel fills it in for SO_PEERCRED.
struct cepoll_user {
  int32_t process;
  uint32_t user, group;
};
static inline int cepoll_peer_user(int socket, struct cepoll_user *_Nonnull user) {
  socklen_t size = sizeof *user;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, user, &size);
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
