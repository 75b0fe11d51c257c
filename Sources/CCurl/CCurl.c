#include "CCurl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

// The functions that are used, by the types of curl.h.
#define CCURL_FUNCTIONS(each)                                                                      \
  each(curl_global_init) each(curl_version) each(curl_easy_init) each(curl_easy_setopt)            \
  each(curl_easy_perform) each(curl_easy_getinfo) each(curl_easy_cleanup) each(curl_easy_strerror) \
  each(curl_slist_append) each(curl_slist_free_all)

// curl.h makes macros of these that check the types of what is passed.
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
#define CCURL_MEMBER(name) __typeof__(&name) name;
  CCURL_FUNCTIONS(CCURL_MEMBER)
  bool is_there;
  const char *_Nullable words;
} curl;

static pthread_once_t ccurl_once = PTHREAD_ONCE_INIT;

static void ccurl_open(void) {
  // The name of its interface since 2006, whatever library encrypts for it.
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    curl.words = "libcurl.so.4 is not there: apt install libcurl4";
    return;
  }
#define CCURL_FIND(name)                                         \
  *(void **)(&curl.name) = dlsym(library, #name);                \
  if (!curl.name) {                                              \
    curl.words = "libcurl.so.4 is not libcurl: it has no " #name; \
    return;                                                      \
  }
  CCURL_FUNCTIONS(CCURL_FIND)
  if (curl.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    curl.words = "libcurl cannot be used: it does not begin";
    return;
  }
  curl.is_there = true;
  curl.words = curl.curl_version();
}

bool ccurl_load(const char *_Nullable *_Nonnull version) {
  pthread_once(&ccurl_once, ccurl_open);
  *version = curl.words;
  return curl.is_there;
}

// An answer is of no use but for its status; one without an end is cut off.
static const size_t ccurl_longest_answer = 65536;

static size_t ccurl_discard(char *bytes, size_t size, size_t count, void *read) {
  (void)bytes;
  *(size_t *)read += size * count;
  return *(size_t *)read > ccurl_longest_answer ? 0 : size * count;
}

static CURLcode ccurl_set(CURL *handle, const struct ccurl_request *request, struct curl_slist *head, size_t *read) {
#define CCURL_SET(option, value)                                      \
  do {                                                                \
    CURLcode code = curl.curl_easy_setopt(handle, option, value);     \
    if (code != CURLE_OK) return code;                                \
  } while (0)
  // No signals: the process has threads. A resolver of its own keeps the time limit.
  CCURL_SET(CURLOPT_NOSIGNAL, 1L);
  CCURL_SET(CURLOPT_URL, request->url);
  CCURL_SET(CURLOPT_PROTOCOLS_STR, "https,http");
  // The address that an answer leads to would get the alert and nobody has named it.
  CCURL_SET(CURLOPT_FOLLOWLOCATION, 0L);
  CCURL_SET(CURLOPT_TIMEOUT_MS, request->timeout_ms);
  CCURL_SET(CURLOPT_CONNECTTIMEOUT_MS, request->timeout_ms);
  CCURL_SET(CURLOPT_SSL_VERIFYPEER, 1L);
  CCURL_SET(CURLOPT_SSL_VERIFYHOST, 2L);
  CCURL_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (request->authorities) CCURL_SET(CURLOPT_CAINFO, request->authorities);
  CCURL_SET(CURLOPT_HTTPHEADER, head);
  CCURL_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
  CCURL_SET(CURLOPT_POSTFIELDS, request->body);
  CCURL_SET(CURLOPT_WRITEFUNCTION, ccurl_discard);
  CCURL_SET(CURLOPT_WRITEDATA, read);
  // Alerts are rare: no connection outlives one.
  CCURL_SET(CURLOPT_FORBID_REUSE, 1L);
  return CURLE_OK;
}

static struct curl_slist *ccurl_head(const struct ccurl_request *request) {
  const char *lines[] = {
      "Content-Type: application/json", "Expect:", request->agent_header, request->key_header};
  struct curl_slist *head = NULL;
  for (size_t index = 0; index < sizeof lines / sizeof *lines; index++) {
    struct curl_slist *longer = curl.curl_slist_append(head, lines[index]);
    if (!longer) {
      curl.curl_slist_free_all(head);
      return NULL;
    }
    head = longer;
  }
  return head;
}

struct ccurl_result ccurl_post(const struct ccurl_request *_Nonnull request) {
  const char *words = NULL;
  if (!ccurl_load(&words)) return (struct ccurl_result){-1, 0, words ? words : "no libcurl"};
  struct curl_slist *head = ccurl_head(request);
  CURL *handle = head ? curl.curl_easy_init() : NULL;
  CURLcode code = CURLE_OUT_OF_MEMORY;
  long status = 0;
  size_t read = 0;
  if (handle) {
    code = ccurl_set(handle, request, head, &read);
    if (code == CURLE_OK) code = curl.curl_easy_perform(handle);
    // A status that came before the rest was cut off is an answer.
    curl.curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_WRITE_ERROR && status > 0) code = CURLE_OK;
    curl.curl_easy_cleanup(handle);
  }
  curl.curl_slist_free_all(head);
  return (struct ccurl_result){(int)code, status, curl.curl_easy_strerror(code)};
}
