import BudgetModel
import Reconciliation
import RedisStore

@testable import Reconciliation

/// The script's duties at the edges, where chance seldom leads: read off one call each.
struct ScriptRules {
  static let start: Int64 = 1_795_000_000_000
  static let length: Int64 = 100_000
  static let end = start + length

  let script: String

  /// The rules that the script breaks.
  func broken() throws -> [String] {
    var broken: [String] = []
    for (name, holds) in Self.rules + ClaimRules.rules where try !holds(try Bench(script)) {
      broken.append(name)
    }
    return broken
  }

  /// A store with nothing but one budget's keys.
  struct Bench {
    let redis: VirtualRedis

    init(_ script: String) throws { redis = try VirtualRedis(script: script, now: start + 1_000) }

    var spend: String? { redis.text("K") }
    func mark(_ field: String) -> String? { redis.hash("{K}:bd")?[field] }

    func run(_ words: String...) {
      _ = redis.perform(words.map { Array($0.utf8) })
    }

    /// The code that a call of the script answers.
    @discardableResult
    func merge(
      _ origin: String, _ cumulative: String, confirmed: String = "0.000000000000",
      seen: String = "0", flags: String = "-", start: Int64 = start, end: Int64 = end,
      operation: String = "SYNC"
    ) -> String {
      var words = [operation, "\(start)", "\(end)", "\(length)", "e", seen, flags]
      if operation == "SYNC" { words += [origin, cumulative, confirmed] }
      let reply = redis.evaluate(
        RedisScriptCall(
          keys: [Array("K".utf8), Array("{K}:bd".utf8)], arguments: words.map { Array($0.utf8) }))
      return reply.array?.first?.bytes.map { String(decoding: $0, as: UTF8.self) }
        ?? reply.refusal?.text ?? ""
    }
  }

  typealias Rule = (name: String, holds: (Bench) throws -> Bool)

  private static let one = "1.000000000000"

  private static var rules: [Rule] {
    [
      (
        "a window is open at its last instant, and not after",
        { bench in
          bench.merge("a", one)
          bench.redis.now = end
          let last = bench.merge("a", "2.000000000000")
          bench.redis.now = end + 1
          return last == "OK" && bench.merge("a", "3.000000000000") == "STALE"
            && bench.mark("sum") == "2.000000000000"
        }
      ),
      (
        "a marker's end is everybody's end",
        { bench in
          bench.merge("a", one)
          bench.redis.now = end + 1
          return bench.merge("b", one, end: end + 1_000) == "STALE" && bench.mark("sum") == one
        }
      ),
      (
        "keys go one millisecond after the window",
        { bench in
          bench.merge("a", one)
          return bench.redis.expiry("K") == end + 1
            && bench.redis.expiry("{K}:bd") == end + 600_000
        }
      ),
      (
        "a spend key that has an end keeps it",
        { bench in
          bench.run("SET", "K", "5", "PXAT", "\(end - 3)")
          bench.merge("a", one)
          return bench.redis.expiry("K") == end - 3 && bench.spend == "6"
        }
      ),
      (
        "the smallest amount arrives",
        { bench in
          bench.merge("a", "0.000000000001")
          return bench.spend == "0.000000000001" && bench.mark("sum") == "0.000000000001"
        }
      ),
      (
        "amounts past a double's digits arrive",
        { bench in
          bench.merge("a", "9007199254740.993000000001")
          bench.merge("b", "0.000000000001")
          return bench.mark("sum") == "9007199254740.993000000002"
        }
      ),
      (
        "a total of 10^15 dollars and more is carried, to the last pico-dollar",
        { bench in
          bench.merge("a", "999999999999999.999999999999")
          bench.merge("b", "0.000000000001")
          guard bench.mark("sum") == "1000000000000000.000000000000" else { return false }
          bench.merge("b", "900000000000000000.000000000002")
          bench.merge("a", "1000000000999999999.999999999999")
          return bench.mark("sum") == "1900000001000000000.000000000001"
        }
      ),
      (
        "a spend key above 10^15 dollars is mended where it is too small",
        { bench in
          bench.merge("a", "3000000000000000.500000000000")
          bench.run("DEL", "{K}:bd")
          bench.run("SET", "K", "1000000000999999999", "PXAT", "\(end)")
          bench.run("SET", "K", "1000000999999999.75", "PXAT", "\(end)")
          return bench.merge(
            "a", "3000000000000000.500000000000", confirmed: "3000000000000000.500000000000",
            seen: "1000000000000000") == "KLOST"
            && bench.spend == "3000000000000000.5"
        }
      ),
      (
        "a sum that no text can hold is refused before any write",
        { bench in
          bench.merge("a", "999999999999999999999999.000000000000")
          let writes = bench.redis.writes
          return bench.merge("b", one).hasPrefix("BDRANGE") && bench.redis.writes == writes
            && bench.mark("sum") == "999999999999999999999999.000000000000"
        }
      ),
      (
        "a spend key smaller by a nano-dollar is mended",
        { bench in
          bench.merge("a", "0.000000002000")
          bench.run("SET", "K", "0.0000000015", "PXAT", "\(end)")
          return bench.merge("a", "0.000000002000") == "KLOST" && bench.spend == "0.0000000035"
        }
      ),
      (
        "a deleted spend key is rebuilt from the last total",
        { bench in
          bench.run("SET", "K", "5", "PXAT", "\(end)")
          bench.merge("a", one)
          bench.run("DEL", "K")
          return bench.merge("a", one) == "KLOST" && bench.spend == "6"
        }
      ),
      (
        "a marker that was lost counts nothing twice",
        { bench in
          bench.merge("a", one)
          bench.run("DEL", "{K}:bd")
          return bench.merge("a", one, confirmed: one, seen: "1") == "MLOST" && bench.spend == "1"
            && bench.mark("sum") == one
        }
      ),
      (
        "a marker and a spend key that were lost are made again",
        { bench in
          bench.merge("a", one)
          bench.run("FLUSHALL")
          bench.run("SET", "K", "0.5", "PXAT", "\(end)")
          return bench.merge("a", one, confirmed: one, seen: "1") == "NEW" && bench.spend == "1.5"
        }
      ),
      (
        "a spend key never holds less than its marker",
        { bench in
          bench.merge("a", one)
          bench.run("SET", "K", "1.25", "PXAT", "\(end)")
          bench.run("DEL", "{K}:bd")
          bench.merge("a", one, confirmed: one, seen: "1")
          bench.merge("b", one, confirmed: one, seen: "1.2")
          return bench.spend == "2" && bench.mark("sum") == "2.000000000000"
        }
      ),
      (
        "a spend key that ends late is looked into first",
        { bench in
          bench.run("SET", "K", "5", "PXAT", "\(end + 5_002)")
          let writes = bench.redis.writes
          return bench.merge("a", one) == "FOREIGN" && bench.redis.writes == writes
            && bench.merge("a", one, flags: "F") == "NEW"
        }
      ),
      (
        "the finished window's spend key is waited for",
        { bench in
          bench.run("SET", "K", "5", "PXAT", "\(start + 4_000)")
          let writes = bench.redis.writes
          return bench.merge("a", one) == "WAIT" && bench.redis.writes == writes
        }
      ),
      (
        "near its end a window gets no new spend key",
        { bench in
          bench.redis.now = end - 4_999
          return bench.merge("a", one) == "ENDING" && bench.spend == nil && bench.mark("sum") == one
        }
      ),
      (
        "the later end wins, whatever the start",
        { bench in
          bench.merge("a", one, start: start + 300_000)
          return bench.merge("b", one, start: start, end: end + 1) == "NEW"
            && bench.merge("a", one, start: start + 300_000) == "STALE"
            && bench.mark("fin") == "\(end + 1)"
        }
      ),
      (
        "of two windows with one end the later start wins",
        { bench in
          bench.merge("a", one, start: start + 1)
          return bench.merge("b", one) == "STALE"
            && bench.merge("b", one, start: start + 2) == "NEW"
        }
      ),
      (
        "a window that is over is replaced, whatever its start",
        { bench in
          bench.merge("a", one, start: start + 300_000)
          // The finished window's key is there until the millisecond after it.
          bench.redis.now = end + 2
          return bench.merge("b", one, start: end + 2, end: end + 2 + length) == "NEW"
        }
      ),
      (
        "a reset ends what was, also where nobody had pushed",
        { bench in
          bench.run("SET", "K", "5", "PXAT", "\(end)")
          let reset = bench.merge(
            "", "", start: start + 1_000, end: end + 1_000, operation: "RESET")
          return reset == "RESET" && bench.spend == "0"
            && bench.mark("rf") == "\(end + 999)" && bench.merge("a", one) == "STALE"
        }
      ),
      (
        "of two resets the later one holds, in whatever order they come",
        { bench in
          bench.merge("a", one)
          let first = bench.merge(
            "", "", start: start + 1_000, end: end, operation: "RESET")
          let second = bench.merge(
            "", "", start: start + 2_000, end: end, operation: "RESET")
          let late = bench.merge(
            "", "", start: start + 1_500, end: end, operation: "RESET")
          let again = bench.merge(
            "", "", start: start + 2_000, end: end, operation: "RESET")
          return first == "RESET" && second == "RESET" && late == "STALE" && again == "OK"
            && bench.mark("w") == "\(start + 2_000)"
        }
      ),
      (
        "late spend of a calendar's window that was reset is refused, the new window takes its own",
        { bench in
          bench.merge("a", one)
          bench.merge("", "", start: start + 1_000, end: end, operation: "RESET")
          let late = bench.merge("a", "5.000000000000")
          let own = bench.merge("a", one, start: start + 1_000, end: end)
          return late == "STALE" && own == "OK" && bench.spend == "1"
        }
      ),
      (
        "late spend of a window that was to end after the new one is refused",
        { bench in
          bench.merge("a", one, start: start, end: end + 1_000)
          bench.merge("", "", start: start + 1_000, end: end, operation: "RESET")
          return bench.merge("a", "5.000000000000", start: start, end: end + 1_000) == "STALE"
        }
      ),
      (
        "a reset of a window that is over ends no later one",
        { bench in
          bench.redis.now = start + 2_000
          bench.merge("a", one, start: start + 1_500, end: end + 5_000)
          return bench.merge(
            "", "", start: start + 1_000, end: end, operation: "RESET") == "STALE"
            && bench.mark("w") == "\(start + 1_500)"
        }
      ),
      (
        "a window that a reset began does not begin on what a store that lost the reset holds",
        { bench in
          bench.merge("a", one)
          let writes = bench.redis.writes
          let lost = bench.merge("a", one, flags: "R", start: start + 1_000, end: end + 1_000)
          let forced = bench.merge("a", one, flags: "FR", start: start + 1_000, end: end + 1_000)
          guard lost == "UNRESET", forced == "UNRESET", bench.redis.writes == writes else {
            return false
          }
          bench.merge("", "", start: start + 1_000, end: end + 1_000, operation: "RESET")
          return bench.merge("a", one, flags: "R", start: start + 1_000, end: end + 1_000) == "OK"
            && bench.spend == "1"
        }
      ),
      (
        "a window that a reset began begins in an emptied store",
        { $0.merge("a", one, flags: "R", start: start + 1_000, end: end + 1_000) == "NEW" }
      ),
      (
        "nothing new writes nothing",
        { bench in
          bench.merge("a", one)
          let writes = bench.redis.writes
          let code = bench.merge("a", one, confirmed: one, seen: "1")
          return code == "OK" && bench.merge("a", "0.500000000000") == "OK"
            && bench.redis.writes == writes
        }
      ),
      (
        "strange arguments and strange keys are refused before any write",
        { bench in
          let writes = bench.redis.writes
          let refused = [
            "1", "1.0", "-1.000000000000", "1234567890123456789012345.000000000000", "",
          ].map {
            bench.merge("a", $0).hasPrefix("BDARG")
          }
          bench.run("SET", "K", "nan")
          let strange = bench.merge("a", one).hasPrefix("BDTYPE")
          bench.run("HSET", "K2", "a", "b")
          return !refused.contains(false) && strange && bench.redis.writes == writes + 2
        }
      ),
    ]
  }
}
