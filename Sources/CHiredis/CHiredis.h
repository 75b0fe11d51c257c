// Debian's hiredis, and the one thing that it leaves to its callers: how much a reply may make it
// allocate. A header `*1000000000` would have it take 8 GB before the first element arrives.
#ifndef BUDGETD_CHIREDIS_H
#define BUDGETD_CHIREDIS_H
#include <hiredis/hiredis.h>
#include <stdlib.h>

// What one reader may still build; `functions` is what the reader calls.
typedef struct chiredis_bounds {
  redisReplyObjectFunctions functions;
  redisReplyObjectFunctions *_Nullable original;
  size_t elements_left;
  int is_exceeded;
} chiredis_bounds;

static inline void *_Nullable chiredis_bounded_array(
    const redisReadTask *_Nonnull task, int count) {
  chiredis_bounds *bounds = (chiredis_bounds *)task->privdata;
  if (count < 0 || (size_t)count > bounds->elements_left) {
    bounds->is_exceeded = 1;
    return (void *)0;
  }
  bounds->elements_left -= (size_t)count;
  return bounds->original->createArray(task, count);
}

// Puts the bounds into a reader. They have to live until the reader is freed.
static inline void chiredis_bound(redisReader *_Nonnull reader, chiredis_bounds *_Nonnull bounds) {
  bounds->original = reader->fn;
  bounds->functions = *reader->fn;
  bounds->functions.createArray = chiredis_bounded_array;
  reader->fn = &bounds->functions;
  reader->privdata = bounds;
}
#endif
