import BudgetModel
import BudgetWire
import Dispatch
import Locks
import Sockets
import TCPTransport

/// Does what the core wants done: connects, sends, writes the journal, resumes callers. All that came
/// in since the last turn is one turn.
actor RouterLoop {
  /// How often the journals of others are looked at.
  private static let orphanSeconds = 60

  /// One connection, from the attempt to make it.
  private struct Line {
    let generation: Int
    var connection: ClientConnection?
    /// Events that came before the loop heard of the connection.
    var early: [ClientEvent] = []
  }

  private struct Flush {
    let until: MonotonicInstant
    let caller: CheckedContinuation<Void, Never>
  }

  let inbox = RouterInbox()
  let journal: Journal?
  private let setup: RouterSetup
  private let files = DispatchQueue(label: "budgetd.router.files")
  private let timer = DispatchQueue(label: "budgetd.router.timer", qos: .userInitiated)
  private var core: RouterCore
  private var lines: [Int: Line] = [:]
  private var callers: [UInt64: RouterInbox.Caller] = [:]
  private var flushes: [UInt64: Flush] = [:]
  private var decoder = ResponseDecoder()
  private var wakeAt = MonotonicInstant.never

  init(_ setup: RouterSetup, _ journal: Journal?) {
    self.setup = setup
    self.journal = journal
    core = RouterCore(addresses: setup.addresses.map(\.text), settings: setup.core)
  }

  /// Puts something in, from anywhere.
  nonisolated func put(_ input: RouterInbox.Input) {
    if inbox.put(input) { Task { await turn() } }
  }

  private func turn() {
    core.now = .now()
    for input in inbox.takeAll() { take(input) }
    // After the rest: an answer that has come counts, whatever the time is.
    if wakeAt <= core.now {
      wakeAt = .never
      core.timePassed()
    }
    core.endTurn()
    for action in core.takeActions() { perform(action) }
    let owed = inbox.publish(&core)
    endFlushes(owed: owed)
    arm()
  }

  private func take(_ input: RouterInbox.Input) {
    switch input {
    case .ask(let id, let ask, let caller):
      callers[id] = caller
      core.ask(id, ask)
    case .cancel(let id):
      core.cancel(id)
      callers.removeValue(forKey: id)?.resume(returning: .cancelled)
    case .owe(let owed): core.owe(owed)
    case .connected(let place, let generation, let connection, let introduction):
      connected(place, generation, connection, introduction)
    case .connectFailed(let place, let generation, let reason):
      if lines[place]?.generation == generation { lines[place] = nil }
      core.connectFailed(place, generation, reason)
    case .event(let place, let generation, let event): note(event, place, generation)
    case .sendEnded(let place, let generation, let outcome):
      core.sendEnded(place, generation, outcome)
    case .flush(let id, let until, let caller): flushes[id] = Flush(until: until, caller: caller)
    case .endFlush(let id): flushes.removeValue(forKey: id)?.caller.resume()
    case .timePassed: break
    case .close(let caller):
      core.close()
      journal?.close()
      caller?.resume()
    }
  }

  private func perform(_ action: RouterCore.Action) {
    switch action {
    case .connect(let place, let generation): connect(place, generation)
    case .disconnect(let place, let generation):
      guard lines[place]?.generation == generation else { return }
      let connection = lines.removeValue(forKey: place)?.connection
      Task { await connection?.close() }
    case .send(let place, let generation, let bytes): send(bytes, place, generation)
    case .finish(let id, let outcome): callers.removeValue(forKey: id)?.resume(returning: outcome)
    case .note(let owed): journal?.owe(owed.key, setup.addresses[owed.place].text, owed.body)
    case .done(let key): journal?.done(key)
    case .log(let text): setup.log(text)
    }
  }

  // MARK: - Connections

  private func connect(_ place: Int, _ generation: Int) {
    lines[place] = Line(generation: generation)
    let address = setup.addresses[place]
    Task { [setup, weak self] in
      do throws(NoAnswer) {
        let introduction = try setup.introduction()
        let connection = try await setup.connect(to: address) { [weak self] event in
          self?.put(.event(place: place, generation: generation, event))
        }
        guard let self else { return await connection.close() }
        put(
          .connected(
            place: place, generation: generation, connection, introduction: introduction))
      } catch {
        self?.put(.connectFailed(place: place, generation: generation, reason: error.reason))
      }
    }
  }

  private func connected(
    _ place: Int, _ generation: Int, _ connection: ClientConnection, _ introduction: [UInt8]?
  ) {
    guard lines[place]?.generation == generation else {
      Task { await connection.close() }
      return
    }
    let early = lines[place]?.early ?? []
    lines[place] = Line(generation: generation, connection: connection)
    core.connected(place, generation, introduction: introduction)
    for event in early { note(event, place, generation) }
  }

  private func note(_ event: ClientEvent, _ place: Int, _ generation: Int) {
    guard let line = lines[place], line.generation == generation else { return }
    guard line.connection != nil else {
      lines[place]?.early.append(event)
      return
    }
    switch event {
    case .frame(let bytes):
      do throws(ResponseFault) {
        let response = try decoder.response(frame: bytes.span)
        core.received(place, generation, response)
      } catch {
        core.malformed(place, generation, error.description)
      }
    case .closed(.frameTooLarge(let length, _)?):
      core.malformed(place, generation, "a response of \(length) bytes")
      lines[place] = nil
    case .closed:
      core.lost(place, generation)
      lines[place] = nil
    }
  }

  private func send(_ bytes: [UInt8], _ place: Int, _ generation: Int) {
    guard let line = lines[place], line.generation == generation, let connection = line.connection
    else { return put(.sendEnded(place: place, generation: generation, .refused)) }
    Task { [weak self] in
      var outcome = SendOutcome.refused
      do throws(TransportError) {
        outcome = try await connection.send(bytes) ? .takenLater : .taken
      } catch {
        // The connection has ended, and says so by itself.
      }
      self?.put(.sendEnded(place: place, generation: generation, outcome))
    }
  }

  // MARK: - Time

  private func arm() {
    var next = core.nextTime()
    for flush in flushes.values { next = min(next, flush.until) }
    guard next < wakeAt else { return }
    wakeAt = next
    let nanoseconds = max(0, next.nanoseconds - core.now.nanoseconds)
    timer.asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) { [weak self] in
      self?.put(.timePassed)
    }
  }

  private func endFlushes(owed: Int) {
    for (id, flush) in flushes where owed == 0 || flush.until <= core.now {
      flushes[id] = nil
      flush.caller.resume()
    }
  }

  // MARK: - Journals of others

  /// Takes over what processes owed that have ended: now, and every minute from then on.
  nonisolated func adoptOrphans() {
    guard let journal, !inbox.isClosed else { return }
    for orphan in journal.orphans() where adopt(orphan, into: journal) { journal.forget(orphan) }
    files.asyncAfter(deadline: .now() + .seconds(Self.orphanSeconds)) { [weak self] in
      self?.adoptOrphans()
    }
  }

  /// Written into the own journal before the other one goes; false: the own one is closed.
  private nonisolated func adopt(_ orphan: OrphanedJournal, into journal: Journal) -> Bool {
    for record in orphan.records {
      let owed = setup.adopted(record)
      let address = setup.addresses[owed.place].text
      guard journal.owe(owed.key, address, owed.body) else { return false }
      inbox.count()
      put(.owe(owed))
    }
    setup.log("\(orphan.records.count) records are owed by \(orphan.path), whose process has ended")
    return true
  }
}
