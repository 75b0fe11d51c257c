/// The database's layout, by version: `migrations[n]` leads from version n to n + 1.
///
/// Money is whole dollars and pico-dollars apart, and SQL never adds it: an integer column that
/// overflows would turn REAL without a word.
enum LedgerSchema {
  /// "bgtd": whose database it is.
  static let applicationID: UInt32 = 0x6267_7464

  static var version: Int32 { Int32(migrations.count) }

  static let migrations: [StaticString] = [
    """
    CREATE TABLE meta(
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE origin(
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL CHECK(length(name) = 17),
      seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE budget(
      id INTEGER PRIMARY KEY,
      scope INTEGER NOT NULL CHECK(scope BETWEEN 1 AND 3),
      name TEXT NOT NULL,
      window_text TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE window_spend(
      budget INTEGER NOT NULL REFERENCES budget(id),
      start_ms INTEGER NOT NULL,
      origin INTEGER NOT NULL REFERENCES origin(id),
      end_ms INTEGER NOT NULL,
      dollars INTEGER NOT NULL CHECK(dollars BETWEEN 0 AND 1000000000000000000),
      pico INTEGER NOT NULL CHECK(pico BETWEEN 0 AND 999999999999),
      seal INTEGER NOT NULL,
      PRIMARY KEY(budget, start_ms, origin)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE batch(
      id INTEGER PRIMARY KEY,
      digest BLOB NOT NULL CHECK(length(digest) = 16),
      payload BLOB NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
    """,
    """
    CREATE TABLE fleet_window(
      budget INTEGER NOT NULL REFERENCES budget(id),
      start_ms INTEGER NOT NULL,
      end_ms INTEGER NOT NULL,
      total_dollars INTEGER NOT NULL CHECK(total_dollars BETWEEN 0 AND 1000000000000000000),
      total_pico INTEGER NOT NULL CHECK(total_pico BETWEEN 0 AND 999999999999),
      highest_dollars INTEGER NOT NULL CHECK(highest_dollars BETWEEN 0 AND 1000000000000000000),
      highest_pico INTEGER NOT NULL CHECK(highest_pico BETWEEN 0 AND 999999999999),
      confirmed TEXT NOT NULL CHECK(length(confirmed) <= 65536),
      nodes INTEGER NOT NULL CHECK(nodes BETWEEN 1 AND 1000000),
      at_ms INTEGER NOT NULL,
      seal INTEGER NOT NULL,
      PRIMARY KEY(budget, start_ms)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 2;
    """,
    // Blocks of budgets whose balances hold more batches than the fact says of all of them.
    """
    CREATE TABLE fold(
      block INTEGER PRIMARY KEY,
      through INTEGER NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 3;
    """,
    // Scopes past LiteLLM's three; what an operator changes, and what is held back.
    """
    CREATE TABLE wider_budget(
      id INTEGER PRIMARY KEY,
      scope INTEGER NOT NULL CHECK(scope BETWEEN 1 AND 255),
      name TEXT NOT NULL,
      window_text TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    INSERT INTO wider_budget SELECT id, scope, name, window_text, seal FROM budget;
    DROP TABLE budget;
    ALTER TABLE wider_budget RENAME TO budget;
    CREATE TABLE held(
      budget INTEGER NOT NULL REFERENCES budget(id),
      until_s INTEGER NOT NULL,
      ends_s INTEGER NOT NULL,
      dollars INTEGER NOT NULL CHECK(dollars BETWEEN 0 AND 1000000000000000000),
      pico INTEGER NOT NULL CHECK(pico BETWEEN 0 AND 999999999999),
      seal INTEGER NOT NULL,
      PRIMARY KEY(budget, until_s, ends_s)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE policy_change(
      scope INTEGER NOT NULL CHECK(scope BETWEEN 1 AND 255),
      name TEXT NOT NULL,
      window_text TEXT NOT NULL,
      version_ms INTEGER NOT NULL,
      node TEXT NOT NULL,
      state BLOB NOT NULL,
      seal INTEGER NOT NULL,
      PRIMARY KEY(scope, name, window_text)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE reset(
      budget INTEGER PRIMARY KEY REFERENCES budget(id),
      at_ms INTEGER NOT NULL,
      node TEXT NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE audit(
      id INTEGER PRIMARY KEY,
      at_ms INTEGER NOT NULL,
      entry BLOB NOT NULL,
      seal INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = 4;
    """,
    // Limits as they were: each is in force from its time on, until the next one's.
    """
    CREATE TABLE limit_change(
      scope INTEGER NOT NULL CHECK(scope BETWEEN 1 AND 255),
      name TEXT NOT NULL,
      window_text TEXT NOT NULL,
      since_ms INTEGER NOT NULL,
      limited INTEGER NOT NULL CHECK(limited BETWEEN 0 AND 1),
      dollars INTEGER NOT NULL CHECK(dollars BETWEEN 0 AND 1000000000000000000),
      pico INTEGER NOT NULL CHECK(pico BETWEEN 0 AND 999999999999),
      seal INTEGER NOT NULL,
      PRIMARY KEY(scope, name, window_text, since_ms)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 5;
    """,
  ]
}
