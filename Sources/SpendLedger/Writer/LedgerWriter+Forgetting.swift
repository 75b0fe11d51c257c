import BudgetModel

extension LedgerWriter {
  /// Chooses the rows to be forgotten by a transaction that adds at most so many keys.
  /// `foldedThrough`: how far balances
  /// go once it is done.
  func chooseForgotten(
    adding added: Int, foldedThrough: Int64, at now: Timestamp
  ) -> Forgetting {
    var chosen = Forgetting(from: log.first)
    let measure = log.measure(
      adding: added, foldedThrough: foldedThrough, jumped: jumps.milliseconds,
      at: (now, SystemCalls.monotonicNanoseconds()))
    guard let measure, let store else { return chosen }
    do {
      try chosen.choose(by: measure) { id throws(SQLiteError) in
        try store.statements.batch(id: id)
      }
    } catch {
      upkeepFailed("forget old keys", "\(error)")
      return Forgetting(from: log.first)
    }
    if chosen.isEmpty { log.looked(chosen) }
    return chosen
  }

  /// Rows that were forgotten are gone from the disk: their keys follow.
  func forgot(_ chosen: borrowing Forgetting, at now: Timestamp) {
    guard !chosen.isEmpty else { return }
    log.forgot(chosen)
    if let early = chosen.early {
      // Before the keys: a retry must find either its key or the horizon.
      let horizon = shared.withStatus { status in
        status.horizon.forgottenThrough = early
        return status.horizon.horizon(at: now)
      }
      // Under load it happens with every commit.
      if schedule.reportsForgetting(at: SystemCalls.monotonicNanoseconds()) {
        client?.report(.keysForgottenEarly(horizon: horizon))
      }
    }
    removeKeys(of: chosen, at: now)
  }

  /// Takes forgotten keys out of the index, but for those that the horizon has not passed.
  func removeKeys(of chosen: borrowing Forgetting, at now: Timestamp) {
    let horizon = shared.withStatus { $0.horizon.horizon(at: now) }
    let staying = keysAhead.hold(
      through: chosen.rows.upperBound - 1, horizon: horizon.unixMilliseconds,
      jumped: jumps.milliseconds)
    shared.keys.remove(chosen.keys, but: staying)
  }

  /// The keys of a batch that is on disk, or may be: which of them are ahead of their commit.
  func noteKeysAhead(_ records: [QueuedRecord], batch: Int64, at now: Timestamp) {
    let now = now.unixMilliseconds
    for index in plan.leaders {
      let place = Int(plan.places[index])
      let madeAt = records[place].keyMadeAt
      guard KeysAhead.isNoted(madeAt: madeAt, at: now) else { continue }
      keysAhead.note(
        records[place].digest, madeAt: madeAt, batch: batch, at: (now, jumps.milliseconds))
    }
  }

  /// Lets go of keys that stayed in the index, once the horizon has passed them.
  func releaseKeysAhead(at now: Timestamp) {
    guard keysAhead.isReleaseDue(at: now.unixMilliseconds) else { return }
    let horizon = shared.withStatus { $0.horizon.horizon(at: now) }
    let released = keysAhead.release(
      before: horizon.unixMilliseconds, jumped: jumps.milliseconds, at: now.unixMilliseconds)
    for digest in released { shared.keys.remove(digest) }
  }

  /// Forgets what no commit takes along: keys that are old enough while nothing is recorded.
  func forget(at now: Timestamp) {
    guard store != nil, log.first <= log.foldedThrough else { return }
    let chosen = chooseForgotten(adding: 0, foldedThrough: log.foldedThrough, at: now)
    guard !chosen.isEmpty else { return }
    log.forgetting = chosen
    let isWritten = write(marks: false, at: now) { store throws(SQLiteError) in
      try chosen.write(to: store)
    }
    // In doubt, the file is read again, and tells whether they are gone.
    if isWritten || reopening == nil { log.forgetting = nil }
    guard isWritten else { return }
    forgot(chosen, at: now)
  }
}
