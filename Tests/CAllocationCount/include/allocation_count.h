// Counts the heap allocations of the calling thread, for tests that promise none.
#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdbool.h>

// Whether allocations are counted in this build; not where a sanitizer owns malloc.
bool allocation_count_is_available(void);

// How many allocations this thread has made.
unsigned long allocation_count(void);

// How many bytes this thread has allocated and not freed, as the allocator rounds them. What one
// thread allocates and another frees stays with the first.
long allocated_bytes(void);

#endif
