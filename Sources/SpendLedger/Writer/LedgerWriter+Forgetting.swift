import BudgetModel

extension LedgerWriter {
  /// A slice of forgetting that nothing forces takes at most so long, in nanoseconds.
  private static let sliceDuration: Int64 = 4_000_000

  /// So many keys that are old enough a commit takes along, beyond twice those that it adds.
  private static let endedKeysBound = 256

  /// Keys are forgotten from here on, so that the bound itself is seldom met: then a commit need not
  /// wait for many small rows to go.
  private var keyTarget: Int { settings.keyBound - settings.keyBound / 64 }

  /// Whether something is to be forgotten that no commit has taken along.
  var isForgettingDue: Bool {
    firstBatch <= foldedThrough && (firstBatchTime == nil || keyCount > keyTarget)
  }

  /// What the transaction that adds at most so many keys forgets: at least as many, once there are
  /// as many as may be. Nearly always nothing: it costs two comparisons.
  ///
  /// `folds`: that transaction also folds all batches so far.
  func chooseForgotten(adding added: Int, folds: Bool, at now: Timestamp) -> Forgetting {
    var chosen = Forgetting(from: firstBatch)
    let kept = now.unixMilliseconds - settings.keyRetention.milliseconds - jumps.milliseconds
    let wanted = keyCount + added - keyTarget
    if wanted <= 0, let firstBatchTime, firstBatchTime.unixMilliseconds >= kept { return chosen }
    let measure = Forgetting.Measure(
      due: keyCount + added - settings.keyBound, wanted: wanted, keptSince: kept,
      ended: added == 0 ? .max : 2 * added + Self.endedKeysBound,
      lastRow: folds ? lastBatch : foldedThrough,
      deadline: SystemCalls.monotonicNanoseconds() + Self.sliceDuration)
    guard let store, chosen.rows.upperBound <= measure.lastRow else { return chosen }
    do {
      try chosen.choose(by: measure) { id throws(SQLiteError) in
        try store.statements.batch(id: id)
      }
    } catch {
      upkeepFailed("forget old keys", "\(error)")
      return Forgetting(from: firstBatch)
    }
    if chosen.isEmpty { firstBatchTime = chosen.next }
    return chosen
  }

  /// Whether a commit that adds so many keys has to fold, since no row may go before that.
  func mustFoldToForget(adding added: Int) -> Bool {
    keyCount + added > settings.keyBound && foldedThrough != lastBatch
  }

  /// Rows that were forgotten are gone from the disk: their keys follow.
  func forgot(_ chosen: borrowing Forgetting, at now: Timestamp) {
    guard !chosen.isEmpty else { return }
    firstBatch = chosen.rows.upperBound
    firstBatchTime = chosen.next
    keyCount -= chosen.keys.count
    if let early = chosen.early {
      // Before the keys: a retry must find either its key or the horizon.
      let horizon = shared.withStatus { status in
        status.horizon.forgottenThrough = early
        return status.horizon.horizon(at: now)
      }
      tellOfForgetting(horizon)
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

  /// Once a minute at most: under load it happens with every commit.
  private func tellOfForgetting(_ horizon: Timestamp) {
    let instant = SystemCalls.monotonicNanoseconds()
    if let lastForgettingReport, instant - lastForgettingReport < 60 * 1_000_000_000 { return }
    lastForgettingReport = instant
    client?.report(.keysForgottenEarly(horizon: horizon))
  }

  /// Forgets what no commit takes along: keys that are old enough while nothing is recorded.
  func forget(at now: Timestamp) {
    guard store != nil, firstBatch <= foldedThrough else { return }
    let chosen = chooseForgotten(adding: 0, folds: false, at: now)
    guard !chosen.isEmpty else { return }
    forgetting = chosen
    let isWritten = write(folds: false, marks: false, at: now) { store throws(SQLiteError) in
      try chosen.write(to: store)
    }
    // In doubt, the file is read again, and tells whether they are gone.
    if isWritten || reopening == nil { forgetting = nil }
    guard isWritten else { return }
    forgot(chosen, at: now)
  }
}
