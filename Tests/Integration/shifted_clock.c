/* LD_PRELOAD: the wall clock, and the clock that counts while the machine sleeps, are off by what
   the file named in SHIFTED_CLOCK says at this moment (eight bytes, nanoseconds, native order).
   Every process that maps the file sees the same shift at the same instant. The monotonic clock,
   and with it every timeout, stays real; waits until an instant of the wall clock last as long as
   they would have. With SHIFTED_CLOCK_WALL set only the wall clock is off, as where somebody set
   it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *shared;
static int wall_only;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map_shift(void) {
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *path = getenv("SHIFTED_CLOCK");
  int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *page = descriptor < 0
                   ? MAP_FAILED
                   : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, descriptor, 0);
  if (!real_clock_gettime || page == MAP_FAILED) {
    fputs("shifted_clock: SHIFTED_CLOCK names no file that can be mapped\n", stderr);
    _exit(127);
  }
  close(descriptor);
  wall_only = getenv("SHIFTED_CLOCK_WALL") != NULL;
  shared = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (!real_clock_gettime) map_shift();
  int result = real_clock_gettime(clock, time);
  int shifted = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
                (clock == CLOCK_BOOTTIME && !wall_only);
  if (result != 0 || !shifted || !shared) return result;
  int64_t now = time->tv_sec * INT64_C(1000000000) + time->tv_nsec + atomic_load(shared);
  time->tv_sec = now / 1000000000;
  time->tv_nsec = now % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

static struct timespec real_instant(const struct timespec *instant) {
  int64_t real =
      instant->tv_sec * INT64_C(1000000000) + instant->tv_nsec - (shared ? atomic_load(shared) : 0);
  return (struct timespec){real / 1000000000, real % 1000000000};
}

/* libdispatch waits for its semaphores by the wall clock. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict instant) {
  static int (*wait)(sem_t *, const struct timespec *);
  if (!wait) wait = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec real = real_instant(instant);
  return wait(semaphore, &real);
}

/* Every condition here is of the wall clock, as POSIX has it by default; redis-server's are. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict instant) {
  static int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!wait) {
    wait = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
        RTLD_NEXT, "pthread_cond_timedwait");
  }
  struct timespec real = real_instant(instant);
  return wait(condition, mutex, &real);
}
