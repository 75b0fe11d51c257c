import BudgetModel
import Sockets
import TCPTransport

/// How often each address showed a token that nobody has, and how long it waits for its next refusal.
/// A value, told the time. Bound: `maximumAddresses`; the one that was quiet for longest is forgotten.
///
/// Only refusals wait. Whoever shows a right token is answered at once, from the same address too.
struct WrongTokens {
  /// The answer to one wrong token.
  struct Verdict: Equatable {
    /// How long the refusal waits.
    var delay: Duration
    /// How many the address has shown, if that is to be said in the log.
    var count: Int?
  }

  private struct Record {
    var count = 0
    var lastAt: MonotonicInstant
  }

  static let maximumAddresses = 1_024
  /// Refused at once: somebody takes the wrong file, and tries again.
  static let freeTokens = 5
  private static let shortestDelay = Duration.milliseconds(50)
  static let longestDelay = Duration.seconds(2)
  /// An address that was quiet for so long begins anew.
  private static let memory = Duration.seconds(600)
  /// Lines in the log are at least so far apart, whoever shows what.
  private static let quiet = Duration.seconds(1)

  private var records: [String: Record] = [:]
  private var mayWriteAt = MonotonicInstant(nanoseconds: .min)

  /// How many addresses are remembered.
  var addressCount: Int { records.count }

  /// Notes a wrong token from `address`.
  mutating func note(_ address: String, at now: MonotonicInstant) -> Verdict {
    if records[address] == nil, records.count >= Self.maximumAddresses {
      let oldest = records.min { $0.value.lastAt < $1.value.lastAt }
      if let oldest { records[oldest.key] = nil }
    }
    var record = records[address] ?? Record(lastAt: now)
    if now.duration(since: record.lastAt) >= Self.memory { record.count = 0 }
    record.count += 1
    record.lastAt = now
    records[address] = record
    return Verdict(delay: Self.delay(record.count), count: line(record.count, at: now))
  }

  /// Whether a token from `address` is not looked at yet: so soon after a wrong one the answer to this one
  /// would wait, had it to be refused. For what everybody may see, where a token only adds to the answer.
  func isWaiting(_ address: String, at now: MonotonicInstant) -> Bool {
    guard let record = records[address] else { return false }
    return now.duration(since: record.lastAt) < Self.delay(record.count)
  }

  /// The first of an address is told, then its tenth, hundredth and so on.
  private mutating func line(_ count: Int, at now: MonotonicInstant) -> Int? {
    var rest = count
    while rest % 10 == 0 { rest /= 10 }
    guard rest == 1, now >= mayWriteAt else { return nil }
    mayWriteAt = now.advanced(by: Self.quiet)
    return count
  }

  /// It doubles with each.
  private static func delay(_ count: Int) -> Duration {
    guard count > freeTokens else { return .zero }
    let doublings = min(count - freeTokens - 1, 16)
    return min(longestDelay, shortestDelay * (1 << doublings))
  }
}
