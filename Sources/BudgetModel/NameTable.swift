/// An immutable map from names, looked up as bytes, to small numbers.
///
/// Open addressing with linear probing at a load of at most one half; all names lie in one block.
/// A look-up touches one or two cache lines and allocates nothing. Memory: 32 bytes a name and the
/// name's own bytes.
public struct NameTable: Sendable {
  @usableFromInline struct Entry: Sendable {
    /// The name's hash, to spare most comparisons.
    @usableFromInline var hash: UInt64
    @usableFromInline var start: UInt32
    @usableFromInline var length: UInt16
    @usableFromInline var isUsed: Bool
    @usableFromInline var value: Int32

    @inlinable init(hash: UInt64, start: UInt32, length: UInt16, isUsed: Bool, value: Int32) {
      self.hash = hash
      self.start = start
      self.length = length
      self.isUsed = isUsed
      self.value = value
    }
  }

  @usableFromInline let entries: [Entry]
  @usableFromInline let pool: [UInt8]
  @usableFromInline let seed: UInt64

  /// Builds the table. A name that occurs twice keeps its first value.
  ///
  /// Bounds: names of at most 65,535 bytes, 4 GiB in all.
  public init(_ pairs: some Sequence<(name: String, value: Int32)>) {
    let pairs = Array(pairs)
    var capacity = 8
    while capacity < pairs.count * 2 { capacity *= 2 }
    let seed = UInt64.random(in: 1 ... .max)
    let empty = Entry(hash: 0, start: 0, length: 0, isUsed: false, value: -1)
    var entries = [Entry](repeating: empty, count: capacity)
    var pool: [UInt8] = []
    for (name, value) in pairs {
      let bytes = Array(name.utf8)
      precondition(bytes.count <= UInt16.max, "a name of more than 65,535 bytes in a table")
      NameBytes.with(bytes) { bytes in
        let hash = bytes.hash(seed: seed)
        var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
        while entries[index].isUsed {
          let entry = entries[index]
          if entry.hash == hash, Int(entry.length) == bytes.count,
            bytes.isEqual(to: pool, from: Int(entry.start))
          {
            return
          }
          index = (index + 1) & (capacity - 1)
        }
        entries[index] = Entry(
          hash: hash, start: UInt32(pool.count), length: UInt16(bytes.count), isUsed: true,
          value: value)
        bytes.append(to: &pool)
      }
    }
    self.entries = entries
    self.pool = pool
    self.seed = seed
  }

  /// The number that belongs to `name`, or nil where the table does not hold it.
  @inlinable public subscript(name: NameBytes) -> Int32? {
    let hash = name.hash(seed: seed)
    let entries = entries.span
    let mask = entries.count - 1
    var index = Int(truncatingIfNeeded: hash) & mask
    while true {
      let entry = entries[index]
      guard entry.isUsed else { return nil }
      if entry.hash == hash, Int(entry.length) == name.count,
        name.isEqual(to: pool, from: Int(entry.start))
      {
        return entry.value
      }
      index = (index + 1) & mask
    }
  }
}
