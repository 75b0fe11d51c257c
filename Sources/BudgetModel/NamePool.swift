/// Names' bytes, one after another in one block: a name costs its bytes and eight more wherever it
/// is kept, not a text of its own.
///
/// Copies share the block until one of them grows.
public struct NamePool: Sendable {
  /// Where a name lies in the pool that it was added to.
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

  /// A name of this pool as a text of its own.
  public func text(of name: Name) -> String { with(name) { $0.text } }
}
