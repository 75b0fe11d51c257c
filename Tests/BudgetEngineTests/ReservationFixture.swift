import BudgetModel

@testable import BudgetEngine

extension EngineFixture {
  /// Reserves an amount in pico-dollars; `key` tells retries.
  func reserve(
    _ pico: Int128, _ charged: ChargedSlots, ttl: Int64 = 120_000, key: ReservationKey? = nil,
    at now: Timestamp
  ) -> ReservationAnswer {
    var attempt = ReservationAttempt()
    return reserve(
      ReservationAsk(ReservedAmount(PicoUSD(pico: pico)), ttl: ttl, key: key), charged, &attempt,
      at: now)
  }

  func reserve(
    _ ask: ReservationAsk, _ charged: ChargedSlots, _ attempt: inout ReservationAttempt,
    at now: Timestamp
  ) -> ReservationAnswer {
    engine.reserve(
      ask, over: charged, at: ReservationMoment(catalog: engine.catalog, now: now),
      with: &attempt)
  }

  /// The reservation that is made; nil: it is not.
  func held(
    _ pico: Int128, _ charged: ChargedSlots, ttl: Int64 = 120_000, at now: Timestamp
  ) -> Reservation? {
    if case .held(let reservation) = reserve(pico, charged, ttl: ttl, at: now) {
      reservation
    } else {
      nil
    }
  }

  /// The settlement of a cost that is pending from now on; nil: names are to be looked up again.
  func settle(
    _ pico: Int128, _ charged: ChargedSlots, _ id: ReservationID, at now: Timestamp
  ) -> Settlement? {
    let answer = engine.addPending(
      PicoUSD(pico: pico), to: charged, settling: id, at: now)
    if case .pending(let settlement) = answer { return settlement }
    return nil
  }

  /// A record that settles and is on disk at once.
  @discardableResult
  func record(
    _ pico: Int128, _ charged: ChargedSlots, settling id: ReservationID, at now: Timestamp
  ) -> Settlement.Kind? {
    guard let settlement = settle(pico, charged, id, at: now) else { return nil }
    engine.commit(PicoUSD(pico: pico), of: charged, at: now)
    engine.settled(settlement.word, cost: PicoUSD(pico: pico))
    return settlement.kind
  }

  /// Ends all whose time is over, in slices as a timer does.
  @discardableResult
  func expire(at now: Timestamp) -> Int {
    var count = 0
    while true {
      let slice = engine.expireReservations(atMost: 64, at: now)
      count += slice
      if slice < 64 { return count }
    }
  }

  /// The amount kept back, in pico-dollars.
  func reserved(_ scope: BudgetScope, _ name: String, at now: Timestamp) -> Int128? {
    report(scope, name, at: now)?.reserved.pico
  }

  /// Whether a filter without an estimate lets a request with this provider and these tags pass.
  func passes(_ provider: String, tags: [String] = [], at now: Timestamp) -> Bool {
    var asking = self
    return !asking.filter([(provider, "")], tags: tags, at: now).isExhausted
  }
}

extension Reservation {
  /// The same as its text tells it.
  var read: ReservationID? { NameBytes.with(id.text) { ReservationID($0) } }
}
