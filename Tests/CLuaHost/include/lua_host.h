#ifndef LUA_HOST_H
#define LUA_HOST_H

#include <stddef.h>

// Lua 5.1 as Redis offers it to a script: KEYS, ARGV, redis.call and redis.error_reply. Only tests
// use it: the script that production sends to Redis runs here against a stand-in for Redis.

typedef struct lua_host lua_host;

// One redis.call. It answers by exactly one push on the host, an array's elements first.
typedef void (*lua_host_call)(
    void *context, int count, const char *const *words, const size_t *lengths);

// Compiles a script once; NULL where it does not compile or memory is out.
lua_host *lua_host_make(const char *text, size_t length, lua_host_call call);
void lua_host_free(lua_host *host);

// One run: begin, then keys and arguments in order, then run. The result stays until the next run.
void lua_host_begin(lua_host *host);
void lua_host_key(lua_host *host, const char *bytes, size_t length);
void lua_host_argument(lua_host *host, const char *bytes, size_t length);
void lua_host_run(lua_host *host, void *context);

// What a call answers.
void lua_host_push_null(lua_host *host);
void lua_host_push_bytes(lua_host *host, const char *bytes, size_t length);
void lua_host_push_status(lua_host *host, const char *bytes, size_t length);
void lua_host_push_integer(lua_host *host, long long number);
// Takes the last `count` pushes together.
void lua_host_push_array(lua_host *host, int count);
// Ends the script with this error once the call returns.
void lua_host_push_error(lua_host *host, const char *bytes, size_t length);

enum {
  LUA_HOST_NULL,
  LUA_HOST_BYTES,
  LUA_HOST_STATUS,
  LUA_HOST_INTEGER,
  LUA_HOST_ARRAY,
  LUA_HOST_ERROR
};

// The value that is looked at: the result at first.
int lua_host_kind(lua_host *host);
const char *lua_host_bytes(lua_host *host, size_t *length);
long long lua_host_integer(lua_host *host);
int lua_host_count(lua_host *host);
// Looks at an element of an array, from 1; and back at the array.
void lua_host_enter(lua_host *host, int index);
void lua_host_leave(lua_host *host);

// INCRBYFLOAT as Redis does it: long double, 17 decimals, no zeros at the end. `out` takes at least
// 8,192 bytes. The length written; -1: one of the texts is no number; -2: no finite sum.
int lua_host_add_float(
    const char *value, size_t value_length, const char *added, size_t added_length, char *out);

#endif
