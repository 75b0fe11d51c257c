// What the processor can be told beside what it computes: Swift has no word for it.
#pragma once
#include <stdint.h>

// Fetches the cache line at `address`, to be written soon. Reads nothing; never fails.
static inline void cprocessor_prefetch(uintptr_t address) {
  __builtin_prefetch((const void *)address, 1, 3);
}
