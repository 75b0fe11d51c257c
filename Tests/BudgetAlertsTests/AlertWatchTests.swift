import BudgetModel
import Testing

@testable import BudgetAlerts

/// Readings and settings of tests.
enum AlertSamples {
  static let start = Timestamp(unixMilliseconds: 1_764_201_600_000)
  static let day: Int64 = 86_400_000

  static func settings(_ change: (inout AlertRules) -> Void = { _ in }) throws -> AlertSettings {
    var settings = AlertSettings(
      webhook: AlertWebhook(.given(try WebhookURL("https://example.org/secret"), variable: nil)))
    settings.name = "test"
    change(&settings.rules)
    return settings
  }

  static func reading(
    _ name: String = "openai", spend: Int64, limit: Int64 = 100, from start: Timestamp = start
  ) -> AlertReading {
    AlertReading(
      key: BudgetKey(scope: .provider, name: name, windowText: "1d"),
      window: Window(
        start: start, end: Timestamp(unixMilliseconds: start.unixMilliseconds + day - 1)),
      limit: PicoUSD(dollars: limit), spend: PicoUSD(dollars: spend))
  }

  static func alert(_ name: String = "openai", percent: Int = 80) -> BudgetAlert {
    BudgetAlert(.reached(percent: percent), of: reading(name, spend: 85), in: "test", seenAt: start)
  }
}

/// A watch whose alerts all find room, unless told otherwise.
private struct Lookout {
  var watch: AlertWatch
  var now = AlertSamples.start
  var taking = AlertBook.Taking.taken
  var hasForecasts = true

  init(_ settings: AlertSettings, told: [String] = []) {
    watch = AlertWatch(settings, told: told)
  }

  /// A round of looks; the kinds of the alerts that were due.
  mutating func round(_ readings: AlertReading...) -> [String] {
    var due: [String] = []
    let taking = taking
    watch.look(at: readings, now: now) {
      due.append("\($0.budget.key.name) \($0.kind.word)")
      return taking
    }
    watch.endRound(at: now, hadForecasts: hasForecasts)
    return due
  }
}

@Suite struct AlertWatchTests {
  private func reading(_ spend: Int64, of limit: Int64 = 100) -> AlertReading {
    AlertSamples.reading(spend: spend, limit: limit)
  }

  @Test func eachThresholdIsToldOnceAndOnlyTheHighest() throws {
    var lookout = Lookout(try AlertSamples.settings())
    #expect(lookout.round(reading(79)) == [])
    #expect(lookout.round(reading(80)) == ["openai 80"])
    #expect(lookout.round(reading(94)) == [])
    #expect(lookout.round(reading(95)) == ["openai 95"])
    #expect(lookout.round(reading(130)) == ["openai 100"])
    #expect(lookout.round(reading(900)) == [])
    // From nothing to all of it in one step.
    var other = Lookout(try AlertSamples.settings())
    #expect(other.round(reading(100)) == ["openai 100"])
    #expect(other.round(reading(100)) == [])
  }

  @Test func theNextWindowIsAnotherMatter() throws {
    var lookout = Lookout(try AlertSamples.settings())
    #expect(lookout.round(reading(85)) == ["openai 80"])
    let next = Timestamp(unixMilliseconds: AlertSamples.start.unixMilliseconds + AlertSamples.day)
    #expect(lookout.round(AlertSamples.reading(spend: 85, from: next)) == ["openai 80"])
    lookout.now = Timestamp(unixMilliseconds: next.unixMilliseconds + 1)
    _ = lookout.round(AlertSamples.reading(spend: 85, from: next))
    #expect(lookout.watch.count == 1, "the window that is over is forgotten")
  }

  @Test func anAlertThatFindsNoRoomIsDueAgain() throws {
    var lookout = Lookout(try AlertSamples.settings())
    lookout.taking = .full
    #expect(lookout.round(reading(85)) == ["openai 80"])
    lookout.taking = .unsettled
    #expect(lookout.round(reading(85)) == ["openai 80"])
    lookout.taking = .taken
    #expect(lookout.round(reading(85)) == ["openai 80"])
    #expect(lookout.round(reading(85)) == [])
  }

  @Test func aLimitThatIsRaisedAndReachedAgainIsToldAgain() throws {
    var lookout = Lookout(try AlertSamples.settings())
    #expect(lookout.round(reading(85)) == ["openai 80"])
    // A little more, and it is over the threshold all the time: nobody needs to hear that.
    #expect(lookout.round(reading(85, of: 101)) == [])
    // Below, and there again.
    #expect(lookout.round(reading(85, of: 200)) == [])
    #expect(lookout.round(reading(161, of: 200)) == ["openai 80"])
    #expect(lookout.round(reading(161, of: 200)) == [])
    // From 95 down to the range of 80: that was passed on the way up.
    #expect(lookout.round(reading(195, of: 200)) == ["openai 95"])
    #expect(lookout.round(reading(195, of: 240)) == [])
  }

  @Test func aRestartTellsNothingAgain() throws {
    let settings = try AlertSamples.settings()
    let alert = AlertSamples.alert()
    var lookout = Lookout(settings, told: [alert.family])
    #expect(lookout.round(reading(85)) == [])
    #expect(lookout.round(reading(85, of: 101)) == [], "nor under a limit that was raised since")
    #expect(lookout.round(reading(96)) == ["openai 95"])
    // An alert that was told and is not so any more is told when it is so again.
    var other = Lookout(settings, told: [alert.family])
    #expect(other.round(reading(85, of: 200)) == [])
    #expect(other.round(reading(170, of: 200)) == ["openai 80"])
  }

  /// Told on the way up, by a life before: still over under a limit that was raised is no news.
  @Test func aRestartForgetsNoThresholdBelowTheOneThatIsReached() throws {
    let told = [80, 95].map { AlertSamples.alert(percent: $0).family }
    var lookout = Lookout(try AlertSamples.settings(), told: told)
    #expect(lookout.round(reading(96)) == [])
    #expect(lookout.round(reading(96, of: 110)) == [])
    // Below, and there again.
    #expect(lookout.round(reading(96, of: 200)) == [])
    #expect(lookout.round(reading(170, of: 200)) == ["openai 80"])
  }

  @Test func moneyOfARaisedLimitThatWillBeGoneIsToldAgain() throws {
    var lookout = Lookout(try AlertSamples.settings())
    var reading = reading(20)
    reading.runsOutAt = lookout.now
    #expect(lookout.round(reading) == ["openai runs_out"])
    // A little more, and it will be gone all the same: nobody needs to hear that.
    reading.limit = PicoUSD(dollars: 101)
    #expect(lookout.round(reading) == [])
    // A round without forecasts says nothing of what comes.
    reading.runsOutAt = nil
    lookout.hasForecasts = false
    #expect(lookout.round(reading) == [])
    (reading.runsOutAt, lookout.hasForecasts) = (lookout.now, true)
    #expect(lookout.round(reading) == [])
    // Enough for a while; then it is not.
    (reading.runsOutAt, reading.limit) = (nil, PicoUSD(dollars: 200))
    #expect(lookout.round(reading) == [])
    reading.runsOutAt = lookout.now
    #expect(lookout.round(reading) == ["openai runs_out"])
    #expect(lookout.round(reading) == [])
  }

  @Test func moneyThatWillBeGoneIsToldInTime() throws {
    var lookout = Lookout(try AlertSamples.settings())
    var reading = reading(20)
    reading.runsOutAt = Timestamp(unixMilliseconds: lookout.now.unixMilliseconds + 7_200_001)
    #expect(lookout.round(reading) == [])
    lookout.now = Timestamp(unixMilliseconds: lookout.now.unixMilliseconds + 1)
    #expect(lookout.round(reading) == ["openai runs_out"])
    // Forecasts come and go; a window has one.
    reading.runsOutAt = nil
    #expect(lookout.round(reading) == [])
    reading.runsOutAt = lookout.now
    #expect(lookout.round(reading) == [])
    var none = Lookout(try AlertSamples.settings { $0.runsOutInMilliseconds = nil })
    #expect(none.round(reading) == [])
  }

  @Test func aLimitOfNothingIsReachedByAnything() throws {
    var lookout = Lookout(try AlertSamples.settings())
    #expect(lookout.round(reading(0, of: 0)) == [])
    #expect(lookout.round(reading(1, of: 0)) == ["openai 100"])
    #expect(reading(1, of: 0).percent == nil && reading(81).percent == 81)
    // The largest amounts there are.
    var huge = reading(1)
    (huge.limit, huge.spend) = (.maximumLimit, .maximumLimit)
    #expect(huge.hasReached(percent: 100) && !huge.hasReached(percent: 101))
  }

  @Test func namesOfPatternsAreToldAtAPace() throws {
    let settings = try AlertSamples.settings { $0.dynamicPerHour = 3 }
    var lookout = Lookout(settings)
    let readings = (0..<10).map { number in
      var reading = AlertSamples.reading("user:\(number)", spend: 90)
      reading.isDynamic = true
      return reading
    }
    func due(_ lookout: inout Lookout) -> Int {
      var count = 0
      lookout.watch.look(at: readings, now: lookout.now) { _ in
        count += 1
        return .taken
      }
      return count
    }
    #expect(due(&lookout) == 3)
    #expect(!lookout.watch.hasAllowance(at: lookout.now) && due(&lookout) == 0)
    // One each 20 minutes, and none is lost.
    for _ in 0..<7 {
      lookout.now = Timestamp(unixMilliseconds: lookout.now.unixMilliseconds + 1_200_000)
      #expect(due(&lookout) == 1)
    }
    lookout.now = Timestamp(unixMilliseconds: lookout.now.unixMilliseconds + 36_000_000)
    #expect(due(&lookout) == 0, "each was told once")
    // Budgets that entries name are told whatever patterns use up.
    var other = Lookout(try AlertSamples.settings { $0.dynamicPerHour = 0 })
    #expect(due(&other) == 0 && other.round(reading(85)) == ["openai 80"])
  }

  @Test func thresholdsThatAReloadChangesCountFromThere() throws {
    var lookout = Lookout(try AlertSamples.settings { $0.thresholds = [90] })
    #expect(lookout.round(reading(85)) == [])
    lookout.watch.change(to: try AlertSamples.settings { $0.thresholds = [50, 90, 120] })
    #expect(lookout.round(reading(85)) == ["openai 50"])
    #expect(lookout.round(reading(120)) == ["openai 120"])
  }

  @Test func idsAreTheSameEverywhereAndOfOneThing() {
    let alert = AlertSamples.alert()
    #expect(alert.id.utf8.count == 32)
    #expect(alert.id == AlertSamples.alert().id)
    var others: Set<String> = [alert.id]
    others.insert(AlertSamples.alert(percent: 95).id)
    others.insert(AlertSamples.alert("azure").id)
    var other = alert
    other.fleet = "other"
    others.insert(other.id)
    other = alert
    other.kind = .runsOut
    others.insert(other.id)
    other = alert
    other.budget.key.scope = .tag
    others.insert(other.id)
    other = alert
    other.budget.key.windowText = "24h"
    others.insert(other.id)
    other = alert
    other.budget.window.start = Timestamp(unixMilliseconds: 1)
    others.insert(other.id)
    other = alert
    other.budget.limit = PicoUSD(dollars: 101)
    others.insert(other.id)
    #expect(others.count == 9)
    #expect(other.family == alert.family, "whatever the limit is")
    // The spend, and when it was seen, is not a part of it.
    other = alert
    (other.budget.spend, other.seenAt) = (PicoUSD(dollars: 99), .latest)
    #expect(other.id == alert.id)
  }
}
