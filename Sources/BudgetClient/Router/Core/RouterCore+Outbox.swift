import BudgetModel
import BudgetWire
import Sockets

/// One record on its way, or one release.
struct Owed: Hashable {
  /// The record's key. Empty: a release, which may be forgotten, and is in no journal.
  let key: [UInt8]
  let body: [UInt8]
  /// The address that it goes to.
  var place: Int
  /// When a release is of no use any longer.
  var until = MonotonicInstant.never
  /// Whether the address may have it: then it goes to no other.
  var isBound = false

  var isRelease: Bool { key.isEmpty }
  /// Whether it may go to another address.
  var mayMove: Bool { !isBound && !isRelease }
}

/// All that is to be sent to one address, in its order.
struct Lane {
  private(set) var waiting = Queue<Owed>()
  /// How many of those that wait may go elsewhere.
  private(set) var movable = 0
  var underWay = 0
  var pause: Pause

  init(pause: Pause) { self.pause = pause }

  mutating func append(_ owed: Owed) {
    waiting.append(owed)
    if owed.mayMove { movable += 1 }
  }

  mutating func popFirst() -> Owed? {
    let owed = waiting.popFirst()
    if owed?.mayMove == true { movable -= 1 }
    return owed
  }

  /// Takes out those that `isWanted` wants, in their order.
  mutating func take(where isWanted: (Owed) -> Bool) -> [Owed] {
    var taken: [Owed] = []
    var staying: [Owed] = []
    for owed in waiting {
      if isWanted(owed) { taken.append(owed) } else { staying.append(owed) }
    }
    waiting = Queue(staying)
    movable = staying.count { $0.mayMove }
    return taken
  }
}

// Records and releases on their way: queued, sent in order, sent again until they are answered.

extension RouterCore {
  /// As many are under way on a connection.
  static let mostUnderWay = 1_024

  /// A record or a release is owed, best to the address that it names.
  mutating func owe(_ owed: Owed) { lanes[owed.place].append(owed) }

  /// When the address is to be tried again; nil: it may be now.
  func resting(_ place: Int) -> MonotonicInstant? {
    let link = links[place].state == .down ? links[place].pause.until : lanes[place].pause.until
    let until = max(lanes[place].pause.until, link)
    return until > now ? until : nil
  }

  /// Sends what may be sent now.
  mutating func pump() {
    for place in links.indices where !lanes[place].waiting.isEmpty {
      if resting(place) != nil { move(from: place) }
    }
    for place in links.indices where !lanes[place].waiting.isEmpty {
      guard resting(place) == nil else { continue }
      guard links[place].isOpen else {
        connect(place)
        continue
      }
      while lanes[place].underWay < Self.mostUnderWay, let owed = lanes[place].popFirst() {
        guard send(owed) else { break }
      }
    }
  }

  /// Records that were never sent to an address that rests go to one that does not.
  private mutating func move(from place: Int) {
    guard lanes[place].movable > 0,
      let other = links.indices.first(where: { $0 != place && resting($0) == nil })
    else { return }
    for var owed in lanes[place].take(where: \.mayMove) {
      owed.place = other
      act(.note(owed))
      lanes[other].append(owed)
    }
  }

  /// Puts it on its connection, which is open; false: the connection is full, and it waits.
  private mutating func send(_ owed: Owed) -> Bool {
    lastOwed += 1
    let call = Link.Call(
      purpose: .owed(lastOwed), body: owed.body, timeout: settings.recordTimeout)
    guard links[owed.place].call(call, now: now) == nil else {
      lanes[owed.place].append(owed)
      return false
    }
    if owed.isBound { stats.retries += 1 }
    lanes[owed.place].underWay += 1
    underWay[lastOwed] = owed
    return true
  }

  mutating func answered(
    owed id: UInt64, _ result: Result<ResponseMessage, NoAnswer>, by place: Int
  ) {
    guard var owed = underWay.removeValue(forKey: id) else { return }
    lanes[place].underWay -= 1
    switch result {
    case .failure(let error):
      owed.isBound = owed.isBound || error.mayHaveArrived
      sendAgain(owed, pausing: error.mayHaveArrived)
    case .success(let response):
      let status = response.status
      if status?.code.endsRecord ?? true || owed.isRelease && status?.code != .unavailable {
        lanes[place].pause.end()
        end(owed, response)
        return
      }
      // An earlier try may be applied even if this one was not: then it stays where it is.
      if status?.code.saysNotNow == false { owed.isBound = true }
      act(
        .log(
          "\(links[place].address) answered a record with \(status?.text ?? ""); it is sent again"))
      sendAgain(owed, pausing: true)
    }
  }

  private mutating func sendAgain(_ owed: Owed, pausing: Bool) {
    if pausing, lanes[owed.place].pause.until <= now {
      let moment = moment()
      lanes[owed.place].pause.failed(now: now, chance: moment.chance)
    }
    guard owed.until > now else {
      endings += 1
      return
    }
    lanes[owed.place].append(owed)
  }

  private mutating func end(_ owed: Owed, _ response: ResponseMessage) {
    endings += 1
    guard !owed.isRelease else { return }
    if let status = response.status {
      stats.dropped += 1
      let key = String(decoding: owed.key, as: UTF8.self)
      act(.log("the record \(key) is not taken: \(status.text)"))
    } else {
      stats.recorded += 1
      if case .recordSpend(let answer)? = response.result, answer.isDuplicate {
        stats.duplicates += 1
      }
    }
    act(.done(key: owed.key))
  }

  /// Holds that ended meanwhile need no release.
  mutating func forgetReleases(of place: Int) {
    let now = now
    guard lanes[place].waiting.contains(where: { $0.until <= now }) else { return }
    endings += lanes[place].take { $0.until <= now }.count
  }
}

extension StatusCode {
  /// Whether another try of a record would be answered in the same way.
  fileprivate var endsRecord: Bool {
    switch self {
    case .ok, .alreadyExists, .invalidArgument, .outOfRange: true
    default: false
    }
  }
}
