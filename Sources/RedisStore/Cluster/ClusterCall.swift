/// Commands that go to one node together: those of one key, in their order, or one call of a script.
struct ClusterUnit {
  enum Request {
    case commands([[[UInt8]]])
    case script(RedisScriptCall)
  }

  /// The slot of its keys; nil: any node can answer.
  var slot: Int?
  var request: Request

  /// How many replies it gets.
  var count: Int {
    switch request {
    case .commands(let commands): commands.count
    case .script: 1
    }
  }
}

/// How often a cluster sent commands elsewhere or had them wait, by kind, since the start.
public struct ClusterRedirects: Hashable, Sendable {
  /// Another node has the slot.
  public var moved = 0
  /// Another node has the key: its slot is under way.
  public var ask = 0
  /// The keys of one call are on two nodes: their slot is under way.
  public var tryAgain = 0
  /// The cluster does not have all its slots.
  public var clusterDown = 0
  /// A node did not have the script.
  public var noScript = 0
}

/// One call's units on their way to the nodes that have their keys. A value without sockets and clock:
/// it says what to send to whom, and is told the replies.
///
/// The unit of a retry is the unit: in a slot under way some keys are on one node already and some are
/// on the other, so each goes its own way, and the commands of one key never stand apart.
struct ClusterCall {
  /// The commands for one node.
  struct Portion {
    var node: RedisAddress
    var units: [Int] = []
    var commands: [[[UInt8]]] = []
  }

  /// The script that the units call.
  struct Script {
    var text: [UInt8]
    /// Empty: scripts may not be loaded, so each call bears the text.
    var digest: [UInt8]
  }

  private let units: [ClusterUnit]
  private let script: Script?
  private var answers: [[RedisValue]?]
  /// The nodes that a unit was sent to for its next attempt alone.
  private var asked: [Int: RedisAddress] = [:]
  private var needsText: Set<Int> = []
  private var reasons: [Int: String] = [:]
  private(set) var redirects = ClusterRedirects()
  /// Whether the replies since the last `portions` say that the map is not right any more; that it
  /// helps to wait a moment.
  private(set) var isMapOld = false
  private(set) var needsPause = false

  init(_ units: [ClusterUnit], script: Script? = nil) {
    self.units = units
    self.script = script
    answers = Array(repeating: nil, count: units.count)
  }

  var isDone: Bool { !answers.contains { $0 == nil } }

  /// The commands to send now: of each unit that has no answer and whose node is there.
  /// `route` names the node of a slot, and why there is none.
  mutating func portions(_ route: (Int?) -> ClusterRoute) -> [Portion] {
    (isMapOld, needsPause) = (false, false)
    var portions: [Portion] = []
    var places: [RedisAddress: Int] = [:]
    for unit in units.indices where answers[unit] == nil {
      let isAsking = asked[unit] != nil
      let node: RedisAddress
      switch asked[unit].map({ .node($0) }) ?? route(units[unit].slot) {
      case .node(let found): node = found
      case .none(let reason):
        reasons[unit] = reason
        (isMapOld, needsPause) = (true, true)
        continue
      }
      let place = places[node, default: portions.count]
      if place == portions.count {
        places[node] = place
        portions.append(Portion(node: node))
      }
      portions[place].units.append(unit)
      for command in commands(of: unit) {
        // It counts for one command, the next.
        if isAsking { portions[place].commands.append([Array("ASKING".utf8)]) }
        portions[place].commands.append(command)
      }
    }
    return portions
  }

  private func commands(of unit: Int) -> [[[UInt8]]] {
    switch units[unit].request {
    case .commands(let commands): commands
    case .script(let call):
      if let script, !script.digest.isEmpty, !needsText.contains(unit) {
        [call.command(digest: script.digest)]
      } else {
        [call.command(text: script?.text ?? [])]
      }
    }
  }

  /// The replies to a portion; `map` learns of slots that have moved.
  mutating func take(_ replies: [RedisValue], to portion: Portion, _ map: inout SlotMap) {
    var next = 0
    var isTextSent = false
    for unit in portion.units {
      let isAsking = asked.removeValue(forKey: unit) != nil
      var values: [RedisValue] = []
      for _ in 0..<units[unit].count {
        // The reply to ASKING says nothing: where it was refused, so is the command behind it.
        if isAsking { next += 1 }
        values.append(next < replies.count ? replies[next] : .null)
        next += 1
      }
      let refusal = values.lazy.compactMap(\.refusal).first { $0.isOfTheNode }
      guard let refusal else {
        answers[unit] = values
        continue
      }
      reasons[unit] = "\(portion.node): \(refusal.text)"
      if refusal.kind == .noScript, !isTextSent {
        // The first of a node bears the text; the others find it there by then.
        needsText.insert(unit)
        isTextSent = true
      }
      follow(refusal, of: unit, from: portion.node, &map)
    }
  }

  private mutating func follow(
    _ refusal: RedisRefusal, of unit: Int, from node: RedisAddress, _ map: inout SlotMap
  ) {
    switch refusal.kind {
    case .noScript: redirects.noScript += 1
    case .moved:
      redirects.moved += 1
      isMapOld = true
      if let redirect = RedisRedirect(refusal, from: node),
        map.move(redirect.slot, to: redirect.node)
      {
        return
      }
      needsPause = true
    case .ask:
      redirects.ask += 1
      if let redirect = RedisRedirect(refusal, from: node) {
        asked[unit] = map.node(at: redirect.node)
      } else {
        needsPause = true
      }
    case .tryAgain:
      redirects.tryAgain += 1
      needsPause = true
    case .clusterDown:
      redirects.clusterDown += 1
      (isMapOld, needsPause) = (true, true)
    case .readOnly, .masterDown:
      // A master that is one no more.
      (isMapOld, needsPause) = (true, true)
    default:
      // The node refuses all of its kind, and does so in a moment too.
      answers[unit] = refused(unit)
    }
  }

  /// The link to a portion's node broke: what it did of it nobody knows.
  mutating func lose(_ portion: Portion, _ error: RedisError) {
    isMapOld = true
    needsPause = true
    for unit in portion.units {
      asked[unit] = nil
      reasons[unit] = "\(portion.node): \(error)"
    }
  }

  private func refused(_ unit: Int) -> [RedisValue] {
    let reason = reasons[unit] ?? "no node of the cluster answers for it"
    return Array(
      repeating: .error(RedisRefusal(kind: .nodeAway, text: PrintableText.bounded(reason))),
      count: units[unit].count)
  }

  /// The replies to each unit; of those that nobody answered a refusal that says why.
  var results: [[RedisValue]] { units.indices.map { answers[$0] ?? refused($0) } }
}

/// The way to a slot.
enum ClusterRoute: Equatable {
  case node(RedisAddress)
  /// Nobody can be asked, and why.
  case none(String)
}

extension RedisRefusal {
  /// Whether the refusal is the node's, and says nothing of the key.
  var isOfTheNode: Bool {
    switch kind {
    case .wrongType, .other, .crossSlot: false
    default: true
    }
  }
}
