import BudgetEngine
import BudgetModel
import BudgetWire
import Reconciliation

extension BudgetService {
  /// Holds an amount back in every budget that a record of the same names would be charged to. Returns
  /// whether it was answered; where not, the fleet is to be asked for what it `lacks`.
  mutating func reserveSpend(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    for _ in 0..<ServiceRefusal.mostLookUps {
      let catalog = catalogs.current()
      let question = try reservations.resolve(head, in: catalog, with: &reader)
      if reservations.charged.isStale { continue }
      if let refusal = context.refusal, !reservations.charged.slots.isEmpty {
        throw ServiceRefusal(refusal)
      }
      var answer = context.engine.reserve(
        question.ask, over: reservations.charged,
        at: ReservationMoment(catalog: catalog, now: now()), with: &reserving.attempt)
      if answer == .deferred {
        guard context.engine.deny(&reserving.attempt, where: context.isRefused) else {
          if note(lacking: reserving.attempt.lacking, for: question.ask.ttl) { return false }
          continue
        }
        answer = .denied
      }
      switch answer {
      case .outdated: continue
      case .held(let reservation), .known(let reservation):
        if case .held = answer {
          try trace(head, question.ask, reservation, in: catalog)
        }
        if reservations.charged.contradictsModelList { counts.countContradictions(1) }
        reserving.reply.tell(of: reservation)
        responses.appendReserveSpend(reserving.reply, callID: head.callID, to: &output)
      case .denied:
        denyReservation(question, in: catalog)
        responses.appendReserveDenied(&reserving.denied, callID: head.callID, to: &output)
        try trace(head, question.ask, nil, in: catalog)
      case .clash, .regrouped, .full, .deferred: throw ServiceRefusal(notReserved: answer)
      }
      return true
    }
    throw .changedMeanwhile
  }

  /// Nothing of the message may be used after that: it is unpacked for the trace.
  private mutating func trace(
    _ head: RequestHead, _ ask: ReservationAsk, _ reservation: Reservation?,
    in catalog: BudgetCatalog
  ) throws(ServiceRefusal) {
    guard let trace = context.trace else { return }
    trace.filtered(try traced(head, ask, reservation, in: catalog), at: now())
  }

  /// Tells which budgets lack room, in `reserving.denied`.
  private mutating func denyReservation(
    _ question: ReservationQuestion, in catalog: BudgetCatalog
  ) {
    let attempt = reserving.attempt
    answer = .resourceExhausted
    reserving.denied.reset()
    reserving.denied.statusCode = .resourceExhausted
    denied.count(attempt.denials, in: counts)
    denialText.begin(under: catalog.edition, prefix: DenialText.reservePrefix)
    for denial in attempt.denials {
      denials.add(denial, in: catalog, to: &reserving.denied)
      catalog.withDenier(of: denial) { budget in
        denialText.add(
          denial, by: budget, candidate: question.names, estimate: question.ask.amount.amount)
      }
    }
    let omitted = attempt.denialsOmitted
    if omitted > 0 {
      reserving.denied.omitDenials(omitted)
      counts.countOmitted(Int(omitted))
    }
    denialText.finish(unlisted: Int(omitted))
    reserving.denied.statusMessage.append(bytesOf: denialText.bytes)
  }
}

extension ServiceRefusal {
  /// A retry is told of the candidate that was chosen, which the configuration has no more, or elsewhere.
  static var regrouped: ServiceRefusal {
    ServiceRefusal(
      .aborted,
      "the configuration has changed since idempotency_key was used: ask again with another key")
  }

  /// Why nothing was reserved, where it is not for want of room in a budget.
  init(notReserved answer: ReservationAnswer) {
    switch answer {
    case .clash:
      self.init(
        .alreadyExists,
        "idempotency_key was used before with other fields: nothing was reserved; make a key for "
          + "each reservation")
    case .regrouped: self = .regrouped
    case .full(let bound):
      self.init(
        .unavailable,
        "not reserved: \(bound) reservations are open, the most there may be "
          + "(--max-open-reservations); try again, or ask without a reservation")
    default:
      self.init(
        .unavailable, "not reserved: a budget waits for the fleet; try again")
    }
  }
}

/// A lane's values for reserving, reused from request to request.
struct ReservationsInProgress {
  var attempt = ReservationAttempt()
  /// The expected costs of the candidates, and for how long one is held.
  var round: CandidateRound?
  /// The room that the request under way lacks, and the fleet is to be asked for.
  var lacks: [WaitingRoom.Lack] = []
  var reply = FilterReply.ReservationReply()
  /// The denials of a ReserveSpend.
  var denied: FilterReply

  init(bounds: WireBounds) {
    denied = FilterReply(reserving: bounds)
    attempt.maximumDenials = bounds.maximumDenials
  }
}

extension FilterReply.ReservationReply {
  /// Becomes what a client is told of `reservation`.
  mutating func tell(of reservation: Reservation) {
    id.removeAll(keepingCapacity: true)
    reservation.id.append(to: &id)
    expiresAtUnixMilliseconds = reservation.until.unixMilliseconds
    amountUSD = reservation.amount.dollars
  }
}
