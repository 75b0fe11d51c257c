import Dispatch
import Foundation

/// The signals that the process hears, for as long as this object lives.
final class ProcessSignals {
  /// What an operator asks for by a signal.
  enum Request: Sendable {
    case reload
    case drain
  }

  /// The requests as they come: SIGHUP reloads, SIGTERM and SIGINT drain.
  let requests: AsyncStream<Request>

  private var sources: [any DispatchSourceSignal] = []

  /// Begins to hear.
  init() {
    let (requests, continuation) = AsyncStream.makeStream(of: Request.self)
    self.requests = requests
    let queue = DispatchQueue(label: "budgetd.signals")
    let meanings: [(Int32, Request)] = [(SIGHUP, .reload), (SIGTERM, .drain), (SIGINT, .drain)]
    for (number, request) in meanings {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { continuation.yield(request) }
      source.activate()
      sources.append(source)
    }
  }

  /// Stops hearing.
  func cancel() {
    for source in sources { source.cancel() }
  }

  /// A peer that vanishes in the middle of a write is an error code, not the end of the process.
  static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}
