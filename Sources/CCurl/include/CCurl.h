// One POST by libcurl, which is loaded when it is first needed: a node without alerts has neither it nor
// the thirty libraries that it brings along.
#ifndef BUDGETD_CCURL_H
#define BUDGETD_CCURL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct ccurl_request {
  const char *_Nonnull url;
  const void *_Nonnull body;
  size_t length;
  // A line of the head that tells deliveries of one alert from another's.
  const char *_Nonnull key_header;
  const char *_Nonnull agent_header;
  // NULL: the system's authorities.
  const char *_Nullable authorities;
  long timeout_ms;
};

struct ccurl_result {
  // 0: there was an answer. Else libcurl's code, or -1 where there is no libcurl.
  int failure;
  // The answer's status.
  long status;
  // What libcurl calls the failure: never a part of the address.
  const char *_Nonnull words;
};

// Whether libcurl is there: loads it, once a process. `version`: its name and version, or why it is not there.
bool ccurl_load(const char *_Nullable *_Nonnull version);

// Blocks for `timeout_ms` at most. Any thread.
struct ccurl_result ccurl_post(const struct ccurl_request *_Nonnull request);

#endif
