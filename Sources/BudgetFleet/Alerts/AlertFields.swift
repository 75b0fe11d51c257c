import BudgetAlerts
import BudgetModel
import Reconciliation
import RedisStore

/// The fields of the hash of alerts, as texts:
///
///     word              another one for each life of the store's memory
///     swept             when it was looked through last for what is over, fleet ms
///     <id>              done <until>
///     <id> claim        <number> <node> <lease ms> <until>
///
/// `until`: nobody wants to hear of that window any more, fleet ms.
enum AlertFields {
  static let word = Array("word".utf8)
  static let swept = Array("swept".utf8)
  /// One command writes so many fields at most.
  static let writtenAtOnce = 500
  /// How often the hash is looked through.
  static let sweepInterval = Duration.seconds(3_600)
  /// More than any receiver's time limit makes.
  private static let longestLease: Int64 = 600_000
  private static let longestGeneration = 1_000_000

  /// Raises the number of an alert's last attempt. Replies 1, or 0: the alert is done, or the number is
  /// as high already, or the store is another one.
  static let script = RedisScript(
    #"""
    -- KEYS[1] the hash   ARGV[1] the word that has to be there, empty: any
    -- ARGV[2] the alert's field   [3] its claim's   [4] the number   [5] the claim
    local function get(field) return redis.call('HGET', KEYS[1], field) end
    if ARGV[1] ~= '' and get('word') ~= ARGV[1] then return 0 end
    if get(ARGV[2]) then return 0 end
    local last = tonumber(string.match(get(ARGV[3]) or '', '^%d+') or '')
    if last and last >= tonumber(ARGV[4]) then return 0 end
    redis.call('HSET', KEYS[1], ARGV[3], ARGV[5])
    return 1
    """#)

  static func claim(on id: String) -> [UInt8] { Array("\(id) claim".utf8) }

  static func done(_ row: AlertBook.Kept) -> [UInt8] {
    Array("done \(row.until.unixMilliseconds)".utf8)
  }

  /// The call that claims an attempt for the claim's claimant; `while`: only there.
  static func claimCall(
    _ key: [UInt8], _ id: String, _ claim: AlertBook.Claim, while word: [UInt8] = []
  ) -> RedisScriptCall {
    let text =
      "\(claim.generation) \(claim.claimant ?? "-") \(claim.lease.wholeMilliseconds) "
      + "\(claim.until.unixMilliseconds)"
    return RedisScriptCall(
      keys: [key],
      arguments: [
        word, Array(id.utf8), Self.claim(on: id), Array("\(claim.generation)".utf8),
        Array(text.utf8),
      ])
  }

  /// An alert's two fields, as `node` reads them: untrusted texts.
  static func seen(_ values: [RedisValue], by node: String) -> AlertBook.Seen {
    guard values.count == 2 else { return AlertBook.Seen(isDone: false, claim: nil) }
    var claim: AlertBook.Claim?
    let parts = words(values[1].bytes ?? [])
    if parts.count == 4, let generation = Int(parts[0]), let lease = Int64(parts[2]),
      let until = Int64(parts[3])
    {
      claim = AlertBook.Claim(
        generation: min(max(generation, 0), longestGeneration),
        by: parts[1] == node ? nil : parts[1],
        lease: .milliseconds(min(max(lease, 0), longestLease)),
        until: Timestamp(unixMilliseconds: until))
    }
    return AlertBook.Seen(isDone: values[0].bytes != nil, claim: claim)
  }

  /// Whether the hash is to be looked through at `now`; a time ahead is nobody's.
  static func isDue(_ swept: [UInt8]?, at now: Timestamp) -> Bool {
    let last = swept.flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? .min
    let interval = sweepInterval.wholeMilliseconds
    return last < now.unixMilliseconds - interval || last > now.unixMilliseconds + interval
  }

  /// The fields that nobody wants any more, among all: those of releases before 0.9.0 with them, which
  /// have no time in them (`<id> <number>`).
  static func over(_ fields: [RedisValue], at now: Timestamp) -> [[UInt8]] {
    stride(from: 0, to: fields.count - 1, by: 2).compactMap { place in
      guard let field = fields[place].bytes, let value = fields[place + 1].bytes,
        field != word, field != swept
      else { return nil }
      let (name, parts) = (words(field), words(value))
      if name.count == 2, Int(name[1]) != nil { return field }
      guard parts.count == (name.count == 2 ? 4 : 2), let until = parts.last.flatMap({ Int64($0) })
      else { return nil }
      return until < now.unixMilliseconds ? field : nil
    }
  }

  private static func words(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init)
  }
}
