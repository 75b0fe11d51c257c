public import Locks

extension SpendLedger {
  /// One transaction takes so many adoptions, or windows to remember, at most: commits of records
  /// come in between.
  static let fleetSlice = 500

  /// Everything that was recorded, moved or opened since the last call: committed totals only.
  ///
  /// The first call, and the first after the file was opened again or budgets were renamed, gives
  /// everything: each window that is open or ended within the last ten minutes. Waits for the
  /// ledger's thread. Costs nothing while nobody has asked yet.
  public func changes() throws(LedgerError) -> LedgerChanges {
    try askForChanges().wait().get()
  }

  /// The same, without waiting: the answer comes when the ledger's thread is done with what it is at, a
  /// disk that stands still included.
  public func askForChanges() throws(LedgerError) -> Promise<Result<LedgerChanges, LedgerError>> {
    let reply = Promise<Result<LedgerChanges, LedgerError>>()
    guard shared.queue.ask(.changes(reply: reply)) else { throw .closed }
    return reply
  }

  /// Makes windows of the fleet this node's own, each in one transaction; the client is told
  /// (`LedgerClient.adopted`) before another record is labelled. Waits for the disk.
  ///
  /// After an error all of it can be repeated, also the part that was done: a window that has moved
  /// is not there to move again.
  public func adopt(_ adoptions: [FleetAdoption]) throws(LedgerError) {
    _ = try inSlices(adoptions) { .adopt($0, reply: $1) }
  }

  /// Keeps what is known of the fleet's windows, for the next start. Waits for the disk.
  public func remember(_ windows: [FleetWindow]) throws(LedgerError) {
    _ = try remember(windows) { $0.wait() }
  }

  /// The same, as long as `wait` does: where that gives nil it is over, and the ledger may keep more of
  /// them yet. Returns whether all are kept.
  public func remember(
    _ windows: [FleetWindow],
    waiting wait: (Promise<Result<Void, LedgerError>>) -> Result<Void, LedgerError>?
  ) throws(LedgerError) -> Bool {
    try inSlices(windows, waiting: wait) { .remember($0, reply: $1) }
  }

  private func inSlices<Element>(
    _ elements: [Element],
    waiting wait: (Promise<Result<Void, LedgerError>>) -> Result<Void, LedgerError>? = {
      $0.wait()
    },
    _ command: ([Element], Promise<Result<Void, LedgerError>>) -> LedgerCommand
  ) throws(LedgerError) -> Bool {
    var rest = elements[...]
    while !rest.isEmpty {
      let reply = Promise<Result<Void, LedgerError>>()
      let slice = Array(rest.prefix(Self.fleetSlice))
      rest = rest.dropFirst(slice.count)
      guard shared.queue.ask(command(slice, reply)) else { throw .closed }
      guard let answer = wait(reply) else { return false }
      try answer.get()
    }
    return true
  }
}
