import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

@Suite struct StartKeyTests {
  private static let start: Int64 = 1_795_345_098_748
  private static let length: Int64 = 3_600_000
  private static let hour = WindowLength.seconds(3_600)

  private func read(
    _ text: String?, endsAt end: Int64?, now: Int64 = start + 1_000, length: WindowLength = hour
  ) -> StartKey {
    StartKey(
      text.map { Array($0.utf8) }, timeToLive: end.map { $0 - now } ?? -1, length: length,
      at: Timestamp(unixMilliseconds: now))
  }

  private func window(_ start: Int64, _ end: Int64) -> StartKey {
    .window(
      Window(
        start: Timestamp(unixMilliseconds: start), end: Timestamp(unixMilliseconds: end)))
  }

  private static let text = "1795345098.748117"
  private static let end = start + length

  @Test func ordinary() {
    #expect(read(Self.text, endsAt: Self.end) == window(Self.start, Self.end))
    // A key that was set late says when its window began all the same.
    #expect(read(Self.text, endsAt: Self.end + 2_000) == window(Self.start, Self.end))
    #expect(read(Self.text, endsAt: Self.end - 2_000) == window(Self.start, Self.end))
    #expect(StartKey(nil, timeToLive: -2, length: Self.hour, at: .latest) == .missing)
    #expect(StartKey([0x31], timeToLive: -2, length: Self.hour, at: .latest) == .missing)
  }

  @Test(arguments: [2_001, -2_001, 300_000, -300_000, 310_000, -310_000] as [Int64])
  func anotherHostsClock(_ skew: Int64) {
    // A second after it was set.
    let now = Self.start + skew + 1_000
    #expect(
      read(Self.text, endsAt: Self.end + skew, now: now) == window(Self.start, Self.end + skew))
  }

  /// A key of a longer window lasts longer than this one could.
  @Test(arguments: [2_001, 60_000, 295_000, 82_800_000] as [Int64])
  func setForALongerWindow(_ more: Int64) {
    #expect(read(Self.text, endsAt: Self.end + more + 1_001) == .otherLength)
  }

  @Test func howLongAKeyMayLast() {
    let end = Self.end + 30_000
    #expect(read(Self.text, endsAt: end, now: end - Self.length - 2_000) == window(Self.start, end))
    #expect(read(Self.text, endsAt: end, now: end - Self.length - 2_001) == .otherLength)
  }

  @Test func tooFarOff() {
    let late = Self.start + 1_000_000
    #expect(
      read(Self.text, endsAt: Self.end + 310_000, now: late)
        == window(Self.start, Self.end + 310_000))
    #expect(read(Self.text, endsAt: Self.end + 310_001, now: late) == .otherLength)
    #expect(read(Self.text, endsAt: Self.end - 310_001) == .otherLength)
    // A hundredth of a long window.
    let days = WindowLength.seconds(30 * 86_400)
    let end = Self.start + 30 * 86_400_000
    #expect(
      read(Self.text, endsAt: end + 25_920_000, now: Self.start + 26_000_000, length: days)
        == window(Self.start, end + 25_920_000))
    #expect(
      read(Self.text, endsAt: end + 25_920_001, now: Self.start + 26_000_000, length: days)
        != window(Self.start, end + 25_920_001))
  }

  @Test func overOrWithoutAnEnd() {
    #expect(
      read(Self.text, endsAt: Self.end + 2_000, now: Self.end) == window(Self.start, Self.end))
    #expect(read(Self.text, endsAt: Self.end + 2_000, now: Self.end + 1) == .over)
    #expect(read(Self.text, endsAt: nil) == window(Self.start, Self.end))
    #expect(read(Self.text, endsAt: nil, now: Self.end + 1) == .unusable("it has no end"))
  }

  @Test func anEndBeyondAllTime() {
    let key = StartKey(
      Array(Self.text.utf8), timeToLive: .max, length: Self.hour,
      at: Timestamp(unixMilliseconds: Self.start))
    guard case .otherLength = key else {
      Issue.record("\(key)")
      return
    }
  }

  @Test func aMarkerOfNoTime() {
    func head(_ texts: [String]) -> MarkerHead? {
      MarkerHead(.array(texts.map { .bytes(Array($0.utf8)) }))
    }
    #expect(head(["1", "2", "", "", ""]) != nil)
    for text in ["", "x", "-1", "\(Int64.min)", "\(Int64.max)", "1e3"] {
      #expect(head([text, "2", "", "", ""]) == nil && head(["1", text, "", "", ""]) == nil)
      #expect(head(["1", "2", text, "", text])?.replaced == nil)
    }
    #expect(MarkerHead(.null) == nil && head(["1", "2", "", ""]) == nil)
  }

  @Test(arguments: ["", "yesterday", "nan", "-1", "1e300", "{}", "null"])
  func noTime(_ text: String) {
    #expect(read(text, endsAt: Self.end) == .unusable("its value is not a time"))
  }
}
