public import BudgetModel
import Locks
public import Logging

/// Time that moves by hand.
public final class ManualTimeSource: TimeSource {
  private let instant: Locked<Timestamp>
  /// The wall clock less this time, in milliseconds.
  private let wallLead = Locked<Int64>(0)

  /// Begins at `instant`.
  public init(_ instant: Timestamp) { self.instant = Locked(instant) }

  /// The time as it was moved to.
  public func now() -> Timestamp { instant.withLock { $0 } }

  /// The wall clock: beside the time by what `setWall` says.
  public func wall() -> Timestamp {
    Timestamp(unixMilliseconds: now().unixMilliseconds + wallLead.withLock { $0 })
  }

  /// Sets the wall clock so far ahead of the time.
  public func setWall(aheadBy milliseconds: Int64) { wallLead.withLock { $0 = milliseconds } }

  /// Lets time pass.
  public func advance(milliseconds: Int64) {
    instant.withLock {
      $0 = Timestamp(unixMilliseconds: $0.unixMilliseconds + milliseconds)
    }
  }
}

/// A log handler that keeps what is logged.
public struct TestLog: LogHandler {
  /// The lines so far, each headed by its level.
  public final class Lines: Sendable {
    private let lines = Locked<[String]>([])

    /// Starts without any.
    public init() {}

    /// All lines.
    public var all: [String] { lines.withLock { $0 } }

    /// How many hold `part`.
    public func count(_ part: String) -> Int { all.count { $0.contains(part) } }

    fileprivate func append(_ line: String) { lines.withLock { $0.append(line) } }
  }

  private let lines: Lines
  /// Not shown.
  public var metadata: Logger.Metadata = [:]
  /// Lines below it are not kept.
  public var logLevel = Logger.Level.info

  /// Keeps what is logged in `lines`.
  public init(_ lines: Lines) { self.lines = lines }

  /// Not shown.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Keeps the line.
  public func log(event: LogEvent) { lines.append("\(event.level) \(event.message)") }
}

/// The time that has passed since some instant, as a test says.
public final class ManualUptime: Sendable {
  private let passed = Locked(Duration.zero)

  /// Starts at zero.
  public init() {}

  /// The time that has passed.
  public var now: Duration { passed.withLock { $0 } }

  /// Lets time pass.
  public func advance(_ duration: Duration) { passed.withLock { $0 += duration } }
}
