import BudgetModel

/// A record as it waits: its slots lie in the queue's own array, so that it owns no memory.
struct QueuedRecord {
  var amount: PicoUSD
  var digest: UInt128
  var fingerprint: UInt128
  var token: LedgerToken
  var settlement: UInt64
  /// When its UUIDv7 was made; `noTime` for other keys.
  var keyMadeAt: Int64
  var firstSlot: Int32
  var slotCount: Int32
  var hasKey: Bool
  /// Its key was claimed when it was queued.
  var isClaimed: Bool
  var isKeyImplied: Bool

  static let noTime = Int64.min

  init(_ record: LedgerRecord, firstSlot: Int, slotCount: Int, isClaimed: Bool) {
    amount = record.amount
    digest = record.key?.digest ?? 0
    fingerprint = record.key?.fingerprint ?? 0
    token = record.token
    settlement = record.settlement
    isKeyImplied = record.isKeyImplied
    keyMadeAt = record.key?.madeAt?.unixMilliseconds ?? Self.noTime
    self.firstSlot = Int32(firstSlot)
    self.slotCount = Int32(slotCount)
    hasKey = record.key != nil
    self.isClaimed = isClaimed
  }

  /// The places of its slots.
  var slotRange: Range<Int> { Int(firstSlot)..<Int(firstSlot) + Int(slotCount) }

  /// Whether no key is left to be claimed.
  var isJudged: Bool { isClaimed || !hasKey }

  /// The bytes of the queue's bound that a record takes.
  static func bytes(slotCount: Int) -> Int {
    MemoryLayout<QueuedRecord>.stride + slotCount * MemoryLayout<Int32>.stride
  }
}
