// Counts the heap allocations of the calling thread, for tests that promise none.
#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdbool.h>

// Whether the program's allocations are counted at all: not where a sanitizer owns malloc.
bool allocation_count_is_available(void);

// Whether the number of allocations says something of the product: not where a sanitizer owns malloc, and not in a
// build without optimisation, whose closures and boxes say nothing about the product.
bool allocation_count_is_meaningful(void);

// How many allocations this thread has made.
unsigned long allocation_count(void);

// How many bytes this thread has allocated and not freed, as the allocator rounds them. What one
// thread allocates and another frees stays with the first.
long allocated_bytes(void);

#endif
