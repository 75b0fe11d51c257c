import ArgumentParser
import BudgetServer
import BudgetWire
import TCPTransport

/// The bounds of peers; the defaults are the wire contract's.
struct BoundArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Connections at one time.", valueName: "count"))
  var maxConnections = 16_384

  @Option(help: ArgumentHelp("Bytes of one request.", valueName: "bytes"))
  var maxRequestBytes = 262_144

  @Option(help: ArgumentHelp("Deployments in one request.", valueName: "count"))
  var maxDeployments = 1_024

  @Option(help: ArgumentHelp("Tags in one request.", valueName: "count"))
  var maxTags = 256

  @Option(
    help: ArgumentHelp("Requests under way on one connection.", valueName: "count"))
  var maxRequestsUnderWay = 4_096

  @Option(help: ArgumentHelp("Bytes waiting to be read by one peer.", valueName: "bytes"))
  var maxUnsentBytes = 8_388_608

  @Option(
    help: ArgumentHelp(
      "Bytes that all peers together may leave unread or half sent; an eighth of the memory there "
        + "is, at most 536870912, if not given.", valueName: "bytes"))
  var maxUnsentTotal: Int?

  @Option(
    help: ArgumentHelp(
      "Connections of one client, by its name in the access file or else its address; 0 is no bound.",
      valueName: "count"))
  var maxConnectionsPerClient = 0

  @Option(
    help: ArgumentHelp("Requests under way of one client; 0 is no bound.", valueName: "count"))
  var maxRequestsUnderWayPerClient = 0

  @Option(
    help: ArgumentHelp(
      "Bytes waiting to be read by one client; 0 is no bound.", valueName: "bytes"))
  var maxUnsentBytesPerClient = 0

  @Option(
    help: ArgumentHelp(
      "Records of one client; more are not read until it is time, none is refused. 0 is no bound.",
      valueName: "count"))
  var recordsPerSecond = 0

  @Option(
    help: ArgumentHelp("From a frame's first byte to its last.", valueName: "seconds"))
  var frameTimeout = 5.0

  @Option(
    help: ArgumentHelp("A connection without a request under way.", valueName: "seconds"))
  var idleTimeout = 300.0

  @Option(
    help: ArgumentHelp("A peer that takes none of what waits for it.", valueName: "seconds"))
  var stallTimeout = 10.0

  @Option(
    help: ArgumentHelp("Lanes that serve connections, 1 to 64.", valueName: "count"))
  var lanes = TCPServer.defaultLaneCount

  @Option(
    help: ArgumentHelp(
      "How long a lane looks for more before it waits for it.", valueName: "microseconds"))
  var spin = 20

  func validate() throws {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw ValidationError(
          "--\(name) \(value): give \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check("max-connections", maxConnections, 1...1_000_000)
    try check("max-request-bytes", maxRequestBytes, 1_024...16_777_216)
    try check("max-deployments", maxDeployments, 1...16_384)
    try check("max-tags", maxTags, 1...4_096)
    try check("max-requests-under-way", maxRequestsUnderWay, 1...1_000_000)
    try check("max-unsent-bytes", maxUnsentBytes, 1_048_576...1_073_741_824)
    if let maxUnsentTotal {
      try check("max-unsent-total", maxUnsentTotal, 8_388_608...1_099_511_627_776)
    }
    for (name, value) in [
      ("max-connections-per-client", maxConnectionsPerClient),
      ("max-requests-under-way-per-client", maxRequestsUnderWayPerClient),
      ("records-per-second", recordsPerSecond),
    ] { try check(name, value, 0...100_000_000) }
    if maxUnsentBytesPerClient != 0 {
      try check("max-unsent-bytes-per-client", maxUnsentBytesPerClient, 65_536...1_099_511_627_776)
    }
    try check("lanes", lanes, 1...64)
    try check("spin", spin, 0...1_000)
    for (name, seconds) in [
      ("frame-timeout", frameTimeout), ("idle-timeout", idleTimeout),
      ("stall-timeout", stallTimeout),
    ] where !(seconds >= 0.01 && seconds <= 86_400) {
      throw ValidationError("--\(name) \(seconds): give 0.01 to 86400 seconds")
    }
  }

  /// Sets the bounds in the server's options.
  func apply(to options: inout ServerOptions) {
    options.transport.connections = maxConnections
    options.transport.requestFrameBytes = maxRequestBytes
    options.transport.requestsUnderWay = maxRequestsUnderWay
    options.transport.unsentBytes = maxUnsentBytes
    options.transport.unsentTotalBytes = maxUnsentTotal ?? ServerOptions.unsentTotalBytes
    options.transport.frameDuration = .seconds(frameTimeout)
    options.transport.idleDuration = .seconds(idleTimeout)
    options.transport.stallDuration = .seconds(stallTimeout)
    options.wire.maximumRequestBytes = maxRequestBytes
    options.wire.maximumDeployments = maxDeployments
    options.wire.maximumTags = maxTags
    options.transport.perClient.connections = maxConnectionsPerClient
    options.transport.perClient.requestsUnderWay = maxRequestsUnderWayPerClient
    options.transport.perClient.unsentBytes = maxUnsentBytesPerClient
    options.transport.perClient.costPerSecond = recordsPerSecond
    options.laneCount = lanes
    options.rest.spin = .microseconds(spin)
  }
}
