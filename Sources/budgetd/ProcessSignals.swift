import Dispatch
import Foundation
import Synchronization

/// The signals that the process hears, for as long as this object lives.
///
/// The first request to end is handed on; the second ends the process where it is heard, as does
/// the first when its time is over, whatever the rest of the process is waiting for.
final class ProcessSignals {
  /// What an operator asks for by a signal.
  enum Request: Sendable {
    case reload
    case drain
  }

  /// The requests as they come: SIGHUP reloads, SIGTERM and SIGINT drain.
  let requests: AsyncStream<Request>

  /// How long the process may take to end once asked.
  private static let timeToEnd = DispatchTimeInterval.milliseconds(9_500)

  private var sources: [any DispatchSourceSignal] = []

  /// Begins to hear.
  init() {
    let (requests, continuation) = AsyncStream.makeStream(of: Request.self)
    self.requests = requests
    let queue = DispatchQueue(label: "budgetd.signals")
    let isEnding = EndRequest()
    let meanings: [(Int32, Request)] = [(SIGHUP, .reload), (SIGTERM, .drain), (SIGINT, .drain)]
    for (number, request) in meanings {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        if request == .drain {
          if isEnding.isRepeated() { exit(1) }
          queue.asyncAfter(deadline: .now() + Self.timeToEnd) { exit(1) }
        }
        continuation.yield(request)
      }
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

/// Whether the process was asked to end before.
private final class EndRequest: Sendable {
  private let wasAsked = Atomic<Bool>(false)

  /// Notes the request; true from the second one on.
  func isRepeated() -> Bool { wasAsked.exchange(true, ordering: .relaxed) }
}
