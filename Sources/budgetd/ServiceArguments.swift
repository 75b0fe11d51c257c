public import ArgumentParser
import BudgetPages
public import BudgetServer
import Foundation
public import Logging
import Sockets

/// The options of the server's configuration and addresses.
struct ServiceArguments: ParsableArguments {
  @Option(help: ArgumentHelp("LiteLLM's config.yaml.", valueName: "file"))
  var config: String

  @Option(
    help: ArgumentHelp(
      "Where the RPC port listens, 127.0.0.1:7077 if neither this is given nor a socket passed; port 0 "
        + "takes a free one. May be given again for more.", valueName: "host:port | unix:path"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp(
      "Where pages and metrics are served, 127.0.0.1:9464 if neither this is given nor a socket passed; "
        + "port 0 takes a free one.", valueName: "host:port | off"))
  var http: String?

  @Option(
    help: ArgumentHelp(
      "Deployments with metrics of their own: with more there are none.", valueName: "count"))
  var metricsDeployments = PageBounds.standard.deployments

  @Option(
    help: ArgumentHelp(
      "Tags with metrics of their own: with more there are none.", valueName: "count"))
  var metricsTags = PageBounds.standard.tags

  @Option(
    help: ArgumentHelp(
      "Where spend is kept; made if missing. Without this option /var/lib/budgetd for root or where "
        + "it is there, else $XDG_STATE_HOME/budgetd, else ~/.local/state/budgetd.",
      valueName: "dir"))
  var dataDir: String?

  @Option(
    help: """
      When a reply to RecordSpend leaves: commit, once the spend is on disk; memory, at once, on \
      disk within 100 ms.
      """)
  var durability = Durability.commit

  @Option(
    help: ArgumentHelp(
      "YAML of model: provider, for models that no rule knows.", valueName: "file"))
  var providerMap: String?

  @Option(help: ArgumentHelp("The node's name; random if not given.", valueName: "name"))
  var nodeId: String?

  @Flag(
    help: """
      Allow addresses that other machines reach though nothing is encrypted, or nobody has to say who \
      they are.
      """)
  var insecureNetwork = false

  @OptionGroup var access: AccessArguments

  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical.", valueName: "level"))
  var logLevel = Logger.Level.info

  @Option(
    help: ArgumentHelp(
      "Write the traffic there, for budgetctl simulate; the file before is kept as FILE.1.",
      valueName: "file"))
  var trace: String?

  @Option(
    help: ArgumentHelp("What the trace's two files may have on disk.", valueName: "bytes"))
  var traceBytes = TraceOptions.standardBytes

  /// A scrape of more would be over a hundred megabytes.
  private static let mostMetrics = 100_000

  /// The sockets that whoever started the process passed to it.
  private static func inherited() throws(ServerError) -> [InheritedSocket] {
    do throws(SocketError) {
      return try InheritedSocket.all(ProcessInfo.processInfo.environment)
    } catch {
      throw .usage(error.description)
    }
  }

  /// The server's options; throws where one cannot be.
  func options() throws(ServerError) -> ServerOptions {
    let place = try DataPlace.ofThisProcess.path(asked: dataDir)
    if dataDir == nil { DataPlace.makeParents(of: place) }
    var options = ServerOptions(configPath: config, dataDirectory: place)
    options.inherited = try Self.inherited()
    if !listen.isEmpty {
      options.listen = listen
    } else if options.inherited.contains(where: { $0.name != "http" }) {
      options.listen = []
    }
    if let http, options.inherited.contains(where: { $0.name == "http" }) {
      throw .usage("--http \(http), and a socket 'http' was passed: give one of them")
    }
    options.http = http == "off" ? nil : http ?? "127.0.0.1:9464"
    for (name, count) in [
      ("--metrics-deployments", metricsDeployments), ("--metrics-tags", metricsTags),
    ] {
      guard (0...Self.mostMetrics).contains(count) else {
        throw .usage("\(name) \(count): give 0 to \(Self.mostMetrics)")
      }
    }
    options.pages.deployments = metricsDeployments
    options.pages.tags = metricsTags
    options.durability = durability
    options.providerMapPath = providerMap
    options.allowsInsecureNetwork = insecureNetwork
    access.apply(to: &options)
    guard TraceOptions.bytesRange.contains(traceBytes) else {
      let range = TraceOptions.bytesRange
      throw .usage("--trace-bytes \(traceBytes): give \(range.lowerBound) to \(range.upperBound)")
    }
    options.trace = trace.map { TraceOptions(path: $0, maximumBytes: traceBytes) }
    if let nodeId {
      let isName =
        !nodeId.isEmpty && nodeId.utf8.count <= 64
        && nodeId.utf8.allSatisfy { (0x21...0x7E).contains($0) }
      guard isName else {
        throw .usage("--node-id '\(nodeId)': give 1 to 64 printable ASCII characters, no blanks")
      }
      options.nodeID = nodeId
    }
    return options
  }
}

extension Durability: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
