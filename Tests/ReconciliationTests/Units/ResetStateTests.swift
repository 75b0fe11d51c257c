import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// Whether the store is told of a reset: also again, where it has forgotten it.
@Suite struct ResetStateTests {
  private static let reset = Timestamp(unixMilliseconds: 1_795_000_000_000)
  private static let now = Timestamp(unixMilliseconds: 1_795_000_050_000)

  /// A budget whose reset the store was told of.
  private static func state() throws -> BudgetState {
    let key = BudgetKey(scope: .tag, name: "t", windowText: "100s")
    let budget = FleetBudget(
      key: key, limit: PicoUSD(dollars: 100), windowLength: .seconds(100))
    var state = BudgetState(
      budget, keys: try #require(BudgetKeys(key, in: RedisKeys(namespace: nil))), position: 0)
    state.reset = reset
    state.toldReset()
    return state
  }

  /// The call that tells the store, where its marker says so.
  private static func call(_ marker: MarkerHead?, at now: Timestamp = now) throws -> ResetCall? {
    var state = try state()
    return state.resetCall(marker, .missing, at: now)
  }

  private static func marker(from start: Int64, resetAt: Int64? = nil) throws -> MarkerHead {
    let begins = reset.unixMilliseconds + start
    let words = [
      "\(begins)", "\(begins + 100_000)", "", "",
      resetAt.map { "\(reset.unixMilliseconds + $0)" } ?? "",
    ]
    return try #require(MarkerHead(.array(words.map { .bytes(Array($0.utf8)) })))
  }

  @Test func whatWasToldIsNotToldAgain() throws {
    #expect(try Self.call(nil) == nil)
    let known = [
      try Self.marker(from: 0), try Self.marker(from: 7, resetAt: 7),
      // LiteLLM's window may have an earlier start, on a host whose clock is behind.
      try Self.marker(from: -7, resetAt: 0),
    ]
    for marker in known { #expect(try Self.call(marker) == nil) }
  }

  @Test func aStoreThatFallsBackToAWindowOfBeforeIsToldAgain() throws {
    for marker in [try Self.marker(from: -7), try Self.marker(from: -7, resetAt: -7)] {
      let call = try #require(try Self.call(marker))
      #expect(call.window.start == Self.reset)
    }
    let over = Timestamp(unixMilliseconds: Self.now.unixMilliseconds + 50_001)
    #expect(try Self.call(try Self.marker(from: -7), at: over) == nil)
  }

  @Test func callsSayThatAResetBeganTheWindow() throws {
    for (start, flags) in [(Self.reset, "R"), (Self.now, "-")] {
      var state = try Self.state()
      let end = Timestamp(unixMilliseconds: start.unixMilliseconds + 100_000)
      state.record = FleetRecord(key: state.key, start: start, end: end, at: Self.now)
      var own = BudgetState.OwnWindow(end: end)
      own.parts = ["o": PicoUSD(dollars: 1)]
      state.windows[start] = own
      let calls = state.mergeCalls().map {
        $0.scriptCall(spendKey: Array("K".utf8), markKey: Array("M".utf8))
      }
      #expect(calls.map { String(decoding: $0.arguments[6], as: UTF8.self) } == [flags])
    }
  }

  @Test func aCallThatFindsItLostHasItToldAgain() throws {
    var state = try Self.state()
    #expect(!state.owesReset)
    state.lostReset()
    #expect(state.owesReset && state.isUnsettled(at: Self.now))
  }
}
