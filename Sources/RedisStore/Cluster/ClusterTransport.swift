import BudgetModel
import Glibc

/// The way to a cluster's nodes, with the time that passes: links in production, none in a simulation.
public protocol ClusterTransport {
  /// Sends each node its commands, all nodes at once, and waits for the replies; the answers come in
  /// the order of the nodes. Nobody knows the outcome of a failure.
  mutating func exchange(
    _ portions: [(node: RedisAddress, commands: [[[UInt8]]])]
  ) -> [ClusterAnswer]

  /// Lets go of all nodes but these.
  mutating func keep(_ nodes: Set<RedisAddress>)

  /// Waits.
  mutating func pause(_ duration: Duration)

  /// The time that has passed since some instant.
  func uptime() -> Duration
}

/// One node's answer.
public struct ClusterAnswer {
  /// A reply to each command, or why there are none.
  public var result: Result<[RedisValue], RedisError>
  /// How long it took, from the first byte sent to the last reply.
  public var took: Duration

  /// Makes an answer.
  public init(_ result: Result<[RedisValue], RedisError>, took: Duration = .zero) {
    self.result = result
    self.took = took
  }
}

/// The links to a cluster's nodes: made when they are first needed, and anew after any error.
public struct ClusterLinks: ClusterTransport {
  /// One node's link; a class, so that a dictionary can hold it.
  private final class Node {
    var link: RedisLink?
  }

  private let settings: RedisSettings
  private var nodes: [RedisAddress: Node] = [:]
  /// Links made since the start, the first ones too.
  public private(set) var made = 0
  /// The facts that each node told when its link was made.
  public private(set) var facts: [RedisAddress: ServerFacts] = [:]

  /// `settings` hold for every node, but for the address and the database, of which a cluster has one.
  public init(_ settings: RedisSettings) {
    self.settings = settings
  }

  /// Sends each node its commands, then takes the replies of one after the other.
  public mutating func exchange(
    _ portions: [(node: RedisAddress, commands: [[[UInt8]]])]
  ) -> [ClusterAnswer] {
    var failures: [RedisError?] = []
    for (address, commands) in portions {
      do throws(RedisError) {
        let node = try node(at: address)
        try node.link?.start(commands)
        failures.append(nil)
      } catch {
        failures.append(error)
      }
    }
    let sent = ContinuousClock.now
    return zip(portions, failures).map { portion, failure in
      do throws(RedisError) {
        if let failure { throw failure }
        guard let node = nodes[portion.node], node.link != nil,
          let replies = try node.link?.finish()
        else { throw .closed }
        return ClusterAnswer(.success(replies), took: ContinuousClock.now - sent)
      } catch {
        nodes[portion.node] = nil
        return ClusterAnswer(.failure(error), took: ContinuousClock.now - sent)
      }
    }
  }

  private mutating func node(at address: RedisAddress) throws(RedisError) -> Node {
    if let known = nodes[address], known.link?.isOpen == true { return known }
    var settings = settings
    settings.address = address
    settings.database = 0
    let node = Node()
    let link = try RedisLink.connect(settings)
    facts[address] = link.facts
    node.link = .some(consume link)
    nodes[address] = node
    made += 1
    return node
  }

  /// Lets go of all nodes but these.
  public mutating func keep(_ addresses: Set<RedisAddress>) {
    nodes = nodes.filter { addresses.contains($0.key) }
    facts = facts.filter { addresses.contains($0.key) }
  }

  /// Waits.
  public mutating func pause(_ duration: Duration) {
    // No event ends it: nothing is waited for but the time.
    _ = usleep(UInt32(clamping: duration.wholeMilliseconds * 1_000))
  }

  /// The time since the first use.
  public func uptime() -> Duration {
    ContinuousClock.now - Self.start
  }

  private static let start = ContinuousClock.now
}
