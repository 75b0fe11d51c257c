import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// Every combination of what can be known about a budget's windows, held against what has to be
/// true of any decision.
@Suite struct WindowDecisionTests {
  private static let now: Int64 = 1_000_000
  private static let length: Int64 = 100_000

  private static func window(_ start: Int64, lasting: Int64 = length) -> Window {
    Window(
      start: Timestamp(unixMilliseconds: start), end: Timestamp(unixMilliseconds: start + lasting))
  }

  /// Ends: early, later, the last; one whose host has a clock of its own; one that is over.
  private static let early = window(now - 90_000)
  private static let later = window(now - 40_000)
  private static let last = window(now - 1_000)
  private static let skewed = window(now + 200_000, lasting: -150_000)
  private static let over = window(now - 100_001)

  private static let startKeys: [StartKey] =
    [.missing, .over, .otherLength, .unusable("")]
    + [early, later, last, skewed].map { .window($0) }

  /// As HMGET tells it.
  private static func head(
    _ window: Window, replaced: Timestamp? = nil, reset: Timestamp? = nil
  ) -> MarkerHead? {
    MarkerHead(
      .array(
        [window.start, window.end, replaced, reset, nil].map {
          .bytes(Array(($0.map { "\($0.unixMilliseconds)" } ?? "").utf8))
        }))
  }

  private static let markers: [MarkerHead?] = {
    var markers: [MarkerHead?] = [nil]
    for window in [early, later, last, skewed, over] {
      for replaced in [nil, early.start] {
        for reset in [nil, early.end, Timestamp(unixMilliseconds: last.end.unixMilliseconds - 1)] {
          let marker = head(window, replaced: replaced, reset: reset)
          markers.append(marker)
        }
      }
    }
    return markers
  }()

  private static let local = window(now - 20_000)
  private static let future = window(now + 5_000)

  private static let facts: [WindowDecision.Facts] = {
    var facts: [WindowDecision.Facts] = []
    for startKey in startKeys {
      for marker in markers {
        for adopted in [nil, early, later, last, skewed] {
          for locals in [[], [local], [local, future], [last, local]] {
            facts.append(
              WindowDecision.Facts(
                rule: .rolling(.seconds(100)), now: Timestamp(unixMilliseconds: now),
                startKey: startKey,
                marker: marker, adopted: adopted,
                locals: locals.filter { $0.start != adopted?.start }))
          }
        }
      }
    }
    return facts
  }()

  @Test func everyDecision() {
    #expect(Self.facts.count > 4_000)
    for facts in Self.facts {
      let problems = Self.problems(with: WindowDecision.make(facts), facts)
      #expect(problems.isEmpty, "\(problems) for \(facts)")
      var reversed = facts
      reversed.locals.reverse()
      #expect(WindowDecision.make(reversed) == WindowDecision.make(facts), "\(facts)")
    }
  }

  private static func problems(
    with decision: WindowDecision, _ facts: WindowDecision.Facts
  ) -> [String] {
    var problems: [String] = []
    func demand(_ isTrue: Bool, _ text: String) { if !isTrue { problems.append(text) } }
    let marker = facts.marker.flatMap { $0.window.isOpen(at: facts.now) ? $0.window : nil }
    var named: Window?
    if case .window(let window) = facts.startKey { named = window }
    switch decision {
    case .none:
      demand(marker == nil && named == nil, "somebody has a window")
      demand(
        facts.startKey == .over || facts.adopted == nil && facts.locals.isEmpty,
        "the node has a window")
    case .write(let window):
      demand(facts.startKey == .missing, "a start key is written over")
      demand(window.isOpen(at: facts.now), "a window that is over is written")
      demand(marker == nil || window == marker, "another window than the marker's is written")
    case .adopt(let window, let moving, let closing):
      demand(window.isOpen(at: facts.now), "a window that is over is adopted")
      demand(facts.startKey != .missing, "a window without a start key is adopted")
      if let marker {
        demand(
          window == marker || (window.end, window.start) >= (marker.end, marker.start),
          "an earlier window than the marker's is adopted")
      }
      let left = moving + closing
      demand(Set(left).count == left.count, "a window is left twice")
      demand(!left.contains(window.start), "the window is left for itself")
      let own = Set(facts.locals.map(\.start) + [facts.adopted?.start].compactMap { $0 })
      demand(Set(left) == own.subtracting([window.start]), "not all of the node's windows are left")
      if let reset = facts.marker?.resetUntil {
        for old in facts.locals + [facts.adopted].compactMap({ $0 }) where old.end <= reset {
          demand(!moving.contains(old.start), "spend of before a reset goes along")
        }
      }
    }
    return problems
  }

  @Test func aNewPeriodLeavesTheOldOneBehind() {
    var facts = WindowDecision.Facts(
      rule: .rolling(.seconds(100)), now: Timestamp(unixMilliseconds: Self.now),
      startKey: .window(Self.last), marker: Self.head(Self.early), adopted: Self.early,
      locals: [])
    #expect(
      WindowDecision.make(facts) == .adopt(Self.last, moving: [], closing: [Self.early.start]))
    // Nothing is known of the old one any more: the same period under another name.
    facts.marker = nil
    facts.adopted = Self.later
    #expect(
      WindowDecision.make(facts) == .adopt(Self.last, moving: [Self.later.start], closing: []))
  }

  @Test func spendFromBeforeAResetStaysThereWhateverTheStoreLost() {
    var facts = WindowDecision.Facts(
      rule: .rolling(.seconds(100)), now: Timestamp(unixMilliseconds: Self.now),
      startKey: .window(Self.last), marker: nil, reset: Self.later, adopted: Self.early,
      locals: [])
    #expect(
      WindowDecision.make(facts) == .adopt(Self.last, moving: [], closing: [Self.early.start]))
    // One that began after it goes along, also where its host's clock is behind.
    facts.adopted = Self.later
    #expect(
      WindowDecision.make(facts) == .adopt(Self.last, moving: [Self.later.start], closing: []))
    facts.adopted = nil
    let behind = Window(
      start: Self.early.start, end: Timestamp(unixMilliseconds: Self.later.end.unixMilliseconds + 1)
    )
    facts.locals = [behind]
    #expect(
      WindowDecision.make(facts) == .adopt(Self.last, moving: [behind.start], closing: []))
  }

  /// A reservation opens a window as spend would, and never one beside the fleet's.
  @Test func aReservationOpensAWindow() {
    var facts = WindowDecision.Facts(
      rule: .rolling(.seconds(100)), now: Timestamp(unixMilliseconds: Self.now), startKey: .missing,
      marker: nil, adopted: nil, locals: [])
    #expect(WindowDecision.make(facts) == .none)
    facts.isWanted = true
    #expect(WindowDecision.make(facts) == .write(Self.window(Self.now)))
    facts.startKey = .over
    #expect(WindowDecision.make(facts) == .none)
    facts.startKey = .window(Self.early)
    #expect(WindowDecision.make(facts) == .adopt(Self.early, moving: [], closing: []))
  }

  @Test func aWindowOpenedInTheFutureBeginsNow() {
    let facts = WindowDecision.Facts(
      rule: .rolling(.seconds(100)), now: Timestamp(unixMilliseconds: Self.now), startKey: .missing,
      marker: nil, adopted: nil, locals: [Self.future])
    #expect(WindowDecision.make(facts) == .write(Self.window(Self.now)))
  }
}
