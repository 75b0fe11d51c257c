import TLS

@testable import RedisStore

/// A cluster of nodes that hold texts, in virtual time, with slots that move as a test says.
final class VirtualCluster {
  final class Node {
    var texts: [[UInt8]: [UInt8]] = [:]
    var scripts: Set<[UInt8]> = []
    var isUp = true
    /// Says nothing from that step on; nil: it answers.
    var hangs: Step?
    var timesHung = 0
    /// Replies to everything in place of what it would say.
    var refuses: String?
    /// Its clock less the cluster's, milliseconds.
    var ahead = 0
    /// The number of the failures that its next calls meet, as of an old link.
    var brokenCalls = 0
    var received: [String] = []
  }

  /// A step of an exchange with a node that has to wait for it.
  enum Step: CaseIterable {
    case connecting, encrypting, asking

    /// The error that a link to `node` ends with.
    func error(at node: RedisAddress) -> RedisError {
      switch self {
      case .connecting: .connectTimedOut(node, .milliseconds(500))
      case .encrypting: .encryption(node, TLSFailure(.timeout, "nothing within 0.5 seconds"))
      case .asking: .timedOut(.seconds(1))
      }
    }
  }

  /// The nodes as their certificates have them.
  let addresses: [RedisAddress]
  private let hosts: [String]
  let nodes: [Node]
  /// The place of each slot's owner; nil: nobody has it.
  var owners: [Int?]
  /// Slots under way: from their owner to this one.
  var importing: [Int: Int] = [:]
  var time = Duration.zero
  var callDuration = Duration.milliseconds(1)
  var pauses: [Duration] = []
  var kept: Set<RedisAddress> = []
  var needsAllSlots = false
  /// The answer to CLUSTER SLOTS; nil: the truth.
  var told: RedisValue?

  static let digest = [UInt8](repeating: UInt8(ascii: "a"), count: 40)
  static let script = RedisScript("a script")

  /// `isNamed`: nodes are known by names, and tell of each other by address.
  init(_ count: Int, isNamed: Bool = false) {
    hosts = (0..<count).map { "10.0.0.\($0)" }
    addresses = hosts.indices.map {
      .tcp(host: isNamed ? "n\($0).example" : "10.0.0.\($0)", port: 6_379)
    }
    nodes = (0..<count).map { _ in Node() }
    owners = (0..<RedisSlot.count).map { $0 * count / RedisSlot.count }
  }

  func owner(of key: String) -> Int? { owners[RedisSlot.of(Array(key.utf8))] }

  /// A key that the node at `place` has.
  func key(at place: Int, _ prefix: String = "k") -> String {
    for number in 0... {
      let key = "\(prefix)\(number)"
      if owner(of: key) == place { return key }
    }
    return ""
  }

  // MARK: - A node

  func answer(_ commands: [[[UInt8]]], at place: Int) -> [RedisValue] {
    var isAsking = false
    return commands.map { command in
      let words = command.map { String(decoding: $0, as: UTF8.self) }
      nodes[place].received.append(words.prefix(2).joined(separator: " "))
      if words[0] == "ASKING" {
        isAsking = true
        return .status(Array("OK".utf8))
      }
      defer { isAsking = false }
      if let text = nodes[place].refuses { return .error(RedisRefusal(reply: Array(text.utf8))) }
      return answer(command, words, at: place, isAsking: isAsking)
    }
  }

  private func answer(
    _ command: [[UInt8]], _ words: [String], at place: Int, isAsking: Bool
  ) -> RedisValue {
    switch words[0] {
    case "CLUSTER": return told ?? slots
    case "TIME":
      let milliseconds = 1_795_000_000_000 + time.wholeOnes + nodes[place].ahead
      return .array([
        .bytes(Array("\(milliseconds / 1_000)".utf8)),
        .bytes(Array("\(milliseconds % 1_000 * 1_000)".utf8)),
      ])
    case "SCRIPT":
      nodes[place].scripts.insert(Self.digest)
      return .bytes(Self.digest)
    case "EVAL", "EVALSHA":
      let keys = Array(command[3...4])
      if let refusal = refusal(keys, at: place, isAsking: isAsking) { return refusal }
      if words[0] == "EVALSHA", !nodes[place].scripts.contains(command[1]) {
        return Self.error("NOSCRIPT No matching script.")
      }
      nodes[place].scripts.insert(Self.digest)
      nodes[place].texts[keys[0]] = Array("ran".utf8)
      nodes[place].texts[keys[1]] = Array("ran".utf8)
      return .array([.bytes(keys[0])])
    default:
      if let refusal = refusal([command[1]], at: place, isAsking: isAsking) { return refusal }
      if words[0] == "SET" { nodes[place].texts[command[1]] = command[2] }
      return nodes[place].texts[command[1]].map { .bytes($0) } ?? .null
    }
  }

  private func refusal(_ keys: [[UInt8]], at place: Int, isAsking: Bool) -> RedisValue? {
    let slot = RedisSlot.of(keys[0])
    guard keys.allSatisfy({ RedisSlot.of($0) == slot }) else { return Self.error("CROSSSLOT Keys") }
    if needsAllSlots, owners.contains(where: { $0 == nil || !nodes[$0 ?? 0].isUp }) {
      return Self.error("CLUSTERDOWN The cluster is down")
    }
    let missing = keys.count { nodes[place].texts[$0] == nil }
    if let target = importing[slot] {
      if place == owners[slot], missing > 0 {
        return missing == keys.count
          ? Self.error("ASK \(slot) \(text(target))") : Self.error("TRYAGAIN Multiple keys")
      }
      if place == target, isAsking {
        return keys.count > 1 && missing > 0 ? Self.error("TRYAGAIN Multiple keys") : nil
      }
    }
    guard let owner = owners[slot] else { return Self.error("CLUSTERDOWN Hash slot not served") }
    return owner == place ? nil : Self.error("MOVED \(slot) \(text(owner))")
  }

  func text(_ place: Int) -> String { "\(hosts[place]):6379" }

  private static func error(_ text: String) -> RedisValue {
    .error(RedisRefusal(reply: Array(text.utf8)))
  }

  /// The answer to CLUSTER SLOTS.
  private var slots: RedisValue {
    var rows: [RedisValue] = []
    var first = 0
    while first < RedisSlot.count {
      var last = first
      while last + 1 < RedisSlot.count, owners[last + 1] == owners[first] { last += 1 }
      if let owner = owners[first], case .tcp(let name, let port) = addresses[owner] {
        let host = RedisValue.bytes(Array(hosts[owner].utf8))
        let names = ["hostname", name].map { RedisValue.bytes(Array($0.utf8)) }
        rows.append(
          .array([
            .integer(Int64(first)), .integer(Int64(last)),
            .array([host, .integer(Int64(port)), .bytes([]), .array(names)]),
          ]))
      }
      first = last + 1
    }
    return .array(rows)
  }
}

/// The way to a virtual cluster.
struct VirtualTransport: ClusterTransport {
  let cluster: VirtualCluster

  func exchange(
    _ portions: [(node: RedisAddress, commands: [[[UInt8]]])]
  ) -> [ClusterAnswer] {
    cluster.time += cluster.callDuration
    return portions.map { node, commands in
      guard let place = cluster.addresses.firstIndex(of: node), cluster.nodes[place].isUp else {
        return ClusterAnswer(.failure(.connect(node, reason: "Connection refused")))
      }
      if let step = cluster.nodes[place].hangs {
        cluster.nodes[place].timesHung += 1
        cluster.time += .seconds(1)
        return ClusterAnswer(.failure(step.error(at: node)))
      }
      if cluster.nodes[place].brokenCalls > 0 {
        cluster.nodes[place].brokenCalls -= 1
        return ClusterAnswer(.failure(.closed))
      }
      return ClusterAnswer(
        .success(cluster.answer(commands, at: place)), took: cluster.callDuration)
    }
  }

  func keep(_ nodes: Set<RedisAddress>) { cluster.kept = nodes }

  func pause(_ duration: Duration) {
    cluster.pauses.append(duration)
    cluster.time += duration
  }

  func uptime() -> Duration { cluster.time }
}

extension Duration {
  fileprivate var wholeOnes: Int {
    Int(components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000)
  }
}
