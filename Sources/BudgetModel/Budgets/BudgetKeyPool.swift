/// Keys of budgets without a text for each: 12 bytes a key, and its name's bytes.
///
/// Names are never taken out. When too many of them belong to keys that are gone, the owner of the short
/// forms moves those in use to a new pool.
package struct BudgetKeyPool: Sendable {
  /// The short form of a key, valid in the pool that made it.
  package struct Key: Sendable {
    fileprivate var name: NamePool.Name
    fileprivate var scope: BudgetScope
    /// The number of the window's text.
    fileprivate var window: Int32
  }

  /// Fewer unused bytes are not worth moving the other names.
  private static let unusedByteBound = 65_536

  private var names = NamePool()
  private var unusedBytes = 0
  /// The texts of windows, each once; configurations have a handful.
  private var windows: [String] = []
  private var windowNumbers: [ExactText: Int32] = [:]
  private let seed = UInt64.random(in: 1 ... .max)

  package init() {}

  /// The short form of a key from now on; each call adds the name's bytes.
  package mutating func add(_ key: BudgetKey) -> Key {
    let window: Int32
    if let known = windowNumbers[ExactText(key.windowText)] {
      window = known
    } else {
      window = Int32(windows.count)
      windows.append(key.windowText)
      windowNumbers[ExactText(key.windowText)] = window
    }
    let name = NameBytes.with(key.name) { names.append($0) }
    return Key(name: name, scope: key.scope, window: window)
  }

  /// Nothing has this short form any more.
  package mutating func remove(_ key: Key) { unusedBytes += names.with(key.name) { $0.count } }

  /// The key as texts.
  package subscript(key: Key) -> BudgetKey {
    BudgetKey(
      scope: key.scope, name: names.text(of: key.name), windowText: windows[Int(key.window)])
  }

  /// Whether `short` is the short form of `key`.
  package func isEqual(_ short: Key, _ key: BudgetKey) -> Bool {
    short.scope == key.scope
      && ExactText(windows[Int(short.window)]) == ExactText(key.windowText)
      && names.with(short.name) { name in NameBytes.with(key.name) { name == $0 } }
  }

  /// The hash of a key, the same of its short form; nil: no key here has such windows.
  package func hash(of key: BudgetKey) -> UInt64? {
    guard let window = windowNumbers[ExactText(key.windowText)] else { return nil }
    return NameBytes.with(key.name) { hash(key.scope, $0, window) }
  }

  package func hash(of key: Key) -> UInt64 {
    names.with(key.name) { hash(key.scope, $0, key.window) }
  }

  private func hash(_ scope: BudgetScope, _ name: NameBytes, _ window: Int32) -> UInt64 {
    name.hash(seed: seed &+ UInt64(scope.rawValue) &+ UInt64(window) << 8)
  }

  /// Whether more than half of the names' bytes are of keys that are gone.
  package var isWasteful: Bool {
    unusedBytes > Self.unusedByteBound && unusedBytes * 2 > names.byteCount
  }

  /// A pool without keys, in which they have the hashes that they have here.
  package func emptied() -> BudgetKeyPool {
    var pool = self
    pool.names = NamePool()
    pool.unusedBytes = 0
    return pool
  }

  /// The short form of a key of `other`, from which this pool was `emptied`.
  package mutating func take(_ key: Key, from other: BudgetKeyPool) -> Key {
    var key = key
    key.name = other.names.with(key.name) { names.append($0) }
    return key
  }
}
