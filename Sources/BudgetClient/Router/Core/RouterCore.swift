import BudgetModel
import BudgetWire
import Sockets

/// The client without sockets, files, clocks and tasks: which address is asked what, what is owed, and
/// what becomes of it.
///
/// A value: each method takes something that happened; `takeActions` says what is to be done. `now` is
/// set before. `endTurn` comes after all that happened together: it sends in one write.
struct RouterCore {
  struct Settings {
    var connectTimeout: Duration = .seconds(1)
    var recordTimeout: Duration = .seconds(5)
    var shortestPause: Duration = .milliseconds(50)
    var longestPause: Duration = .seconds(5)
    var mostUnwritten = 65_536

    var pause: Pause { Pause(shortest: shortestPause, longest: longestPause) }
  }

  /// One question, until an address answers it.
  struct Ask {
    let body: [UInt8]
    let timeout: Duration
    /// The only address that it is for.
    let only: Int?
    /// The address that is asked first.
    var first = 0
    var attempt = 0
    var reason = ""

    init(_ body: [UInt8], timeout: Duration, only: Int? = nil) {
      self.body = body
      self.timeout = timeout
      self.only = only
    }
  }

  enum Outcome: Hashable {
    /// The answer, and the place of the address that gave it.
    case answer(ResponseMessage, place: Int)
    case unavailable(reason: String)
    case closed
    /// The caller wants it no longer.
    case cancelled
  }

  enum Action {
    case connect(place: Int, generation: Int)
    case disconnect(place: Int, generation: Int)
    case send(place: Int, generation: Int, [UInt8])
    case finish(UInt64, Outcome)
    /// Write down that the record is owed to this address, before anything is sent.
    case note(Owed)
    /// Write down that it is not owed any longer.
    case done(key: [UInt8])
    case log(String)
  }

  let settings: Settings
  var now = MonotonicInstant(nanoseconds: 0)
  var links: [Link]
  var lanes: [Lane]
  var asks: [UInt64: Ask] = [:]
  /// By place: the asks that wait for its connection.
  var waiting: [[UInt64]]
  /// The records and releases that are on a connection.
  var underWay: [UInt64: Owed] = [:]
  var lastOwed: UInt64 = 0
  /// The address that answered last.
  private(set) var preferred = 0
  private(set) var isClosed = false
  var stats = RouterStats()
  /// Records and releases that came to their end since this was taken.
  var endings = 0
  private var actions: [Action] = []
  private var random: any RandomNumberGenerator & Sendable

  init(
    addresses: [String], settings: Settings = Settings(),
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.settings = settings
    self.random = random
    links = addresses.map {
      Link(address: $0, settings: settings)
    }
    lanes = addresses.map { _ in Lane(pause: settings.pause) }
    waiting = addresses.map { _ in [] }
  }

  mutating func takeActions() -> [Action] { exchange(&actions, with: []) }

  mutating func act(_ action: Action) { actions.append(action) }

  mutating func moment() -> Moment {
    Moment(now: now, chance: Double.random(in: 0...1, using: &random))
  }

  // MARK: - What happens

  /// Begins a question; `id` is new.
  mutating func ask(_ id: UInt64, _ ask: Ask) {
    guard !isClosed else { return act(.finish(id, .closed)) }
    asks[id] = ask
    asks[id]?.first = ask.only ?? preferred
    proceed(id)
  }

  /// The caller no longer wants the answer.
  mutating func cancel(_ id: UInt64) { asks[id] = nil }

  mutating func connected(_ place: Int, _ generation: Int, introduction: [UInt8]?) {
    let now = now
    change(place) { $0.connected(generation, introduction: introduction, now: now, &$2) }
  }

  mutating func connectFailed(_ place: Int, _ generation: Int, _ reason: String) {
    change(place) { $0.connectFailed(generation, reason, $1, &$2) }
  }

  mutating func received(_ place: Int, _ generation: Int, _ response: ResponseMessage) {
    change(place) { $0.received(response, generation, $1, &$2) }
  }

  mutating func malformed(_ place: Int, _ generation: Int, _ why: String) {
    change(place) { $0.malformed(generation, why, $1, &$2) }
  }

  mutating func lost(_ place: Int, _ generation: Int) {
    change(place) { $0.lost(generation, $1, &$2) }
  }

  mutating func sendEnded(_ place: Int, _ generation: Int, _ outcome: SendOutcome) {
    change(place) { $0.sendEnded(generation, outcome, $1, &$2) }
  }

  mutating func timePassed() {
    for place in links.indices { change(place) { $0.timePassed($1, &$2) } }
  }

  /// All that happened together is told: sends what may be sent.
  mutating func endTurn() {
    guard !isClosed else { return }
    pump()
    for place in links.indices {
      guard let bytes = links[place].takeBatch(now: now) else { continue }
      act(.send(place: place, generation: links[place].generation, bytes))
    }
  }

  /// When `timePassed` is to be called, if nothing happens before.
  mutating func nextTime() -> MonotonicInstant {
    guard !isClosed else { return .never }
    var next = MonotonicInstant.never
    for place in links.indices {
      next = min(next, links[place].nextTime())
      if !lanes[place].waiting.isEmpty, let until = resting(place) { next = min(next, until) }
    }
    return next
  }

  /// Ends every connection and every question. What is owed stays so.
  mutating func close() {
    isClosed = true
    for place in links.indices { change(place) { link, _, events in link.close(&events) } }
    for id in asks.keys.sorted() { act(.finish(id, .closed)) }
    asks = [:]
  }

  // MARK: - Links

  private mutating func change(
    _ place: Int, _ body: (inout Link, Moment, inout [Link.Event]) -> Void
  ) {
    let moment = moment()
    var events: [Link.Event] = []
    body(&links[place], moment, &events)
    for event in events { take(event, of: place) }
  }

  private mutating func take(_ event: Link.Event, of place: Int) {
    switch event {
    case .connect(let generation): act(.connect(place: place, generation: generation))
    case .disconnect(let generation): act(.disconnect(place: place, generation: generation))
    case .opened:
      for id in exchange(&waiting[place], with: []) { proceed(id) }
    case .failed(let reason):
      forgetReleases(of: place)
      for id in exchange(&waiting[place], with: []) {
        leave(id, NoAnswer(reason: reason, mayHaveArrived: false))
      }
    case .ended(.introduction, _): break
    case .ended(.ask(let id), let result): answered(id, result, by: place)
    case .ended(.owed(let id), let result): answered(owed: id, result, by: place)
    }
  }

  /// Connects to the address, unless it is connected or being connected.
  mutating func connect(_ place: Int) {
    let now = now
    change(place) { link, _, events in link.connect(now: now, &events) }
  }

  // MARK: - Asks

  /// Puts a question to the next address that takes it; each is asked once, a single one twice.
  private mutating func proceed(_ id: UInt64) {
    while let ask = asks[id] {
      guard ask.attempt < (ask.only == nil ? max(links.count, 2) : 2) else {
        asks[id] = nil
        return act(.finish(id, .unavailable(reason: ask.reason)))
      }
      let place = ask.only ?? (ask.first + ask.attempt) % links.count
      // A copy of the link would have its calls copied with the next one.
      let left = links[place].pause.left(now: now)
      switch links[place].state {
      case .open:
        let call = Link.Call(purpose: .ask(id), body: ask.body, timeout: ask.timeout)
        guard let refusal = links[place].call(call, now: now) else { return }
        note(id, refusal)
      case .down where left > .zero:
        let (address, why) = (links[place].address, links[place].failure)
        let words = "\(address) is left alone for \(left.roundedMilliseconds) ms after: \(why)"
        note(id, NoAnswer(reason: words, mayHaveArrived: false))
      case .down, .connecting, .introducing:
        waiting[place].append(id)
        return connect(place)
      }
    }
  }

  private mutating func note(_ id: UInt64, _ error: NoAnswer) {
    guard var ask = asks[id] else { return }
    // That an address is in a pause says less than why another try failed.
    if error.mayHaveArrived || ask.reason.isEmpty { ask.reason = error.reason }
    ask.attempt += 1
    asks[id] = ask
  }

  private mutating func leave(_ id: UInt64, _ error: NoAnswer) {
    note(id, error)
    proceed(id)
  }

  private mutating func answered(
    _ id: UInt64, _ result: Result<ResponseMessage, NoAnswer>, by place: Int
  ) {
    guard let ask = asks[id] else { return }
    switch result {
    case .failure(let error): leave(id, error)
    case .success(let response):
      if let status = response.status, status.code.saysNotNow {
        asks[id]?.reason = "\(links[place].address) answered \(status.text)"
        asks[id]?.attempt += 1
        return proceed(id)
      }
      if ask.only == nil { preferred = place }
      asks[id] = nil
      act(.finish(id, .answer(response, place: place)))
    }
  }
}

extension StatusCode {
  /// Whether nothing was applied, and another address may do it.
  var saysNotNow: Bool { self == .unavailable || self == .deadlineExceeded }
}
