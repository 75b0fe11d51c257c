#include "lua_host.h"

#include <ctype.h>
#include <errno.h>
#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_WORDS = 1024, NUMBER_BYTES = 64, FLOAT_BYTES = 5 * 1024 };

struct lua_host {
  lua_State *lua;
  lua_host_call call;
  void *context;
  int script;
  int failed;
  int keys;
  int arguments;
};

static int redis_call(lua_State *lua) {
  lua_host *host = lua_touserdata(lua, lua_upvalueindex(1));
  static __thread const char *words[MAXIMUM_WORDS];
  static __thread size_t lengths[MAXIMUM_WORDS];
  int count = lua_gettop(lua);
  if (count > MAXIMUM_WORDS) return luaL_error(lua, "ERR too many words");
  for (int i = 0; i < count; i++) {
    if (lua_type(lua, i + 1) == LUA_TNUMBER) {
      char text[NUMBER_BYTES];
      snprintf(text, sizeof text, "%.17g", lua_tonumber(lua, i + 1));
      lua_pushstring(lua, text);
      lua_replace(lua, i + 1);
    }
    if (lua_type(lua, i + 1) != LUA_TSTRING) {
      return luaL_error(
          lua, "ERR Lua redis lib command arguments must be strings or integers");
    }
    words[i] = lua_tolstring(lua, i + 1, &lengths[i]);
  }
  luaL_checkstack(lua, 512, "too many values");
  host->failed = 0;
  host->call(host->context, count, words, lengths);
  // The callback has returned: no frame of another language is jumped over.
  if (host->failed) return lua_error(lua);
  return 1;
}

static int error_reply(lua_State *lua) {
  luaL_checkstring(lua, 1);
  lua_newtable(lua);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "err");
  return 1;
}

lua_host *lua_host_make(const char *text, size_t length, lua_host_call call) {
  lua_host *host = calloc(1, sizeof *host);
  if (!host) return NULL;
  host->call = call;
  host->lua = luaL_newstate();
  if (!host->lua) {
    free(host);
    return NULL;
  }
  luaL_openlibs(host->lua);
  lua_newtable(host->lua);
  lua_pushlightuserdata(host->lua, host);
  lua_pushcclosure(host->lua, redis_call, 1);
  lua_setfield(host->lua, -2, "call");
  lua_pushcfunction(host->lua, error_reply);
  lua_setfield(host->lua, -2, "error_reply");
  lua_setglobal(host->lua, "redis");
  if (luaL_loadbuffer(host->lua, text, length, "@script") != 0) {
    lua_host_free(host);
    return NULL;
  }
  host->script = luaL_ref(host->lua, LUA_REGISTRYINDEX);
  return host;
}

void lua_host_free(lua_host *host) {
  lua_close(host->lua);
  free(host);
}

void lua_host_begin(lua_host *host) {
  lua_settop(host->lua, 0);
  lua_newtable(host->lua);
  lua_newtable(host->lua);
  host->keys = host->arguments = 0;
}

void lua_host_key(lua_host *host, const char *bytes, size_t length) {
  lua_pushlstring(host->lua, bytes, length);
  lua_rawseti(host->lua, 1, ++host->keys);
}

void lua_host_argument(lua_host *host, const char *bytes, size_t length) {
  lua_pushlstring(host->lua, bytes, length);
  lua_rawseti(host->lua, 2, ++host->arguments);
}

void lua_host_run(lua_host *host, void *context) {
  host->context = context;
  lua_setglobal(host->lua, "ARGV");
  lua_setglobal(host->lua, "KEYS");
  lua_rawgeti(host->lua, LUA_REGISTRYINDEX, host->script);
  if (lua_pcall(host->lua, 0, 1, 0) != 0 && lua_type(host->lua, -1) != LUA_TTABLE) {
    lua_newtable(host->lua);
    lua_insert(host->lua, -2);
    lua_setfield(host->lua, -2, "err");
  }
  host->context = NULL;
}

void lua_host_push_null(lua_host *host) { lua_pushboolean(host->lua, 0); }

void lua_host_push_bytes(lua_host *host, const char *bytes, size_t length) {
  lua_pushlstring(host->lua, bytes, length);
}

static void push_field(lua_host *host, const char *name, const char *bytes, size_t length) {
  lua_newtable(host->lua);
  lua_pushlstring(host->lua, bytes, length);
  lua_setfield(host->lua, -2, name);
}

void lua_host_push_status(lua_host *host, const char *bytes, size_t length) {
  push_field(host, "ok", bytes, length);
}

void lua_host_push_integer(lua_host *host, long long number) {
  lua_pushnumber(host->lua, (lua_Number)number);
}

void lua_host_push_array(lua_host *host, int count) {
  lua_createtable(host->lua, count, 0);
  int table = lua_gettop(host->lua);
  for (int i = 0; i < count; i++) {
    lua_pushvalue(host->lua, table - count + i);
    lua_rawseti(host->lua, table, i + 1);
  }
  lua_insert(host->lua, table - count);
  lua_settop(host->lua, table - count);
}

void lua_host_push_error(lua_host *host, const char *bytes, size_t length) {
  push_field(host, "err", bytes, length);
  host->failed = 1;
}

static int has_field(lua_host *host, const char *name) {
  lua_getfield(host->lua, -1, name);
  int is_text = lua_type(host->lua, -1) == LUA_TSTRING;
  lua_pop(host->lua, 1);
  return is_text;
}

int lua_host_kind(lua_host *host) {
  switch (lua_type(host->lua, -1)) {
    case LUA_TSTRING:
      return LUA_HOST_BYTES;
    case LUA_TNUMBER:
      return LUA_HOST_INTEGER;
    case LUA_TBOOLEAN:
      return lua_toboolean(host->lua, -1) ? LUA_HOST_INTEGER : LUA_HOST_NULL;
    case LUA_TTABLE:
      if (has_field(host, "err")) return LUA_HOST_ERROR;
      return has_field(host, "ok") ? LUA_HOST_STATUS : LUA_HOST_ARRAY;
    default:
      return LUA_HOST_NULL;
  }
}

const char *lua_host_bytes(lua_host *host, size_t *length) {
  int kind = lua_host_kind(host);
  if (kind == LUA_HOST_BYTES) return lua_tolstring(host->lua, -1, length);
  lua_getfield(host->lua, -1, kind == LUA_HOST_ERROR ? "err" : "ok");
  const char *bytes = lua_tolstring(host->lua, -1, length);
  // The table keeps the text.
  lua_pop(host->lua, 1);
  return bytes;
}

long long lua_host_integer(lua_host *host) {
  if (lua_type(host->lua, -1) == LUA_TBOOLEAN) return 1;
  return (long long)lua_tonumber(host->lua, -1);
}

int lua_host_count(lua_host *host) {
  int count = 0;
  for (;;) {
    lua_rawgeti(host->lua, -1, count + 1);
    int is_end = lua_isnil(host->lua, -1);
    lua_pop(host->lua, 1);
    if (is_end) return count;
    count++;
  }
}

void lua_host_enter(lua_host *host, int index) { lua_rawgeti(host->lua, -1, index); }

void lua_host_leave(lua_host *host) { lua_pop(host->lua, 1); }

static int read_float(const char *bytes, size_t length, long double *number) {
  char text[FLOAT_BYTES];
  if (length == 0 || length >= sizeof text) return 0;
  memcpy(text, bytes, length);
  text[length] = 0;
  char *end;
  errno = 0;
  *number = strtold(text, &end);
  return !isspace((unsigned char)text[0]) && (size_t)(end - text) == length &&
         !(errno == ERANGE && (*number == HUGE_VALL || *number == -HUGE_VALL || *number == 0)) &&
         errno != EINVAL && !isnan(*number);
}

int lua_host_add_float(
    const char *value, size_t value_length, const char *added, size_t added_length, char *out) {
  long double left, right;
  if (!read_float(value, value_length, &left) || !read_float(added, added_length, &right)) {
    return -1;
  }
  left += right;
  if (isnan(left) || isinf(left)) return -2;
  int length = snprintf(out, 8192, "%.17Lf", left);
  if (memchr(out, '.', (size_t)length)) {
    while (out[length - 1] == '0') length--;
    if (out[length - 1] == '.') length--;
  }
  if (length == 2 && out[0] == '-' && out[1] == '0') {
    out[0] = '0';
    length = 1;
  }
  return length;
}
