import Digest

/// A checksum over a row's values, kept in the row: SQLite checks its pages' structure, not what
/// stands in them, and a flipped bit in an amount is a wrong amount.
struct RowSeal {
  private var bytes: [UInt8] = []

  init(_ table: UInt8) { bytes.append(table) }

  mutating func add(_ value: Int64) {
    for shift in stride(from: 0, to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Int64(shift)))
    }
  }

  mutating func add(_ text: String) {
    add(Int64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  var value: Int64 {
    Int64(truncatingIfNeeded: UInt64(truncatingIfNeeded: SHA256Digest.prefix(of: bytes) >> 64))
  }

  static func meta(_ name: String, _ value: String) -> Int64 {
    var seal = RowSeal(1)
    seal.add(name)
    seal.add(value)
    return seal.value
  }

  static func budget(_ id: Int64, scope: Int64, name: String, windowText: String) -> Int64 {
    var seal = RowSeal(2)
    seal.add(id)
    seal.add(scope)
    seal.add(name)
    seal.add(windowText)
    return seal.value
  }

  static func balance(_ key: BalanceKey, end: Int64, origin: Int64, dollars: Int64, pico: Int64)
    -> Int64
  {
    var seal = RowSeal(3)
    for value in [key.budget, key.start, origin, end, dollars, pico] { seal.add(value) }
    return seal.value
  }

  static func fold(_ block: Int64, _ batch: Int64) -> Int64 {
    var seal = RowSeal(6)
    seal.add(block)
    seal.add(batch)
    return seal.value
  }

  static func origin(_ id: Int64, _ name: String) -> Int64 {
    var seal = RowSeal(4)
    seal.add(id)
    seal.add(name)
    return seal.value
  }
}
