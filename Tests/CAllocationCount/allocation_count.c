// Stands in for glibc's malloc family in the test program and passes every call on.
#include "allocation_count.h"

// For __GLIBC__: stddef.h is the compiler's own and does not say which C library there is.
#include <features.h>
#include <stddef.h>
#if defined(__GLIBC__) || defined(__linux__)
#include <malloc.h>
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

static __thread unsigned long allocations;
static __thread long bytes;

#if !defined(IS_SANITIZED) && defined(__GLIBC__)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

extern void __libc_free(void *pointer);

static void *counted(void *pointer) {
  allocations += 1;
  if (pointer) bytes += (long)malloc_usable_size(pointer);
  return pointer;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }

void *realloc(void *pointer, size_t size) {
  long before = pointer ? (long)malloc_usable_size(pointer) : 0;
  void *moved = __libc_realloc(pointer, size);
  // Where there was no room the old block is still there.
  if (moved || size == 0) bytes -= before;
  return counted(moved);
}

void free(void *pointer) {
  if (pointer) bytes -= (long)malloc_usable_size(pointer);
  __libc_free(pointer);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **pointer, size_t alignment, size_t size) {
  *pointer = counted(__libc_memalign(alignment, size));
  return *pointer == NULL ? 12 /* ENOMEM */ : 0;
}

bool allocation_count_is_available(void) { return true; }

#ifdef __OPTIMIZE__
bool allocation_count_is_meaningful(void) { return true; }
#else
bool allocation_count_is_meaningful(void) { return false; }
#endif

#else

bool allocation_count_is_available(void) { return false; }
bool allocation_count_is_meaningful(void) { return false; }

#endif

unsigned long allocation_count(void) { return allocations; }

long allocated_bytes(void) { return bytes; }
