// Debian's SQLite, and the few calls that Swift cannot make itself: variadic ones, and those that
// take the "copy it now" destructor, which is a cast.
#ifndef BUDGETD_CSQLITE_H
#define BUDGETD_CSQLITE_H
#include <sqlite3.h>

static inline int csqlite_set_flag(sqlite3 *_Nonnull db, int flag, int on) {
  return sqlite3_db_config(db, flag, on, (int *)0);
}
static inline int csqlite_bind_blob(
    sqlite3_stmt *_Nonnull statement, int index, const void *_Nullable bytes, int count) {
  if (!bytes || count == 0) return sqlite3_bind_zeroblob(statement, index, 0);
  return sqlite3_bind_blob(statement, index, bytes, count, SQLITE_TRANSIENT);
}
static inline int csqlite_bind_text(
    sqlite3_stmt *_Nonnull statement, int index, const char *_Nullable bytes, int count) {
  return sqlite3_bind_text(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}

// How many frames the WAL has after each commit, written where `frames` points.
static inline int csqlite_count_frames(
    void *_Nullable frames, sqlite3 *_Nullable db, const char *_Nullable name, int count) {
  (void)db;
  (void)name;
  *(int *)frames = count;
  return SQLITE_OK;
}
static inline void csqlite_watch_wal(sqlite3 *_Nonnull db, int *_Nonnull frames) {
  sqlite3_wal_hook(db, csqlite_count_frames, frames);
}
#endif
