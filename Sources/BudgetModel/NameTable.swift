/// A map from names, looked up as bytes, to small numbers.
///
/// Open addressing with linear probing at a load of five eighths; four entries share a cache line,
/// and the names lie in a pool that others may share. A look-up touches two cache lines in most
/// cases and allocates nothing. Memory: 26 bytes a name, beside the pool.
public struct NameTable: Sendable {
  /// 16 bytes, so that none lies across two cache lines.
  @usableFromInline struct Entry: Sendable {
    /// The lower half of the name's hash, to spare most comparisons; its upper half tells the place.
    @usableFromInline var tag: UInt32
    @usableFromInline var start: UInt32
    @usableFromInline var length: UInt32
    /// -1: nothing is here.
    @usableFromInline var value: Int32

    @inlinable init(tag: UInt32, start: UInt32, length: UInt32, value: Int32) {
      self.tag = tag
      self.start = start
      self.length = length
      self.value = value
    }
  }

  @usableFromInline private(set) var entries: [Entry]
  /// The names' places in the pool.
  public private(set) var pool: NamePool
  @usableFromInline let seed: UInt64
  private var count = 0
  private let capacity: Int

  /// Makes a table with room for `capacity` names, which lie in `pool`.
  public init(capacity: Int, pool: NamePool) {
    self.capacity = capacity
    self.pool = pool
    seed = UInt64.random(in: 1 ... .max)
    entries = [Entry](
      repeating: Entry(tag: 0, start: 0, length: 0, value: -1), count: capacity * 8 / 5 + 2)
  }

  /// Builds a table with a pool of its own. A name that occurs twice keeps its first value.
  ///
  /// Bounds: those of `NamePool`; values from 0.
  public init(_ pairs: some Sequence<(name: String, value: Int32)>) {
    let pairs = Array(pairs)
    self.init(capacity: pairs.count, pool: NamePool())
    pool.reserve(pairs.reduce(0) { $0 + $1.name.utf8.count })
    for (name, value) in pairs { NameBytes.with(name) { _ = insert($0, value: value) } }
  }

  /// Adds a name that lies in the table's pool. False, and nothing changes, where it is there.
  public mutating func insert(_ name: NamePool.Name, value: Int32) -> Bool {
    insert(name, hash: pool.with(name) { $0.hash(seed: seed) }, value: value)
  }

  /// Adds a name to the table's pool and to the table. Nil, and nothing changes, where it is there.
  public mutating func insert(_ name: NameBytes, value: Int32) -> NamePool.Name? {
    guard self[name] == nil else { return nil }
    let place = pool.append(name)
    _ = insert(place, hash: name.hash(seed: seed), value: value)
    return place
  }

  private mutating func insert(_ name: NamePool.Name, hash: UInt64, value: Int32) -> Bool {
    precondition(value >= 0, "the values of a table are not negative")
    precondition(count < capacity, "more names than the table has room for")
    let tag = UInt32(truncatingIfNeeded: hash)
    var index = Self.place(of: hash, among: entries.count)
    while entries[index].value >= 0 {
      let entry = entries[index]
      if entry.tag == tag, entry.length == UInt32(name.length),
        pool.with(name, { $0.isEqual(to: pool.bytes, from: Int(entry.start)) })
      {
        return false
      }
      index = index + 1 == entries.count ? 0 : index + 1
    }
    entries[index] = Entry(
      tag: tag, start: name.start, length: UInt32(name.length), value: value)
    count += 1
    return true
  }

  /// The place where the search for a hash starts. The table's size need not be a power of two, so
  /// that it is never twice as large as it has to be.
  @inlinable @inline(__always) static func place(of hash: UInt64, among count: Int) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(truncatingIfNeeded: count)).high)
  }

  /// The hash by which `name` is looked for, for `likely`.
  @inlinable @inline(__always) public func hash(of name: NameBytes) -> UInt64 {
    name.hash(seed: seed)
  }

  /// Reads where the search for a name of this hash begins; its result is worth nothing but being used.
  @inlinable @inline(__always) public func touch(_ hash: UInt64) -> UInt32 {
    entries.span[Self.place(of: hash, among: entries.count)].tag
  }

  /// The value that the search for a name of this hash will nearly always find, and where its name lies
  /// in the pool: the name itself is not looked at. Nil where nothing will be found.
  @inlinable @inline(__always) public func likely(
    _ hash: UInt64
  ) -> (value: Int32, name: Range<Int>)? {
    let tag = UInt32(truncatingIfNeeded: hash)
    let entries = entries.span
    var index = Self.place(of: hash, among: entries.count)
    while true {
      let entry = entries[index]
      guard entry.value >= 0 else { return nil }
      if entry.tag == tag {
        return (entry.value, Int(entry.start)..<Int(entry.start) + Int(entry.length))
      }
      index = index + 1 == entries.count ? 0 : index + 1
    }
  }

  /// The number that belongs to `name`, or nil where the table does not hold it.
  @inlinable public subscript(name: NameBytes) -> Int32? {
    let hash = name.hash(seed: seed)
    let tag = UInt32(truncatingIfNeeded: hash)
    let entries = entries.span
    var index = Self.place(of: hash, among: entries.count)
    while true {
      let entry = entries[index]
      guard entry.value >= 0 else { return nil }
      if entry.tag == tag, Int(entry.length) == name.count,
        name.isEqual(to: pool.bytes, from: Int(entry.start))
      {
        return entry.value
      }
      index = index + 1 == entries.count ? 0 : index + 1
    }
  }
}

/// Names' bytes, one after another in one block: a name costs its bytes and eight more wherever it
/// is kept, not a text of its own.
///
/// Copies share the block until one of them grows.
public struct NamePool: Sendable {
  /// A name's place in the pool that it was added to.
  public struct Name: Hashable, Sendable {
    @usableFromInline let start: UInt32
    @usableFromInline let length: UInt16

    @inlinable init(start: UInt32, length: UInt16) {
      self.start = start
      self.length = length
    }
  }

  @usableFromInline private(set) var bytes: [UInt8] = []

  /// How many bytes all names take.
  public var byteCount: Int { bytes.count }

  /// How many bytes more there is room for.
  public var freeByteCount: Int { bytes.capacity - bytes.count }

  /// Makes an empty pool.
  public init() {}

  /// Adds a name of at most 65,535 bytes, whether it is there already or not. Bound: 4 GiB in all.
  public mutating func append(_ name: NameBytes) -> Name {
    precondition(name.count <= UInt16.max, "a name of more than 65,535 bytes in a pool")
    precondition(bytes.count <= Int(UInt32.max) - name.count, "more than 4 GiB of names")
    let place = Name(start: UInt32(bytes.count), length: UInt16(name.count))
    name.append(to: &bytes)
    return place
  }

  /// Makes room for `count` more bytes, exactly.
  public mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

  /// Calls `body` with a name of this pool, which is valid during the call.
  public func with<Result>(_ name: Name, _ body: (NameBytes) -> Result) -> Result {
    let start = Int(name.start)
    return NameBytes.with(bytes) { body($0[start..<start + Int(name.length)]) }
  }

  /// The byte at `place` of the block, which has as many.
  @inlinable @inline(__always) public func byte(at place: Int) -> UInt8 { bytes.span[place] }

  /// Reads both ends of a name that is not empty; its result is worth nothing but being used.
  @inlinable @inline(__always) public func touch(_ name: Range<Int>) -> UInt32 {
    UInt32(byte(at: name.lowerBound) ^ byte(at: name.upperBound - 1))
  }

  /// A name of this pool as a text of its own.
  public func text(of name: Name) -> String { with(name) { $0.text } }
}
