// Debian's hiredis, and the one thing that it leaves to its callers: how much a reply may make it
// allocate. A header `*1000000000` would have it take 8 GB before the first element arrives.
#ifndef BUDGETD_CHIREDIS_H
#define BUDGETD_CHIREDIS_H
#include <hiredis/hiredis.h>
#include <stdlib.h>

// What the reader of one context may still build; `functions` is what the reader calls.
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

// Puts the bounds into the context's reader. They have to live until the context is freed.
static inline void chiredis_bound(
    redisContext *_Nonnull context, chiredis_bounds *_Nonnull bounds) {
  bounds->original = context->reader->fn;
  bounds->functions = *context->reader->fn;
  bounds->functions.createArray = chiredis_bounded_array;
  context->reader->fn = &bounds->functions;
  context->reader->privdata = bounds;
}
#endif
