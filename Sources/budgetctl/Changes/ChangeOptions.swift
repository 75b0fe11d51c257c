import ArgumentParser
import BudgetClient
import BudgetModel
import Foundation

/// Which budget is changed.
struct TargetOptions: ParsableArguments {
  @Argument(help: "provider, deployment, model, tag, pool or total.")
  var scope: ScopeArgument

  @Argument(
    help: "The budget's name; not needed for the total. One that ends in * is a pattern's.")
  var name = ""

  @Option(
    help: ArgumentHelp(
      "Which of the name's windows, as configured: 1d, month. Not needed where it has one.",
      valueName: "window"))
  var window = ""

  func validate() throws {
    if name.isEmpty, scope.scope != .total {
      throw ValidationError("give the name of the \(scope.scope) too")
    }
  }

  var target: BudgetTarget { BudgetTarget(scope.scope, name, window: window) }
}

/// Why something is changed, and how long the change holds.
struct TermOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "When the configuration's value holds again: 18:00, midnight, 2026-12-01T08:00:00Z.",
      valueName: "time"))
  var until: String?

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("How long until then: 30m, 2h, 1d.", valueName: "duration"))
  var duration: String?

  @OptionGroup var why: ReasonOption

  func validate() throws {
    if until != nil, duration != nil {
      throw ValidationError("--until and --for say the same: give one of them")
    }
    _ = try end(at: Timestamp(unixMilliseconds: BudgetsCommand.now()))
  }

  /// When the change ends, Unix milliseconds; nil: when it is cleared.
  func end(at now: Timestamp) throws -> Int64? {
    if let duration {
      guard let length = try? WindowLength(text: duration) else {
        throw ValidationError("--for \(duration): give a number and s, m, h, d or w, such as 30m")
      }
      return length.end(ofWindowFrom: now).unixMilliseconds
    }
    guard let until else { return nil }
    guard let time = LocalTime.next(until, after: now, in: .current) else {
      throw ValidationError(
        "--until \(until): give a time of day (18:00), midnight, or 2026-12-01T08:00:00Z")
    }
    return time.unixMilliseconds
  }
}

/// Why something is changed.
struct ReasonOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("Why: stands in the audit, at most 256 bytes.", valueName: "text"))
  var reason = ""
}

/// Times as people write them.
enum LocalTime {
  /// The instant that `text` names, after `now`: a time of day the next one, in `zone`.
  static func next(_ text: String, after now: Timestamp, in zone: TimeZone) -> Timestamp? {
    if let instant = try? Date(text, strategy: .iso8601) {
      let time = Timestamp(
        unixMilliseconds: Int64((instant.timeIntervalSince1970 * 1_000).rounded()))
      return time > now ? time : nil
    }
    let parts = (text == "midnight" ? "00:00" : text).split(
      separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ (1...2).contains($0.utf8.count) }),
      let hour = Int(parts[0]), let minute = Int(parts[1]), (0..<24).contains(hour),
      (0..<60).contains(minute)
    else { return nil }
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = zone
    let wanted = DateComponents(hour: hour, minute: minute)
    let start = Date(timeIntervalSince1970: Double(now.unixMilliseconds) / 1_000)
    guard let found = calendar.nextDate(after: start, matching: wanted, matchingPolicy: .nextTime)
    else { return nil }
    return Timestamp(unixMilliseconds: Int64(found.timeIntervalSince1970 * 1_000))
  }
}
