/// A connection's state between two whole requests: a value, judged without a socket or a clock.
///
/// With all connections taken the one that has been longest without a whole request makes room for
/// the next. Each is left in peace for a moment, so that a probe that gets in also gets its answer.
struct ConnectionStanding: Equatable {
  /// When it last asked whole; before it did, when it was opened.
  var requestedAt: Int64
  /// From when on it may have to make room; `.max`: not now.
  var yieldsFrom: Int64

  /// How long a connection has to ask, and a reader to take something, while others wait.
  static let timeToAsk: Int64 = 100_000_000
  /// How long the whole of an answer may take, while others wait.
  static let timeToAnswer: Int64 = 1_000_000_000

  /// Opened, or answered, at `since`: half a request counts as none.
  static func asking(since: Int64, requestedAt: Int64) -> ConnectionStanding {
    ConnectionStanding(requestedAt: requestedAt, yieldsFrom: since + timeToAsk)
  }

  /// The site has not answered: pages that take long must not keep probes out either.
  static func answering(requestedAt: Int64) -> ConnectionStanding {
    ConnectionStanding(requestedAt: requestedAt, yieldsFrom: requestedAt + timeToAnswer)
  }

  /// A response goes out since `startedAt`; the peer last took something at `progressAt`.
  static func reading(
    since startedAt: Int64, progressAt: Int64, requestedAt: Int64
  ) -> ConnectionStanding {
    ConnectionStanding(
      requestedAt: requestedAt, yieldsFrom: min(startedAt + timeToAnswer, progressAt + timeToAsk))
  }

  /// The site has refused it, and the refusal waits.
  static func refused(requestedAt: Int64) -> ConnectionStanding {
    ConnectionStanding(requestedAt: requestedAt, yieldsFrom: 0)
  }

  /// All was said.
  static func lingering(requestedAt: Int64) -> ConnectionStanding {
    ConnectionStanding(requestedAt: requestedAt, yieldsFrom: 0)
  }

  /// The place of the one that makes room at `now`; nil: nobody, yet.
  static func longest(_ standings: some Sequence<ConnectionStanding?>, at now: Int64) -> Int? {
    var found: (index: Int, requestedAt: Int64)?
    for (index, standing) in standings.enumerated() {
      guard let standing, standing.yieldsFrom <= now else { continue }
      if standing.requestedAt < found?.requestedAt ?? .max {
        found = (index, standing.requestedAt)
      }
    }
    return found?.index
  }
}
